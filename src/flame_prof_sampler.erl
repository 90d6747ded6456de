%% SPDX-License-Identifier: Apache-2.0
%% @doc The clockwork of the portable tier: at each tick it has the next of the
%% selected processes read, in turn, and passes finished batches on.
%%
%% Priority max, and it never waits for anything but the next tick: processes are
%% read by probes ({@link flame_prof_probe}), text and files are the writer's.
%% Ticks lie on a fixed grid; one that comes too late is counted, not made up for.
%% Each tick reads count * sample_interval / process_interval processes (the
%% fraction is carried over) and at least one. Dead processes leave at once, by a
%% monitor. Messages it does not know are dropped.
-module(flame_prof_sampler).

-export([start/1, go/2, watch/3, unwatch/2, exclude/2, stretch/2, info/1, selected/1, helpers/1,
         stop/2, losses/0, degraded/0, process_interval_ns/2]).
-export([loop/1]).
-export_type([config/0]).

-include("flame_prof_sample.hrl").

-define(BATCH_MS, 500).
-define(BATCH_MAX, 1000).
-define(PROBES_MAX, 128).
-define(INFO_MS, 500).
-define(STOP_MS, 200).
%% About a megabyte of text a second.
-define(SAMPLES_PER_SECOND, 1000).
-define(PROCESS_INTERVAL_MIN_MS, 99).
-define(WATCHED_MAX, 100000).
-define(ENDED_SHARE, 4).
%% A process with so many messages is not made to walk through them each time,
%% only for at most a hundredth of the time.
-define(LONG_QUEUE, 10000).
-define(KEPT_FACTOR, 100).
-define(KEPT_MIN_NS, 1000000000).

-type config() :: #{session := pid(),
                    writer := pid(),
                    gauge := flame_prof_writer:gauge(),
                    clock := flame_prof_clock:clock(),
                    options := flame_prof_options:options()}.

-record(watched, {id :: reference(),                 % its place in the ring
                  monitor :: reference(),
                  number :: non_neg_integer(),
                  explicit :: undefined | flame_prof:process_opts(),
                  auto = false :: boolean(),
                  since_ns :: integer(),             % selected or last looked at
                  is_seen = false :: boolean(),
                  is_asked = false :: boolean(),     % a probe is at it
                  values :: undefined | flame_prof_metric:values(),
                  all_due_ns = 0 :: integer(),       % when to ask for the dear metrics again
                  initial :: flame_prof_probe:initial(),
                  signals = 0 :: non_neg_integer()}).

-record(state, {session :: pid(),
                writer :: pid(),
                gauge :: flame_prof_writer:gauge(),
                clock :: flame_prof_clock:clock(),
                os_pid :: non_neg_integer(),
                depth :: pos_integer(),
                sample_ns :: pos_integer(),                % between two ticks, as asked for
                stretch = 100 :: pos_integer(),            % percent
                probe_reductions = #{} :: #{pid() => non_neg_integer()},
                gone_reductions = 0 :: non_neg_integer(),  % of probes that have died
                process_interval :: auto | pos_integer(),
                auto_opts :: flame_prof:process_opts(),
                options :: flame_prof_options:options(),
                next_ns :: integer(),
                quota = 0.0 :: float(),
                processes = #{} :: #{pid() => #watched{}},
                ring = queue:new() :: queue:queue({pid(), reference()}),
                idle = [] :: [pid()],
                probes = #{} :: #{pid() => idle | {asked, pid()}},
                selector :: undefined | pid(),
                excluded = [] :: [pid()],           % since the start
                selected = 0 :: non_neg_integer(),  % by the last selection
                ended = 0 :: non_neg_integer(),     % of those
                batch = [] :: [#sample{}],
                batch_count = 0 :: non_neg_integer(),
                batch_ms :: integer(),
                expected = 0 :: non_neg_integer(),
                taken = 0 :: non_neg_integer(),
                losses = #{} :: #{atom() => non_neg_integer()},
                degraded = #{} :: #{atom() => non_neg_integer()}}).

%% @doc Why samples that were due are missing. `process_busy': it had not answered
%% the question before; `probes_busy': too many had not; `queue_full': the writer
%% did not keep up; `missed_tick': whole ticks; `too_many_processes': not watched
%% at all; `stop_deadline': unwritten when the time to stop was over.
-spec losses() -> [atom()].
losses() ->
    [missed_tick, process_busy, probes_busy, queue_full, too_many_processes, stop_deadline,
     write_failed].

%% @doc What samples may lack. `stack_truncated': the runtime system gives no more
%% frames; `metrics_kept': sizes of a process with a long message queue are older.
-spec degraded() -> [atom()].
degraded() ->
    [stack_truncated, metrics_kept].

-spec start(config()) -> pid().
start(Config) ->
    proc_lib:spawn_opt(fun() -> init(Config) end, [{priority, max}]).

%% @doc Begins to sample. `Depth' is how many frames the runtime system gives.
-spec go(pid(), pos_integer()) -> ok.
go(Sampler, Depth) ->
    Sampler ! {?MODULE, go, Depth},
    ok.

-spec watch(pid(), pid(), flame_prof:process_opts()) -> ok.
watch(Sampler, Pid, Opts) ->
    Sampler ! {?MODULE, watch, Pid, Opts},
    ok.

%% @doc When it returns no sample of the process is taken any more, unless it is
%% selected automatically.
-spec unwatch(pid(), pid()) -> ok.
unwatch(Sampler, Pid) ->
    _ = ask(Sampler, {unwatch, Pid}, ?INFO_MS),
    ok.

%% @doc A process of the profiler that has been started since.
-spec exclude(pid(), pid()) -> ok.
exclude(Sampler, Pid) ->
    Sampler ! {?MODULE, exclude, Pid},
    ok.

%% @doc Intervals become so many percent of what was asked for.
-spec stretch(pid(), pos_integer()) -> ok.
stretch(Sampler, Percent) ->
    Sampler ! {?MODULE, stretch, Percent},
    ok.

-spec info(pid()) -> map().
info(Sampler) ->
    case ask(Sampler, info, ?INFO_MS) of
        {ok, Info} -> Info;
        error -> #{}
    end.

%% @doc The processes that are selected automatically.
-spec selected(pid()) -> [pid()].
selected(Sampler) ->
    case ask(Sampler, selected, ?INFO_MS) of
        {ok, Pids} -> Pids;
        error -> []
    end.

%% @doc The processes that work for the sampler.
-spec helpers(pid()) -> [pid()].
helpers(Sampler) ->
    case ask(Sampler, helpers, ?INFO_MS) of
        {ok, Pids} -> Pids;
        error -> []
    end.

%% @doc Ends sampling and hands the last batch over within `TimeoutMs'.
-spec stop(pid(), non_neg_integer()) -> ok.
stop(Sampler, TimeoutMs) ->
    _ = ask(Sampler, stop, min(?STOP_MS, TimeoutMs)),
    ok.

ask(Sampler, Request, TimeoutMs) ->
    Monitor = monitor(process, Sampler, [{alias, reply_demonitor}]),
    Sampler ! {?MODULE, ask, Monitor, Request},
    receive
        {Monitor, Reply} -> {ok, Reply};
        {'DOWN', Monitor, process, _, _} -> error
    after TimeoutMs ->
        demonitor(Monitor, [flush]),
        error
    end.

init(#{session := Session, writer := Writer} = Config) ->
    process_flag(trap_exit, true),
    _ = monitor(process, Session),
    _ = monitor(process, Writer),
    receive
        {?MODULE, go, Depth} -> begin_sampling(Depth, Config);
        {'DOWN', _, process, _, _} -> ok
    end.

begin_sampling(Depth, #{session := Session, writer := Writer, gauge := Gauge, clock := Clock,
                        options := Options}) ->
    #{sample_interval := SampleMs, process_interval := ProcessInterval,
      auto_process_opts := AutoOpts} = Options,
    SampleNs = SampleMs * 1000000,
    State = #state{session = Session, writer = Writer, gauge = Gauge, clock = Clock,
                   os_pid = list_to_integer(os:getpid()), depth = Depth,
                   sample_ns = SampleNs, process_interval = ProcessInterval,
                   auto_opts = AutoOpts, options = Options,
                   next_ns = erlang:monotonic_time(nanosecond) + SampleNs,
                   batch_ms = erlang:monotonic_time(millisecond)},
    loop(selecting(tell_cost(State))).

%% @private Entered anew by its full name, so that new code is taken up before the old
%% is purged.
-spec loop(#state{}) -> no_return().
loop(#state{next_ns = NextNs} = State) ->
    case NextNs - erlang:monotonic_time(nanosecond) of
        LeftNs when LeftNs =< 0 ->
            ?MODULE:loop(handed_over(tick(-LeftNs, State)));
        LeftNs ->
            receive
                Message -> handle(Message, State)
            after (LeftNs + 999999) div 1000000 ->
                loop(State)
            end
    end.

handle({flame_prof_probe, Probe, Pid, TimeNs, Answer}, State) ->
    loop(answered(Probe, Pid, TimeNs, Answer, State));
handle({?MODULE, watch, Pid, Opts}, State) ->
    loop(watched(Pid, fun(Watched) -> Watched#watched{explicit = Opts} end, State));
handle({?MODULE, exclude, Pid}, #state{excluded = Excluded} = State) ->
    loop(State#state{excluded = [Pid | Excluded]});
handle({?MODULE, stretch, Percent}, State) ->
    loop(State#state{stretch = Percent});
handle({?MODULE, ask, From, stop}, State) ->
    ok = last_hand_over(State),
    From ! {From, ok},
    exit(shutdown);
handle({?MODULE, ask, From, Request}, State) ->
    {Reply, Next} = request(Request, State),
    From ! {From, Reply},
    loop(Next);
handle({flame_prof_selector, Selector, {selected, Pids}}, #state{selector = Selector} = State) ->
    loop(select(Pids, State));
handle({flame_prof_selector, disturbed, Selector, Reference}, State) ->
    {Disturbed, Next} = disturbed(State),
    Selector ! {Reference, Disturbed},
    loop(Next);
handle({'DOWN', _, process, Pid, _}, #state{session = Session, writer = Writer} = State)
        when Pid =:= Session; Pid =:= Writer ->
    ok = last_hand_over(State),
    exit(shutdown);
handle({'DOWN', Monitor, process, Pid, _}, State) ->
    loop(died(Pid, Monitor, State));
handle({'EXIT', Pid, _}, State) ->
    loop(helper_died(Pid, State));
handle(_, State) ->
    loop(State).

request({unwatch, Pid}, State) ->
    {ok, unwatched(Pid, fun(Watched) -> Watched#watched{explicit = undefined} end, State)};
request(selected, #state{processes = Processes} = State) ->
    {[Pid || {Pid, #watched{auto = true}} <- maps:to_list(Processes)], State};
request(helpers, #state{probes = Probes, selector = Selector} = State) ->
    {[Selector || is_pid(Selector)] ++ maps:keys(Probes), State};
request(info, State) ->
    {collect_info(State), State};
request(_, State) ->
    {ok, State}.

%% Ticks.

tick(LateNs, #state{next_ns = NextNs, expected = Expected, taken = Taken} = State) ->
    SampleNs = tick_ns(State),
    Missed = LateNs div SampleNs,
    visit(State#state{next_ns = NextNs + (Missed + 1) * SampleNs,
                      expected = Expected + Missed + 1,
                      taken = Taken + 1}).

visit(#state{processes = Processes} = State) when map_size(Processes) =:= 0 ->
    State#state{quota = 0.0};
visit(#state{processes = Processes, quota = Quota} = State) ->
    Count = map_size(Processes),
    Due = Quota + Count * tick_ns(State) / process_interval_ns(State),
    case trunc(Due) of
        0 -> visit_each(1, State#state{quota = 0.0});
        Whole -> visit_each(min(Whole, Count), State#state{quota = Due - Whole})
    end.

process_interval_ns(#state{process_interval = Interval, processes = Processes,
                           stretch = Percent} = State) ->
    Count = map_size(Processes),
    stretched(Percent, seen_ns(process_interval_ns(Interval, Count), Count, State)).

%% No tick is empty: a few processes are seen more often than asked. That is what is
%% stretched then, or nothing would be won.
seen_ns(WantedNs, _, #state{stretch = 100}) -> WantedNs;
seen_ns(WantedNs, Count, #state{sample_ns = SampleNs}) -> min(WantedNs, max(1, Count) * SampleNs).

%% Ticks become rarer only where they would be empty.
tick_ns(#state{stretch = 100, sample_ns = SampleNs}) -> SampleNs;
tick_ns(#state{sample_ns = SampleNs, processes = Processes} = State) ->
    max(SampleNs, process_interval_ns(State) div max(1, map_size(Processes))).

stretched(Percent, Ns) -> Ns * Percent div 100.

%% @doc How often each of `Count' processes is to be seen.
-spec process_interval_ns(auto | pos_integer(), non_neg_integer()) -> pos_integer().
process_interval_ns(auto, Count) ->
    max(?PROCESS_INTERVAL_MIN_MS, Count * 1000 div ?SAMPLES_PER_SECOND) * 1000000;
process_interval_ns(Ms, _) ->
    Ms * 1000000.

visit_each(0, State) ->
    State;
visit_each(Count, #state{ring = Ring, processes = Processes} = State) ->
    case queue:out(Ring) of
        {empty, _} ->
            State;
        {{value, {Pid, Id} = Place}, Rest} ->
            case Processes of
                #{Pid := #watched{id = Id} = Watched} ->
                    Moved = State#state{ring = queue:in(Place, Rest)},
                    visit_each(Count - 1, visit_one(Pid, Watched, Moved));
                #{} ->
                    visit_each(Count, State#state{ring = Rest})
            end
    end.

visit_one(_, #watched{is_asked = true}, State) ->
    lost(process_busy, 1, State);
visit_one(Pid, Watched, State) ->
    case idle_probe(State) of
        {Probe, #state{processes = Processes, probes = Probes} = Ready} ->
            ok = flame_prof_probe:read(Probe, Pid, question(Watched, State)),
            Ready#state{processes = Processes#{Pid := Watched#watched{is_asked = true}},
                        probes = Probes#{Probe := {asked, Pid}}};
        none ->
            lost(probes_busy, 1, State)
    end.

idle_probe(#state{idle = [Probe | Idle]} = State) ->
    {Probe, State#state{idle = Idle}};
idle_probe(#state{probes = Probes, clock = Clock} = State) when map_size(Probes) < ?PROBES_MAX ->
    Probe = flame_prof_probe:start_link(self(), Clock),
    {Probe, State#state{probes = Probes#{Probe => idle}}};
idle_probe(_) ->
    none.

question(#watched{initial = Initial} = Watched,
         #state{clock = Clock, options = #{categories := Categories}} = State) ->
    #{status := Status} = opts(Watched, State),
    #{status => Status, initial => Initial, categories => Categories, kept => kept(Watched, Clock)}.

opts(#watched{explicit = undefined}, #state{auto_opts = Opts}) -> Opts;
opts(#watched{explicit = Opts}, _) -> Opts.

kept(#watched{values = undefined}, _) ->
    undefined;
kept(#watched{values = Values, all_due_ns = DueNs}, Clock) ->
    case flame_prof_metric:message_queue_len(Values) > ?LONG_QUEUE
        andalso flame_prof_clock:now_ns(Clock) < DueNs of
        true -> Values;
        false -> undefined
    end.

%% Answers.

answered(Probe, Pid, TimeNs, Answer, #state{probes = Probes, idle = Idle} = State) ->
    case Probes of
        #{Probe := {asked, Pid}} ->
            Free = State#state{probes = Probes#{Probe := idle}, idle = [Probe | Idle]},
            looked_at(Pid, TimeNs, Answer, Free);
        #{} ->
            State
    end.

looked_at(Pid, TimeNs, Answer, #state{processes = Processes} = State) ->
    case {Processes, Answer} of
        {#{Pid := #watched{monitor = Monitor} = Watched}, gone} ->
            true = demonitor(Monitor, [flush]),
            ended(Watched, State#state{processes = maps:remove(Pid, Processes)});
        {#{Pid := Watched}, filtered} ->
            Looked = Watched#watched{since_ns = TimeNs, is_seen = true, is_asked = false},
            State#state{processes = Processes#{Pid := Looked}};
        {#{Pid := Watched}, {seen, _, _, _, _, _, _, _}} ->
            sampled(Pid, Watched, TimeNs, Answer, State);
        _ ->
            State
    end.

sampled(Pid, #watched{} = Watched, TimeNs,
        {seen, Status, Values, Stack, Name, Initial, Identity, TookNs},
        #state{processes = Processes} = State) ->
    {Frames, IsTruncated} = frames(Stack, State),
    Sample = #sample{status = Status,
                     os_pid = State#state.os_pid,
                     number = Watched#watched.number,
                     time_ns = TimeNs,
                     period_ns = period_ns(TimeNs, Watched, State),
                     metrics = flame_prof_metric:with_deltas(Watched#watched.values, Values),
                     frames = Frames,
                     name = Name,
                     initial_call = final(Initial),
                     identity = Identity},
    IsKept = kept(Watched, State#state.clock) =/= undefined,
    Seen = Watched#watched{since_ns = TimeNs, is_seen = true, is_asked = false, values = Values,
                           initial = Initial, signals = Watched#watched.signals + 1,
                           all_due_ns = all_due_ns(IsKept, TimeNs, TookNs, Watched)},
    Counted = degraded(metrics_kept, IsKept, degraded(stack_truncated, IsTruncated, State)),
    Counted#state{processes = Processes#{Pid := Seen},
                  batch = [Sample | State#state.batch],
                  batch_count = State#state.batch_count + 1}.

all_due_ns(true, _, _, #watched{all_due_ns = DueNs}) -> DueNs;
all_due_ns(false, TimeNs, TookNs, _) -> TimeNs + max(?KEPT_MIN_NS, TookNs * ?KEPT_FACTOR).

final({maybe_later, Call}) -> Call;
final(Call) -> Call.

%% A first sample stands for no more than one that comes regularly.
period_ns(TimeNs, #watched{since_ns = SinceNs, is_seen = true}, _) ->
    max(0, TimeNs - SinceNs);
period_ns(TimeNs, #watched{since_ns = SinceNs}, State) ->
    max(0, min(TimeNs - SinceNs, process_interval_ns(State))).

%% A stack as long as the runtime system gives at most has lost its root side.
frames(Stack, #state{depth = Depth}) ->
    case length(Stack) >= Depth of
        true -> {Stack ++ [{omitted, unknown}], true};
        false -> {Stack, false}
    end.

%% Who is watched.

select(Pids, #state{processes = Processes} = State) ->
    Selected = maps:from_list([{Pid, true} || Pid <- Pids]),
    Dropped = [Pid || {Pid, #watched{auto = true}} <- maps:to_list(Processes),
                      not is_map_key(Pid, Selected)],
    Kept = lists:foldl(
             fun(Pid, Acc) ->
                 unwatched(Pid, fun(Watched) -> Watched#watched{auto = false} end, Acc)
             end, State#state{selected = length(Pids), ended = 0}, Dropped),
    lists:foldl(fun(Pid, Acc) ->
                    watched(Pid, fun(Watched) -> Watched#watched{auto = true} end, Acc)
                end, Kept, Pids).

watched(Pid, Change, #state{processes = Processes} = State) ->
    case Processes of
        #{Pid := Watched} ->
            State#state{processes = Processes#{Pid := Change(Watched)}};
        #{} when map_size(Processes) >= ?WATCHED_MAX ->
            lost(too_many_processes, 1, State);
        #{} ->
            add(Pid, Change, State)
    end.

add(Pid, Change, #state{processes = Processes, ring = Ring, clock = Clock} = State) ->
    Watched = #watched{id = make_ref(), monitor = monitor(process, Pid), number = number(Pid),
                       since_ns = flame_prof_clock:now_ns(Clock)},
    State#state{processes = Processes#{Pid => Change(Watched)},
                ring = queue:in({Pid, Watched#watched.id}, Ring)}.

unwatched(Pid, Change, #state{processes = Processes} = State) ->
    case Processes of
        #{Pid := Watched} ->
            case Change(Watched) of
                #watched{explicit = undefined, auto = false, monitor = Monitor} ->
                    true = demonitor(Monitor, [flush]),
                    State#state{processes = maps:remove(Pid, Processes)};
                Changed ->
                    State#state{processes = Processes#{Pid := Changed}}
            end;
        #{} ->
            State
    end.

died(Pid, Monitor, #state{processes = Processes} = State) ->
    case Processes of
        #{Pid := #watched{monitor = Monitor} = Watched} ->
            ended(Watched, State#state{processes = maps:remove(Pid, Processes)});
        #{} ->
            State
    end.

%% When a quarter of the selected have ended, their places are wanted for others.
ended(#watched{auto = true}, #state{ended = Ended, selected = Selected, selector = Selector} = State)
        when Ended * ?ENDED_SHARE =< Selected, (Ended + 1) * ?ENDED_SHARE > Selected ->
    _ = is_pid(Selector) andalso flame_prof_selector:sooner(Selector),
    State#state{ended = Ended + 1};
ended(#watched{auto = true}, #state{ended = Ended} = State) ->
    State#state{ended = Ended + 1};
ended(#watched{}, State) ->
    State.

%% <0.N.S>; kept as text nowhere, so this is the way.
number(Pid) ->
    [_, Number, _] = string:lexemes(pid_to_list(Pid), "<.>"),
    list_to_integer(Number).

%% How often each process was signalled since the last time, and who we are.
disturbed(#state{processes = Processes, writer = Writer, probes = Probes,
                 excluded = Excluded} = State) ->
    Counts = maps:map(fun(_, #watched{signals = Signals}) -> Signals end, Processes),
    Reset = maps:map(fun(_, Watched) -> Watched#watched{signals = 0} end, Processes),
    {{Counts, [self(), Writer | maps:keys(Probes)] ++ Excluded}, State#state{processes = Reset}}.

%% Helpers.

selecting(#state{options = #{auto_select := none}} = State) ->
    State;
selecting(#state{options = #{auto_select := Select} = Options} = State) ->
    Selector = flame_prof_selector:start_link(self(), Select, ignored(Options)),
    State#state{selector = Selector}.

ignored(#{profile_self := true}) -> none;
ignored(#{profiler_pids := Own}) -> Own.

helper_died(Selector, #state{selector = Selector} = State) ->
    selecting(State);
helper_died(Pid, #state{probes = Probes, idle = Idle} = State) ->
    case Probes of
        #{Pid := Work} ->
            asked_again(Work, (forget_probe(Pid, State))#state{probes = maps:remove(Pid, Probes),
                                          idle = lists:delete(Pid, Idle)});
        #{} ->
            State
    end.

asked_again({asked, Pid}, #state{processes = Processes} = State) when is_map_key(Pid, Processes) ->
    #{Pid := Watched} = Processes,
    State#state{processes = Processes#{Pid := Watched#watched{is_asked = false}}};
asked_again(_, State) ->
    State.

%% Batches and counters.

handed_over(#state{batch_count = Count, batch_ms = SinceMs} = State) ->
    NowMs = erlang:monotonic_time(millisecond),
    case Count >= ?BATCH_MAX orelse (Count > 0 andalso NowMs - SinceMs >= ?BATCH_MS) of
        true -> (hand_over(State))#state{batch_ms = NowMs};
        false -> State
    end.

hand_over(#state{batch = Batch, batch_count = Count, gauge = Gauge, writer = Writer} = State) ->
    Empty = tell_cost(State#state{batch = [], batch_count = 0}),
    case flame_prof_writer:has_room(Count, Gauge) of
        true ->
            ok = flame_prof_writer:hand_over(Writer, Batch, counters(State), Gauge),
            Empty;
        false ->
            lost(queue_full, Count, Empty)
    end.

%% A probe that is at work would have to be waited for.
tell_cost(#state{idle = Idle, probe_reductions = Known, gauge = Gauge} = State) ->
    Now = lists:foldl(fun(Probe, Acc) ->
                          case process_info(Probe, reductions) of
                              {reductions, Reductions} -> Acc#{Probe => Reductions};
                              undefined -> Acc
                          end
                      end, Known, Idle),
    [{reductions, Own}, {memory, Bytes}] = process_info(self(), [reductions, memory]),
    Sum = Own + State#state.gone_reductions + lists:sum(maps:values(Now)),
    ok = flame_prof_writer:sampler_cost(Sum, Bytes, Gauge),
    State#state{probe_reductions = Now}.

forget_probe(Probe, #state{probe_reductions = Known, gone_reductions = Gone} = State) ->
    State#state{probe_reductions = maps:remove(Probe, Known),
                gone_reductions = Gone + maps:get(Probe, Known, 0)}.

%% The counters must arrive even if there is no sample left, or no room for any.
last_hand_over(State) ->
    #state{writer = Writer, gauge = Gauge} = Last = hand_over(State),
    flame_prof_writer:hand_over(Writer, [], counters(Last), Gauge).

counters(#state{expected = Expected, taken = Taken, losses = Losses, degraded = Degraded}) ->
    #{ticks_expected => Expected, ticks_taken => Taken,
      losses => Losses#{missed_tick => Expected - Taken}, degraded => Degraded}.

lost(Reason, Count, #state{losses = Losses} = State) ->
    State#state{losses = maps:update_with(Reason, fun(N) -> N + Count end, Count, Losses)}.

degraded(_, false, State) ->
    State;
degraded(Reason, true, #state{degraded = Degraded} = State) ->
    State#state{degraded = maps:update_with(Reason, fun(N) -> N + 1 end, 1, Degraded)}.

collect_info(#state{processes = Processes, probes = Probes} = State) ->
    {memory, Memory} = process_info(self(), memory),
    (counters(State))#{selected => map_size(Processes),
                       process_interval_ns => process_interval_ns(State),
                       sample_interval_ns => tick_ns(State),
                       probes => map_size(Probes),
                       sampler_memory_bytes => Memory}.
