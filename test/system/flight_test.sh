#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The flight recorder: nothing on the disk until something happens, then the last seconds.
. "$(dirname "$0")/case.sh"

# A recorder of so many seconds whose first samples are in its memory.
fly() {
    start record -F 499 "$@"
    for _ in $(seq 3600); do
        grep -q '^Sig.*' "/proc/$recorder/status" 2>/dev/null &&
            [ "$(awk '/^SigCgt/ { print substr($2, 14, 1) }' "/proc/$recorder/status")" != 0 ] && break
        sleep 0.05
    done
    sleep 1.5
}

want_account() { # FILE: every tick of its time is a sample or a loss
    local losses
    losses=$(text "$1" | awk '/^# loss / { sum += $4 } END { print sum + 0 }')
    [ "$(field "$1" ticks_expected)" = $(($(field "$1" samples) + losses)) ] ||
        fail "$1: $(field "$1" ticks_expected) ticks, $(field "$1" samples) samples, $losses lost"
}

a_signal_writes_what_was_before() {
    need_load
    fly --flight 30s --flight-after 0 -o x.perf
    want_none '*.perf*'
    want_none '.*.part'
    kill -USR1 "$recorder"
    wait_for 'x-*.perf'
    kill -TERM "$recorder"
    finish
    want_code 0
    [ "$(count 'x-*.perf')" = 1 ] || fail "not one file: $(ls -A)"
    want_valid --whole x-*.perf
    want_account x-*.perf
    [ "$(field x-*.perf trigger)" = on_call ] || fail "trigger: $(field x-*.perf trigger)"
    [ "$(field x-*.perf trigger_detail)" = SIGUSR1 ] || fail "who asked is not told"
    want_between "what was kept, ms" "$(($(field x-*.perf dump_kept_ns) / 1000000))" 1000 30000
    want_said "SIGUSR1 -> x-"
}

what_one_file_has_the_next_does_not_repeat() {
    local first second
    need_load
    fly --flight 30s --flight-after 0 -o x.perf
    kill -USR1 "$recorder"
    wait_for 'x-*0001.perf'
    sleep 0.5
    kill -USR1 "$recorder"
    wait_for 'x-*0002.perf'
    kill -TERM "$recorder"
    finish
    want_code 0
    first=$(echo x-*0001.perf) second=$(echo x-*0002.perf)
    want_account "$first"
    want_account "$second"
    last=$(awk '/\tperiod: / { at = $4 } END { print at + 0 }' "$first")
    next=$(awk '/\tperiod: / { print $4 + 0; exit }' "$second")
    awk -v a="$last" -v b="$next" 'BEGIN { exit !(b >= a) }' || fail "$next is before $last"
}

without_a_cause_there_is_no_file() {
    need_load
    run record -d 1 --flight 10s -o x.perf
    want_code 0
    want_none 'x*'
    want_said "0 by triggers, 0 on call"
}

at_the_end_when_asked_for() {
    need_load
    run record -d 2.2 --flight 1s --flight-at-end -o x.perf
    want_code 0
    want_valid --whole x-*.perf
    want_account x-*.perf
    awk '/\tperiod: / { if (!first) first = $4; last = $4 } END { exit !(last - first < 1.3) }' x-*.perf ||
        fail "more than the last second"
}

a_busy_host_fires() {
    need_load
    fly --flight 10s --flight-after 0.2 --trigger 'cpu>1% for 500ms' -o x.perf
    wait_for 'x-*.perf'
    kill -TERM "$recorder"
    finish
    want_code 0
    want_valid --whole x-*.perf
    want_account x-*.perf
    [ "$(field x-*.perf trigger)" = cpu ] || fail "trigger: $(field x-*.perf trigger)"
    [ "$(field x-*.perf trigger_limit)" = '1 %' ] || fail "limit: $(field x-*.perf trigger_limit)"
    want_said "1 by triggers"
}

the_end_of_a_process_fires_and_it_has_its_names() {
    local pid
    need_load
    cp "$burner" ./victim
    ./victim 600 >/dev/null & pid=$!
    start record -F 499 --flight 20s --flight-after 0 --trigger 'comm=victim exits' -o x.perf
    sleep 2.5
    rm victim # and its file is gone, too
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    wait_for 'x-*.perf'
    kill -TERM "$recorder"
    finish
    want_code 0
    want_valid --whole x-*.perf
    [ "$(field x-*.perf trigger)" = exit ] || fail "trigger: $(field x-*.perf trigger)"
    [ "$(field x-*.perf trigger_name)" = victim ] || fail "name: $(field x-*.perf trigger_name)"
    [ "$(field x-*.perf trigger_pid)" = "$pid" ] || fail "pid: $(field x-*.perf trigger_pid), not $pid"
    [ "$(field x-*.perf trigger_detail)" = 'killed by signal 9' ] || fail "how: $(field x-*.perf trigger_detail)"
    [ "$(fold x-*.perf | grep -c "^$pid/.* victim .*level_two;level_one;main")" -gt 0 ] || fail "no names of the process that is gone"
}

memory_is_bounded_and_what_it_cost_is_said() {
    need_load
    run record -F 9999 -d 4 --flight 60s --flight-bytes 1M --flight-at-end -o x.perf
    want_code 0
    want_valid --whole x-*.perf
    want_said "went before their time"
    [ "$(field x-*.perf dump_dropped_early)" -gt 0 ] || fail "nothing was dropped early"
    want_between "samples" "$(field x-*.perf samples)" 100 6000
}

dumps_of_triggers_are_bounded() {
    need_load
    fly --flight 10s --flight-after 0 --dumps-max 1 --dump-distance 0 --trigger 'cpu>1' --trigger 'load>0' -o x.perf
    wait_for 'x-*.perf'
    sleep 1
    kill -TERM "$recorder"
    finish
    want_code 0
    [ "$(count 'x-*.perf')" = 1 ] || fail "not one file: $(ls -A)"
    want_said "1 by triggers"
}

a_gauge_that_is_none() {
    run record --flight 10s --trigger 'disk>3' -o x.perf
    want_code 2
    want_said "there are load, run-queue, cpu"
}

run_cases a_signal_writes_what_was_before what_one_file_has_the_next_does_not_repeat without_a_cause_there_is_no_file \
    at_the_end_when_asked_for a_busy_host_fires the_end_of_a_process_fires_and_it_has_its_names \
    memory_is_bounded_and_what_it_cost_is_said dumps_of_triggers_are_bounded a_gauge_that_is_none
