%% SPDX-License-Identifier: Apache-2.0
%% @doc How flame_prof stands a node on which everything moves: the load of
%% test/chaos_load.erl, for as long as one likes.
-module(bench_chaos).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

help() ->
    "Processes that come, go, crash and are killed, deep stacks, collections,\n"
    "hibernation, binaries, names, messages, suspensions, and code that is loaded,\n"
    "deleted and purged, all while 200 of them are sampled every millisecond tick.\n"
    "FLAME_PROF_ASAN=1 bench/chaos ... runs it with a NIF under AddressSanitizer.".

options() ->
    [{seconds, 600, "how long"},
     {reader, "auto", "auto, guarded_load or process_vm_readv"},
     {restart, 30, "stop and start every so many seconds; 0 = never"},
     {profile, "on", "off: the load alone"},
     {directory, "", "where the files go; a new one below TMPDIR"},
     {ebin, "", "another build's modules, to load before anything"},
     {verbose, 60, "a line every so many seconds; 0 = none"}].

main(#{reader := Reader, profile := Profile, ebin := Ebin} = Options) ->
    _ = Ebin =/= "" andalso code:add_patha(Ebin),
    Directory = directory(Options),
    Result = chaos_load:run(Options#{reader := list_to_atom(Reader), directory := Directory,
                                     profile := list_to_atom(Profile)}),
    print(Result),
    _ = file:del_dir_r(Directory),
    ok.

directory(#{directory := ""}) ->
    filename:join(os:getenv("TMPDIR", "/tmp"), "flame_prof_chaos." ++ os:getpid());
directory(#{directory := Directory}) ->
    Directory.

print(#{samples := Samples, losses := Losses, degraded := Degraded, expected := Expected,
        taken := Taken, sessions := Sessions, loads := Loads, started := Started,
        rss_early_kb := Early, rss_late_kb := Late, vm_early_kb := VmEarly, vm_late_kb := VmLate,
        before := Before, 'after' := After}) ->
    bench_report:figure("load", "~b processes, ~b modules loaded", [Started, Loads]),
    bench_report:figure("samples", "~b, lost ~0tp, degraded ~0tp",
                        [Samples, some(Losses), some(Degraded)]),
    bench_report:figure("ticks", "~b of ~b", [Taken, Expected]),
    bench_report:figure("sessions (tier, reader)", "~0tp",
                        [[{Tier, Reader, length([S || {T, R, _} = S <- Sessions, {T, R} =:= {Tier, Reader}])}
                          || {Tier, Reader} <- lists:usort([{T, R} || {T, R, _} <- Sessions])]]),
    bench_report:figure("longest stop", "~b ms", [lists:max([0 | [Ms || {_, _, Ms} <- Sessions]])]),
    bench_report:figure("resident, first quarter", "~b kB (the VM's own ~b kB)", [Early, VmEarly]),
    bench_report:figure("resident, last quarter", "~b kB (the VM's own ~b kB)", [Late, VmLate]),
    bench_report:figure("threads, open files", "~w before, ~w after", [Before, After]).

some(Counters) ->
    [{Name, N} || {Name, N} <- maps:to_list(Counters), N > 0].
