%% SPDX-License-Identifier: Apache-2.0
%% What is particular to the portable tier: what it reads, and what it does when a
%% part of it, a process or the disk lets it down.
-module(portable_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").
-include("../src/flame_prof_sample.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [start/2, directory/1, samples/1, comments/1, eventually/1, ticks/1,
                          now_us/0, number/1, of_process/2, gaps_us/1, spawned/1, idle/0, hogs/1,
                          deep/1, end_all/1, tier_handle/0, selected/0, heart/0, held_up/1]).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_testcase(Case, Config) ->
    [{case_name, Case}, {tier, portable} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- what it reads ----------------------------------------------------------------

it_tells_what_process_info_tells(Config) ->
    {ok, _} = start(Config, #{flatten_recursive => false}),
    Kinds = [idle(), deep(5), deep(40),
             spawned(fun() -> put(some, lists:seq(1, 5000)), receive stop -> ok end end),
             spawned(fun() -> self() ! a, self() ! b, receive stop -> ok end end),
             spawned(fun() -> process_flag(message_queue_data, off_heap),
                              _ = [self() ! <<N:4096>> || N <- lists:seq(1, 100)],
                              receive stop -> ok end end)],
    eventually(fun() -> [P || P <- Kinds, process_info(P, status) =/= {status, waiting}] =:= [] end),
    [ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all})
     || Pid <- Kinds],
    ticks(80),
    %% Before the end: being monitored by the session takes memory too.
    Truth = [{Pid, process_info(Pid, [status, current_stacktrace | flame_prof_metric:items(all)])}
             || Pid <- Kinds],
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    [check(Pid, Info, lists:last(of_process(Pid, Samples))) || {Pid, Info} <- Truth].

check(Pid, [{status, TrueStatus}, {current_stacktrace, Stack} | Info],
      #{metrics := Metrics, frames := Frames, status := Status}) ->
    ?assertEqual(TrueStatus, Status),
    Values = flame_prof_metric:values(Info, undefined),
    [?assertEqual({Pid, Name, Value}, {Pid, Name, element(1, maps:get(Name, Metrics))})
     || {Name, Value} <- lists:zip(flame_prof_metric:names(), Values),
        Name =/= <<"erlang_reductions">>],
    Expected = [iolist_to_binary(io_lib:format("~ts:~ts/~b;~b", [M, F, A, Line]))
                || {M, F, A, [{file, _}, {line, Line}]} <- Stack],
    ?assertEqual(Expected, [Name || {Name, _} <- lists:sublist(Frames, length(Stack))]).

%% An idle process does nothing, and being looked at does not look like work.
it_sees_no_work_in_an_idle_process(Config) ->
    {ok, _} = start(Config, #{}),
    Pid = idle(),
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    ticks(50),
    {ok, Summary} = flame_prof_case:stop(),
    Deltas = [Delta || #{metrics := #{<<"erlang_reductions">> := {_, Delta}}}
                           <- of_process(Pid, samples(Summary))],
    ?assert(length(Deltas) > 20),
    ?assertEqual([0], lists:usort(Deltas)).

it_says_so_when_a_stack_is_cut(Config) ->
    {ok, _} = start(Config, #{flatten_recursive => false}),
    Pid = deep(500),
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    ticks(30),
    {ok, #{degraded := #{stack_truncated := Cut}} = Summary} = flame_prof_case:stop(),
    #{frames := Frames} = lists:last(of_process(Pid, samples(Summary))),
    ?assert(Cut > 0),
    ?assert(length(Frames) >= 64),
    ?assert(lists:member({<<"[frames omitted]">>, <<"truncated">>}, Frames)).

%% Walking a long queue takes the process 60 ms for a million messages.
it_spares_processes_with_long_message_queues(Config) ->
    {ok, _} = start(Config, #{}),
    Pid = idle(),
    _ = [Pid ! {message, N} || N <- lists:seq(1, 200000)],
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}),
    ticks(100),
    {ok, #{degraded := #{metrics_kept := Kept}} = Summary} = flame_prof_case:stop(),
    Samples = of_process(Pid, samples(Summary)),
    ct:pal("~b of ~b without the dear metrics", [Kept, length(Samples)]),
    ?assert(Kept > length(Samples) div 2),
    [?assertEqual({200000, 0}, maps:get(<<"erlang_message_queue_len">>, Metrics))
     || #{metrics := Metrics} <- Samples].

%% A process that does not answer is seen late, and only it. (The one who asks is
%% stopped here: that looks the same to the sampler.)
it_is_not_held_up_by_a_process_that_does_not_answer(Config) ->
    {ok, _} = start(Config, #{}),
    Pids = [idle(), idle(), idle()],
    [ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all})
     || Pid <- Pids],
    ticks(20),
    {handle, Sampler, _, _} = tier_handle(),
    {links, [Probe | _]} = process_info(Sampler, links),
    true = erlang:suspend_process(Probe),
    Stopped = now_us(),
    #{samples := Before} = flame_prof:info(),
    eventually(fun() ->
                   #{losses := #{process_busy := Busy}, samples := Now} = flame_prof:info(),
                   Busy >= 30 andalso Now >= Before + 60
               end),
    true = erlang:resume_process(Probe),
    Resumed = now_us(),
    ticks(20),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    Seen = lists:sort([length([Time || #{time_us := Time} <- of_process(Pid, Samples),
                                       Time > Stopped, Time < Resumed]) || Pid <- Pids]),
    ct:pal("seen ~w times meanwhile", [Seen]),
    [Unseen, One, Other] = Seen,
    ?assert(Unseen =< 1),
    ?assert(One >= 10),
    ?assert(Other >= 10),
    %% The one sample that comes late stands for the whole time.
    ?assert(lists:max([Ns div 1000 || #{period_ns := Ns} <- Samples])
            > (Resumed - Stopped) * 8 div 10).

%% --- selection --------------------------------------------------------------------

it_selects_the_busiest_and_never_itself(Config) ->
    _ = [idle() || _ <- lists:seq(1, 2000)],
    Hogs = hogs(8),
    {ok, _} = start(Config, #{auto_select => {top, 8, 300}}),
    eventually(fun() -> lists:sort(selected()) =:= lists:sort(Hogs) end),
    %% Also when there is nothing else to select: there are fewer than asked for.
    end_all(Hogs),
    {ok, _} = flame_prof_case:stop(),
    {ok, _} = start(Config, #{auto_select => {top, 100000, 300}}),
    eventually(fun() -> length(selected()) > 2000 end),
    {handle, Sampler, Writer, _} = tier_handle(),
    ?assertEqual([], [Pid || Pid <- selected(),
                             lists:member(Pid, [Sampler, Writer, whereis(flame_prof),
                                                whereis(flame_prof_sup)])]).

it_selects_itself_only_when_asked(Config) ->
    {ok, Session} = start(Config, #{auto_select => {top, 100000, 300}, profile_self => true}),
    eventually(fun() -> lists:member(Session, selected()) end).

it_selects_within_a_second(Config) ->
    Hogs = hogs(2),
    Began = now_us(),
    Heart = heart(),
    {ok, _} = start(Config, #{auto_select => {top, 2, 10000}}),
    eventually(fun() -> length(selected()) =:= 2 end),
    Took = now_us() - Began,
    {_, AwayUs} = held_up(Heart),
    ct:pal("selected after ~b us, the node was held up for ~b us", [Took, AwayUs]),
    %% Not after the interval.
    ?assert(Took < 8000000 + AwayUs),
    end_all(Hogs).

it_drops_who_is_no_longer_busy(Config) ->
    {ok, _} = start(Config, #{auto_select => {top, 1, 200}}),
    [First] = hogs(1),
    eventually(fun() -> selected() =:= [First] end),
    true = erlang:suspend_process(First),
    [Second] = hogs(1),
    eventually(fun() -> selected() =:= [Second] end),
    end_all([First, Second]).

%% A predicate that does not return costs what it may, and nobody else.
it_gives_up_a_predicate_that_does_not_return(Config) ->
    Pid = idle(),
    Stuck = fun(P) -> P =:= Pid orelse receive never -> true end end,
    {ok, _} = start(Config, #{select => #{predicate => Stuck, pids => [Pid], interval => 100}}),
    eventually(fun() -> maps:get(explicit, flame_prof:info()) =:= [Pid] end),
    eventually(fun() -> maps:get(given_up, maps:get(selection, flame_prof:info())) =:= 1 end),
    ?assertMatch(#{explicit := [Pid]}, flame_prof:info()),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertMatch([_ | _], of_process(Pid, samples(Summary))).

%% --- when a part dies -------------------------------------------------------------

it_goes_on_without_its_sampler(Config) ->
    goes_on_without(fun({handle, Sampler, _, _}) -> Sampler end, Config).

it_goes_on_without_its_writer(Config) ->
    goes_on_without(fun({handle, _, Writer, _}) -> Writer end, Config).

goes_on_without(Part, Config) ->
    {ok, Session} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    exit(Part(tier_handle()), kill),
    eventually(fun() -> maps:get(fallbacks, flame_prof:info()) =:= 1 end),
    #{tier_reason := Reason, explicit := Explicit} = flame_prof:info(),
    ?assertNotEqual(nomatch, binary:match(Reason, <<"has died">>)),
    ?assertEqual([self()], Explicit),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    ?assertEqual(Session, whereis(flame_prof)),
    {ok, #{samples := Count} = Summary} = flame_prof_case:stop(),
    ?assertEqual(Count, length(samples(Summary))),
    ?assert(Count > 20).

it_ends_when_it_fails_again_and_again(Config) ->
    {ok, Session} = start(Config, #{}),
    Monitor = monitor(process, Session),
    kill_samplers(Monitor).

kill_samplers(Monitor) ->
    try tier_handle() of
        {handle, Sampler, _, _} -> exit(Sampler, kill)
    catch
        %% It is between two tiers, or has ended.
        _:_ -> ok
    end,
    receive
        {'DOWN', Monitor, process, _, {shutdown, {tier_failed, _}}} -> ok
    after 50 -> kill_samplers(Monitor)
    end.

it_replaces_helpers_that_die(Config) ->
    {ok, _} = start(Config, #{auto_select => {top, 10, 200}}),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {handle, Sampler, _, _} = tier_handle(),
    {links, Helpers} = process_info(Sampler, links),
    ?assertMatch([_, _ | _], Helpers),
    [exit(Pid, kill) || Pid <- Helpers],
    #{samples := Before} = flame_prof:info(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > Before + 50 end),
    {links, Successors} = process_info(Sampler, links),
    ?assertEqual([], [Pid || Pid <- Successors, lists:member(Pid, Helpers)]),
    ?assertMatch(#{fallbacks := 0}, flame_prof:info()).

it_restores_the_backtrace_depth_when_its_keeper_dies_too(Config) ->
    Before = depth(),
    {ok, _} = start(Config, #{}),
    eventually(fun() -> depth() > Before end),
    Keeper = whereis(flame_prof_backtrace),
    exit(Keeper, kill),
    eventually(fun() -> not lists:member(whereis(flame_prof_backtrace), [undefined, Keeper]) end),
    ?assert(depth() > Before),
    {ok, _} = flame_prof_case:stop(),
    ?assertEqual(Before, depth()).

it_leaves_a_backtrace_depth_alone_that_somebody_else_has_set(Config) ->
    Before = depth(),
    {ok, _} = start(Config, #{}),
    _ = erlang:system_flag(backtrace_depth, 20),
    {ok, _} = flame_prof_case:stop(),
    ?assertEqual(20, depth()),
    _ = erlang:system_flag(backtrace_depth, Before).

%% --- when writing fails -----------------------------------------------------------

%% A stuck writer costs samples, counted, but neither memory nor regularity.
it_bounds_the_queue_to_the_writer(Config) ->
    {ok, _} = start(Config, #{sample_interval => 1, process_interval => 1}),
    Pids = [idle() || _ <- lists:seq(1, 50)],
    [ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all})
     || Pid <- Pids],
    {handle, _, Writer, _} = tier_handle(),
    true = erlang:suspend_process(Writer),
    eventually(fun() -> maps:get(queue_full, maps:get(losses, flame_prof:info())) > 1000 end),
    {message_queue_len, Length} = process_info(Writer, message_queue_len),
    ?assert(Length < 200),
    ticks(20),
    true = erlang:resume_process(Writer),
    [ok = flame_prof_session:unwatch(Pid, profile) || Pid <- Pids],
    eventually(fun() -> maps:get(queued_samples, flame_prof:info(), 1) =:= 0 end),
    {ok, #{samples := Count, losses := #{queue_full := Lost}} = Summary} = flame_prof_case:stop(),
    ?assert(Lost > 1000),
    ?assertEqual(Count, length(samples(Summary))),
    ?assertEqual([integer_to_binary(Lost)], [N || #{<<"loss queue_full">> := N} <- comments(Summary)]).

it_stops_in_time_when_the_writer_is_stuck(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {handle, _, Writer, _} = tier_handle(),
    true = erlang:suspend_process(Writer),
    %% Who waited for it would do so for ever: here until the time trap.
    ?assertMatch({error, {timeout, _}}, flame_prof:stop()),
    ?assertEqual([], flame_prof_file:finished(directory(Config))),
    %% It finishes the file as soon as it can.
    true = erlang:resume_process(Writer),
    [Path] = eventually(fun() -> case flame_prof_file:finished(directory(Config)) of
                                     [] -> false;
                                     Files -> Files
                                 end end),
    ?assertMatch(#{samples := [_, _ | _]}, perf_script_reader:read(Path)).

%% More than by default is for who asks for it.
it_takes_the_time_to_stop_that_it_is_given(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {handle, _, Writer, _} = tier_handle(),
    true = erlang:suspend_process(Writer),
    Test = self(),
    spawned(fun() -> Test ! {stopped, flame_prof:stop(100000)} end),
    receive {stopped, TooSoon} -> ct:fail(TooSoon) after 3000 -> ok end,
    true = erlang:resume_process(Writer),
    {ok, #{samples := Count} = Summary} = receive {stopped, Result} -> Result end,
    ?assertEqual(Count, length(samples(Summary))).

%% What cannot be written in the time to stop is counted.
it_counts_what_it_has_no_time_to_write(Config) ->
    ok = filelib:ensure_path(directory(Config)),
    Gauge = flame_prof_writer:new_gauge(),
    Writer = flame_prof_writer:start(
               #{session => self(), gauge => Gauge, anchor => {0, 0},
                 style => flame_prof_text:style(#{event => <<"e">>, metrics => [],
                                                  flatten_recursive => true,
                                                  stack_frames_max => 8}),
                 series => #{directory => directory(Config), os_pid => "1", compress => none,
                             files_max => infinity, file_bytes_max => infinity,
                             age_max_ms => infinity, hold_max_ms => 0, metrics => [],
                             losses => [stop_deadline, write_failed], degraded => [],
                             header => fun(_) -> "# flame_prof: test\n" end}}),
    Batch = [#sample{status = running, os_pid = 1, number = 1, time_ns = N * 1000, period_ns = 1}
             || N <- lists:seq(1, 100)],
    Counters = #{ticks_expected => 1, ticks_taken => 1, losses => #{}, degraded => #{}},
    HandOver = fun() -> ok = flame_prof_writer:hand_over(Writer, Batch, Counters, Gauge) end,
    HandOver(),
    eventually(fun() -> maps:get(samples, flame_prof_writer:info(Writer), 0) =:= 100 end),
    true = erlang:suspend_process(Writer),
    HandOver(),
    HandOver(),
    ?assertMatch({error, {timeout, _}}, flame_prof_writer:finish(Writer, Gauge, 0, <<"complete">>)),
    true = erlang:resume_process(Writer),
    [Path] = eventually(fun() -> case flame_prof_file:finished(directory(Config)) of
                                     [] -> false;
                                     Files -> Files
                                 end end),
    ?assertMatch(#{comments := #{<<"samples">> := <<"100">>, <<"loss stop_deadline">> := <<"200">>}},
                 perf_script_reader:read(Path)).

it_survives_a_removed_directory(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    ok = file:del_dir_r(directory(Config)),
    eventually(fun() -> maps:get(write_failure, flame_prof:info()) =/= undefined end),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {ok, #{samples := Count, losses := #{write_failed := Lost}} = Summary} = flame_prof_case:stop(),
    ?assert(Lost > 0),
    ?assertEqual(Count, length(samples(Summary))),
    ?assert(Count > 20).

it_keeps_what_it_has_when_the_disk_is_full(Config) ->
    full_disk(none, Config).

it_keeps_what_it_has_when_the_disk_is_full_also_compressed(Config) ->
    full_disk(gzip, Config).

full_disk(Compress, Config) ->
    Mount = directory(Config),
    ok = filelib:ensure_path(Mount),
    case os:cmd("mount -t tmpfs -o size=1m tmpfs '" ++ Mount ++ "' 2>&1") of
        "" ->
            try
                fill_disk(Compress, Mount, Config)
            after
                _ = flame_prof_case:stop(),
                "" = os:cmd("umount '" ++ Mount ++ "' 2>&1")
            end;
        Refused ->
            {skip, "a small file system cannot be mounted: " ++ string:trim(Refused)}
    end.

fill_disk(Compress, Mount, Config) ->
    Ballast = filename:join(Mount, "ballast"),
    {ok, Session} = start(Config, #{compress => Compress}),
    [ok = flame_prof_session:watch(idle(), profile, #{viral => self_only, status => all})
     || _ <- lists:seq(1, 20)],
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {error, enospc} = file:write_file(Ballast, binary:copy(<<"x">>, 1024 * 1024)),
    #{write_failure := {enospc, Detail}} =
        eventually(fun() -> case flame_prof:info() of
                                #{write_failure := undefined} -> false;
                                Info -> Info
                            end end),
    ?assertNotEqual(nomatch, binary:match(Detail, <<"no space left on device">>)),
    %% Sampling goes on, and so does writing when there is room again.
    #{files := [First]} = flame_prof:info(),
    ok = file:delete(Ballast),
    Kept = read_copy(First, Config),
    eventually(fun() -> maps:get(file, flame_prof:info()) =/= undefined end),
    ?assertEqual(Session, whereis(flame_prof)),
    {ok, #{losses := #{write_failed := Lost}}} = flame_prof_case:stop(),
    ?assert(Lost > 0),
    %% The first file is whole: every sample in it is complete, and so is the gzip
    %% member.
    #{samples := [_, _ | _] = Samples, comments := Comments} = Kept,
    [?assertEqual(16, map_size(Metrics)) || #{metrics := Metrics} <- Samples],
    case Comments of
        #{<<"end">> := End, <<"samples">> := Told} ->
            ?assertNotEqual(nomatch, binary:match(End, <<"enospc">>)),
            ?assertEqual(length(Samples), binary_to_integer(Told));
        #{} ->
            ct:comment("there was no room for the footer")
    end.

%% The directory goes with the mount.
read_copy(Path, Config) ->
    Copy = filename:join(?config(priv_dir, Config), filename:basename(Path)),
    {ok, _} = file:copy(Path, Copy),
    perf_script_reader:read(Copy).

%% --- helpers ----------------------------------------------------------------------

depth() ->
    Depth = erlang:system_flag(backtrace_depth, 8),
    _ = erlang:system_flag(backtrace_depth, Depth),
    Depth.
