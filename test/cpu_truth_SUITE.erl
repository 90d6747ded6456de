%% SPDX-License-Identifier: Apache-2.0
%% What the scheduler sampler says of CPU time, against the clocks of the threads and the
%% accounts of the VM: by any share, of processes however short, by either method.
-module(cpu_truth_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(cpu_case, [start/2, samples/1, of_states/2, with_function/2, has_function/2, state_counts/1,
                   cpu_ns/1, bounds/3, holds/3, shares_hold/3]).
-import(flame_prof_case, [eventually/1, of_process/2]).

-define(LOAD_MS, 12000).
%% Samples that a VM that spins has at least.
-define(SPUN, 100).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("it_", atom_to_list(Name))].

init_per_suite(Config) ->
    cpu_case:init(Config).

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- shares --------------------------------------------------------------------------

it_gives_each_part_its_share(Config) ->
    {ok, _} = start(Config, #{}),
    BeforeNs = cpu_of_threads("."),
    {Pid, Truth} = cpu_load:run(?LOAD_MS, cpu_load:parts()),
    {ok, Summary} = flame_prof_case:stop(),
    UsedNs = cpu_of_threads(".") - BeforeNs,
    All = samples(Config),
    Samples = of_process(Pid, All),
    LostNs = cpu_case:lost_ns(Summary),
    ct:pal("~p", [maps:get(cpu, Summary)]),
    shares_hold([{Part, maps:get(Part, Truth), with_function(part_name(Part), Samples)}
                 || Part <- cpu_load:parts()], All, LostNs),
    %% All of it is there, and no more than the VM used.
    holds(lists:sum(maps:values(Truth)), bounds(Samples, All, LostNs), 0.05),
    ?assert(cpu_ns(All) =< 1.05 * UsedNs, {cpu_ns(All), UsedNs}),
    states_are_right(Samples).

part_name(Part) -> iolist_to_binary(["cpu_load:", atom_to_binary(Part), "/1"]).

%% What a part does is told by the state of its samples.
states_are_right(Samples) ->
    [begin
         Of = with_function(part_name(Part), Samples),
         In = of_states(States, Of),
         ?assert(length(In) >= 0.7 * length(Of) - 3, {Part, length(In), length(Of), state_counts(Of)})
     end || {Part, States} <- [{nif_part, [nif]}, {arithmetic_part, [emulator]}, {ets_part, [ets, emulator]},
                               {gc_part, [gc_minor, gc_major, bif]}]],
    ?assertMatch([_ | _], of_states([gc_major, gc_minor], Samples)),
    ?assertEqual([], [S || S <- of_states([nif], Samples),
                           not has_function(<<"walker_test_nif:compute/1">>, S),
                           not has_function(<<"walker_test_nif:thread_cpu_ns/0">>, S)]),
    ?assertMatch([_ | _], with_function(<<"ets:lookup/2">>, of_states([ets], Samples))).

it_sees_processes_that_live_for_a_millisecond(Config) ->
    {ok, _} = start(Config, #{}),
    Self = self(),
    Steady = spawn_opt(fun() -> Self ! {steady, cpu_load:run(4000, [arithmetic_part])} end, [link]),
    {Count, ShortNs} = cpu_load:short_lived(6000),
    {_, #{arithmetic_part := SteadyNs}} = receive {steady, Result} -> Result end,
    unlink(Steady),
    {ok, Summary} = flame_prof_case:stop(),
    ct:pal("~b processes", [Count]),
    ?assert(Count > 100),
    All = samples(Config),
    shares_hold([{short, ShortNs, with_function(<<"cpu_load:short_work/1">>, All)},
                 {steady, SteadyNs, with_function(part_name(arithmetic_part), All)}],
                All, cpu_case:lost_ns(Summary)).

%% Tens of thousands a second, as many as the machine can: theirs is what they worked.
it_sees_processes_that_live_for_microseconds(Config) ->
    {ok, _} = start(Config, #{}),
    {PerSecond, ShortNs, SteadyNs} = cpu_load:swarm(fun() -> count() > 3000 end),
    {ok, Summary} = flame_prof_case:stop(),
    ct:pal("~b processes a second", [PerSecond]),
    All = samples(Config),
    ?assert(length(All) > 3000),
    shares_hold([{short, ShortNs, with_function(<<"cpu_load:short_work/1">>, All)},
                 {steady, SteadyNs, with_function(<<"cpu_load:steady_work/1">>, All)}],
                All, cpu_case:lost_ns(Summary)).

%% Samples so far; nobody may have the time to say.
count() ->
    case flame_prof:info() of
        #{cpu := #{samples := Count}} -> Count;
        _ -> 0
    end.

%% --- dirty schedulers, waiting -------------------------------------------------------

it_sees_dirty_nifs(Config) ->
    {ok, _} = start(Config, #{}),
    {Pid, TruthNs} = run_dirty(3000),
    {ok, Summary} = flame_prof_case:stop(),
    All = samples(Config),
    Samples = of_states([nif], of_process(Pid, All)),
    %% Where who writes is kept from running for half a second, some are lost, and told.
    holds(TruthNs, bounds(Samples, All, cpu_case:lost_ns(Summary)), 0.1),
    ?assertEqual([], Samples -- with_function(<<"walker_test_nif:spin_dirty/1">>, Samples)),
    Partial = Samples -- with_function(<<"cpu_truth_SUITE:dirty/1">>, Samples),
    ?assert(length(Partial) =< cpu_case:few(0.03, length(Samples))).

%% Gives the process, and the CPU time of the dirty schedulers meanwhile: however much a
%% busy machine leaves them.
run_dirty(Ms) ->
    Before = cpu_of_threads("dirty_cpu|dcpus"),
    Pid = flame_prof_case:spawned(fun() -> dirty(Ms), receive stop -> ok end end),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {Pid, cpu_of_threads("dirty_cpu|dcpus") - Before}.

cpu_of_threads(Names) ->
    lists:sum([schedstat_ns(Task) || Task <- filelib:wildcard("/proc/self/task/*"),
                                     {ok, Name} <- [file:read_file(Task ++ "/comm")],
                                     re:run(Name, Names) =/= nomatch]).

schedstat_ns(Task) ->
    case file:read_file(Task ++ "/schedstat") of
        {ok, Text} -> binary_to_integer(hd(binary:split(Text, <<" ">>)));
        {error, enoent} -> 0
    end.

dirty(Ms) ->
    Result = walker_test_nif:spin_dirty(Ms),
    {done, Result}.

%% Nothing to do is no work: in a VM that is made to spin for long, nearly all of an
%% idle scheduler's time is told as waiting, and next to nothing as a process's.
it_never_shows_waiting_as_work(Config) ->
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                 args => ["+sbwt", "very_long", "+swt", "very_low", "-pa" | cpu_case:paths()]}),
    Directory = filename:join(?config(priv_dir, Config), "spinning"),
    Samples = peer:call(Peer, ?MODULE, spinning_run, [Directory], 600000),
    peer:stop(Peer),
    Light = cpu_case:light(Samples),
    ct:pal("~b ms of CPU: ~p, light ~p", [cpu_ns(Samples) div 1000000, state_counts(Samples),
                                          state_counts(Light)]),
    case length(Light) >= ?SPUN div 2 of
        true ->
            ?assert(length(of_states([busy_wait], Light)) > 0.5 * length(Light)),
            ?assert(length(of_states([busy_wait, scheduling, check_io, timers, aux], Light))
                    > 0.8 * length(Light));
        false ->
            {skip, lists:flatten(io_lib:format("the VM did not spin: ~b samples", [length(Light)]))}
    end.

%% What wakes a scheduler now and then keeps it spinning; until that was seen for a while,
%% where the machine has little to give.
spinning_run(Directory) ->
    {ok, _} = flame_prof:start(#{basename => Directory, auto_select => none,
                                 cpu_sampling => #{rate => cpu_case:rate()}}),
    Wakers = [spawn_opt(fun wake_often/0, [link, {scheduler, N}])
              || N <- lists:seq(1, erlang:system_info(schedulers_online))],
    spun(240),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Wakers],
    {ok, _} = flame_prof_case:stop(),
    lists:append([maps:get(samples, perf_script_reader:read(File))
                  || File <- filelib:wildcard(filename:join(Directory, "flame_prof_cpu-*.perf"))]).

spun(0) ->
    ok;
spun(Seconds) ->
    receive after 4000 -> ok end,
    count() >= ?SPUN orelse spun(Seconds - 4).

wake_often() -> receive after 1 -> wake_often() end.

%% Who asks how much memory there is has every scheduler sum up its own between two
%% processes: told as such where the VM exports what does such jobs, as scheduling where it
%% hides it. The VM's own account of it says how much there is.
it_tells_aux_work_from_scheduling(Config) ->
    {ok, _} = start(Config, #{auto_select => none}),
    Askers = [spawn_opt(fun ask_for_memory/0, [link, {scheduler, N}])
              || N <- lists:seq(1, erlang:system_info(schedulers_online))],
    Accounts = [aux_account(100) || _ <- lists:seq(1, 11)],
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Askers],
    {ok, _} = flame_prof_case:stop(),
    Samples = samples(Config),
    Light = cpu_case:light(Samples),
    Percent = fun(States) -> 100 * length(of_states(States, Light)) / length(Light) end,
    Sampled = Percent([aux]),
    %% By the wall: where one of them was away for long, an account is all of that.
    Truth = lists:nth(6, lists:sort(Accounts)),
    ct:pal("aux ~.1f % by the VM's accounts ~p, sampled ~.1f %~n~p",
           [Truth, Accounts, Sampled, state_counts(Light)]),
    ?assert(Truth > 3),
    %% All these are exported together, or not at all.
    case with_function(<<"erts_schedule">>, Samples) of
        [] ->
            ?assertEqual([], of_states([aux], Samples)),
            ?assert(Percent([scheduling, busy_wait]) > Truth / 2);
        _ ->
            ?assert(Sampled > Truth / 2 andalso Sampled < Truth * 3, {Truth, Sampled}),
            ?assertEqual([], [S || #{number := Number} = S <- of_states([aux], Samples), Number =/= 0])
    end.

ask_for_memory() -> _ = erlang:memory(), ask_for_memory().

%% Of what the schedulers did not sleep, for so many samples.
aux_account(Samples) ->
    Before = count(),
    _ = erlang:system_flag(microstate_accounting, reset),
    _ = erlang:system_flag(microstate_accounting, true),
    eventually(fun() -> count() >= Before + Samples end),
    Accounts = erlang:statistics(microstate_accounting),
    _ = erlang:system_flag(microstate_accounting, false),
    Counters = [Counters || #{type := scheduler, counters := Counters} <- Accounts],
    Sum = fun(Without) -> lists:sum([lists:sum(maps:values(maps:without(Without, C))) || C <- Counters]) end,
    100 * (Sum([sleep]) - Sum([sleep, aux])) / Sum([sleep]).

%% --- where signals are refused -------------------------------------------------------

%% From a thread of our own: which process, how much, and roughly where; told as
%% approximate everywhere.
it_watches_when_it_may_not_signal(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => cpu_case:rate(), method => foreign}}),
    {Pid, Truth} = cpu_load:run(4000, [lists_part, arithmetic_part, gc_part]),
    {ok, #{cpu := Cpu} = Summary} = flame_prof_case:stop(),
    ct:pal("~p", [Cpu]),
    ?assertMatch(#{method := foreign, approximate := true, handler_median_ns := 0}, Cpu),
    All = samples(Config),
    Samples = of_process(Pid, All),
    ct:pal("~b samples: ~p", [length(Samples), state_counts(Samples)]),
    holds(lists:sum(maps:values(Truth)), bounds(Samples, All, cpu_case:lost_ns(Summary)), 0.2),
    ?assertEqual([], maps:keys(state_counts(Samples)) -- [running, gc_minor, gc_major, exiting]),
    ?assertEqual([], [S || #{frames := [{Leaf, _} | _]} = S <- Samples,
                           Leaf =/= <<"[on a scheduler, stack may lag]">>]),
    Placed = [S || #{frames := Frames} = S <- Samples,
                   [] =/= [F || {<<"cpu_load:-run/2-fun-", _/binary>> = F, _} <- Frames]],
    ?assert(length(Placed) > 0.7 * length(Samples), {length(Placed), length(Samples)}),
    [File] = cpu_case:files(Config),
    #{comments := Comments} = perf_script_reader:read(File),
    ?assertMatch(#{<<"cpu_method">> := <<"foreign, approximate">>}, Comments).

it_watches_dirty_nifs(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => cpu_case:rate(), method => foreign}}),
    {Pid, TruthNs} = run_dirty(1500),
    {ok, Summary} = flame_prof_case:stop(),
    All = samples(Config),
    Samples = of_states([nif], of_process(Pid, All)),
    %% What ran between two looks, and not at a look, is counted to who is seen next.
    holds(TruthNs, bounds(Samples, All, cpu_case:lost_ns(Summary)), 0.2),
    ?assertEqual([], Samples -- with_function(<<"walker_test_nif:spin_dirty/1">>, Samples)).

%% --- above the kernel's tick ---------------------------------------------------------

%% Perf events, or the reason why not: more than a tick of 4 ms could give, by the CPU time
%% that there was or, where a hypervisor has had most of that, between two samples.
it_samples_above_the_tick_where_it_may(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => 997}}),
    case flame_prof:info() of
        #{cpu := #{off := Why}} ->
            {skip, binary_to_list(Why)};
        #{cpu := _} ->
            {Pid, #{arithmetic_part := TruthNs}} = cpu_load:run(2000, [arithmetic_part]),
            {ok, #{cpu := #{ring_full := Lost}}} = flame_prof_case:stop(),
            Samples = of_process(Pid, samples(Config)),
            Gaps = lists:sort(flame_prof_case:gaps_us(Samples)),
            Median = lists:nth(length(Gaps) div 2, Gaps),
            ct:pal("~b samples and ~b lost of ~.2f s, ~b us between two",
                   [length(Samples), Lost, TruthNs / 1.0e9, Median]),
            ?assert(length(Samples) > 100),
            ?assert(length(Samples) + Lost > 0.5 * 997 * TruthNs / 1.0e9 orelse Median < 2000)
    end.
