%% SPDX-License-Identifier: Apache-2.0
%% @doc What profiling costs a message broker at full load. The load comes from this
%% VM, what is measured is the other one: the profiler and bench_throughput run there.
-module(bench_rabbitmq).
-behaviour(bench_args).
-behaviour(bench_load).

-export([help/0, options/0, main/1]).
-export([start/1, stop/1, ops/1]).
-export([begin_client/1, end_client/1, received/1]).

-define(UP_MS, 120000).
-define(BATCH, 50).
-define(AWAITED_MAX, 4000).

help() ->
    "As bench/throughput, in a RabbitMQ broker of its own that passes messages through its\n"
    "queues as fast as it can, a publisher and a consumer each, no acknowledgements. An\n"
    "operation is a message that has arrived, CPU time is the broker's alone.".

options() ->
    bench_throughput:options(8)
        ++ [{queues, 4, "how many"},
            {bytes, 100, "length of a message"},
            {node, "", "the broker, which the script has started"},
            {port, 0, "where it listens"}].

main(#{node := Name} = Options) ->
    Broker = list_to_atom(Name),
    up(Broker, erlang:monotonic_time(millisecond) + ?UP_MS),
    bench_report:figure("RabbitMQ", "~ts", [version(Broker)]),
    erpc:call(Broker, bench_throughput, measure, [?MODULE, Options#{client => node()}], infinity).

up(Broker, Deadline) ->
    case net_kernel:connect_node(Broker) =:= true andalso is_running(Broker) of
        true -> ok;
        false ->
            erlang:monotonic_time(millisecond) < Deadline orelse throw({bench, "the broker does not start"}),
            timer:sleep(200),
            up(Broker, Deadline)
    end.

is_running(Broker) ->
    try erpc:call(Broker, rabbit, is_running, [])
    catch error:_ -> false
    end.

version(Broker) ->
    {rabbit, _, Version} = lists:keyfind(rabbit, 1, erpc:call(Broker, application, which_applications, [])),
    Version.

%% In the broker.

start(#{client := Client} = Options) ->
    {Client, erpc:call(Client, ?MODULE, begin_client, [Options])}.

stop({Client, Load}) ->
    erpc:call(Client, ?MODULE, end_client, [Load]).

ops({Client, Load}) ->
    erpc:call(Client, ?MODULE, received, [Load]).

%% In the client.

begin_client(#{queues := Queues} = Options) ->
    [begin_queue(Number, Options) || Number <- lists:seq(1, Queues)].

begin_queue(Number, #{port := Port, bytes := Bytes}) ->
    Queue = <<"flame_prof_", (integer_to_binary(Number))/binary>>,
    %% Published, received.
    Counters = counters:new(2, []),
    Self = self(),
    Consumer = spawn(fun() ->
                         Socket = bench_amqp:connect(Port),
                         ok = bench_amqp:declare(Socket, Queue),
                         Self ! {declared, self()},
                         bench_amqp:consume(Socket, Queue, fun(N) -> counters:add(Counters, 2, N) end)
                     end),
    receive {declared, Consumer} -> ok end,
    Publisher = spawn(fun() ->
                          Batch = binary:copy(bench_amqp:publication(Queue, Bytes), ?BATCH),
                          publish(bench_amqp:connect(Port), Batch, Counters)
                      end),
    {[Consumer, Publisher], Counters}.

%% As fast as the broker takes it, but no heap of messages.
publish(Socket, Batch, Counters) ->
    case counters:get(Counters, 1) - counters:get(Counters, 2) of
        Awaited when Awaited > ?AWAITED_MAX -> timer:sleep(1);
        _ ->
            ok = gen_tcp:send(Socket, Batch),
            counters:add(Counters, 1, ?BATCH)
    end,
    publish(Socket, Batch, Counters).

end_client(Load) ->
    [exit(Pid, kill) || {Pids, _} <- Load, Pid <- Pids],
    ok.

received(Load) ->
    lists:sum([counters:get(Counters, 2) || {_, Counters} <- Load]).
