%% SPDX-License-Identifier: Apache-2.0
%% @doc As much of AMQP 0-9-1 as a load needs: messages are frames made beforehand, and
%% those that arrive are counted and not looked at, so that the client costs little
%% beside the broker.
-module(bench_amqp).

-export([connect/1, declare/2, publication/2, consume/3]).

-define(TIMEOUT_MS, 10000).
-define(METHOD, 1).
-define(HEADER, 2).
-define(BODY, 3).
-define(END, 16#CE).
-define(NO_ACK, 2).

-type port_number() :: inet:port_number().

%% @doc As guest, with channel 1 open.
-spec connect(port_number()) -> gen_tcp:socket().
connect(Port) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    ok = gen_tcp:send(Socket, <<"AMQP", 0, 0, 9, 1>>),
    _ = expected(Socket, {10, 10}),
    Login = <<0, "guest", 0, "guest">>,
    ok = method(Socket, 0, {10, 11}, [<<0:32>>, short(<<"PLAIN">>), <<(byte_size(Login)):32>>, Login,
                                      short(<<"en_US">>)]),
    <<ChannelMax:16, FrameMax:32, _:16>> = expected(Socket, {10, 30}),
    ok = method(Socket, 0, {10, 31}, <<ChannelMax:16, FrameMax:32, 0:16>>),
    ok = method(Socket, 0, {10, 40}, [short(<<"/">>), short(<<>>), 0]),
    _ = expected(Socket, {10, 41}),
    ok = method(Socket, 1, {20, 10}, short(<<>>)),
    _ = expected(Socket, {20, 11}),
    Socket.

%% @doc A queue in memory.
-spec declare(gen_tcp:socket(), binary()) -> ok.
declare(Socket, Queue) ->
    ok = method(Socket, 1, {50, 10}, [<<0:16>>, short(Queue), 0, <<0:32>>]),
    _ = expected(Socket, {50, 11}),
    ok.

%% @doc What publishes a message of so many bytes into a queue.
-spec publication(binary(), pos_integer()) -> binary().
publication(Queue, Bytes) ->
    iolist_to_binary([frame(?METHOD, 1, [<<60:16, 40:16, 0:16>>, short(<<>>), short(Queue), 0]),
                      frame(?HEADER, 1, <<60:16, 0:16, Bytes:64, 0:16>>),
                      frame(?BODY, 1, binary:copy(<<"m">>, Bytes))]).

%% @doc Consumes for ever; calls `Arrived' with how many messages have come since the
%% last call.
-spec consume(gen_tcp:socket(), binary(), fun((pos_integer()) -> ok)) -> no_return().
consume(Socket, Queue, Arrived) ->
    ok = method(Socket, 1, {60, 20}, [<<0:16>>, short(Queue), short(<<>>), ?NO_ACK, <<0:32>>]),
    consuming(Socket, <<>>, Arrived).

consuming(Socket, Rest, Arrived) ->
    {ok, Data} = gen_tcp:recv(Socket, 0),
    {Count, Left} = bodies(<<Rest/binary, Data/binary>>, 0),
    Count > 0 andalso Arrived(Count),
    consuming(Socket, Left, Arrived).

bodies(<<?BODY, _:16, Size:32, _:Size/binary, ?END, Rest/binary>>, Count) -> bodies(Rest, Count + 1);
bodies(<<_, _:16, Size:32, _:Size/binary, ?END, Rest/binary>>, Count) -> bodies(Rest, Count);
bodies(Rest, Count) -> {Count, Rest}.

method(Socket, Channel, {Class, Method}, Arguments) ->
    gen_tcp:send(Socket, frame(?METHOD, Channel, [<<Class:16, Method:16>>, Arguments])).

frame(Type, Channel, Payload) ->
    [<<Type, Channel:16, (iolist_size(Payload)):32>>, Payload, ?END].

short(Text) -> <<(byte_size(Text)), Text/binary>>.

%% The arguments of the method that comes next, which must be that one.
expected(Socket, {Class, Method}) ->
    {ok, <<?METHOD, _:16, Size:32>>} = gen_tcp:recv(Socket, 7, ?TIMEOUT_MS),
    {ok, Frame} = gen_tcp:recv(Socket, Size + 1, ?TIMEOUT_MS),
    <<Class:16, Method:16, Arguments:(Size - 4)/binary, ?END>> = Frame,
    Arguments.
