%% SPDX-License-Identifier: Apache-2.0
%% The metrics on request (docs/metrics.md): that they are there, and true.
-module(metrics_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("it_", atom_to_list(Name))].

init_per_suite(Config) ->
    flame_prof_case:init_walker(Config).

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- how they are taken ------------------------------------------------------------------

start(Config, Metrics, Pids, Cpu) ->
    Select = case Pids of
                 [] -> none;
                 _ -> #{pids => Pids}
             end,
    {ok, _} = flame_prof_case:start(Config, #{metrics => Metrics, select => Select,
                                              cpu_sampling => Cpu}).

seen(Count) ->
    Before = maps:get(samples, flame_prof:info()),
    flame_prof_case:eventually(fun() -> maps:get(samples, flame_prof:info()) >= Before + Count end).

%% Done by the process, and seen in at least one look from then on.
done(Pid, What) ->
    Pid ! {self(), What},
    receive {Pid, done} -> flame_prof_case:ticks(3) end.

%% [{Value, Delta}] of a process, in order.
values(Pid, Name, Summary) ->
    [maps:get(Name, Metrics)
     || #{metrics := Metrics} <- flame_prof_case:of_process(Pid, flame_prof_case:samples(Summary))].

cpu_summary(Config) ->
    Pattern = filename:join(flame_prof_case:directory(Config), "flame_prof_cpu-*.perf"),
    #{files => filelib:wildcard(Pattern)}.

names([#{metrics := Metrics} | _]) -> lists:sort(maps:keys(Metrics)).

last_value(Rows) -> element(1, lists:last(Rows)).

deltas(Rows) -> lists:sum([Delta || {_, Delta} <- Rows]).

has_cpu() ->
    not is_map_key(off, maps:get(cpu, flame_prof:info())).

%% --- which ---------------------------------------------------------------------------------

it_carries_those_of_the_fork_without_a_wish(Config) ->
    start(Config, undefined, [flame_prof_case:idle()], false),
    seen(3),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertEqual(lists:sort(flame_prof_metric:names()), names(flame_prof_case:samples(Summary))).

it_carries_all_when_asked(Config) ->
    start(Config, all, [flame_prof_case:idle()], true),
    Hog = flame_prof_case:hogs(1),
    seen(3),
    HasCpu = has_cpu(),
    flame_prof_case:eventually(
      fun() -> not HasCpu orelse maps:get(samples, maps:get(cpu, flame_prof:info())) > 3 end),
    {ok, Summary} = flame_prof_case:stop(),
    flame_prof_case:end_all(Hog),
    ?assertEqual(lists:sort(flame_prof_metric:names()
                            ++ [<<"erlang_major_gcs">>, <<"erlang_heap_growth">>,
                                <<"erlang_stack_depth">>, <<"erlang_since_scheduled_us">>,
                                <<"erlang_runnable_wait_us">>, <<"erlang_run_queue_len">>,
                                <<"erlang_port_queue_bytes">>]),
                 names(flame_prof_case:samples(Summary))),
    _ = HasCpu andalso
        ?assertEqual(16 + 13, length(names(flame_prof_case:samples(cpu_summary(Config))))).

it_refuses_what_it_does_not_know(Config) ->
    [?assertMatch({error, {bad_option, <<"metrics: ", _/binary>>}},
                  flame_prof_case:start(Config, #{metrics => Wrong}))
     || Wrong <- [colour, [colour], [stack_depth, stack_depth], #{}, "all", [stack_depth | all]]].

%% --- what they say -----------------------------------------------------------------------------

it_counts_whole_collections(Config) ->
    Pid = flame_prof_case:spawned(fun() -> collect(lists:seq(1, 100)) end),
    start(Config, [major_gcs], [Pid], false),
    seen(2),
    [done(Pid, Type) || _ <- lists:seq(1, 4), Type <- [minor, major]],
    {ok, Summary} = flame_prof_case:stop(),
    Rows = values(Pid, <<"erlang_major_gcs">>, Summary),
    ?assertMatch({0, 0}, hd(Rows)),
    ?assertEqual(4, last_value(Rows), Rows),
    ?assertEqual(4, deltas(Rows), Rows).

%% What survives two minor collections is old.
collect(Kept) ->
    receive
        {Test, Type} ->
            _ = [erlang:garbage_collect(self(), [{type, Type}]) || _ <- lists:seq(1, 2)],
            Test ! {self(), done},
            collect([Type | Kept])
    end.

it_shows_the_growth_of_a_heap(Config) ->
    Pid = flame_prof_case:spawned(fun() -> grow([]) end),
    start(Config, [heap_growth], [Pid], false),
    seen(3),
    done(Pid, 100000),
    {ok, Summary} = flame_prof_case:stop(),
    Rows = values(Pid, <<"erlang_heap_growth">>, Summary),
    ?assertMatch({0, 0}, hd(Rows)),
    {total_heap_size, Words} = process_info(Pid, total_heap_size),
    [{First, _} | _] = values(Pid, <<"erlang_total_heap_size">>, Summary),
    ?assertEqual(Words - First, last_value(Rows)),
    ?assertEqual(last_value(Rows), deltas(Rows)).

grow(Kept) ->
    receive
        {Test, N} ->
            Larger = [lists:seq(1, N) | Kept],
            Test ! {self(), done},
            grow(Larger)
    end.

it_tells_how_deep_a_stack_is(Config) ->
    Pids = [{Depth, flame_prof_case:deep(Depth)} || Depth <- [10, 300, 5000]],
    start(Config, [stack_depth], [Pid || {_, Pid} <- Pids], false),
    seen(12),
    {ok, Summary} = flame_prof_case:stop(),
    [begin
         Rows = values(Pid, <<"erlang_stack_depth">>, Summary),
         ?assertEqual([0], lists:usort([Delta || {_, Delta} <- Rows])),
         Shown = last_value(Rows),
         ?assert(Shown >= Depth andalso Shown =< Depth + 5 + Depth div 100, {Depth, Shown})
     end || {Depth, Pid} <- Pids].

it_tells_how_long_nothing_was_done(Config) ->
    Pid = flame_prof_case:idle(),
    start(Config, [since_scheduled, runnable_wait], [Pid], false),
    seen(20),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = flame_prof_case:of_process(Pid, flame_prof_case:samples(Summary)),
    TookUs = maps:get(time_us, lists:last(Samples)) - maps:get(time_us, hd(Samples)),
    Since = values(Pid, <<"erlang_since_scheduled_us">>, Summary),
    ?assertEqual(0, element(1, hd(Since))),
    ?assert(abs(last_value(Since) - TookUs) < 1000, {last_value(Since), TookUs}),
    ?assertEqual([{0, 0}], lists:usort(values(Pid, <<"erlang_runnable_wait_us">>, Summary))).

%% Where a round of all turns takes several ticks: one of them is less than 0.1 ms.
it_tells_who_waits_for_a_scheduler(Config) ->
    Hogs = flame_prof_case:hogs(1000 * erlang:system_info(schedulers_online)),
    Busy = hd(Hogs),
    start(Config, [runnable_wait, run_queue_len], [Busy], false),
    seen(100),
    written(Config, "erlang_run_queue_len: [2-9][0-9]"),
    {ok, Summary} = flame_prof_case:stop(),
    flame_prof_case:end_all(Hogs),
    Waits = values(Busy, <<"erlang_runnable_wait_us">>, Summary),
    Queue = values(Busy, <<"erlang_run_queue_len">>, Summary),
    ct:pal("waits ~p~nqueue ~p", [lists:usort(Waits), lists:usort(Queue)]),
    ?assert(deltas(Waits) > 0),
    ?assertEqual([], [Row || {Value, Delta} = Row <- Waits, Delta < 0 orelse Value < 0]),
    ?assert(lists:max([Length || {Length, _} <- Queue]) >= 20).

%% Until a file has it, also one that is not finished.
written(Config, Expression) ->
    flame_prof_case:eventually(
      fun() ->
          seen(20),
          Text = [element(2, file:read_file(File))
                  || File <- filelib:wildcard(filename:join(flame_prof_case:directory(Config), "{,.}*.perf*"))],
          nomatch =/= re:run(Text, Expression, [{capture, none}])
      end).

it_tells_which_bytes_wait_in_a_port(Config) ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}, {recbuf, 4096}]),
    {ok, Port} = inet:port(Listen),
    Test = self(),
    Sender = flame_prof_case:spawned(
               fun() ->
                   {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port,
                                                  [binary, {sndbuf, 4096}, {high_watermark, 32 bsl 20}]),
                   ok = gen_tcp:send(Socket, binary:copy(<<"x">>, 16 bsl 20)),
                   Test ! {sent, Socket},
                   receive stop -> ok end
               end),
    {ok, _} = gen_tcp:accept(Listen),
    Socket = receive {sent, S} -> S end,
    start(Config, [port_queue], [Sender], false),
    {queue_size, Size} = erlang:port_info(Socket, queue_size),
    ?assert(Size > 0),
    %% Asked once a second.
    written(Config, "erlang_port_queue_bytes: [1-9]"),
    {queue_size, Still} = erlang:port_info(Socket, queue_size),
    {ok, Summary} = flame_prof_case:stop(),
    Rows = values(Sender, <<"erlang_port_queue_bytes">>, Summary),
    ?assert(lists:member(last_value(Rows), [Size, Still]), {Size, Still, lists:usort(Rows)}),
    ?assertEqual(last_value(Rows), deltas(Rows)),
    ok = gen_tcp:close(Listen).

%% --- of the scheduler sampler ---------------------------------------------------------------------

it_tells_accounts_only_when_somebody_keeps_them(Config) ->
    Before = erlang:system_flag(microstate_accounting, false),
    try
        [accounts(Config, IsOn) || IsOn <- [false, true]]
    after
        erlang:system_flag(microstate_accounting, Before)
    end.

accounts(Config0, IsOn) ->
    Config = [{case_name, list_to_atom("accounts_" ++ atom_to_list(IsOn))} | Config0],
    _ = erlang:system_flag(microstate_accounting, reset),
    _ = IsOn andalso erlang:system_flag(microstate_accounting, true),
    start(Config, [msacc, reductions_per_cpu_ms], [], true),
    case has_cpu() of
        false ->
            {skip, "no CPU sampling here"};
        true ->
            [Hog] = flame_prof_case:hogs(1),
            flame_prof_case:eventually(
              fun() -> maps:get(samples, maps:get(cpu, flame_prof:info())) > 250 end),
            flame_prof_case:end_all([Hog]),
            {ok, _} = flame_prof_case:stop(),
            Summary = cpu_summary(Config),
            Emulator = values(Hog, <<"erlang_msacc_emulator_us">>, Summary),
            Rate = values(Hog, <<"erlang_reductions_per_cpu_ms">>, Summary),
            ct:pal("~w: ~w~n~w", [IsOn, lists:usort(Emulator), lists:usort(Rate)]),
            ?assertEqual(IsOn, last_value(Emulator) > 0),
            ?assertEqual(IsOn, deltas(Emulator) > 0),
            ?assertEqual(IsOn, erlang:system_flag(microstate_accounting, IsOn)),
            %% Of one that stands for what a hypervisor took it is nearly nothing.
            Median = lists:nth(length(Rate) div 2, lists:sort([Value || {Value, _} <- Rate])),
            ?assert(Median > 100 andalso Median < 10000000, Rate)
    end.
