#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What flameprof record sees of processes whose stacks and CPU time are known.
. "$(dirname "$0")/case.sh"

chain='spin;level_three;level_two;level_one;main'

# Samples of process PID whose user stack, from any function of the chain on, is
# the rest of the chain (those in libc's clock are no part of it); and all.
exact() {
    fold "$1" | awk -v pid="$2" -v chain="$3" '
        index($1, pid "/") == 1 && $2 == "burner" {
            all++
            stack = $3
            sub(/^.*(clock_gettime|__vdso)[^;]*;/, "", stack)
            while (stack != "" && stack !~ /^(spin|level_|descend|thread_main|main)/)
                if (!sub(/^[^;]*;/, "", stack)) stack = ""
            leaf = stack
            sub(/;.*/, "", leaf)
            at = leaf == "" ? 0 : index(chain, leaf)
            rest = substr(chain, at)
            if (at > 0 && substr(stack, 1, length(rest)) == rest) good++
        }
        END { printf "%d %d\n", good, all }'
}

the_stack_is_exact_and_the_time_right() {
    local pid ms good all
    need_root
    start record -F 997 -o x.perf
    wait_for .x.perf.part
    "$burner" 3 >cpu & pid=$!
    wait "$pid"
    ms=$(cat cpu)
    kill -TERM "$recorder"
    finish
    want_code 0
    want_valid --whole x.perf
    read -r good all < <(exact x.perf "$pid" "$chain")
    [ "$all" -gt 0 ] || fail "no sample of the burner"
    want_between "the share of exact stacks" "$((good * 1000 / all))" 990 1000
    # What the kernel skipped may have been the burner's.
    want_between "the number of samples" "$all" "$((ms * 997 * 95 / 100000 - $(field x.perf 'loss throttled')))" \
        "$((ms * 997 * 105 / 100000))"
    echo "     $all samples of $ms ms at 997 Hz, $good of them exact"
}

every_tick_is_accounted_for() {
    local cpus ticks expected
    need_load
    cpus=$(nproc --all)
    run record -F 499 -d 2 -o x.perf
    want_code 0
    ticks=$(sed -n 's/^  ticks  *\([0-9]*\) = .*/\1/p' <<<"$out")
    expected=$((2 * 499 * cpus))
    # Beside other work the end may be noticed later.
    want_between "ticks of 2 s" "$ticks" "$((expected * 99 / 100))" "$((expected * 130 / 100))"
    # A = B samples + C idle + D excluded + E lost
    # shellcheck disable=SC2016 # awk's fields
    want "the sum of $out" awk '/^  ticks/ { exit !($2 == $4 + $7 + $10 + $13) }' <<<"$out"
}

# rate x CPUs x time = written + lost by reason, within 0.5 %: time by the clock of the
# samples, from the first to the last one of each CPU, none of which is idle. What was lost
# before and behind those is told, too: as much as between two of them at most.
what_was_lost_is_told() {
    local buffer expected gap told lost
    need_load
    for buffer in 4M 8K; do
        run record --self --buffer "$buffer" -F 997 -d 3 -o "$buffer.perf"
        want_code 0
        read -r expected gap < <(sed -nE 's/^[^\t#].* \[([0-9]+)\] ([0-9]+\.[0-9]+): .*/\1 \2/p' "$buffer.perf" | awk '
            !($1 in first) { first[$1] = $2 }
            $1 in last && $2 - last[$1] > gap[$1] { gap[$1] = $2 - last[$1] }
            { last[$1] = $2 }
            END { for (cpu in first) {
                      sum += int((last[cpu] - first[cpu]) * 997 + 1.5)
                      gaps += int(2 * (gap[cpu] * 997 - 1))
                  }
                  print sum, gaps }')
        told=$(field "$buffer.perf" ticks_expected)
        lost=$(awk '/^# loss / { sum += $NF } END { print sum }' "$buffer.perf")
        [ "$told" = $(($(field "$buffer.perf" samples) + lost)) ] || fail "$told is not samples + $lost lost"
        want_between "$told written or lost ($lost lost)" "$((told * 1000))" "$((expected * 995 - 4000))" \
            "$((expected * 1005 + 4000 + gap * 1000))"
        echo "     $expected expected of a buffer of $buffer, $told told: $lost of them lost"
    done
    want "something was lost" [ "$lost" -gt 0 ]
}

only_the_chosen_processes() {
    local first second pids
    need_root
    "$burner" 3 2 >first & first=$!
    "$burner" 3 >second & second=$!
    run record -F 499 -p "$first" -d 1 -o x.perf
    want_code 0
    pids=$(fold x.perf | awk '{ sub(/\/.*/, "", $1); print $1 }' | sort -u)
    [ "$pids" = "$first" ] || fail "samples of $pids, not only of $first (the other is $second)"
    want "both threads are there" [ "$(fold x.perf | awk '{ print $1 }' | sort -u | wc -l)" = 2 ]
    run record -F 499 -p "$first,$second" -d 0.5 -o y.perf
    want_code 0
    pids=$(fold y.perf | awk '{ sub(/\/.*/, "", $1); print $1 }' | sort -u | wc -l)
    want "both processes are there" [ "$pids" = 2 ]
    wait
}

threads_have_their_own_root() {
    need_root
    "$burner" 1 2 >cpu &
    run record -F 499 -p $! -o x.perf
    want_code 0
    want "a thread's stack" grep -q 'spin;level_three;level_two;level_one;thread_main' <(fold x.perf)
    wait
}

it_ends_with_the_chosen_process() {
    need_root
    "$burner" 0.5 >cpu &
    run record -F 499 -p $! -o x.perf
    want_code 0
    want_valid --whole x.perf
    # One that nobody waits for stays as a zombie.
    # shellcheck disable=SC2016 # that shell's
    sh -c '"$0" 0.3 >cpu & echo $! >pid; exec sleep 300' "$burner" & local parent=$!
    wait_for pid
    run record -F 499 -p "$(cat pid)" -d 200 -o y.perf
    kill "$parent"
    want_code 0
    want_between "seconds" "$(sed -n 's/^[0-9,]* samples in \([0-9.]*\) s .*/\1/p' <<<"$out")" 0 150
}

a_command_with_its_children() {
    local others
    need_root
    run record -F 499 -o x.perf -- sh -c "$burner 0.5 >cpu; exit 3"
    want_code 3
    want_valid --whole x.perf
    want "the child is there" grep -q " burner .*$chain" <(fold x.perf)
    others=$(fold x.perf | awk '$2 != "burner" && $2 != "sh" && $2 !~ /flameprof/' | wc -l)
    want "nobody else is" [ "$others" = 0 ]
}

a_command_that_does_nothing() {
    need_root
    run record -o x.perf -- true
    want_code 0
    run record -o x.perf -- false
    want_code 1
}

a_deep_stack_keeps_both_ends() {
    local whole
    need_root
    run record -F 499 -o x.perf -- "$burner" --deep 600 0.5
    want_code 0
    want_valid --whole x.perf
    whole=$(fold x.perf | grep -c '^[^ ]* burner spin;level_three;level_two;level_one;descend;.*\[at_least_[0-9]*_frames_omitted\];.*descend;main')
    want_between "stacks with both ends" "$whole" 200 300
    # shellcheck disable=SC2016 # awk's fields
    want "600 frames are accounted for" awk -F'[][]' '/frames_omitted/ {
        split($2, words, "_"); n = gsub(/descend/, "&", $0)
        if (n + words[3] <= 601 && n + 2 * words[3] > 601) good++ } END { exit !good }' <(fold x.perf)
    want_between "truncated stacks" "$(field x.perf 'degraded stack_truncated')" 200 300
}

processes_that_are_gone_have_names() {
    local all named
    need_root
    start record -F 997 -o x.perf
    wait_for .x.perf.part
    for _ in $(seq 20); do
        "$burner" 0.05 >>cpu &
        echo "^$!/[0-9]* burner " >>pids
        wait $!
    done
    kill -TERM "$recorder"
    finish
    want_code 0
    fold x.perf | grep -f pids >samples
    all=$(wc -l <samples)
    named=$(grep -cv ' \[unknown\]' samples)
    want_between "samples of 20 short processes" "$all" 900 1300
    # On a busy machine one may be gone before anybody can ask it anything.
    want_between "the share of those with names" "$((named * 1000 / all))" 900 1000
    echo "     $named of $all samples named"
}

a_deleted_program_has_names() {
    need_root
    cp "$burner" ./burner
    ./burner 1 >cpu & local pid=$!
    wait_run "$pid" burner
    rm burner
    run record -F 499 -p "$pid" -o x.perf
    want_code 0
    want "its functions are named" grep -q "$chain" <(fold x.perf)
    wait
}

another_pid_and_mount_namespace() {
    need_root
    unshare --mount --pid --fork --mount-proc true 2>/dev/null || skip "no namespaces here"
    unshare --mount --pid --fork --mount-proc "$burner" 1 >cpu & local pid=$!
    run record -F 499 -d 0.7 -o x.perf
    want_code 0
    want "its functions are named" grep -q " burner .*$chain" <(fold x.perf)
    wait "$pid"
}

# The list of CPUs that flameprof reads is a file of ours; the CPU itself stays.
# Samples of a CPU in the last seconds of what is being recorded: CPU SECONDS.
samples_of_cpu() {
    awk -v cpu="[00$1]" -v ago="$2" 'FNR == NR { since = $1 - ago; next }
        index($0, cpu " ") { match($0, /\] [0-9.]+/); cnt += substr($0, RSTART + 2, RLENGTH - 2) > since }
        END { print cnt + 0 }' /proc/uptime .x.perf.part
}

# Until CPU 1 is, or is not, sampled while CPU 0 is: yes|no.
wait_for_cpu_1() {
    for _ in $(seq 360); do
        sleep 0.5
        [ "$(samples_of_cpu 0 2.5)" -ge 20 ] || continue
        case $1 in
        yes) [ "$(samples_of_cpu 1 2.5)" -lt 20 ] || return 0 ;;
        no) [ "$(samples_of_cpu 1 2.5)" -gt 0 ] || return 0 ;;
        esac
    done
    fail "CPU 1 is sampled, $1? not within three minutes; recorder said: $(cat log)"
}

a_cpu_that_goes_and_comes_back() {
    local cpus
    need_root
    cpus=$(cat /sys/devices/system/cpu/online)
    [ "$(nproc --all)" -gt 1 ] || skip "there is one CPU only"
    unshare --mount true 2>/dev/null || skip "no mount namespaces here"
    echo "$cpus" >online
    "$burner" 600 "$(nproc --all)" >cpu & local pid=$!
    # shellcheck disable=SC2016 # that shell's arguments
    unshare --mount sh -c 'mount --bind "$0" /sys/devices/system/cpu/online && exec "$@"' "$PWD/online" \
        env --default-signal=INT "$flameprof" record -F 199 -o x.perf >log 2>&1 & recorder=$!
    wait_for .x.perf.part
    wait_for_cpu_1 yes
    echo 0 >online
    wait_for_cpu_1 no
    echo "$cpus" >online
    wait_for_cpu_1 yes
    kill -INT "$recorder"
    finish
    kill "$pid"
    want_code 0
    want_valid --whole x.perf
    want_between "throttled ticks" "$(field x.perf 'loss throttled')" 0 150
}

itself_only_when_asked() {
    need_load
    start record -F 4999 -d 0.5 -o x.perf
    finish
    want_code 0
    want "not itself" [ "$(fold x.perf | grep -c "^$recorder/")" = 0 ]
    start record -F 4999 -d 1 --self -o y.perf
    finish
    want_code 0
    want "itself" [ "$(fold y.perf | grep -c "^$recorder/")" -gt 0 ]
}

run_cases the_stack_is_exact_and_the_time_right every_tick_is_accounted_for \
    what_was_lost_is_told only_the_chosen_processes \
    threads_have_their_own_root it_ends_with_the_chosen_process a_command_with_its_children \
    a_command_that_does_nothing \
    a_deep_stack_keeps_both_ends processes_that_are_gone_have_names a_deleted_program_has_names \
    another_pid_and_mount_namespace a_cpu_that_goes_and_comes_back itself_only_when_asked
