%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_gzip_tests).

-include_lib("eunit/include/eunit.hrl").

pieces_make_one_member_test() ->
    {Gzip0, Head} = flame_prof_gzip:open(),
    {Gzip1, One} = flame_prof_gzip:append(Gzip0, ["hello ", <<"hello ">>]),
    {Gzip2, Two} = flame_prof_gzip:append(Gzip1, "world"),
    Tail = flame_prof_gzip:tail(Gzip2),
    ok = flame_prof_gzip:close(Gzip2),
    ?assertEqual(<<"hello hello world">>, gunzip([Head, One, Two, Tail])).

nothing_is_valid_too_test() ->
    {Gzip, Head} = flame_prof_gzip:open(),
    ?assertEqual(<<>>, gunzip([Head, flame_prof_gzip:tail(Gzip)])).

%% What a full disk does: a piece is compressed but does not reach the file.
a_lost_piece_leaves_a_valid_member_test() ->
    {Gzip0, Head} = flame_prof_gzip:open(),
    Text = lists:duplicate(1000, "the same again and again, "),
    {Gzip1, One} = flame_prof_gzip:append(Gzip0, Text),
    {_, _Lost} = flame_prof_gzip:append(Gzip1, Text),
    Cut = flame_prof_gzip:cut_back(Gzip1),
    ?assertEqual(iolist_to_binary(Text), gunzip([Head, One, flame_prof_gzip:tail(Cut)])),
    {Gzip2, Two} = flame_prof_gzip:append(Cut, Text),
    ?assertEqual(iolist_to_binary([Text, Text]),
                 gunzip([Head, One, Two, flame_prof_gzip:tail(Gzip2)])).

gunzip(Data) ->
    zlib:gunzip(iolist_to_binary(Data)).
