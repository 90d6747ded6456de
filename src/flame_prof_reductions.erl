%% SPDX-License-Identifier: Apache-2.0
%% @doc What every process had done when it was last looked at, in memory of a
%% fixed size per process (16 bytes a slot): the selector's memory.
%%
%% A table of 2^n slots in buckets of sixteen, open within the bucket. A slot holds
%% the hash of the pid with the number of the pass that wrote it, and the
%% reductions. Slots that the last pass did not write belong to dead processes
%% and are taken over. When a bucket is full a process stays unknown; the table
%% is made large enough for that to be rare. Belongs to one process.
-module(flame_prof_reductions).

-export([new/1, next_pass/2, change/3, slots/1]).
-export_type([history/0]).

-record(history, {slots :: pos_integer(),
                  table :: atomics:atomics_ref(),
                  pass = 1 :: pos_integer()}).
-opaque history() :: #history{}.

-define(BUCKET, 16).
-define(SLOTS_MIN, 4096).
-define(SLOTS_PER_PROCESS, 4).
-define(SLOTS_PER_PROCESS_MIN, 3).
-define(HASH_BITS, 32).

%% @doc A history for about so many processes.
-spec new(non_neg_integer()) -> history().
new(Processes) ->
    Slots = power_of_two(?SLOTS_MIN, Processes * ?SLOTS_PER_PROCESS),
    #history{slots = Slots, table = atomics:new(2 * Slots, [{signed, false}])}.

-spec slots(history()) -> pos_integer().
slots(#history{slots = Slots}) ->
    Slots.

%% @doc Starts a pass over so many processes. A history that has become too small
%% is replaced by an empty one (`reset'): everything is unknown once.
-spec next_pass(non_neg_integer(), history()) -> {kept | reset, history()}.
next_pass(Processes, #history{slots = Slots}) when Processes * ?SLOTS_PER_PROCESS_MIN > Slots ->
    {reset, new(Processes)};
next_pass(_, #history{pass = Pass} = History) ->
    {kept, History#history{pass = Pass + 1}}.

%% @doc What the process has done since the last pass, and remembers what it has
%% done now. `new': it was not there at the last pass; `unknown': there is no
%% telling.
-spec change(pid(), non_neg_integer(), history()) -> integer() | new | unknown.
change(Pid, Reductions, #history{slots = Slots, table = Table, pass = Pass}) ->
    %% Not phash2/2: on OTP 25 it takes 15 bits of a pid for the whole.
    Hash = erlang:crc32(term_to_binary(Pid)),
    Bucket = Hash band (Slots - 1) band bnot (?BUCKET - 1),
    case find(Bucket, Bucket + ?BUCKET, Hash, Pass, Table, unknown) of
        {known, Slot} ->
            Before = atomics:get(Table, value_at(Slot)),
            put_slot(Slot, Hash, Reductions, Pass, Table),
            Reductions - Before;
        {new, Slot} ->
            put_slot(Slot, Hash, Reductions, Pass, Table),
            new;
        unknown ->
            unknown
    end.

find(End, End, _, _, _, Otherwise) ->
    Otherwise;
find(Slot, End, Hash, Pass, Table, Otherwise) ->
    Tag = atomics:get(Table, tag_at(Slot)),
    Written = Tag bsr ?HASH_BITS,
    case Tag band ((1 bsl ?HASH_BITS) - 1) of
        %% Two living processes of one hash.
        Hash when Written =:= Pass -> unknown;
        Hash when Written + 1 =:= Pass, Written > 0 -> {known, Slot};
        _ when (Written =:= 0 orelse Written + 1 < Pass), Otherwise =:= unknown ->
            find(Slot + 1, End, Hash, Pass, Table, {new, Slot});
        _ -> find(Slot + 1, End, Hash, Pass, Table, Otherwise)
    end.

put_slot(Slot, Hash, Reductions, Pass, Table) ->
    atomics:put(Table, tag_at(Slot), (Pass bsl ?HASH_BITS) bor Hash),
    atomics:put(Table, value_at(Slot), Reductions).

tag_at(Slot) -> 2 * Slot + 1.
value_at(Slot) -> 2 * Slot + 2.

power_of_two(Size, Wanted) when Size >= Wanted -> Size;
power_of_two(Size, Wanted) -> power_of_two(Size * 2, Wanted).
