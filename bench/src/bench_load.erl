%% SPDX-License-Identifier: Apache-2.0
%% @doc A load: what runs in the VM while something is measured. It counts its
%% operations, so that what a profiler takes away can be seen.
-module(bench_load).

-export([start/2, stop/1, ops/1, warm_up/1, window/2]).
-export_type([load/0, window/0]).

-record(load, {module :: module(), state :: term()}).
-opaque load() :: #load{}.

-type window() :: #{ops := number(), wall_us := pos_integer(), cpu_ms := non_neg_integer(),
                    ops_per_cpu_s := float(), ops_per_s := float()}.

-callback start(bench_args:options()) -> State :: term().
-callback stop(State :: term()) -> ok.
-callback ops(State :: term()) -> non_neg_integer().

-define(WARM_UP_MS, 2000).

-spec start(module(), bench_args:options()) -> load().
start(Module, Options) ->
    #load{module = Module, state = Module:start(Options)}.

-spec stop(load()) -> ok.
stop(#load{module = Module, state = State}) ->
    Module:stop(State).

-spec ops(load()) -> non_neg_integer().
ops(#load{module = Module, state = State}) ->
    Module:ops(State).

-spec warm_up(load()) -> ok.
warm_up(_Load) ->
    timer:sleep(?WARM_UP_MS).

%% @doc What the load did in the next so many milliseconds. The caller should
%% have priority max, or it is not woken in time.
-spec window(load(), pos_integer()) -> window().
window(Load, Ms) ->
    {Ops0, Us0, Cpu0} = {ops(Load), bench_report:now_us(), bench_report:cpu_ms()},
    timer:sleep(Ms),
    {Ops1, Us1, Cpu1} = {ops(Load), bench_report:now_us(), bench_report:cpu_ms()},
    Ops = Ops1 - Ops0,
    #{ops => Ops, wall_us => Us1 - Us0, cpu_ms => Cpu1 - Cpu0,
      ops_per_cpu_s => Ops * 1000 / max(1, Cpu1 - Cpu0),
      ops_per_s => Ops * 1.0e6 / (Us1 - Us0)}.
