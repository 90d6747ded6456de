%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_sample_memory_tests).

-include_lib("eunit/include/eunit.hrl").
-include("../src/flame_prof_sample.hrl").

-define(S, 1000000000).
-define(MEMORY, flame_prof_sample_memory).

samples(Seconds) ->
    [#sample{status = waiting, os_pid = 1, number = 2, time_ns = Second * ?S, period_ns = ?S,
             frames = [{lists, map, 2, []}]} || Second <- Seconds].

filled(Seconds, KeepS, Bytes) ->
    lists:foldl(fun(Second, Acc) -> ?MEMORY:add(samples([Second]), {counters, Second}, Acc) end,
                ?MEMORY:new(KeepS * ?S, Bytes), Seconds).

all(Memory) ->
    case ?MEMORY:next(Memory) of
        {Samples, Rest} -> [Ns div ?S || #sample{time_ns = Ns} <- Samples] ++ all(Rest);
        none -> []
    end.

the_last_seconds_are_kept_test() ->
    Memory = filled(lists:seq(1, 100), 10, 1000000),
    ?assertEqual(lists:seq(90, 100), all(Memory)),
    ?assertMatch(#{kept_ms := 10000, kept_samples := 11, dropped_early := 0}, ?MEMORY:info(Memory)).

bytes_are_bounded_and_what_goes_is_counted_test() ->
    Memory = filled(lists:seq(1, 1000), 100000, 5000),
    #{kept_bytes := Bytes, kept_samples := Kept, dropped_early := Early} = ?MEMORY:info(Memory),
    ?assert(Bytes =< 5000),
    ?assert(Kept > 10),
    ?assertEqual(1000, Kept + Early),
    ?assertEqual(1000, lists:last(all(Memory))).

counters_are_those_of_the_time_test() ->
    Memory = filled(lists:seq(1, 100), 10, 1000000),
    ?assertEqual({counters, 95}, ?MEMORY:counters_at(95 * ?S + 5, Memory)),
    ?assertEqual({counters, 90}, ?MEMORY:counters_at(90 * ?S, Memory)),
    ?assertMatch({counters, N} when N =< 90, ?MEMORY:counters_at(0, Memory)),
    ?assertEqual(none, ?MEMORY:counters_at(0, ?MEMORY:new(1, 1))).

a_reset_forgets_the_samples_only_test() ->
    Memory = ?MEMORY:reset(filled(lists:seq(1, 1000), 100000, 5000)),
    ?assertEqual([], all(Memory)),
    ?assertMatch(#{kept_bytes := 0, kept_samples := 0, kept_ms := 0, dropped_early := Early}
                   when Early > 0, ?MEMORY:info(Memory)),
    ?assertEqual([1001], all(?MEMORY:add(samples([1001]), more, Memory))).

nothing_is_nothing_test() ->
    ?assertEqual([], all(?MEMORY:add([], counters, ?MEMORY:new(?S, 1000)))).
