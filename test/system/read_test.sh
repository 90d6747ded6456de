#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# flameprof top and info on files whose sums are known. Needs no rights.
. "$(dirname "$0")/case.sh"

info_adds_up() {
    two_samples
    run info x.perf
    want_code 0
    want_said "events: 2"
    want_said "frames: 6"
    want_said "malformed_lines: 0"
    want_said "metric erlang_reductions: 300, -2"
    want_said "period_total: 4000000000"
    want_said "first_time: 10.000001"
    want_said "largest_gap: 0.099999"
    want_said "empty_buckets_20ms: 4"
}

top_weighs_by_time() {
    two_samples
    run top x.perf
    want_code 0
    want_said "2 samples over 0.100 s, 4.000 s of beam-wall"
    want_said "3.000 s  75.0 %          3.000 s  75.0 %  lists:map/2  lists.erl"
    want_said "1.000 s  25.0 %          4.000 s 100.0 %  my_server:work/1  my_server.erl"
    want_said "42/151  my_server"
    want_said "42/152  my_server:init/1"
    want_said "75.0 %  waiting"
}

top_weighs_by_metric() {
    two_samples
    run top --metric erlang_reductions --by process x.perf
    want_code 0
    want_said "200  66.7 %  42/152"
    run top --metric erlang_reductions --delta --by process x.perf
    want_said "7  43.8 %  42/151"
    want_said "-9 -56.2 %  42/152"
    run top --metric nothing x.perf
    want_code 5
}

top_of_one_category() {
    two_samples
    run top --category running --by function x.perf
    want_code 0
    want_said "1 samples"
    [[ $out != *lists:map* ]] || fail "a function of another category"
}

top_and_info_of_a_part() {
    two_samples
    run top --from 50ms --by function x.perf
    want_code 0
    want_said "1 samples"
    [[ $out != *lists:map* ]] || fail "a function before the range"
    run info --to 50ms x.perf
    want_code 0
    want_said "events: 1"
    want_said "metric erlang_reductions: 100, 7"
    run info --filter 'status=running' x.perf
    want_said "metric erlang_reductions: 200, -9"
    run top --from 3 --to 2 x.perf
    want_code 2
    want_said "--to is not behind --from"
    run info --filter 'status=' x.perf
    want_code 2
    run top --from 1h x.perf
    want_code 5
}

# Prints what a Python expression makes of the JSON `d`.
said_in_json() {
    python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1" <<<"$out"
}

top_and_info_are_json() {
    two_samples
    run top --json -n 1 x.perf
    want_code 0
    [ "$(said_in_json 'd["samples"], d["total"], d["unit"]')" = "(2, 4000000000, 'nanoseconds')" ] || fail "head: $out"
    [ "$(said_in_json 'd["tables"]["function"]["rows"][0]["name"]')" = "lists:map/2  lists.erl" ] || fail "rows: $out"
    [ "$(said_in_json 'd["tables"]["process"]["count"], len(d["tables"]["process"]["rows"])')" = "(2, 1)" ] ||
        fail "count: $out"
    run info --json --filter 'delta(reductions)<0' x.perf x.perf
    want_code 0
    [ "$(said_in_json '[f["metrics"]["erlang_reductions"]["delta"] for f in d["files"]]')" = "[-9, -9]" ] ||
        fail "metrics: $out"
    [ "$(said_in_json 'd["files"][0]["header"][1]["value"]')" = ns ] || fail "header: $out"
}

compressed_and_standard_input() {
    two_samples
    gzip -k x.perf
    run info x.perf.gz
    want_said "events: 2"
    out=$("$flameprof" top - <x.perf.gz)
    want_said "2 samples"
}

malformed_lines_are_shown() {
    two_samples
    printf 'nonsense\n\tffff no file\n' >>x.perf
    run info x.perf
    want_code 0
    want_said "malformed_lines: 2"
    run top x.perf
    want_code 0
    want_said "2 lines could not be read"
}

a_file_that_breaks_off() {
    two_samples
    gzip -k x.perf
    head -c 150 x.perf.gz >cut.perf.gz
    run info cut.perf.gz
    want_code 1
    want_said "ends early"
}

what_cannot_be_read_says_so_in_json() {
    two_samples
    "$flameprof" convert -o x.fpc x.perf || fail "convert"
    head -c 40 x.fpc >cut.fpc
    out=$("$flameprof" info --json x.fpc cut.fpc none.fpc 2>/dev/null) && code=0 || code=$?
    [ "$code" != 0 ] || fail "exit code 0"
    [ "$(said_in_json '["error" in f for f in d["files"]]')" = "[False, True, True]" ] || fail "which: $out"
    [ "$(said_in_json '["events" in f for f in d["files"]]')" = "[True, False, False]" ] || fail "zeros: $out"
    [ "$(said_in_json '"whole chunk" in d["files"][1]["error"]')" = True ] || fail "error: $out"
}

names_cannot_steer_the_terminal() {
    printf 'a\033[31mb 1/1 [000] 1.5: 5 e:\n\t1 x\033]0;y\007z (f)\n\n' >x.perf
    out=$("$flameprof" top x.perf)
    [[ $out != *$'\033'* && $out != *$'\007'* ]] || fail "control characters came through"
}

what_is_not_there() {
    run top /no/such/file
    want_code 1
    want_said "No such file"
    run info .
    want_code 2
    want_said "a directory"
    : >empty
    run top empty
    want_code 5
}

what_record_writes() {
    local key file
    need_root
    "$burner" 1 >cpu &
    run record -F 499 -d 1 -o x.perf
    want_code 0
    run info x.perf
    want_code 0
    for key in native_cpu_ns native_voluntary_switches native_minor_faults; do
        file=$(field x.perf "total $key")
        want_said "metric $key: $file"
    done
    want_said "period_total: $(field x.perf period_total_ns)"
    want_said "events: $(field x.perf samples)"
    want_said "malformed_lines: 0"
    run top x.perf
    want_said "spin  burner"
    wait
}

run_cases info_adds_up top_weighs_by_time top_weighs_by_metric top_of_one_category top_and_info_of_a_part \
    top_and_info_are_json what_cannot_be_read_says_so_in_json compressed_and_standard_input \
    malformed_lines_are_shown a_file_that_breaks_off names_cannot_steer_the_terminal what_is_not_there \
    what_record_writes
