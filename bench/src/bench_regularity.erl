%% SPDX-License-Identifier: Apache-2.0
%% @doc How regularly the profiler samples a saturated node, worked out from the
%% times in the files that it wrote.
%%
%% A tick is a run of samples with less than half the interval between
%% two of them. The clock of the samples is os:perf_counter/1's, so what is
%% missing at either end of the session is seen too.
-module(bench_regularity).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

-define(BUCKET_US, 20000).

help() ->
    "Saturates this VM (bench/saturated), profiles it, and works out from the output files\n"
    "how regular the ticks were and what the profiler wrote; and how long stopping took.".

options() ->
    [{seconds, 60, "how long to profile"}]
        ++ bench_profiler:options() ++ bench_saturated:load_options().

main(Options) ->
    _ = process_flag(priority, max),
    Kinds = bench_profiler:load_peer(Options),
    Load = bench_load:start(bench_saturated, Options),
    bench_load:warm_up(Load),
    _ = [measure(Kind, Load, Options) || Kind <- Kinds],
    bench_load:stop(Load).

measure(Kind, Load, #{seconds := Seconds, interval := IntervalMs} = Options) ->
    Running = bench_profiler:start(Kind, Options),
    From = os:perf_counter(microsecond),
    Watch = run_queue(),
    #{wall_us := WallUs, cpu_ms := CpuMs} = bench_load:window(Load, Seconds * 1000),
    Queue = run_queue(Watch),
    To = os:perf_counter(microsecond),
    Result = bench_profiler:stop(Running),
    #{info := Info, files := Files, stop_ms := StopMs, summary := Summary} = Result,
    io:format("~n~ts~n", [Kind]),
    bench_report:figure("tier, reader", "~ts, ~ts (~ts)",
                        [maps:get(tier, Info), maps:get(reader, Info, "-"),
                         maps:get(tier_reason, Info, "-")]),
    bench_report:figure("run queue, median", "~b", [round(Queue)]),
    bench_report:figure("CPUs used by the VM", "~.2f", [CpuMs * 1000 / WallUs]),
    print(bench_text:read(Files), From, To, IntervalMs * 1000),
    bench_report:figure("stop took", "~.1f ms", [StopMs]),
    bench_report:figure("losses", "~0tp",
                        [maps:filter(fun(_, Count) -> Count =/= 0 end, maps:get(losses, Summary, #{}))]),
    bench_profiler:remove_files(Result).

print(#{times_us := []}, _, _, _) ->
    bench_report:figure("samples", "none", []);
print(#{times_us := Times, bytes := Bytes, footer := Footer}, From, To, Interval) ->
    Ticks = ticks(Times, Interval div 2),
    Expected = (To - From) div Interval,
    Gaps = gaps([From | Ticks] ++ [max(To, lists:last(Ticks))]),
    Samples = length(Times),
    Seconds = (To - From) / 1.0e6,
    Buckets = (To - From) div ?BUCKET_US,
    Hit = length(lists:usort([(Time - From) div ?BUCKET_US || Time <- Times, Time >= From,
                              (Time - From) div ?BUCKET_US < Buckets])),
    bench_report:figure("ticks seen / expected", "~b / ~b = ~.2f %",
                        [length(Ticks), Expected, 100 * length(Ticks) / Expected]),
    bench_report:figure("ticks by the footers", "~p taken of ~p",
                        [maps:get(<<"ticks_taken">>, Footer, unknown),
                         maps:get(<<"ticks_expected">>, Footer, unknown)]),
    bench_report:figure("gap, median", "~.2f ms", [bench_report:quantile(0.5, Gaps) / 1000]),
    bench_report:figure("gap, p99", "~.2f ms", [bench_report:quantile(0.99, Gaps) / 1000]),
    bench_report:figure("gap, longest", "~.2f ms", [lists:max(Gaps) / 1000]),
    bench_report:figure("gap, at either end", "~.2f ms, ~.2f ms",
                        [hd(Gaps) / 1000, lists:last(Gaps) / 1000]),
    bench_report:figure("empty 20 ms buckets", "~b of ~b = ~.2f %",
                        [Buckets - Hit, Buckets, 100 * (Buckets - Hit) / Buckets]),
    bench_report:figure("samples", "~b, ~b/s", [Samples, round(Samples / Seconds)]),
    bench_report:figure("bytes", "~b, ~b/s, ~b a sample",
                        [Bytes, round(Bytes / Seconds), round(Bytes / Samples)]).

%% The first time of each tick.
ticks([First | Times], Apart) ->
    {Ticks, _} = lists:foldl(fun(Time, {Found, Last}) when Time - Last > Apart -> {[Time | Found], Time};
                                (Time, {Found, _}) -> {Found, Time}
                             end, {[First], First}, Times),
    lists:reverse(Ticks).

gaps(Times) ->
    lists:zipwith(fun(Later, Earlier) -> max(0, Later - Earlier) end, tl(Times), lists:droplast(Times)).

%% The run queue while something is measured, ten times a second.
run_queue() ->
    spawn_opt(fun() -> watch_run_queue([]) end, [link, {priority, max}]).

run_queue(Watch) ->
    Watch ! {stop, self()},
    receive {Watch, Median} -> Median end.

watch_run_queue(Seen) ->
    receive
        {stop, From} -> From ! {self(), bench_report:quantile(0.5, [0 | Seen])}
    after 100 ->
        watch_run_queue([erlang:statistics(total_run_queue_lengths) | Seen])
    end.
