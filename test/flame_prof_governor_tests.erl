%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_governor_tests).

-include_lib("eunit/include/eunit.hrl").

-define(MB, 1024 * 1024).

new(CpuMax, MemoryMax) ->
    flame_prof_governor:new(#{cpu_max => CpuMax, memory_max => MemoryMax, cpus => 2}).

%% So many seconds at so much CPU (percent of two CPUs), from second `From' on; all
%% decisions but none, and when.
run(From, Seconds, PercentOf, Governor) ->
    lists:foldl(fun(Second, {Decisions, Ns, Acc}) ->
                    Percent = PercentOf(flame_prof_governor:percent(Acc)),
                    NowNs = Ns + round(Percent / 100 * 2 * 1000000000),
                    case flame_prof_governor:look(#{at_ms => Second * 1000, cpu_ns => NowNs,
                                                    memory_bytes => ?MB}, Acc) of
                        {none, Next} -> {Decisions, NowNs, Next};
                        {Decision, Next} -> {Decisions ++ [{Second, Decision}], NowNs, Next}
                    end
                end, {[], 1000000, Governor}, lists:seq(From, From + Seconds)).

within_the_budget_nothing_happens_test() ->
    {[], _, Governor} = run(0, 600, fun(_) -> 0.9 end, new(1, 64 * ?MB)),
    ?assertMatch(#{state := within_budget, stretch_percent := 100, backoffs := 0},
                 flame_prof_governor:info(Governor)),
    #{cpu_percent := Percent} = flame_prof_governor:info(Governor),
    ?assert(abs(Percent - 0.9) < 0.001).

a_burst_of_a_few_seconds_is_allowed_test() ->
    Burst = fun(Second) -> case Second rem 20 < 2 of true -> 2.0; false -> 0.1 end end,
    {Decisions, _, _} =
        lists:foldl(fun(Second, {Found, Ns, Acc}) ->
                        NowNs = Ns + round(Burst(Second) / 100 * 2 * 1000000000),
                        {Decision, Next} =
                            flame_prof_governor:look(#{at_ms => Second * 1000, cpu_ns => NowNs,
                                                       memory_bytes => 0}, Acc),
                        {[Decision | Found], NowNs, Next}
                    end, {[], 0, new(1, infinity)}, lists:seq(0, 300)),
    ?assertEqual([none], lists:usort(Decisions)).

it_backs_off_as_far_as_needed_and_no_further_test() ->
    %% What it costs is in proportion to the pace.
    {[{Second, {stretch, Stretch, Note}}], _, Governor} =
        run(0, 100, fun(Percent) -> 200 / Percent end, new(1, 64 * ?MB)),
    ?assertEqual(5, Second),
    ?assert(Stretch >= 200 andalso Stretch =< 260),
    ?assertNotEqual(nomatch, binary:match(Note, <<"2.00 % of the machine, 1 % is allowed">>)),
    ?assertMatch(#{state := backed_off, backoffs := 1}, flame_prof_governor:info(Governor)).

it_recovers_when_it_has_been_calm_for_long_test() ->
    {[{5, {stretch, 220, _}}], _, BackedOff} = run(0, 5, fun(_) -> 2.0 end, new(1, infinity)),
    {Decisions, _, Governor} =
        run(6, 200, fun(_) -> 0.1 end, flame_prof_governor:restart(BackedOff)),
    ?assertMatch([{_, {stretch, 146, _}}, {_, {stretch, 100, _}}], Decisions),
    [{First, _} | _] = Decisions,
    ?assert(First >= 36),
    ?assertMatch(#{state := within_budget, recoveries := 2}, flame_prof_governor:info(Governor)).

it_does_not_swing_test() ->
    %% At the budget's edge it stays where it is.
    {Decisions, _, _} = run(0, 3600, fun(Percent) -> 190 / Percent end, new(1, infinity)),
    ?assertEqual(1, length(Decisions)).

it_ends_when_nothing_helps_test() ->
    {Decisions, _, _} = run(0, 600, fun(_) -> 9.0 end, new(1, infinity)),
    {Second, {stop, Reason}} = hd([D || {_, {stop, _}} = D <- Decisions]),
    ?assertMatch([{5, {stretch, 400, _}}, {10, {stretch, 1600, _}} | _], Decisions),
    ?assertEqual(40, Second),
    ?assertNotEqual(nomatch, binary:match(Reason, <<"cpu_max = 1 %">>)).

without_a_limit_it_never_ends_test() ->
    ?assertMatch({[], _, _}, run(0, 600, fun(_) -> 90.0 end, new(infinity, infinity))).

memory_may_be_exceeded_for_a_moment_only_test() ->
    Look = fun(Second, Bytes, Governor) ->
               flame_prof_governor:look(#{at_ms => Second * 1000, cpu_ns => 0,
                                          memory_bytes => Bytes}, Governor)
           end,
    Brief = lists:foldl(fun(Second, Acc) ->
                            {none, Next} = Look(Second, case Second rem 5 of 0 -> 0; _ -> 65 * ?MB end,
                                                Acc),
                            Next
                        end, new(1, 64 * ?MB), lists:seq(0, 100)),
    {Decision, _} = lists:foldl(fun(Second, {none, Acc}) -> Look(Second, 65 * ?MB, Acc) end,
                                {none, Brief}, lists:seq(101, 105)),
    {stop, Reason} = Decision,
    ?assertNotEqual(nomatch, binary:match(Reason, <<"memory_max = 67108864">>)).
