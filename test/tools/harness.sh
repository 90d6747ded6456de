# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests of our own tools: `it NAME FUNCTION` runs a function in a
# directory of its own; `finish` closes. A function returns 77 to skip.
set -euo pipefail

# shellcheck disable=SC2034 # for those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
harness_dir=$(mktemp -d)
trap 'rm -rf "$harness_dir"' EXIT
harness_passed=0 harness_failed=0 harness_skipped=0

it() { # NAME FUNCTION
    local out status
    mkdir "$harness_dir/$2"
    # Not in a condition: `set -e` would be off inside.
    set +e
    out=$(set -e; cd "$harness_dir/$2"; "$2" 2>&1)
    status=$?
    set -e
    case $status in
    0) echo "ok   $1"; harness_passed=$((harness_passed + 1)) ;;
    77) echo "skip $1: ${out##*$'\n'}"; harness_skipped=$((harness_skipped + 1)) ;;
    *) printf '%s\nFAIL %s\n' "$out" "$1"; harness_failed=$((harness_failed + 1)) ;;
    esac
}

# refuses PATTERN COMMAND...: it must fail, and say something that matches.
refuses() {
    local pattern=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ "$status" = 0 ]; then
        printf '%s\naccepted what it should refuse: %s\n' "$out" "$*"
        return 1
    fi
    grep -qE -- "$pattern" <<<"$out" || {
        printf '%s\nrefused, but without: %s\n' "$out" "$pattern"
        return 1
    }
}

# accepts PATTERN COMMAND...: it must succeed, and say something that matches.
accepts() {
    local pattern=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ "$status" != 0 ] || ! grep -qE -- "$pattern" <<<"$out"; then
        printf '%s\nstatus %s, wanted 0 and: %s\n' "$out" "$status" "$pattern"
        return 1
    fi
}

finish() {
    echo "$harness_passed passed, $harness_failed failed, $harness_skipped skipped"
    [ "$harness_failed" = 0 ]
    exit
}
