%% SPDX-License-Identifier: Apache-2.0
%% Sessions on several nodes: one that has flame_prof, one that has never heard of it.
-module(nodes_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [eventually/1]).

%% Nodes find each other within 7 s on a machine that is not busy.
-define(SETUP_S, 120).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_suite(Config) ->
    _ = os:cmd("epmd -daemon"),
    ok = application:set_env(kernel, net_setuptime, ?SETUP_S),
    case is_alive() orelse distributed(1000) of
        true -> [{distribution, theirs} | Config];
        {ok, _} -> [{distribution, ours} | Config];
        {error, _} -> {skip, "this node cannot become part of a distributed system here"}
    end.

end_per_suite(Config) ->
    _ = ?config(distribution, Config) =:= ours andalso net_kernel:stop(),
    ok.

%% The name server has only just been started.
distributed(Tries) ->
    case net_kernel:start([list_to_atom("flame_prof_" ++ os:getpid()), shortnames]) of
        {error, _} when Tries > 1 -> timer:sleep(100), distributed(Tries - 1);
        Result -> Result
    end.

init_per_testcase(Case, Config) ->
    Ebin = filename:dirname(code:which(flame_prof)),
    {with, WithPeer, With} = started(with, ["-pa", Ebin]),
    {without, WithoutPeer, Without} = started(without, []),
    [{peers, [WithPeer, WithoutPeer]}, {with, With}, {without, Without}, {case_name, Case} | Config].

end_per_testcase(_, Config) ->
    lists:foreach(fun peer:stop/1, ?config(peers, Config)).

started(Which, Arguments) ->
    Name = peer:random_name("flame_prof_" ++ atom_to_list(Which)),
    {ok, Peer, Node} = peer:start(#{name => Name, wait_boot => 300000,
                                    args => ["-kernel", "net_setuptime", integer_to_list(?SETUP_S)
                                             | Arguments]}),
    {Which, Peer, Node}.

it_samples_nodes_with_and_without_the_application(Config) ->
    [With, Without] = Nodes = nodes_of(Config),
    ?assertEqual(non_existing, erpc:call(Without, code, which, [flame_prof])),
    _ = [busy(Node) || Node <- Nodes],
    ?assertMatch(#{With := {ok, _}, Without := {ok, _}},
                 flame_prof:start(Nodes, options(Config, #{}))),
    eventually(fun() ->
                   lists:all(fun(#{samples := Samples}) -> Samples > 20 end,
                             maps:values(flame_prof:info(Nodes)))
               end),
    ?assertMatch(#{With := {error, {already_started, _}}}, flame_prof:start([With], #{})),
    #{With := {ok, #{files := [File | _]}}, Without := {ok, #{files := [Other | _]}}} =
        flame_prof:stop(Nodes),
    [?assert(has_name(Node, Path)) || {Node, Path} <- [{With, File}, {Without, Other}]],
    [?assertEqual(atom_to_binary(Node), maps:get(<<"node">>, header(Path)))
     || {Node, Path} <- [{With, File}, {Without, Other}]],
    ?assertMatch(#{With := {error, {not_started, _}}}, flame_prof:stop([With])),
    %% What was started for it does not write to our terminal.
    Leader = erpc:call(Without, erlang, process_info, [erpc:call(Without, erlang, whereis,
                                                                 [flame_prof_sup]), group_leader]),
    ?assertMatch({group_leader, Pid} when node(Pid) =:= Without, Leader).

it_gives_a_result_for_each_node(Config) ->
    [With, Without] = nodes_of(Config),
    Missing = list_to_atom("no_such_node@" ++ host()),
    ?assertMatch(#{Without := {error, {not_started, _}}, Missing := {error, {no_connection, _}}},
                 flame_prof:info([Without, Missing])),
    Results = flame_prof:start([With, Missing, Without], options(Config, #{tier => walker})),
    ?assertMatch(#{Missing := {error, {no_connection, _}}}, Results),
    case Results of
        #{With := {ok, _}} -> ?assertMatch(#{With := {ok, _}}, flame_prof:stop([With, Missing]));
        #{With := {error, {refused, _}}} -> ok
    end.

%% As in a remote shell: the terminal is on another node.
it_shows_the_table_on_the_terminal_of_another_node(Config) ->
    [With, _] = nodes_of(Config),
    Before = erpc:call(With, erlang, processes, []),
    {ok, Text} = top_SUITE:at_terminal(
                   fun() -> erpc:call(With, flame_prof, top, [#{iterations => 2, interval => 200}])
                   end),
    ?assertNotEqual(nomatch, string:find(Text, atom_to_list(With))),
    ?assertEqual(2, length(string:split(Text, "PID ", all)) - 1),
    eventually(fun() -> length(erpc:call(With, erlang, processes, []) -- Before) =< 3 end).

it_says_what_is_wrong_before_it_starts_anything(Config) ->
    [With, _] = Nodes = nodes_of(Config),
    [?assertMatch({error, {bad_option, _}}, flame_prof:start(Given, Options))
     || {Given, Options} <- [{[], #{}}, {[1], #{}}, {[With | With], #{}},
                             {Nodes, #{sample_interval => 0}}, {Nodes, #{stem => "a/b"}},
                             {Nodes, []}]],
    ?assertMatch({error, {bad_option, _}}, flame_prof:stop([])),
    ?assertMatch({error, {bad_option, _}}, flame_prof:info("nodes")),
    ?assertEqual(undefined, erpc:call(With, erlang, whereis, [flame_prof])).

%% The one of 2021 has the same name.
it_does_not_replace_another_version(Config) ->
    [_, Without] = nodes_of(Config),
    {ok, Module, Beam} = compile:forms([{attribute, 1, module, flame_prof}]),
    {module, Module} = erpc:call(Without, code, load_binary, [Module, "flame_prof.erl", Beam]),
    ?assertMatch(#{Without := {error, {load_failed, _}}},
                 flame_prof:start([Without], options(Config, #{}))),
    ?assertEqual(non_existing, erpc:call(Without, code, which, [flame_prof_sup])).

it_leaves_no_session_when_the_caller_is_killed(Config) ->
    [With, Without] = Nodes = nodes_of(Config),
    Options = options(Config, #{}),
    [begin
         {Pid, Monitor} = spawn_monitor(fun() -> flame_prof:start(Nodes, Options) end),
         receive {'DOWN', Monitor, process, _, _} -> ok
         after Ms -> exit(Pid, kill), receive {'DOWN', Monitor, process, _, _} -> ok end
         end,
         %% Not killed in time: then it has started them.
         _ = flame_prof:stop(Nodes),
         eventually(fun() -> [] =:= [Node || Node <- [With, Without], session(Node) =/= undefined] end)
     end || Ms <- [0, 20, 60, 150, 300]].

it_leaves_a_session_of_somebody_else_alone(Config) ->
    [With, _] = nodes_of(Config),
    #{With := {ok, Session}} = flame_prof:start([With], options(Config, #{})),
    {Pid, Monitor} = spawn_monitor(fun() -> flame_prof:start([With], #{}) end),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    ?assertEqual(Session, session(With)),
    #{With := {ok, _}} = flame_prof:stop([With]).

%% --- tools ----------------------------------------------------------------------------

nodes_of(Config) -> [?config(with, Config), ?config(without, Config)].

options(Config, Options) ->
    Directory = filename:join(?config(priv_dir, Config), atom_to_list(?config(case_name, Config))),
    maps:merge(#{basename => Directory, auto_select => {top, 10, 200}}, Options).

session(Node) -> erpc:call(Node, erlang, whereis, [flame_prof]).

host() ->
    [_, Host] = string:split(atom_to_list(node()), "@"),
    Host.

%% A function of stdlib: this module is not on all nodes.
busy(Node) ->
    erpc:call(Node, erlang, spawn, [timer, tc, [lists, foreach,
                                                [fun erlang:phash2/1, lists:seq(1, 3000000)]]]).

has_name(Node, Path) ->
    Wanted = [case Char of $@ -> $_; $- -> $_; _ -> Char end || Char <- atom_to_list(Node)],
    string:prefix(filename:basename(Path), "flame_prof-" ++ Wanted ++ "-2") =/= nomatch.

header(Path) ->
    maps:get(comments, perf_script_reader:read(Path)).
