%% SPDX-License-Identifier: Apache-2.0
%% @doc Sessions on several nodes at once, over Erlang distribution: all nodes at
%% the same time, one result each, within a time.
%%
%% A node that has no flame_prof gets its modules from here, for as long as it runs.
%% Without the application's files it finds no native library, and takes the
%% portable tier.
%%
%% A session that nobody knows of would run for ever. So a node ends the session it
%% has begun unless whoever asked for it has said that the answer came: it does so
%% when the caller is killed, gives up or is cut off before that.
-module(flame_prof_nodes).

-export([start/2, stop/1, info/1]).
-export([start_here/2]).

-define(START_MS, 30000).
%% What the session itself gets of it; the rest is for modules and the way.
-define(SESSION_MS, 15000).
-define(LOAD_MS, 10000).
-define(STOP_MS, 10000).
-define(INFO_MS, 5000).
-define(STEM_MAX, 160).

-type per_node(Result) :: #{node() => Result | {error, flame_prof:error_reason()}}.

-spec start([node()], flame_prof:start_opts()) ->
    per_node({ok, pid()} | {error, {already_started, pid()}}) | {error, flame_prof:error_reason()}.
start(Nodes, Given) ->
    case {are_nodes(Nodes), flame_prof_options:start(Given)} of
        {false, _} -> {error, not_nodes(start, Nodes)};
        {true, {error, Reason}} -> {error, Reason};
        {true, {ok, #{stem := Stem}}} -> start_all(lists:usort(Nodes), Given, Stem)
    end.

-spec stop([node()]) ->
    per_node({ok, flame_prof:summary()}) | {error, flame_prof:error_reason()}.
stop(Nodes) ->
    call_all(stop, Nodes, ?STOP_MS).

-spec info([node()]) -> per_node(flame_prof:info()) | {error, flame_prof:error_reason()}.
info(Nodes) ->
    call_all(info, Nodes, ?INFO_MS).

call_all(Function, Nodes, TimeoutMs) ->
    case are_nodes(Nodes) of
        true ->
            Unique = lists:usort(Nodes),
            Results = erpc:multicall(Unique, flame_prof, Function, [], TimeoutMs),
            maps:from_list([{Node, result(Function, Node, Result)}
                            || {Node, Result} <- lists:zip(Unique, Results)]);
        false ->
            {error, not_nodes(Function, Nodes)}
    end.

result(_, _, {ok, Result}) ->
    Result;
result(Function, Node, {error, {exception, undef, _}}) ->
    {error, {not_started, line("~ts: ~ts has no flame_prof; flame_prof:start([~0tp], #{}) brings "
                               "it there", [Function, Node, Node])}};
result(Function, Node, {_, Reason}) ->
    {error, failure(Function, Node, Reason)}.

are_nodes([Node]) -> is_atom(Node);
are_nodes([Node | Rest]) when is_atom(Node) -> are_nodes(Rest);
are_nodes(_) -> false.

not_nodes(Function, Given) ->
    {bad_option, line("~ts: expected a list of node names, got ~0tP", [Function, Given, 8])}.

failure(Function, Node, {erpc, noconnection}) ->
    {no_connection, line("~ts: ~ts is not reachable; is it running, and has it this node's cookie?",
                         [Function, Node])};
failure(Function, Node, {erpc, timeout}) ->
    {timeout, line("~ts: no answer from ~ts in time", [Function, Node])};
failure(Function, Node, Reason) ->
    {failed, line("~ts: on ~ts: ~0tP", [Function, Node, Reason, 12])}.

%% Starting: a helper for each node, linked to the caller, that outlives its answer
%% until all have theirs.

start_all(Nodes, Given, Stem) ->
    Caller = self(),
    Reference = make_ref(),
    Deadline = now_ms() + ?START_MS,
    Helpers = [{Node, spawn_link(fun() -> help(Caller, Reference, Node, options(Node, Given, Stem))
                                 end)}
               || Node <- Nodes],
    Results = [{Node, Helper, awaited(Node, Helper, Reference, Deadline)}
               || {Node, Helper} <- Helpers],
    lists:foreach(fun({_, Helper, Result}) -> dismiss(Helper, Reference, Result) end, Results),
    maps:from_list([{Node, Result} || {Node, _, Result} <- Results]).

options(Node, Given, Stem) ->
    Given#{stem => lists:sublist(Stem ++ [$- | in_file_names(Node)], ?STEM_MAX)}.

in_file_names(Node) ->
    [case is_plain(Char) of true -> Char; false -> $_ end || Char <- atom_to_list(Node)].

is_plain(Char) ->
    (Char >= $a andalso Char =< $z) orelse (Char >= $A andalso Char =< $Z)
        orelse (Char >= $0 andalso Char =< $9) orelse Char =:= $. orelse Char =:= $_.

awaited(Node, Helper, Reference, Deadline) ->
    receive
        {Reference, Helper, Result} -> Result
    after max(0, Deadline - now_ms()) ->
        {error, failure(start, Node, {erpc, timeout})}
    end.

%% One that is killed has confirmed nothing.
dismiss(Helper, Reference, {ok, _}) ->
    unlink(Helper),
    Helper ! {Reference, confirmed},
    dismissed(Helper);
dismiss(Helper, Reference, _) ->
    unlink(Helper),
    exit(Helper, kill),
    dismissed(Helper),
    receive {Reference, Helper, _} -> ok after 0 -> ok end.

dismissed(Helper) ->
    Monitor = monitor(process, Helper),
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    receive {'EXIT', Helper, _} -> ok after 0 -> ok end.

help(Caller, Reference, Node, Options) ->
    case brought(Node) of
        ok ->
            {Result, Guard} = begun(Node, Options),
            Caller ! {Reference, self(), Result},
            receive {Reference, confirmed} -> Guard ! {?MODULE, self(), confirmed} end,
            ok;
        {error, Reason} ->
            Caller ! {Reference, self(), {error, Reason}},
            receive {Reference, confirmed} -> ok end
    end.

begun(Node, Options) ->
    try
        erpc:call(Node, ?MODULE, start_here, [Options, self()], ?START_MS)
    catch
        error:Reason -> {{error, failure(start, Node, Reason)}, none};
        Class:Reason -> {{error, failure(start, Node, {Class, Reason})}, none}
    end.

%% @private On the node itself: starts a session, ended again by a guard unless
%% `Starter' confirms.
-spec start_here(flame_prof:start_opts(), pid()) -> {term(), pid() | none}.
start_here(Options, Starter) ->
    %% What is started from here must not write to the starter's terminal.
    true = group_leader(own_group_leader(), self()),
    case flame_prof:start(Options, ?SESSION_MS) of
        {ok, Session} -> {{ok, Session}, spawn(fun() -> guard(Session, Starter) end)};
        {error, Reason} -> {{error, Reason}, none}
    end.

own_group_leader() ->
    case whereis(user) of
        undefined -> whereis(init);
        User -> User
    end.

guard(Session, Starter) ->
    Monitor = monitor(process, Starter),
    receive
        {?MODULE, Starter, confirmed} -> ok;
        {'DOWN', Monitor, process, _, _} -> _ = flame_prof:stop(Session), ok
    end.

%% Bringing modules where there are none.

brought(Node) ->
    try {has(Node, ?MODULE), has(Node, flame_prof)} of
        {true, _} -> ok;
        {false, false} -> load(Node, object_code());
        %% One that is installed there is not ours to replace.
        {false, true} -> {error, {load_failed, line("start: ~ts has an older flame_prof; update it "
                                                    "there", [Node])}}
    catch
        error:Reason -> {error, failure(start, Node, Reason)}
    end.

has(Node, Module) ->
    case erpc:call(Node, code, ensure_loaded, [Module], ?LOAD_MS) of
        {module, Module} -> true;
        {error, _} -> false
    end.

object_code() ->
    Directory = filename:dirname(code:which(?MODULE)),
    Names = [filename:basename(File, ".beam")
             || File <- filelib:wildcard("flame_prof*.beam", Directory)],
    [Code || Name <- Names, Code <- [code:get_object_code(list_to_atom(Name))], Code =/= error].

load(Node, []) ->
    {error, {load_failed, line("start: ~ts has no flame_prof, and its modules are not on this "
                               "node's code path either", [Node])}};
load(Node, Modules) ->
    try [load_one(Node, Module) || Module <- Modules] of
        _ -> ok
    catch
        throw:{refused, Module, Reason} ->
            {error, {load_failed,
                     line("start: ~ts has no flame_prof and refused ~ts from here: ~0tP; is its "
                          "OTP release older? Install the application there",
                          [Node, Module, Reason, 8])}};
        error:Reason ->
            {error, failure(start, Node, Reason)}
    end.

load_one(Node, {Module, Beam, File}) ->
    case erpc:call(Node, code, load_binary, [Module, File, Beam], ?LOAD_MS) of
        {module, Module} -> ok;
        {error, Reason} -> throw({refused, Module, Reason})
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
