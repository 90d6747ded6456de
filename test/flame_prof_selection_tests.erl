%% SPDX-License-Identifier: Apache-2.0
%% What the selection of processes rests on, and other small pure parts.
-module(flame_prof_selection_tests).

-include_lib("eunit/include/eunit.hrl").

changes_are_told_from_pass_to_pass_test() ->
    [A, B] = pids(2),
    History0 = flame_prof_reductions:new(2),
    ?assertEqual(new, flame_prof_reductions:change(A, 100, History0)),
    {kept, History1} = flame_prof_reductions:next_pass(2, History0),
    ?assertEqual(50, flame_prof_reductions:change(A, 150, History1)),
    ?assertEqual(new, flame_prof_reductions:change(B, 7, History1)),
    {kept, History2} = flame_prof_reductions:next_pass(2, History1),
    ?assertEqual(0, flame_prof_reductions:change(A, 150, History2)),
    {kept, History3} = flame_prof_reductions:next_pass(2, History2),
    ?assertEqual(-5, flame_prof_reductions:change(A, 145, History3)),
    %% B was not seen in the pass before.
    ?assertEqual(new, flame_prof_reductions:change(B, 9, History3)).

a_thousand_processes_are_kept_apart_test() ->
    Pids = pids(1000),
    History0 = flame_prof_reductions:new(1000),
    [new = flame_prof_reductions:change(Pid, N, History0) || {N, Pid} <- numbered(Pids)],
    {kept, History} = flame_prof_reductions:next_pass(1000, History0),
    ?assertEqual([{N, N} || {N, _} <- numbered(Pids)],
                 [{N, flame_prof_reductions:change(Pid, 2 * N, History)}
                  || {N, Pid} <- numbered(Pids)]).

%% For what takes a part of a second on a machine at rest; by itself EUnit gives 5 s.
-define(SLOW(Fun), {timeout, 600, fun Fun/0}).

slots_of_the_dead_are_used_again_test_() -> ?SLOW(slots_of_the_dead_are_used_again).

slots_of_the_dead_are_used_again() ->
    History = lists:foldl(
                fun(_, History0) ->
                    Pids = pids(1000),
                    %% A bucket may be full of those that died just now.
                    Unknown = [Pid || Pid <- Pids, flame_prof_reductions:change(
                                                     Pid, 1, History0) =:= unknown],
                    ?assert(length(Unknown) < 10),
                    {kept, Next} = flame_prof_reductions:next_pass(1000, History0),
                    Next
                end, flame_prof_reductions:new(1000), lists:seq(1, 20)),
    ?assertEqual(4096, flame_prof_reductions:slots(History)).

a_history_grows_with_the_node_test() ->
    History = flame_prof_reductions:new(10),
    {reset, Larger} = flame_prof_reductions:next_pass(100000, History),
    ?assert(flame_prof_reductions:slots(Larger) >= 400000).

top_is_what_sorting_gives_test() ->
    rand:seed(exsss, {4, 5, 6}),
    Figures = [{rand:uniform(1000000), Pid} || Pid <- pids(2000)],
    Sorted = [Pid || {_, Pid} <- lists:reverse(lists:sort(Figures))],
    [?assertEqual(lists:sublist(Sorted, Count), flame_prof_selector:top(Count, Figures))
     || Count <- [1, 7, 100, 2000, 5000]].

deltas_test_() ->
    Zeros = [0 || _ <- flame_prof_metric:names()],
    [?_assertEqual([{5, 0} | [{0, 0} || _ <- tl(Zeros)]],
                   flame_prof_metric:with_deltas(undefined, [5 | tl(Zeros)])),
     %% The signal of our own look is not counted; nothing else is changed.
     ?_assertEqual({105, 99}, hd(flame_prof_metric:with_deltas([5 | tl(Zeros)],
                                                               [105 | tl(Zeros)]))),
     ?_assertEqual({5, 0}, hd(flame_prof_metric:with_deltas([5 | tl(Zeros)], [5 | tl(Zeros)]))),
     ?_assertEqual({3, -2}, lists:nth(2, flame_prof_metric:with_deltas(
                                           [0, 5 | tl(tl(Zeros))], [0, 3 | tl(tl(Zeros))])))].

%% Against the runtime system that is running.
metrics_are_those_of_process_info_test() ->
    Pid = spawn_link(fun() -> receive stop -> ok end end),
    Pid ! {some, "message"},
    Values = flame_prof_metric:values(process_info(Pid, flame_prof_metric:items(all)), undefined),
    Metrics = maps:from_list(lists:zip(flame_prof_metric:names(), Values)),
    ?assertEqual(16, map_size(Metrics)),
    {garbage_collection_info, Heap} = process_info(Pid, garbage_collection_info),
    [?assertEqual({Key, Value},
                  {Key, maps:get(<<"erlang_", (atom_to_binary(Key))/binary>>, Metrics)})
     || {Key, Value} <- Heap ++ [process_info(Pid, memory), process_info(Pid, total_heap_size)]],
    ?assertMatch(#{<<"erlang_message_queue_len">> := 1, <<"erlang_minor_gcs">> := 0}, Metrics),
    Cheap = flame_prof_metric:values(process_info(Pid, flame_prof_metric:items(cheap)), Values),
    ?assertEqual(tl(Values), tl(Cheap)),
    unlink(Pid),
    exit(Pid, kill).

following_is_for_who_was_asked_for_test() ->
    [A] = pids(1),
    Spawn = #{viral => spawn, status => all},
    Send = #{viral => send, status => all},
    Alone = #{viral => self_only, status => all},
    Claims = [{{followed, A}, Send}, {profile, Spawn}, {{apply, make_ref()}, Alone}],
    Following = [flame_prof_targets:following(A, targets(A, lists:sublist(Claims, N)))
                 || N <- lists:seq(0, 3)],
    ?assertEqual([none, none, Spawn, Spawn], Following),
    ?assertEqual(Send, flame_prof_targets:following(
                         A, targets(A, Claims ++ [{{apply, make_ref()}, Send}]))).

targets(Pid, Claims) ->
    lists:foldl(fun({Key, Opts}, Targets) ->
                    {_, Next} = flame_prof_targets:claim(Pid, Key, Opts, Targets),
                    Next
                end, flame_prof_targets:new(), Claims).

claims_test() ->
    [A] = pids(1),
    Outer = #{viral => spawn, status => all},
    Inner = #{viral => self_only, status => running},
    Key = {apply, make_ref()},
    {Outer, Targets1} = flame_prof_targets:claim(A, profile, Outer, flame_prof_targets:new()),
    {Inner, Targets2} = flame_prof_targets:claim(A, Key, Inner, Targets1),
    %% What was only followed does not change what was asked for.
    {Inner, Targets3} = flame_prof_targets:claim(A, {followed, A}, Outer, Targets2),
    {Outer, Targets4} = flame_prof_targets:release(A, Key, Targets3),
    unknown = flame_prof_targets:release(A, Key, Targets4),
    {Outer, Targets5} = flame_prof_targets:release(A, profile, Targets4),
    ?assertEqual([A], flame_prof_targets:claimed_by({followed, A}, Targets5)),
    {none, Targets6} = flame_prof_targets:release(A, {followed, A}, Targets5),
    ?assertEqual(0, flame_prof_targets:size(Targets6)).

the_clock_is_the_kernels_test() ->
    Clock = flame_prof_clock:new(),
    {MonotonicNs, UnixNs} = flame_prof_clock:anchor(Clock),
    Now = flame_prof_clock:now_ns(Clock),
    ?assert(Now >= MonotonicNs),
    ?assert(abs(os:system_time(nanosecond) - UnixNs) < 300000000000),
    {time, Os} = lists:keyfind(time, 1, erlang:system_info(os_monotonic_time_source)),
    OsNs = erlang:convert_time_unit(Os, native, nanosecond),
    ?assert(abs(OsNs - Now) < 300000000000).

numbered(List) ->
    lists:zip(lists:seq(1, length(List)), List).

%% Pids of processes that have ended serve as well.
pids(Count) ->
    [spawn(fun() -> ok end) || _ <- lists:seq(1, Count)].

%% phash2/2 of pids has 32768 values on OTP 25: most processes stayed unknown.
every_process_of_many_is_known_test_() -> ?SLOW(every_process_of_many_is_known).

every_process_of_many_is_known() ->
    Count = 50000,
    Pids = [spawn(fun() -> ok end) || _ <- lists:seq(1, Count)],
    {kept, First} = flame_prof_reductions:next_pass(Count, flame_prof_reductions:new(Count)),
    _ = [flame_prof_reductions:change(Pid, 10, First) || Pid <- Pids],
    {kept, Second} = flame_prof_reductions:next_pass(Count, First),
    Known = [Pid || Pid <- Pids, flame_prof_reductions:change(Pid, 15, Second) =:= 5],
    ?assert(length(Known) > 0.999 * Count).
