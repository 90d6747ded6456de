%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc A question to a process of ours that is no `gen_server', because it must stay
%% small or is in a hot path. It receives `{Tag, From, Request}' and answers by
%% `From ! {From, Reply}'; an answer that comes too late is dropped by the VM.
-module(flame_prof_request).

-export([ask/5]).

%% @doc The reply, or `Otherwise' when it has ended or does not answer in that time.
-spec ask(pid(), Tag :: atom(), Request :: term(), TimeoutMs :: pos_integer(), Otherwise) ->
    term() | Otherwise.
ask(Server, Tag, Request, TimeoutMs, Otherwise) ->
    Monitor = monitor(process, Server, [{alias, reply_demonitor}]),
    Server ! {Tag, Monitor, Request},
    receive
        {Monitor, Reply} -> Reply;
        {'DOWN', Monitor, process, _, _} -> Otherwise
    after TimeoutMs ->
        demonitor(Monitor, [flush]),
        Otherwise
    end.
