%% SPDX-License-Identifier: Apache-2.0
%% @doc The metrics of a sample: what `process_info/2' tells, as numbers.
%%
%% They are the 16 of the Flamescope fork, in the order of the event line. Sizes
%% are in words except `erlang_memory' (bytes).
-module(flame_prof_metric).

-export([names/0, items/1, values/2, message_queue_len/1, with_deltas/2, zeros/0, add/2]).
-export_type([values/0, pairs/0]).

-type values() :: [integer()].
-type pairs() :: [{Value :: integer(), Delta :: integer()}].

-define(SIMPLE, [reductions, message_queue_len, memory, total_heap_size]).
-define(HEAP, [old_heap_block_size, heap_block_size, mbuf_size, recent_size, stack_size,
               old_heap_size, heap_size, bin_vheap_size, bin_vheap_block_size,
               bin_old_vheap_size, bin_old_vheap_block_size]).

-spec names() -> [binary(), ...].
names() ->
    [<<"erlang_", (atom_to_binary(Name))/binary>> || Name <- ?SIMPLE ++ ?HEAP ++ [minor_gcs]].

%% @doc What to ask `process_info/2' for: everything, or only what costs the same
%% whatever the process holds. `memory', `total_heap_size' and
%% `garbage_collection_info' make the process walk through its message queue (60 ms
%% in all for a million messages).
-spec items(all | cheap) -> [atom(), ...].
items(all) -> ?SIMPLE ++ [garbage_collection_info, garbage_collection];
items(cheap) -> [reductions, message_queue_len, garbage_collection].

%% @doc The values out of an answer to {@link items/1}, in the order of names.
%% What was not asked for is taken from earlier ones.
-spec values([{atom(), term()}], undefined | values()) -> values().
values(Info, undefined) ->
    {_, Heap} = lists:keyfind(garbage_collection_info, 1, Info),
    [value(Name, Info) || Name <- ?SIMPLE] ++ [value(Name, Heap) || Name <- ?HEAP] ++
        [minor_gcs(Info)];
values(Info, [_, _ | Earlier]) ->
    [value(reductions, Info), value(message_queue_len, Info) |
     lists:droplast(Earlier) ++ [minor_gcs(Info)]].

-spec message_queue_len(values()) -> non_neg_integer().
message_queue_len([_, Length | _]) ->
    Length.

minor_gcs(Info) ->
    {_, Collection} = lists:keyfind(garbage_collection, 1, Info),
    value(minor_gcs, Collection).

value(Name, List) ->
    case lists:keyfind(Name, 1, List) of
        {_, Value} when is_integer(Value) -> Value;
        _ -> 0
    end.

%% @doc With the change since the previous values; none for the first sample.
%%
%% Reading a stack makes the process handle a signal, which costs it one
%% reduction. That one is not counted as the process's own work.
-spec with_deltas(undefined | values(), values()) -> pairs().
with_deltas(undefined, Values) ->
    [{Value, 0} || Value <- Values];
with_deltas([Reductions0 | Rest0], [Reductions | Rest]) ->
    [{Reductions, without_ours(Reductions - Reductions0)} |
     lists:zipwith(fun(Value0, Value) -> {Value, Value - Value0} end, Rest0, Rest)].

without_ours(Delta) when Delta > 0 -> Delta - 1;
without_ours(Delta) -> Delta.

-spec zeros() -> pairs().
zeros() ->
    [{0, 0} || _ <- names()].

%% @doc Sums, metric by metric.
-spec add(pairs(), pairs()) -> pairs().
add(Left, Right) ->
    lists:zipwith(fun({V1, D1}, {V2, D2}) -> {V1 + V2, D1 + D2} end, Left, Right).
