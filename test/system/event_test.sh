#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Events besides the clock, on programs that make a known number of them.
. "$(dirname "$0")/case.sh"

# The sum of the periods of PID's samples in a file.
weight_of() { # FILE PID
    awk -v pid="$2" '/^#/ || /^\t/ || /^$/ { next } $2 ~ "^" pid "/" {
        n = split($0, part, "period: "); split(part[n], word, " "); sum += word[1] } END { printf "%.0f\n", sum }' "$1"
}

sleepers_time_is_found() {
    local pid sum
    need_root
    # shellcheck disable=SC2016 # that program's
    python3 -c 'import time
for _ in range(20): time.sleep(0.05)
time.sleep(0.3)' & pid=$!
    run record -p "$pid" -e off-cpu:10ms -o x.perf --categories state,waker
    wait "$pid"
    want_code 0
    want_valid --whole x.perf
    sum=$(weight_of x.perf "$pid")
    want_between "milliseconds asleep" "$((sum / 1000000))" 700 6000
    want "in nanosleep or the like" grep -qE 'nanosleep|select' x.perf
    want "asleep" grep -q '{state sleeping} (process)' x.perf
    want "the scheduler on top, and none of our own" [ "$(grep -c 'bpf_prog\|on_switch' x.perf)" = 0 ]
    want "its metric" [ "$(field x.perf 'total native_off_cpu_ns' | sed 's/.*, //')" = "$(field x.perf period_total_ns)" ]
}

who_still_waits_is_told_at_the_end() {
    local pid
    need_root
    sleep 60 & pid=$!
    # A process that never runs has no switch to be seen: a signal that it ignores wakes it.
    python3 -c 'import signal, time
signal.signal(signal.SIGUSR1, lambda *_: None)
print("up", flush=True)
while True: time.sleep(60)' >up & pid=$!
    trap 'kill "$pid"' EXIT
    wait_for up
    start record -p "$pid" -d 2 -e off-cpu -o x.perf
    wait_for .x.perf.part
    sleep 0.7
    kill -USR1 "$pid"
    finish
    want_code 0
    want_between "milliseconds" "$(($(weight_of x.perf "$pid") / 1000000))" 200 2500
}

waking_is_attributed() {
    local pid
    need_root
    python3 -c 'import os, threading
r, w = os.pipe()
def ping():
    import time
    for _ in range(40): time.sleep(0.02); os.write(w, b"x")
threading.Thread(target=ping).start()
for _ in range(40): os.read(r, 1)' & pid=$!
    run record -p "$pid" -e off-cpu:1ms --categories waker -o x.perf
    wait "$pid"
    want_code 0
    want "its own thread woke it" grep -q '{waker python' x.perf
}

run_queue_of_a_busy_machine() {
    need_root
    "$burner" 30 $(($(nproc --all) * 3)) >/dev/null & local pid=$!
    run record -p "$pid" -d 1.5 -e run-queue:1ms -o x.perf
    kill "$pid"
    want_code 0
    want_valid --whole x.perf
    want_between "milliseconds in the queue" "$(($(weight_of x.perf "$pid") / 1000000))" 500 30000
}

faults_are_counted() {
    local pid sum
    need_root
    python3 -c 'import mmap, sys
sys.stdin.readline()
m = mmap.mmap(-1, 40 * 1024 * 1024)
m.madvise(mmap.MADV_NOHUGEPAGE)
for i in range(0, len(m), 4096): m[i] = 1' < <(sleep 1) & pid=$!
    run record -p "$pid" -e minor-faults:10 -o x.perf
    wait "$pid"
    want_code 0
    want_valid --whole x.perf
    sum=$(weight_of x.perf "$pid")
    want_between "faults of 10240 pages" "$sum" 10000 13000
    want "their unit" [ "$(field x.perf period_unit)" = faults ]
}

each_event_has_its_file() {
    need_load
    run record -d 1 -e cpu-clock:199,context-switches:1 -e off-cpu -o x.perf
    want_code 0
    want_valid --whole x_cpu-clock.perf
    want_valid --whole x_context-switches.perf
    want_valid --whole x_off-cpu.perf
    want "199 Hz" [ "$(field x_cpu-clock.perf sample_interval_ns)" = 5025125 ]
    want "its own event name" grep -q ' context-switches:$' x_context-switches.perf
    [ "$(field x_off-cpu.perf ticks_expected)" = "$(awk '/^# samples:/ || /^# loss / { sum += $NF } END { print sum }' x_off-cpu.perf)" ] ||
        fail "the account of off-cpu: $(grep '^# ' x_off-cpu.perf | tail -n 20)"
}

a_counter_that_this_machine_lacks() {
    need_root
    run record -e cycles -d 0.3 -o x.perf
    [ "$code" != 0 ] || skip "this machine has hardware counters"
    want_code 4
    want_said "no such hardware counter"
    want_none '*.perf*'
}

run_cases sleepers_time_is_found who_still_waits_is_told_at_the_end waking_is_attributed run_queue_of_a_busy_machine \
    faults_are_counted each_event_has_its_file a_counter_that_this_machine_lacks
