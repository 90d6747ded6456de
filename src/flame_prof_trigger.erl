%% SPDX-License-Identifier: Apache-2.0
%% @doc Watches for what an armed session waits for, and tells the session.
%%
%% Run queue and memory of the node are asked for; message queues and heaps of
%% processes are looked at by {@link flame_prof_extremes}, in a process of its own and
%% no more often than it is cheap; collections, schedules and heaps that the runtime
%% system reports come by way of {@link flame_prof_system_monitor}. Where that cannot
%% be had, large heaps are found by looking.
%%
%% A level (queue, memory) fires once when it is reached, and again only when it was
%% below its limit, somebody else has reached it, or its dump could not be made
%% (again/3). The session gets
%% `{flame_prof_trigger, self(), {fired, Cause}}' and decides. Ends with the session.
-module(flame_prof_trigger).

-export([start/2, go/2, again/3, info/1, stop/1]).
-export_type([config/0]).

-define(FAST_TICK_MS, 100).
-define(TICK_MS, 500).
-define(SLOW_MS, 1000).
-define(LOOK_MS, 500).
%% A look may take this part of the time.
-define(LOOK_SHARE, 200).
-define(LOOK_MAX_MS, 10000).
-define(EVENT_DISTANCE_MS, 1000).
-define(EVENTS_WAITING_MAX, 10000).
-define(CALL_MS, 500).

-type config() :: #{triggers := #{atom() => pos_integer()},
                    reader := auto | guarded_load | process_vm_readv}.

-record(state, {session :: pid(),
                limits :: #{atom() => pos_integer()},
                clock = flame_prof_clock:new() :: flame_prof_clock:clock(),
                source :: flame_prof_extremes:source(),
                monitor :: flame_prof_system_monitor:monitor(),
                tick_ms :: pos_integer(),
                slow_due_ms :: integer(),
                look_due_ms :: integer(),
                look = none :: none | {pid(), reference(), SinceMs :: integer()},
                look_ns = 0 :: non_neg_integer(),
                looks = 0 :: non_neg_integer(),
                high = #{} :: #{atom() => term()},
                seen = #{} :: #{atom() => non_neg_integer()},
                fired = #{} :: #{atom() => pos_integer()},
                event_ms = #{} :: #{atom() => integer()}}).

-spec start(pid(), config()) -> pid().
start(Session, Config) ->
    proc_lib:spawn_opt(fun() -> init(Session, Config) end, [{priority, high}]).

%% @doc Begins to watch, beside this tier.
-spec go(pid(), walker | portable) -> ok.
go(Trigger, Tier) ->
    Trigger ! {?MODULE, go, Tier},
    ok.

%% @doc After `Ms' the trigger may fire again although nothing has changed: its dump
%% was not made.
-spec again(pid(), atom(), pos_integer()) -> ok.
again(Trigger, Name, Ms) ->
    _ = erlang:send_after(Ms, Trigger, {?MODULE, again, Name}),
    ok.

%% @doc What it watches, how, and what it has seen.
-spec info(pid()) -> map().
info(Trigger) ->
    ask(Trigger, info, #{state => unknown}).

%% @doc When it returns the system monitor is free again.
-spec stop(pid()) -> ok.
stop(Trigger) ->
    ask(Trigger, stop, ok).

ask(Trigger, Request, Otherwise) ->
    flame_prof_request:ask(Trigger, ?MODULE, Request, ?CALL_MS, Otherwise).

init(Session, Config) ->
    process_flag(message_queue_data, off_heap),
    Monitor = monitor(process, Session),
    receive
        {?MODULE, go, Tier} -> watch(Session, Tier, Config);
        {'DOWN', Monitor, process, _, _} -> ok
    end.

watch(Session, Tier, #{triggers := Limits, reader := Reader}) ->
    Events = maps:with([long_gc, long_schedule, large_heap], Limits),
    NowMs = now_ms(),
    State = #state{session = Session, limits = Limits, slow_due_ms = NowMs, look_due_ms = NowMs,
                   source = flame_prof_extremes:open(Tier, Reader),
                   monitor = flame_prof_system_monitor:take(Events),
                   tick_ms = case Limits of
                                 #{run_queue := _} -> ?FAST_TICK_MS;
                                 #{} -> ?TICK_MS
                             end},
    loop(ticking(State)).

ticking(#state{tick_ms = TickMs} = State) ->
    _ = erlang:send_after(TickMs, self(), {?MODULE, tick}),
    State.

loop(#state{session = Session, look = Look} = State) ->
    receive
        {?MODULE, tick} ->
            loop(ticking(tick(now_ms(), State)));
        {?MODULE, again, Name} ->
            loop(State#state{high = maps:remove(Name, State#state.high)});
        {?MODULE, looked, Worker, Seen} when is_tuple(Look), Worker =:= element(1, Look) ->
            loop(looked(Seen, State));
        {'DOWN', _, process, Worker, _} when is_tuple(Look), Worker =:= element(1, Look) ->
            loop(looked(unreadable, State));
        {'DOWN', _, process, Session, _} ->
            end_all(State);
        {?MODULE, From, info} ->
            From ! {From, collect_info(State)},
            loop(State);
        {?MODULE, From, stop} ->
            ok = end_all(State),
            From ! {From, ok};
        Message ->
            loop(event(flame_prof_system_monitor:event(Message), State))
    end.

end_all(#state{source = Source, monitor = Monitor} = State) ->
    _ = no_look(State),
    _ = flame_prof_system_monitor:give_back(<<"the session has ended">>, Monitor),
    flame_prof_extremes:close(Source).

%% What is asked for.

tick(NowMs, State) ->
    look_if_due(NowMs, slow_if_due(NowMs, run_queue(State))).

run_queue(#state{limits = #{run_queue := _}} = State) ->
    level(run_queue, node, erlang:statistics(total_run_queue_lengths), State);
run_queue(State) ->
    State.

slow_if_due(NowMs, #state{slow_due_ms = DueMs} = State) when NowMs < DueMs ->
    State;
slow_if_due(NowMs, #state{monitor = Monitor} = State) ->
    Checked = flame_prof_system_monitor:check(without_flood(Monitor)),
    memory(State#state{monitor = Checked, slow_due_ms = NowMs + ?SLOW_MS}).

memory(#state{limits = #{memory := _}} = State) ->
    level(memory, node, erlang:memory(total), State);
memory(State) ->
    State.

%% A limit that is far too low must not cost more than what it watches.
without_flood(Monitor) ->
    case process_info(self(), message_queue_len) of
        {message_queue_len, Length} when Length > ?EVENTS_WAITING_MAX ->
            flame_prof_system_monitor:give_back(
              <<"too many events: limits of long_gc, long_schedule or large_heap are too low">>,
              Monitor);
        _ ->
            Monitor
    end.

%% What is looked for.

look_if_due(NowMs, #state{look = {_, _, SinceMs}} = State) when NowMs - SinceMs > ?LOOK_MAX_MS ->
    (no_look(State))#state{look_due_ms = NowMs + ?LOOK_MAX_MS};
look_if_due(NowMs, #state{look = none, look_due_ms = DueMs} = State) when NowMs >= DueMs ->
    case look_limits(State) of
        Limits when map_size(Limits) =:= 0 -> State;
        Limits -> begin_look(Limits, NowMs, State)
    end;
look_if_due(_, State) ->
    State.

%% Large heaps too, where the runtime system does not report them.
look_limits(#state{limits = Limits, monitor = Monitor}) ->
    Looked = maps:with([message_queue_len, process_memory], Limits),
    case {Limits, flame_prof_system_monitor:info(Monitor)} of
        {#{large_heap := Bytes}, #{state := off}} ->
            Looked#{large_heap => Bytes,
                    process_memory => min(Bytes, maps:get(process_memory, Looked, Bytes))};
        _ ->
            Looked
    end.

begin_look(Limits, NowMs, #state{source = Source} = State) ->
    Self = self(),
    {Worker, Monitor} =
        spawn_monitor(fun() ->
                          Self ! {?MODULE, looked, self(), flame_prof_extremes:look(Limits, Source)}
                      end),
    State#state{look = {Worker, Monitor, NowMs}}.

no_look(#state{look = none} = State) ->
    State;
no_look(#state{look = {Worker, Monitor, _}} = State) ->
    demonitor(Monitor, [flush]),
    exit(Worker, kill),
    State#state{look = none}.

looked(unreadable, #state{source = Source} = State) ->
    ok = flame_prof_extremes:close(Source),
    Idle = no_look(State),
    Idle#state{source = flame_prof_extremes:open(portable, auto), look_due_ms = now_ms() + ?LOOK_MS};
looked(#{cost_ns := CostNs, message_queue_len := Queue, process_memory := Memory}, State) ->
    PauseMs = max(?LOOK_MS, CostNs * ?LOOK_SHARE div 1000000),
    Idle = no_look(State),
    Looked = Idle#state{look_ns = CostNs, looks = Idle#state.looks + 1,
                        look_due_ms = now_ms() + PauseMs},
    lists:foldl(fun(Name, Acc) -> found(Name, Memory, Acc) end,
                found(message_queue_len, Queue, Looked), memory_triggers(State)).

memory_triggers(State) ->
    case look_limits(State) of
        #{large_heap := _} -> [process_memory, large_heap];
        #{} -> [process_memory]
    end.

found(Name, none, #state{high = High} = State) ->
    State#state{high = maps:remove(Name, High)};
found(Name, {Pid, Value}, #state{limits = Limits} = State) when is_map_key(Name, Limits) ->
    level(Name, Pid, Value, State);
found(_, _, State) ->
    State.

%% Firing.

level(Name, Who, Value, #state{limits = Limits, high = High} = State) ->
    Seen = seen(Name, Value, State),
    case {Limits, High} of
        {#{Name := Limit}, _} when Value < Limit -> Seen#state{high = maps:remove(Name, High)};
        {_, #{Name := Who}} -> Seen;
        _ -> fire(Name, Value, Who, undefined, Seen#state{high = High#{Name => Who}})
    end.

event(other, State) ->
    State;
event({Name, Value, Who, Detail}, #state{event_ms = Times} = State) ->
    NowMs = now_ms(),
    Seen = seen(Name, Value, State),
    case Times of
        #{Name := LastMs} when NowMs - LastMs < ?EVENT_DISTANCE_MS -> Seen;
        #{} -> fire(Name, Value, Who, Detail, Seen#state{event_ms = Times#{Name => NowMs}})
    end.

seen(Name, Value, #state{seen = Values} = State) ->
    State#state{seen = Values#{Name => max(Value, maps:get(Name, Values, 0))}}.

fire(Name, Value, Who, Detail, #state{session = Session, limits = Limits, clock = Clock,
                                      fired = Fired} = State) ->
    Cause = #{trigger => Name, value => Value, limit => maps:get(Name, Limits),
              pid => pid_of(Who), name => name_of(Who), detail => Detail,
              time_ns => flame_prof_clock:now_ns(Clock), unix_us => os:system_time(microsecond)},
    Session ! {?MODULE, self(), {fired, Cause}},
    State#state{fired = maps:update_with(Name, fun(N) -> N + 1 end, 1, Fired)}.

pid_of(node) -> undefined;
pid_of(Who) -> Who.

%% Asking the process itself might mean to wait for it.
name_of(Pid) when is_pid(Pid) ->
    case [Name || Name <- registered(), whereis(Name) =:= Pid] of
        [Name | _] -> Name;
        [] -> undefined
    end;
name_of(_) ->
    undefined.

collect_info(#state{limits = Limits, source = Source, monitor = Monitor} = State) ->
    #{limits => Limits,
      fired => State#state.fired,
      highest => State#state.seen,
      processes_by => flame_prof_extremes:kind(Source),
      looks => State#state.looks,
      look_us => State#state.look_ns div 1000,
      system_monitor => flame_prof_system_monitor:info(Monitor)}.

now_ms() ->
    erlang:monotonic_time(millisecond).
