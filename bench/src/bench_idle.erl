%% SPDX-License-Identifier: Apache-2.0
%% @doc Very many processes that wait, and a few that work: what finding the
%% few among the many costs.
-module(bench_idle).
-behaviour(bench_args).
-behaviour(bench_load).

-export([help/0, options/0, main/1]).
-export([start/1, stop/1, ops/1]).

help() ->
    "As bench/throughput, with 100000 (or --waiting 500000) processes that wait, and 50 that\n"
    "work without a pause.".

options() ->
    bench_throughput:options(8)
        ++ [{waiting, 100000, "processes that wait"}, {busy, 50, "processes that work"}].

main(#{waiting := Waiting, busy := Busy} = Options) ->
    bench_report:figure("processes", "~b waiting, ~b busy", [Waiting, Busy]),
    bench_throughput:measure(?MODULE, Options).

start(#{waiting := Waiting, busy := Busy}) ->
    Counters = counters:new(Busy, []),
    Idle = [spawn(fun wait/0) || _ <- lists:seq(1, Waiting)],
    Workers = [spawn(fun() -> work(Counters, Number) end) || Number <- lists:seq(1, Busy)],
    {Counters, Busy, Idle ++ Workers}.

stop({_, _, Pids}) ->
    _ = [exit(Pid, kill) || Pid <- Pids],
    ok.

ops({Counters, Busy, _}) ->
    lists:sum([counters:get(Counters, Number) || Number <- lists:seq(1, Busy)]).

wait() ->
    receive stop -> ok end.

work(Counters, Number) ->
    _ = lists:sort([N * 7 rem 101 || N <- lists:seq(1, 100)]),
    counters:add(Counters, Number, 1),
    work(Counters, Number).
