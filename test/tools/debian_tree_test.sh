#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debian-tree leaves nothing behind: no mount, no process, whatever ends it; and
# touches nothing that it did not make.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

tree() { "$top/tools/debian-tree" "$@"; }
needs_mounts() {
    [ "$(id -u)" = 0 ] || { echo 'mounts need root'; return 77; }
    unshare --mount --propagation private true 2>/dev/null || { echo 'no mount namespace may be made here'; return 77; }
}
# The smallest thing with a shell in it.
tiny_tree() { # DIR
    local command file
    mkdir -p "$1/etc" "$1/proc" "$1/sys" "$1/dev" "$1/bin"
    for command in sh sleep cat; do
        cp -L "$(command -v "$command")" "$1/bin/"
        ldd "$(command -v "$command")" | grep -oE '/[^ ]+' | while read -r file; do
            mkdir -p "$1$(dirname "$file")"
            cp -L "$file" "$1$file"
        done
    done
    echo tiny >"$1/etc/flame_prof-tree"
}
nothing_mounted() {
    if grep -F "$PWD" /proc/mounts; then
        echo 'still mounted'
        return 1
    fi
}
gone() { # PIDFILE: within two minutes, on any machine
    local pid i
    pid=$(cat "$1")
    for ((i = 0; i < 1200; i++)); do
        # A zombie is gone: it only waits for its parent to look.
        [ -d "/proc/$pid" ] && ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "process $pid is still there"
    return 1
}
appears() {
    local i
    for ((i = 0; i < 1200; i++)); do
        [ ! -s "$1" ] || return 0
        sleep 0.1
    done
    echo "$1 did not appear"
    return 1
}

runs() {
    needs_mounts || return 77
    tiny_tree t
    mkdir here
    echo from-outside >here/file
    # shellcheck disable=SC2016 # for the shell inside
    accepts '^b from-outside /mnt$' tree run "$PWD/t" -b "$PWD/here:/mnt" -w /mnt -e A=b -- \
        sh -c 'read -r x <file; echo "$A $x $PWD"'
    local status=0
    tree run "$PWD/t" sh -c 'exit 7' || status=$?
    [ "$status" = 7 ]
    [ "$(echo hello | tree run "$PWD/t" cat)" = hello ]
    nothing_mounted
}
ends_with_signal() {
    needs_mounts || return 77
    tiny_tree t
    # shellcheck disable=SC2016
    # Not through a function: its process would be the one that gets the signal.
    "$top/tools/debian-tree" run "$PWD/t" -- sh -c 'echo $$ >/pid; sleep 60' &
    local runner=$! status=0
    appears t/pid
    kill -TERM "$runner"
    wait "$runner" || status=$?
    [ "$status" = 143 ] || { echo "status $status"; return 1; }
    gone t/pid
    nothing_mounted
}
ends_daemons() {
    needs_mounts || return 77
    tiny_tree t
    # shellcheck disable=SC2016
    tree run "$PWD/t" -- sh -c 'sleep 60 >/dev/null 2>&1 & echo $! >/pid'
    gone t/pid
    nothing_mounted
}
copies() {
    [ "$(id -u)" = 0 ] || { echo 'copying a tree needs root'; return 77; }
    tiny_tree t
    tree copy "$PWD/t" "$PWD/u"
    [ -x u/bin/sh ]
    refuses 'is there already' tree copy "$PWD/t" "$PWD/u"
    tree drop "$PWD/u"
    [ ! -e u ] && [ -x t/bin/sh ]
}
spares_what_is_no_tree() {
    [ "$(id -u)" = 0 ] || { echo 'a tree needs root'; return 77; }
    mkdir precious
    touch precious/thing
    refuses 'is no tree' tree drop "$PWD/precious"
    refuses 'is no tree' tree run "$PWD/precious" true
    refuses 'is there but is no tree' tree make bookworm "$PWD/precious"
    [ -e precious/thing ]
}
other_suite() {
    [ "$(id -u)" = 0 ] || { echo 'a tree needs root'; return 77; }
    tiny_tree t
    refuses 'is a tree of tiny, not bookworm' tree make bookworm "$PWD/t"
}

fake() { mkdir -p bin; printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"; chmod +x "bin/$1"; }
with_fakes() { PATH=$PWD/bin:$PATH "$@"; }
status_77() { # the callers' sign for a skip
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    [ "$status" = 77 ] || { echo "status $status, not 77"; return 1; }
}
needs_root() {
    fake id 'echo 1000'
    refuses 'making a tree needs root' with_fakes tree make bookworm "$PWD/t"
    status_77 with_fakes tree make bookworm "$PWD/t"
}
needs_space() {
    fake id 'echo 0'
    fake df 'printf "Filesystem 1M Used Available Use Mounted\nx 100 90 10 90%% /\n"'
    refuses 'has 10 MB free, a tree needs' with_fakes tree make bookworm "$PWD/t"
    status_77 with_fakes tree make bookworm "$PWD/t"
}
needs_mirror() {
    fake id 'echo 0'
    fake debootstrap true
    fake apt-get true
    refuses 'name no Debian mirror; set FLAME_PROF_MIRROR' with_fakes tree make bookworm "$PWD/t"
}
broken_mirror() {
    fake id 'echo 0'
    # shellcheck disable=SC2016 # for the fake
    fake debootstrap 'echo "E: no such thing"; mkdir -p "$4"; exit 1'
    export FLAME_PROF_MIRROR=http://localhost/debian
    [ -e /usr/share/debootstrap/scripts/bookworm ] || { echo 'debootstrap is not installed'; return 77; }
    refuses 'E: no such thing' with_fakes tree make bookworm "$PWD/t"
    refuses 'debootstrap bookworm failed' with_fakes tree make bookworm "$PWD/t"
    [ ! -e t ] && [ ! -e t.part ]
}

it 'a command runs inside: status, variables, directory, binds, input' runs
it 'TERM ends it, the command and the mounts' ends_with_signal
it 'daemons that are left behind are ended' ends_daemons
it 'a copy, and dropping it' copies
it 'a directory that is no tree is not touched' spares_what_is_no_tree
it 'a tree of another suite is not taken' other_suite
it 'not root: one line' needs_root
it 'a full disk: one line' needs_space
it 'no mirror: one line' needs_mirror
it 'a mirror that fails leaves nothing' broken_mirror
finish
