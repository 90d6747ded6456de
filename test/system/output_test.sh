#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files: whole, rotated, compressed, cut short, on a full disk; and how it ends.
. "$(dirname "$0")/case.sh"

each_signal_ends_it_with_a_whole_file() {
    local signal
    need_load
    for signal in INT TERM HUP; do
        start record -o "$signal.perf"
        wait_for ".$signal.perf.part"
        sleep 0.6
        kill "-$signal" "$recorder"
        finish
        want_code 0
        want_file "$signal.perf"
        want_valid --whole "$signal.perf"
        want_said "next     flameprof top $signal.perf"
    done
    want_none '.*.part'
}

a_second_signal_does_no_harm() {
    need_load
    start record -F 997 -o x.perf.gz
    sleep 1
    for _ in 1 2 3 4 5; do kill -INT "$recorder" 2>/dev/null; kill -TERM "$recorder" 2>/dev/null; done
    finish
    want_code 0
    want_valid --whole x.perf.gz
}

a_short_duration() {
    need_load
    run record -d 0.3 -o x.perf
    want_code 0
    # By its own clock: how long it takes to start and to end is the machine's business. One
    # that gives little hears of the end late, but not a hundred times so.
    want_between "tenths of a second" "$(sed -n -E 's/.* samples in ([0-9]+)\.([0-9]) s .*/\1\2/p' <<<"$out" | sed 's/^0//')" 3 250
    want_valid --whole x.perf
}

quiet_says_nothing() {
    need_load
    run record -q -d 0.3 -o x.perf
    want_code 0
    [ -z "$out" ] || fail "it said something"
}

the_default_name_has_the_time() {
    need_load
    run record -d 0.3
    want_code 0
    wait_for 'flameprof-20??????T??????Z.fpc'
}

rotation_by_time() {
    need_load
    run record -F 199 -d 6.3 --rotate-seconds 1 -o s.perf
    want_code 0
    # Never sooner, and later where the machine gives little: the end of it all may be, too.
    want_between "files" "$(count 's-*.perf')" 3 \
        "$(sed -n -E 's/.* samples in ([0-9]+)\.[0-9]+ s .*/\1/p' <<<"$out" | awk '{ print $1 + 1 }')"
    want_valid --whole s-*.perf
    want_said "files, the last"
}

rotation_by_size_keeps_the_newest() {
    need_load
    run record -F 997 -d 3 --rotate-bytes 20K --max-files 2 -o s.perf.gz
    want_code 0
    want "two files" [ "$(count 's-*.perf.gz')" = 2 ]
    want_valid s-*.perf.gz
    want "not the first" [ "$(count 's-*-0001.perf.gz')" = 0 ]
}

each_events_files_tell_builds_once() { # while those of another event are rotated
    need_load
    run record -F 997 -d 2 -e cpu-clock -e off-cpu:1us --rotate-bytes 20K --max-files 20 -o s.perf
    want_code 0
    want_between "files of the clock" "$(count 's_cpu-clock-*.perf')" 2 20
    want_valid s_*.perf
}

compressed_is_the_same() {
    need_load
    run record -F 499 -d 0.6 -o x.perf.gz
    want_code 0
    want "gzip accepts it" gzip -t x.perf.gz
    want_valid --whole x.perf.gz
}

a_tiny_ring_loses_and_counts() {
    need_root
    "$burner" 2 2 >cpu &
    run record -F 4999 -d 1 --buffer 4K -o x.perf
    want_code 0
    want_said "lost     "
    want_between "lost" "$(field x.perf 'loss ring_full')" 100 \
        "$(sed -n 's/^ *ticks *\([0-9]*\) = .*/\1/p' <<<"$out")"
    want_valid --whole x.perf
    wait
}

a_full_disk_is_told_and_survived() {
    need_root
    mkdir small
    mount -t tmpfs -o size=1m none small 2>/dev/null || skip "cannot mount a tmpfs"
    "$burner" 3 2 >cpu &
    run record -F 4999 -d 2 -o small/x.perf
    cp small/*.perf . 2>/dev/null
    umount small
    want_code 1
    want_said "No space left on device"
    want_said "write_failed"
    want_file x.perf
    want_valid x.perf
    wait
}

killed_it_leaves_what_it_had() {
    need_load
    start record -F 499 -o x.perf.gz
    # What is written comes now and then, and packed.
    for _ in $(seq 3600); do
        [ "$(stat -c %s .x.perf.gz.part 2>/dev/null || echo 0)" -ge 16384 ] && break
        sleep 0.05
    done
    kill -KILL "$recorder"
    wait "$recorder" 2>/dev/null
    want_file .x.perf.gz.part
    run info .x.perf.gz.part
    want_code 0
    want_said "malformed_lines: 0"
    want_between "samples" "$(sed -n 's/^events: //p' <<<"$out")" 50 100000
}

idle_processes_make_no_file() {
    need_root
    sleep 60 & local pid=$!
    wait_run "$pid" sleep
    run record -p "$pid" -d 0.5 -o x.perf
    kill "$pid"
    want_code 5
    want_said "used no CPU"
    want_none '*.perf*'
}

an_old_file_is_replaced() {
    need_load
    echo old >x.perf
    run record -d 0.3 -o x.perf
    want_code 0
    want_valid --whole x.perf
}

a_directory_is_made() {
    need_load
    run record -q -d 0.3 -o new/dir/x.perf
    want_code 0
    want_valid --whole new/dir/x.perf
}

run_cases each_signal_ends_it_with_a_whole_file a_second_signal_does_no_harm a_short_duration quiet_says_nothing \
    the_default_name_has_the_time rotation_by_time rotation_by_size_keeps_the_newest \
    each_events_files_tell_builds_once compressed_is_the_same \
    a_tiny_ring_loses_and_counts a_full_disk_is_told_and_survived killed_it_leaves_what_it_had \
    idle_processes_make_no_file an_old_file_is_replaced a_directory_is_made
