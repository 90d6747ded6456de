#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The budget: over it the pace goes down, and the file says so; the sums stay true.
. "$(dirname "$0")/case.sh"

slower_when_it_costs_too_much() {
    local before after ms
    need_load
    start record -F 997 --max-cpu 0.01% -o x.perf
    for _ in $(seq 3000); do
        grep -q 'intervals are' log && break
        sleep 0.1
    done
    sleep 1
    kill -TERM "$recorder"
    finish
    want_code 0
    want_valid --whole x.perf
    want_said "is allowed"
    [ "$(field x.perf governor | grep -c 'intervals are 400 % of what was asked for')" = 1 ] ||
        fail "the file does not say so: $(field x.perf governor)"
    # A sample's weight is the interval it stands for.
    before=$(awk '/\tperiod: / { sub(/.*\tperiod: /, ""); print $1; exit }' x.perf)
    after=$(awk '/\tperiod: / { sub(/.*\tperiod: /, ""); at = $1 } END { print at }' x.perf)
    [ "$before" = 1003009 ] || fail "it began at $before ns"
    [ "$after" -ge 4012036 ] || fail "it ended at $after ns"
    # All CPUs were busy: what was sampled, lost or ours is all the time there was.
    ms=$(sed -n 's/.* samples in \([0-9.]*\) s .*/\1/p' <<<"$out")
    want_between "seconds sampled of $ms s" "$(($(field x.perf period_total_ns) / 1000000000))" 1 \
        "$(awk -v s="$ms" -v cpus="$(nproc)" 'BEGIN { print s * cpus * 1.05 + 1 }')"
}

off_cpu_alone_has_a_budget_too() {
    need_load
    run record -e off-cpu --max-cpu 50% -d 6.5 -o x.perf
    want_code 0
    want_file x.perf
}

memory_that_is_not_enough_ends_it() {
    need_load
    # At that rate the ring buffer alone takes the 16 MB, whatever runs on the host.
    run record -F 9973 --max-memory 16M -d 200 -o x.perf.gz
    want_code 1
    want_said "names are forgotten"
    want_said "stopped by its limit: flameprof uses"
    [[ $(field x.perf.gz end) == "stopped by its limit: "* ]] || fail "end: $(field x.perf.gz end)"
}

run_cases slower_when_it_costs_too_much off_cpu_alone_has_a_budget_too memory_that_is_not_enough_ends_it
