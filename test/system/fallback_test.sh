#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Without BPF: perf events of every CPU as root, and of one's own processes as nobody.
# Stacks are as exact as BPF's, what is not seen is said, and every tick has its place.
. "$(dirname "$0")/case.sh"

nester=$work/nester

build_nester() {
    [ "$(id -u)" = 0 ] || skip "not root, so that another user cannot be tried"
    [ -x "$nester" ] || ${CC:-cc} -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o "$nester" \
        "$root/test/system/nester.c" -pthread || fail "cannot build nester.c"
}

# As nobody without any capability, in a folder of its own.
as_nobody() {
    local paranoid
    paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
    [ "$paranoid" -le 2 ] || skip "kernel.perf_event_paranoid is $paranoid: nobody may sample anything"
    cp "$flameprof" prof
    chmod 777 .
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all \
        ./prof "$@" 2>&1 </dev/null) && code=0 || code=$?
}

# Samples of nester in FILE from main on, those that are not one of its stacks (in the file
# bad), and those with a signal handler.
judge() {
    fold "$1" | awk -v bad="$PWD/bad" '
        BEGIN {
            n = split("burn realigned variable recurse compare sort on_signal step thread_cpu_s work thread_main main", own)
            for (i = 1; i <= n; i++) is_own[own[i]] = 1
            allowed = "^((((((burn;)?realigned;)?variable;)?(recurse;)+|((burn;)?compare;(libc;)+)?sort;|" \
                "(burn;)?on_signal;(libc;)+)?step;|thread_cpu_s;)?work;)?(thread_main;libc;libc|main;libc;libc;libc);$"
        }
        $2 != "nester" { next }
        {
            n = split($3, frame, ";")
            for (at = 1; at <= n && !(frame[at] in is_own); at++) { }
            if (at > n) next # before main, behind exit
            all++
            stack = ""
            for (; at <= n; at++) stack = stack (frame[at] in is_own ? frame[at] : "libc") ";"
            if (stack !~ allowed) { wrong++; print stack >bad }
            if (stack ~ /on_signal/) signals++
        }
        END { printf "%d %d %d\n", all, wrong, signals }'
}

want_exact() { # FILE
    local all wrong signals
    read -r all wrong signals < <(judge "$1")
    want_between "samples of nester" "$all" 700 4000
    [ "$wrong" = 0 ] || fail "$wrong of $all stacks are not the source's: $(head -3 bad)"
    want "a signal handler was met" [ "$signals" -gt 0 ]
    echo "     $all samples, all exact"
}

every_cpu_as_root() {
    build_nester
    run record --engine perf-events -F 997 -o x.perf -- "$nester" 1
    want_code 0
    want_said "sampling by perf-events of every CPU; not seen: time off the CPU"
    want_valid --whole x.perf
    want_exact x.perf
    want "the header says so" [ "$(field x.perf sampler | head -1)" = "perf-events of every CPU" ]
    want "kernel frames" grep -q '\[kernel.kallsyms\]' x.perf
}

the_threads_of_a_process() {
    build_nester
    "$nester" 60 >/dev/null & pid=$!
    trap 'kill "$pid"' EXIT
    wait_run "$pid" nester
    run record --engine perf-events -F 499 -p "$pid" -d 2 -o x.perf
    want_code 0
    want_valid --whole x.perf
    want "both threads" [ "$(fold x.perf | awk '{ print $1 }' | sort -u | wc -l)" = 2 ]
    want "nobody else" [ "$(fold x.perf | grep -vc "^$pid/")" = 0 ]
}

own_processes_as_nobody() {
    build_nester
    as_nobody record -F 997 -o x.perf -- "$nester" 1
    want_code 0
    want_said "perf-events of our user's processes"
    want_said "other users' processes"
    want_said "no BPF: load the BPF program"
    want_valid --whole x.perf
    want_exact x.perf
}

whatever_our_user_runs() {
    build_nester
    setpriv --reuid=65534 --regid=65534 --clear-groups "$nester" 60 >/dev/null & pid=$!
    trap 'kill "$pid"' EXIT
    wait_run "$pid" nester
    as_nobody record -F 499 -d 2 -o x.perf
    want_code 0
    want "the program of the same user" grep -q "^$pid/.*step;work" <(fold x.perf)
}

children_and_what_they_execute() {
    build_nester
    as_nobody record -F 997 -o x.perf -- sh -c "'$nester' 0.2; '$nester' 0.2"
    want_code 0
    want "two processes" [ "$(fold x.perf | awk '$2 == "nester" && /step;work/ { split($1, id, "/"); print id[1] }' |
        sort -u | wc -l)" = 2 ]
}

filters_and_events() {
    build_nester
    run record --engine perf-events -e cpu-clock:499 -e context-switches:1 --comm nester -o x.perf -- "$nester" 0.3
    want_code 0
    want_file x_context-switches.perf
    want "only nester" [ "$(fold x_cpu-clock.perf | grep -vc ' nester ')" = 0 ]
    run record --engine perf-events --uid 4000000 -d 1 -o y.perf
    want_code 5
    run record --engine perf-events -e off-cpu -d 1 -o z.perf
    want_code 4
    want_said "-e off-cpu needs BPF"
}

what_cannot_be_used_is_not_fatal() {
    build_nester
    unshare --mount true 2>/dev/null || skip "no mount namespaces here"
    mkdir empty
    # shellcheck disable=SC2016 # that shell's arguments
    out=$(unshare --mount sh -c 'mount --bind "$0" /sys/kernel/btf && exec "$@"' "$PWD/empty" \
        "$flameprof" record -F 499 -o x.perf -- "$nester" 0.3 2>&1) && code=0 || code=$?
    want_code 0
    want_said "no BPF: this kernel has no BTF"
    want_valid --whole x.perf
}

run_cases every_cpu_as_root the_threads_of_a_process own_processes_as_nobody whatever_our_user_runs \
    children_and_what_they_execute filters_and_events what_cannot_be_used_is_not_fatal
