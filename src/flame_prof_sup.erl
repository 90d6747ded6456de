%% SPDX-License-Identifier: Apache-2.0
%% @doc Supervises what must outlive a session, and the sessions themselves.
%%
%% A session is temporary: a profiler that has died is not restarted behind the
%% user's back. The keeper of the node's backtrace depth is permanent, since it
%% has to undo what a killed session has changed.
%%
%% It also owns a small table for facts that must outlive the process that knows
%% them. (The application's environment would not do: while an application is
%% being stopped, writing to it waits for the stop to end.)
-module(flame_prof_sup).
-behaviour(supervisor).

-export([start_link/0, ensure_started/0, start_session/2, remember/2, recall/1]).
-export([init/1]).

-define(SHUTDOWN_MS, 2000).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    case supervisor:start_link({local, ?MODULE}, ?MODULE, []) of
        {ok, Sup} -> {ok, Sup};
        {error, Reason} -> {error, Reason};
        ignore -> {error, ignore}
    end.

%% @doc Starts the application, or only its supervisor where there is no
%% application resource file on the code path.
-spec ensure_started() -> ok | {error, flame_prof:error_reason()}.
ensure_started() ->
    case whereis(?MODULE) of
        undefined -> start_application();
        _ -> ok
    end.

%% @doc Starts a session under the supervisor, linked to nobody else.
-spec start_session(flame_prof_options:options(), timeout()) ->
    {ok, pid()} | {error, {already_started, pid()} | flame_prof:error_reason()}.
start_session(Options, Timeout) ->
    Spec = #{id => make_ref(),
             start => {flame_prof_session, start_link, [Options, Timeout]},
             restart => temporary,
             shutdown => ?SHUTDOWN_MS},
    case supervisor:start_child(?MODULE, Spec) of
        {ok, Session} when is_pid(Session) -> {ok, Session};
        %% With the child's specification, by the supervisor.
        {error, {Reason, Child}} when is_tuple(Reason), element(1, Child) =:= child ->
            {error, Reason};
        {error, Reason} -> {error, Reason}
    end.

%% @doc Keeps a fact for as long as the supervisor lives.
-spec remember(atom(), term()) -> ok.
remember(Key, Fact) ->
    try ets:insert(?MODULE, {Key, Fact}) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc `undefined' when there is no such fact, or no supervisor.
-spec recall(atom()) -> term() | undefined.
recall(Key) ->
    try ets:lookup(?MODULE, Key) of
        [{Key, Fact}] -> Fact;
        [] -> undefined
    catch
        error:badarg -> undefined
    end.

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    %% Called again by a code change.
    _ = ets:whereis(?MODULE) =:= undefined andalso ets:new(?MODULE, [named_table, public]),
    Backtrace = #{id => flame_prof_backtrace,
                  start => {flame_prof_backtrace, start_link, []},
                  shutdown => ?SHUTDOWN_MS},
    {ok, {#{strategy => one_for_one, intensity => 5, period => 10}, [Backtrace]}}.

start_application() ->
    case application:ensure_all_started(flame_prof) of
        {ok, _} ->
            ok;
        {error, {flame_prof, {"no such file or directory", _}}} ->
            start_alone();
        {error, Reason} ->
            {error, {start_failed, line("start: the application flame_prof did not start: ~0tP",
                                        [Reason, 12])}}
    end.

%% Linked to a caller such as the shell the supervisor would die with it.
start_alone() ->
    case start_link() of
        {ok, Sup} ->
            unlink(Sup),
            ok;
        {error, {already_started, _}} ->
            ok;
        {error, Reason} ->
            {error, {start_failed, line("start: no supervisor: ~0tP", [Reason, 12])}}
    end.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
