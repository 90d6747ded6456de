%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_file_tests).

-include_lib("eunit/include/eunit.hrl").

-define(NAME, "flame_prof-20261120T101500Z-4242-0001.perf").

file_test_() ->
    {foreach, fun scratch/0, fun remove/1,
     [fun(Dir) -> {Name, fun() -> Test(Dir) end} end
      || {Name, Test} <- [{"hidden until finished", fun hidden_until_finished/1},
                          {"gzip is one valid member", fun gzip_is_valid/1},
                          {"a name is used once", fun name_is_used_once/1},
                          {"discarding leaves nothing", fun discarded/1},
                          {"only our oldest finished files are pruned", fun pruned/1},
                          {"a removed directory is noticed", fun removed_directory/1},
                          {"a directory is made with its parents", fun directory_is_made/1},
                          {"a file in place of the directory", fun no_directory/1}]]}.

names_sort_by_time_test() ->
    Name = flame_prof_file:name(1795169700123456789, "4242", 1, none),
    ?assertEqual("flame_prof-20261120T101500Z-4242-0001.perf", Name),
    ?assertEqual("flame_prof-20261120T101500Z-4242-12345.perf.gz",
                 flame_prof_file:name(1795169700123456789, "4242", 12345, gzip)),
    ?assertEqual(match, re:run(Name, "^[A-Za-z0-9._-]+$", [{capture, none}])).

hidden_until_finished(Dir) ->
    {ok, File0} = flame_prof_file:open(Dir, ?NAME, none),
    {ok, File1} = flame_prof_file:append(File0, ["one", <<"\n">>]),
    ?assertEqual(4, flame_prof_file:size_bytes(File1)),
    ?assertEqual([], visible(Dir)),
    ?assert(flame_prof_file:is_there(File1)),
    {ok, Path, 8} = flame_prof_file:finish(File1, "end\n"),
    ?assertEqual([?NAME], visible(Dir)),
    ?assertEqual({ok, [?NAME]}, file:list_dir(Dir)),
    ?assertEqual({ok, <<"one\nend\n">>}, file:read_file(Path)).

gzip_is_valid(Dir) ->
    {ok, File0} = flame_prof_file:open(Dir, ?NAME ++ ".gz", gzip),
    Parts = [crypto_free_noise(N) || N <- lists:seq(1, 50)],
    File = lists:foldl(fun(Part, F) -> {ok, G} = flame_prof_file:append(F, Part), G end,
                       File0, Parts),
    {ok, Path, Size} = flame_prof_file:finish(File, "end"),
    {ok, Bytes} = file:read_file(Path),
    ?assertEqual(Size, byte_size(Bytes)),
    ?assertEqual(iolist_to_binary([Parts, "end"]), zlib:gunzip(Bytes)).

name_is_used_once(Dir) ->
    {ok, File} = flame_prof_file:open(Dir, ?NAME, none),
    ?assertEqual(exists, flame_prof_file:open(Dir, ?NAME, none)),
    {ok, _, _} = flame_prof_file:finish(File, ""),
    ?assertEqual(exists, flame_prof_file:open(Dir, ?NAME, none)).

discarded(Dir) ->
    {ok, File} = flame_prof_file:open(Dir, ?NAME, gzip),
    ok = flame_prof_file:discard(File),
    ?assertEqual({ok, []}, file:list_dir(Dir)).

pruned(Dir) ->
    Ours = ["flame_prof-2026112" ++ Day ++ "T101500Z-" ++ Pid ++ "-" ++ Sequence ++ ".perf"
            || {Day, Pid, Sequence} <- [{"1", "99", "0001"}, {"1", "9", "0002"},
                                        {"1", "99", "10000"}, {"2", "1", "0001"}]],
    Others = ["flame_prof-notes.perf", "x.perf", "." ++ hd(Ours) ++ ".part",
              "2020-01-01@1010.10.erl_perf.log", "flame_prof-20261120T101500Z-1-0001.perf.old",
              "flame_prof-ü.perf"],
    [ok = file:write_file(filename:join(Dir, Name), "x") || Name <- Ours ++ Others],
    ?assertEqual([filename:join(Dir, Name) || Name <- Ours], flame_prof_file:finished(Dir)),
    ok = flame_prof_file:prune(Dir, infinity),
    ?assertEqual(4, length(flame_prof_file:finished(Dir))),
    ok = flame_prof_file:prune(Dir, 2),
    {ok, Left} = file:list_dir(Dir),
    ?assertEqual(lists:sort(lists:nthtail(2, Ours) ++ Others), lists:sort(Left)).

removed_directory(Dir) ->
    {ok, File0} = flame_prof_file:open(Dir, ?NAME, none),
    {ok, File} = flame_prof_file:append(File0, "x"),
    ok = remove(Dir),
    ?assertNot(flame_prof_file:is_there(File)),
    ?assertMatch({error, {enoent, _}}, flame_prof_file:finish(File, "")),
    ?assertMatch({error, {enoent, _}}, flame_prof_file:open(Dir, ?NAME, none)).

directory_is_made(Dir) ->
    Deep = filename:join([Dir, "a", "b"]),
    ?assertEqual(ok, flame_prof_file:ensure_directory(Deep)),
    ?assertEqual({ok, []}, file:list_dir(Deep)).

no_directory(Dir) ->
    Plain = filename:join(Dir, "plain"),
    ok = file:write_file(Plain, "x"),
    lists:foreach(fun(Bad) ->
                      {error, {Code, Detail}} = flame_prof_file:ensure_directory(Bad),
                      ?assert(lists:member(Code, [eexist, enotdir])),
                      ?assertNotEqual(nomatch, binary:match(Detail, list_to_binary(Plain))),
                      ?assertEqual(nomatch, binary:match(Detail, <<"\n">>))
                  end, [Plain, filename:join(Plain, "below")]).

crypto_free_noise(N) ->
    [integer_to_list(erlang:phash2({N, I})) || I <- lists:seq(1, 200)].

visible(Dir) ->
    {ok, Names} = file:list_dir(Dir),
    [Name || [First | _] = Name <- Names, First =/= $.].

scratch() ->
    Dir = filename:join([os:getenv("TMPDIR", "/tmp"), "flame_prof_tests-" ++
                         os:getpid() ++ "-" ++ integer_to_list(erlang:unique_integer([positive]))]),
    ok = filelib:ensure_path(Dir),
    Dir.

remove(Dir) ->
    _ = file:del_dir_r(Dir),
    ok.
