%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_text_tests).

-include_lib("eunit/include/eunit.hrl").
-include("../src/flame_prof_sample.hrl").

-export([record/0]).

golden_text_is_reproduced_test_() ->
    [{Name, ?_assertEqual(expected(Name), text(Name))} || Name <- names()].

golden_text_is_read_right_by_importers_test_() ->
    [{Name, ?_assertEqual(ok, perf_script_reader:importers(text(Name)))} || Name <- names()].

what_is_read_back_is_what_was_written_test() ->
    #{samples := [First, Second], comments := Comments} =
        perf_script_reader:read_text(text("one_waiting")),
    ?assertMatch(#{status := waiting, os_pid := 4242, number := 151, time_us := 1334519344,
                   period_ns := 99000000, event := <<"beam-wall">>}, First),
    ?assertEqual({0, -2}, maps:get(<<"erlang_message_queue_len">>, maps:get(metrics, Second))),
    ?assertEqual([{<<"lists:map/2;1559">>, <<"lists.erl">>},
                  {<<"gen_server:loop/7;871">>, <<"gen_server.erl">>},
                  {<<"{registered my_server}">>, <<"process">>},
                  {<<"{my_server:init/1}">>, <<"my_server.erl">>}], maps:get(frames, First)),
    ?assertMatch(#{<<"end">> := <<"complete">>, <<"loss missed_tick">> := <<"1">>}, Comments).

%% Names made of every nasty character in any order must leave every line readable
%% and their frame a frame.
%% By itself EUnit gives 5 s.
any_name_is_readable_test_() -> {timeout, 600, fun any_name_is_readable/0}.

any_name_is_readable() ->
    rand:seed(exsss, {1, 2, 3}),
    lists:foreach(fun(_) ->
                      Name = list_to_atom([nasty() || _ <- lists:seq(1, rand:uniform(12))]),
                      Text = one(#sample{status = running, os_pid = 1, number = 1,
                                         time_ns = 1500000000, period_ns = 1,
                                         frames = [{Name, Name, 1, [{file, atom_to_list(Name)}]}],
                                         name = Name, initial_call = {Name, Name, 0}}),
                      ?assertEqual(ok, perf_script_reader:importers(Text)),
                      [#{frames := Frames}] =
                          maps:get(samples, perf_script_reader:read_text(Text)),
                      ?assertEqual(3, length(Frames))
                  end, lists:seq(1, 2000)).

cached_frames_are_the_same_test() ->
    Style = style(#{event => <<"e">>, metrics => [], flatten_recursive => true,
                    stack_frames_max => 10}),
    Sample = #sample{status = running, os_pid = 1, number = 1, time_ns = 1, period_ns = 1,
                     frames = [{lists, map, 2, [{file, "lists.erl"}, {line, 7}]}]},
    {Text, Cache} = flame_prof_text:sample(Sample, Style, flame_prof_text:new_cache()),
    {Again, _} = flame_prof_text:sample(Sample, Style, Cache),
    ?assertEqual(iolist_to_binary(Text), iolist_to_binary(Again)).

%% Writes the expected texts anew; for a person who has changed the format.
record() ->
    [ok = file:write_file(path(Name, ".perf"), text(Name)) || Name <- names()],
    ok.

nasty() ->
    Nasty = "+->:. 0123abc()[]{};\t\n\r\x{7f}\x{e4}\x{ff0b}\x{2028}#\"\\/",
    lists:nth(rand:uniform(length(Nasty)), Nasty).

one(Sample) ->
    Style = style(#{event => <<"beam-wall">>, metrics => [], flatten_recursive => true,
                    stack_frames_max => 10}),
    {Text, _} = flame_prof_text:sample(Sample, Style, flame_prof_text:new_cache()),
    iolist_to_binary(Text).

text(Name) ->
    {ok, [Golden]} = file:consult(path(Name, ".term")),
    #{header := Header, samples := Samples, footer := Footer} = Golden,
    {Texts, _} = lists:mapfoldl(
                   fun(Sample, Cache) ->
                       flame_prof_text:sample(sample(Sample), style(Golden), Cache)
                   end, flame_prof_text:new_cache(), Samples),
    iolist_to_binary([flame_prof_text:header(Header), Texts, flame_prof_text:footer(Footer)]).

style(Golden) ->
    flame_prof_text:style(maps:with([event, metrics, flatten_recursive, stack_frames_max],
                                    Golden)).

sample(#{status := Status, os_pid := OsPid, number := Number, cpu := Cpu, time_ns := TimeNs,
         period_ns := PeriodNs, frames := Frames, name := Name,
         initial_call := InitialCall} = Sample) ->
    #sample{status = Status, os_pid = OsPid, number = Number, cpu = Cpu, time_ns = TimeNs,
            period_ns = PeriodNs, metrics = maps:get(metrics, Sample, []), frames = Frames,
            name = Name, initial_call = InitialCall}.

names() ->
    Names = [filename:basename(Path, ".term")
             || Path <- filelib:wildcard(filename:join(directory(), "*.term"))],
    [_ | _] = Names.

expected(Name) ->
    {ok, Text} = file:read_file(path(Name, ".perf")),
    Text.

path(Name, Extension) ->
    filename:join(directory(), Name ++ Extension).

%% Up from where this module's source is, which a build tool may have copied.
directory() ->
    {ok, Here} = file:get_cwd(),
    Source = filename:dirname(proplists:get_value(source, ?MODULE:module_info(compile), Here)),
    Candidates = [filename:join(Base, "golden/perf_script")
                  || Base <- [filename:join(Here, "test"), Source]],
    hd([Directory || Directory <- Candidates, filelib:is_dir(Directory)]).
