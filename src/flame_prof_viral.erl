%% SPDX-License-Identifier: Apache-2.0
%% @doc Follows processes: finds those that they spawn and send to.
%%
%% It is the tracer of the processes it follows, by the flags `procs' and `send'
%% set on single processes; global trace patterns are not touched, nor is anybody
%% else's trace (see {@link flame_prof_trace}). Before OTP 27 a process that somebody
%% else traces already is not followed, which `info/1' tells. When more
%% events come in than can be handled, following sends is given up, then
%% following altogether; sampling is not affected. Its flags vanish with it.
%%
%% What it finds goes to the session as
%% `{flame_prof_viral, self(), {found, Pid, Opts, Root}}'.
-module(flame_prof_viral).

-export([start/2, follow/3, unfollow/2, info/1, stop/1]).

-define(CALL_MS, 2000).
%% Events waiting in the queue. A send event holds a copy of the message.
-define(QUEUE_SEND_MAX, 5000).
-define(QUEUE_MAX, 50000).
%% Looking at one's own queue is not free.
-define(EVENTS_PER_CHECK, 128).
-define(RECEIVERS_MAX, 20000).
-define(DEPARTED_MAX, 10000).
-define(REFUSED_SHOWN, 20).

-type depth() :: on | send_off | off.

-record(root, {opts :: flame_prof:process_opts(),
               members = 0 :: non_neg_integer(),
               alive = true :: boolean()}).

-record(state, {session :: pid(),
                tracing :: undefined | flame_prof_trace:tracing(),
                ignored :: #{pid() => true},
                roots = #{} :: #{pid() => #root{}},
                members = #{} :: #{pid() => Root :: pid()},
                %% The events of two processes come in any order: children whose
                %% parent is not known yet, and who has ended but may have been a
                %% parent.
                orphans = #{} :: #{pid() => Parent :: pid()},
                departed = #{} :: #{pid() => {Root :: pid(), flame_prof:process_opts()}},
                receivers = #{} :: #{pid() => true},
                depth = on :: depth(),
                %% Whose flags were taken since: what they still have in the queue
                %% is passed over.
                silenced = #{} :: #{pid() => true},
                why = <<>> :: binary(),
                refused = #{} :: #{pid() => binary()},
                events = 0 :: non_neg_integer()}).

%% @doc Starts following on behalf of a session, with whom it ends.
-spec start(pid(), [pid()]) -> pid().
start(Session, Ignored) ->
    proc_lib:spawn(fun() -> init(Session, Ignored) end).

%% @doc Follows a process according to `viral' of its options.
-spec follow(pid(), pid(), flame_prof:process_opts()) -> ok | {refused, binary()}.
follow(Viral, Pid, Opts) ->
    call(Viral, {follow, Pid, Opts}, {refused, <<"the tracer does not answer">>}).

%% @doc Ends following a process and all that was found by way of it.
-spec unfollow(pid(), pid()) -> ok.
unfollow(Viral, Pid) ->
    call(Viral, {unfollow, Pid}, ok).

-spec info(pid()) -> map().
info(Viral) ->
    call(Viral, info, #{state => unknown}).

%% @doc Ends following. The flags go with the tracer, in no time however many
%% processes were followed.
-spec stop(pid()) -> ok.
stop(Viral) ->
    Monitor = monitor(process, Viral),
    exit(Viral, kill),
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after ?CALL_MS ->
        demonitor(Monitor, [flush]),
        ok
    end.

call(Viral, Request, Otherwise) ->
    flame_prof_request:ask(Viral, ?MODULE, Request, ?CALL_MS, Otherwise).

init(Session, Ignored) ->
    process_flag(priority, high),
    process_flag(message_queue_data, off_heap),
    _ = monitor(process, Session),
    loop(#state{session = Session, ignored = maps:from_list([{Pid, true} || Pid <- Ignored])}).

loop(#state{session = Session} = State) ->
    receive
        {?MODULE, From, Request} ->
            {Reply, Next} = request(Request, State),
            From ! {From, Reply},
            loop(Next);
        {'DOWN', _, process, Session, _} ->
            ok;
        Message ->
            loop(bounded(event(Message, State)))
    end.

request({follow, Pid, #{viral := self_only}}, State) ->
    request({unfollow, Pid}, State);
request({follow, Pid, Opts}, #state{roots = Roots} = State) ->
    case Roots of
        #{Pid := #root{opts = Opts}} -> {ok, State};
        #{Pid := Root} -> do_follow(Pid, Root#root{opts = Opts}, State);
        #{} -> do_follow(Pid, #root{opts = Opts}, State)
    end;
request({unfollow, Pid}, State) ->
    {ok, do_unfollow(Pid, State)};
request(info, State) ->
    {collect_info(State), State};
request(_, State) ->
    {ok, State}.

do_follow(_, _, #state{depth = off, why = Why} = State) ->
    {{refused, Why}, State};
%% The end of a trace session costs every process of the node a reduction, so there
%% is none before somebody is followed.
do_follow(Pid, Root, #state{tracing = undefined} = State) ->
    do_follow(Pid, Root, State#state{tracing = flame_prof_trace:new()});
do_follow(Pid, #root{opts = #{viral := Viral}} = Root, #state{roots = Roots} = State) ->
    ok = untrace(Pid, [all], State),
    case flame_prof_trace:on(Pid, flags(Viral, State), State#state.tracing) of
        ok ->
            {ok, State#state{roots = Roots#{Pid => Root}}};
        {refused, Reason} = Refused ->
            {Refused, refused(Pid, Reason, State)};
        gone ->
            {ok, State}
    end.

flags(spawn, _) -> [procs, set_on_spawn];
flags(send, #state{depth = on}) -> [procs, send];
flags(spawn_and_send, #state{depth = on}) -> [procs, set_on_spawn, send];
flags(send, _) -> [procs];
flags(spawn_and_send, _) -> [procs, set_on_spawn].

untrace(_, _, #state{tracing = undefined}) ->
    ok;
untrace(Pid, Flags, #state{tracing = Tracing}) ->
    flame_prof_trace:off(Pid, Flags, Tracing).

refused(Pid, Reason, #state{refused = Refused} = State) when map_size(Refused) < ?REFUSED_SHOWN ->
    State#state{refused = Refused#{Pid => Reason}};
refused(_, _, State) ->
    State.

do_unfollow(Root, #state{roots = Roots, members = Members} = State) ->
    case Roots of
        #{Root := _} ->
            {Gone, Kept} = maps:fold(fun(Pid, R, {G, K}) when R =:= Root -> {[Pid | G], K};
                                        (Pid, R, {G, K}) -> {G, K#{Pid => R}}
                                     end, {[], #{}}, Members),
            lists:foreach(fun(Pid) -> untrace(Pid, [all], State) end, [Root | Gone]),
            State#state{roots = maps:remove(Root, Roots), members = Kept, receivers = #{}};
        #{} ->
            State
    end.

traced(#state{roots = Roots, members = Members, orphans = Orphans}) ->
    maps:keys(Roots) ++ maps:keys(Members) ++ maps:keys(Orphans).

%% Events.

event(Event, #state{depth = off} = State) when element(1, Event) =:= trace ->
    silence(element(2, Event), [all], State);
event({trace, Child, spawned, Parent, _}, State) ->
    child(Parent, Child, State);
event({trace, Pid, exit, _}, State) ->
    exited(Pid, State);
event({trace, From, send, _, To}, #state{depth = on} = State) ->
    receiver(local_pid(To), From, State);
event({trace, From, send, _, _}, State) ->
    silence(From, [send], State);
event(_, State) ->
    State.

%% Told by the child itself, whose end can only be told after it.
child(Parent, Child, #state{orphans = Orphans} = State) ->
    case root_of(Parent, State) of
        {Root, Opts} -> adopt(Child, Root, Opts, State);
        unknown -> State#state{orphans = Orphans#{Child => Parent}}
    end.

adopt(_, _, #{viral := send}, State) ->
    State;
adopt(Child, RootPid, Opts, #state{roots = Roots, members = Members, orphans = Orphans} = State) ->
    ok = found(Child, RootPid, Opts, State),
    Root = maps:get(RootPid, Roots, #root{opts = Opts, alive = false}),
    Known = State#state{roots = Roots#{RootPid => Root#root{members = Root#root.members + 1}},
                        members = Members#{Child => RootPid},
                        orphans = maps:remove(Child, Orphans)},
    lists:foldl(fun(Orphan, Acc) -> adopt(Orphan, RootPid, Opts, Acc) end, Known,
                [Orphan || {Orphan, Parent} <- maps:to_list(Orphans), Parent =:= Child]).

root_of(Pid, #state{roots = Roots, members = Members, departed = Departed}) ->
    case {Roots, Members, Departed} of
        {#{Pid := #root{opts = Opts}}, _, _} -> {Pid, Opts};
        {_, #{Pid := Root}, _} -> {Root, (maps:get(Root, Roots))#root.opts};
        {_, _, #{Pid := RootAndOpts}} -> RootAndOpts;
        _ -> unknown
    end.

receiver(none, _, State) ->
    State;
receiver(To, _, #state{ignored = Ignored, receivers = Receivers} = State)
        when is_map_key(To, Ignored); is_map_key(To, Receivers) ->
    State;
receiver(To, From, #state{receivers = Receivers} = State) ->
    case root_of(From, State) of
        {To, _} ->
            State;
        {Root, Opts} ->
            ok = found(To, Root, Opts, State),
            State#state{receivers = (some_of(Receivers))#{To => true}};
        unknown ->
            State
    end.

%% Only saves telling the session twice, so it may forget.
some_of(Receivers) when map_size(Receivers) < ?RECEIVERS_MAX -> Receivers;
some_of(_) -> #{}.

local_pid(To) when is_pid(To), node(To) =:= node() -> To;
local_pid({Name, Node}) when Node =:= node() -> local_pid(Name);
local_pid(Name) when is_atom(Name) ->
    case whereis(Name) of
        Pid when is_pid(Pid) -> Pid;
        _ -> none
    end;
local_pid(_) -> none.

found(Pid, Root, Opts, #state{session = Session}) ->
    Session ! {?MODULE, self(), {found, Pid, Opts, Root}},
    ok.

%% A root that has ended is remembered for as long as its children live.
exited(Pid, #state{roots = Roots, members = Members, orphans = Orphans} = State) ->
    case {Roots, Members, Orphans} of
        {#{Pid := Root}, _, _} ->
            departed(Pid, State#state{roots = kept(Pid, Root#root{alive = false}, Roots)}, State);
        {_, #{Pid := RootPid}, _} ->
            #root{members = Count} = Root = maps:get(RootPid, Roots),
            departed(Pid, State#state{roots = kept(RootPid, Root#root{members = Count - 1}, Roots),
                                      members = maps:remove(Pid, Members)}, State);
        {_, _, #{Pid := Grandparent}} ->
            Left = maps:map(fun(_, Parent) when Parent =:= Pid -> Grandparent;
                               (_, Parent) -> Parent
                            end, maps:remove(Pid, Orphans)),
            State#state{orphans = Left};
        _ ->
            State
    end.

%% What it was, looked up in the state before.
departed(Pid, #state{departed = Departed} = State, Before) ->
    Bounded = case map_size(Departed) < ?DEPARTED_MAX of
                  true -> Departed;
                  false -> #{}
              end,
    State#state{departed = Bounded#{Pid => root_of(Pid, Before)}}.

kept(Pid, #root{alive = false, members = 0}, Roots) -> maps:remove(Pid, Roots);
kept(Pid, Root, Roots) -> Roots#{Pid => Root}.

%% Protection against floods.

%% A child may have been spawned while its parent's flags were taken.
silence(Pid, _, #state{silenced = Silenced} = State) when is_map_key(Pid, Silenced) ->
    State;
silence(Pid, Flags, #state{silenced = Silenced} = State) ->
    ok = untrace(Pid, Flags, State),
    State#state{silenced = Silenced#{Pid => true}}.

bounded(#state{events = Events} = State) when Events < ?EVENTS_PER_CHECK ->
    State#state{events = Events + 1};
bounded(State) ->
    {message_queue_len, Length} = process_info(self(), message_queue_len),
    relieved(Length, State#state{events = 0}).

relieved(Length, #state{depth = Depth} = State) when Length > ?QUEUE_MAX, Depth =/= off ->
    Silent = silence_all([all], State#state{silenced = #{}}),
    Silent#state{depth = off, roots = #{}, members = #{}, orphans = #{}, departed = #{},
                 receivers = #{},
                 why = line("following was given up: ~b events were waiting", [Length])};
relieved(Length, #state{depth = on} = State) when Length > ?QUEUE_SEND_MAX ->
    Silent = silence_all([send], State),
    Silent#state{depth = send_off,
                 why = line("following sends was given up: ~b events were waiting", [Length])};
relieved(_, State) ->
    State.

silence_all(Flags, State) ->
    lists:foldl(fun(Pid, Acc) -> silence(Pid, Flags, Acc) end, State, traced(State)).

collect_info(#state{depth = Depth, why = Why, roots = Roots, members = Members,
                    refused = Refused, tracing = Tracing}) ->
    #{state => Depth, tracing => kind(Tracing), reason => Why, roots => map_size(Roots), children => map_size(Members),
      not_followed => Refused}.

kind(undefined) -> none;
kind(Tracing) -> flame_prof_trace:kind(Tracing).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
