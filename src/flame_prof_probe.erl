%% SPDX-License-Identifier: Apache-2.0
%% @doc Reads one process at a time by `process_info/2', on behalf of the sampler.
%%
%% Asking a running process means waiting until it answers, which a process in a
%% long NIF does late. So each question is asked by a process of its own, and the
%% sampler never waits: many of these, and it asks whichever is free.
-module(flame_prof_probe).

-export([start_link/2, read/3]).
-export_type([question/0, answer/0, initial/0]).

%% The type of process_info/2 in OTP 25 does not know `{dictionary, Key}' yet.
-dialyzer({nowarn_function, [initial_call_in_dictionary/2, has_dictionary_key/0]}).

-type initial() :: undefined | {maybe_later, mfa()} | mfa().
%% As known so far: proc_lib sets the initial call just after the start.

-type question() :: #{status := all | flame_prof:process_status(),
                      initial := initial(),
                      categories := [flame_prof:category()],
                      kept := undefined | flame_prof_metric:values()}.
%% `kept': metrics that are too dear to be asked for this time.

-type answer() :: gone
                | filtered
                | {seen, flame_prof:process_status(), flame_prof_metric:values(),
                   Stack :: list(), Name :: undefined | atom(), initial(),
                   flame_prof_identity:facts(), TookNs :: integer()}.

%% @doc Answers go to `Sampler' as `{flame_prof_probe, self(), Pid, TimeNs, answer()}'.
-spec start_link(pid(), flame_prof_clock:clock()) -> pid().
start_link(Sampler, Clock) ->
    spawn_opt(fun() -> loop(Sampler, Clock, has_dictionary_key()) end,
              [link, {priority, max}]).

-spec read(pid(), pid(), question()) -> ok.
read(Probe, Pid, Question) ->
    Probe ! {?MODULE, read, Pid, Question},
    ok.

loop(Sampler, Clock, HasKey) ->
    receive
        {?MODULE, read, Pid, Question} ->
            Answer = answer(Pid, Question, Clock, HasKey),
            Sampler ! {?MODULE, self(), Pid, flame_prof_clock:now_ns(Clock), Answer};
        _ ->
            ok
    end,
    loop(Sampler, Clock, HasKey).

%% The status is asked for on its own: that needs no signal unless the process is
%% running, whereas handling the signal for the stack would make it `running'.
answer(Pid, #{status := Filter} = Question, Clock, HasKey) ->
    case process_info(Pid, status) of
        {status, Status} when Filter =:= all; Filter =:= Status ->
            Began = flame_prof_clock:now_ns(Clock),
            seen(Pid, Status, Question, HasKey, Clock, Began);
        {status, _} ->
            filtered;
        undefined ->
            gone
    end.

seen(Pid, Status, #{initial := Initial, kept := Kept, categories := Categories}, HasKey, Clock,
     Began) ->
    Items = [registered_name, current_stacktrace | items(Kept)]
        ++ flame_prof_identity:items(Categories, HasKey),
    case process_info(Pid, Items) of
        [{registered_name, Name}, {current_stacktrace, Stack} | Info] ->
            Took = flame_prof_clock:now_ns(Clock) - Began,
            {seen, Status, flame_prof_metric:values(Info, Kept), Stack, name(Name),
             initial(Pid, Initial, HasKey), flame_prof_identity:facts(Info), Took};
        undefined ->
            gone
    end.

items(undefined) -> flame_prof_metric:items(all);
items(_) -> flame_prof_metric:items(cheap).

name([]) -> undefined;
name(Name) -> Name.

%% Initial call.

initial(_, {_, _, _} = Known, _) ->
    Known;
initial(Pid, Known, HasKey) ->
    case process_info(Pid, initial_call) of
        {initial_call, {proc_lib, init_p, _} = Raw} ->
            translated(initial_call_in_dictionary(Pid, HasKey), Raw, Known);
        {initial_call, {_, _, _} = Call} ->
            Call;
        _ ->
            undefined
    end.

translated({M, F, A}, _, _) when is_atom(M), is_atom(F), is_integer(A) -> {M, F, A};
translated(_, Raw, undefined) -> {maybe_later, Raw};
translated(_, Raw, _) -> Raw.

initial_call_in_dictionary(Pid, true) ->
    case process_info(Pid, {dictionary, '$initial_call'}) of
        {{dictionary, '$initial_call'}, Call} -> Call;
        _ -> undefined
    end;
initial_call_in_dictionary(Pid, false) ->
    Call = case process_info(Pid, dictionary) of
               {dictionary, Dictionary} -> proplists:get_value('$initial_call', Dictionary);
               undefined -> undefined
           end,
    %% The whole dictionary has been copied for it; once per process.
    true = garbage_collect(),
    Call.

%% Since OTP 26.2 one key can be asked for.
has_dictionary_key() ->
    try
        is_tuple(process_info(self(), {dictionary, '$initial_call'}))
    catch
        error:badarg -> false
    end.
