#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# flame_prof as somebody's dependency: it compiles and starts, with and without
# a C compiler, and nothing is built twice.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"
export REBAR_OFFLINE=1 TERM=dumb

copy() { # DIR: what a checkout has
    local file
    mkdir -p "$1"
    (cd "$top" && for file in Makefile rebar.config src include c_src web tools; do
        [ ! -e "$file" ] || echo "$file"
    done | tar -T - -cf -) | tar -xf - -C "$1"
}
project() { # DEPS
    command -v rebar3 >/dev/null || { echo 'rebar3 is not installed'; return 77; }
    mkdir src
    printf '{deps, [%s]}.\n' "$1" >rebar.config
    echo '{application, theirs, [{description, ""}, {vsn, "1"}, {registered, []},
        {applications, [kernel, stdlib, flame_prof]}, {env, []}]}.' >src/theirs.app.src
}
# Profiles their node for a moment, as they would. The argument is true then;
# Tier is the one in use.
starts() { # EXPRESSION
    local ebin=(_build/default/*/flame_prof/ebin _build/default/*/theirs/ebin)
    accepts '^started: true$' erl -noshell -noinput -pa "${ebin[@]}" -eval '
        {ok, Apps} = application:ensure_all_started(theirs),
        true = lists:member(flame_prof, Apps),
        {ok, _} = flame_prof:start(#{basename => "profile"}),
        timer:sleep(300),
        #{tier := Tier} = flame_prof:info(),
        io:format("tier ~p~nstarted: ~p~n", [Tier, '"$1"']),
        _ = flame_prof:stop(),
        [_ | _] = filelib:wildcard("profile*"),
        halt().'
}
has_nif='filelib:is_regular(filename:join(code:priv_dir(flame_prof), "flame_prof_nif.so"))'

checkout() {
    project flame_prof || return 77
    copy _checkouts/flame_prof
    accepts 'Compiling theirs' rebar3 compile
    starts "$has_nif"
}
git_dependency() {
    copy upstream
    (cd upstream && git init -q && git add -A && git -c user.name=t -c user.email=t@t commit -q -m all)
    project "{flame_prof, {git, \"file://$PWD/upstream\", {branch, \"$(git -C upstream branch --show-current)\"}}}" || return 77
    REBAR_OFFLINE=0 accepts 'Compiling theirs' rebar3 compile
    starts "$has_nif"
    rebar3 clean -a >/dev/null
}
not_twice() {
    project flame_prof || return 77
    copy _checkouts/flame_prof
    rebar3 compile >/dev/null
    local before after
    before=$(find _checkouts/flame_prof/build _checkouts/flame_prof/priv -newermt 1970-01-02 -printf '%p %T@\n' | grep -v 'nif.log' | sort)
    rebar3 compile >/dev/null
    after=$(find _checkouts/flame_prof/build _checkouts/flame_prof/priv -newermt 1970-01-02 -printf '%p %T@\n' | grep -v 'nif.log' | sort)
    [ -n "$before" ]
    diff <(grep -E '\.(o|so) ' <<<"$before") <(grep -E '\.(o|so) ' <<<"$after")
}
without_compiler() {
    project flame_prof || return 77
    copy _checkouts/flame_prof
    CC=no-such-cc accepts 'portable tier will be used: there is no C compiler no-such-cc' rebar3 compile
    starts "Tier =:= portable andalso not $has_nif"
}

it 'as a checkout' checkout
it 'as a git dependency' git_dependency
it 'a second compile builds nothing' not_twice
it 'without a C compiler it starts in the portable tier' without_compiler
finish
