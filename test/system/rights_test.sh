#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a recording may do: as root it gives up what it no longer needs, as nobody it gets
# along with few capabilities, and each level sees what docs/system-sampler.md says.
. "$(dirname "$0")/case.sh"

chain='spin;level_three;level_two;level_one;main'

status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$recorder/status"; }

burn() { # AS-USER
    need_root
    cp "$burner" ours
    chmod 755 . ours
    setpriv --reuid="$1" --regid="$1" --clear-groups ./ours 30 >/dev/null & pid=$!
    trap 'kill "$pid"' EXIT
    wait_run "$pid" ours
}

# As nobody, with these capabilities (numbers, for tools that do not know the names).
with_capabilities() { # "39 38" OPTION...
    local set=-all cap
    for cap in $1; do set+=,+cap_$cap; done
    cp "$flameprof" prof
    mkdir -p out
    chmod 777 out
    out=$(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="$set" --ambient-caps="$set" \
        --bounding-set="$set" ./prof record "${@:2}" 2>&1 </dev/null) && code=0 || code=$?
}
can_set_capabilities() {
    setpriv --inh-caps=-all,+cap_39 --ambient-caps=-all,+cap_39 --bounding-set=-all,+cap_39 true 2>/dev/null ||
        skip "setpriv cannot set capabilities here"
}

the_rest_is_given_up() {
    local kept
    burn 65534
    start record -F 499 -o x.perf
    wait_for .x.perf.part
    sleep 1
    kept=$((16#$(status_of CapEff)))
    # bpf, perfmon, sys_ptrace, syslog, dac_read_search, checkpoint_restore
    want "no other capability: $(status_of CapEff)" [ $((kept & ~(1 << 39 | 1 << 38 | 1 << 19 | 1 << 34 | 1 << 2 | 1 << 40))) = 0 ]
    want "bpf and perfmon" [ $((kept >> 38 & 3)) = 3 ]
    want "the same permitted" [ "$(status_of CapPrm)" = "$(status_of CapEff)" ]
    want "nothing to inherit" [ $((16#$(status_of CapInh))) = 0 ]
    want "no more to gain" [ "$(status_of NoNewPrivs)" = 1 ]
    kill -TERM "$recorder"
    finish
    want_code 0
    want_valid --whole x.perf
    want "names of another user's program" grep -q "^$pid/.*$chain" <(fold x.perf)
    want "kernel names" grep -qE '\(\[kernel.kallsyms\]\)' x.perf
}

files_in_the_folder_of_somebody_else() {
    need_load
    mkdir theirs
    chown 65534 theirs
    chmod 755 theirs
    run record -F 199 -d 2.5 --rotate-seconds 1 -o theirs/s.perf
    want_code 0
    want_between "files" "$(count 'theirs/s-*.perf')" 2 4
}

the_command_keeps_its_rights() {
    need_root
    # shellcheck disable=SC2016 # that shell's
    run record -o x.perf -- sh -c 'sleep 0.5; grep -E "^(CapEff|NoNewPrivs)" /proc/self/status >status'
    want_code 0
    want "NoNewPrivs of the command" grep -q 'NoNewPrivs:	0' status
    want "capabilities of the command" [ "$(grep CapEff status)" = "$(grep CapEff /proc/self/status)" ]
}

# The table of docs/system-sampler.md, level by level, on a program of root.
bpf_and_perfmon() {
    burn 0
    chmod 700 ours # what anybody may read has names here, too (Linux 6.15 shows them mappings)
    can_set_capabilities
    with_capabilities "39 38" -F 499 -d 1 -p "$pid" -o out/x.perf
    want_code 0
    want "samples" [ "$(fold out/x.perf | wc -l)" -gt 20 ]
    want "no names of a program that it may not read" [ "$(grep -c 'level_three' out/x.perf)" = 0 ]
}
and_sys_ptrace() {
    burn 0
    can_set_capabilities
    with_capabilities "39 38 19" -F 499 -d 1 -p "$pid" -o out/x.perf
    want_code 0
    want "root's program has names and whole stacks" grep -q "$chain" <(fold out/x.perf)
}
deleted_files_need_checkpoint_restore() {
    burn 0
    can_set_capabilities
    rm ours
    with_capabilities "39 38 19" -F 499 -d 0.7 -p "$pid" -o out/x.perf
    want_code 0
    want "no names without" [ "$(grep -c level_three out/x.perf)" = 0 ]
    with_capabilities "39 38 19 40 2" -F 499 -d 0.7 -p "$pid" -o out/y.perf
    want_code 0
    want "names with it" grep -q "$chain" <(fold out/y.perf)
}
one_of_the_two_is_not_enough_for_bpf() {
    local cap
    burn 0
    can_set_capabilities
    for cap in 38 39; do
        with_capabilities "$cap" --engine bpf -d 1 -o out/x.perf
        want_code 3
        want_said "cap_bpf,cap_perfmon"
    done
}

run_cases the_rest_is_given_up files_in_the_folder_of_somebody_else the_command_keeps_its_rights \
    bpf_and_perfmon and_sys_ptrace deleted_files_need_checkpoint_restore one_of_the_two_is_not_enough_for_bpf
