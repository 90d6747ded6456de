#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The runner counts what happened: planted steps that fail, lie, run nothing.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

# house RECIPE...: a project with a runner and one step, `one`.
house() {
    mkdir tools
    cp "$top"/tools/run-checks tools/
    { printf 'one:\n'; printf '\t@%s\n' "$@"; printf 'two:\n\t@echo "3 passed, 0 failed, 1 skipped"\n'; } >Makefile
}
checks() { CHECK_STEPS=${STEPS:-one one} CHECK_LOGS=logs MAKE=make tools/run-checks "$@"; }
closes() { # PATTERN, on the last line
    local out=$1 wanted=$2
    [ "${out##*$'\n'}" = "$wanted" ] || { printf '%s\nlast line is not: %s\n' "$out" "$wanted"; return 1; }
}

adds_up() {
    house 'echo "2 passed, 0 failed, 0 skipped"'
    closes "$(STEPS=$'one one\ntwo two' checks)" '5 passed, 0 failed, 1 skipped'
}
failing() {
    house 'echo what went wrong' 'echo "1 passed, 2 failed, 0 skipped"' 'exit 1'
    refuses 'what went wrong' checks
    closes "$(checks || true)" '1 passed, 2 failed, 0 skipped'
}
silent_failure() {
    house 'echo "4 passed, 0 failed, 0 skipped"' 'exit 3'
    refuses 'although it counts no failure' checks
    closes "$(checks || true)" '4 passed, 1 failed, 0 skipped'
}
lying_success() {
    house 'echo "4 passed, 1 failed, 0 skipped"'
    refuses 'although it counts failures' checks
}
ran_nothing() {
    house 'echo "0 passed, 0 failed, 0 skipped"'
    refuses 'it ran no test' checks
    closes "$(checks || true)" '0 passed, 1 failed, 0 skipped'
}
no_count() {
    house 'echo done'
    refuses 'before its closing line' checks
}
too_long() {
    house 'sleep 30'
    STEP_SECONDS=1 refuses 'took longer than 1 s' checks
}
skip_reason() {
    house 'echo "skip it: no root here"' 'echo "1 passed, 0 failed, 1 skipped"'
    accepts '^ +skip it: no root here' checks
}
chosen_step() {
    house 'exit 1'
    closes "$(STEPS=$'one one\ntwo two' checks two)" '3 passed, 0 failed, 1 skipped'
}
ends_with_signal() {
    # shellcheck disable=SC2016 # for make
    house 'echo $$$$ >pid; exec sleep 600'
    CHECK_STEPS='one one' CHECK_LOGS=logs MAKE=make tools/run-checks &
    local runner=$! status=0 i
    for ((i = 0; i < 1200; i++)); do [ -s pid ] && break; sleep 0.1; done
    kill -TERM "$runner"
    wait "$runner" || status=$?
    [ "$status" = 143 ] || { echo "status $status"; return 1; }
    for ((i = 0; i < 1200; i++)); do [ -d "/proc/$(cat pid)" ] || return 0; sleep 0.1; done
    echo 'the step goes on'
    return 1
}
unknown_step() {
    house true
    refuses 'no step three; there are: one' checks three
}

# A step of one program that fails beside others, and by itself ends with $1; meanwhile
# processes waited for a CPU for $2 microseconds.
starved_house() {
    house 'sh step'
    cat >step <<END
if [ -n "\$RUN_ONLY" ]; then echo "- \$RUN_ONLY"; $1; fi
sleep 1
echo 'some avg10=0.00 total=$2' >pressure
echo '- of_time_test.sh'
${3:-echo FAIL too_late}
echo '5 passed, 1 failed, 0 skipped'
exit 1
END
    quiet
    export CHECK_PRESSURE=pressure
}
quiet() { echo 'some avg10=0.00 total=0' >pressure; }
passes_by_itself='echo "2 passed, 0 failed, 0 skipped"; exit 0'
fails_by_itself='echo FAIL too_late; echo "1 passed, 1 failed, 0 skipped"; exit 1'

again_and_passed() {
    starved_house "$passes_by_itself" 60000000
    accepts '^again one of_time_test.sh: passed by itself; failed while .* in [0-9]+ %' checks
    quiet
    closes "$(checks)" '6 passed, 0 failed, 0 skipped'
    grep -q 'FAIL too_late' logs/one.log
}
again_and_failed() {
    starved_house "$fails_by_itself" 60000000
    refuses '^again one of_time_test.sh: failed by itself, too' checks
    quiet
    closes "$(checks || true)" '5 passed, 1 failed, 0 skipped'
}
not_again() { # what a step said that is not run again: a line without `again`, and failed
    local out
    out=$(checks || true)
    closes "$out" '5 passed, 1 failed, 0 skipped'
    ! grep '^again' <<<"$out"
}
quiet_machine() { starved_house "$passes_by_itself" 50000; not_again; }
crashed() { starved_house "$passes_by_itself" 60000000 'echo "FAIL x: ended with status 139 before its closing line"'; not_again; }
unnamed_failure() { starved_house "$passes_by_itself" 60000000 'echo "1 tests, 1 failures"'; not_again; }

# The runner of unit tests, on binaries that misbehave.
binary() { printf '#!/bin/sh\n%s\n' "$2" >"$1"; chmod +x "$1"; }
unit() { "$top/tools/run-unit-tests" "$@"; }

unit_adds_up() {
    binary a 'echo "2 passed, 0 failed, 0 skipped"'
    binary b 'echo "1 passed, 0 failed, 1 skipped"'
    accepts '^3 passed, 0 failed, 1 skipped$' unit ./a ./b
}
unit_chosen() {
    binary a 'echo "2 passed, 0 failed, 0 skipped"'
    binary b 'echo "1 passed, 0 failed, 1 skipped"'
    RUN_ONLY='b c' accepts '^1 passed, 0 failed, 1 skipped$' unit ./a ./b
}
unit_crash() {
    binary a 'echo "ok   first"; kill -SEGV $$'
    refuses 'FAIL a: ended with status 139' unit ./a
}
unit_bad_exit() {
    binary a 'echo "2 passed, 0 failed, 0 skipped"; exit 1'
    refuses '^2 passed, 1 failed' unit ./a
}
unit_hang() {
    binary a 'sleep 30'
    TEST_TIMEOUT=1 refuses 'FAIL a: ended with status 124' unit ./a
}
unit_none() { refuses 'no test binary' unit; }

# The C harness itself.
c_harness() {
    cat >t_test.c <<'C'
#include "test.h"
TEST(holds) { CHECK(1); CHECK_INT(-1, -1); CHECK_STR("a", "a"); CHECK_MEM("ab", "ab", 2); }
TEST(int_differs) { CHECK_INT(1, 2); }
TEST(str_differs) { CHECK_STR("a", "b"); }
TEST(mem_differs) { CHECK_MEM("abc", "abd", 3); }
TEST(part_missing) { CHECK_HAS("abc", "x"); }
TEST(not_here) { TEST_SKIP("no %s", "moon"); }
C
    cc -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror -I"$top/test/c" -o t_test t_test.c
    refuses '^1 passed, 4 failed, 1 skipped$' ./t_test
    refuses '^skip not_here: no moon$' ./t_test
    refuses 'FAIL mem_differs: t_test.c:5: "abc" differs at byte 2 of 3: 63, not 64' ./t_test
    accepts '^1 passed, 0 failed, 0 skipped$' ./t_test holds
    refuses 'no test ran' ./t_test nothing_like_it
}

it 'steps are added up' adds_up
it 'a failing step fails the whole, with its log' failing
it 'a step that fails without counting it' silent_failure
it 'a step that succeeds with failures' lying_success
it 'a step that runs no test' ran_nothing
it 'a step without a closing line' no_count
it 'a step that hangs' too_long
it 'the reason of a skip is shown' skip_reason
it 'one step can be chosen' chosen_step
it 'a step that does not exist' unknown_step
it 'TERM ends it and its steps' ends_with_signal
it 'what failed while CPU was wanting runs again, by itself' again_and_passed
it 'what fails by itself, too, has failed' again_and_failed
it 'nothing runs again on a quiet machine' quiet_machine
it 'a crash does not run again' crashed
it 'a failure without a name does not run again' unnamed_failure
it 'unit tests are added up' unit_adds_up
it 'unit tests can be chosen' unit_chosen
it 'a unit test that crashes' unit_crash
it 'a unit test that fails after its last test' unit_bad_exit
it 'a unit test that hangs' unit_hang
it 'no unit test at all' unit_none
it 'the C harness tells right from wrong' c_harness
finish
