%% SPDX-License-Identifier: Apache-2.0
%% @doc All processes of the node, one after the other.
-module(flame_prof_processes).

-export([fold/2, applications/0]).

%% @doc By an iterator where there is one (OTP 28), which holds none of them; by a
%% list of all otherwise.
-spec fold(fun((pid(), Acc) -> Acc), Acc) -> Acc.
fold(Fun, Acc) ->
    case erlang:function_exported(erlang, processes_iterator, 0) of
        true -> iterate(Fun, Acc, newer(processes_iterator, []));
        false -> lists:foldl(Fun, Acc, processes())
    end.

%% @doc Applications that run, by the group leader of their processes. None where
%% application_controller keeps them otherwise than OTP 25 to 29 do.
-spec applications() -> [{Master :: pid(), Name :: atom()}].
applications() ->
    try
        [{Master, Name} || [Name, Master] <- ets:match(ac_tab, {{application_master, '$1'}, '$2'}),
                           is_pid(Master)]
    catch
        error:badarg -> []
    end.

iterate(Fun, Acc, Iterator) ->
    case newer(processes_next, [Iterator]) of
        {Pid, Next} -> iterate(Fun, Fun(Pid, Acc), Next);
        none -> Acc
    end.

%% A function that not every supported release has.
newer(Function, Arguments) ->
    erlang:apply(erlang, Function, Arguments).
