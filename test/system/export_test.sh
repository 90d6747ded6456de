#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What export writes, read back by readers that know nothing of ours. Needs no rights.
here=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/case.sh"

sample() {
    python3 - >x.perf <<'END'
import random
random.seed(6)
print("# ========\n# flame_prof: 0.1.0")
for i in range(3000):
    memory, change = random.randrange(1 << 40), random.randrange(-(1 << 33), 1 << 33)
    print("%s 42/%d [001] %.6f: metric_erlang_memory: %d, %d\tmetric_erlang_reductions: %d, %d"
          "\tperiod: %d beam-wall:" % (random.choice(["running", "waiting"]),
          100 + i % 7, 10 + i * 0.009, memory, change, i * 11, 11, random.randrange(10 ** 10)))
    for frame in random.sample(["lists:map/2;1559 (lists.erl)", "a:b/1;3 (a.erl)",
                                "do_syscall_64 ([kernel.kallsyms])", "main (/bin/x y)"], 3):
        print("\t7f1c22ad " + frame)
    print("\t0 {registered my;server} (process)\n\t0 {my_server:init/1} (my_server.erl)\n")
END
}

sums_are_those_of_the_source() { # FORMAT SUFFIX
    run export --format "$1" -o "x.$2" x.perf
    want_code 0
    want "sums" cmp <("$here/export_sums.py" perf x.perf) <("$here/export_sums.py" "$1" "x.$2")
}

pprof_keeps_every_sum() {
    sample
    sums_are_those_of_the_source pprof pb
    sums_are_those_of_the_source pprof pb.gz
    want "a gzip file" gzip -t x.pb.gz
}

otlp_keeps_every_sum() {
    command -v protoc >/dev/null || skip "no protoc"
    sample
    sums_are_those_of_the_source otlp otlp
    sums_are_those_of_the_source otlp otlp.gz
    # With a clock every sample has its time.
    sed '1a # clock_anchor_monotonic_ns: 1000000000\n# clock_anchor_unix_ns: 1700000000000000000' x.perf >y.perf
    mv y.perf x.perf
    sums_are_those_of_the_source otlp otlp
    want "3000 times" test "$(protoc --decode=ProfilesData -I"$here" "$here/otlp_profiles.proto" <x.otlp |
        grep -c timestamps_unix_nano)" = 3000
    want "the type of a frame" grep -qa profile.frame.type x.otlp
}

speedscope_keeps_every_sum() {
    sample
    sums_are_those_of_the_source speedscope speedscope.json
    # A weight that was asked for comes alone, in two parts where it has a sign.
    run export -m erlang_memory_delta -o y.speedscope.json x.perf
    want "two signs" test "$("$here/export_sums.py" speedscope y.speedscope.json | cut -d ' ' -f 1 | paste -sd ' ')" \
        = "erlang_memory_dec erlang_memory_inc samples"
}

html_keeps_every_sum() {
    sample
    sums_are_those_of_the_source html html
    # In another order, and in other ways to write a column.
    run export --categories status --metric period -o y.html x.perf
    want "samples and time" cmp <("$here/export_sums.py" perf x.perf | grep -E '^(samples|wall) ') \
        <("$here/export_sums.py" html y.html)
    run export --filter 'status=running' --from 3 -o z.html x.perf
    want_code 0
    want "a part of them" test "$("$here/export_sums.py" html z.html | sed -n 's/^samples //p')" -lt 2000
}

# Of formats with one metric: each in turn.
every_sum_in_turn() { # READER SUFFIX
    local metric
    sample
    for metric in samples period erlang_memory erlang_memory_delta erlang_memory_inc erlang_reductions; do
        run export -m "$metric" -o "x.$2" x.perf
        want_code 0
        local there
        there=$("$here/export_sums.py" "$1" "x.$2")
        want "something of $metric" test -n "$there"
        want "$metric as it was" test -z "$("$here/export_sums.py" perf x.perf | sort |
            comm -13 - <(sort <<<"$there"))"
    done
    want "two signs" test "$(run export -m erlang_memory_delta -o "x.$2" x.perf;
        "$here/export_sums.py" "$1" "x.$2" | cut -d ' ' -f 1 | paste -sd ' ')" \
        = "erlang_memory_dec erlang_memory_inc"
}

firefox_keeps_every_sum() {
    every_sum_in_turn firefox firefox.json
    every_sum_in_turn firefox firefox.json.gz
}

chrome_trace_keeps_every_sum() {
    every_sum_in_turn trace trace.json
}

json_says_what_readers_round() {
    printf 'running 1/%d [000] %d.5: metric_erlang_memory: 9007199254740993, 1\tperiod: 1 beam-wall:\n\n' 1 10 1 11 >x.perf
    local format
    for format in firefox chrome-trace speedscope heatmap flamegraph; do
        run export --format $format -m erlang_memory -o x.json x.perf
        want_code 0
        want_said "erlang_memory adds up to more than 2^53"
        run export --format $format -m erlang_memory_inc -o x.json x.perf
        want "nothing is said of what fits" test -z "$out"
    done
    run export --format firefox -m erlang_memory -o x.json x.perf
    want "in full" grep -q '"weight":\[9007199254740993,9007199254740993\]' x.json
}

# Quotes, controls, no UTF-8, separators of other formats, 100,000 characters.
odd_names_are_valid_everywhere() {
    python3 - >x.perf <<'END'
import sys
out = sys.stdout.buffer
names = [b'a"b\\c', b"semi;colon;", b"tab\there", b"\x01\x1b[31m\x7f", b"\xff\xfe latin\xe9", b"\xed\xa0\x80",
         b"<&>'", b"new\\nline", b"x" * 100000, "\u2028\U0001F525".encode(), b"(anonymous namespace)::f",
         b"a->b", b"12: x: y", b"%s%n{}[]"]
for i, name in enumerate(names):
    out.write(b"co%d\"m;m 42/%d [001] %d.5: 10 cycles:\n" % (i, i + 1, i + 10))
    out.write(b"\t7f00 " + name + b" (/lib/" + name[:200] + b")\n\t0 {label " + name + b"} (process)\n\n")
END
    local format
    for format in heatmap flamegraph speedscope firefox chrome-trace; do
        run export --format $format -o x.json x.perf
        want_code 0
        want "JSON of $format" python3 -c 'import json; json.load(open("x.json", encoding="utf-8"))'
    done
    for format in folded gprofiler svg csv perf-script; do
        run export --format $format -o x.out x.perf
        want_code 0
    done
    run export --format svg -o x.svg x.perf
    want "XML" python3 -c 'import xml.etree.ElementTree as tree; tree.parse("x.svg")'
    run export -o x.pb x.perf
    want "UTF-8 in pprof" "$here/export_sums.py" pprof x.pb >/dev/null
    run export -o x.otlp x.perf
    command -v protoc >/dev/null || return 0
    want "UTF-8 in OTLP" "$here/export_sums.py" otlp x.otlp >/dev/null
}

html_holds_all_that_64_bits_do() {
    python3 - >x.perf <<'END'
import random
random.seed(7)
most = (1 << 63) - 1
for i in range(400):
    line = "running 42/%d [001] %.6f:" % (100 + i % 3, 10 + i * 0.009)
    if i % 3 < 2: # the others lack both metrics
        value = most - 3 * (i // 6) if i % 2 else -most - 1 + 3 * (i // 6)
        line += " metric_a: %d, %d\tmetric_b: %d, %d" % (value, -value if i % 2 else 5, -i, random.randrange(-3, 3))
    print(line + "\tperiod: %d beam-wall:\n\t7f1c22ad lists:map/2;1559 (lists.erl)\n" % i)
END
    sums_are_those_of_the_source html html
}

gprofiler_counts_every_sample() {
    sample
    run export -o x.col x.perf
    want_code 0
    want "3000 samples" test "$("$here/export_sums.py" gprofiler x.col)" = "weight 3000"
    want "Erlang" grep -q 'lists:map/2_\[beam\]' x.col
    want "kernel" grep -q 'do_syscall_64_\[k\]' x.col
    want "a header" python3 -c 'import json; json.loads(open("x.col").readline()[2:])'
}

svg_is_a_picture() {
    sample
    run export -m erlang_memory -o x.svg x.perf
    want_code 0
    want "XML" python3 -c 'import xml.etree.ElementTree as tree; tree.parse("x.svg")'
    want "the name as it is" grep -q '<title>my;server' x.svg
}

# What its text says is what it was: as text, as CSV, with its stacks, with its labels.
is_the_same_read_back() { # FILE
    run script -o a.perf "$1"
    want_code 0
    run script -o b.perf a.perf
    want "the same text of $1" cmp a.perf b.perf
    local format
    for format in csv pprof "folded --lines -m samples"; do
        # shellcheck disable=SC2086 # options
        want "the same $format of $1" cmp <("$flameprof" export --format $format "$1" | LC_ALL=C sort) \
            <("$flameprof" export --format $format a.perf | LC_ALL=C sort)
    done
}

script_is_what_it_was() {
    sample
    run script x.perf
    want_code 0
    want "the lines of the input" cmp <(tr -d ' ' <x.perf) <(printf '%s\n\n' "$out" | sed 's/␣//g' | tr -d ' ')
    is_the_same_read_back x.perf
    printf '%s\n' 'V8 Worker 77/78 [001] 9.000000001: 25 cycles:' \
        $'\t7f00 f(int)+0x10 (/opt/a b/x (deleted))' '' '1_scheduler 77/79 [001] 10.000000: 25 cycles:' '' >perf.perf
    printf 'main;a b;c 12\nmain;a 3\n' >x.folded
    run export -o x.pb.gz x.perf
    run convert -o x.fpc perf.perf
    local file
    for file in perf.perf x.folded x.pb.gz x.fpc; do
        is_the_same_read_back "$file"
    done
}

script_takes_a_part() {
    sample
    run script --filter status=running --from 1 --to 2 x.perf
    want_code 0
    want "only running ones" test "$(grep -c '^waiting' <<<"$out")" = 0
    want_between "samples" "$(grep -c '^running' <<<"$out")" 20 111
    want_said "# end: exported"
}

# What info says of a capture, in the words of export_sums.py.
totals() { # CAPTURE
    "$flameprof" info --json "$1" | python3 -c 'import json, sys
file = json.load(sys.stdin)["files"][0]
sums = {"samples": file["events"], "frames": file["frames"]}
for name, metric in file["metrics"].items():
    sums[name], sums[name + "_delta"] = metric["value"], metric["delta"]
for name, total in sorted(sums.items()): print(name, total)'
}

the_fork_reads_the_text_of_a_capture() {
    sample
    sed -i 's/lists:map/lists:++/; s/a:b\/1/operator->/' x.perf # where it would cut
    run convert -o x.fpc x.perf
    want_code 0
    run script -o y.perf x.fpc
    want_code 0
    want "its sums" cmp <(totals x.fpc) <("$here/export_sums.py" fork y.perf)
    want "those of the source" cmp <("$here/export_sums.py" perf x.perf | grep -E '^(samples|erlang_[a-z]*) ') \
        <("$here/export_sums.py" fork y.perf | grep -E '^(samples|erlang_[a-z]*) ')
    run script -o y.perf.gz x.fpc
    want "the same of gzip" cmp <(totals x.fpc) <("$here/export_sums.py" fork y.perf.gz)
}

nothing_is_left_of_what_failed() {
    sample
    run export -o /dev/full/x.pb.gz x.perf
    want_code 1
    want_none '.*.part'
}

run_cases pprof_keeps_every_sum otlp_keeps_every_sum speedscope_keeps_every_sum html_keeps_every_sum \
    html_holds_all_that_64_bits_do firefox_keeps_every_sum chrome_trace_keeps_every_sum \
    json_says_what_readers_round odd_names_are_valid_everywhere gprofiler_counts_every_sample \
    svg_is_a_picture script_is_what_it_was script_takes_a_part the_fork_reads_the_text_of_a_capture \
    nothing_is_left_of_what_failed
