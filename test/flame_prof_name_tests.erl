%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_name_tests).

-include_lib("eunit/include/eunit.hrl").

%% test/c/beam_name_test.c has the same cases.
functions_read_as_their_language_writes_them_test_() ->
    [?_assertEqual(Shown, flame_prof_name:function(Module, Function, Arity))
     || {Module, Function, Arity, Shown} <-
            [{lists, map, 2, <<"lists:map/2">>},
             {lists, '++', 2, <<"lists:++/2">>},
             {m, '-go/1-fun-0-', 1, <<"m:-go/1-fun-0-/1">>},
             {'Elixir.My.Mod', 'run!', 0, <<"My.Mod.run!/0">>},
             {'Elixir.My.Mod', '-run/0-fun-2-', 1, <<"My.Mod.run/0-fn-2/1">>},
             {'Elixir.My.Mod', '-fun.run/0-', 0, <<"&My.Mod.run/0">>},
             {'Elixir.My.Mod', '-run/0-lc$^0/1-0-', 2, <<"My.Mod.run/0-lc$^0/1-0/2">>},
             {'Elixir.My.Mod', '-a-fun-b/0-fun-1-', 0, <<"My.Mod.a-fun-b/0-fn-1/0">>},
             {'Elixir.Kernel', '-', 2, <<"Kernel.-/2">>},
             {'Elixir.Kernel', '--', 2, <<"Kernel.--/2">>},
             {'Elixir.My.Mod', '', 0, <<"My.Mod./0">>},
             {'Elixir.Enumerable.List', reduce, 3, <<"Enumerable.List.reduce/3">>},
             {'Elixir.', f, 0, <<"Elixir.:f/0">>},
             {'Elixir', f, 0, <<"Elixir:f/0">>},
             {'Elixirs', f, 0, <<"Elixirs:f/0">>}]].

modules_and_their_files_test() ->
    ?assertEqual(<<"lists.erl">>, flame_prof_name:file(lists)),
    ?assertEqual(<<"My.Mod.ex">>, flame_prof_name:file('Elixir.My.Mod')),
    ?assertEqual(<<"My.Mod">>, flame_prof_name:module('Elixir.My.Mod')),
    ?assertEqual(<<"Elixir.">>, flame_prof_name:module('Elixir.')).
