%% SPDX-License-Identifier: Apache-2.0
%% @doc The metrics of a sample: what `process_info/2' tells, as numbers.
%%
%% They are the 16 of the Flamescope fork, in the order of the event line. Sizes
%% are in words except `erlang_memory' (bytes).
-module(flame_prof_metric).

-export([names/0, items/0, values/1, with_deltas/2, zeros/0, add/2]).
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

%% @doc What to ask `process_info/2' for.
-spec items() -> [atom(), ...].
items() ->
    ?SIMPLE ++ [garbage_collection_info, garbage_collection].

%% @doc The values out of an answer to {@link items/0}, in the order of names.
-spec values([{atom(), term()}]) -> values().
values(Info) ->
    {_, Heap} = lists:keyfind(garbage_collection_info, 1, Info),
    {_, Collection} = lists:keyfind(garbage_collection, 1, Info),
    [value(Name, Info) || Name <- ?SIMPLE] ++
        [value(Name, Heap) || Name <- ?HEAP] ++
        [value(minor_gcs, Collection)].

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
