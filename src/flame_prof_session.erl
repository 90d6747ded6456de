%% SPDX-License-Identifier: Apache-2.0
%% @doc One capture, from start to stop: chooses the tier, owns it, and sees to
%% it that its files are finished however the session ends.
%%
%% Registered as `flame_prof', so there is one per node. It takes no part in the
%% sampling itself and is therefore never in its way. When a tier fails, the
%% session closes it and goes on with the portable one. Messages it does not
%% know are dropped.
-module(flame_prof_session).
-behaviour(gen_server).

-export([start_link/2, watch/3, unwatch/2, dump/1, info/1, stop/2, last/0, series/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

-define(NAME, flame_prof).
-define(TICK_MS, 250).
-define(GOVERN_MS, 1000).
%% Of the second that stop may take, what the tier gets.
-define(CLOSE_MS, 800).
%% Of who gives more than the default it takes more, but not for ever.
-define(STOP_MS, 5000).
-define(CLOSE_MAX_MS, 60000).
-define(CALL_MS, 5000).
%% Processes that are sampled because they were followed. More would mean that
%% following has taken over the whole node.
-define(FOLLOWED_MAX, 10000).
-define(FALLBACKS_MAX, 5).
%% How often a dump that goes on is asked after, and how long its writing may take.
-define(DUMP_POLL_MS, 50).
-define(DUMP_WRITE_MS, 120000).

-record(state, {owner :: pid(),
                options :: flame_prof_options:options(),
                tier :: module(),
                tier_reason :: binary(),
                handle :: undefined | flame_prof_tier:handle(),
                since_us :: integer(),
                targets = flame_prof_targets:new() :: flame_prof_targets:targets(),
                refused_targets = 0 :: non_neg_integer(),
                viral :: pid(),
                auto_roots = [] :: [pid()],
                %% Those whom the tracer was asked to follow.
                followed = #{} :: #{pid() => true},
                resolver :: undefined | pid(),
                resolved = [] :: ordsets:ordset(pid()),
                selection = #{} :: #{} | flame_prof_resolver:facts(),
                fallbacks = 0 :: non_neg_integer(),
                dumps :: undefined | flame_prof_dumps:dumps(),   % of an armed session
                trigger :: undefined | pid(),
                trigger_deaths = 0 :: non_neg_integer(),
                governor :: flame_prof_governor:governor(),
                govern_due_ms :: integer(),
                closed = false :: boolean(),
                earlier :: undefined | flame_prof_tier:summary()}).

-type server() :: pid() | atom().

%% @doc Starts the session of this node, linked to the caller. Unlike
%% `gen_server:start_link/4', a refusal does not take the caller along.
-spec start_link(flame_prof_options:options(), timeout()) ->
    {ok, pid()} | {error, {already_started, pid()} | flame_prof:error_reason()}.
start_link(Options, Timeout) ->
    Owner = self(),
    case gen_server:start({local, ?NAME}, ?MODULE, {Owner, Options}, [{timeout, Timeout}]) of
        {ok, Session} ->
            {ok, Session};
        {error, {already_started, _} = Reason} ->
            {error, Reason};
        {error, {shutdown, {refused, Reason}}} ->
            {error, Reason};
        {error, timeout} ->
            {error, {timeout, line("start: not ready after ~w ms; give more time or stop the load",
                                   [Timeout])}};
        {error, Reason} ->
            {error, {start_failed, line("start: the session died while starting: ~0tP",
                                        [Reason, 12])}}
    end.

%% @doc Samples a process on behalf of `Key' until {@link unwatch/2}.
-spec watch(pid(), flame_prof_targets:key(), flame_prof:process_opts()) ->
    ok | {error, flame_prof:error_reason()}.
watch(Pid, Key, Opts) ->
    call(?NAME, {watch, Pid, Key, Opts}, ?CALL_MS).

-spec unwatch(pid(), flame_prof_targets:key()) -> ok | {error, flame_prof:error_reason()}.
unwatch(Pid, Key) ->
    call(?NAME, {unwatch, Pid, Key}, ?CALL_MS).

%% @doc Has what an armed session keeps written, and waits until it is.
-spec dump(#{after_ms := non_neg_integer(), note := binary()}) ->
    {ok, file:filename()} | {error, flame_prof:error_reason()}.
dump(#{after_ms := AfterMs} = Dump) ->
    call(?NAME, {dump, Dump}, AfterMs + ?DUMP_WRITE_MS).

-spec info(server()) -> map() | {error, flame_prof:error_reason()}.
info(Server) ->
    call(Server, info, ?CALL_MS).

%% @doc Ends the session and waits until it is gone, so that the next one can
%% start at once.
-spec stop(server(), timeout()) ->
    {ok, flame_prof_tier:summary()} | {error, flame_prof:error_reason()}.
stop(Server, Timeout) ->
    Monitor = monitor(process, Server),
    Result = call(Server, {stop, close_ms(Timeout)}, Timeout),
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after ?TICK_MS ->
        demonitor(Monitor, [flush])
    end,
    Result.

%% @doc How the last session of this node ended.
-spec last() -> undefined | #{ended := term(), result := term(), atom() => term()}.
last() ->
    flame_prof_sup:recall(last_session).

%% @doc By what the files of the running session are known, else those of the last one.
-spec series() -> {ok, map()} | {error, flame_prof:error_reason()}.
series() ->
    case {call(?NAME, series, ?CALL_MS), last()} of
        {#{} = Series, _} -> {ok, Series};
        {{error, {not_started, _}}, #{series := Series}} -> {ok, Series};
        {{error, Reason}, _} -> {error, Reason}
    end.

%% gen_server

-spec init({pid(), flame_prof_options:options()}) ->
    {ok, #state{}} | {stop, {shutdown, {refused, flame_prof:error_reason()}}}.
init({Owner, Options}) ->
    process_flag(trap_exit, true),
    process_flag(priority, high),
    ok = load_modules(),
    link(Owner),
    Viral = flame_prof_viral:start(self(), flame_prof_own:pids()),
    Resolver = start_resolver(Options),
    Trigger = trigger(Options),
    Own = [Pid || Pid <- [Viral, Trigger, Resolver], is_pid(Pid)] ++ flame_prof_own:pids(),
    %% Before the first sample, after whose second its file is called (series/0).
    Configured = Options#{session => self(), profiler_pids => Own,
                          opened_us => os:system_time(microsecond)},
    case flame_prof_tiers:choose(Configured) of
        {ok, Tier, Handle, Reason} ->
            start_tick(),
            {ok, armed(#state{owner = Owner, options = Configured, tier = Tier, handle = Handle,
                              tier_reason = Reason, since_us = os:system_time(microsecond),
                              viral = Viral, resolver = Resolver, trigger = Trigger,
                              governor = flame_prof_governor:for_node(Options), govern_due_ms = now_ms()})};
        {error, Reason} ->
            unlink(Owner),
            {stop, {shutdown, {refused, Reason}}}
    end.

-spec handle_call(term(), gen_server:from(), #state{}) ->
    {reply, term(), #state{}} | {noreply, #state{}} | {stop, term(), term(), #state{}}.
handle_call({watch, Pid, Key, Opts}, _, State) ->
    case do_watch(Pid, Key, Opts, State) of
        {ok, Watching} -> {reply, ok, Watching};
        {stop, Reason, Failed} -> {stop, Reason, {error, failed(Reason)}, Failed}
    end;
handle_call({unwatch, Pid, Key}, _, State) ->
    case do_unwatch(Pid, Key, State) of
        {ok, Left} -> {reply, ok, Left};
        {stop, Reason, Failed} -> {stop, Reason, {error, failed(Reason)}, Failed}
    end;
handle_call({dump, _}, _, #state{dumps = undefined} = State) ->
    {reply, {error, {not_armed, <<"dump: this session writes everything anyway; only one that was "
                                  "started by flame_prof:arm/1 keeps samples to dump">>}}, State};
handle_call({dump, Dump}, From, State) ->
    case dump_on_call(Dump, From, State) of
        {begun, Dumping} -> {noreply, Dumping};
        {busy, Same} -> {reply, {error, {busy, <<"dump: one is being written; try again">>}}, Same};
        {stop, Reason, Failed} -> {stop, Reason, {error, failed(Reason)}, Failed}
    end;
handle_call(info, _, State) ->
    {reply, collect_info(State), State};
handle_call(series, _, State) ->
    {reply, series(State), State};
handle_call({stop, TimeoutMs}, _, State) ->
    {Result, Closed} = close(stopped, TimeoutMs, State),
    {stop, normal, Result, Closed};
handle_call(_, _, State) ->
    {reply, {error, {bad_request, <<"flame_prof does not know this request">>}}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info({?MODULE, tick}, State) ->
    start_tick(),
    noreply(tick(State));
handle_info({flame_prof_viral, Viral, {found, Pid, Opts, Root}}, #state{viral = Viral} = State) ->
    noreply(found(Pid, Opts, Root, State));
handle_info({flame_prof_resolver, Resolver, Message}, #state{resolver = Resolver} = State) ->
    noreply(resolver_says(Message, State));
handle_info({flame_prof_trigger, Trigger, {fired, Cause}}, #state{trigger = Trigger} = State) ->
    noreply(dump_by_trigger(Cause, State));
handle_info({?MODULE, dump_poll}, State) ->
    noreply(dump_poll(State));
handle_info({'DOWN', _, process, Trigger, _}, #state{trigger = Trigger} = State) ->
    {noreply, trigger_anew(State)};
handle_info({'DOWN', Monitor, process, Pid, _}, State) ->
    noreply(down(Pid, Monitor, State));
handle_info({'EXIT', Owner, Reason}, #state{owner = Owner} = State) ->
    {stop, owner_reason(Reason), State};
handle_info(_, State) ->
    {noreply, State}.

%% Between versions whose states are alike it goes on; else the upgrade is refused
%% while a session runs, before anything has changed.
-spec code_change(term(), term(), term()) -> {ok, #state{}} | {error, binary()}.
code_change(_, #state{} = State, _) ->
    {ok, State};
code_change(_, _, _) ->
    {error, <<"flame_prof: this version cannot go on with a session of the other one; call "
              "flame_prof:stop() first">>}.

-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    _ = close(Reason, ?CLOSE_MS, State),
    ok.

noreply({ok, State}) -> {noreply, State};
noreply({stop, _, _} = Stop) -> Stop.

call(Server, Request, Timeout) ->
    try
        gen_server:call(Server, Request, Timeout)
    catch
        exit:{timeout, _} ->
            {error, {timeout, line("no answer within ~w ms; the node is overloaded, try again with "
                                   "more time", [Timeout])}};
        exit:{_, {gen_server, call, _}} ->
            {error, not_started()}
    end.

not_started() ->
    Ended = case last() of
                #{ended := {shutdown, {limit, Reason}}} -> <<"; the last one ended: ", Reason/binary>>;
                #{ended := Why} -> line("; the last one ended: ~0tP", [Why, 12]);
                undefined -> <<>>
            end,
    {not_started, line("no session is running on this node~ts; call flame_prof:start()", [Ended])}.

failed(Reason) ->
    {failed, line("the session has ended: ~0tP", [Reason, 12])}.

owner_reason(normal) -> normal;
owner_reason(shutdown) -> shutdown;
owner_reason(Reason) -> {shutdown, {owner, Reason}}.

close_ms(infinity) -> ?CLOSE_MAX_MS;
close_ms(TimeoutMs) when TimeoutMs > ?STOP_MS -> min(?CLOSE_MAX_MS, TimeoutMs * 8 div 10);
close_ms(TimeoutMs) -> min(?CLOSE_MS, TimeoutMs * 8 div 10).

start_tick() ->
    erlang:send_after(?TICK_MS, self(), {?MODULE, tick}),
    ok.

%% In interactive mode each module not loaded yet costs a turn of the code server,
%% which on a busy node waits for the whole run queue: all of them in one turn.
load_modules() ->
    Own = case application:get_key(flame_prof, modules) of
              {ok, Modules} -> Modules;
              undefined -> []
          end,
    _ = code:ensure_modules_loaded(Own ++ [calendar, filelib, ordsets, proplists, re, unicode]),
    ok.

%% A tier that fails.

%% A tier that cannot go on is replaced by the portable one, also by a fresh one
%% when it was the portable one that failed.
fall_back(Reason, #state{fallbacks = Count} = State) when Count >= ?FALLBACKS_MAX ->
    {stop, {shutdown, {tier_failed, Reason}}, State};
fall_back(Reason, #state{tier = Tier, handle = Handle, options = Options} = State) ->
    ?LOG_WARNING("flame_prof: ~ts failed: ~ts; going on with the portable tier",
                 [flame_prof_tiers:name(Tier), Reason]),
    Earlier = earlier(flame_prof_tier:close(Tier, Handle, ?CLOSE_MS, <<"complete">>), State),
    Gone = State#state{handle = undefined, earlier = Earlier,
                       fallbacks = State#state.fallbacks + 1},
    Failed = line("~ts failed: ~ts", [flame_prof_tiers:name(Tier), Reason]),
    case flame_prof_tiers:open([portable], Failed, Options) of
        {ok, Next, Opened, Why} ->
            Ended = {failed, line("the tier failed meanwhile: ~ts", [Reason])},
            Replaced = Gone#state{tier = Next, handle = Opened, tier_reason = Why},
            rewatch(dump_ended(Ended, governed_anew(Replaced)));
        {error, Error} ->
            {stop, {shutdown, Error}, Gone}
    end.

rewatch(#state{tier = Tier, targets = Targets} = State) ->
    watch_all(Tier, flame_prof_targets:effective(Targets), State).

watch_all(_, [], State) ->
    {ok, State};
watch_all(Tier, [{Pid, Opts} | Rest], State) ->
    case tier_watch(Pid, Opts, State) of
        {ok, #state{tier = Tier} = Watching} -> watch_all(Tier, Rest, Watching);
        %% It failed and was replaced, which has watched them all.
        Other -> Other
    end.

earlier({ok, Summary}, #state{earlier = undefined}) -> Summary;
earlier({ok, Summary}, #state{earlier = Earlier}) -> flame_prof_summary:merge(Earlier, Summary);
earlier({error, Reason}, #state{earlier = Earlier}) ->
    ?LOG_WARNING("flame_prof: closing failed: ~0tp", [Reason]),
    Earlier.

%% Watching.

do_watch(Pid, Key, Opts, #state{options = Options, targets = Targets} = State) ->
    case is_own(Pid, Options) of
        true ->
            {ok, State};
        false ->
            {InForce, Claimed} = flame_prof_targets:claim(Pid, Key, Opts, Targets),
            Monitored = monitored(Pid, State#state{targets = Claimed}),
            follow_as_wanted(Pid, Key, tier_watch(Pid, InForce, Monitored))
    end.

do_unwatch(Pid, Key, #state{targets = Targets} = State) ->
    case flame_prof_targets:release(Pid, Key, Targets) of
        unknown ->
            {ok, State};
        {none, Left} ->
            demonitor_target(flame_prof_targets:monitor_of(Pid, Targets)),
            follow_as_wanted(Pid, Key, tier_unwatch(Pid, State#state{targets = Left}));
        {InForce, Left} ->
            follow_as_wanted(Pid, Key, tier_watch(Pid, InForce, State#state{targets = Left}))
    end.

is_own(_, #{profile_self := true}) -> false;
is_own(Pid, #{profiler_pids := Own}) -> lists:member(Pid, Own).

monitored(Pid, #state{targets = Targets} = State) ->
    case flame_prof_targets:monitor_of(Pid, Targets) of
        undefined ->
            Monitor = monitor(process, Pid),
            State#state{targets = flame_prof_targets:set_monitor(Pid, Monitor, Targets)};
        _ ->
            State
    end.

demonitor_target(undefined) -> true;
demonitor_target(Monitor) -> demonitor(Monitor, [flush]).

tier_watch(Pid, Opts, #state{tier = Tier, handle = Handle} = State) ->
    tier_did(flame_prof_tier:watch(Tier, Handle, Pid, Opts), State).

tier_unwatch(Pid, #state{tier = Tier, handle = Handle} = State) ->
    tier_did(flame_prof_tier:unwatch(Tier, Handle, Pid), State).

tier_did({ok, Handle}, State) -> {ok, State#state{handle = Handle}};
tier_did({failed, Reason}, State) -> fall_back(Reason, State).

down(Pid, Monitor, #state{targets = Targets} = State) ->
    case flame_prof_targets:monitor_of(Pid, Targets) of
        Monitor ->
            tier_unwatch(Pid, ended(Pid, State));
        _ ->
            {ok, State}
    end.

%% Its children are followed on; those of one that was selected automatically, as
%% long as it was.
ended(Pid, #state{targets = Targets, followed = Followed, auto_roots = Auto} = State) ->
    Left = State#state{targets = flame_prof_targets:drop(Pid, Targets)},
    case ordsets:is_element(Pid, Auto) of
        true -> Left;
        false -> Left#state{followed = maps:remove(Pid, Followed)}
    end.

tick(#state{tier = Tier, handle = Handle} = State) ->
    case tier_did(flame_prof_tier:tick(Tier, Handle), State) of
        {ok, Ticked} -> followed(govern_if_due(now_ms(), with_resolver(Ticked)));
        Stop -> Stop
    end.

followed({ok, State}) -> follow_selected(State);
followed(Stop) -> Stop.

%% Following children and receivers (flame_prof_viral finds them).

%% After a claim of `Key' was made or taken back. With the last one that wants the
%% process followed ends what was found by way of it.
follow_as_wanted(_, {followed, _}, Result) ->
    Result;
follow_as_wanted(Pid, _, {ok, #state{targets = Targets} = State}) ->
    case {flame_prof_targets:following(Pid, Targets), auto_following(Pid, State)} of
        {none, none} ->
            unfollow(Pid, State);
        {none, Opts} ->
            {ok, follow(Pid, Opts, State)};
        {Opts, _} ->
            {ok, follow(Pid, Opts, State)}
    end;
follow_as_wanted(_, _, Stop) ->
    Stop.

auto_following(Pid, #state{auto_roots = Roots, options = #{auto_process_opts := Opts}}) ->
    case ordsets:is_element(Pid, Roots) of
        true -> Opts;
        false -> none
    end.

follow(Pid, Opts, #state{viral = Viral, followed = Followed} = State) ->
    _ = flame_prof_viral:follow(Viral, Pid, Opts),
    State#state{followed = Followed#{Pid => true}}.

%% Nothing to do for most: thousands may be sampled without being followed.
unfollow(Pid, #state{viral = Viral, followed = Followed} = State)
        when is_map_key(Pid, Followed) ->
    ok = flame_prof_viral:unfollow(Viral, Pid),
    release_followed(Pid, State#state{followed = maps:remove(Pid, Followed)});
unfollow(_, State) ->
    {ok, State}.

found(Pid, Opts, Root, #state{targets = Targets} = State) ->
    case flame_prof_targets:size(Targets) < ?FOLLOWED_MAX of
        true -> do_watch(Pid, {followed, Root}, Opts, State);
        false -> {ok, State#state{refused_targets = State#state.refused_targets + 1}}
    end.

release_followed(Root, #state{targets = Targets} = State) ->
    Key = {followed, Root},
    release_each(flame_prof_targets:claimed_by(Key, Targets), Key, State).

release_each([], _, State) ->
    {ok, State};
release_each([Pid | Rest], Key, State) ->
    case do_unwatch(Pid, Key, State) of
        {ok, Left} -> release_each(Rest, Key, Left);
        Stop -> Stop
    end.

follow_selected(#state{options = #{auto_process_opts := #{viral := self_only}}} = State) ->
    {ok, State};
follow_selected(#state{tier = Tier, handle = Handle, auto_roots = Roots} = State) ->
    Selected = lists:usort(flame_prof_tier:selected(Tier, Handle)),
    follow_each_as_wanted(ordsets:subtract(Selected, Roots) ++ ordsets:subtract(Roots, Selected),
                          State#state{auto_roots = Selected}).

follow_each_as_wanted([], State) ->
    {ok, State};
follow_each_as_wanted([Root | Rest], State) ->
    case follow_as_wanted(Root, profile, {ok, State}) of
        {ok, Next} -> follow_each_as_wanted(Rest, Next);
        Stop -> Stop
    end.

%% What `select' asks for (flame_prof_resolver finds them).

start_resolver(#{select := none}) -> undefined;
start_resolver(#{select := Select}) -> flame_prof_resolver:start(self(), Select).

with_resolver(#state{resolver = undefined} = State) ->
    State;
with_resolver(#state{resolver = Resolver, options = Options} = State) ->
    case is_process_alive(Resolver) of
        true ->
            State;
        false ->
            Next = start_resolver(Options),
            excluded(Next, State#state{resolver = Next})
    end.

resolver_says({helper, Pid}, State) ->
    {ok, excluded(Pid, State)};
resolver_says({found, Pids, Facts}, #state{tier = Tier, handle = Handle, options = Options,
                                           resolved = Before} = State) ->
    Own = case Options of
              #{profile_self := true} -> [];
              #{} -> flame_prof_tier:own(Tier, Handle)
          end,
    Now = ordsets:subtract(Pids, ordsets:from_list(Own)),
    #{select := #{process_opts := Opts}} = Options,
    Joined = select_each(ordsets:subtract(Now, Before), Opts,
                         State#state{resolved = Now, selection = Facts}),
    case Joined of
        {ok, Next} -> release_each(ordsets:subtract(Before, Now), selected, Next);
        Stop -> Stop
    end.

select_each([], _, State) ->
    {ok, State};
select_each([Pid | Rest], Opts, State) ->
    case do_watch(Pid, selected, Opts, State) of
        {ok, Next} -> select_each(Rest, Opts, Next);
        Stop -> Stop
    end.

%% A process that has begun to work for us is never selected from now on.
excluded(Pid, #state{options = #{profiler_pids := Own} = Options} = State) ->
    Known = State#state{options = Options#{profiler_pids := [Pid | Own]}},
    case Options of
        #{profile_self := true} -> Known;
        #{} -> exclude(Pid, Known)
    end.

exclude(Pid, #state{tier = Tier, handle = Handle} = State) ->
    ok = flame_prof_tier:exclude(Tier, Handle, Pid),
    State.

%% The budget.

govern_if_due(NowMs, #state{govern_due_ms = DueMs} = State) when NowMs < DueMs ->
    {ok, State};
govern_if_due(NowMs, #state{tier = Tier, handle = Handle, governor = Governor} = State) ->
    Due = State#state{govern_due_ms = NowMs + ?GOVERN_MS},
    case flame_prof_tier:cost(Tier, Handle) of
        {failed, Reason} ->
            fall_back(Reason, Due);
        Cost ->
            {Decision, Next} = flame_prof_governor:look(Cost#{at_ms => NowMs}, Governor),
            governed(Decision, Due#state{governor = Next})
    end.

governed(none, State) ->
    {ok, State};
governed({stretch, Percent, Note}, State) ->
    ?LOG_NOTICE("flame_prof: ~ts", [Note]),
    stretch(Percent, Note, State);
governed({stop, Reason}, State) ->
    ?LOG_WARNING("flame_prof: the session ends: ~ts", [Reason]),
    {stop, {shutdown, {limit, Reason}}, State}.

stretch(Percent, Note, #state{tier = Tier, handle = Handle} = State) ->
    tier_did(flame_prof_tier:stretch(Tier, Handle, Percent, Note), State).

%% Another tier goes on at the pace of the one before.
governed_anew(#state{governor = Governor, tier = Tier, handle = Handle} = State) ->
    Percent = flame_prof_governor:percent(Governor),
    Restarted = State#state{governor = flame_prof_governor:restart(Governor)},
    case Percent =:= 100
             orelse flame_prof_tier:stretch(Tier, Handle, Percent,
                                            line("intervals are ~b % of what was asked for",
                                                 [Percent])) of
        {ok, Next} -> Restarted#state{handle = Next};
        _ -> Restarted
    end.

%% Dumps of an armed session.

armed(#state{options = #{arm := Arm}, tier = Tier, trigger = Trigger} = State) ->
    ok = watch_trigger(Trigger, Tier),
    State#state{dumps = flame_prof_dumps:new(Arm)};
armed(State) ->
    State.

watch_trigger(undefined, _) ->
    ok;
watch_trigger(Trigger, Tier) ->
    _ = monitor(process, Trigger),
    flame_prof_trigger:go(Trigger, flame_prof_tiers:name(Tier)).

%% Killed, by a code purge for one.
trigger_anew(#state{trigger_deaths = Deaths} = State) when Deaths >= ?FALLBACKS_MAX ->
    ?LOG_WARNING("flame_prof: nothing watches the triggers any more", []),
    State#state{trigger = undefined};
trigger_anew(#state{options = Options, tier = Tier, trigger_deaths = Deaths} = State) ->
    Trigger = trigger(Options),
    ok = watch_trigger(Trigger, Tier),
    State#state{trigger = Trigger, trigger_deaths = Deaths + 1}.

trigger(#{arm := #{triggers := Triggers}, reader := Reader}) when map_size(Triggers) > 0 ->
    flame_prof_trigger:start(self(), #{triggers => Triggers, reader => Reader});
trigger(_) ->
    undefined.

dump_on_call(#{after_ms := AfterMs, note := Note}, From, State) ->
    Cause = #{trigger => on_call, note => Note, unix_us => os:system_time(microsecond)},
    case dump_asked(Cause, From, AfterMs, State) of
        {ok, #state{dumps = Dumps} = Asked} ->
            %% When the tier has failed at it, the caller has been told.
            case flame_prof_dumps:is_for(From, Dumps)
                     orelse Asked#state.fallbacks > State#state.fallbacks of
                true -> {begun, Asked};
                false -> {busy, Asked}
            end;
        Stop ->
            Stop
    end.

dump_by_trigger(Cause, #state{options = #{arm := #{after_ms := AfterMs}}} = State) ->
    dump_asked(Cause, none, AfterMs, State).

dump_asked(Cause, From, AfterMs, #state{dumps = Dumps} = State) ->
    case flame_prof_dumps:ask(Cause, From, now_ms(), Dumps) of
        {go, Going} -> begin_dump(Cause, AfterMs, State#state{dumps = Going});
        {no, RetryMs, Counted} -> {ok, later(Cause, RetryMs, State#state{dumps = Counted})}
    end.

later(#{trigger := Name}, RetryMs, #state{trigger = Trigger} = State)
        when is_integer(RetryMs), is_pid(Trigger) ->
    ok = flame_prof_trigger:again(Trigger, Name, RetryMs),
    State;
later(_, _, State) ->
    State.

begin_dump(Cause, AfterMs, #state{tier = Tier, handle = Handle} = State) ->
    Dump = #{after_ms => AfterMs, fields => flame_prof_dumps:header(Cause, AfterMs)},
    case flame_prof_tier:dump(Tier, Handle, Dump) of
        {failed, Reason} -> fall_back(Reason, State);
        {Answer, Next} -> {ok, dump_begun(Answer =:= ok, State#state{handle = Next})}
    end.

dump_begun(IsBegun, #state{dumps = Dumps} = State) ->
    poll_dump(State#state{dumps = flame_prof_dumps:began(IsBegun, Dumps)}).

poll_dump(#state{dumps = Dumps} = State) ->
    _ = flame_prof_dumps:is_going_on(Dumps)
        andalso erlang:send_after(?DUMP_POLL_MS, self(), {?MODULE, dump_poll}),
    State.

dump_poll(#state{tier = Tier, handle = Handle, dumps = Dumps} = State) when Dumps =/= undefined ->
    case flame_prof_dumps:is_going_on(Dumps) andalso flame_prof_tier:dumped(Tier, Handle) of
        false -> {ok, State};
        {failed, Reason} -> fall_back(Reason, State);
        {pending, Next} -> {ok, poll_dump(State#state{handle = Next})};
        {Result, Next} -> {ok, dump_ended(Result, State#state{handle = Next})}
    end;
dump_poll(State) ->
    {ok, State}.

dump_ended(Result, #state{dumps = Dumps} = State) ->
    case Dumps =/= undefined andalso flame_prof_dumps:is_going_on(Dumps) of
        true ->
            {From, Cause, Ended} = flame_prof_dumps:ended(Result, now_ms(), Dumps),
            tell_dump(From, Cause, Result),
            State#state{dumps = Ended};
        false ->
            State
    end.

tell_dump(none, #{trigger := Trigger} = Cause, Result) ->
    ?LOG_NOTICE("flame_prof: ~ts: ~0tp: ~0tp",
                [Trigger, maps:with([value, limit, pid, name], Cause), Result]);
tell_dump(From, _, {written, File}) ->
    gen_server:reply(From, {ok, File});
tell_dump(From, _, empty) ->
    gen_server:reply(From, {error, {empty, <<"dump: nothing was sampled in that time">>}});
tell_dump(From, _, {failed, Detail}) ->
    gen_server:reply(From, {error, {write_failed, Detail}}).

stop_trigger(undefined) -> ok;
stop_trigger(Trigger) -> flame_prof_trigger:stop(Trigger).

now_ms() ->
    erlang:monotonic_time(millisecond).

%% The end.

close(_, _, #state{closed = true} = State) ->
    {{error, {not_started, <<"the session has already ended">>}}, State};
close(Why, TimeoutMs, #state{viral = Viral, trigger = Trigger} = Closing) ->
    State = dump_ended({failed, <<"the session has ended; its last file says so">>}, Closing),
    ok = flame_prof_viral:stop(Viral),
    _ = is_pid(State#state.resolver) andalso flame_prof_resolver:stop(State#state.resolver),
    ok = stop_trigger(Trigger),
    Result = with_earlier(close_tier(TimeoutMs, end_of(Why), State), State),
    ok = flame_prof_sup:remember(last_session, #{ended => Why, result => Result,
                                                 series => series(State)}),
    {Result, State#state{handle = undefined, closed = true}}.

%% What the last file says about its end.
end_of({shutdown, {limit, Reason}}) -> <<"stopped by its limit: ", Reason/binary>>;
end_of(_) -> <<"complete">>.

close_tier(_, _, #state{handle = undefined}) ->
    {ok, #{files => [], samples => 0, losses => #{}}};
close_tier(TimeoutMs, End, #state{tier = Tier, handle = Handle}) ->
    flame_prof_tier:close(Tier, Handle, TimeoutMs, End).

with_earlier({ok, Summary}, #state{earlier = undefined} = State) ->
    {ok, described(Summary, State)};
with_earlier({ok, Summary}, #state{earlier = Earlier} = State) ->
    {ok, described(flame_prof_summary:merge(Earlier, Summary), State)};
with_earlier({error, Reason}, _) ->
    {error, Reason}.

described(Summary, #state{tier = Tier, tier_reason = Reason, options = Options}) ->
    maps:merge(#{tier => flame_prof_tiers:name(Tier), tier_reason => Reason,
                 directory => maps:get(basename, Options)}, Summary).

series(#state{options = #{basename := Directory, stem := Stem, opened_us := OpenedUs}}) ->
    #{directory => Directory, stem => Stem, since_us => OpenedUs, os_pid => os:getpid()}.

collect_info(#state{tier = Tier, handle = Handle, options = Options, targets = Targets} = State) ->
    Base = #{tier => flame_prof_tiers:name(Tier),
             tier_reason => State#state.tier_reason,
             since => flame_prof_summary:time(State#state.since_us),
             running_ms => (os:system_time(microsecond) - State#state.since_us) div 1000,
             directory => maps:get(basename, Options),
             explicit => flame_prof_targets:pids(Targets),
             fallbacks => State#state.fallbacks,
             follow => follow_info(State),
             selection => State#state.selection,
             governor => flame_prof_governor:info(State#state.governor),
             options => maps:without([session, profiler_pids, opened_us, tier_reason], Options)},
    Info = maps:merge(armed_info(State, Base), flame_prof_tier:info(Tier, Handle)),
    flame_prof_summary:with_rates(Info).

armed_info(#state{dumps = undefined}, Base) ->
    Base;
armed_info(#state{dumps = Dumps, trigger = undefined}, Base) ->
    Base#{dumps => flame_prof_dumps:info(Dumps), triggers => #{limits => #{}}};
armed_info(#state{dumps = Dumps, trigger = Trigger}, Base) ->
    Base#{dumps => flame_prof_dumps:info(Dumps), triggers => flame_prof_trigger:info(Trigger)}.

follow_info(#state{viral = Viral, refused_targets = Refused}) ->
    (flame_prof_viral:info(Viral))#{refused => Refused}.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
