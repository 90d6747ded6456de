%% SPDX-License-Identifier: Apache-2.0
%% @doc A busy process that never looks at its mailbox, with very many messages
%% in it. A profiler that asks it by a signal has it walk its mailbox; the pauses
%% show that.
-module(bench_million_queue).
-behaviour(bench_args).
-behaviour(bench_load).

-export([help/0, options/0, main/1]).
-export([start/1, stop/1, ops/1]).

-define(OPS, 1).
-define(PAUSE_MAX, 2).

help() ->
    "As bench/throughput, for busy processes with very many messages in their mailboxes.\n"
    "Prints the longest time between two of their operations, too.".

options() ->
    bench_throughput:options(5)
        ++ [{queued, 1000000, "messages in each mailbox"}, {holders, 1, "processes with such a mailbox"}].

main(#{queued := Queued, holders := Holders} = Options) ->
    bench_report:figure("mailboxes", "~b with ~b messages each", [Holders, Queued]),
    bench_throughput:measure(?MODULE, Options).

start(#{queued := Queued, holders := Holders}) ->
    Counters = counters:new(2, []),
    Pids = [spawn_link(fun() -> hold(Counters) end) || _ <- lists:seq(1, Holders)],
    _ = [Pid ! {message, N} || N <- lists:seq(1, Queued), Pid <- Pids],
    _ = [Pid ! go || Pid <- Pids],
    {Counters, Pids}.

stop({Counters, Pids}) ->
    _ = [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    bench_report:figure("longest pause, whole run", "~.2f ms", [counters:get(Counters, ?PAUSE_MAX) / 1000]).

ops({Counters, _}) ->
    counters:get(Counters, ?OPS).

hold(Counters) ->
    receive go -> ok end,
    work(Counters, bench_report:now_us()).

work(Counters, Last) ->
    _ = lists:sort([N * 7 rem 101 || N <- lists:seq(1, 100)]),
    counters:add(Counters, ?OPS, 1),
    Now = bench_report:now_us(),
    case Now - Last > counters:get(Counters, ?PAUSE_MAX) of
        true -> counters:put(Counters, ?PAUSE_MAX, Now - Last);
        false -> ok
    end,
    work(Counters, Now).
