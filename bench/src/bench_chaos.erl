%% SPDX-License-Identifier: Apache-2.0
%% @doc How flame_prof stands a node on which everything moves: test/chaos_run.erl, for
%% as long as one likes.
-module(bench_chaos).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

help() ->
    "Processes that come, go, crash and are killed, deep stacks, collections,\n"
    "hibernation, binaries, names, messages, suspensions, and code that is loaded,\n"
    "deleted and purged; tracing, distribution up and down, signals of other libraries,\n"
    "ports, schedulers online and offline; and sessions of every kind that are stopped,\n"
    "killed and upgraded, the native library included. Ends with what was left behind:\n"
    "threads, timers, files, ports, processes, tracers; status 1 where anything was, or\n"
    "anything else was found.\n"
    "FLAME_PROF_ASAN=1 bench/chaos ... runs it with a NIF under AddressSanitizer.".

options() ->
    [{seconds, 600, "how long"},
     {acts, "on", "off: one kind of session, and nothing but the load beside it"},
     {others, "", "only these of chaos_others, comma separated"},
     {reader, "auto", "without acts: auto, guarded_load or process_vm_readv"},
     {restart, 30, "without acts: stop and start every so many seconds; 0 = never"},
     {profile, "on", "off: the load alone"},
     {verbose, 60, "a line every so many seconds; 0 = none"},
     {copy, "", "of flame_prof, which may be replaced; the script makes one"}].

main(#{reader := Reader, profile := Profile, acts := Acts, others := Others, copy := Copy} = Options) ->
    true = code:add_patha(filename:join(Copy, "ebin")),
    Result = chaos_run:run(Options#{reader := list_to_atom(Reader), profile := list_to_atom(Profile),
                                    acts := list_to_atom(Acts),
                                    others := [list_to_atom(Name) || Name <- string:lexemes(Others, ",")],
                                    directory => filename:join(filename:dirname(Copy), "files"),
                                    library => filename:join([Copy, "priv", "flame_prof_nif.so"]),
                                    epmd => os:getenv("ERL_EPMD_PORT"), nif => nif(Copy)}),
    print(Result),
    case Result of
        #{found := [], missing := []} -> ok;
        #{} -> throw({bench, "something was found, see above"})
    end.

nif(Copy) ->
    %% From build/bench/ebin.
    Root = filename:join([filename:dirname(code:which(?MODULE)), "..", "..", ".."]),
    Source = filename:join([Root, "test", "walker_SUITE_data"]),
    case walker_test_nif:build(Source, filename:dirname(Copy)) of
        {ok, Path} -> Path;
        {error, Why} -> throw({bench, ["walker_test_nif: ", Why]})
    end.

print(#{samples := Samples, cpu_samples := CpuSamples, losses := Losses, degraded := Degraded,
        expected := Expected, taken := Taken, sessions := Sessions, loads := Loads, started := Started,
        quarters_kb := Quarters, before := Before, 'after' := After, missing := Missing,
        found := Found, acts := Acts, longest_beat_ms := Longest,
        memory_before_kb := MemoryBefore, memory_after_kb := MemoryAfter}) ->
    bench_report:figure("load", "~b processes, ~b modules loaded", [Started, Loads]),
    _ = [bench_report:figure("  " ++ text(What), "~b", [Count]) || {What, Count} <- Acts],
    bench_report:figure("samples", "~b and ~b of CPU, lost ~0tp, degraded ~0tp",
                        [Samples, CpuSamples, some(Losses), some(Degraded)]),
    bench_report:figure("ticks", "~b of ~b", [Taken, Expected]),
    _ = [bench_report:figure("sessions", "~b of ~0tp", [Count, Kind]) || {Kind, Count} <- kinds(Sessions)],
    bench_report:figure("longest stop", "~b ms", [lists:max([0 | [Ms || {_, _, Ms} <- Sessions]])]),
    bench_report:figure("longest beat", "~b ms", [Longest]),
    _ = [bench_report:figure(text(Key), "~b in the first quarter, ~b in the last", [Early, Late])
         || {Key, Early, Late} <- Quarters],
    bench_report:figure("resident, carriers", "~0tp kB before, ~0tp kB after", [MemoryBefore, MemoryAfter]),
    bench_report:figure("held", "~0tp before, ~0tp after", [numbers(Before), numbers(After)]),
    bench_report:figure("left behind", "~0tp", [Missing]),
    _ = [io:format("found ~b times: ~tp~n", [Count, What]) || {What, Count} <- Found],
    ok.

text(What) ->
    lists:flatten(io_lib:format("~0tp", [What])).

kinds(Sessions) ->
    Kinds = [{Tier, Reader} || {Tier, Reader, _} <- Sessions],
    [{Kind, length([K || K <- Kinds, K =:= Kind])} || Kind <- lists:usort(Kinds)].

numbers(Held) ->
    maps:map(fun(_, List) when is_list(List) -> length(List); (_, Value) -> Value end, Held).

some(Counters) ->
    [{Name, N} || {Name, N} <- maps:to_list(Counters), N > 0].
