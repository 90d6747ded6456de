%% SPDX-License-Identifier: Apache-2.0
%% @doc Trace flags on single processes that nobody else notices.
%%
%% From OTP 27 on they are those of a trace session of our own: whoever else traces
%% the same processes, by `erlang:trace/3' or in a session, is not affected, nor are
%% we. Before that a process has one tracer; one that has another is left to it. The
%% reverse cannot be helped there: who traces a process that is followed is refused,
%% and `erlang:trace(all, ...)' passes over it.
%%
%% When a session ends the runtime system runs a task in every process, which counts
%% as a reduction there: make one only when it is needed.
%%
%% Belongs to the process that is the tracer. The flags, and the session, vanish
%% with that, so the session must not leave it.
-module(flame_prof_trace).

-export([new/0, on/3, off/3, kind/1, has_sessions/0]).
-export_type([tracing/0]).

-opaque tracing() :: legacy | {session, term()}.

%% @doc The caller becomes the tracer.
-spec new() -> tracing().
new() ->
    case has_sessions() of
        true -> {session, newer(session_create, [flame_prof, self(), []])};
        false -> legacy
    end.

%% @doc Whether the release has trace sessions.
-spec has_sessions() -> boolean().
has_sessions() ->
    %% Before OTP 27 a module of that name is somebody else's, or there is none: then the
    %% code server would look for it in every directory, which on a busy node takes seconds.
    list_to_integer(erlang:system_info(otp_release)) >= 27
        andalso code:ensure_loaded(trace) =:= {module, trace}.

-spec kind(tracing()) -> trace_session | erlang_trace.
kind(legacy) -> erlang_trace;
kind({session, _}) -> trace_session.

%% @doc Sets flags. `gone': the process has ended.
-spec on(pid(), [atom()], tracing()) -> ok | {refused, binary()} | gone.
on(Pid, Flags, {session, Session}) ->
    set(Pid, fun() -> newer(process, [Session, Pid, true, Flags]) end);
on(Pid, Flags, legacy) ->
    Self = self(),
    case erlang:trace_info(Pid, tracer) of
        {tracer, Tracer} when Tracer =:= []; Tracer =:= Self ->
            set(Pid, fun() -> erlang:trace(Pid, true, [{tracer, Self} | Flags]) end);
        {tracer, Other} ->
            {refused, line("it is traced already, by ~0tp; end that trace to have it followed",
                           [Other])};
        undefined ->
            gone
    end.

set(Pid, Set) ->
    try
        _ = Set(),
        ok
    catch
        error:badarg -> refused_or_gone(Pid)
    end.

refused_or_gone(Pid) ->
    case is_process_alive(Pid) of
        true -> {refused, <<"another tracer was faster; end that trace to have it followed">>};
        false -> gone
    end.

%% @doc Takes flags back, of ours only.
-spec off(pid(), [atom()], tracing()) -> ok.
off(Pid, Flags, Tracing) ->
    try
        _ = take(Pid, Flags, Tracing),
        ok
    catch
        error:badarg -> ok
    end.

take(Pid, Flags, {session, Session}) ->
    newer(process, [Session, Pid, false, Flags]);
take(Pid, Flags, legacy) ->
    Self = self(),
    case erlang:trace_info(Pid, tracer) of
        {tracer, Self} -> erlang:trace(Pid, false, Flags);
        _ -> 0
    end.

%% A function that not every supported release has.
newer(Function, Arguments) ->
    erlang:apply(trace, Function, Arguments).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
