%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_view_tests).

-include_lib("eunit/include/eunit.hrl").

words_are_those_of_the_command_test() ->
    ?assertEqual([<<"export">>, <<"--format">>, <<"perf-script">>, <<"--metric">>, <<"erlang_memory_inc">>,
                  <<"--">>, <<"/x/y.perf">>, <<"/z">>],
                 flame_prof_view:words(export, #{format => perf_script, metric => erlang_memory_inc,
                                                 engine => all, max_memory => 1 bsl 30},
                                       ["/x/y.perf", <<"/z">>])).

times_are_seconds_or_have_a_unit_test() ->
    ?assertEqual([<<"report">>, <<"--from">>, <<"2.5">>, <<"--to">>, <<"1min">>, <<"--">>],
                 flame_prof_view:words(report, #{from => 2.5, to => "1min"}, [])),
    ?assertEqual([<<"report">>, <<"--from">>, <<"3">>, <<"--">>],
                 flame_prof_view:words(report, #{from => 3}, [])).

flags_have_no_value_test() ->
    ?assertEqual([<<"export">>, <<"--categories">>, <<"status,registered">>, <<"--lines">>, <<"--">>],
                 flame_prof_view:words(export, #{reversed => false, lines => true,
                                                 categories => [status, "registered"]}, [])).

paths_are_absolute_test() ->
    {ok, Here} = file:get_cwd(),
    ?assertEqual([<<"heatmap">>, <<"--">>, unicode:characters_to_binary(filename:join(Here, "-o"))],
                 flame_prof_view:words(heatmap, #{}, ["-o"])).
