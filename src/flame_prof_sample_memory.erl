%% SPDX-License-Identifier: Apache-2.0
%% @doc What the portable tier keeps of an armed session: the last samples, packed,
%% within a time and a number of bytes.
%%
%% Pure. Batches are kept as compressed binaries (about 100 bytes a sample), which a
%% garbage collection does not walk through. With each goes what had been lost by
%% then. Samples that had to go before their time, for want of room, are counted.
-module(flame_prof_sample_memory).

-export([new/2, add/3, next/1, reset/1, counters_at/2, info/1]).
-export_type([memory/0]).

-include("flame_prof_sample.hrl").

-record(batch, {first_ns :: integer(),
                last_ns :: integer(),
                samples :: pos_integer(),
                packed :: binary()}).

-record(memory, {keep_ns :: pos_integer(),
                 bytes_max :: pos_integer(),
                 batches = queue:new() :: queue:queue(#batch{}),
                 counters = queue:new() :: queue:queue({integer(), term()}),
                 bytes = 0 :: non_neg_integer(),
                 samples = 0 :: non_neg_integer(),
                 newest_ns = 0 :: integer(),
                 dropped_early = 0 :: non_neg_integer()}).
-opaque memory() :: #memory{}.

-spec new(KeepNs :: pos_integer(), BytesMax :: pos_integer()) -> memory().
new(KeepNs, BytesMax) ->
    #memory{keep_ns = KeepNs, bytes_max = BytesMax}.

%% @doc Adds samples in the order of their time, with the counters as of then.
-spec add([#sample{}], Counters :: term(), memory()) -> memory().
add([], _, Memory) ->
    Memory;
add([#sample{time_ns = FirstNs} | _] = Samples, Counters, #memory{batches = Batches} = Memory) ->
    #sample{time_ns = LastNs} = lists:last(Samples),
    Count = length(Samples),
    Packed = term_to_binary(Samples, [{compressed, 1}]),
    Batch = #batch{first_ns = FirstNs, last_ns = LastNs, samples = Count, packed = Packed},
    NewestNs = max(LastNs, Memory#memory.newest_ns),
    bounded(Memory#memory{batches = queue:in(Batch, Batches),
                          counters = noted(LastNs, Counters, Memory),
                          bytes = Memory#memory.bytes + byte_size(Packed),
                          samples = Memory#memory.samples + Count,
                          newest_ns = NewestNs}).

%% @doc Takes the oldest batch out.
-spec next(memory()) -> {[#sample{}], memory()} | none.
next(Memory) ->
    case out(Memory) of
        {#batch{packed = Packed}, Rest} -> {binary_to_term(Packed), Rest};
        none -> none
    end.

%% @doc The same memory with nothing in it.
-spec reset(memory()) -> memory().
reset(#memory{keep_ns = KeepNs, bytes_max = BytesMax} = Memory) ->
    (new(KeepNs, BytesMax))#memory{dropped_early = Memory#memory.dropped_early,
                                   counters = Memory#memory.counters}.

%% @doc The counters as of a time, or the earliest that are known.
-spec counters_at(TimeNs :: integer(), memory()) -> Counters :: term() | none.
counters_at(TimeNs, #memory{counters = Noted}) ->
    case queue:out(Noted) of
        {empty, _} -> none;
        {{value, {_, First}}, Rest} -> last_before(TimeNs, First, Rest)
    end.

-spec info(memory()) -> #{kept_ms := non_neg_integer(), kept_bytes := non_neg_integer(),
                          kept_samples := non_neg_integer(), dropped_early := non_neg_integer()}.
info(#memory{batches = Batches, newest_ns = NewestNs} = Memory) ->
    KeptNs = case queue:peek(Batches) of
                 {value, #batch{first_ns = FirstNs}} -> NewestNs - FirstNs;
                 empty -> 0
             end,
    #{kept_ms => KeptNs div 1000000,
      kept_bytes => Memory#memory.bytes,
      kept_samples => Memory#memory.samples,
      dropped_early => Memory#memory.dropped_early}.

%% Internal

bounded(#memory{batches = Batches, keep_ns = KeepNs, newest_ns = NewestNs} = Memory) ->
    case queue:peek(Batches) of
        {value, #batch{last_ns = LastNs}} when LastNs + KeepNs < NewestNs ->
            {_, Rest} = out(Memory),
            bounded(Rest);
        {value, #batch{samples = Count}} when Memory#memory.bytes > Memory#memory.bytes_max ->
            {_, Rest} = out(Memory),
            bounded(Rest#memory{dropped_early = Rest#memory.dropped_early + Count});
        _ ->
            Memory
    end.

out(#memory{batches = Batches, bytes = Bytes, samples = Samples} = Memory) ->
    case queue:out(Batches) of
        {{value, #batch{packed = Packed, samples = Count} = Batch}, Rest} ->
            {Batch, Memory#memory{batches = Rest, bytes = Bytes - byte_size(Packed),
                                  samples = Samples - Count}};
        {empty, _} ->
            none
    end.

%% They reach back a little further than the samples.
noted(TimeNs, Counters, #memory{counters = Noted, keep_ns = KeepNs}) ->
    queue:in({TimeNs, Counters}, forgotten(TimeNs - KeepNs, Noted)).

forgotten(BeforeNs, Noted) ->
    case queue:out(Noted) of
        {{value, _}, Rest} ->
            case queue:peek(Rest) of
                {value, {TimeNs, _}} when TimeNs < BeforeNs -> forgotten(BeforeNs, Rest);
                _ -> Noted
            end;
        {empty, _} ->
            Noted
    end.

last_before(TimeNs, Counters, Noted) ->
    case queue:out(Noted) of
        {{value, {NotedNs, Next}}, Rest} when NotedNs =< TimeNs -> last_before(TimeNs, Next, Rest);
        _ -> Counters
    end.
