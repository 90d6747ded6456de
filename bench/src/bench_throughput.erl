%% SPDX-License-Identifier: Apache-2.0
%% @doc What profiling costs: the same load in the same VM, profiled and not, in
%% windows that take turns, so that whatever else the machine does falls on both.
-module(bench_throughput).
-behaviour(bench_args).

-export([help/0, options/0, options/1, main/1, measure/2]).

-define(SETTLE_MS, 1000).

help() ->
    "Runs the load of bench/saturated all the time and profiles it every other window; the\n"
    "order within a pair alternates. Prints operations per CPU-second and per second of\n"
    "both, and the median and the quartiles of the pairs' ratios.".

options() ->
    options(10) ++ bench_saturated:load_options().

%% @doc For benches that differ from this one in their load.
-spec options(pos_integer()) -> [{atom(), integer() | string(), string()}].
options(Pairs) ->
    [{pairs, Pairs, "how many pairs of windows"},
     {seconds, 10, "length of a window"} | bench_profiler:options()].

main(Options) ->
    measure(bench_saturated, Options).

-spec measure(module(), bench_args:options()) -> ok.
measure(Module, #{pairs := Pairs} = Options) ->
    _ = process_flag(priority, max),
    Arms = [off | bench_profiler:load_peer(Options)],
    Load = bench_load:start(Module, Options),
    bench_load:warm_up(Load),
    io:format("~ncolumns: window; ops/CPU-s; ops/s; CPUs used by the VM; and with a profiler: samples, "
              "longest queue seen, stop ms~n"),
    Rounds = [round(Number, Arms, Load, Options) || Number <- lists:seq(1, Pairs)],
    bench_load:stop(Load),
    io:format("~n"),
    _ = [print_ratios(Arm, Rounds) || Arm <- tl(Arms)],
    ok.

%% The arms take turns in being first.
round(Number, Arms, Load, Options) ->
    {Front, Back} = lists:split(Number rem length(Arms), Arms),
    maps:from_list([{Arm, window(Arm, Load, Options)} || Arm <- Back ++ Front]).

window(off, Load, #{seconds := Seconds}) ->
    timer:sleep(?SETTLE_MS),
    Window = bench_load:window(Load, Seconds * 1000),
    print_window(off, Window, "", []),
    Window;
window(Kind, Load, #{seconds := Seconds} = Options) ->
    Running = bench_profiler:start(Kind, Options),
    timer:sleep(?SETTLE_MS),
    Window = bench_load:window(Load, Seconds * 1000),
    #{files := Files, stop_ms := StopMs} = Result = bench_profiler:stop(Running),
    #{times_us := Times, queue_max := Queue} = bench_text:read(Files),
    print_window(Kind, Window, "  ~7b  ~8b  ~7.1f", [length(Times), Queue, StopMs]),
    bench_profiler:remove_files(Result),
    Window.

print_window(Arm, #{ops_per_cpu_s := PerCpu, ops_per_s := PerS, cpu_ms := CpuMs, wall_us := Us}, More, Args) ->
    io:format("~-5ts ~9b ~9b  ~4.2f" ++ More ++ "~n",
              [Arm, round(PerCpu), round(PerS), CpuMs * 1000 / Us | Args]).

print_ratios(Arm, Rounds) ->
    print_ratio(Arm, "ops/CPU-s", ops_per_cpu_s, Rounds),
    print_ratio(Arm, "ops/s", ops_per_s, Rounds).

print_ratio(Arm, Name, Key, Rounds) ->
    Ratios = [maps:get(Key, maps:get(Arm, Round)) / maps:get(Key, maps:get(off, Round))
              || Round <- Rounds],
    {Low, Median, High} = bench_report:quartiles(Ratios),
    bench_report:figure(io_lib:format("~ts/off, ~ts", [Arm, Name]),
                        "~.4f, quartiles ~.4f ~.4f, ~b pairs", [Median, Low, High, length(Ratios)]).
