%% SPDX-License-Identifier: Apache-2.0
%% @doc The behaviour of a capture tier: a way to see what processes do.
%%
%% A session ({@link flame_prof_session}) owns one open tier at a time and calls
%% it from its own process only, so a tier needs no locking of its own. A tier
%% writes its own files: what was sampled never passes through the session.
%%
%% Order of calls: `open', then any of `watch', `unwatch', `tick', `info',
%% `selected', then `close' once. Nothing of the tier may be left (threads,
%% processes, trace flags, system flags, hidden files) when `close' returns, nor
%% some time after the session has died without having called it.
-module(flame_prof_tier).

-export([open/2, watch/4, unwatch/3, exclude/3, tick/2, info/2, selected/2, own/2, dump/3, dumped/2,
         stretch/4, cost/2, close/4]).
-export_type([config/0, handle/0, summary/0, dump/0]).

-type config() :: flame_prof_options:options().
%% What was asked for, normalised ({@link flame_prof_options:start/1}) plus
%% `session' (the pid to monitor), `tier_reason' (why this tier; goes into the
%% file header) and `profiler_pids' (processes not to select, see
%% `profile_self').

-type handle() :: term().

-type dump() :: #{after_ms := non_neg_integer(), fields := [{Key :: binary(), Value :: binary()}]}.
%% How long it goes on, and what its header says besides.

-type summary() :: #{files := [file:filename()],
                     samples := non_neg_integer(),
                     losses := #{atom() => non_neg_integer()},
                     ticks_expected => non_neg_integer(),
                     ticks_taken => non_neg_integer(),
                     bytes => non_neg_integer(),
                     atom() => term()}.
%% What a closed tier has left: `files' are the finished ones in the order of
%% their making, as far as they still exist.

%% `refused': this tier cannot work here, the next one shall try; the reason is
%% one line and ends in the header of the files. `error': no tier could work,
%% the start fails.
-callback open(config()) ->
    {ok, handle()} | {refused, Reason :: binary()} | {error, flame_prof:error_reason()}.

%% Samples `pid()' from now on, whatever is selected automatically. Called again
%% for the same process it replaces the options. A dead process is no error.
-callback watch(handle(), pid(), flame_prof:process_opts()) -> {ok, handle()}.

%% Ends `watch'. The process may go on being selected automatically. A process
%% that is not watched is no error.
-callback unwatch(handle(), pid()) -> {ok, handle()}.

%% Housekeeping, about every 250 ms. `failed': the tier can no longer sample;
%% the session closes it and goes on with another one.
-callback tick(handle()) -> {ok, handle()} | {failed, Reason :: binary()}.

%% Figures for {@link flame_prof:info/0}. Must not block. Keys that every tier
%% should give: `reader', `ticks_expected', `ticks_taken', `samples', `losses',
%% `selected' (a count), `files', `file' (the open one or `undefined'), `bytes';
%% where known `memory_bytes', `cpu_ms'. A tier may refine `tier_reason'.
-callback info(handle()) -> map().

%% Intervals become so many percent of what was asked for: each process is seen less
%% often, and where ticks would be empty they become rarer. The periods of samples stay
%% true. `Note' goes into the file being written, and into each one from now on.
-callback stretch(handle(), Percent :: pos_integer(), Note :: binary()) -> {ok, handle()}.

%% What it costs, as far as that is cheap to know: CPU time since it was opened, bytes
%% now. Must not block.
-callback cost(handle()) -> #{cpu_ns := non_neg_integer(), memory_bytes := non_neg_integer()}.

%% Ends sampling, finishes the file, whose footer has `End', and frees everything within
%% the time given.
-callback close(handle(), TimeoutMs :: non_neg_integer(), End :: binary()) ->
    {ok, summary()} | {error, flame_prof:error_reason()}.

%% The processes selected automatically at the moment. Only asked for when
%% automatically selected processes are to be followed (`viral').
-callback selected(handle()) -> [pid()].

%% Processes of the tier itself, which are not to be sampled.
-callback own(handle()) -> [pid()].

%% A process of the profiler that has been started since: never select it.
-callback exclude(handle(), pid()) -> ok.
-optional_callbacks([selected/1, own/1, exclude/2]).

%% Of an armed session (`arm' in the configuration): nothing is written, what was
%% sampled in the last `keep_ms' is kept. `dump' has that, and what comes in the next
%% `after_ms', written into one file; it returns at once. `busy': one is being
%% written. `dumped': what has become of the last one.
-callback dump(handle(), dump()) -> {ok | busy, handle()}.
-callback dumped(handle()) -> {pending | flame_prof_dumps:result(), handle()}.

%% @doc Opens a tier. A tier that is not built, not loadable or that raises is
%% refused.
-spec open(module(), config()) ->
    {ok, handle()} | {refused, binary()} | {error, flame_prof:error_reason()}.
open(Tier, Config) ->
    case code:ensure_loaded(Tier) of
        {module, Tier} ->
            try
                Tier:open(Config)
            catch
                Class:Reason:Stack ->
                    {refused, raised(Tier, open, Class, Reason, Stack)}
            end;
        {error, Reason} ->
            {refused, line("~ts is not available (~tp)", [Tier, Reason])}
    end.

-spec watch(module(), handle(), pid(), flame_prof:process_opts()) ->
    {ok, handle()} | {failed, binary()}.
watch(Tier, Handle, Pid, Opts) ->
    guarded(Tier, watch, [Handle, Pid, Opts]).

-spec unwatch(module(), handle(), pid()) -> {ok, handle()} | {failed, binary()}.
unwatch(Tier, Handle, Pid) ->
    guarded(Tier, unwatch, [Handle, Pid]).

-spec tick(module(), handle()) -> {ok, handle()} | {failed, binary()}.
tick(Tier, Handle) ->
    guarded(Tier, tick, [Handle]).

%% @doc The tier's figures; `#{}' when it cannot tell.
-spec info(module(), handle()) -> map().
info(Tier, Handle) ->
    case guarded(Tier, info, [Handle]) of
        Info when is_map(Info) -> Info;
        {failed, Reason} -> #{failed => Reason}
    end.

%% @doc The automatically selected processes; none when the tier does not tell.
-spec selected(module(), handle()) -> [pid()].
selected(Tier, Handle) ->
    case erlang:function_exported(Tier, selected, 1) andalso guarded(Tier, selected, [Handle]) of
        Pids when is_list(Pids) -> Pids;
        _ -> []
    end.

%% @doc The processes of the tier itself.
-spec own(module(), handle()) -> [pid()].
own(Tier, Handle) ->
    case erlang:function_exported(Tier, own, 1) andalso guarded(Tier, own, [Handle]) of
        Pids when is_list(Pids) -> Pids;
        _ -> []
    end.

%% @doc Never selects a process of the profiler automatically.
-spec exclude(module(), handle(), pid()) -> ok.
exclude(Tier, Handle, Pid) ->
    _ = erlang:function_exported(Tier, exclude, 2) andalso guarded(Tier, exclude, [Handle, Pid]),
    ok.

-spec dump(module(), handle(), dump()) -> {ok | busy, handle()} | {failed, binary()}.
dump(Tier, Handle, Dump) ->
    guarded(Tier, dump, [Handle, Dump]).

-spec dumped(module(), handle()) ->
    {pending | flame_prof_dumps:result(), handle()} | {failed, binary()}.
dumped(Tier, Handle) ->
    guarded(Tier, dumped, [Handle]).

-spec stretch(module(), handle(), pos_integer(), binary()) -> {ok, handle()} | {failed, binary()}.
stretch(Tier, Handle, Percent, Note) ->
    guarded(Tier, stretch, [Handle, Percent, Note]).

-spec cost(module(), handle()) ->
    #{cpu_ns := non_neg_integer(), memory_bytes := non_neg_integer()} | {failed, binary()}.
cost(Tier, Handle) ->
    guarded(Tier, cost, [Handle]).

-spec close(module(), handle(), non_neg_integer(), binary()) ->
    {ok, summary()} | {error, flame_prof:error_reason()}.
close(Tier, Handle, TimeoutMs, End) ->
    case guarded(Tier, close, [Handle, TimeoutMs, End]) of
        {failed, Reason} -> {error, {close_failed, Reason}};
        Result -> Result
    end.

guarded(Tier, Function, Arguments) ->
    try
        erlang:apply(Tier, Function, Arguments)
    catch
        Class:Reason:Stack -> {failed, raised(Tier, Function, Class, Reason, Stack)}
    end.

raised(Tier, Function, Class, Reason, Stack) ->
    Where = case Stack of [{M, F, _, _} | _] -> {M, F}; _ -> unknown end,
    line("~ts:~ts raised ~ts ~0tP at ~0tp", [Tier, Function, Class, Reason, 12, Where]).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
