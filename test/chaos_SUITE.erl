%% SPDX-License-Identifier: Apache-2.0
%% Sampling at every millisecond while everything moves (chaos_load), a short
%% time in a VM of its own; bench/chaos does the same for as long as one likes.
-module(chaos_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-define(SECONDS, 10).
-define(RESTART_S, 4).
-define(GROWTH_MAX_KB, 65536).
-define(STOP_MAX_MS, 1500).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [survives_with_guarded_loads, survives_with_process_vm_readv].

init_per_suite(Config) ->
    case flame_prof:start(#{tier => walker, basename => ?config(priv_dir, Config)}) of
        {ok, _} ->
            {ok, _} = flame_prof:stop(),
            Config;
        {error, {_, Why}} ->
            {skip, binary_to_list(Why)}
    end.

end_per_suite(_) ->
    ok.

survives_with_guarded_loads(Config) ->
    case flame_prof_nif:open_probe(guarded_load) of
        {ok, Probe} ->
            flame_prof_nif:close_probe(Probe),
            survives(Config, guarded_load);
        {error, {_, Why}} ->
            {skip, binary_to_list(Why)}
    end.

survives_with_process_vm_readv(Config) ->
    survives(Config, process_vm_readv).

survives(Config, Reader) ->
    Directory = filename:join(?config(priv_dir, Config), atom_to_list(Reader)),
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 60000,
                                 args => ["-pa" | paths()]}),
    %% The end of that VM would be the end of this call.
    Result = peer:call(Peer, chaos_load, run,
                       [#{seconds => ?SECONDS, reader => Reader, restart => ?RESTART_S,
                          directory => Directory}], 120000),
    peer:stop(Peer),
    ct:pal("~p", [Result]),
    #{sessions := Sessions, samples := Samples, losses := Losses, loads := Loads,
      started := Started, before := Before, 'after' := After, rss_early_kb := Early,
      rss_late_kb := Late} = Result,
    %% Something happened at all.
    ?assert(Started > 1000),
    ?assert(Loads > 5),
    ?assert(Samples > 500),
    ?assertEqual(?SECONDS div ?RESTART_S + 1, length(Sessions)),
    [?assertMatch({walker, Reader, Ms} when Ms < ?STOP_MAX_MS, Session) || Session <- Sessions],
    #{changed_while_read := Changed, unreadable := Unreadable, implausible := Implausible,
      ring_full := 0, write_failed := 0, no_memory := 0} = Losses,
    ?assert(Changed + Unreadable + Implausible < 0.01 * Samples),
    ?assertEqual(Before, After),
    %% The sanitizer keeps what was freed.
    ?assert(is_sanitized() orelse Late - Early < ?GROWTH_MAX_KB),
    Files = flame_prof_file:finished(Directory),
    ?assertMatch([_ | _], Files),
    [?assertMatch(#{samples := [_, _ | _], comments := #{<<"end">> := <<"complete">>}},
                  perf_script_reader:read(File)) || File <- Files].

paths() ->
    [filename:absname(filename:dirname(code:which(Module)))
     || Module <- [flame_prof, ?MODULE]].

is_sanitized() ->
    string:find(os:getenv("LD_PRELOAD", ""), "asan") =/= nomatch.
