#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stacks of code without frame pointers: each one that is recorded must be one that the
# source can have, from its innermost function to the bottom.
. "$(dirname "$0")/case.sh"

nester=$work/nester

build_nester() {
    need_root
    [ -x "$nester" ] || ${CC:-cc} -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o "$nester" \
        "$root/test/system/nester.c" -pthread || fail "cannot build nester.c"
}

# Samples of nester in FILE that are exact, and all; those that are not go to the file bad.
# What is not a function of nester.c is `libc`, and in front of its functions left out.
exact() {
    fold "$1" | awk -v bad="$PWD/bad" '
        BEGIN {
            n = split("burn realigned variable recurse compare sort on_signal step thread_cpu_s work thread_main main", own)
            for (i = 1; i <= n; i++) is_own[own[i]] = 1
            deep = "(((burn;)?realigned;)?variable;)?(recurse;)+"
            sorted = "((burn;)?compare;(libc;)+)?sort;"
            signal = "(burn;)?on_signal;(libc;)+"
            allowed = "^(((" deep "|" sorted "|" signal ")?step;|thread_cpu_s;)?work;)?" \
                "(thread_main;libc;libc|main;libc;libc;libc);$"
        }
        $2 != "nester" { next }
        {
            all++
            n = split($3, frame, ";")
            for (at = 1; at <= n && !(frame[at] in is_own); at++) { }
            if (at > n) { other++; next } # before main, behind exit
            stack = ""
            for (; at <= n; at++) stack = stack (frame[at] in is_own ? frame[at] : "libc") ";"
            if (stack ~ allowed) good++; else print stack, $3 >bad
        }
        END { printf "%d %d %d\n", good, all, other }'
}

every_stack_is_one_of_the_source() {
    local good all other unreadable
    build_nester
    run record -F 997 -o x.perf -- "$nester" 1.5
    want_code 0
    want_valid --whole x.perf
    read -r good all other < <(exact x.perf)
    want_between "samples" "$all" 1500 4000
    want_between "those outside main" "$other" 0 $((all / 50 + 10))
    # Where the kernel has taken a page of a stack out of memory, that is said, and few.
    unreadable=$(field x.perf stack_ends | tail -1 | tr ' ' '\n' | sed -n 's/^unreadable=//p')
    want_between "stacks with a page that was not in memory" "${unreadable:-0}" 0 $((all / 100))
    [ "$((all - good - other))" -le "${unreadable:-0}" ] ||
        fail "$((all - good - other)) of $all stacks are not the source's: $(head -3 bad)"
    want "a signal handler was met" grep -q 'on_signal' <(fold x.perf)
    want "a realigned frame was met" grep -q 'realigned;variable;recurse' <(fold x.perf)
    echo "     $all samples, $good of them exact, $other before main or behind it"
}

a_stripped_program_is_walked_as_well() {
    local complete all
    build_nester
    cp "$nester" ./stripped
    strip ./stripped 2>/dev/null || skip "there is no strip"
    run record -F 499 -o x.perf -- ./stripped 0.5
    want_code 0
    all=$(fold x.perf | awk '$2 == "stripped"' | wc -l)
    complete=$(field x.perf stack_ends | tail -1 | tr ' ' '\n' | sed -n 's/^complete=//p')
    want_between "complete stacks of $all: $(field x.perf stack_ends)" "$((complete * 1000 / all))" 950 1100
}

source_lines_are_told_when_asked_for() {
    local line
    build_nester
    ${CC:-cc} -g -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o with_lines \
        "$root/test/system/nester.c" -pthread || fail "cannot build nester.c"
    line=$(grep -n 'step(i);' "$root/test/system/nester.c" | cut -d: -f1)
    run record --lines -F 499 -o x.perf -- ./with_lines 0.3
    want_code 0
    want_valid --whole x.perf
    want "the line of a call" grep -q "	[0-9a-f]* work;$line (nester.c)" x.perf
    # Where it calls step(); elsewhere it may be what was inlined.
    want "no other line of that call" [ "$(grep -A1 '^	[0-9a-f]* step;' x.perf | grep ' work;' |
        grep -vc " work;$line ")" = 0 ]
    run record -F 499 -o y.perf -- ./with_lines 0.3
    want "none where they were not asked for" [ "$(grep -c 'nester.c)' y.perf)" = 0 ]
}

short_processes_are_walked_to_the_bottom() {
    local all good
    build_nester
    run record -F 997 -o x.perf -- sh -c "for i in 1 2 3 4 5 6 7 8 9 10; do $nester 0.02; done"
    want_code 0
    all=$(fold x.perf | awk '$2 == "nester" && / .*(work|main)/' | wc -l)
    good=$(fold x.perf | awk '$2 == "nester" && $3 ~ /;work;(main|thread_main);.*(_start|clone3?)$/' | wc -l)
    want_between "samples of ten short processes" "$all" 100 1000
    want_between "the share of whole stacks among $all" "$((good * 1000 / all))" 950 1000
}

# Before anybody can read their /proc: by what the kernel said of their mappings.
# Nothing of it is on disk or in memory when it would next have been looked at anyway.
a_library_loaded_late_and_soon_gone() {
    local late="$root/test/system/late.c" all good
    need_root
    ${CC:-cc} -O2 -fomit-frame-pointer -o late "$late" -ldl || fail "cannot build late.c"
    ${CC:-cc} -O2 -fomit-frame-pointer -shared -fPIC -DLIBRARY -o late.so "$late" || fail "cannot build late.so"
    run record -F 997 -o x.perf -- ./late ./late.so 1 0.5
    want_code 0
    all=$(fold x.perf | grep -c ' late .*;main;')
    good=$(fold x.perf | grep -c ' late .*spin;late_work;main;.*_start$')
    want_between "samples of the program" "$all" 700 3000
    want_between "those in the library, whole, of $all: $(field x.perf stack_ends)" "$good" $((all / 4)) $((all / 2))
    want_between "those that end in it" "$(fold x.perf | grep -c ' late .*\(spin\|late_work\|\[late.so.*\)$')" 0 20
    want "no frame of it without a name" [ "$(fold x.perf | grep -c ' late .*\[late.so')" = 0 ]
}
# Its stack is deeper than what is copied of the stack of a process that nothing is known of.
a_forked_child_is_walked_by_what_is_known_of_its_parent() {
    local all good
    need_root
    ${CC:-cc} -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o forker "$root/test/system/forker.c" ||
        fail "cannot build forker.c"
    run record -F 997 -o x.perf -- ./forker 200 5
    want_code 0
    all=$(fold x.perf | grep -c ' forker .*;\?child_work')
    good=$(fold x.perf | grep -c ' forker .*child_work;make_child;deep.*;main;.*_start$')
    want_between "samples of the children" "$all" 400 3000
    want_between "those of $all that are whole: $(field x.perf stack_ends)" "$good" $((all * 95 / 100)) "$all" # 80 % by copies
    echo "     $good of $all samples of children whole"
}
processes_of_a_millisecond_are_walked_as_well() {
    local all incomplete
    need_root
    # shellcheck disable=SC2016 # the other shell's
    run record -F 997 -o x.perf -- sh -c 'i=0; while [ $i -lt 3000 ]; do /bin/true; i=$((i + 1)); done'
    want_code 0
    read -r all incomplete < <(field x.perf stack_ends | tail -1 | tr ' ' '\n' | awk -F= '
        { all += $2 }
        $1 !~ /^(complete|no_user_stack|erlang|emulator)$/ { incomplete += $2 }
        END { print all, incomplete + 0 }')
    want_between "samples" "$all" 100 50000
    want_between "those of $all that are not complete: $(field x.perf stack_ends)" "$incomplete" 0 $((all / 50 + 2))
}

run_cases every_stack_is_one_of_the_source a_stripped_program_is_walked_as_well \
    source_lines_are_told_when_asked_for short_processes_are_walked_to_the_bottom \
    a_library_loaded_late_and_soon_gone a_forked_child_is_walked_by_what_is_known_of_its_parent \
    processes_of_a_millisecond_are_walked_as_well
