%% SPDX-License-Identifier: Apache-2.0
%% In a release: its own runtime system, all modules loaded at boot, nothing else on
%% the code path.
-module(release_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [it_works_in_a_release].

init_per_suite(Config) ->
    case {code:which(systools), os:type()} of
        {non_existing, _} -> {skip, "systools is not installed (sasl)"};
        {_, {unix, _}} -> Config;
        _ -> {skip, "the release is run by a shell"}
    end.

end_per_suite(_) ->
    ok.

it_works_in_a_release(Config) ->
    Root = released(Config),
    Said = run(Root, ["{ok, _} = flame_prof:start(#{basename => \"prof\", ",
                      "    auto_select => {top, 10, 200}}, 60000), ",
                      "Seen = fun Seen(Tries) -> timer:sleep(100), ",
                      "           case flame_prof:info() of ",
                      "               #{samples := Now} when Now > 20 -> ok; ",
                      "               _ when Tries > 0 -> Seen(Tries - 1) ",
                      "           end end, ",
                      "flame_prof:apply(fun() -> Seen(1200) end), ",
                      "#{tier := Tier} = flame_prof:info(), ",
                      "{ok, #{samples := Samples}} = flame_prof:stop(60000), ",
                      "Report = flame_prof:report(#{print => false}), ",
                      "ok = flame_prof:top(#{once => true, rows => 3, interval => 200}), ",
                      "Mode = code:get_mode(), ",
                      "Map = flame_prof:perf_map(#{directory => \"prof\"}), ",
                      "io:format(\"~p.~n\", [{Mode, Tier, Samples > 10, element(1, Map), element(1, Report), ",
                      "                       proplists:get_value(flame_prof, ",
                      "                         [{A, V} || {A, _, V} <- ",
                      "                          application:which_applications()])}])."]),
    ct:pal("~ts", [Said]),
    [_, Last] = string:split(string:trim(Said), "\n", trailing),
    {ok, Tokens, _} = erl_scan:string(Last),
    {ok, {Mode, Tier, true, Map, Report, Version}} = erl_parse:parse_term(Tokens),
    ?assertEqual(embedded, Mode),
    ?assert(is_list(Version)),
    %% The native library is in it: what works here works there.
    Expected = case flame_prof:perf_map(#{directory => ?config(priv_dir, Config)}) of
                   {ok, _} -> ok = flame_prof:perf_map(stop), {walker, ok};
                   {error, _} -> {portable, error}
               end,
    ?assertEqual(Expected, {Tier, Map}),
    %% So is the program that reads files, where one can be built.
    Reader = filename:join([code:priv_dir(flame_prof), "bin", "flame_prof_port"]),
    ?assertEqual(case filelib:is_regular(Reader) of true -> ok; false -> error end, Report).

released(Config) ->
    Directory = ?config(priv_dir, Config),
    Release = {release, {"sample", "1"}, {erts, erlang:system_info(version)},
               [{App, version(App)} || App <- [kernel, stdlib, flame_prof]]},
    Name = filename:join(Directory, "sample"),
    ok = file:write_file(Name ++ ".rel", io_lib:format("~p.~n", [Release])),
    Path = [filename:dirname(code:which(flame_prof))],
    {ok, _, _} = systools:make_script(Name, [silent, {path, Path}, no_warn_sasl,
                                             {outdir, Directory}]),
    {ok, _, _} = systools:make_tar(Name, [silent, {path, Path}, {erts, code:root_dir()},
                                          no_warn_sasl, {outdir, Directory}]),
    Root = filename:join(Directory, "root"),
    ok = filelib:ensure_path(Root),
    ok = erl_tar:extract(Name ++ ".tar.gz", [{cwd, Root}, compressed]),
    Root.

version(App) ->
    _ = application:load(App),
    {ok, Version} = application:get_key(App, vsn),
    Version.

%% As bin/erl of a release does it.
run(Root, Expression) ->
    Bin = filename:join([Root, "erts-" ++ erlang:system_info(version), "bin"]),
    os:cmd(lists:flatten(
             io_lib:format("cd ~ts && env -u ERL_LIBS -u ERL_FLAGS ROOTDIR=~ts BINDIR=~ts EMU=beam "
                           "PROGNAME=erl ~ts/erlexec -boot ~ts -mode embedded -noshell -eval '~ts' "
                           "-s init stop 2>&1",
                           [Root, Root, Bin, Bin, filename:join([Root, "releases", "1", "start"]),
                            Expression]))).
