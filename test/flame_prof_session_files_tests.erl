%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_session_files_tests).

-include_lib("eunit/include/eunit.hrl").

-define(NAMES, ["flame_prof-20261121T010334Z-42-0002.perf", ".flame_prof-20261121T010434Z-42-0003.perf.part",
                "flame_prof-20261121T010333Z-42-0001.perf.gz", "flame_prof-20261121T010332Z-42-0001.perf",
                "flame_prof-20261121T010334Z-43-0001.perf", "flame_prof_cpu-20261121T010333Z-42-0001.fpc",
                "flame_prof-a_b-20261121T010334Z-42-0001.perf", "flame_prof-20261121T010334Z-42-1.perf",
                "flame_prof-20261121T010334Z-42-0001.txt", [252], "."]).

chosen(Engine) ->
    %% 2026-11-21T01:03:33.5Z
    flame_prof_session_files:chosen(#{stem => "flame_prof", since_us => 1795223013500000, os_pid => "42",
                                      engine => Engine}, ?NAMES).

what_the_session_wrote_oldest_first_test() ->
    ?assertEqual(["flame_prof-20261121T010333Z-42-0001.perf.gz", "flame_prof-20261121T010334Z-42-0002.perf",
                  ".flame_prof-20261121T010434Z-42-0003.perf.part"], chosen(wall)).

engines_are_told_apart_test() ->
    ?assertEqual(["flame_prof_cpu-20261121T010333Z-42-0001.fpc"], chosen(cpu)),
    ?assertEqual(4, length(chosen(all))).
