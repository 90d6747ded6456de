#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Go programs: every frame in its place, by the table that Go's runtime has; that names the
# functions of a stripped one and their lines, too.
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

# Of FILE: functions of go_nester.go that are one line each, with the lines seen.
lines_of() {
    grep -oE '^	[0-9a-f]+ main\.(leaf|[ac-g]|outer);[0-9]+ \([^)]*\)' "$1" | cut -d' ' -f2- | sort -u
}

# The lines of h, a loop, which is seen most.
loop_of() {
    grep -oE '^	[0-9a-f]+ main\.h;[0-9]+ \(nester.go\)' "$1" | grep -oE ';[0-9]+' | tr -d ';'
}

want_lines() { # FILE
    local call
    # shellcheck disable=SC2016 # that program's
    awk 'match($0, /^func (leaf|[ac-g]|outer)\(/) {
        sub(/\(.*/, "", $2); print "main." $2 ";" NR " (nester.go)"
    }' nester.go | sort >wanted
    want "eight functions of a line" [ "$(wc -l <wanted)" = 8 ]
    lines_of "$1" >lines
    want "their lines: $(diff wanted lines | tr '\n' ' ')" cmp -s wanted lines
    call=$(grep -n 's += leaf(i)' nester.go | cut -d: -f1)
    want_between "samples in the loop of h" "$(loop_of "$1" | wc -l)" 100 1000000
    # shellcheck disable=SC2016 # that program's
    want "lines of the loop" awk -v call="$call" '
        $1 < call - 2 || $1 > call + 3 { exit bad = 1 }
        $1 == call { calls++ }
        END { exit bad || calls < NR / 2 }' <(loop_of "$1")
    want "lines of the runtime" grep -qE '	[0-9a-f]+ runtime\.[a-zA-Z]+;[0-9]+ \([a-z0-9_]+\.go\)' "$1"
}

a_stripped_one_has_lines() {
    build nester
    run record --lines -F 997 -o x.perf -- ./nester 1
    want_code 0
    want_lines x.perf
    build stripped -ldflags='-s -w'
    run record --lines -F 997 -o y.perf -- ./stripped 1
    want_code 0
    want_lines y.perf
}

run_cases each_frame_is_in_its_place a_stripped_one_has_names a_stripped_one_has_lines
