#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Go programs: every frame in its place, by the table that Go's runtime has; that names the
# functions of a stripped one, too.
. "$(dirname "$0")/case.sh"

# build NAME FLAGS...
build() {
    local go name=$1
    shift
    need_root
    go=$(PATH=$PATH:/usr/local/go/bin:/usr/lib/go/bin command -v go) || skip "there is no Go compiler"
    cp "$root/test/system/go_nester.go" nester.go
    GOFLAGS='' GOCACHE=$work/go GOTOOLCHAIN=local "$go" build "$@" -o "$name" nester.go >said 2>&1 ||
        fail "go build: $(head -3 said)"
}

# Of FILE: samples in functions of go_nester.go that are exact, and all; others go to the
# file bad. Exact is whatever ends outer, a, ... as they call each other, or c, ..., by the
# goroutine that begins there.
nested() {
    awk '
        function end(  want) {
            if (stack == "") return
            want = index(whole, " " stack) && stack ~ /(^| )(outer|c) $/
            all++
            exact += want
            if (!want) print stack >"bad"
            stack = ""
        }
        BEGIN { whole = " leaf h g f e d c b a outer " }
        /^#/ { next }
        /^$/ { end(); next }
        /^\t/ && $2 ~ /^main\.(leaf|[a-h]|outer)$/ { sub(/^main\./, "", $2); stack = stack $2 " " }
        END { end(); print exact + 0, all + 0 }' "$1"
}

# Of FILE, percent of the stacks that are whole.
whole() {
    sed -n 's/^# stack_ends: //p' "$1" | tail -n 1 | tr ' ' '\n' | awk -F= '
        $1 == "no_user_stack" { next }
        { all += $2; good += $1 == "complete" ? $2 : 0 }
        END { printf "%.1f\n", all ? 100 * good / all : 0 }'
}

want_exact() { # FILE
    local exact all
    read -r exact all < <(nested "$1")
    want_between "samples in known functions" "$all" 100 1000000
    [ "$exact" = "$all" ] || fail "$exact of $all are exact; not: $(sort bad | uniq -c | sort -rn | head -3)"
    want "whole: $(whole "$1") %" awk -v percent="$(whole "$1")" 'BEGIN { exit percent < 98 }'
    # shellcheck disable=SC2016 # that program's
    want "stacks lead on from systemstack" awk '
        was { on += /^\t/; ends += !/^\t/; was = 0 }
        /^\t/ && $2 ~ /^runtime.systemstack/ { was = 1 }
        END { exit !(on > 9 * ends) }' "$1"
    want "and end at goexit" grep -q 'runtime.goexit' "$1"
    echo "     $all samples in known functions, all exact; $(whole "$1") % of all stacks whole"
}

each_frame_is_in_its_place() {
    build nester
    run record -F 997 -o x.perf -- ./nester 2
    want_code 0
    want_exact x.perf
}

a_stripped_one_has_names() {
    build nester -ldflags='-s -w'
    run record -F 997 -o x.perf -- ./nester 2
    want_code 0
    want_exact x.perf
    want "no frame without a name" [ "$(grep -c '\[nester' x.perf)" = 0 ]
}

run_cases each_frame_is_in_its_place a_stripped_one_has_names
