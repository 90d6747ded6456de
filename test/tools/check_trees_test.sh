#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A tree that cannot be had is a counted skip with its reason; in CI, which has
# root and a mirror, trixie's is a failure.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

trees() { FLAME_PROF_CACHE=$PWD/cache "$top/tools/check-trees" "$@"; }
fake() { mkdir -p bin; printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"; chmod +x "bin/$1"; }
no_mirror() {
    unset FLAME_PROF_TREES
    fake id 'echo 0'
    fake debootstrap 'echo "E: no route"; exit 1'
    PATH=$PWD/bin:$PATH
    export FLAME_PROF_MIRROR=http://localhost/debian
    [ -e /usr/share/debootstrap/scripts/trixie ] || { echo 'debootstrap is not installed'; return 77; }
}

switched_off() {
    FLAME_PROF_TREES=off CI=true accepts '^skip tree-trixie: FLAME_PROF_TREES=off$' trees trixie
    FLAME_PROF_TREES=off CI=true accepts '^0 passed, 0 failed, 2 skipped$' trees trixie sid
}
not_root() {
    fake id 'echo 1000'
    unset FLAME_PROF_TREES
    CI='' PATH=$PWD/bin:$PATH accepts '^skip tree-trixie: a Debian tree needs root$' trees trixie
}
skipped_at_home() {
    no_mirror || return
    CI='' accepts '^skip tree-trixie: .*debootstrap trixie failed' trees trixie
}
failure_in_ci() {
    no_mirror || return
    CI=true refuses '^FAIL tree-trixie: .*debootstrap trixie failed' trees trixie
}
sid_is_a_skip_in_ci_too() {
    no_mirror || return
    CI=true accepts '^skip tree-sid: .*debootstrap sid failed' trees sid
}

it 'switched off' switched_off
it 'not root' not_root
it 'no mirror, at home' skipped_at_home
it 'no mirror, in CI' failure_in_ci
it 'sid cannot be had, in CI' sid_is_a_skip_in_ci_too
finish
