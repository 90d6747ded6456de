%% SPDX-License-Identifier: Apache-2.0
%% Sampling at every millisecond while everything moves (chaos_run), a short time in
%% a VM of its own, and all that may happen to a node and to the profiler at once;
%% bench/chaos does the same for as long as one likes.
-module(chaos_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-define(SECONDS, 8).
-define(RESTART_S, 3).
-define(ACTS_S, 15).
-define(GROWTH_MAX_KB, 65536).
%% That it is quick on a machine at rest is defects_SUITE's.
-define(STOP_MAX_MS, 120000).
-define(RUN_MAX_MS, 1500000).

suite() ->
    [{timetrap, {minutes, 8}}].

all() ->
    [survives_with_guarded_loads, survives_with_process_vm_readv, survives_what_people_do].

init_per_suite(Config) ->
    case flame_prof:start(#{tier => walker, basename => ?config(priv_dir, Config)}) of
        {ok, _} ->
            {ok, _} = flame_prof_case:stop(),
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
    Result = in_peer(paths(), #{seconds => ?SECONDS, reader => Reader, restart => ?RESTART_S,
                                least => #{started => 1000, loads => 5, samples => 500},
                                directory => Directory}),
    #{sessions := Sessions, samples := Samples, losses := Losses, loads := Loads,
      started := Started, missing := Missing, found := Found, quarters_kb := Quarters} = Result,
    %% Something happened at all.
    ?assert(Started >= 1000),
    ?assert(Loads >= 5),
    ?assert(Samples >= 500),
    ?assert(length(Sessions) > ?SECONDS div ?RESTART_S),
    [?assertMatch({walker, Reader, Ms} when Ms < ?STOP_MAX_MS, Session) || Session <- Sessions],
    %% What a writer that is kept from running has no room for is told, as is whom the walker
    %% had half read when it was.
    #{changed_while_read := Changed, unreadable := Unreadable, implausible := Implausible,
      write_failed := 0, no_memory := 0} = Losses,
    ?assert(Changed + Unreadable + Implausible < 0.01 * Samples + 50),
    ?assertEqual({[], []}, {Missing, Found}),
    {_, Early, Late} = lists:keyfind(rss_kb, 1, Quarters),
    {_, VmEarly, VmLate} = lists:keyfind(vm_kb, 1, Quarters),
    %% More than the load's own, of whom many may wait; the sanitizer keeps what was freed.
    ?assert(is_sanitized() orelse Late - Early - max(0, VmLate - VmEarly) < ?GROWTH_MAX_KB),
    Files = flame_prof_file:finished(Directory),
    ?assertMatch([_ | _], Files),
    [?assertMatch(#{samples := [_, _ | _], comments := #{<<"end">> := <<"complete">>}},
                  perf_script_reader:read(File)) || File <- Files].

survives_what_people_do(Config) ->
    Copy = filename:join(?config(priv_dir, Config), "flame_prof"),
    Library = filename:join([flame_prof_case:library_copy(Copy), "priv", "flame_prof_nif.so"]),
    Nif = case walker_test_nif:build(cpu_case:nif_source(Config), ?config(priv_dir, Config)) of
              {ok, Path} -> Path;
              {error, _} -> undefined
          end,
    Result = in_peer([filename:join(Copy, "ebin"), filename:dirname(code:which(?MODULE))],
                     #{seconds => ?ACTS_S, least => #{ports => 1, knobs => 1, perf_map => 1},
                       acts => on, library => Library, nif => Nif,
                       epmd => os:getenv("ERL_EPMD_PORT", "4369"),
                       directory => filename:join(?config(priv_dir, Config), "acts")}),
    #{acts := Acts, missing := Missing, found := Found, samples := _} = Result,
    ?assertEqual({[], []}, {Missing, Found}),
    [?assert(is_map_key(Act, maps:from_list(Acts)), Act) || Act <- [ports, knobs, perf_map]].

in_peer(Paths, Options) ->
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                 args => ["-pa" | [filename:absname(Path) || Path <- Paths]]}),
    %% The end of that VM would be the end of this call.
    Result = peer:call(Peer, chaos_run, run, [Options], ?RUN_MAX_MS),
    peer:stop(Peer),
    ct:pal("~p", [Result]),
    Result.

paths() ->
    [filename:dirname(code:which(Module)) || Module <- [flame_prof, ?MODULE]].

is_sanitized() ->
    string:find(os:getenv("LD_PRELOAD", ""), "asan") =/= nomatch.
