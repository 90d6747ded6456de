%% SPDX-License-Identifier: Apache-2.0
%% @doc How long the scheduler sampler's signal handler holds up a scheduler, by how
%% deep the stack is that it finds, and by what runs on top of it.
-module(bench_handler).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

help() ->
    "The load of bench/saturated; then busy processes whose stacks are so many frames deep\n"
    "(--depths), in Erlang code, in a BIF and in code that builds and drops data, so that\n"
    "collections run. The handler's time is what info/0 says: the median of the session, by\n"
    "the time stamp counter, from the handler's first to its last but few instructions.".

options() ->
    [{depths, "10,200,2000,20000", "frames below the work"},
     {busy, 20, "processes with such stacks"},
     {seconds, 5, "for each row"},
     {rate, 199, "samples per second of a scheduler's CPU time"},
     {reader, "auto", "auto, guarded_load or process_vm_readv"}].

main(#{depths := Depths} = Options) ->
    mixed(Options),
    _ = [measure(list_to_integer(Depth), Work, Options)
         || Depth <- string:lexemes(Depths, ","), Work <- [arithmetic, bif, data]],
    ok.

%% What most benches run: hundreds of processes in turn, some work of each kind.
mixed(Options) ->
    Load = bench_load:start(bench_saturated, #{servers => 400, tokens => 300}),
    bench_load:warm_up(Load),
    print("bench/saturated", sampled(Options)),
    bench_load:stop(Load).

measure(Depth, Work, #{busy := Busy} = Options) ->
    Pids = [spawn(fun() -> nested(Depth, Work) end) || _ <- lists:seq(1, Busy)],
    print(io_lib:format("~b frames, ~ts", [Depth, Work]), sampled(Options)),
    _ = [exit(Pid, kill) || Pid <- Pids],
    ok.

%% What info/0 says of the sampler at the end of a session.
sampled(#{seconds := Seconds, rate := Rate, reader := Reader}) ->
    Directory = filename:join(os:getenv("TMPDIR", "/tmp"), "flame_prof_handler." ++ os:getpid()),
    case flame_prof:start(#{tier => walker, basename => Directory, auto_select => none,
                            reader => list_to_atom(Reader), cpu_sampling => #{rate => Rate}}) of
        {ok, _} -> ok;
        {error, {_, Why}} -> throw({bench, Why})
    end,
    timer:sleep(Seconds * 1000),
    Info = flame_prof:info(),
    {ok, _} = flame_prof:stop(),
    _ = file:del_dir_r(Directory),
    maps:get(cpu, Info).

print(_, #{off := Why}) ->
    throw({bench, Why});
print(Name, #{samples := Samples, handler_median_ns := MedianNs, stack_incomplete := Incomplete}) ->
    bench_report:figure(lists:flatten(Name), "median ~.2f us, ~b samples, ~b not whole",
                        [MedianNs / 1000, Samples, Incomplete]).

nested(0, Work) -> work(Work), 0;
nested(Depth, Work) -> 1 + nested(Depth - 1, Work).

work(arithmetic) -> _ = count(100000, 0), work(arithmetic);
work(bif) -> _ = erlang:phash2(lists:seq(1, 100)), work(bif);
work(data) -> _ = lists:sort([{N, N * N} || N <- lists:seq(1, 300)]), work(data).

count(0, Sum) -> Sum;
count(N, Sum) -> count(N - 1, (Sum + N) band 16#FFFFFF).
