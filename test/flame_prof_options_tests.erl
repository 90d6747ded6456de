%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_options_tests).

-include_lib("eunit/include/eunit.hrl").

defaults_are_complete_test() ->
    {ok, Options} = flame_prof_options:start(#{}),
    ?assertMatch(#{sample_interval := 9, process_interval := auto, flush_interval := 15000,
                   flush_close_max := 8, file_bytes_max := 268435456, files_max := 15,
                   compress := none, auto_select := {top, [{reductions, 100}], 10000},
                   auto_process_opts := #{viral := self_only, status := all},
                   flatten_recursive := true, tier := auto, reader := auto,
                   stack_frames_max := 256, profile_self := false}, Options),
    ?assertEqual(absolute, filename:pathtype(maps:get(basename, Options))).

undefined_is_the_default_test() ->
    {ok, Defaults} = flame_prof_options:start(#{}),
    Undefined = maps:map(fun(_, _) -> undefined end, maps:remove(auto_select, Defaults)),
    ?assertEqual({ok, Defaults}, flame_prof_options:start(Undefined)).

nothing_is_selected_when_so_said_test_() ->
    [?_assertMatch({ok, #{auto_select := none}}, flame_prof_options:start(#{auto_select => V}))
     || V <- [undefined, none, {top, 0}, {top, 0, 5000}, #{by => memory, count => 0}]].

accepted_values_test_() ->
    [?_assertEqual({Key, Normal}, {Key, normal(Key, Value)})
     || {Key, Value, Normal} <- [{basename, "/x/y", "/x/y"},
                                 {basename, <<"/x/ö"/utf8>>, "/x/ö"},
                                 {auto_select, {top, 7}, {top, [{reductions, 7}], 10000}},
                                 {auto_select, {top, 7, 100}, {top, [{reductions, 7}], 100}},
                                 {auto_select, #{}, {top, [{reductions, 100}], 10000}},
                                 {auto_select, #{by => memory, count => 20, interval => 500},
                                  {top, [{memory, 20}], 500}},
                                 {auto_select, [#{by => message_queue_len, interval => undefined},
                                                #{count => 5, interval => 1000},
                                                #{by => memory, count => 0}],
                                  {top, [{message_queue_len, 100}, {reductions, 5}], 1000}},
                                 {select, none, none},
                                 {select, #{names => [b, a, b]},
                                  #{pids => [], names => [a, b], applications => [],
                                    predicate => none, interval => 1000,
                                    process_opts => #{viral => self_only, status => all}}},
                                 {select, #{applications => [kernel], interval => 100,
                                            viral => true, status => running},
                                  #{pids => [], names => [], applications => [kernel],
                                    predicate => none, interval => 100,
                                    process_opts => #{viral => spawn_and_send,
                                                      status => running}}},
                                 {process_interval, 250, 250},
                                 {flush_close_max, infinity, infinity},
                                 {file_bytes_max, infinity, infinity},
                                 {files_max, infinity, infinity},
                                 {compress, gzip, gzip},
                                 {format, capture, capture},
                                 {auto_process_opts, #{viral => true},
                                  #{viral => spawn_and_send, status => all}},
                                 {flush_interval, 1009, 1009}]].

%% Each answer is one line, names the option and what was given.
refused_values_test_() ->
    [{atom_to_list(Key), ?_test(refused(Key, Value))}
     || {Key, Value} <- [{basename, ""}, {basename, 7}, {basename, <<>>}, {basename, [0]},
                         {basename, dir}, {basename, "a\0b"},
                         {sample_interval, 0}, {sample_interval, 9.0}, {sample_interval, "9"},
                         {sample_interval, 1 bsl 40},
                         {process_interval, 0}, {process_interval, none},
                         {flush_interval, 1008}, {flush_interval, infinity},
                         {flush_close_max, 0}, {flush_close_max, never},
                         {file_bytes_max, 100}, {files_max, 0}, {files_max, -1},
                         {compress, true}, {compress, zstd}, {format, text},
                         {auto_select, top}, {auto_select, {top, -1}}, {auto_select, {top, 1, 0}},
                         {auto_select, {bottom, 1}}, {auto_select, {top, 1.5}},
                         {auto_select, []}, {auto_select, [{top, 1}]},
                         {auto_select, #{by => gpu}}, {auto_select, #{bye => memory}},
                         {auto_select, #{count => 100001}}, {auto_select, #{interval => 99}},
                         {auto_select, [#{by => memory}, #{by => memory, count => 1}]},
                         {auto_select, [#{by => memory, count => 60000}, #{count => 60000}]},
                         {select, []}, {select, #{}}, {select, #{pids => []}},
                         {select, #{pids => [kernel]}}, {select, #{pids => self()}},
                         {select, #{names => ["a"]}}, {select, #{names => [a | b]}},
                         {select, #{applications => kernel}}, {select, #{app => [kernel]}},
                         {select, #{predicate => true}},
                         {select, #{predicate => fun() -> true end}},
                         {select, #{names => [a], status => asleep}},
                         {select, #{names => [a], viral => 3}},
                         {select, #{names => [a], interval => 1}},
                         {auto_process_opts, []}, {auto_process_opts, #{viral => maybe_so}},
                         {auto_process_opts, #{status => sleeping}},
                         {auto_process_opts, #{virale => true}},
                         {flatten_recursive, yes}, {tier, best}, {reader, mmap},
                         {stack_frames_max, 1}, {stack_frames_max, infinity},
                         {profile_self, 1}]].

unknown_options_are_refused_with_a_hint_test() ->
    ?assertEqual({error, {bad_option, <<"sample_intervall: unknown option; "
                                        "did you mean sample_interval?">>}},
                 flame_prof_options:start(#{sample_intervall => 9})),
    {error, {bad_option, Detail}} = flame_prof_options:start(#{colour => red}),
    ?assertNotEqual(nomatch, binary:match(Detail, <<"sample_interval">>)).

cpu_is_a_criterion_where_it_is_sampled_test_() ->
    By = #{by => cpu, count => 5},
    [?_assertMatch({ok, #{auto_select := {top, [{cpu, 5}], _}}},
                   flame_prof_options:start(#{auto_select => By})),
     ?_assertMatch({error, {bad_option, _}},
                   flame_prof_options:start(#{auto_select => By, cpu_sampling => false}))].

what_is_wrong_with_a_selection_is_said_test_() ->
    [?_assertEqual({error, {bad_option, Text}}, flame_prof_options:start(#{auto_select => Given}))
     || {Given, Text} <- [{#{by => mailbox},
                           <<"auto_select: by: got mailbox; expected reductions, "
                             "message_queue_len, message_queue_growth, memory, binary_vheap or cpu">>},
                          {#{size => 5},
                           <<"auto_select: size: unknown option; known are by, count, interval">>},
                          {[#{by => memory}, #{by => memory}],
                           <<"auto_select: by memory is there twice; give each criterion once">>}]].

select_alone_selects_nobody_else_test_() ->
    Named = #{names => [init]},
    [?_assertEqual(Selected, normal_selection(Given))
     || {Selected, Given} <- [{none, #{select => Named}},
                              {none, #{select => Named, auto_select => undefined}},
                              {{top, [{reductions, 5}], 10000},
                               #{select => Named, auto_select => {top, 5}}},
                              {{top, [{reductions, 100}], 10000}, #{select => none}}]].

normal_selection(Given) ->
    {ok, #{auto_select := Selected}} = flame_prof_options:start(Given),
    Selected.

options_that_are_no_map_are_refused_test_() ->
    [?_assertMatch({error, {bad_option, <<"options: ", _/binary>>}}, flame_prof_options:start(V))
     || V <- [[], undefined, {top, 100}, 1.5]].

process_options_test_() ->
    [?_assertEqual({ok, #{viral => spawn, status => all}}, flame_prof_options:process(#{}, spawn)),
     ?_assertEqual({ok, #{viral => self_only, status => running}},
                   flame_prof_options:process(#{viral => false, status => running}, spawn)),
     ?_assertEqual({ok, #{viral => spawn_and_send, status => all}},
                   flame_prof_options:process(#{viral => true, status => undefined}, spawn)),
     ?_assertMatch({error, {bad_option, _}}, flame_prof_options:process(#{viral => 1}, spawn)),
     ?_assertMatch({error, {bad_option, _}}, flame_prof_options:process(nothing, spawn))].

normal(Key, Value) ->
    {ok, #{Key := Normal}} = flame_prof_options:start(#{Key => Value}),
    Normal.

refused(Key, Value) ->
    {error, {bad_option, Detail}} = flame_prof_options:start(#{Key => Value}),
    ?assertMatch({0, _}, binary:match(Detail, atom_to_binary(Key))),
    ?assertEqual(nomatch, binary:match(Detail, <<"\n">>)).
