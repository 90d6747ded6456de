%% SPDX-License-Identifier: Apache-2.0
%% @doc 400 gen_servers that pass tokens to each other. Whoever gets one does a
%% piece of work (lists, maps, binaries, ETS or a tree) and passes it on to
%% anyone, so all schedulers are busy and more than a hundred processes wait in
%% the run queues.
-module(bench_saturated).
-behaviour(bench_args).
-behaviour(bench_load).
-behaviour(gen_server).

-export([help/0, options/0, load_options/0, main/1]).
-export([start/1, stop/1, ops/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(TABLE, ?MODULE).
-define(ROWS, 2000).

-record(state, {counters :: counters:counters_ref(), number :: pos_integer(), servers :: pos_integer()}).
-record(worker, {number :: pos_integer(),
                 counters :: counters:counters_ref(),
                 others = {} :: tuple(),
                 tree = gb_trees:empty() :: gb_trees:tree()}).

help() ->
    "The load that most benches run beside what they measure, alone: what it does in a\n"
    "second and how long each kind of work takes, called by one process on a quiet VM.".

options() ->
    [{seconds, 10, "how long"} | load_options()].

load_options() ->
    [{servers, 400, "gen_servers of the load"},
     {tokens, 300, "tokens that they pass; about as many processes are runnable"}].

main(#{seconds := Seconds} = Options) ->
    _ = process_flag(priority, max),
    calibrate(),
    Load = bench_load:start(?MODULE, Options),
    bench_load:warm_up(Load),
    _ = [print_second(bench_load:window(Load, 1000)) || _ <- lists:seq(1, Seconds)],
    bench_load:stop(Load).

print_second(#{ops_per_s := Wall, ops_per_cpu_s := Cpu, cpu_ms := CpuMs, wall_us := Us}) ->
    io:format("~8b ops/s  ~8b ops/CPU-s  ~4.2f CPUs  run queue ~b~n",
              [round(Wall), round(Cpu), CpuMs * 1000 / Us, erlang:statistics(total_run_queue_lengths)]).

%% The load

start(#{servers := Servers, tokens := Tokens}) ->
    ?TABLE = ets:new(?TABLE, [named_table, public, {write_concurrency, true}]),
    ets:insert(?TABLE, [{Row, 0} || Row <- lists:seq(1, ?ROWS)]),
    Counters = counters:new(Servers, []),
    Pids = [begin {ok, Pid} = gen_server:start(?MODULE, {Number, Counters}, []), Pid end
            || Number <- lists:seq(1, Servers)],
    Others = list_to_tuple(Pids),
    _ = [gen_server:call(Pid, {others, Others}) || Pid <- Pids],
    _ = [gen_server:cast(element(1 + Token rem Servers, Others), {token, Token})
         || Token <- lists:seq(1, Tokens)],
    {Pids, #state{counters = Counters, number = 1, servers = Servers}}.

stop({Pids, _}) ->
    _ = [exit(Pid, kill) || Pid <- Pids],
    _ = [wait_for(monitor(process, Pid)) || Pid <- Pids],
    true = ets:delete(?TABLE),
    ok.

wait_for(Monitor) ->
    receive {'DOWN', Monitor, process, _, _} -> ok end.

ops({_, #state{counters = Counters, servers = Servers}}) ->
    lists:sum([counters:get(Counters, Number) || Number <- lists:seq(1, Servers)]).

%% A server

init({Number, Counters}) ->
    _ = rand:seed(exsss, Number),
    {ok, #worker{number = Number, counters = Counters}}.

handle_call({others, Others}, _From, Worker) ->
    {reply, ok, Worker#worker{others = Others}}.

handle_cast({token, Token}, #worker{others = Others} = Worker) ->
    Worked = work(kind(Token), Token, Worker),
    counters:add(Worker#worker.counters, Worker#worker.number, 1),
    gen_server:cast(element(rand:uniform(tuple_size(Others)), Others), {token, Token + 1}),
    {noreply, Worked}.

kind(Token) ->
    element(1 + Token rem 8, {lists, maps, binary, ets, lists, maps, binary, tree}).

work(lists, Token, Worker) -> _ = do_lists(Token), Worker;
work(maps, Token, Worker) -> _ = do_maps(Token), Worker;
work(binary, Token, Worker) -> _ = do_binary(Token), Worker;
work(ets, Token, Worker) -> _ = do_ets(Token), Worker;
work(tree, Token, #worker{tree = Tree} = Worker) -> Worker#worker{tree = do_tree(Token, Tree)}.

do_lists(Token) ->
    Numbers = [N * Token rem 1009 || N <- lists:seq(1, 170)],
    lists:foldl(fun(N, Sum) -> Sum + N end, 0, lists:reverse(lists:sort(Numbers))).

do_maps(Token) ->
    Map = maps:from_list([{N, N * Token} || N <- lists:seq(1, 36)]),
    maps:fold(fun(_, V, Sum) -> Sum + V end, 0, maps:map(fun(K, V) -> K + V end, Map)).

do_binary(Token) ->
    Text = binary:copy(<<"some text, ", (integer_to_binary(Token))/binary, "; ">>, 44),
    erlang:md5(iolist_to_binary(binary:split(Text, <<";">>, [global]))).

do_ets(Token) ->
    Rows = [ets:lookup(?TABLE, 1 + (Token * N) rem ?ROWS) || N <- lists:seq(1, 24)],
    ets:insert(?TABLE, {1 + Token rem ?ROWS, length(Rows)}).

do_tree(Token, Tree) ->
    gb_trees:enter(Token rem 200, Token, Tree).

%% What each kind costs, and so what share of the time a profile should show

calibrate() ->
    ?TABLE = ets:new(?TABLE, [named_table, public]),
    ets:insert(?TABLE, [{Row, 0} || Row <- lists:seq(1, ?ROWS)]),
    Tree = lists:foldl(fun do_tree/2, gb_trees:empty(), lists:seq(1, 200)),
    Costs = [{Name, Weight * us_per_call(Fun)}
             || {Name, Weight, Fun} <- [{"do_lists", 2, fun do_lists/1}, {"do_maps", 2, fun do_maps/1},
                                        {"do_binary", 2, fun do_binary/1}, {"do_ets", 1, fun do_ets/1},
                                        {"do_tree", 1, fun(N) -> do_tree(N, Tree) end}]],
    Sum = lists:sum([Cost || {_, Cost} <- Costs]),
    _ = [bench_report:figure(Name ++ " share of work", "~4.1f %", [100 * Cost / Sum]) || {Name, Cost} <- Costs],
    bench_report:figure("work per op, mean", "~.1f us", [Sum / 8]),
    true = ets:delete(?TABLE),
    ok.

%% The best of some tries: whatever else the machine does only adds to it.
us_per_call(Fun) ->
    Calls = lists:seq(1, 2000),
    lists:min([element(1, timer:tc(fun() -> lists:foreach(Fun, Calls) end)) || _ <- lists:seq(1, 15)])
        / length(Calls).
