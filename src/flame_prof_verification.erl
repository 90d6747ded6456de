%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Proves a layout end to end: processes of mixed shapes, read from outside,
%% must equal what process_info/2 says, in every field. One difference refuses
%% the layout.
-module(flame_prof_verification).

-export([verify/3, without_wrong/2, compare/3, plant/1, uproot/1]).
-export([planted/3]).
-export_type([difference/0]).

-type difference() :: {Field :: atom(), Ours :: term(), Theirs :: term()}.

-define(TRIES, 20).
-define(WAIT_MS, 2000).
-define(SUSPENDED, 3).
-define(RELATIVES, 8).
-define(ITEMS, [registered_name, initial_call, current_stacktrace, garbage_collection_info,
                garbage_collection, total_heap_size, stack_size, heap_size, memory, backtrace,
                message_queue_len, links, monitors, monitored_by]).

%% @doc Plants `Count' processes and compares them all.
-spec verify(flame_prof_nif:probe(), flame_prof_nif:layout(), pos_integer()) ->
    ok | {refused, binary()}.
verify(Probe, Layout, Count) ->
    Pids = plant(Count),
    %% Again: this module may have been loaded since calibration.
    {ok, _} = flame_prof_nif:load_code(Probe),
    try
        no_difference(self(), compare_current(Probe, Layout)),
        equal(Pids, fun(Pid) -> compare(Probe, Layout, Pid) end) =:= ok
            andalso equal(lists:sublist(Pids, ?SUSPENDED),
                          fun(Pid) -> compare_suspended(Probe, Layout, Pid) end)
    catch
        throw:{refused, _} = Refused -> Refused
    after
        uproot(Pids)
    end.

%% @doc Without those optional fields that do not read what process_info/2 says.
-spec without_wrong(flame_prof_nif:probe(), flame_prof_nif:layout()) -> flame_prof_nif:layout().
without_wrong(Probe, Layout) ->
    Relatives = [spawn_opt(fun() -> receive {?MODULE, leave} -> ok end end, [{priority, high}])
                 || _ <- lists:seq(1, ?RELATIVES)],
    [true = group_leader(Leader, Pid)
     || {Leader, Pid} <- lists:zip(Relatives, tl(Relatives) ++ [self()]), Pid =/= self()],
    Wrong = [Field || Field <- flame_prof_calibration:optional(), is_map_key(Field, Layout),
                      Pid <- [self() | Relatives],
                      not reads_as_told(Probe, Layout, Field, Pid, ?TRIES)],
    uproot(Relatives),
    maps:without(Wrong, Layout).

%% A parent on another node, or none, is no pid of ours.
reads_as_told(Probe, Layout, Field, Pid, Tries) ->
    Bits = case process_info(Pid, Field) of
               {_, Told} when is_pid(Told), node(Told) =:= node() -> flame_prof_nif:term_bits(Told);
               _ -> 0
           end,
    case flame_prof_nif:identity(Probe, Layout, Pid) of
        #{Field := Bits} -> true;
        _ when Tries > 1 -> timer:sleep(1), reads_as_told(Probe, Layout, Field, Pid, Tries - 1);
        _ -> false
    end.

equal(Pids, Compare) ->
    lists:foreach(fun(Pid) -> no_difference(Pid, Compare(Pid)) end, Pids).

%% What runs as a NIF: of ourselves, the NIF that reads.
compare_current(Probe, #{current := Offset}) ->
    Nif = {flame_prof_nif:term_bits(flame_prof_nif), flame_prof_nif:term_bits(read_words), 3},
    Address = flame_prof_nif:self_address(Probe),
    <<Current:64/little>> = flame_prof_nif:read_words(Probe, Address + Offset, 1),
    case flame_prof_nif:read_words(Probe, Current, 3) of
        <<M:64/little, F:64/little, A:64/little>> when {M, F, A} =:= Nif -> [];
        Other -> [{current, Other, Nif}]
    end;
compare_current(_, _) ->
    [{current, missing, found}].

no_difference(_, []) ->
    ok;
no_difference(Pid, [{Field, Ours, Theirs} | _]) ->
    throw({refused, unicode:characters_to_binary(
                      io_lib:format("layout: verification failed: ~ts of ~w read as ~0tP, "
                                    "process_info says ~0tP", [Field, Pid, Ours, 8, Theirs, 8]))}).

%% @doc Starts quiescent processes of mixed shapes: depth of stack, young and old
%% heap, names, message queue, dictionary, monitors, off-heap messages. Of any two
%% fields some process has different values.
-spec plant(pos_integer()) -> [pid()].
plant(Count) ->
    Parent = self(),
    Pids = [spawn_opt(?MODULE, planted, [Parent, N, N rem 40], spawn_options(N))
            || N <- lists:seq(1, Count)],
    lists:foreach(fun(Pid) ->
                          receive {?MODULE, Pid, ready} -> ok
                          after ?WAIT_MS -> ok
                          end
                  end, Pids),
    lists:foreach(fun({N, Pid}) -> send_unread(N, Pid) end, lists:zip(lists:seq(1, Count), Pids)),
    Pids.

%% A long message finds no room on the heap of who is to receive it.
send_unread(N, Pid) ->
    _ = [Pid ! {unread, I} || I <- lists:seq(1, N rem 7)],
    _ = N rem 4 =:= 1 andalso (Pid ! {unread, lists:seq(1, 50 * N)}),
    ok.

-spec uproot([pid()]) -> ok.
uproot(Pids) ->
    lists:foreach(fun(Pid) -> exit(Pid, kill) end, Pids).

spawn_options(N) ->
    [{priority, high}, {min_heap_size, 233 + N}
     | [{message_queue_data, off_heap} || N rem 5 =:= 0]].

%% @private
-spec planted(pid(), pos_integer(), non_neg_integer()) -> term().
planted(Parent, N, Depth) ->
    _ = N rem 3 =:= 0 andalso
        named(list_to_atom("flame_prof_verification_" ++ integer_to_list(N))),
    _ = N rem 4 =:= 0 andalso put('$initial_call', {?MODULE, planted, 3}),
    _ = N rem 11 =:= 0 andalso monitor(process, Parent),
    _ = N rem 8 =:= 5 andalso ets:new(?MODULE, [private]),
    Old = [binaries(N) || N rem 3 =/= 0],
    _ = [erlang:garbage_collect(self(), [{type, minor}]) || _ <- lists:seq(1, N rem 4)],
    Kept = {Old, binaries(N), lists:seq(1, 10 * N), received(N)},
    {down(Depth, Parent), Kept}.

%% Those of an earlier verification may not have gone yet.
named(Name) ->
    try register(Name, self()) catch error:badarg -> false end.

%% Some are so large that the virtual heap of binaries grows.
binaries(N) when N rem 20 =:= 1 ->
    binary:copy(<<N>>, 400000);
binaries(N) ->
    [{lists:seq(1, 10 * N), binary:copy(<<N>>, 100 * N)} || _ <- lists:seq(1, N rem 10)].

%% Off the heap until the next collection.
received(N) ->
    _ = N rem 5 =:= 0 andalso (self() ! {?MODULE, parcel, lists:seq(1, N)}),
    receive {?MODULE, parcel, Parcel} -> Parcel
    after 0 -> none
    end.

down(0, Parent) ->
    Parent ! {?MODULE, self(), ready},
    receive {?MODULE, leave} -> 0 end;
down(Depth, Parent) ->
    case Depth rem 2 of
        0 -> [Depth, down(Depth - 1, Parent)];
        1 -> {Depth, down_again(Depth - 1, Parent)}
    end.

down_again(Depth, Parent) -> [down(Depth, Parent)].

%% @doc What differs between a snapshot and process_info/2, [] when nothing does.
%% Tries again while the process moves. `memory' leaves out what hangs in trees
%% (links, monitors) and message data outside the heap, so it is compared only
%% where there is none.
-spec compare(flame_prof_nif:probe(), flame_prof_nif:layout(), pid()) -> [difference()].
compare(Probe, Layout, Pid) ->
    compare(Probe, Layout, Pid, ?TRIES).

%% What a process does not take while it is suspended stays in its outer queue.
%% The question would move it, so it comes last.
compare_suspended(Probe, Layout, Pid) ->
    true = erlang:suspend_process(Pid),
    _ = [Pid ! {unread, suspended} || _ <- lists:seq(1, 5)],
    Snapshot = flame_prof_nif:snapshot(Probe, Layout, Pid),
    Quiet = process_info(Pid, [status, message_queue_len]),
    true = erlang:resume_process(Pid),
    case Snapshot of
        {whole, Status, _, _, _, _, _, Values} ->
            Metrics = maps:from_list(lists:zip(flame_prof_metric:names(), Values)),
            Rows = [{status, Status, proplists:get_value(status, Quiet)},
                    {message_queue_len, metric(message_queue_len, Metrics),
                     proplists:get_value(message_queue_len, Quiet)}],
            [Row || {_, Ours, Theirs} = Row <- Rows, Ours =/= Theirs];
        _ ->
            [{snapshot, element(1, Snapshot), whole}]
    end.

compare(Probe, Layout, Pid, Tries) ->
    case differences(Probe, Layout, Pid) of
        [] -> [];
        Differences when Tries =:= 1 -> Differences;
        _ -> timer:sleep(1), compare(Probe, Layout, Pid, Tries - 1)
    end.

differences(Probe, Layout, Pid) ->
    case process_info(Pid, ?ITEMS) of
        undefined ->
            [];
        Info ->
            erlang:yield(),
            %% No signal for these: they are asked last.
            Quiet = process_info(Pid, [status, reductions, registered_name]),
            Snapshot = flame_prof_nif:snapshot(Probe, Layout, Pid),
            compared(Probe, maps:from_list(Info), Quiet, Snapshot)
    end.

compared(_, _, undefined, _) ->
    [];
compared(Probe, Info, Quiet, {whole, Status, Name, Initial, _, Pc, Returns, Values}) ->
    Metrics = maps:from_list(lists:zip(flame_prof_metric:names(), Values)),
    Rows = [{status, Status, proplists:get_value(status, Quiet)},
            {registered_name, Name, name_bits(maps:get(registered_name, Info))},
            {initial_call, Initial, mfa_bits(maps:get(initial_call, Info))},
            {return_addresses, in_code(Probe, Returns), in_code(Probe, backtrace_addresses(Info))},
            {current_stacktrace, stack(Probe, Pc, in_code(Probe, Returns), depth(Info)),
             theirs(Info)}
            | metric_rows(Metrics, Info, Quiet)],
    [Row || {_, Ours, Theirs} = Row <- Rows, Ours =/= Theirs];
compared(_, _, _, Snapshot) ->
    [{snapshot, element(1, Snapshot), whole}].

metric_rows(Metrics, Info, Quiet) ->
    Gc = maps:from_list(maps:get(garbage_collection_info, Info)),
    Sizes = [{Key, maps:get(metric_name(Key), Metrics), Value} || {Key, Value} <- maps:to_list(Gc)],
    [{reductions, metric(reductions, Metrics), proplists:get_value(reductions, Quiet)},
     {message_queue_len, metric(message_queue_len, Metrics), maps:get(message_queue_len, Info)},
     {total_heap_size, metric(total_heap_size, Metrics), maps:get(total_heap_size, Info)},
     {stack_size, metric(stack_size, Metrics), maps:get(stack_size, Info)},
     {minor_gcs, metric(minor_gcs, Metrics),
      proplists:get_value(minor_gcs, maps:get(garbage_collection, Info))}
     | memory_row(Metrics, Info)] ++ Sizes.

memory_row(Metrics, #{links := [], monitors := [], monitored_by := []} = Info) ->
    [{memory, metric(memory, Metrics), maps:get(memory, Info)}];
memory_row(_, _) ->
    [].

metric(Item, Metrics) -> maps:get(metric_name(Item), Metrics).

metric_name(Item) -> <<"erlang_", (atom_to_binary(Item))/binary>>.

name_bits([]) -> 0;
name_bits(Name) -> flame_prof_nif:term_bits(Name).

mfa_bits({M, F, A}) -> {flame_prof_nif:term_bits(M), flame_prof_nif:term_bits(F), A}.

%% Every return address on the stack, as the VM's own printer finds them.
backtrace_addresses(#{backtrace := Text}) ->
    case re:run(Text, "Return addr 0x([0-9a-fA-F]+)", [global, {capture, [1], list}]) of
        {match, Found} -> [list_to_integer(Hex, 16) || [Hex] <- Found];
        nomatch -> []
    end.

%% With frame pointers (+JPperf true) the stack holds other aligned words as well.
in_code(Probe, Addresses) ->
    [Address || Address <- Addresses, Address > 0,
                flame_prof_nif:locate(Probe, Address - 1) =/= undefined].

depth(#{current_stacktrace := Stack}) -> length(Stack).

theirs(#{current_stacktrace := Stack}) ->
    [{function_name(M, F, A), proplists:get_value(line, Location, 0)}
     || {M, F, A, Location} <- Stack].

function_name(M, F, A) ->
    unicode:characters_to_binary(io_lib:format("~ts:~ts/~w", [M, F, A])).

%% As gather_stacktrace (beam_common.c): equal neighbours count once.
stack(Probe, Pc, Returns, Depth) ->
    Located = [flame_prof_nif:locate(Probe, Address)
               || Address <- without_repeats([Pc | [Address - 1 || Address <- Returns]])],
    Named = [{Name, Line} || {Name, _, Line, false} <- Located],
    lists:sublist(Named, Depth).

without_repeats([A, A | Rest]) -> without_repeats([A | Rest]);
without_repeats([A | Rest]) -> [A | without_repeats(Rest)];
without_repeats([]) -> [].
