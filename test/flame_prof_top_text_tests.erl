%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_top_text_tests).

-include_lib("eunit/include/eunit.hrl").

the_table_reads_test() ->
    Pid = self(),
    Rows = [row(Pid, #{}),
            row(Pid, #{name => <<"MyApp.Endpoint">>, function => "gen_server:loop/7",
                       status => garbage_collecting, reductions_per_s => undefined,
                       share => undefined, messages => 123456, memory_bytes => 5 bsl 30}),
            row(Pid, #{name => "", function => "", status => busy, messages => undefined,
                       memory_bytes => undefined})],
    P = lists:flatten(string:pad(pid_to_list(Pid), 12)),
    ?assertEqual(
       ["a@b  OTP 27  walker  q and Enter to end",
        "500.0k processes  run queue 3  12.3M reductions/s  1.0G memory",
        "",
        "PID          NAME OR INITIAL CALL CURRENT FUNCTION     STATUS    REDS/S*   SHARE    MSGS  MEMORY",
        P ++ " my_server            lists:map/2          running      9999   12.3%       0   12.0K",
        P ++ " MyApp.Endpoint       gen_server:loop/7    gc              -       -  123.5k    5.0G",
        P ++ "                                           busy         9999   12.3%       -       -"],
       lines(Rows, 96)).

no_line_is_wider_than_the_terminal_test_() ->
    Long = lists:duplicate(300, $x),
    Rows = [row(self(), #{name => Long, function => Long, share => 100.0,
                          reductions_per_s => 1 bsl 62, messages => 1 bsl 62,
                          memory_bytes => 1 bsl 62})],
    [?_assert(lists:all(fun(Line) -> string:length(Line) =< Width end, lines(Rows, Width)))
     || Width <- [40, 61, 79, 80, 132, 500]].

%% Their ends differ: `...Server:loop/7' says more than `my_applicati...'.
names_are_cut_at_their_beginning_test() ->
    [Row] = lists:nthtail(4, lines([row(self(), #{name => "my_application_name:start_link/3"})],
                                   80)),
    ?assertNotEqual(nomatch, string:find(Row, " ~tart_link/3 ")).

what_a_terminal_would_obey_is_not_shown_test() ->
    Text = unicode:characters_to_list(
             table([row(self(), #{name => "a\e[2Jb\nc\x{9b}d\x{202e}e",
                                  function => <<"f", 255>>})], 120)),
    [?assertNot(lists:member(Char, Text)) || Char <- [$\e, 16#9b, 16#202e]],
    ?assertEqual(5, length(string:split(string:trim(Text), "\n", all))),
    ?assertNotEqual(nomatch, string:find(Text, "a?[2Jb?c?d?e")).

figures_are_short_test_() ->
    [?_assertEqual(Text, lists:flatten(flame_prof_top_text:count(Count)))
     || {Count, Text} <- [{0, "0"}, {9999, "9999"}, {10000, "10.0k"}, {999949, "999.9k"},
                          {999950, "1.0M"}, {123456789, "123.5M"}, {1 bsl 62, "4.6E"}]] ++
    [?_assertEqual(Text, lists:flatten(flame_prof_top_text:bytes(Bytes)))
     || {Bytes, Text} <- [{9999, "9999"}, {10240, "10.0K"}, {1 bsl 20, "1.0M"},
                          {1 bsl 30, "1.0G"}]].

row(Pid, Given) ->
    maps:merge(#{pid => Pid, name => <<"my_server">>, function => <<"lists:map/2">>,
                 status => running, reductions_per_s => 9999, share => 12.34, messages => 0,
                 memory_bytes => 12288}, Given).

lines(Rows, Width) ->
    string:split(string:trim(unicode:characters_to_list(table(Rows, Width)), trailing, "\n"),
                 "\n", all).

table(Rows, Width) ->
    flame_prof_top_text:table(#{node => a@b, otp => "27", means => walker, processes => 500000,
                                run_queue => 3, reductions_per_s => 12345678,
                                memory_bytes => 1 bsl 30, sort => reductions,
                                ends => <<"q and Enter to end">>}, Rows, Width).
