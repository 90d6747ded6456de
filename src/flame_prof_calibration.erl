%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Finds out where this VM keeps what the walker reads, without symbols or
%% headers: helper processes plant values that process_info/2 confirms, and the
%% offsets where all of them show up are the field's. For a release in the table
%% of known layouts both must agree; for any other the discovery alone must be
%% free of doubt. Either way the result must then read other processes exactly as
%% process_info/2 does ({@link flame_prof_verification}). Anything less is refused,
%% but for the fields in `optional/0': one of them that is in doubt is left out, and
%% what it tells is not told.
-module(flame_prof_calibration).

-export([layout/2, discover/1, check/2, optional/0]).
-export([helper/3]).
-export_type([candidates/0]).

-type candidates() :: #{atom() => [Offset :: non_neg_integer()]}.

-define(PROCESS_WORDS, 128).
-define(OPTIONAL, [group_leader, parent]).
-define(REGPROC_WORDS, 8).
-define(WAIT_MS, 2000).
%% Slots for rarely used data: 10 in OTP 25, 12 in OTP 27 (erl_process.h, ERTS_PSD_SIZE).
-define(LEAST_PSD_WORDS, 9).
%% 24 bytes of header and 8 slots (erl_process_dict.c, PD_SZ2BYTES).
-define(NEW_DICTIONARY_BYTES, (24 + 8 * 8)).

-record(helper, {pid :: pid(), address :: non_neg_integer(), number :: pos_integer(),
                 dictionary_keys :: non_neg_integer()}).
%% A structure and what process_info/2 said of it at that time.
-record(image, {helper :: #helper{}, words :: tuple(), bytes :: binary(),
                gc :: #{atom() => non_neg_integer()},
                collections :: {non_neg_integer(), non_neg_integer()},
                reductions :: non_neg_integer()}).

%% @doc The verified layout of this VM.
-spec layout(flame_prof_nif:probe(), Release :: string()) ->
    {ok, flame_prof_nif:layout()} | {refused, binary()}.
layout(Probe, Release) ->
    try discover(Probe) of
        {Candidates, Facts} ->
            case check(Candidates, flame_prof_nif:known_layout(Release)) of
                {ok, Offsets} -> with_table(Probe, maps:merge(Offsets, Facts));
                {refused, _} = Refused -> Refused
            end
    catch
        throw:{refused, _} = Refused -> Refused
    end.

%% @doc Fields that a layout may be without.
-spec optional() -> [atom(), ...].
optional() -> ?OPTIONAL.

%% @doc Discovery and table must not contradict each other. Without a table every
%% field must have been found at one place only.
-spec check(candidates(), undefined | flame_prof_nif:layout()) ->
    {ok, flame_prof_nif:layout()} | {refused, binary()}.
check(Candidates, undefined) ->
    Resolved = without_doubtful(resolve(Candidates)),
    case [{Field, Offsets} || {Field, Offsets} <- maps:to_list(Resolved),
                              not match_one(Offsets)] of
        [] -> {ok, maps:map(fun(_, [Offset]) -> Offset end, Resolved)};
        [{Field, Offsets} | _] ->
            refused("unknown OTP release, and field ~ts was found at ~w", [Field, Offsets])
    end;
check(Candidates, Table) ->
    Known = maps:without([Field || Field <- ?OPTIONAL,
                                   not lists:member(maps:get(Field, Table, none),
                                                    maps:get(Field, Candidates, []))], Table),
    Wrong = [{Field, Offset, maps:get(Field, Candidates, [])}
             || {Field, Offset} <- maps:to_list(Known),
                not lists:member(Offset, maps:get(Field, Candidates, []))],
    case Wrong of
        [] -> {ok, Known};
        [{Field, Offset, Found} | _] ->
            refused("field ~ts is at ~w in the table of this release, but was found at ~w",
                    [Field, Offset, Found])
    end.

without_doubtful(Candidates) ->
    maps:filter(fun(Field, Offsets) -> match_one(Offsets) orelse not lists:member(Field, ?OPTIONAL) end,
                Candidates).

match_one([_]) -> true;
match_one(_) -> false.

%% Where values coincide in every process, the order of the fields tells: it is
%% the same in OTP 25, 27 and 29.
resolve(Candidates) ->
    Vheap = [{A, A + 8, A + 16} || A <- maps:get(bin_vheap_sz, Candidates),
                                   lists:member(A + 8, maps:get(bin_old_vheap_sz, Candidates)),
                                   lists:member(A + 16, maps:get(bin_old_vheap, Candidates)),
                                   lists:member(A - 16, maps:get(mbuf_sz, Candidates))],
    case Vheap of
        [{A, B, C}] ->
            Candidates#{bin_vheap_sz => [A], bin_old_vheap_sz => [B], bin_old_vheap => [C],
                        mbuf_sz => [A - 16]};
        _ ->
            Candidates
    end.

with_table(Probe, Layout) ->
    SlotInLowBits = maps:get(slot_in_low_bits, Layout),
    Helpers = start_helpers(Probe),
    Known = [{flame_prof_nif:term_bits(Pid), Address}
             || #helper{pid = Pid, address = Address} <- Helpers],
    SlotCount = erlang:system_info(process_limit),
    Found = flame_prof_nif:find_table(Probe, SlotInLowBits, SlotCount, Known),
    stop_helpers(Helpers),
    case Found of
        {ok, Table} -> {ok, Layout#{table_address => Table, slot_cnt => SlotCount}};
        {error, {_, Detail}} -> {refused, Detail}
    end.

%% Discovery.

%% @doc All offsets that fit, per field, and what is no offset.
-spec discover(flame_prof_nif:probe()) -> {candidates(), flame_prof_nif:layout()}.
discover(Probe) ->
    %% This module is in it: it is running.
    case flame_prof_nif:load_code(Probe) of
        {ok, _} -> ok;
        {error, {_, Detail}} -> throw({refused, Detail})
    end,
    Helpers = start_helpers(Probe),
    try
        Fresh = images(Probe, Helpers),
        Static = maps:merge(static_fields(Probe, Fresh), family_fields(Probe, Helpers)),
        Facts = facts(Helpers),
        Named = named_fields(Probe, Helpers),
        Queued = queue_fields(Probe, Helpers),
        Suspended = state_field(Probe, Helpers),
        lists:foreach(fun(#helper{pid = Pid, number = N}) -> call(Pid, {grow, N}) end, Helpers),
        Grown = images(Probe, Helpers),
        Heap = heap_fields(Fresh, Grown),
        {Psd, PsdBytes} = psd_field(Probe, Helpers, Grown),
        Flags = changed_queue_flags(Probe, Helpers, Queued),
        Current = current_field(Probe, Helpers),
        Queue = maps:merge(maps:merge(Named, Current), Queued),
        {maps:merge(maps:merge(Static, maps:merge(Heap, Psd)),
                    maps:merge(maps:merge(Queue, Flags), Suspended)),
         Facts#{psd_bytes => PsdBytes}}
    after
        stop_helpers(Helpers)
    end.

%% What differs between helpers: sizes, limits, reductions, dictionary.
start_helpers(Probe) ->
    [start_helper(Probe, N, Heap, Fullsweep, Burn)
     || {N, Heap, Fullsweep, Burn} <- [{1, 233, 11, 1000}, {2, 610, 22, 50000},
                                       {3, 4181, 33, 200000}, {4, 10946, 44, 9000}]].

start_helper(Probe, N, Heap, Fullsweep, Burn) ->
    Parent = self(),
    %% As urgent as the session, which waits for it; on a busy node it would
    %% wait for its turn seconds long.
    Pid = spawn_opt(?MODULE, helper, [Parent, Probe, {N, Burn}],
                    [{priority, high}, {min_heap_size, Heap}, {fullsweep_after, Fullsweep},
                     {message_queue_data, queue_data(N)},
                     {min_bin_vheap_size, 40000 + 1000 * N}]),
    receive
        {?MODULE, Pid, undefined} ->
            throw(refused("the process structure was not found behind the NIF environment", []));
        {?MODULE, Pid, Address} ->
            settled(Pid),
            #helper{pid = Pid, address = Address, number = N, dictionary_keys = N}
    after ?WAIT_MS ->
        throw(refused("a calibration helper did not answer; is the node overloaded?", []))
    end.

queue_data(2) -> off_heap;
queue_data(_) -> on_heap.

other_queue_data(2) -> on_heap;
other_queue_data(_) -> off_heap.

stop_helpers(Helpers) ->
    lists:foreach(fun(#helper{pid = Pid}) -> exit(Pid, kill) end, Helpers).

%% @private Body of a helper process: waits in one receive, whatever was asked before.
-spec helper(pid(), flame_prof_nif:probe(), {pos_integer(), pos_integer()}) -> no_return().
helper(Parent, Probe, {N, Burn}) ->
    lists:foreach(fun(Key) -> put({?MODULE, Key}, Key) end, lists:seq(1, N)),
    burn(Burn),
    Parent ! {?MODULE, self(), flame_prof_nif:self_address(Probe)},
    wait([]).

burn(0) -> ok;
burn(N) -> burn(N - 1).

wait(Kept) ->
    receive
        {?MODULE, From, {grow, N}} ->
            Old = [lists:seq(1, 2000 + N * 1000), binaries(N)],
            collect(),
            collect(),
            Recent = lists:seq(1, 30 * N),
            collect(),
            New = [lists:seq(1, 6000 + 100 * N), binaries(N + 1)],
            From ! {?MODULE, self(), done},
            wait([Old, Recent, New | Kept]);
        {?MODULE, From, {queue_data, Where}} ->
            _ = process_flag(message_queue_data, Where),
            From ! {?MODULE, self(), done},
            wait(Kept);
        {?MODULE, From, {own_image, Probe, Address}} ->
            From ! {?MODULE, self(), {own_image, raw(Probe, Address, ?PROCESS_WORDS)}},
            wait(Kept);
        {?MODULE, From, own_table} ->
            Table = ets:new(?MODULE, [private]),
            From ! {?MODULE, self(), done},
            wait([Table | Kept]);
        {?MODULE, From, ping} ->
            From ! {?MODULE, self(), done},
            wait(Kept);
        {?MODULE, stop} ->
            exit({normal, Kept})
    end.

%% Off the heap, of a size that tells the helpers apart.
binaries(N) -> [binary:copy(<<N>>, 1000 * N + 100 * I) || I <- lists:seq(1, N)].

collect() -> erlang:garbage_collect(self(), [{type, minor}]).

call(Pid, Request) ->
    Pid ! {?MODULE, self(), Request},
    receive {?MODULE, Pid, done} -> settled(Pid)
    after ?WAIT_MS -> throw(refused("a calibration helper did not answer", []))
    end.

%% Waiting and left alone: its structure holds still.
settled(Pid) ->
    settled(Pid, erlang:monotonic_time(millisecond) + ?WAIT_MS).

settled(Pid, Deadline) ->
    case process_info(Pid, status) of
        {status, waiting} ->
            ok;
        _ ->
            erlang:monotonic_time(millisecond) < Deadline
                orelse throw(refused("a calibration helper did not come to rest", [])),
            erlang:yield(),
            settled(Pid, Deadline)
    end.

images(Probe, Helpers) ->
    [image(Probe, Helper) || Helper <- Helpers].

%% Reductions last: the other questions are signals, and answering is work.
image(Probe, #helper{pid = Pid, address = Address} = Helper) ->
    {_, Gc} = process_info(Pid, garbage_collection_info),
    {_, Settings} = process_info(Pid, garbage_collection),
    settled(Pid),
    {_, Reductions} = process_info(Pid, reductions),
    Bytes = raw(Probe, Address, ?PROCESS_WORDS),
    #image{helper = Helper, bytes = Bytes, words = list_to_tuple(words(Bytes)),
           gc = maps:from_list(Gc), reductions = Reductions,
           collections = {proplists:get_value(minor_gcs, Settings),
                          proplists:get_value(fullsweep_after, Settings)}}.

words(Bytes) -> [Word || <<Word:64/little>> <= Bytes].

word(Offset, #image{words = Words}) -> element(Offset div 8 + 1, Words).

offsets(#image{words = Words}) -> lists:seq(0, tuple_size(Words) * 8 - 8, 8).

%% Offsets at which the predicate holds in every image.
common(Images, Holds) ->
    common_of([[Offset || Offset <- offsets(Image), Holds(word(Offset, Image), Image)]
               || Image <- Images]).

common_of([First | Rest]) ->
    ordsets:intersection([ordsets:from_list(First) | [ordsets:from_list(R) || R <- Rest]]).

pid_of(#image{helper = #helper{pid = Pid}}) -> Pid.

is_pointer(Word) -> Word > 16#FFFF andalso Word < 1 bsl 47 andalso Word band 7 =:= 0.

equals(Images, Expected) ->
    Values = maps:from_list([{pid_of(Image), Expected(Image)} || Image <- Images]),
    common(Images, fun(Word, Image) -> Word =:= maps:get(pid_of(Image), Values) end).

static_fields(Probe, Images) ->
    Module = flame_prof_nif:term_bits(?MODULE),
    Function = flame_prof_nif:term_bits(helper),
    #{reds => equals(Images, fun(Image) -> Image#image.reductions end),
      id => equals(Images, fun(Image) -> flame_prof_nif:term_bits(pid_of(Image)) end),
      initial => common_of([mfa_offsets(Image, Module, Function) || Image <- Images]),
      i => common(Images, fun(Word, _) -> is_own_code(Probe, Word) end),
      dictionary => common(Images, fun(Word, Image) -> is_dictionary(Probe, Word, Image) end)}.

%% Whose children they are, and whom they have as a group leader: somebody else each,
%% also of the one who has another parent.
family_fields(Probe, Helpers) ->
    Grandchild = grandchild(Probe),
    try
        Family = [Grandchild | Helpers],
        Pids = [Pid || #helper{pid = Pid} <- Family],
        [true = group_leader(Leader, Pid) || {Leader, Pid} <- lists:zip([self() | lists:droplast(Pids)], Pids)],
        lists:foreach(fun settled/1, Pids),
        Images = images(Probe, Family),
        maps:from_list([{Field, equals(Images, fun(Image) -> relative(Field, pid_of(Image)) end)}
                        || Field <- ?OPTIONAL])
    after
        stop_helpers([Grandchild])
    end.

relative(Field, Pid) ->
    {_, Relative} = process_info(Pid, Field),
    flame_prof_nif:term_bits(Relative).

%% The fun's only way out is its answer.
-dialyzer({nowarn_function, grandchild/1}).
grandchild(Probe) ->
    Grandparent = self(),
    {_, Monitor} = spawn_opt(fun() -> exit({?MODULE, child(Grandparent, Probe)}) end,
                             [{priority, high}, monitor]),
    receive
        {'DOWN', Monitor, process, _, {?MODULE, Pid}} ->
            receive
                {?MODULE, Pid, Address} when is_integer(Address) ->
                    settled(Pid),
                    #helper{pid = Pid, address = Address, number = 1, dictionary_keys = 1}
            after ?WAIT_MS -> throw(refused("a calibration helper did not answer", []))
            end;
        {'DOWN', Monitor, process, _, _} ->
            throw(refused("a calibration helper died", []))
    end.

child(Grandparent, Probe) ->
    spawn_opt(?MODULE, helper, [Grandparent, Probe, {1, 10}], [{priority, high}]).

%% Three words: module, function, arity.
mfa_offsets(#image{bytes = Bytes}, Module, Function) ->
    [Offset || Offset <- lists:seq(0, byte_size(Bytes) - 24, 8),
               binary:part(Bytes, Offset, 24) =:=
                   <<Module:64/little, Function:64/little, 3:64/little>>].

%% Where a waiting helper goes on: in its own receive.
is_own_code(Probe, Word) ->
    is_pointer_to_code(Word) andalso
        case flame_prof_nif:locate(Probe, Word) of
            {<<"flame_prof_calibration:wait/1">>, _, _, false} -> true;
            _ -> false
        end.

is_pointer_to_code(Word) -> Word > 16#FFFF andalso Word < 1 bsl 47.

%% {u32 sizeMask, usedSlots, arraySize, splitPosition; u64 numElements; ...}
is_dictionary(Probe, Word, #image{helper = #helper{dictionary_keys = Keys}}) ->
    is_pointer(Word) andalso
        case flame_prof_nif:read_words(Probe, Word, 3) of
            <<Mask:32/little, Used:32/little, Size:32/little, Split:32/little,
              Keys:64/little>> ->
                Used >= 1 andalso Used =< Size andalso Mask band (Mask + 1) =:= 0
                    andalso Split =< Mask;
            _ ->
                false
        end.

%% A registered process points to what holds its name and points back.
named_fields(Probe, Helpers) ->
    Found = [named(Probe, Helper) || #helper{number = N} = Helper <- Helpers, N =< 2],
    [Reg, P, Name] = [common_of([element(I, F) || F <- Found]) || I <- [1, 2, 3]],
    #{reg => Reg, regproc_p => P, regproc_name => Name}.

named(Probe, #helper{pid = Pid, address = Address, number = N} = Helper) ->
    Name = case N of 1 -> flame_prof_calibration_a; 2 -> flame_prof_calibration_b end,
    true = register(Name, Pid),
    Image = image(Probe, Helper),
    Bits = flame_prof_nif:term_bits(Name),
    Hits = [{Offset, P, Na}
            || Offset <- offsets(Image), is_pointer(word(Offset, Image)),
               RegProc <- [flame_prof_nif:read_words(Probe, word(Offset, Image), ?REGPROC_WORDS)],
               is_binary(RegProc),
               P <- positions(Address, RegProc), Na <- positions(Bits, RegProc)],
    true = unregister(Name),
    {[O || {O, _, _} <- Hits], [P || {_, P, _} <- Hits], [Na || {_, _, Na} <- Hits]}.

positions(Value, Bytes) ->
    Words = words(Bytes),
    [8 * I || {I, Word} <- lists:zip(lists:seq(0, length(Words) - 1), Words), Word =:= Value].

%% Messages that the helper never takes are in its inner queue once it has looked
%% at them; those sent while it is suspended stay in the outer one.
queue_fields(Probe, Helpers) ->
    Inner = [inner_queue(Probe, Helper) || Helper <- Helpers],
    Outer = [outer_queue(Probe, Helper) || Helper <- Helpers],
    Images = images(Probe, Helpers),
    #{msgq_len => common_of(Inner), inq_len => common_of(Outer),
      msgq_first => common(Images, fun(Word, _) -> is_unread_message(Probe, Word) end),
      msgq_flags => common_of([queue_flags(Image, fun queue_data/1) || Image <- Images])}.

%% {next, attached, term, ...}
is_unread_message(Probe, Word) ->
    Unread = flame_prof_nif:term_bits(flame_prof_calibration_unread),
    is_pointer(Word) andalso
        case flame_prof_nif:read_words(Probe, Word, 3) of
            <<Next:64/little, _:64, Unread:64/little>> -> Next =/= 0;
            _ -> false
        end.

%% Bit 0: off the heap, bit 1: on it; few others.
queue_flags(#image{bytes = Bytes, helper = #helper{number = N}}, QueueData) ->
    Where = case QueueData(N) of off_heap -> 1; on_heap -> 2 end,
    [4 * I || {I, Half} <- lists:zip(lists:seq(0, byte_size(Bytes) div 4 - 1), halves(Bytes)),
              Half band 3 =:= Where, Half < 1 bsl 12].

%% Some other number may look the same, but does not follow a change.
changed_queue_flags(Probe, Helpers, #{msgq_flags := Before}) ->
    [call(Pid, {queue_data, other_queue_data(N)}) || #helper{pid = Pid, number = N} <- Helpers],
    After = common_of([queue_flags(Image, fun other_queue_data/1) || Image <- images(Probe, Helpers)]),
    #{msgq_flags => ordsets:intersection(Before, After)}.

inner_queue(Probe, #helper{pid = Pid, number = N} = Helper) ->
    send_many(Pid, 100 + 11 * N),
    call(Pid, ping),
    {_, Count} = process_info(Pid, message_queue_len),
    Image = image(Probe, Helper),
    [Offset || Offset <- offsets(Image), word(Offset, Image) =:= Count].

outer_queue(Probe, #helper{pid = Pid, number = N} = Helper) ->
    true = erlang:suspend_process(Pid),
    Before = raw_words(Probe, Helper),
    send_many(Pid, 16 + N),
    After = raw_words(Probe, Helper),
    true = erlang:resume_process(Pid),
    settled(Pid),
    [8 * I || {I, A, B} <- zip3(Before, After), B - A =:= 16 + N].

zip3(Before, After) ->
    lists:zip3(lists:seq(0, length(Before) - 1), Before, After).

raw_words(Probe, #helper{address = Address}) ->
    words(raw(Probe, Address, ?PROCESS_WORDS)).

raw(Probe, Address, Words) ->
    case flame_prof_nif:read_words(Probe, Address, Words) of
        undefined when Words > 64 -> raw(Probe, Address, Words - 8);
        undefined -> throw(refused("a process structure could not be read", []));
        Bytes -> Bytes
    end.

send_many(Pid, Count) ->
    lists:foreach(fun(_) -> Pid ! flame_prof_calibration_unread end, lists:seq(1, Count)).

%% The 32-bit word in which exactly one suspension sets bit 16 (SUSPENDED), and
%% resuming brings back what was there.
state_field(Probe, Helpers) ->
    #{state => common_of([suspended(Probe, Helper) || Helper <- Helpers])}.

suspended(Probe, Helper) ->
    suspended(Probe, Helper, erlang:monotonic_time(millisecond) + ?WAIT_MS).

%% Waiting, but still in its run queue, is not at rest: nothing is found then.
suspended(Probe, #helper{pid = Pid} = Helper, Deadline) ->
    settled(Pid),
    Before = state_halves(Probe, Helper),
    true = erlang:suspend_process(Pid),
    During = state_halves(Probe, Helper),
    true = erlang:resume_process(Pid),
    settled(Pid),
    After = state_halves(Probe, Helper),
    Rows = lists:zip(lists:zip3(lists:seq(0, length(Before) - 1), Before, During), After),
    case [4 * I || {{I, B, D}, A} <- Rows, B =:= A, is_suspension(B, D)] of
        [] ->
            case erlang:monotonic_time(millisecond) < Deadline of
                true -> timer:sleep(1), suspended(Probe, Helper, Deadline);
                false -> []
            end;
        Offsets ->
            Offsets
    end.

state_halves(Probe, #helper{address = Address}) -> halves(raw(Probe, Address, ?PROCESS_WORDS)).

%% The low six bits are priorities, never all zero, and not touched.
is_suspension(Before, During) ->
    Before band 16#10000 =:= 0 andalso During band 16#10000 =/= 0
        andalso Before band 16#3F =/= 0 andalso Before band 16#3F =:= During band 16#3F
        andalso Before < 1 bsl 31 andalso During < 1 bsl 31.

halves(Bytes) -> [Half || <<Half:32/little>> <= Bytes].

%% Sizes: taken from fresh helpers and again after they grew and were collected.
heap_fields(Fresh, Grown) ->
    Both = [sizes_of(Images) || Images <- [Fresh, Grown]],
    maps:from_list([{Field, common_of([maps:get(Field, Sizes) || Sizes <- Both])}
                    || Field <- [heap_sz, heap, hend, stop, htop, high_water, old_heap, old_hend,
                                 old_htop, gen_gcs, overhead, bin_vheap_sz, bin_old_vheap_sz,
                                 bin_old_vheap, mbuf_sz]]).

sizes_of(Images) ->
    Value = fun(Key) -> fun(#image{gc = Gc}) -> maps:get(Key, Gc) end end,
    {Heap, Hend} = pair(Images, Value(heap_block_size)),
    {OldHeap, OldHend} = pair(Images, Value(old_heap_block_size)),
    #{heap_sz => equals(Images, Value(heap_block_size)),
      heap => Heap, hend => Hend, old_heap => OldHeap, old_hend => OldHend,
      stop => behind(Images, Hend, fun(Image) -> -8 * (Value(stack_size))(Image) end),
      htop => behind(Images, Heap, fun(Image) -> 8 * (Value(heap_size))(Image) end),
      high_water => behind(Images, Heap, fun(Image) -> 8 * (Value(recent_size))(Image) end),
      old_htop => behind(Images, OldHeap, fun(Image) -> 8 * (Value(old_heap_size))(Image) end),
      overhead => equals(Images, Value(bin_vheap_size)),
      bin_vheap_sz => equals(Images, Value(bin_vheap_block_size)),
      bin_old_vheap_sz => equals(Images, Value(bin_old_vheap_block_size)),
      bin_old_vheap => equals(Images, Value(bin_old_vheap_size)),
      mbuf_sz => equals(Images, Value(mbuf_size)),
      gen_gcs => gen_gcs(Images)}.

%% All offsets that are the first (second) of two pointers so many words apart; a
%% heap that is not there is a pair of zeros.
pair(Images, Words) ->
    Pairs = common_of([[{A, B} || A <- offsets(Image), is_pointer_or_null(word(A, Image), Image, Words),
                                  B <- offsets(Image), A =/= B,
                                  word(B, Image) - word(A, Image) =:= 8 * Words(Image),
                                  is_pointer_or_null(word(B, Image), Image, Words)]
                       || Image <- Images]),
    {lists:usort([A || {A, _} <- Pairs]), lists:usort([B || {_, B} <- Pairs])}.

is_pointer_or_null(Word, Image, Words) ->
    case Words(Image) of
        0 -> Word =:= 0;
        _ -> is_pointer(Word)
    end.

%% Offsets holding what one of the bases holds, plus so many bytes.
behind(Images, Bases, Distance) ->
    lists:usort(lists:append(
      [common_of([[O || O <- offsets(Image), O =/= Base,
                        word(O, Image) =:= word(Base, Image) + Distance(Image)]
                  || Image <- Images]) || Base <- Bases])).

%% u16 gen_gcs, max_gen_gcs: the collections done, and when a full one is due.
gen_gcs(Images) ->
    common_of([[Offset || Offset <- lists:seq(0, byte_size(Bytes) - 4, 2),
                          <<Minor:16/little, Full:16/little>> <- [binary:part(Bytes, Offset, 4)],
                          {Minor, Full} =:= Collections]
               || #image{bytes = Bytes, collections = Collections} <- Images]).

%% In a NIF it points to the NIF's module, function and arity: who reads itself is in one.
current_field(Probe, Helpers) ->
    Nif = <<(flame_prof_nif:term_bits(flame_prof_nif)):64/little,
            (flame_prof_nif:term_bits(read_words)):64/little, 3:64/little>>,
    #{current => common_of([[Offset || {Offset, Word} <- with_offsets(own_image(Probe, Helper)),
                                       is_pointer_to_code(Word), Word band 7 =:= 0,
                                       flame_prof_nif:read_words(Probe, Word, 3) =:= Nif]
                            || Helper <- Helpers])}.

own_image(Probe, #helper{pid = Pid, address = Address}) ->
    Pid ! {?MODULE, self(), {own_image, Probe, Address}},
    receive {?MODULE, Pid, {own_image, Bytes}} -> settled(Pid), words(Bytes)
    after ?WAIT_MS -> throw(refused("a calibration helper did not answer", []))
    end.

with_offsets(Words) ->
    lists:zip(lists:seq(0, 8 * (length(Words) - 1), 8), Words).

%% Rarely used data of a process: a row of slots made when the first is needed, here
%% by the first ETS table. A pointer where there was none, to one slot in use.
psd_field(Probe, Helpers, Before) ->
    Memory = [off_heap_memory(Pid) || #helper{pid = Pid} <- Helpers],
    [call(Pid, own_table) || #helper{pid = Pid} <- Helpers],
    Grown = [off_heap_memory(Pid) || #helper{pid = Pid} <- Helpers],
    After = images(Probe, Helpers),
    Offsets = common_of([[Offset || Offset <- offsets(New), word(Offset, Old) =:= 0,
                                    is_row_of_slots(Probe, word(Offset, New))]
                         || {Old, New} <- lists:zip(Before, After)]),
    case lists:usort([New - Old || {Old, New} <- lists:zip(Memory, Grown)]) of
        [Bytes] when Bytes > 0 -> {#{psd => Offsets}, Bytes};
        Different -> throw(refused("a first ETS table cost its owners ~w bytes", [Different]))
    end.

off_heap_memory(Pid) ->
    {_, Memory} = process_info(Pid, memory),
    {_, HeapWords} = process_info(Pid, total_heap_size),
    Memory - 8 * HeapWords.

is_row_of_slots(Probe, Word) ->
    is_pointer(Word) andalso
        case flame_prof_nif:read_words(Probe, Word, ?LEAST_PSD_WORDS) of
            undefined -> false;
            Bytes -> match_one([Slot || Slot <- words(Bytes), Slot =/= 0])
        end.

%% What is no offset.

facts([#helper{pid = Pid} | _]) ->
    {_, Memory} = process_info(Pid, memory),
    {_, HeapWords} = process_info(Pid, total_heap_size),
    Release = list_to_integer(erlang:system_info(otp_release)),
    #{slot_in_low_bits => from(26, Release),
      binaries_in_bits => from(27, Release),
      message_bytes => message_bytes(Pid, Memory),
      process_bytes => Memory - 8 * HeapWords - ?NEW_DICTIONARY_BYTES}.

%% erts_ptab_id2pix: the high word up to OTP 25, data bits from 26 on. Binaries are bit
%% strings since OTP 27.
from(First, Release) when Release >= First -> 1;
from(_, _) -> 0.

%% A queued atom costs its message structure and nothing else.
message_bytes(Pid, Before) ->
    Count = 64,
    send_many(Pid, Count),
    call(Pid, ping),
    {memory, After} = process_info(Pid, memory),
    (After - Before) div Count.

refused(Format, Arguments) ->
    {refused, unicode:characters_to_binary(io_lib:format("layout: " ++ Format, Arguments))}.
