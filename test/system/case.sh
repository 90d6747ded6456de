# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of the command share; sourced by test/system/*_test.sh.
#
#     . "$(dirname "$0")/case.sh"
#     a_case() { run record -d 1 -o x.perf; want_code 0; ...; }
#     run_cases a_case another_case
#
# A case runs in an empty directory of its own; a failed `want` ends it. `skip
# REASON` ends it, too. The last line is "N passed, N failed, N skipped".
#
# What a case wants of seconds, samples and shares is true of a machine that runs what is
# ready to run. When it was not (heart.c tells), a case that fails says so and is run again;
# on one that was, and for the third time, a failure is one.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
flameprof=$(realpath "${FLAMEPROF:-$root/priv/bin/flameprof}")
check=$root/tools/check-perf-script
work=$(mktemp -d "${TMPDIR:-/tmp}/flameprof-test.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
burner=$work/burner

fail() {
    printf '  %s\n' "$*" "${out:+--- it said:}" "${out:-}" | sed '/^  $/d' >&2
    exit 1
}

skip() {
    printf '%s\n' "$*" >&2
    exit 77
}

# Runs flameprof; its output is $out, its exit code $code.
run() {
    out=$("$flameprof" "$@" 2>&1 </dev/null) && code=0 || code=$?
}

# Starts flameprof in the background: $recorder; its output goes to the file log.
# A shell without job control has SIGINT ignored there, and flameprof heeds that.
start() {
    env --default-signal=INT "$flameprof" "$@" >log 2>&1 </dev/null &
    recorder=$!
}

# Waits for what `start` started: $out, $code.
finish() {
    wait "$recorder" && code=0 || code=$?
    out=$(cat log)
}

# Two processes of a VM, a sample each: x.perf.
two_samples() {
    cat >x.perf <<'END'
# ========
# flame_prof: 0.1.0
# period_unit: ns
waiting 42/151 [001] 10.000001: metric_erlang_reductions: 100, 7	period: 3000000000 beam-wall:
	7f1c22ad lists:map/2;1559 (lists.erl)
	7f1c22ae my_server:work/1;20 (my_server.erl)
	0 {registered my_server} (process)
	0 {my_server:init/1} (my_server.erl)

running 42/152 [000] 10.100000: metric_erlang_reductions: 200, -9	period: 1000000000 beam-wall:
	7f1c22ae my_server:work/1;21 (my_server.erl)
	0 {my_server:init/1} (my_server.erl)

END
}

want() {
    local what=$1
    shift
    "$@" || fail "not so: $what"
}

want_code() { [ "$code" = "$1" ] || fail "exit code $code, not $1"; }
want_said() { [[ $out == *"$1"* ]] || fail "it did not say: $1"; }
want_file() { [ -f "$1" ] || fail "there is no $1: $(ls -A)"; }
want_none() { [ -z "$(find . -maxdepth 1 -name "$1")" ] || fail "left behind: $(ls -A)"; }
# want_between WHAT VALUE LOW HIGH
want_between() {
    awk -v v="$2" -v low="$3" -v high="$4" 'BEGIN { exit !(v >= low && v <= high) }' ||
        fail "$1 is $2, not $3 to $4"
}
want_valid() { local said; said=$("$check" "$@" 2>&1) || fail "check-perf-script: $said"; }

# Until a file (or one of several) is there, for some minutes: some machines are slow.
wait_for() {
    for _ in $(seq 3600); do
        compgen -G "$1" >/dev/null && return
        sleep 0.05
    done
    fail "no $1 after three minutes, recorder said: $(cat log 2>/dev/null)"
}

# Until a process runs that program, and no longer what was to start it; with so many threads.
wait_run() { # PID NAME [THREADS]
    for _ in $(seq 3600); do
        [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "${2:0:15}" ] &&
            [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -ge "${3:-1}" ] && return
        sleep 0.05
    done
    fail "process $1 does not run $2 after three minutes"
}

count() { compgen -G "$1" | wc -l; }

text() { case $1 in *.gz) zcat "$1" ;; *) cat "$1" ;; esac }

# One line per sample: PID/TID CATEGORY LEAF;...;ROOT
fold() {
    text "$1" | awk '
        /^#/ { next }
        /^$/ { if (who != "") print who, stack; who = ""; next }
        /^\t/ {
            frame = $0
            sub(/^\t[0-9a-f]+ /, "", frame)
            sub(/ \([^ ]*\)$/, "", frame)
            gsub(/ /, "_", frame)
            stack = stack == "" ? frame : stack ";" frame
            next
        }
        { who = $2 " " $1; stack = "" }'
}

# The value of a `# key: value` of a file.
field() { text "$1" | sed -n "s|^# $2: ||p"; }

build_burner() {
    [ -x "$burner" ] || ${CC:-cc} -O2 -fno-omit-frame-pointer -o "$burner" \
        "$root/test/system/burner.c" -pthread || fail "cannot build burner.c"
}

need_root() {
    [ "$(id -u)" = 0 ] || skip "not root"
    [ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no BTF"
    build_burner
}

# Keeps every CPU busy to the end of the case: a quiet machine has nothing to show.
need_load() {
    need_root
    "$burner" 600 "$(nproc --all)" >/dev/null & load=$!
    trap 'kill "$load"' EXIT
}

# What a case that failed has left running.
end_jobs() {
    local pid
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done
}

# Runs a case; its exit code, and in $held_up how the machine kept it from running, if it did.
attempt() { # CASE
    local status=0 heart longest=0 all=0 ms=1
    rm -rf "${work:?}/$1"
    mkdir "$work/$1"
    "$work/heart" >"$work/beats" 2>/dev/null & heart=$!
    (trap end_jobs EXIT && cd "$work/$1" && "$1") 2>"$work/said" || status=$?
    kill -TERM "$heart" 2>/dev/null
    wait "$heart" 2>/dev/null
    read -r longest all ms <"$work/beats"
    held_up=
    if [ "${longest:-0}" -ge 100 ] || { [ "${all:-0}" -ge 100 ] && [ $((all * 20)) -ge "$ms" ]; }; then
        held_up="a CPU was away for $longest ms at once and $all of $ms ms in all"
    fi
    return "$status"
}

run_cases() {
    local passed=0 failed=0 skipped=0 case status again held_up
    [ -x "$flameprof" ] || { echo "FAIL $flameprof is not built"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
    ${CC:-cc} -O2 -o "$work/heart" "$root/test/system/heart.c" -pthread || ln -s /bin/true "$work/heart"
    for case in "$@"; do
        for again in 1 2 0; do
            status=0
            attempt "$case" || status=$?
            case $status in 0 | 77) break ;; esac
            if [ -z "$held_up" ] || [ "$again" = 0 ]; then break; fi
            sed 's/^/     /' "$work/said"
            echo "     $case again: $held_up"
        done
        case $status in
        0) echo "ok   $case"; passed=$((passed + 1)) ;;
        77) echo "skip $case: $(paste -sd ' ' "$work/said")"; skipped=$((skipped + 1)) ;;
        *) cat "$work/said"; echo "FAIL $case"; failed=$((failed + 1)) ;;
        esac
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
