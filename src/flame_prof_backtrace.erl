%% SPDX-License-Identifier: Apache-2.0
%% @doc Keeps the node's backtrace depth raised for as long as somebody samples.
%%
%% The depth is a flag of the whole node (default 8), which also decides how long
%% the stacks in exceptions are. It is put back when the process it was raised
%% for ends, even by a kill; and when this process is killed itself, its
%% successor does it, since what has to be done is kept outside of it. A depth
%% that somebody else has set meanwhile is left alone.
-module(flame_prof_backtrace).
-behaviour(gen_server).

-export([start_link/0, raise/2, restore/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-define(KEPT, raised_backtrace_depth).
%% Nobody waits longer for what happens anyway when the process has ended.
-define(RESTORE_MS, 150).

-record(raised, {for :: pid(),
                 monitor :: reference(),
                 before :: pos_integer(),
                 set :: pos_integer()}).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    case gen_server:start_link({local, ?MODULE}, ?MODULE, [], []) of
        {ok, Pid} -> {ok, Pid};
        {error, Reason} -> {error, Reason};
        ignore -> {error, ignore}
    end.

%% @doc Raises the depth as far as `Depth' and the runtime system allow, for the
%% life of `Pid'; the answer is the depth in force.
-spec raise(pid(), pos_integer()) -> pos_integer().
raise(Pid, Depth) ->
    gen_server:call(?MODULE, {raise, Pid, Depth}).

%% @doc Puts the depth back that was there before `raise/2'.
-spec restore(pid()) -> ok.
restore(Pid) ->
    gen_server:call(?MODULE, {restore, Pid}, ?RESTORE_MS).

-spec init([]) -> {ok, none | #raised{}}.
init([]) ->
    process_flag(trap_exit, true),
    %% The end of a session waits for it.
    process_flag(priority, high),
    case flame_prof_sup:recall(?KEPT) of
        #raised{for = Pid} = Raised -> {ok, Raised#raised{monitor = monitor(process, Pid)}};
        _ -> {ok, none}
    end.

-spec handle_call(term(), gen_server:from(), none | #raised{}) ->
    {reply, term(), none | #raised{}}.
handle_call({raise, Pid, Depth}, _, State) ->
    Raised = raised(Pid, Depth, put_back(State)),
    {reply, Raised#raised.set, Raised};
handle_call({restore, Pid}, _, #raised{for = Pid} = Raised) ->
    {reply, ok, put_back(Raised)};
handle_call(_, _, State) ->
    {reply, ok, State}.

-spec handle_cast(term(), State) -> {noreply, State}.
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), none | #raised{}) -> {noreply, none | #raised{}}.
handle_info({'DOWN', Monitor, process, _, _}, #raised{monitor = Monitor} = Raised) ->
    {noreply, put_back(Raised)};
handle_info(_, State) ->
    {noreply, State}.

-spec code_change(term(), term(), term()) -> {ok, none | #raised{}} | {error, binary()}.
code_change(_, none, _) -> {ok, none};
code_change(_, #raised{} = Raised, _) -> {ok, Raised};
code_change(_, _, _) -> {error, <<"flame_prof: call flame_prof:stop() before this upgrade">>}.

-spec terminate(term(), none | #raised{}) -> ok.
terminate(_, State) ->
    none = put_back(State),
    ok.

raised(Pid, Depth, none) ->
    Before = erlang:system_flag(backtrace_depth, Depth),
    %% The runtime system has a limit of its own and does not say so; a second
    %% call tells what the first one has set.
    Set = erlang:system_flag(backtrace_depth, max(Before, Depth)),
    Raised = #raised{for = Pid, monitor = monitor(process, Pid), before = Before, set = Set},
    ok = flame_prof_sup:remember(?KEPT, Raised),
    Raised.

put_back(none) ->
    none;
put_back(#raised{monitor = Monitor, before = Before, set = Set}) ->
    demonitor(Monitor, [flush]),
    _ = case erlang:system_flag(backtrace_depth, Before) of
            Set -> Before;
            Foreign -> erlang:system_flag(backtrace_depth, Foreign)
        end,
    ok = flame_prof_sup:remember(?KEPT, none),
    none.
