%% SPDX-License-Identifier: Apache-2.0
%% @doc Work whose parts are known: each part's share of the CPU time is measured by
%% the clock of the thread that it runs on, independently of the profiler.
-module(cpu_load).

-export([run/2, parts/0]).
-export([lists_part/1, maps_part/1, binaries_part/1, ets_part/1, gc_part/1, bif_part/1, nif_part/1,
         arithmetic_part/1]).
-export([short_lived/1, short_work/1]).
-export([swarm/1, steady_work/1]).

parts() ->
    [lists_part, maps_part, binaries_part, ets_part, gc_part, bif_part, nif_part, arithmetic_part].

%% Runs the parts in random order on one scheduler until they have had so much CPU time,
%% on a machine that others use too as on one of its own. Gives the CPU time of each
%% part in ns and the process.
run(Ms, Parts) ->
    {Pid, Monitor} = spawn_opt(fun() -> exit({done, begin_run(Ms, Parts)}) end,
                               [monitor, {scheduler, 1}]),
    receive {'DOWN', Monitor, process, Pid, {done, Cpu}} -> {Pid, Cpu} end.

begin_run(Ms, Parts) ->
    _ = rand:seed(exsss, {1, 2, 3}),
    Table = ets:new(?MODULE, [set, public]),
    ets:insert(Table, [{N, N} || N <- lists:seq(1, 1000)]),
    Tools = #{table => Table, heap => [lists:seq(1, 100) || _ <- lists:seq(1, 300)],
              map => maps:from_list([{N, N} || N <- lists:seq(1, 500)]),
              list => [rand:uniform(1000000) || _ <- lists:seq(1, 1000)]},
    loop(Ms * 1000000, list_to_tuple(Parts), Tools, #{}).

loop(LeftNs, Parts, Tools, Cpu) ->
    Part = element(rand:uniform(tuple_size(Parts)), Parts),
    Before = walker_test_nif:thread_cpu_ns(),
    Result = ?MODULE:Part(Tools),
    After = walker_test_nif:thread_cpu_ns(),
    keep(Result),
    Next = maps:update_with(Part, fun(Ns) -> Ns + After - Before end, After - Before, Cpu),
    case LeftNs - (After - Before) of
        Left when Left > 0 -> loop(Left, Parts, Tools, Next);
        _ -> Next
    end.

keep(_) -> ok.

%% No part ends in a tail call: it stays on the stack while it works.

lists_part(#{list := List}) ->
    Sorted = lists:sort(List),
    {lists:sum(lists:map(fun(N) -> N * 2 end, Sorted)), length(lists:reverse(Sorted))}.

maps_part(#{map := Map, list := List}) ->
    Filled = lists:foldl(fun(N, M) -> maps:put(N rem 997, N, M) end, Map, List),
    {maps:fold(fun(_, V, Sum) -> V + Sum end, 0, Filled), map_size(Filled)}.

binaries_part(#{list := List}) ->
    Built = << <<N:32, "key">> || N <- List >>,
    Parts = binary:split(Built, <<"key">>, [global]),
    {byte_size(Built), length(Parts)}.

ets_part(#{table := Table}) ->
    Found = [ets:lookup(Table, N) || N <- lists:seq(1, 1000)],
    Ranged = ets:select(Table, [{{'$1', '$2'}, [{'>', '$2', 900}], ['$1']}]),
    {length(Found), length(Ranged)}.

gc_part(#{heap := Heap}) ->
    true = erlang:garbage_collect(),
    {collected, length(Heap)}.

bif_part(#{list := List}) ->
    Binary = term_to_binary(List),
    Hash = erlang:phash2(binary_to_term(Binary)),
    {Hash, erlang:md5(Binary)}.

nif_part(_) ->
    Value = walker_test_nif:compute(300000),
    {computed, Value}.

arithmetic_part(_) ->
    Value = count(100000, 0),
    {counted, Value}.

count(0, Sum) -> Sum;
count(N, Sum) -> count(N - 1, (Sum + N) band 16#FFFFFF).

%% Processes that live for about a millisecond of work, one after the other, until they
%% have had so much CPU time. Gives how many there were, and that time. They have a
%% scheduler of their own: what a thread's clock says of one holds no other's work.
short_lived(Ms) ->
    {Pid, Monitor} = spawn_opt(fun() -> exit({done, short_loop(Ms * 1000000, {0, 0})}) end,
                               [monitor, short_scheduler(), {priority, high}]),
    receive {'DOWN', Monitor, process, Pid, {done, Started}} -> Started end.

short_scheduler() ->
    {scheduler, min(2, erlang:system_info(schedulers_online))}.

short_loop(EnoughNs, {Count, Ns}) when Ns >= EnoughNs ->
    {Count, Ns};
short_loop(EnoughNs, {Count, Ns}) ->
    start_short(),
    receive
        {'DOWN', _, process, _, {worked, WorkedNs}} ->
            short_loop(EnoughNs, {Count + 1, Ns + WorkedNs})
    end.

start_short() ->
    spawn_opt(fun() ->
                  Before = walker_test_nif:thread_cpu_ns(),
                  Value = short_work(40000),
                  keep(Value),
                  exit({worked, walker_test_nif:thread_cpu_ns() - Before})
              end, [monitor, short_scheduler()]).

short_work(N) ->
    Value = count(N, 0),
    {short, Value}.

%% As many processes as the machine can start and end, each with 20 us of work or so,
%% beside as many that work on; until `IsEnough' is true. Nobody is preempted within
%% what is measured, so the clock of the thread is the process's. Gives how many there
%% were a second, and the CPU time in ns of either kind of work.
swarm(IsEnough) ->
    %% Started, ended, work of those, work of the others.
    Counters = counters:new(4, [write_concurrency]),
    From = erlang:monotonic_time(millisecond),
    Pids = [spawn_opt(Loop, [link])
            || _ <- lists:seq(1, erlang:system_info(schedulers_online)),
               Loop <- [fun() -> start_swarm(Counters) end, fun() -> work_on(Counters) end]],
    until(IsEnough),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    Ended = counters:get(Counters, 2),
    {Ended * 1000 div (erlang:monotonic_time(millisecond) - From),
     counters:get(Counters, 3), counters:get(Counters, 4)}.

until(IsEnough) ->
    IsEnough() orelse receive after 100 -> until(IsEnough) end.

%% At most so many at a time.
start_swarm(Counters) ->
    case counters:get(Counters, 1) - counters:get(Counters, 2) < 200 of
        true ->
            counters:add(Counters, 1, 1),
            _ = spawn(fun() ->
                          measured(Counters, 3, fun() -> short_work(1000) end),
                          counters:add(Counters, 2, 1)
                      end);
        false ->
            erlang:yield()
    end,
    start_swarm(Counters).

work_on(Counters) ->
    erlang:yield(),
    measured(Counters, 4, fun() -> steady_work(2000) end),
    work_on(Counters).

measured(Counters, At, Work) ->
    Before = walker_test_nif:thread_cpu_ns(),
    Value = Work(),
    counters:add(Counters, At, walker_test_nif:thread_cpu_ns() - Before),
    keep(Value).

steady_work(N) ->
    Value = count(N, 0),
    {steady, Value}.
