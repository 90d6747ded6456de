%% SPDX-License-Identifier: Apache-2.0
%% @doc Turns batches of samples into text and files, away from the sampler.
%%
%% The queue to it is bounded by {@link gauge()}, which the sampler asks before it
%% hands a batch over; so a slow disk costs samples, counted, but never memory or
%% regularity. Priority high: at normal priority it would wait behind the load
%% that it describes. Ends when told to, or after session and sampler have died;
%% either way the file is finished.
-module(flame_prof_writer).

-export([start/1, sampler/2, hand_over/4, info/1, finish/3, new_gauge/0, has_room/2]).
-export_type([config/0, gauge/0]).

-include("flame_prof_sample.hrl").
-include_lib("kernel/include/logger.hrl").

-define(QUEUE_SAMPLES_MAX, 20000).
-define(QUEUE_BYTES_MAX, 64 * 1024 * 1024).
-define(TICK_MS, 1000).
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
                    anchor := {MonotonicNs :: integer(), UnixNs :: integer()}}.

-opaque gauge() :: atomics:atomics_ref().
%% Samples and bytes on their way, and until when the writer may write.
-define(GAUGE_SAMPLES, 1).
-define(GAUGE_BYTES, 2).
-define(GAUGE_DEADLINE, 3).

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
                logged :: undefined | atom()}).

-spec new_gauge() -> gauge().
new_gauge() ->
    atomics:new(3, [{signed, true}]).

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

-spec info(pid()) -> map().
info(Writer) ->
    case ask(Writer, info, ?INFO_MS) of
        {ok, Info} -> Info;
        {error, _} -> #{}
    end.

%% @doc Writes what is queued for at most `TimeoutMs', counts the rest as lost,
%% and finishes the file.
-spec finish(pid(), gauge(), non_neg_integer()) ->
    {ok, flame_prof_tier:summary()} | {error, flame_prof:error_reason()}.
finish(Writer, Gauge, TimeoutMs) ->
    %% Some of the time is for footer, renaming and pruning.
    Deadline = erlang:monotonic_time(millisecond) + TimeoutMs * 6 div 10,
    ok = atomics:put(Gauge, ?GAUGE_DEADLINE, Deadline),
    ask(Writer, finish, TimeoutMs).

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
       anchor := {MonotonicNs, UnixNs}}) ->
    _ = monitor(process, Session),
    %% Or each garbage collection would walk through all that is queued.
    _ = process_flag(message_queue_data, off_heap),
    loop(#state{session = Session,
                gauge = Gauge,
                series = flame_prof_file_series:new(Series),
                style = Style,
                cache = flame_prof_text:new_cache(),
                unix_offset_ns = UnixNs - MonotonicNs}).

loop(#state{session = Session, sampler = Sampler} = State) ->
    receive
        {?MODULE, batch, Samples, Count, Bytes, Counters} ->
            loop(batch(Samples, Count, Bytes, Counters, State));
        {?MODULE, sampler, Pid} ->
            _ = monitor(process, Pid),
            loop(State#state{sampler = Pid});
        {?MODULE, info, From} ->
            From ! {From, collect_info(State)},
            loop(State);
        {?MODULE, finish, From} ->
            From ! {From, close(<<"complete">>, State)};
        {'DOWN', _, process, Session, Reason} ->
            orphaned(Reason, State);
        {'DOWN', _, process, Sampler, _} ->
            loop(State#state{sampler = undefined});
        _ ->
            loop(State)
    after ?TICK_MS ->
        loop(logged(State#state{series = flame_prof_file_series:tick(now_ms(),
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

close(End, #state{series = Series, counters = Counters} = State) ->
    {Summary, _} = flame_prof_file_series:close(End, counters(Counters, State), Series),
    Summary.

%% Batches.

batch(Samples, Count, Bytes, Counters, #state{gauge = Gauge} = State) ->
    ok = atomics:sub(Gauge, ?GAUGE_SAMPLES, Count),
    ok = atomics:sub(Gauge, ?GAUGE_BYTES, Bytes),
    Sorted = lists:keysort(#sample.time_ns, Samples),
    logged(write_pieces(Sorted, Count, State#state{counters = Counters})).

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

collect_info(#state{series = Series, gauge = Gauge, dropped = Dropped}) ->
    (flame_prof_file_series:info(Series))#{
        queued_samples => atomics:get(Gauge, ?GAUGE_SAMPLES),
        dropped => Dropped,
        writer_memory_bytes => element(2, process_info(self(), memory))}.

now_ms() ->
    erlang:monotonic_time(millisecond).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
