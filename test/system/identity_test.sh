#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a sample belongs to, as the outermost frames of its stack.
. "$(dirname "$0")/case.sh"

id=$(printf '%064x' $$)

# The outermost frames of PID's samples, each combination once: "A B", outermost first.
roots() { # FILE PID COUNT
    fold "$1" | awk -v pid="$2" -v cnt="$3" 'index($1, pid "/") == 1 {
        n = split($3, frame, ";"); line = frame[n]
        for (i = 1; i < cnt; i++) line = line " " frame[n - i]
        print line }' | sort -u
}

want_roots() { # FILE PID EXPECTED
    local got
    got=$(roots "$1" "$2" "$(wc -w <<<"$3")")
    [ "$got" = "$3" ] || fail "the outermost frames are '$got', not '$3'"
}

burn_as() { # PROGRAM, in the background: $pid
    need_root
    cp "$burner" "$1"
    COLOUR='light blue' "./$1" 30 >/dev/null & pid=$!
    trap 'kill "$pid"' EXIT
    wait_run "$pid" "$1"
}

in_the_order_asked_for() {
    burn_as prog
    run record -F 199 -d 0.5 -p "$pid" -o x.perf --env COLOUR --categories runtime,user,program,ns_pid,thread,mode
    want_code 0
    want_valid --whole x.perf
    roots x.perf "$pid" 7 >got
    grep -qx "{runtime_native} {user_0} {program_prog} {ns_pid_$pid} {thread_prog} {mode_user} {env_COLOUR=light_blue}" got ||
        fail "the outermost frames are $(cat got)"
    want "only the mode differs" [ "$(sed 's/{mode_[a-z]*}//' got | sort -u | wc -l)" = 1 ]
}

the_command_line_only_when_asked() {
    burn_as prog
    run record -F 199 -d 0.3 -p "$pid" -o x.perf
    want_code 0
    want "no category" [ "$(grep -c '(process)' x.perf)" = 0 ]
    run record -F 199 -d 0.3 -p "$pid" -o y.perf --categories command
    want_roots y.perf "$pid" '{command_./prog_30}'
}

a_runtime_by_its_program() {
    local python
    need_root
    python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null) || skip "there is no python3 here"
    "$python" -c 'import time; print("up", flush=True)
while True: pass' >up & pid=$!
    trap 'kill "$pid"' EXIT
    wait_for up
    run record -F 199 -d 0.5 -p "$pid" -o x.perf --categories runtime
    want_code 0
    want_roots x.perf "$pid" '{runtime_python}'
}

kernel_threads_and_the_gone() {
    need_load
    run record -F 4999 -d 1 -o x.perf --categories runtime,program
    want_code 0
    want_valid --whole x.perf
    # A process that was gone before it could be read has no label, and no other's.
    # Functions of Rust may be called {closure}.
    want "no empty label" [ "$(grep -cE '^[[:space:]]0 \{[a-z]+ ?\} \(process\)$' x.perf)" = 0 ]
}

# A group as Docker makes it, v1 or v2.
container_of() { # cgroup2 or CONTROLLER
    local mount
    burn_as prog
    mount=$(awk -v what="$1" '(what == "cgroup2" && $3 == what) || ($3 == "cgroup" && $4 ~ "(^|,)" what "(,|$)") { print $2; exit }' /proc/mounts)
    [ -n "$mount" ] || skip "no hierarchy of $1 here"
    group=$mount/docker
    made=$group
    [ ! -d "$group" ] || made=
    mkdir -p "$group/$id" 2>/dev/null || skip "no group can be made in $mount"
    trap 'kill "$pid"; wait; rmdir "$group/$id" $made' EXIT
    echo "$pid" >"$group/$id/cgroup.procs" 2>/dev/null || skip "no process can be put into $group"
    run record -F 199 -d 0.5 --container "$id" -o x.perf --categories container,cgroup
    want_code 0
    want_roots x.perf "$pid" "{container_${id:0:12}} {cgroup_/docker/$id}"
    want "nobody else" [ "$(fold x.perf | grep -vc "^$pid/")" = 0 ]
}
a_container_v1() { container_of memory; }
a_container_v2() { container_of cgroup2; }

no_such_container() {
    run record -d 1 -o x.perf --container "ffffff$id"
    want_code 2
    want_said "no such container"
}

run_cases in_the_order_asked_for the_command_line_only_when_asked a_runtime_by_its_program \
    kernel_threads_and_the_gone a_container_v1 a_container_v2 no_such_container
