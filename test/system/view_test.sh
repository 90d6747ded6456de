#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heatmap, flamegraph, diff and export on a file whose sums are known. Needs no rights.
. "$(dirname "$0")/case.sh"

sample() {
    two_samples
    cat >>x.perf <<'END'
running 42/152 [000] 12.500000: metric_erlang_reductions: 300, 100	period: 1000000000 beam-wall:
	7f1c22ae my_server:work/1;21 (my_server.erl)
	0 {my_server:init/1} (my_server.erl)

END
}

heatmap_draws() {
    sample
    run heatmap --width 60 --rows 10 -m erlang_reductions_delta x.perf
    want_code 0
    want_said "erlang_reductions_delta: 98 in all; a cell is 100 ms, -9 to 100"
    out=$("$flameprof" heatmap --color true --rows 10 - <x.perf)
    [[ $out == *$'\033[38;2;'* ]] || fail "no colours"
    out=$(NO_COLOR=1 TERM=xterm "$flameprof" heatmap x.perf)
    [[ $out != *$'\033'* ]] || fail "colours in spite of NO_COLOR"
}

heatmap_is_json() {
    sample
    run heatmap --json --rows 2 -m erlang_reductions x.perf
    want_code 0
    want_said '"values":[[null,300],[null,null],[300,null]]'
}

flamegraph_draws() {
    sample
    run flamegraph --width 60 x.perf
    want_code 0
    want_said "|all____"
    want_said "period: 5000000000 in all, 3 samples"
    run flamegraph --width 60 --categories registered --focus '^lists:' x.perf
    want_said "|my_server__"
    want_said "1 samples"
    run flamegraph --categories colour x.perf
    want_code 2
    want_said "--categories colour: not in this file"
}

filters() {
    sample
    run export --format folded --filter 'status=running & delta(reductions)>0' x.perf
    want_code 0
    want_said "running;my_server:init/1;my_server:work/1 1000000000"
    [[ $out != *lists* ]] || fail "a sample that the filter does not take"
    run export --format folded --filter 'pid=<0.151.0>' --categories '' x.perf
    want_said "my_server:work/1;lists:map/2 3000000000"
    run export --format folded --filter 'status=nothing' x.perf
    want_code 5
    run heatmap --filter 'status= & mem>1' x.perf
    want_code 2
    want_said 'a value is missing, character 9: "& mem>1"'
    run heatmap --filter 'colour=red' x.perf
    want_code 2
    want_said 'no such field'
}

exports() {
    sample
    run export -o x.heatmap.json x.perf
    want_code 0
    want_file x.heatmap.json
    want "all metrics" grep -q '"erlang_reductions_delta":{' x.heatmap.json
    want_none '.*.part'
    run export --format csv --from 2 x.perf
    want_said "12500000000,1000000000,my_server:work/1"
    [[ $out != *10100000000* ]] || fail "a sample before --from"
    run export --format nothing x.perf
    want_code 2
    run export -o x.unknown x.perf
    want_code 2
    want_said "add --format"
    run export -o /no/such/directory/x.folded x.perf
    want_code 1
}

# Every sum of a metric is that of info, whatever the format.
sums_are_those_of_info() {
    sample
    run export --format folded -m erlang_reductions x.perf
    want "folded" [ "$(awk '{ sum += $NF } END { print sum }' <<<"$out")" = 600 ]
    run export --format folded -m erlang_reductions_delta x.perf
    want "gains" [ "$(awk '/^positive/ { sum += $NF } END { print sum }' <<<"$out")" = 107 ]
    want "drops" [ "$(awk '/^negative/ { sum += $NF } END { print sum }' <<<"$out")" = 9 ]
    run info x.perf
    want_said "metric erlang_reductions: 600, 98"
}

diffs() {
    sample
    run diff --before 0..1 --after 1.. --norm none -m samples x.perf
    want_code 0
    want_said "samples: 2 before, 1 after"
    run diff --norm none x.perf x.perf
    want_said "+0.00 %"
    run diff --json --norm none x.perf x.perf
    want_said '"name":"lists:map/2","self":[3000000000,3000000000]'
    run diff x.perf
    want_code 2
    run diff --before 0..0.05 --after 1.. x.perf
    want_code 1
    want_said "no duration to compare by"
}

# The same picture from text, a capture, a merge of parts, standard input.
captures() {
    local whole
    sample
    run export --format folded x.perf
    whole=$out
    run convert -o x.fpc x.perf
    want_code 0
    want_file x.fpc
    run export --format folded x.fpc
    want "a capture is the same" [ "$out" = "$whole" ]
    run info x.fpc
    want_said "events: 3"
    want_said "frames: 8"
    want_said "metric erlang_reductions: 600, 98"
    want_said "period_total: 5000000000"
    out=$("$flameprof" info - <x.fpc)
    want_said "metric erlang_reductions: 600, 98"
    # shellcheck disable=SC2002 # a pipe cannot be sought in
    out=$(cat x.fpc | "$flameprof" info -)
    want_said "metric erlang_reductions: 600, 98"
    # shellcheck disable=SC2002
    want "a capture from a pipe" [ "$(cat x.fpc | "$flameprof" export --format folded -)" = "$whole" ]
    run top x.fpc
    want_said "3 samples over 2.500 s, 5.000 s of beam-wall"
    want_said "3.000 s  60.0 %          3.000 s  60.0 %  lists:map/2  lists.erl"
    want_said "42/151  my_server"
    want_said "42/152  my_server:init/1"
    run top --filter 'delta(reductions)<0' --by function x.perf
    want_said "1 samples"
    [[ $out != *lists:map* ]] || fail "a function that the filter does not take"
    run top --filter 'status=' x.perf
    want_code 2
    run split --every 1 -o part x.fpc
    want_code 0
    want_file part-0001.fpc
    want_none part-0002.fpc
    want_file part-0003.fpc
    run merge -o all.fpc part-0003.fpc part-0001.fpc
    want_code 0
    run export --format folded all.fpc
    want "the parts are the whole" [ "$(sort <<<"$out")" = "$(sort <<<"$whole")" ]
    gzip -c x.perf | "$flameprof" convert -o y.fpc - || fail "standard input"
    run export --format folded y.fpc
    want "standard input is the same" [ "$out" = "$whole" ]
    run convert --filter status=running -o r.fpc x.fpc
    run heatmap -m samples r.fpc
    want_said "samples: 2 in all"
    run convert x.perf
    want_code 2
    run split -o part x.fpc
    want_code 2
    want_said "--every"
    run merge -o x.fpc /no/such/file x.perf
    want_code 1
}

reports() {
    sample
    run report x.perf
    want_code 0
    want_said "beam-wall: 3 samples of 2 processes in 2.5 s"
    want_said "status     waiting 60.0 %  running 40.0 %"
    want_said "100.0 %  my_server:work/1"
    want_said "93.5 %       152  my_server:init/1"
    run report --filter registered=my_server -m period x.perf
    want_said "100.0 %   100.0 %  lists:map/2"
    want_said "100.0 %       151  my_server"
    run report --filter status=suspended x.perf
    want_code 5
}

help_has_examples() {
    local command
    for command in report heatmap flamegraph diff export convert merge split; do
        run "$command" --help
        want_code 0
        want_said "example"
        want_said "--filter FILTER"
    done
}

devices_stay_devices() {
    sample
    mkfifo pipe
    cat pipe >got &
    run export --format csv -o pipe x.perf
    want_code 0
    wait
    want "still a pipe" test -p pipe
    want "all of it went through" grep -q my_server got
    run export --format csv -o /dev/full x.perf
    want_code 1
    want_said "No space left"
    want "still a device" test -c /dev/full
}

run_cases devices_stay_devices heatmap_draws heatmap_is_json flamegraph_draws filters exports sums_are_those_of_info diffs captures reports \
    help_has_examples
