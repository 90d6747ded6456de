%% SPDX-License-Identifier: Apache-2.0
%% @doc Who has the longest message queue, and who the largest heaps, among all
%% processes of the node.
%%
%% Where the walker works, one look at the memory of all processes, which none of
%% them notices; elsewhere `process_info/2' with items that send no signal to a
%% process that is not running. Either takes some time, so it is the caller's to
%% choose a process for it and not to ask too often (`cost_ns').
-module(flame_prof_extremes).

-export([open/2, close/1, kind/1, look/2]).
-export_type([source/0, look/0]).

-opaque source() :: {native, flame_prof_nif:probe(), flame_prof_nif:layout()} | process_info.
-type extreme() :: {pid(), non_neg_integer()} | none.
-type look() :: #{cost_ns := non_neg_integer(),
                  processes := non_neg_integer(),
                  message_queue_len := extreme(),
                  process_memory := extreme()}.

%% Places in the metrics of a snapshot.
-define(MESSAGE_QUEUE_LEN, 2).
-define(MEMORY, 3).

-spec open(walker | portable, auto | guarded_load | process_vm_readv) -> source().
open(portable, _) ->
    process_info;
open(walker, Reader) ->
    case flame_prof_walker:open_probe(Reader) of
        {ok, Probe, Layout} -> {native, Probe, Layout};
        none -> process_info
    end.

-spec close(source()) -> ok.
close({native, Probe, _}) -> flame_prof_nif:close_probe(Probe);
close(process_info) -> ok.

-spec kind(source()) -> native | process_info.
kind({native, _, _}) -> native;
kind(process_info) -> process_info.

%% @doc The extremes of what `Limits' has, none where nobody reaches his limit.
%% `unreadable': this source is of no use any more.
-spec look(#{atom() => pos_integer()}, source()) -> look() | unreadable.
look(Limits, {native, Probe, Layout}) ->
    case flame_prof_nif:extremes(Probe, Layout) of
        {CostNs, Count, Queue, Memory} ->
            Confirmed = fun(Name, Extreme, Place) ->
                            confirmed(maps:get(Name, Limits, infinity), Extreme, Place, Probe, Layout)
                        end,
            #{cost_ns => CostNs, processes => Count,
              message_queue_len => Confirmed(message_queue_len, Queue, ?MESSAGE_QUEUE_LEN),
              process_memory => Confirmed(process_memory, Memory, ?MEMORY)};
        _ ->
            unreadable
    end;
look(Limits, process_info) ->
    Began = erlang:monotonic_time(nanosecond),
    Items = [item(Name) || Name <- [message_queue_len, process_memory], is_map_key(Name, Limits)],
    {Count, Queue, Memory} = flame_prof_processes:fold(
                                fun(Pid, Acc) -> consider(Pid, Items, Acc) end, {0, none, none}),
    #{cost_ns => erlang:monotonic_time(nanosecond) - Began, processes => Count,
      message_queue_len => reached(message_queue_len, Queue, Limits),
      process_memory => reached(process_memory, Memory, Limits)}.

%% Seen in passing; a validated look must agree.
confirmed(Limit, {Pid, Value}, Place, Probe, Layout) when is_pid(Pid), Value >= Limit ->
    case flame_prof_nif:snapshot(Probe, Layout, Pid) of
        {End, _, _, _, _, _, _, Metrics} when End =:= whole; End =:= partial ->
            at_least(Limit, Pid, lists:nth(Place, Metrics));
        {End, _, _, _, _, _, _, Metrics} when Place =:= ?MESSAGE_QUEUE_LEN, End =:= unsized;
                                              Place =:= ?MESSAGE_QUEUE_LEN, End =:= status_only ->
            at_least(Limit, Pid, lists:nth(Place, Metrics));
        _ ->
            none
    end;
confirmed(_, _, _, _, _) ->
    none.

at_least(Limit, Pid, Value) when Value >= Limit -> {Pid, Value};
at_least(_, _, _) -> none.

reached(Name, {Pid, Value}, Limits) -> at_least(maps:get(Name, Limits, infinity), Pid, Value);
reached(_, none, _) -> none.

item(message_queue_len) -> message_queue_len;
item(process_memory) -> garbage_collection_info.

consider(Pid, Items, {Count, Queue, Memory}) ->
    case process_info(Pid, Items) of
        undefined -> {Count, Queue, Memory};
        Values -> {Count + 1,
                   larger(Pid, proplists:get_value(message_queue_len, Values, 0), Queue),
                   larger(Pid, heap_bytes(proplists:get_value(garbage_collection_info, Values, [])),
                          Memory)}
    end.

larger(Pid, Value, none) -> {Pid, Value};
larger(Pid, Value, {_, Largest}) when Value > Largest -> {Pid, Value};
larger(_, _, Largest) -> Largest.

heap_bytes(Info) ->
    Words = lists:sum([proplists:get_value(Part, Info, 0)
                       || Part <- [heap_block_size, old_heap_block_size, mbuf_size]]),
    Words * erlang:system_info(wordsize).
