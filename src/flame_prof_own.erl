%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc The processes that run for the profiler before a tier is open, the caller (the
%% session) among them; a tier knows its own.
-module(flame_prof_own).

-export([pids/0]).

%% @doc The two of the application are there when it was started as one.
-spec pids() -> [pid()].
pids() ->
    Named = [whereis(Name) || Name <- [flame_prof_sup, flame_prof_backtrace]],
    Master = application_controller:get_master(flame_prof),
    [Pid || Pid <- [self(), Master, parent_of_supervisor(Master) | Named], is_pid(Pid)].

parent_of_supervisor(undefined) ->
    undefined;
parent_of_supervisor(_) ->
    case process_info(whereis(flame_prof_sup), dictionary) of
        {dictionary, Dictionary} ->
            hd(proplists:get_value('$ancestors', Dictionary, []) ++ [undefined]);
        undefined ->
            undefined
    end.
