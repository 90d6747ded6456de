#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every refusal: one line that says what, why and what to do, and an exit code.
. "$(dirname "$0")/case.sh"

one_line() { [ "$(wc -l <<<"$out")" = 1 ] || fail "more than one line"; }

as_nobody() {
    cp "$flameprof" "$work/flameprof" 2>/dev/null
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set="$1" \
        "$work/flameprof" "${@:2}" 2>&1 </dev/null) && code=0 || code=$?
}

without_rights() {
    [ "$(id -u)" = 0 ] || skip "not root, so that another user cannot be tried"
    chmod 777 .
    as_nobody -all record --engine bpf -d 1 -o x.perf
    want_code 3
    want_said "run as root"
    want_said "cap_bpf"
    one_line
}

without_btf() {
    need_root
    unshare --mount true 2>/dev/null || skip "no mount namespaces here"
    mkdir empty
    # shellcheck disable=SC2016 # that shell's arguments
    out=$(unshare --mount sh -c 'mount --bind "$0" /sys/kernel/btf && exec "$@"' "$PWD/empty" \
        "$flameprof" record --engine bpf -d 1 -o x.perf 2>&1) && code=0 || code=$?
    want_code 4
    want_said "no BTF"
    want_said "CONFIG_DEBUG_INFO_BTF"
    one_line
    want_none '*.perf*'
}

a_directory_that_cannot_be_written() {
    need_root
    unshare --mount true 2>/dev/null || skip "no mount namespaces here"
    mkdir ro
    # shellcheck disable=SC2016 # that shell's arguments
    out=$(unshare --mount sh -c 'mount -t tmpfs -o ro none "$0" && exec "$@"' "$PWD/ro" \
        "$flameprof" record -d 1 -o ro/x.perf 2>&1) && code=0 || code=$?
    want_code 1
    want_said "not writable"
    one_line
}

a_rate_too_high_for_this_kernel() {
    local max
    max=$(cat /proc/sys/kernel/perf_event_max_sample_rate)
    [ "$max" -lt 100000 ] || run record -F 100001 -d 1 -o x.perf
    [ "$max" -ge 100000 ] || run record -F $((max + 1)) -d 1 -o x.perf
    want_code 2
    want_said "-F"
    one_line
}

no_such_process() {
    run record -p 4194000 -d 1 -o x.perf
    want_code 2
    want_said "no such process"
    one_line
}

a_thread_is_no_process() {
    build_burner
    "$burner" 1 2 >cpu & local pid=$!
    wait_run "$pid" burner 2
    local tid
    tid=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 -printf "%f\n" | sort -n | tail -n 1)
    run record -p "$tid" -d 1 -o x.perf
    want_code 2
    want_said "thread of process $pid"
    one_line
    wait
}

an_unknown_suffix() {
    run record -d 1 -o x.csv
    want_code 2
    want_said ".perf.gz"
    one_line
}

wrong_options() {
    local line
    while read -r line; do
        # shellcheck disable=SC2086 # split at blanks
        run record $line
        want_code 2
        want_said "--help"
        one_line
    done <<'END'
-F 0
-d soon
-p x
--engine perf
-a -p 1
--rotate-seconds 0
--max-files 3
--buffer 1
--nonsense
ls
END
}

a_command_that_is_not_there() {
    need_root
    run record -o x.perf -- /no/such/command
    want_code 1
    want_said "/no/such/command: No such file"
    one_line
    want_none '*.perf*'
}

help_and_version() {
    run --help
    want_code 0
    want_said "flameprof record"
    run --version
    want_code 0
    want_said "flameprof 0."
    run
    want_code 2
    run nonsense
    want_code 2
    want_said "no command 'nonsense'"
    for command in record top info; do
        run "$command" --help
        want_code 0
        want_said "usage: flameprof $command"
        want_said "example"
    done
}

run_cases without_rights without_btf a_directory_that_cannot_be_written a_rate_too_high_for_this_kernel \
    no_such_process a_thread_is_no_process an_unknown_suffix wrong_options a_command_that_is_not_there \
    help_and_version
