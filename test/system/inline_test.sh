#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Functions that the compiler put into others: `record --inlines` says at each address what
# addr2line says there, and what the source has.
. "$(dirname "$0")/case.sh"

# build FLAGS...: ./inliner, whose addresses are those of its file.
build() {
    need_root
    ${CC:-cc} -O2 -g -no-pie -fno-optimize-sibling-calls "$@" -o inliner \
        "$root/test/system/inliner.c" || fail "cannot build inliner.c"
}

# Of FILE, frames of ./inliner itself and what is inlined in them, one line a place:
# ADDRESS NAME;NAME;... with the address inside the call, the innermost name first.
places() {
    text "$1" | awk '
        function end() { chain = ""; where = "" }
        /^#/ || /^$/ { end(); depth = 0; next }
        !/^\t/ { end(); depth = 0; next }
        {
            if ($1 != where) { chain = ""; where = $1; depth++ }
            name = $2; sub(/;[0-9]+$/, "", name)
            chain = chain == "" ? name : chain ";" name
            if ($3 == "(inlined)") next
            if ($3 ~ own) print where, depth, chain
            where = ""
        }' own='inliner[)]$|^[(]inliner.c[)]$' | sort | uniq -c |
        perl -ne '/(\d+) (\w+) (\d+) (\S+)/ and printf "%x %s %d\n", hex($2) - ($3 > 1), $4, $1'
}

# The same places as addr2line tells them.
reference() {
    cut -d ' ' -f 1 here | addr2line -a -i -f -e ./inliner | awk '
        /^0x[0-9a-f]+$/ { if (chain != "") print at, chain; at = $0; sub(/^0x0*/, "", at); chain = ""; name = 1; next }
        name { chain = chain == "" ? $0 : chain ";" $0; name = 0; next }
        { name = 1 }
        END { print at, chain }'
}

want_exact() { # FILE; says how many frames were met
    places "$1" >here
    cut -d ' ' -f 1,2 here >ours
    reference >theirs
    # Before main, and behind it, there is code without DWARF: addr2line says ??.
    paste -d ' ' ours theirs | awk '$4 !~ /\?\?/ && ($1 != $3 || $2 != $4)' >bad
    [ ! -s bad ] || fail "other than addr2line: $(head -3 bad)"
    want "three deep" grep -q ' innermost;middle;outer;work_three ' here
    want "one deep" grep -q ' innermost;work_one ' here
    awk '{ all += $3; n = split($2, names, ";"); inlined += n > 1 ? $3 : 0 }
        END { print "     " all " frames, " inlined " of them where something is inlined, all as addr2line has it" }' here
}

need_addr2line() { command -v addr2line >/dev/null || skip "there is no addr2line"; }

each_address_has_the_functions_inlined_there() {
    local dwarf
    need_addr2line
    for dwarf in 4 5; do
        build "-gdwarf-$dwarf"
        run record --inlines -F 499 -o x.perf -- ./inliner 0.4
        want_code 0
        want_valid --whole x.perf
        want_exact x.perf
    done
}

of_another_compiler_and_packed() {
    need_addr2line
    command -v clang >/dev/null || skip "there is no clang"
    CC=clang build -gdwarf-4 -gz
    run record --inlines -F 499 -o x.perf -- ./inliner 0.4
    want_code 0
    want_exact x.perf
}

with_lines_each_is_where_it_calls() {
    local source=$root/test/system/inliner.c at_loop at_inner at_middle at_outer
    build
    at_loop=$(grep -n 'sum += 1.0' "$source" | cut -d: -f1)
    at_inner=$(grep -n 'return innermost(cnt) + 1' "$source" | cut -d: -f1)
    at_middle=$(grep -n 'return middle' "$source" | cut -d: -f1)
    at_outer=$(grep -n 'return outer' "$source" | cut -d: -f1)
    run record --inlines --lines -F 499 -o x.perf -- ./inliner 0.4
    want_code 0
    want "lines of the whole chain" grep -q \
        "^innermost;$at_loop (inlined) middle;$at_inner (inlined) outer;$at_middle (inlined) work_three;$at_outer (inliner.c)" \
        <(text x.perf | sed -E 's/^\t[0-9a-f]+ //' | paste -s -d ' ' | sed 's/ innermost;/\ninnermost;/g')
}

without_the_option_or_dwarf_there_are_none() {
    build
    run record -F 199 -o x.perf -- ./inliner 0.2
    want_code 0
    want "none unless asked for" [ "$(grep -c '(inlined)' x.perf)" = 0 ]
    strip ./inliner 2>/dev/null || skip "there is no strip"
    run record --inlines -F 199 -o y.perf -- ./inliner 0.2
    want_code 0
    want "none without DWARF" [ "$(grep -c 'inliner' y.perf)" -gt 0 ]
    want "none without DWARF" [ "$(grep -c '(inlined)' y.perf)" = 0 ]
}

captures_and_what_is_read_back_have_them_too() {
    build
    run record --inlines -F 199 -o x.fpc -- ./inliner 0.3
    want_code 0
    run export --format perf-script -o y.perf x.fpc
    want_code 0
    want "in the text of a capture" grep -q 'middle (inlined)' y.perf
    run export --format perf-script -o z.perf y.perf
    want_code 0
    want "the same after text was read" cmp -s <(grep -v '^#' y.perf) <(grep -v '^#' z.perf)
    run export --format flamegraph -o y.json y.perf
    want_code 0
    want "told apart in a flame graph" grep -q '"inlined"' y.json
}

run_cases each_address_has_the_functions_inlined_there of_another_compiler_and_packed \
    with_lines_each_is_where_it_calls without_the_option_or_dwarf_there_are_none \
    captures_and_what_is_read_back_have_them_too
