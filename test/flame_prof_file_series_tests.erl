%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_file_series_tests).

-include_lib("eunit/include/eunit.hrl").

%% Of its own accord EUnit gives each 5 s, and a disk that others use has taken half of that.
-define(TIMEOUT_S, 600).
-define(UNIX_NS, 1795169700000000000).

series_test_() ->
    {foreach, fun scratch/0, fun(Dir) -> file:del_dir_r(Dir) end,
     [fun(Dir) -> {Name, {timeout, ?TIMEOUT_S, fun() -> Test(Dir) end}} end
      || {Name, Test} <- [{"one file until the end", fun one_file/1},
                          {"no samples, no file", fun no_samples/1},
                          {"a new file by age", fun by_age/1},
                          {"a new file by size", fun by_size/1},
                          {"never by age when infinity", fun never_by_age/1},
                          {"no file with one sample, when there were more", fun two_or_more/1},
                          {"a lonely sample waits, but not for ever", fun lonely_waits/1},
                          {"one sample in all", fun one_in_all/1},
                          {"footers tell differences", fun footers/1},
                          {"old files are deleted after a new one is finished", fun pruned/1},
                          {"a removed directory is made again", fun removed_directory/1},
                          {"a directory that cannot be made", fun lost_directory/1},
                          {"gzip", fun gzipped/1},
                          {"two series in one second", fun same_second/1}]]}.

one_file(Dir) ->
    {Summary, _} = close(write_all([{0, 2}, {100, 3}], new(Dir, #{}))),
    [Path] = maps:get(files, Summary),
    ?assertEqual([Path], finished(Dir)),
    ?assertEqual(5, maps:get(samples, Summary)),
    ?assertMatch(#{<<"samples">> := <<"5">>, <<"end">> := <<"complete">>,
                   <<"period_total_ns">> := <<"50">>, <<"total m">> := <<"500, -5">>},
                 comments(Path)),
    ?assertEqual(filelib:file_size(Path), maps:get(bytes, Summary)).

no_samples(Dir) ->
    {Summary, _} = close(flame_prof_file_series:tick(5000, new(Dir, #{}))),
    ?assertMatch(#{files := [], samples := 0}, Summary),
    ?assertEqual({ok, []}, file:list_dir(Dir)).

by_age(Dir) ->
    {Summary, _} = close(write_all([{0, 2}, {999, 2}, {1000, 2}, {1500, 2}, {2000, 2}],
                                   new(Dir, #{age_max_ms => 1000}))),
    ?assertEqual([4, 4, 2], sample_counts(Summary)).

by_size(Dir) ->
    {Summary, _} = close(write_all([{N, 10} || N <- lists:seq(1, 20)],
                                   new(Dir, #{file_bytes_max => 1000}))),
    #{files := Files} = Summary,
    ?assert(length(Files) > 2),
    %% The footer comes on top.
    [?assert(filelib:file_size(Path) < 1400) || Path <- Files],
    ?assertEqual(200, lists:sum(sample_counts(Summary))).

never_by_age(Dir) ->
    {Summary, _} = close(write_all([{0, 2}, {100000000, 2}], new(Dir, #{age_max_ms => infinity}))),
    ?assertEqual([4], sample_counts(Summary)).

two_or_more(Dir) ->
    {Summary, _} = close(write_all([{0, 2}, {1000, 1}], new(Dir, #{age_max_ms => 1000}))),
    ?assertEqual([3], sample_counts(Summary)).

lonely_waits(Dir) ->
    Config = #{age_max_ms => 1000, hold_max_ms => 500},
    Held = write_all([{0, 1}], new(Dir, Config)),
    ?assertMatch(#{file := undefined}, flame_prof_file_series:info(Held)),
    Early = flame_prof_file_series:tick(499, Held),
    ?assertMatch(#{file := undefined}, flame_prof_file_series:info(Early)),
    Written = flame_prof_file_series:tick(500, Early),
    ?assertMatch(#{samples := 1, file := [_ | _]}, flame_prof_file_series:info(Written)),
    {Summary, _} = close(write_all([{5000, 1}, {5100, 1}, {5200, 1}], Written)),
    %% Not due before it holds two; the third and fourth make the next one.
    ?assertEqual([2, 2], sample_counts(Summary)).

one_in_all(Dir) ->
    {Summary, _} = close(write_all([{0, 1}], new(Dir, #{}))),
    ?assertEqual([1], sample_counts(Summary)).

footers(Dir) ->
    Series0 = new(Dir, #{age_max_ms => 1000}),
    Series1 = flame_prof_file_series:write(batch(2), counters(10, 9, 1), 0, Series0),
    Series2 = flame_prof_file_series:write(batch(2), counters(30, 27, 3), 1000, Series1),
    {#{files := [One, Two], losses := Losses}, _} =
        flame_prof_file_series:close(<<"complete">>, counters(40, 36, 4), Series2),
    ?assertMatch(#{<<"ticks_expected">> := <<"30">>, <<"ticks_taken">> := <<"27">>,
                   <<"loss gone">> := <<"3">>}, comments(One)),
    ?assertMatch(#{<<"ticks_expected">> := <<"10">>, <<"ticks_taken">> := <<"9">>,
                   <<"loss gone">> := <<"1">>, <<"loss write_failed">> := <<"0">>}, comments(Two)),
    ?assertEqual(#{gone => 4, write_failed => 0}, Losses).

pruned(Dir) ->
    Old = filename:join(Dir, "flame_prof-20200101T000000Z-1-0001.perf"),
    ok = file:write_file(Old, "old"),
    Series = write_all([{0, 2}], new(Dir, #{age_max_ms => 1000, files_max => 2})),
    ?assert(filelib:is_file(Old)),
    {Summary, _} = close(write_all([{1000, 2}, {2000, 2}], Series)),
    ?assertNot(filelib:is_file(Old)),
    %% Of the three of this session the first is gone too, and not reported.
    ?assertEqual(finished(Dir), maps:get(files, Summary)),
    ?assertEqual(2, length(finished(Dir))),
    ?assertEqual(6, maps:get(samples, Summary)).

removed_directory(Dir) ->
    Series = write_all([{0, 2}], new(Dir, #{})),
    ok = file:del_dir_r(Dir),
    {Summary, _} = close(write_all([{100, 3}], Series)),
    ?assertEqual([3], sample_counts(Summary)),
    ?assertMatch(#{losses := #{write_failed := 2}, write_failure := {enoent, _}}, Summary).

lost_directory(Dir) ->
    Series0 = write_all([{0, 2}], new(Dir, #{})),
    ok = file:del_dir_r(Dir),
    ok = file:write_file(Dir, "in the way"),
    Series1 = write_all([{100, 3}, {200, 3}], Series0),
    ?assertMatch(#{file := undefined, unwritten := 8, write_failure := {_, _}},
                 flame_prof_file_series:info(Series1)),
    %% Later attempts succeed.
    ok = file:delete(Dir),
    {Summary, _} = close(write_all([{5099, 4}, {5100, 4}], Series1)),
    ?assertEqual([4], sample_counts(Summary)),
    ?assertMatch(#{losses := #{write_failed := 12}}, Summary).

gzipped(Dir) ->
    {Summary, _} = close(write_all([{0, 2}, {1, 2}], new(Dir, #{compress => gzip}))),
    ?assertEqual([4], sample_counts(Summary)),
    [Path] = maps:get(files, Summary),
    ?assertEqual(".gz", filename:extension(Path)),
    ?assertEqual(filelib:file_size(Path), maps:get(bytes, Summary)).

same_second(Dir) ->
    {#{files := [One]}, _} = close(write_all([{0, 2}], new(Dir, #{}))),
    {#{files := [Two]}, _} = close(write_all([{0, 2}], new(Dir, #{}))),
    ?assertNotEqual(One, Two).

%% Helpers.

new(Dir, Config) ->
    flame_prof_file_series:new(
      maps:merge(#{directory => Dir, os_pid => "42", compress => none, files_max => infinity,
                   file_bytes_max => infinity, age_max_ms => infinity, hold_max_ms => 1000,
                   metrics => [<<"m">>], losses => [gone, write_failed], degraded => [],
                   header => fun(_) -> "# flame_prof: test\n" end}, Config)).

write_all(Batches, Series) ->
    lists:foldl(fun({NowMs, Count}, Acc) ->
                    flame_prof_file_series:write(batch(Count), counters(0, 0, 0), NowMs, Acc)
                end, Series, Batches).

batch(Count) ->
    #{data => [["running 1/2 [000] 1.000002: metric_m: 100, -1\tperiod: 10 e:\n\n"]
               || _ <- lists:seq(1, Count)],
      samples => Count, period_ns => 10 * Count, totals => [{100 * Count, -Count}],
      first_unix_ns => ?UNIX_NS}.

counters(Expected, Taken, Gone) ->
    #{ticks_expected => Expected, ticks_taken => Taken, losses => #{gone => Gone},
      degraded => #{}}.

close(Series) ->
    flame_prof_file_series:close(<<"complete">>, counters(0, 0, 0), Series).

%% As the footers say, which must be as many as there are.
sample_counts(#{files := Files}) ->
    [begin
         #{samples := Samples, comments := #{<<"samples">> := Told}} =
             perf_script_reader:read(Path),
         ?assertEqual(length(Samples), binary_to_integer(Told)),
         length(Samples)
     end || Path <- Files].

comments(Path) ->
    maps:get(comments, perf_script_reader:read(Path)).

finished(Dir) ->
    flame_prof_file:finished(Dir).

scratch() ->
    Dir = filename:join(os:getenv("TMPDIR", "/tmp"),
                        "flame_prof_tests-" ++ os:getpid() ++ "-" ++
                            integer_to_list(erlang:unique_integer([positive]))),
    ok = filelib:ensure_path(Dir),
    Dir.
