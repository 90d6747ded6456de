%% SPDX-License-Identifier: Apache-2.0
%% An armed session: nothing on the disk until something happens, then what was
%% before it. Every trigger, for every tier; and the system monitor is shared.
-module(arm_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [directory/1, samples/1, eventually/1, ticks/1, pause_us/1, now_us/0,
                          of_process/2, spawned/1, idle/0, hogs/1, end_all/1]).

suite() ->
    [{timetrap, {minutes, 2}}].

%% Times of samples have six decimals.
-define(ROUNDED_US, 2).
%% So long a dump waits at least for what has been sampled to arrive.
-define(DUMP_WAITS_US, 20000).

all() ->
    [{group, portable}, {group, walker}].

groups() ->
    [{Tier, [], cases()} || Tier <- [portable, walker]].

cases() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             Prefix <- ["armed_", "trigger_", "monitor_"],
             lists:prefix(Prefix, atom_to_list(Name))].

init_per_group(Tier, Config) ->
    flame_prof_case:init_tier(Tier, Config).

end_per_group(_, _) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof:disarm(),
    _ = erlang:system_monitor(undefined),
    flame_prof_case:end_leftovers().

arm(Config, Options) ->
    flame_prof:arm(maps:merge(flame_prof_case:options(Config, #{}), Options)).

%% Armed with a trigger, and a process that is sampled.
armed_with(Config, Triggers, More) ->
    {ok, Session} = arm(Config, More#{triggers => Triggers, keep_after => 1}),
    ok = flame_prof:profile_start(),
    ticks(20),
    Session.

dumps() ->
    maps:get(dumps, flame_prof:info()).

monitor_info() ->
    maps:get(system_monitor, maps:get(triggers, flame_prof:info())).

%% The first dump that a trigger has made.
dumped(Trigger) ->
    eventually(fun() ->
                   case [Dump || #{trigger := Name} = Dump <- maps:get(last, dumps()),
                                 Name =:= Trigger] of
                       [#{file := File} = Dump | _] when is_list(File) -> Dump;
                       _ -> false
                   end
               end).

header(File) ->
    #{comments := Comments} = perf_script_reader:read(File),
    Comments.

number(Key, File) ->
    binary_to_integer(maps:get(Key, header(File))).

%% Of one process: how often it was its turn and there is no sample.
lost(File) ->
    lists:sum([binary_to_integer(Count)
               || {<<"loss ", Reason/binary>>, Count} <- maps:to_list(header(File)),
                  Reason =/= <<"missed_tick">>]).

files(Config) ->
    {ok, Names} = file:list_dir(directory(Config)),
    Names.

%% --- armed --------------------------------------------------------------------------

armed_writes_nothing_until_asked(Config) ->
    {ok, _} = arm(Config, #{keep => 600}),
    ok = flame_prof:profile_start(),
    ticks(200),
    ?assertMatch(#{samples := 0, file := undefined, files := []}, flame_prof:info()),
    ?assertEqual([], files(Config)),
    Asked = now_us(),
    {ok, File} = flame_prof:dump(#{note => "for the test"}),
    %% What the schedulers ran is beside it, where anybody has seen that.
    ?assertEqual([filename:basename(File)],
                 [Name || Name <- files(Config), not lists:prefix("flame_prof_cpu-", Name)]),
    #{samples := Samples} = perf_script_reader:read(File),
    Mine = of_process(self(), Samples),
    %% But for those that are under way.
    ?assert(length(Mine) + lost(File) >= 190),
    ?assert(length(Mine) >= 20),
    %% From before it was asked for, nothing from after it but what lay between.
    ?assert(maps:get(time_us, hd(Mine)) < Asked - 1000000),
    ?assertMatch(#{<<"trigger">> := <<"on_call">>, <<"trigger_note">> := <<"for the test">>,
                   <<"end">> := <<"complete">>, <<"dump_dropped_early">> := <<"0">>}, header(File)),
    ?assertEqual(length(Samples), number(<<"samples">>, File)),
    ?assert(number(<<"dump_kept_ns">>, File) > 1000000000),
    ticks(20),
    {ok, #{files := Files, samples := Count}} = flame_prof_case:stop(),
    ?assertEqual([File], Files),
    ?assertEqual(length(Samples), Count).

%% What is older than that is not in the file, what is younger is: the first sample tells
%% how long before it the last one was that is not.
armed_keeps_only_the_last_seconds(Config) ->
    {ok, _} = arm(Config, #{keep => 2}),
    ok = flame_prof:profile_start(),
    ticks(100),
    #{ticks_taken := Early} = flame_prof:info(),
    pause_us(4000000),
    Asked = now_us(),
    {ok, File} = flame_prof:dump(),
    Returned = now_us(),
    #{samples := Samples} = perf_script_reader:read(File),
    #{time_us := First, period_ns := PeriodNs} = hd(Samples),
    Ticks = number(<<"ticks_taken">>, File),
    ct:pal("~b us before, ~b ticks, ~b before them", [Asked - First, Ticks, Early]),
    ?assert(First >= Asked - 2000000),
    ?assert(First - PeriodNs div 1000 =< Returned - 2000000 + ?ROUNDED_US),
    ?assertMatch(#{ticks_taken := All} when Ticks =< All - Early, flame_prof:info()).

%% What is in the file ends there, and what comes then is in the next one.
armed_goes_on_for_the_time_asked(Config) ->
    {ok, _} = arm(Config, #{keep => 600}),
    ok = flame_prof:profile_start(),
    ticks(20),
    Asked = now_us(),
    {ok, File} = flame_prof:dump(#{keep_after => 1}),
    Returned = now_us(),
    ?assert(Returned - Asked >= 1000000),
    #{samples := Samples} = perf_script_reader:read(File),
    Last = maps:get(time_us, lists:last(Samples)),
    ?assert(Last >= Asked),
    ?assert(Last =< max(Asked + 1500000, Returned - ?DUMP_WAITS_US)),
    ticks(20),
    ?assert(goes_on_at(Last) >= Asked + 1000000).

%% The time of the first sample after all that is in a file.
goes_on_at(Last) ->
    {ok, Next} = flame_prof:dump(),
    #{samples := [#{time_us := First, period_ns := PeriodNs} | _]} = perf_script_reader:read(Next),
    ?assert(First > Last),
    ?assert(First - PeriodNs div 1000 =< Last + ?ROUNDED_US),
    First.

armed_dumps_do_not_repeat_themselves(Config) ->
    {ok, _} = arm(Config, #{keep => 600}),
    ok = flame_prof:profile_start(),
    ticks(50),
    {ok, First} = flame_prof:dump(),
    ticks(100),
    {ok, Second} = flame_prof:dump(),
    {ok, #{files := Files} = Summary} = flame_prof_case:stop(),
    ?assertEqual([First, Second], Files),
    Times = [Time || #{time_us := Time} <- of_process(self(), samples(Summary))],
    ?assertEqual(Times, lists:usort(Times)),
    %% Together they stand for the time that they cover.
    Period = lists:sum([Ns || #{period_ns := Ns} <- tl(of_process(self(), samples(Summary)))]),
    ?assert(abs(Period div 1000 - (lists:last(Times) - hd(Times))) < 5000).

%% However much there is to keep: the memory stays within its bound, and it is told
%% that there is less than was asked for.
armed_memory_is_bounded(Config) ->
    Pids = [idle() || _ <- lists:seq(1, 200)],
    %% Or what is kept packed would be kept for long.
    [true = register(binary_to_atom(base64:encode(rand:bytes(150))), Pid) || Pid <- Pids],
    %% 2000 samples a second. If it were more than the node can do, who takes them, at the
    %% highest priority, would leave nothing to who keeps them.
    {ok, _} = arm(Config, #{keep => 600, keep_bytes => 1024 * 1024, process_interval => 100,
                            cpu_max => infinity}),
    [ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all})
     || Pid <- Pids],
    eventually(fun() -> maps:get(dropped_early, maps:get(kept, flame_prof:info())) > 1000 end),
    #{kept := #{kept_bytes := Bytes}, memory_bytes := Memory} = flame_prof:info(),
    ct:pal("~b bytes kept, ~b in all", [Bytes, Memory]),
    ?assert(Bytes =< 1024 * 1024),
    {ok, File} = flame_prof:dump(),
    ?assert(number(<<"dump_dropped_early">>, File) > 1000),
    ?assert(number(<<"dump_kept_ns">>, File) < 600 * 1000000000).

armed_names_code_that_was_unloaded(Config) ->
    Pid = running_version(Config),
    {ok, _} = arm(Config, #{}),
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    ticks(50),
    end_all([Pid]),
    _ = code:purge(arm_version),
    true = code:delete(arm_version),
    _ = code:purge(arm_version),
    ticks(50),
    {ok, File} = flame_prof:dump(),
    #{samples := Samples} = perf_script_reader:read(File),
    [#{frames := Frames} | _] = lists:reverse(of_process(Pid, Samples)),
    ?assertMatch([_ | _], [Name || {<<"arm_version:wait/0", _/binary>> = Name, _} <- Frames]).

running_version(Config) ->
    Source = filename:join(?config(priv_dir, Config), "arm_version.erl"),
    ok = file:write_file(Source, "-module(arm_version).\n-export([start/1]).\n"
                                 "start(Test) -> Test ! {self(), started}, wait(), ok.\n"
                                 "wait() -> receive stop -> ok end, ok.\n"),
    {ok, arm_version, Code} = compile:file(Source, [binary]),
    {module, arm_version} = code:load_binary(arm_version, Source, Code),
    Test = self(),
    Pid = spawn(fun() -> apply(arm_version, start, [Test]) end),
    receive {Pid, started} -> Pid end.

armed_without_anything_sampled_says_so(Config) ->
    {ok, _} = arm(Config, #{cpu_sampling => false}),
    ?assertMatch({error, {empty, _}}, flame_prof:dump()),
    ?assertEqual([], files(Config)).

armed_options_are_checked(Config) ->
    [?assertMatch({error, {bad_option, Detail}} when is_binary(Detail), Result)
     || Result <- [arm(Config, #{keep => 0}), arm(Config, #{keep => 30.5}),
                   arm(Config, #{keep_bytes => 7}), arm(Config, #{triggers => [gc]}),
                   arm(Config, #{triggers => #{long_gcs => 7}}), arm(Config, #{keeep => 7}),
                   arm(Config, #{triggers => #{long_gc => 0}}),
                   flame_prof:arm(now), flame_prof:dump(#{after_all => 1}), flame_prof:dump(7),
                   flame_prof:start(#{keep => 30})]],
    ?assertMatch({error, {not_started, _}}, flame_prof:dump()),
    {ok, Session} = arm(Config, #{}),
    ?assertEqual({error, {already_started, Session}}, arm(Config, #{})),
    %% In a few seconds, or afterwards.
    ?assertMatch({Result, _} when Result =:= ok; Result =:= error, flame_prof:disarm()),
    eventually(fun() -> whereis(flame_prof) =:= undefined end),
    {ok, _} = flame_prof_case:start(Config, #{}),
    ?assertMatch({error, {not_armed, _}}, flame_prof:dump()).

armed_dumps_one_at_a_time(Config) ->
    {ok, _} = arm(Config, #{}),
    ok = flame_prof:profile_start(),
    ticks(20),
    ?assert(lists:any(fun is_busy_meanwhile/1, [2, 10, 50])).

%% On a machine that is nearly at rest the first may be over before anybody asks for a
%% second one.
is_busy_meanwhile(Seconds) ->
    Test = self(),
    spawned(fun() -> Test ! {first, flame_prof:dump(#{keep_after => Seconds})} end),
    eventually(fun() -> maps:get(dumping, dumps()) =:= on_call orelse has_come(first) end),
    Second = flame_prof:dump(),
    ?assertMatch({ok, _}, receive {first, Result} -> Result end),
    case Second of
        {error, {busy, _}} -> true;
        {_, _} -> false
    end.

has_come(What) ->
    {messages, Messages} = process_info(self(), messages),
    lists:keymember(What, 1, Messages).

armed_until_it_is_stopped_in_the_middle_of_a_dump(Config) ->
    {ok, _} = arm(Config, #{keep => 600}),
    ok = flame_prof:profile_start(),
    ticks(50),
    Test = self(),
    spawned(fun() -> Test ! {dump, flame_prof:dump(#{keep_after => 600})} end),
    eventually(fun() -> maps:get(dumping, dumps()) =:= on_call end),
    ticks(30),
    {Us, {ok, #{files := [File]} = Summary}} = timer:tc(fun() -> flame_prof_case:stop() end),
    %% Not at the end of the time that was asked for.
    ?assert(Us < 300000000),
    ?assertMatch({error, {write_failed, _}}, receive {dump, Result} -> Result end),
    ?assertEqual(length(samples(Summary)), number(<<"samples">>, File)),
    Mine = length(of_process(self(), samples(Summary))),
    ?assert(Mine + lost(File) >= 50),
    ?assert(Mine >= 10).

armed_leaves_nothing_when_it_is_killed(Config) ->
    Session = armed_with(Config, #{long_gc => 1000, message_queue_len => 100000}, #{}),
    ?assertMatch(#{state := on}, monitor_info()),
    ?assert(has_sessions() orelse erlang:system_monitor() =/= undefined),
    exit(Session, kill),
    eventually(fun() -> whereis(flame_prof) =:= undefined end),
    eventually(fun() -> erlang:system_monitor() =:= undefined end),
    eventually(fun() -> [Name || Name <- files(Config), lists:prefix(".", Name)] =:= [] end),
    ?assertEqual([], files(Config)).

%% --- triggers -----------------------------------------------------------------------

trigger_message_queue_len(Config) ->
    Victim = idle(),
    true = register(arm_victim, Victim),
    _ = armed_with(Config, #{message_queue_len => 500}, #{keep => 600}),
    [Victim ! N || N <- lists:seq(1, 600)],
    #{file := File, value := Value, pid := Pid} = dumped(message_queue_len),
    %% Whoever looks in the middle of it sees less.
    ?assertEqual(Victim, Pid),
    ?assert(Value >= 500 andalso Value =< 600),
    Text = list_to_binary(pid_to_list(Victim)),
    Length = integer_to_binary(Value),
    ?assertMatch(#{<<"trigger">> := <<"message_queue_len">>, <<"trigger_value">> := Length,
                   <<"trigger_limit">> := <<"500">>, <<"trigger_pid">> := Text,
                   <<"trigger_name">> := <<"arm_victim">>, <<"trigger_time">> := <<_, _/binary>>},
                 header(File)),
    %% What was before it, and the second after it.
    #{samples := Samples} = perf_script_reader:read(File),
    Fired = number(<<"trigger_time_ns">>, File) div 1000,
    Times = [Time || #{time_us := Time} <- Samples],
    ?assert(hd(Times) < Fired),
    ?assert(lists:last(Times) > Fired),
    %% Reached once.
    ticks(150),
    ?assert(goes_on_at(lists:last(Times)) > Fired + 1000000),
    ?assertMatch(#{by_trigger := 1, suppressed := #{too_soon := 0}}, dumps()).

trigger_process_memory(Config) ->
    _ = armed_with(Config, #{process_memory => 30 * 1024 * 1024}, #{}),
    Large = spawned(fun() ->
                        List = lists:seq(1, 3000000),
                        receive stop -> length(List) end
                    end),
    #{file := File, pid := Pid, value := Value} = dumped(process_memory),
    ?assertEqual(Large, Pid),
    ?assert(Value >= 30 * 1024 * 1024),
    ?assertMatch(#{<<"trigger">> := <<"process_memory">>}, header(File)),
    end_all([Large]).

trigger_run_queue(Config) ->
    _ = armed_with(Config, #{run_queue => 30}, #{}),
    Hogs = hogs(60),
    #{file := File, value := Value} = dumped(run_queue),
    end_all(Hogs),
    ?assert(Value >= 30),
    ?assertMatch(#{<<"trigger">> := <<"run_queue">>}, header(File)),
    ?assertNot(is_map_key(<<"trigger_pid">>, header(File))).

trigger_memory(Config) ->
    Limit = erlang:memory(total) + 30 * 1024 * 1024,
    _ = armed_with(Config, #{memory => Limit}, #{}),
    Large = binary:copy(<<"x">>, 40 * 1024 * 1024),
    #{file := File, value := Value} = dumped(memory),
    ?assert(Value >= Limit),
    ?assertMatch(#{<<"trigger">> := <<"memory">>}, header(File)),
    ?assertEqual(40 * 1024 * 1024, byte_size(Large)).

trigger_long_gc(Config) ->
    _ = armed_with(Config, #{long_gc => 5}, #{}),
    Pid = spawned(fun() -> collect_for_long() end),
    #{file := File, pid := Who, value := Value} = dumped(long_gc),
    end_all([Pid]),
    ?assert(Value >= 5),
    ct:pal("~p ~p ~p", [Pid, Who, header(File)]),
    ?assertMatch(#{<<"trigger">> := <<"long_gc">>, <<"trigger_detail">> := <<_, _/binary>>},
                 header(File)).

%% What lives is copied at each collection.
collect_for_long() ->
    Live = [{N, N} || N <- lists:seq(1, 1000000)],
    [garbage_collect() || _ <- lists:seq(1, 20)],
    receive after 10 -> ok end,
    _ = length(Live),
    collect_for_long().

trigger_long_schedule(Config) ->
    _ = armed_with(Config, #{long_schedule => 5}, #{}),
    Pid = spawned(fun() -> schedule_for_long() end),
    #{file := File, value := Value} = dumped(long_schedule),
    end_all([Pid]),
    ?assert(Value >= 5),
    ?assertMatch(#{<<"trigger">> := <<"long_schedule">>}, header(File)).

%% A BIF that does not yield.
schedule_for_long() ->
    _ = garbage_collect(),
    _ = binary_to_atom(<<"arm_", (integer_to_binary(erlang:phash2(lists:seq(1, 1000000)) rem 3))/binary>>),
    collect_for_long().

trigger_large_heap(Config) ->
    _ = armed_with(Config, #{large_heap => 30 * 1024 * 1024}, #{}),
    Large = spawned(fun() -> grow([]) end),
    #{file := File, pid := Pid, value := Value} = dumped(large_heap),
    ?assertEqual(Large, Pid),
    ?assert(Value >= 30 * 1024 * 1024),
    ?assertMatch(#{<<"trigger">> := <<"large_heap">>}, header(File)),
    end_all([Large]).

grow(List) when length(List) > 6000000 -> receive stop -> length(List) end;
grow(List) -> grow(lists:seq(1, 500000) ++ List).

%% Not more often than asked for, and what is not dumped is counted.
trigger_dumps_are_limited(Config) ->
    _ = armed_with(Config, #{message_queue_len => 100}, #{dumps_max => 2, dump_distance => 0,
                                                          keep_after => 0}),
    [begin
         Victim = idle(),
         [Victim ! N || N <- lists:seq(1, 100 + Round)],
         eventually(fun() -> maps:get(by_trigger, dumps()) =:= Round
                                 andalso maps:get(dumping, dumps()) =:= false end)
     end || Round <- [1, 2]],
    Third = idle(),
    [Third ! N || N <- lists:seq(1, 200)],
    eventually(fun() -> maps:get(enough, maps:get(suppressed, dumps())) >= 1 end),
    {ok, _} = flame_prof:dump(),
    {ok, #{files := Files}} = flame_prof_case:stop(),
    ?assertEqual(3, length(Files)).

trigger_waits_for_the_distance(Config) ->
    _ = armed_with(Config, #{message_queue_len => 100}, #{dump_distance => 20, keep_after => 0}),
    [First, Second] = [idle(), idle()],
    [First ! N || N <- lists:seq(1, 150)],
    #{pid := First} = dumped(message_queue_len),
    [Second ! N || N <- lists:seq(1, 200)],
    eventually(fun() -> maps:get(too_soon, maps:get(suppressed, dumps())) >= 1 end),
    %% It is still so when the time has come.
    eventually(fun() -> maps:get(by_trigger, dumps()) =:= 2 end),
    eventually(fun() -> maps:get(pid, dumped(message_queue_len)) =:= Second end).

%% --- the system monitor is shared ---------------------------------------------------

monitor_of_somebody_else_is_left_alone(Config) ->
    case has_sessions() of
        true ->
            %% From OTP 28 on everybody has one of his own.
            Owner = idle(),
            undefined = erlang:system_monitor(Owner, [{long_gc, 100000}]),
            Theirs = erlang:system_monitor(),
            _ = armed_with(Config, #{long_gc => 5}, #{}),
            ?assertMatch(#{state := on}, monitor_info()),
            ?assertEqual(Theirs, erlang:system_monitor()),
            _ = spawned(fun() -> collect_for_long() end),
            _ = dumped(long_gc),
            {ok, _} = flame_prof_case:stop(),
            ?assertEqual(Theirs, erlang:system_monitor());
        false ->
            Owner = idle(),
            undefined = erlang:system_monitor(Owner, [{long_gc, 100000}]),
            Theirs = erlang:system_monitor(),
            _ = armed_with(Config, #{long_gc => 5, large_heap => 30 * 1024 * 1024}, #{}),
            ?assertMatch(#{state := off, owner := Owner, why := <<_, _/binary>>}, monitor_info()),
            ?assertEqual(Theirs, erlang:system_monitor()),
            %% Large heaps are found all the same.
            Large = spawned(fun() -> grow([]) end),
            ?assertMatch(#{pid := Large}, dumped(large_heap)),
            %% When it is free, it is taken.
            end_all([Owner, Large]),
            eventually(fun() -> maps:get(state, monitor_info()) =:= on end),
            {ok, _} = flame_prof_case:stop(),
            ?assertEqual(undefined, erlang:system_monitor())
    end.

monitor_that_is_taken_away_is_noticed(Config) ->
    case has_sessions() of
        true ->
            _ = armed_with(Config, #{long_gc => 5}, #{}),
            _ = erlang:system_monitor(idle(), [{long_gc, 100000}]),
            Theirs = erlang:system_monitor(),
            _ = spawned(fun() -> collect_for_long() end),
            _ = dumped(long_gc),
            ?assertMatch(#{state := on, lost := 0}, monitor_info()),
            {ok, _} = flame_prof_case:stop(),
            ?assertEqual(Theirs, erlang:system_monitor());
        false ->
            _ = armed_with(Config, #{long_gc => 1000}, #{}),
            ?assertMatch(#{state := on, lost := 0}, monitor_info()),
            Thief = idle(),
            _ = erlang:system_monitor(Thief, [{long_gc, 100000}]),
            Theirs = erlang:system_monitor(),
            eventually(fun() -> maps:get(lost, monitor_info()) =:= 1 end),
            ?assertMatch(#{state := off, owner := Thief}, monitor_info()),
            {ok, _} = flame_prof_case:stop(),
            ?assertEqual(Theirs, erlang:system_monitor())
    end.

monitor_is_given_back(Config) ->
    _ = armed_with(Config, #{long_gc => 1000}, #{}),
    ?assertMatch(#{state := on}, monitor_info()),
    {ok, _} = flame_prof_case:stop(),
    ?assertEqual(undefined, erlang:system_monitor()).

monitor_is_not_touched_when_nothing_needs_it(Config) ->
    _ = armed_with(Config, #{message_queue_len => 100000, run_queue => 10000}, #{}),
    ?assertMatch(#{state := off, via := none}, monitor_info()),
    ?assertEqual(undefined, erlang:system_monitor()).

has_sessions() ->
    flame_prof_case:has_trace_sessions() andalso erlang:function_exported(trace, system, 3).
