#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Filters: of several busy processes only those asked for are sampled, and every tick
# of the others is counted as excluded.
. "$(dirname "$0")/case.sh"

# Two burners: $first has two threads, and both burn to the end of the case.
two_burners() {
    need_root
    cp "$burner" other
    "$burner" 30 2 >/dev/null & first=$!
    ./other 30 >/dev/null & second=$!
    trap 'kill "$first" "$second"' EXIT
    wait_run "$first" burner
    wait_run "$second" other
}

pids_of() { fold "$1" | awk '{ sub(/\/.*/, "", $1); print $1 }' | sort -u | paste -sd ' '; }
tids_of() { fold "$1" | awk '{ sub(/.*\//, "", $1); print $1 }' | sort -u | paste -sd ' '; }

# record_only WHOM OPTION...: samples of that process, and no others.
record_only() {
    local whom=$1
    shift
    run record -F 499 -d 0.7 -o x.perf "$@"
    want_code 0
    [ "$(pids_of x.perf)" = "$whom" ] || fail "$*: samples of '$(pids_of x.perf)', not of $whom"
    # shellcheck disable=SC2016 # awk's fields
    want "the sum of $out" awk '/^  ticks/ { exit !($2 == $4 + $7 + $10 + $13 && $10 > 0) }' <<<"$out"
}

by_thread() {
    local tid
    two_burners
    tid=$(find "/proc/$first/task" -mindepth 1 -maxdepth 1 -printf "%f\n" | sort -n | tail -n 1)
    record_only "$first" --tid "$tid"
    [ "$(tids_of x.perf)" = "$tid" ] || fail "threads $(tids_of x.perf), not $tid"
}

by_command() {
    two_burners
    record_only "$second" --comm other,nothing_like_it
}

by_user() {
    two_burners
    chmod 755 .
    setpriv --reuid=65534 --regid=65534 --clear-groups "$PWD/other" 30 >/dev/null & nobody=$!
    trap 'kill "$first" "$second" "$nobody"' EXIT
    record_only "$nobody" --uid 65534
}

several_kinds_must_all_be_met() {
    two_burners
    record_only "$second" -p "$first,$second" --comm other --uid root
    run record -d 0.4 -o y.perf --comm other --uid 65533
    want_code 5
}

# A group of its own in the first hierarchy where one can be made.
make_group() { # CONTROLLER or cgroup2
    local mount
    mount=$(awk -v what="$1" '(what == "cgroup2" && $3 == what) || ($3 == "cgroup" && $4 ~ "(^|,)" what "(,|$)") { print $2; exit }' /proc/mounts)
    [ -n "$mount" ] || skip "no hierarchy of $1 here"
    group=$mount/flameprof-test-$$
    mkdir -p "$group/inner" 2>/dev/null || skip "no group can be made in $mount"
    trap 'kill "$first" "$second"; wait; rmdir "$group/inner" "$group"' EXIT
    echo "$second" >"$group/inner/cgroup.procs" 2>/dev/null || skip "no process can be put into $group"
}
in_a_group() { # CONTROLLER
    two_burners
    make_group "$1"
    record_only "$second" --cgroup "$group/inner"
    record_only "$second" --cgroup "$group" # and what is below it
    record_only "$second" --cgroup "flameprof-test-$$" --comm other
}
by_control_group_v2() { in_a_group cgroup2; }
by_control_group_v1() { in_a_group memory; }

run_cases by_thread by_command by_user several_kinds_must_all_be_met by_control_group_v2 by_control_group_v1
