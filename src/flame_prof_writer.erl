%% SPDX-License-Identifier: Apache-2.0
%% @doc Turns batches of samples into text and files, away from the sampler.
%%
%% The queue to it is bounded by {@link gauge()}, which the sampler asks before it
%% hands a batch over; so a slow disk costs samples, counted, but never memory or
%% regularity. Priority high: at normal priority it would wait behind the load
%% that it describes. Ends when told to, or after session and sampler have died;
%% either way the file is finished.
%%
%% In an armed session samples are kept ({@link flame_prof_sample_memory}) until a
%% dump is asked for.
-module(flame_prof_writer).

-export([start/1, sampler/2, hand_over/4, dump/2, dumped/1, note/2, info/1, finish/4,
         new_gauge/0, has_room/2, sampler_cost/3, cost/1]).
-export([loop/1]).
-export_type([config/0, gauge/0]).

-include("flame_prof_sample.hrl").
-include_lib("kernel/include/logger.hrl").

-define(QUEUE_SAMPLES_MAX, 20000).
-define(QUEUE_BYTES_MAX, 64 * 1024 * 1024).
-define(TICK_MS, 1000).
%% Until the sampler has handed over what it has sampled.
-define(SAMPLES_ARRIVE_MS, 700).
-define(INFO_MS, 500).
%% How long the sampler may take to hand over its last batch when the session
%% has died.
-define(SAMPLER_END_MS, 1000).
-define(SAMPLE_BYTES, 1600).
-define(PIECE_SAMPLES, 200).
-define(FRAME_BYTES, 400).

-type config() :: #{session := pid(),
                    gauge := gauge(),
                    series := flame_prof_file_series:config(),
                    style := flame_prof_text:style(),
                    clock => flame_prof_clock:clock(),
                    arm => undefined | flame_prof_options:arm(),
                    anchor := {MonotonicNs :: integer(), UnixNs :: integer()}}.

-opaque gauge() :: atomics:atomics_ref().
%% Samples and bytes on their way, and until when the writer may write.
-define(GAUGE_SAMPLES, 1).
-define(GAUGE_BYTES, 2).
-define(GAUGE_DEADLINE, 3).
%% What either side has cost: reductions so far, and bytes.
-define(GAUGE_SAMPLER_REDUCTIONS, 4).
-define(GAUGE_SAMPLER_MEMORY, 5).
-define(GAUGE_WRITER_REDUCTIONS, 6).
-define(GAUGE_WRITER_MEMORY, 7).

%% Of a dump that goes on.
-record(dump, {from_ns :: integer(),
               until_ns :: integer(),
               left :: flame_prof_sample_memory:memory()}). % not looked at yet

-record(state, {session :: pid(),
                sampler :: undefined | pid(),
                gauge :: gauge(),
                series :: flame_prof_file_series:series(),
                style :: flame_prof_text:style(),
                cache :: flame_prof_text:cache(),
                unix_offset_ns :: integer(),
                last_ns = 0 :: integer(),
                counters :: undefined | flame_prof_file_series:counters(),
                dropped = 0 :: non_neg_integer(),
                clock :: flame_prof_clock:clock(),
                kept :: undefined | flame_prof_sample_memory:memory(),
                keep_ns = 0 :: non_neg_integer(),
                dump = none :: none | #dump{},
                dumped = empty :: flame_prof_dumps:result(),
                logged :: undefined | atom()}).

-spec new_gauge() -> gauge().
new_gauge() ->
    atomics:new(7, [{signed, true}]).

-spec start(config()) -> pid().
start(Config) ->
    proc_lib:spawn_opt(fun() -> init(Config) end, [{priority, high}]).

%% @doc Names the process whose end is the end of input.
-spec sampler(pid(), pid()) -> ok.
sampler(Writer, Sampler) ->
    Writer ! {?MODULE, sampler, Sampler},
    ok.

%% @doc Whether so many samples more may be handed over.
-spec has_room(non_neg_integer(), gauge()) -> boolean().
has_room(Count, Gauge) ->
    atomics:get(Gauge, ?GAUGE_SAMPLES) + Count =< ?QUEUE_SAMPLES_MAX
        andalso atomics:get(Gauge, ?GAUGE_BYTES) =< ?QUEUE_BYTES_MAX.

%% @doc Gives samples away, in any order, with the counters as of now.
-spec hand_over(pid(), [#sample{}], flame_prof_file_series:counters(), gauge()) -> ok.
hand_over(Writer, Samples, Counters, Gauge) ->
    Count = length(Samples),
    Bytes = bytes(Samples),
    ok = atomics:add(Gauge, ?GAUGE_SAMPLES, Count),
    ok = atomics:add(Gauge, ?GAUGE_BYTES, Bytes),
    Writer ! {?MODULE, batch, Samples, Count, Bytes, Counters},
    ok.

%% @doc Writes what is kept, and what comes in the time given, into one file.
-spec dump(pid(), flame_prof_tier:dump()) -> ok | busy.
dump(Writer, Dump) ->
    case ask(Writer, {dump, Dump}, ?INFO_MS) of
        {ok, Answer} -> Answer;
        %% It will get to it.
        {error, {timeout, _}} -> ok;
        {error, _} -> busy
    end.

%% @doc What has become of the last dump.
-spec dumped(pid()) -> pending | flame_prof_dumps:result().
dumped(Writer) ->
    case ask(Writer, dumped, ?INFO_MS) of
        {ok, Result} -> Result;
        {error, _} -> pending
    end.

-spec info(pid()) -> map().
info(Writer) ->
    case ask(Writer, info, ?INFO_MS) of
        {ok, Info} -> Info;
        {error, _} -> #{}
    end.

%% @doc Says something in the file, and in each one from now on.
-spec note(pid(), binary()) -> ok.
note(Writer, Note) ->
    Writer ! {?MODULE, note, Note},
    ok.

%% @doc What the sampler has cost.
-spec sampler_cost(Reductions :: non_neg_integer(), Bytes :: non_neg_integer(), gauge()) -> ok.
sampler_cost(Reductions, Bytes, Gauge) ->
    ok = atomics:put(Gauge, ?GAUGE_SAMPLER_REDUCTIONS, Reductions),
    atomics:put(Gauge, ?GAUGE_SAMPLER_MEMORY, Bytes).

%% @doc What both have cost, as they last told. Anybody may ask.
-spec cost(gauge()) -> {Reductions :: non_neg_integer(), Bytes :: non_neg_integer()}.
cost(Gauge) ->
    {atomics:get(Gauge, ?GAUGE_SAMPLER_REDUCTIONS) + atomics:get(Gauge, ?GAUGE_WRITER_REDUCTIONS),
     atomics:get(Gauge, ?GAUGE_SAMPLER_MEMORY) + atomics:get(Gauge, ?GAUGE_WRITER_MEMORY)}.

%% @doc Writes what is queued for at most `TimeoutMs', counts the rest as lost,
%% and finishes the file, whose footer has `End'.
-spec finish(pid(), gauge(), non_neg_integer(), End :: binary()) ->
    {ok, flame_prof_tier:summary()} | {error, flame_prof:error_reason()}.
finish(Writer, Gauge, TimeoutMs, End) ->
    %% Some of the time is for footer, renaming and pruning.
    Deadline = erlang:monotonic_time(millisecond) + TimeoutMs * 6 div 10,
    ok = atomics:put(Gauge, ?GAUGE_DEADLINE, Deadline),
    ask(Writer, {finish, End}, TimeoutMs).

ask(Writer, Request, TimeoutMs) ->
    Monitor = monitor(process, Writer, [{alias, reply_demonitor}]),
    Writer ! {?MODULE, Request, Monitor},
    receive
        {Monitor, Reply} ->
            {ok, Reply};
        {'DOWN', Monitor, process, _, Reason} ->
            {error, {writer_died, line("the writer has died: ~0tP", [Reason, 12])}}
    after TimeoutMs ->
        demonitor(Monitor, [flush]),
        {error, {timeout, line("the writer was not ready after ~b ms; the disk may be too slow, "
                               "the last file is finished as soon as it answers", [TimeoutMs])}}
    end.

init(#{session := Session, gauge := Gauge, series := Series, style := Style,
       anchor := {MonotonicNs, UnixNs}} = Config) ->
    Arm = maps:get(arm, Config, undefined),
    _ = monitor(process, Session),
    %% Or each garbage collection would walk through all that is queued.
    _ = process_flag(message_queue_data, off_heap),
    loop(#state{session = Session,
                clock = maps:get(clock, Config, flame_prof_clock:new()),
                kept = memory(Arm),
                keep_ns = keep_ns(Arm),
                gauge = Gauge,
                series = flame_prof_file_series:new(Series),
                style = Style,
                cache = flame_prof_text:new_cache(),
                unix_offset_ns = UnixNs - MonotonicNs}).

%% @private Entered anew by its full name, so that new code is taken up before the old
%% is purged.
-spec loop(#state{}) -> term().
loop(#state{session = Session, sampler = Sampler} = State) ->
    receive
        {?MODULE, batch, Samples, Count, Bytes, Counters} ->
            ?MODULE:loop(batch(Samples, Count, Bytes, Counters, State));
        {?MODULE, sampler, Pid} ->
            _ = monitor(process, Pid),
            loop(State#state{sampler = Pid});
        {?MODULE, info, From} ->
            From ! {From, collect_info(State)},
            loop(State);
        {?MODULE, {dump, Dump}, From} ->
            {Answer, Next} = begin_dump(Dump, State),
            From ! {From, Answer},
            loop(Next);
        {?MODULE, dumped, From} ->
            From ! {From, dump_result(State)},
            loop(State);
        {?MODULE, dump_more} ->
            loop(logged(dump_more(State)));
        {?MODULE, dump_is_over} ->
            loop(logged(end_dump(State)));
        {?MODULE, note, Note} ->
            loop(noted(Note, State));
        {?MODULE, {finish, End}, From} ->
            From ! {From, close(End, State)};
        {'DOWN', _, process, Session, Reason} ->
            orphaned(Reason, State);
        {'DOWN', _, process, Sampler, _} ->
            loop(State#state{sampler = undefined});
        _ ->
            loop(State)
    after ?TICK_MS ->
        ok = tell_cost(State),
        ?MODULE:loop(logged(State#state{series = flame_prof_file_series:tick(now_ms(),
                                                                     State#state.series)}))
    end.

%% The sampler sees the session's end too and hands over what it still has.
orphaned(Reason, #state{sampler = undefined} = State) ->
    close(line("the session has died: ~0tP", [Reason, 12]), State);
orphaned(Reason, #state{sampler = Sampler} = State) ->
    receive
        {?MODULE, batch, Samples, Count, Bytes, Counters} ->
            orphaned(Reason, batch(Samples, Count, Bytes, Counters, State));
        {'DOWN', _, process, Sampler, _} ->
            orphaned(Reason, State#state{sampler = undefined})
    after ?SAMPLER_END_MS ->
        orphaned(Reason, State#state{sampler = undefined})
    end.

close(End, Closing) ->
    #state{series = Series, counters = Counters} = State = dump_rest(Closing),
    {Summary, _} = flame_prof_file_series:close(End, counters(Counters, State), Series),
    Summary.

%% Batches.

batch(Samples, Count, Bytes, Counters, #state{gauge = Gauge} = State) ->
    ok = atomics:sub(Gauge, ?GAUGE_SAMPLES, Count),
    ok = atomics:sub(Gauge, ?GAUGE_BYTES, Bytes),
    Sorted = lists:keysort(#sample.time_ns, Samples),
    Taken = take(Sorted, Count, State#state{counters = Counters}),
    ok = tell_cost(Taken),
    logged(Taken).

take(Sorted, Count, #state{kept = undefined} = State) ->
    write_pieces(Sorted, Count, State);
take(Sorted, _, #state{dump = none} = State) ->
    keep(Sorted, State);
take(Sorted, _, #state{dump = #dump{left = Left} = Dump, counters = Counters} = State) ->
    More = flame_prof_sample_memory:add(Sorted, counters(Counters, State), Left),
    dump_soon(State#state{dump = Dump#dump{left = More}}).

%% Small enough that the end of the time to write is not overrun by much.
write_pieces([], _, State) ->
    State;
write_pieces(Samples, Count, #state{gauge = Gauge} = State) ->
    case is_too_late(Gauge) of
        true ->
            State#state{dropped = State#state.dropped + Count};
        false when Count =< ?PIECE_SAMPLES ->
            write(Samples, Count, State);
        false ->
            {Piece, Rest} = lists:split(?PIECE_SAMPLES, Samples),
            write_pieces(Rest, Count - ?PIECE_SAMPLES, write(Piece, ?PIECE_SAMPLES, State))
    end.

is_too_late(Gauge) ->
    case atomics:get(Gauge, ?GAUGE_DEADLINE) of
        0 -> false;
        Deadline -> now_ms() >= Deadline
    end.

write(Sorted, Count, #state{series = Series} = State) ->
    {Data, Formatted} = lists:mapfoldl(fun format/2, State, Sorted),
    Batch = #{data => Data,
              samples => Count,
              period_ns => lists:sum([Sample#sample.period_ns || Sample <- Sorted]),
              totals => totals(Sorted),
              first_unix_ns => (hd(Sorted))#sample.time_ns + State#state.unix_offset_ns},
    Counters = counters(State#state.counters, State),
    Formatted#state{series = flame_prof_file_series:write(Batch, Counters, now_ms(), Series)}.

%% Readers may be overtaken by later ones; in a file time never runs backwards.
format(#sample{time_ns = TimeNs} = Sample, #state{last_ns = LastNs} = State) ->
    InOrder = max(TimeNs, LastNs),
    {Text, Cache} = flame_prof_text:sample(Sample#sample{time_ns = InOrder},
                                           State#state.style, State#state.cache),
    {Text, State#state{cache = Cache, last_ns = InOrder}}.

totals([#sample{metrics = Metrics} | Samples]) ->
    lists:foldl(fun(#sample{metrics = More}, Sums) -> flame_prof_metric:add(Sums, More) end,
                Metrics, Samples).

%% The sampler's counters with what was lost here.
counters(undefined, State) ->
    counters(#{ticks_expected => 0, ticks_taken => 0, losses => #{}, degraded => #{}}, State);
counters(#{losses := Losses} = Counters, #state{dropped = Dropped}) ->
    Counters#{losses := Losses#{stop_deadline => Dropped}}.

bytes(Samples) ->
    lists:sum([?SAMPLE_BYTES + ?FRAME_BYTES * length(Frames)
               || #sample{frames = Frames} <- Samples]).

noted(Note, #state{series = Series} = State) ->
    Lines = flame_prof_text:header([{"governor", Note}]),
    State#state{series = flame_prof_file_series:note(Lines, Series)}.

tell_cost(#state{gauge = Gauge, kept = Kept}) ->
    [{reductions, Reductions}, {memory, Bytes}] = process_info(self(), [reductions, memory]),
    ok = atomics:put(Gauge, ?GAUGE_WRITER_REDUCTIONS, Reductions),
    atomics:put(Gauge, ?GAUGE_WRITER_MEMORY, Bytes + kept_bytes(Kept)).

kept_bytes(undefined) -> 0;
kept_bytes(Kept) -> maps:get(kept_bytes, flame_prof_sample_memory:info(Kept)).

%% Dumps of an armed session.

memory(undefined) -> undefined;
memory(#{keep_ms := KeepMs, bytes := Bytes}) ->
    flame_prof_sample_memory:new(KeepMs * 1000000, Bytes).

keep_ns(undefined) -> 0;
keep_ns(#{keep_ms := KeepMs}) -> KeepMs * 1000000.

keep(Samples, #state{kept = Kept, counters = Counters} = State) ->
    State#state{kept = flame_prof_sample_memory:add(Samples, counters(Counters, State), Kept)}.

begin_dump(_, #state{kept = Kept, dump = Dump} = State) when Kept =:= undefined; Dump =/= none ->
    {busy, State};
begin_dump(#{after_ms := AfterMs, fields := Fields}, #state{clock = Clock, kept = Kept,
                                                           keep_ns = KeepNs} = State) ->
    NowNs = flame_prof_clock:now_ns(Clock),
    FromNs = NowNs - KeepNs,
    _ = erlang:send_after(AfterMs + ?SAMPLES_ARRIVE_MS, self(), {?MODULE, dump_is_over}),
    Told = told(flame_prof_sample_memory:counters_at(FromNs, Kept), State),
    Series = flame_prof_file_series:begin_part(dump_header(Fields, Kept), Told, State#state.series),
    Dump = #dump{from_ns = FromNs, until_ns = NowNs + AfterMs * 1000000, left = Kept},
    {ok, dump_soon(State#state{dump = Dump, series = Series,
                               kept = flame_prof_sample_memory:reset(Kept)})}.

dump_header(Fields, Kept) ->
    #{kept_ms := KeptMs, dropped_early := Early} = flame_prof_sample_memory:info(Kept),
    flame_prof_text:header(Fields ++ [{"dump_kept_ns", KeptMs * 1000000},
                                      {"dump_dropped_early", Early}]).

told(none, State) -> counters(undefined, State);
told(Counters, _) -> Counters.

%% Batch by batch, so that questions are answered in between.
dump_soon(State) ->
    self() ! {?MODULE, dump_more},
    State.

dump_more(#state{dump = none} = State) ->
    State;
dump_more(#state{dump = #dump{from_ns = FromNs, until_ns = UntilNs, left = Left} = Dump} = State) ->
    case flame_prof_sample_memory:next(Left) of
        {Samples, Rest} ->
            Wanted = [Sample || #sample{time_ns = Ns} = Sample <- Samples,
                                Ns >= FromNs, Ns =< UntilNs],
            Later = [Sample || #sample{time_ns = Ns} = Sample <- Samples, Ns > UntilNs],
            Written = write_dumped(Wanted, State#state{dump = Dump#dump{left = Rest}}),
            dump_soon(keep(Later, Written));
        none ->
            State
    end.

write_dumped([], State) -> State;
write_dumped(Samples, State) -> write_pieces(Samples, length(Samples), State).

%% At once: the session ends.
dump_rest(#state{dump = none} = State) ->
    State;
dump_rest(#state{dump = #dump{left = Left}} = State) ->
    case flame_prof_sample_memory:info(Left) of
        #{kept_samples := 0} -> State;
        #{} -> dump_rest(dump_more(State))
    end.

end_dump(#state{dump = none} = State) ->
    State;
end_dump(#state{dump = #dump{left = Left}} = State) ->
    case flame_prof_sample_memory:info(Left) of
        #{kept_samples := 0} ->
            end_part(State);
        #{} ->
            _ = erlang:send_after(?SAMPLES_ARRIVE_MS, self(), {?MODULE, dump_is_over}),
            State
    end.

end_part(#state{series = Series, counters = Counters} = State) ->
    {Files, Ended} = flame_prof_file_series:end_part(<<"complete">>, counters(Counters, State),
                                                     Series),
    State#state{series = Ended, dump = none, dumped = result(Files, Ended)}.

result([_ | _] = Files, _) ->
    {written, lists:last(Files)};
result([], Series) ->
    case flame_prof_file_series:info(Series) of
        #{write_failure := {_, Detail}} -> {failed, Detail};
        #{} -> empty
    end.

dump_result(#state{dump = none, dumped = Result}) -> Result;
dump_result(_) -> pending.

%% Reporting.

%% One line when writing begins to fail, not one for every attempt.
logged(#state{series = Series, logged = Logged} = State) ->
    case flame_prof_file_series:info(Series) of
        #{write_failure := {Code, Detail}} when Code =/= Logged ->
            ?LOG_WARNING("flame_prof: ~ts; sampling goes on, samples are lost until it can be "
                         "written again", [Detail]),
            State#state{logged = Code};
        _ ->
            State
    end.

collect_info(#state{series = Series, gauge = Gauge, dropped = Dropped} = State) ->
    (maps:merge(flame_prof_file_series:info(Series), kept_info(State)))#{
        queued_samples => atomics:get(Gauge, ?GAUGE_SAMPLES),
        dropped => Dropped,
        writer_memory_bytes => element(2, process_info(self(), memory))
                                   + kept_bytes(State#state.kept)}.

kept_info(#state{kept = undefined}) -> #{};
kept_info(#state{kept = Kept}) -> #{kept => flame_prof_sample_memory:info(Kept)}.

now_ms() ->
    erlang:monotonic_time(millisecond).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
