%% SPDX-License-Identifier: Apache-2.0
%% @doc What reading one process costs, stack and validation included, beside
%% process_info/2 for the same.
-module(bench_reading).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

%% What a sample holds.
-define(ITEMS, [status, registered_name, current_stacktrace, initial_call, reductions,
                message_queue_len, memory, total_heap_size, garbage_collection_info,
                garbage_collection]).

help() ->
    "Reads very many waiting processes, as the walker does and by process_info/2. The\n"
    "walker's clock runs around the reads alone. In random order, as the processes that a\n"
    "selection picks lie in memory, nearly every read misses the caches; in the order in\n"
    "which they were spawned, as a pass over all of them goes, fewer do.".

options() ->
    [{processes, 100000, "how many"},
     {frames, 20, "their stacks have from 0 to so many frames more than the least"},
     {order, "random", "random or spawned"},
     {rounds, 9, "times that each is read"},
     {reader, "auto", "auto, guarded_load or process_vm_readv"}].

main(#{processes := Count, frames := Frames, order := Order, rounds := Rounds, reader := Reader}) ->
    Probe = probe(list_to_atom(Reader)),
    Layout = layout(Probe),
    Pids = ordered(Order, [spawn(fun() -> nested(Number rem (Frames + 1)) end)
                           || Number <- lists:seq(1, Count)]),
    timer:sleep(1000),
    bench_report:figure("processes", "~b", [Count]),
    print("walker", [walk(Probe, Layout, Pids) || _ <- lists:seq(1, Rounds)]),
    print("process_info", [ask(Pids) || _ <- lists:seq(1, min(3, Rounds))]),
    ok = flame_prof_nif:close_probe(Probe).

probe(Reader) ->
    case flame_prof_nif:loaded() of
        ok -> ok;
        {error, Why} -> throw({bench, Why})
    end,
    case flame_prof_nif:open_probe(Reader) of
        {ok, Probe} -> Probe;
        {error, {_, Detail}} -> throw({bench, Detail})
    end.

layout(Probe) ->
    case flame_prof_calibration:layout(Probe, erlang:system_info(otp_release)) of
        {ok, Layout} -> Layout;
        {refused, Why} -> throw({bench, Why})
    end.

walk(Probe, Layout, Pids) ->
    {Ns, Whole, Other} = flame_prof_nif:time_snapshots(Probe, Layout, Pids),
    {Ns / length(Pids), Whole, Other}.

ask(Pids) ->
    From = erlang:monotonic_time(nanosecond),
    _ = [process_info(Pid, ?ITEMS) || Pid <- Pids],
    {(erlang:monotonic_time(nanosecond) - From) / length(Pids), length(Pids), 0}.

print(Name, Rounds) ->
    {Low, Median, High} = bench_report:quartiles([Ns || {Ns, _, _} <- Rounds]),
    {_, Whole, Other} = hd(Rounds),
    bench_report:figure(Name, "~b ns a process, quartiles ~b ~b, ~b rounds; ~b whole, ~b not",
                        [round(Median), round(Low), round(High), length(Rounds), Whole, Other]).

nested(0) -> receive stop -> 0 end;
nested(Frames) -> 1 + nested(Frames - 1).

ordered("spawned", List) -> List;
ordered("random", List) ->
    [Element || {_, Element} <- lists:sort([{rand:uniform(), Element} || Element <- List])];
ordered(_, _) -> throw({bench, "--order is random or spawned"}).
