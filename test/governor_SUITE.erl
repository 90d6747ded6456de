%% SPDX-License-Identifier: Apache-2.0
%% The profiler keeps within its budget, and says what it did for that.
-module(governor_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [start/2, directory/1, samples/1, comments/1, eventually/1, ticks/1,
                          of_process/2, idle/0, tier_handle/0]).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [{group, portable}, {group, walker}].

groups() ->
    [{Tier, [], cases()} || Tier <- [portable, walker]].

cases() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("budget_", atom_to_list(Name))].

init_per_group(Tier, Config) ->
    flame_prof_case:init_tier(Tier, Config).

end_per_group(_, _) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

governor() ->
    maps:get(governor, flame_prof:info()).

%% As if the options had said so; the windows are those of the real one.
with_budget(Budget) ->
    Place = fun(State) ->
                [At] = [N || N <- lists:seq(1, tuple_size(State)),
                             is_tuple(element(N, State)), tuple_size(element(N, State)) > 1,
                             element(1, element(N, State)) =:= governor],
                setelement(At, State, flame_prof_governor:new(Budget))
            end,
    _ = sys:replace_state(flame_prof, Place),
    ok.

budget_is_told(Config) ->
    {ok, _} = start(Config, #{cpu_max => 2.5, memory_max => 100 * 1024 * 1024}),
    eventually(fun() -> maps:get(memory_bytes, governor()) > 0 end),
    ?assertMatch(#{state := within_budget, cpu_max := 2.5, memory_max := 104857600,
                   stretch_percent := 100, backoffs := 0}, governor()).

%% Each process is seen less often, the file says so, and the periods still sum up to
%% the time that has passed.
budget_of_nearly_nothing_is_kept_by_looking_less_often(Config) ->
    Pids = [idle() || _ <- lists:seq(1, 50)],
    {ok, _} = start(Config, #{cpu_max => 0.001, process_interval => 90}),
    [ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all})
     || Pid <- Pids],
    eventually(fun() -> maps:get(stretch_percent, governor()) >= 400 end),
    eventually(fun() -> maps:get(process_interval_ns, flame_prof:info()) >= 360000000 end),
    #{samples := Before} = flame_prof:info(),
    ticks(100),
    %% In a window without any CPU it used none.
    eventually(fun() -> case governor() of
                            #{state := backed_off, cpu_percent := Percent} -> Percent > 0.001;
                            #{} -> false
                        end end),
    {ok, #{samples := After} = Summary} = flame_prof_case:stop(),
    %% 9 ms a tick: some 140 at this pace, 500 at the one before.
    ct:pal("~b samples in 100 ticks", [After - Before]),
    [#{<<"governor">> := <<"intervals are ", _/binary>>} | _] = comments(Summary),
    Samples = samples(Summary),
    Seen = [Own || Pid <- Pids, [_, _ | _] = Own <- [of_process(Pid, Samples)]],
    ?assert(length(Seen) > 25),
    [begin
         Period = lists:sum([Ns || #{period_ns := Ns} <- Rest]) div 1000,
         ?assert(abs(Period - (maps:get(time_us, lists:last(Rest)) - First)) < 5000)
     end || [#{time_us := First} | Rest] <- Seen],
    ok = perf_script_reader:importers(hd(flame_prof_case:texts(Summary))).

%% With a single process there is nothing to see less often but by rarer ticks.
budget_makes_ticks_rarer_where_they_would_be_empty(Config) ->
    Pid = idle(),
    {ok, _} = start(Config, #{cpu_max => 0.0001}),
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    eventually(fun() -> maps:get(sample_interval_ns, flame_prof:info()) >= 36000000 end),
    BeforeMs = erlang:monotonic_time(millisecond),
    Before = ticks_due(),
    timer:sleep(1000),
    After = ticks_due(),
    AfterMs = erlang:monotonic_time(millisecond),
    %% A third more than one each 36 ms; at the pace asked for it would be one each 9 ms.
    ?assert(After - Before =< (AfterMs - BeforeMs) div 27 + 3).

%% Those that a busy machine let pass are counted too.
ticks_due() ->
    #{ticks_taken := Taken, losses := #{missed_tick := Missed}} = flame_prof:info(),
    Taken + Missed.

budget_that_cannot_be_kept_ends_the_session(Config) ->
    {ok, Session} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    ticks(50),
    Monitor = monitor(process, Session),
    ok = with_budget(#{cpu_max => infinity, memory_max => 1000, cpus => 2}),
    receive
        {'DOWN', Monitor, process, Session, {shutdown, {limit, Reason}}} ->
            ?assertNotEqual(nomatch, binary:match(Reason, <<"memory_max = 1000">>))
    end,
    {error, {not_started, Detail}} = flame_prof:info(),
    ?assertNotEqual(nomatch, binary:match(Detail, <<"memory_max">>)),
    [File] = eventually(fun() -> case flame_prof_file:finished(directory(Config)) of
                                     [] -> false;
                                     Files -> Files
                                 end end),
    #{comments := #{<<"end">> := End}, samples := [_, _ | _]} = perf_script_reader:read(File),
    ?assertMatch(<<"stopped by its limit: the profiler itself uses ", _/binary>>, End),
    %% And the next one starts.
    {ok, _} = start(Config, #{}).

budget_options_are_checked(Config) ->
    [?assertMatch({error, {bad_option, _}}, Result)
     || Result <- [start(Config, #{cpu_max => 0}), start(Config, #{cpu_max => 101}),
                   start(Config, #{cpu_max => much}), start(Config, #{memory_max => 7}),
                   flame_prof:arm(#{keep_bytes => 64 * 1024 * 1024,
                                    memory_max => 64 * 1024 * 1024})]],
    {ok, _} = start(Config, #{cpu_max => infinity, memory_max => infinity}),
    ?assertMatch(#{cpu_max := infinity, memory_max := infinity}, governor()),
    {ok, _} = flame_prof_case:stop(),
    {ok, _} = flame_prof:arm((flame_prof_case:options(Config, #{}))#{keep_bytes => 64 * 1024 * 1024}),
    ?assertMatch(#{memory_max := 134217728}, governor()).

%% A tier that takes over goes on at the pace of the one before.
budget_outlives_a_tier(Config) ->
    Pid = idle(),
    {ok, _} = start(Config, #{cpu_max => 0.0001, tier => portable}),
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    eventually(fun() -> maps:get(stretch_percent, governor()) >= 400 end),
    {handle, Sampler, _, _} = tier_handle(),
    exit(Sampler, kill),
    eventually(fun() -> maps:get(fallbacks, flame_prof:info()) =:= 1 end),
    eventually(fun() -> maps:get(sample_interval_ns, flame_prof:info(), 0) >= 36000000 end).
