%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_dumps_tests).

-include_lib("eunit/include/eunit.hrl").

-define(CAUSE, #{trigger => run_queue, value => 7, limit => 5, unix_us => 0}).
-define(ON_CALL, #{trigger => on_call, unix_us => 0}).

new(Max, DistanceMs) ->
    flame_prof_dumps:new(#{dumps_max => Max, distance_ms => DistanceMs}).

made(Cause, From, NowMs, Dumps) ->
    {go, Going} = flame_prof_dumps:ask(Cause, From, NowMs, Dumps),
    {From, Cause, Ended} = flame_prof_dumps:ended({written, "f"}, NowMs,
                                                  flame_prof_dumps:began(true, Going)),
    Ended.

suppressed(Why, Dumps) ->
    maps:get(Why, maps:get(suppressed, flame_prof_dumps:info(Dumps))).

one_at_a_time_test() ->
    {go, Going} = flame_prof_dumps:ask(?CAUSE, none, 0, new(10, 0)),
    ?assert(flame_prof_dumps:is_going_on(Going)),
    {no, RetryMs, Counted} = flame_prof_dumps:ask(?CAUSE, none, 0, Going),
    ?assert(RetryMs > 0),
    ?assertEqual(1, suppressed(busy, Counted)),
    {no, _, Same} = flame_prof_dumps:ask(?ON_CALL, me, 0, Counted),
    ?assertEqual(1, suppressed(busy, Same)),
    ?assertNot(flame_prof_dumps:is_for(me, Same)).

not_too_often_test() ->
    Dumps = made(?CAUSE, none, 1000, new(10, 60000)),
    {no, 59000, Counted} = flame_prof_dumps:ask(?CAUSE, none, 2000, Dumps),
    ?assertEqual(1, suppressed(too_soon, Counted)),
    ?assertMatch({go, _}, flame_prof_dumps:ask(?CAUSE, none, 61000, Counted)).

not_too_many_test() ->
    Dumps = made(?CAUSE, none, 2, made(?CAUSE, none, 1, new(2, 0))),
    {no, never, Counted} = flame_prof_dumps:ask(?CAUSE, none, 3, Dumps),
    ?assertEqual(1, suppressed(enough, Counted)),
    ?assertMatch({go, _}, flame_prof_dumps:ask(?CAUSE, none, 3, made(?CAUSE, none, 1, new(infinity, 0)))).

on_call_always_and_in_nobodys_way_test() ->
    Dumps = made(?ON_CALL, me, 1000, new(1, 60000)),
    ?assertMatch({go, _}, flame_prof_dumps:ask(?CAUSE, none, 1001, Dumps)),
    Full = made(?CAUSE, none, 1001, Dumps),
    ?assertMatch({go, _}, flame_prof_dumps:ask(?ON_CALL, me, 1002, Full)),
    ?assertMatch(#{by_trigger := 1, on_call := 1, dumping := false}, flame_prof_dumps:info(Full)).

a_tier_that_is_busy_counts_test() ->
    {go, Going} = flame_prof_dumps:ask(?CAUSE, none, 0, new(1, 60000)),
    Refused = flame_prof_dumps:began(false, Going),
    ?assertEqual(1, suppressed(busy, Refused)),
    ?assertMatch({go, _}, flame_prof_dumps:ask(?CAUSE, none, 0, Refused)).

what_is_told_is_bounded_test() ->
    Dumps = lists:foldl(fun(N, Acc) -> made(?CAUSE, none, N, Acc) end, new(infinity, 0),
                        lists:seq(1, 100)),
    #{last := [#{file := "f", trigger := run_queue} | _] = Last, by_trigger := 100} =
        flame_prof_dumps:info(Dumps),
    ?assertEqual(20, length(Last)).

header_test() ->
    Cause = maps:merge(?CAUSE, #{pid => undefined, detail => [{timeout, 7}], note => <<>>,
                                 time_ns => 12}),
    Header = flame_prof_dumps:header(Cause, 5000),
    ?assertEqual([{<<"trigger">>, <<"run_queue">>}, {<<"trigger_time">>, <<"1970-01-01T00:00:00.000Z">>},
                  {<<"dump_after_ns">>, <<"5000000000">>}, {<<"trigger_value">>, <<"7">>},
                  {<<"trigger_limit">>, <<"5">>}, {<<"trigger_detail">>, <<"[{timeout,7}]">>},
                  {<<"trigger_time_ns">>, <<"12">>}], Header).
