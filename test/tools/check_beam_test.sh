#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The suites go in parts side by side: each suite in one of them, each part by itself, and
# what they count is added up.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"
unset CT_SUITES RUN_ONLY

# house SUITE...: a project with these suites, and a rebar3 that says what it was given in
# `calls`. Its suites have three cases: one passes, one is skipped, one fails if there is a
# file SUITE.fails.
house() {
    local suite
    mkdir tools test bin
    cp "$top/tools/check-beam" tools/
    printf 'nif beam:\n' >Makefile
    for suite in "$@"; do touch "test/$suite.erl"; done
    printf '#!/bin/sh\n' >bin/epmd
    cat >bin/rebar3 <<'END'
#!/bin/bash
what=$1 suites='' log=''
shift
while [ $# -gt 0 ]; do
    case $1 in --suite) suites=$2 ;; --logdir) log=$2 ;; esac
    shift 2
done
echo "$what $ERL_EPMD_PORT $REBAR_BASE_DIR $log ${suites//,/ }" >>calls
[ ! -e "$what.dies" ] || exit 3
[ ! -e hangs ] || { echo $$ >>pids; exec sleep 600; }
if [ "$what" = eunit ]; then
    echo '5 tests, 0 failures, 1 skipped'
    exit
fi
mkdir -p "$log/run"
status=0
for suite in ${suites//,/ }; do
    name=${suite#test/} result='ok' failed=0
    [ ! -e "$name.fails" ] || { result='failed: badmatch' failed=1 status=1; }
    printf '%-14s %s\n' =case "$name:it_holds" =result ok =case "$name:it_waits" =result 'skipped: no moon' \
        =case "$name:it_may" =result "$result" =successful $((2 - failed)) =failed $failed =user_skipped 1 \
        =auto_skipped 0
done >"$log/run/suite.log"
exit $status
END
    chmod +x bin/*
}
suites() { PATH=$PWD/bin:$PATH tools/check-beam suites; }
# The suites that ran, one a line, as often as they did.
ran() { sed -n 's/^ct [^ ]* [^ ]* [^ ]* //p' calls | tr ' ' '\n' | sort; }
# column N: how many calls there were, and how many values of that column.
column() { awk -v n="$1" '{ values[$n] = 1 } END { print NR, length(values) }' calls; }

all_of_ours() { # each suite that is there, once
    diff <(cd "$top" && printf '%s\n' test/*_SUITE.erl | sed 's|^test/||; s|\.erl$||') \
        <("$top/tools/check-beam" parts | awk 'NF == 2 { print $2 }' | sort)
}
parts_are_two() {
    [ "$("$top/tools/check-beam" parts | awk '{ print $1 }' | sort -u | paste -sd ' ')" = 'loading waiting' ]
}
loading_ones_are_there() {
    local suite suites
    read -ra suites < <(sed -n 's/^loading=(\(.*\))$/\1/p' "$top/tools/check-beam")
    [ ${#suites[@]} -gt 0 ]
    for suite in "${suites[@]}"; do
        [ -e "$top/test/$suite.erl" ] || { echo "no suite $suite"; return 1; }
    done
}
each_once() {
    house api_SUITE cpu_SUITE chaos_SUITE cpu_new_SUITE
    accepts '^13 passed, 0 failed, 5 skipped$' suites
    diff <(printf 'test/%s\n' api_SUITE chaos_SUITE cpu_SUITE cpu_new_SUITE) <(ran)
    touch test/added_later_SUITE.erl
    rm calls
    accepts '^15 passed, 0 failed, 6 skipped$' suites
    diff <(printf 'test/%s\n' added_later_SUITE api_SUITE chaos_SUITE cpu_SUITE cpu_new_SUITE) <(ran)
}
each_by_itself() {
    house api_SUITE cpu_SUITE
    accepts '^9 passed' suites
    local n
    # Name server, build directory, logs.
    for n in 2 3 4; do [ "$(column "$n")" = '3 3' ] || { cat calls; return 1; }; done
}
failure_by_name() {
    house api_SUITE cpu_SUITE
    touch api_SUITE.fails cpu_SUITE.fails
    refuses '^7 passed, 2 failed, 3 skipped$' suites
    refuses '^FAIL api_SUITE:it_may$' suites
    refuses '^FAIL cpu_SUITE:it_may$' suites
    refuses '^skip cpu_SUITE:it_waits: no moon$' suites
}
dead_part() {
    house api_SUITE cpu_SUITE
    touch ct.dies
    refuses '^5 passed, 2 failed, 1 skipped$' suites
    refuses '^FAIL ct-waiting: ended with status 3 and no suite log$' suites
}
lost_part() {
    house api_SUITE cpu_SUITE
    # shellcheck disable=SC2016 # for the rebar3 that does it
    sed -i '2i [ "$1" != eunit ] || exec kill -KILL $PPID' bin/rebar3
    refuses '^FAIL eunit: ended with status 137 before its sum$' suites
    refuses '^5 passed, 1 failed, 2 skipped$' suites
}
ends_with_signal() {
    house api_SUITE cpu_SUITE
    touch hangs
    PATH=$PWD/bin:$PATH tools/check-beam suites &
    local runner=$! status=0 i pid
    for ((i = 0; i < 1200; i++)); do [ "$(grep -c . pids 2>/dev/null)" = 3 ] && break; sleep 0.1; done
    kill -TERM "$runner"
    wait "$runner" || status=$?
    [ "$status" = 143 ] || { echo "status $status"; return 1; }
    while read -r pid; do
        for ((i = 0; i < 1200; i++)); do [ -d "/proc/$pid" ] || continue 2; sleep 0.1; done
        echo 'a part goes on'
        return 1
    done <pids
}
chosen() {
    house api_SUITE cpu_SUITE top_SUITE
    CT_SUITES=test/top_SUITE,test/cpu_SUITE accepts '^9 passed' suites
    diff <(printf 'test/%s\n' cpu_SUITE top_SUITE) <(ran)
}
one_part() {
    house api_SUITE cpu_SUITE
    CT_SUITES=test/api_SUITE accepts '^7 passed, 0 failed, 2 skipped$' suites
}
only_those() { # all that failed in one call, nothing else
    house api_SUITE cpu_SUITE top_SUITE
    RUN_ONLY='api_SUITE cpu_SUITE' accepts '^5 passed, 0 failed, 2 skipped$' suites
    [ "$(wc -l <calls)" = 1 ]
    grep -qx 'ct .* test/api_SUITE test/cpu_SUITE' calls
}

it 'each suite of ours is in one part' all_of_ours
it 'there are two parts' parts_are_two
it 'a suite that is said to load the machine is there' loading_ones_are_there
it 'each suite runs once, one added later, too' each_once
it 'each part by itself' each_by_itself
it 'failures and skips are told by name' failure_by_name
it 'a part that runs nothing' dead_part
it 'a part that is killed' lost_part
it 'TERM ends all parts' ends_with_signal
it 'suites can be chosen' chosen
it 'and only those of one part' one_part
it 'what failed runs again by itself' only_those
finish
