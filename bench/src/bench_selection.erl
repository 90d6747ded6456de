%% SPDX-License-Identifier: Apache-2.0
%% @doc What one selection pass over very many processes takes, by each criterion.
-module(bench_selection).
-behaviour(bench_args).

-export([help/0, options/0, main/1]).

-define(CRITERIA, [reductions, message_queue_len, message_queue_growth, memory, binary_vheap]).
-define(INTERVAL_MS, 300).
-define(POLL_MS, 5).

help() ->
    "Selects automatically among very many waiting processes, by each criterion and by all\n"
    "of them at once, with the walker. The clock runs around the reading of a pass alone,\n"
    "which is done in slices, off the schedulers. Memory is what is in use of the mappings\n"
    "that reserve none, beside a session that selects nothing.".

options() ->
    [{processes, 500000, "how many"},
     {passes, 15, "for each criterion"},
     {count, 100, "places"},
     {reader, "auto", "auto, guarded_load or process_vm_readv"}].

main(#{processes := Count} = Options) ->
    Pids = [spawn(fun wait/0) || _ <- lists:seq(1, Count)],
    timer:sleep(1000),
    bench_report:figure("processes, table", "~b, ~b slots",
                        [Count, erlang:system_info(process_limit)]),
    Directory = filename:join("/tmp", "bench_selection." ++ os:getpid()),
    try
        {_, Without, _} = measured(none, Directory, Options),
        [print(By, Without, measured([By], Directory, Options)) || By <- ?CRITERIA],
        print("all at once", Without, measured(?CRITERIA, Directory, Options))
    after
        file:del_dir_r(Directory)
    end,
    _ = [exit(Pid, kill) || Pid <- Pids],
    ok.

wait() ->
    receive stop -> ok end.

%% Passes in nanoseconds, and the memory in use after them.
measured(By, Directory, #{passes := Passes, reader := Reader} = Options) ->
    Selection = case By of
                    none -> none;
                    _ -> [#{by => One, count => maps:get(count, Options),
                            interval => ?INTERVAL_MS} || One <- By]
                end,
    case flame_prof:start(#{tier => walker, reader => list_to_atom(Reader), basename => Directory,
                            auto_select => Selection, process_interval => 60000}) of
        {ok, _} -> ok;
        {error, {_, Detail}} -> throw({bench, Detail})
    end,
    Times = case By of
                none -> [];
                _ -> passes(Passes, 0, [])
            end,
    #{reader := Used} = flame_prof:info(),
    After = rss_bytes(),
    {ok, _} = flame_prof:stop(),
    {Times, After, Used}.

%% The first, whose memory is new, is among them.
passes(0, _, Times) ->
    Times;
passes(Left, Seen, Times) ->
    timer:sleep(?POLL_MS),
    case flame_prof:info() of
        #{select_passes := Passes, select_pass_ns := Ns} when Passes > Seen ->
            passes(Left - 1, Passes, [Ns | Times]);
        #{} ->
            passes(Left, Seen, Times)
    end.

print(By, Without, {Times, Bytes, Reader}) ->
    {Low, Median, High} = bench_report:quartiles(Times),
    bench_report:figure(io_lib:format("~ts", [By]),
                        "~.1f ms a pass, quartiles ~.1f ~.1f, longest ~.1f, ~b passes; ~.1f MB; ~s",
                        [Median / 1.0e6, Low / 1.0e6, High / 1.0e6, lists:max(Times) / 1.0e6,
                         length(Times), (Bytes - Without) / 1.0e6, Reader]).

%% Of the mappings that reserve no memory, as the selector's are: what is in use of
%% them. The rest of the VM comes and goes by more than is measured here.
rss_bytes() ->
    {ok, File} = file:open("/proc/self/smaps", [read, raw, binary, read_ahead]),
    Bytes = add_mappings(File, 0, 0),
    ok = file:close(File),
    Bytes.

add_mappings(File, Rss, Sum) ->
    case file:read_line(File) of
        {ok, <<"Rss:", Rest/binary>>} ->
            [Kilobytes | _] = string:lexemes(Rest, " "),
            add_mappings(File, binary_to_integer(Kilobytes) * 1024, Sum);
        {ok, <<"VmFlags:", Flags/binary>>} ->
            case lists:member(<<"nr">>, string:lexemes(Flags, " \n")) of
                true -> add_mappings(File, 0, Sum + Rss);
                false -> add_mappings(File, 0, Sum)
            end;
        {ok, _} ->
            add_mappings(File, Rss, Sum);
        eof ->
            Sum
    end.
