%% SPDX-License-Identifier: Apache-2.0
%% Who a process is, as root frames of its samples: label, parent, ancestors,
%% application, initial call; of the walker and of the scheduler sampler.
-module(identity_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-define(CATEGORIES, [application, ancestors, parent, label, initial_call]).
-define(APPLICATION, <<"{application kernel}">>).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("it_", atom_to_list(Name))].

init_per_suite(Config) ->
    flame_prof_case:init_walker(Config).

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

start(Config, Options) ->
    {ok, _} = flame_prof_case:start(Config, maps:merge(#{categories => ?CATEGORIES}, Options)).

%% --- who ------------------------------------------------------------------------------

%% A process of the application kernel, child of a registered one. What it holds lets
%% the collector work while it burns.
child(Body) ->
    Test = self(),
    Parent = flame_prof_case:spawned(
               fun() ->
                   put('$ancestors', [top_sup]),
                   true = register(identity_parent, self()),
                   true = group_leader(application_controller:get_master(kernel), self()),
                   Test ! {child, self(), proc_lib:spawn_link(?MODULE, Body, [])},
                   receive stop -> ok end
               end),
    receive {child, Parent, Pid} -> {Pid, Parent} end.

waiting() ->
    put('$process_label', {worker, 7, "of shop"}),
    receive stop -> ok end.

burning() ->
    put('$process_label', {worker, 7, "of shop"}),
    burn([]).

burn(Kept) ->
    Next = lists:sublist([{N, N} || N <- lists:seq(1, 500)] ++ Kept, 2000),
    receive stop -> ok after 0 -> burn(Next) end.

expected(Body) ->
    [?APPLICATION, <<"{ancestors top_sup/identity_parent}">>, <<"{parent identity_parent}">>,
     <<"{label {worker,7,\"of shop\"}}">>,
     <<"{identity_SUITE:", (atom_to_binary(Body))/binary, "/0}">>].

%% The outermost frame first.
roots(#{frames := Frames}) ->
    lists:sublist([Name || {Name, _} <- lists:reverse(Frames)], length(?CATEGORIES)).

%% --- the walker's ----------------------------------------------------------------------

it_tells_who_a_waiting_process_is(Config) ->
    {Pid, Parent} = child(waiting),
    {ok, _} = start(Config, #{select => #{pids => [Pid]}, cpu_sampling => false}),
    flame_prof_case:eventually(fun() -> maps:get(samples, flame_prof:info()) > 20 end),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = flame_prof_case:of_process(Pid, flame_prof_case:samples(Summary)),
    ?assertMatch([_, _, _ | _], Samples),
    flame_prof_case:end_all([Parent]),
    ?assertEqual([expected(waiting)], lists:usort([roots(Sample) || Sample <- Samples])).

%% Set, changed and taken back while it is sampled.
it_follows_a_label_that_changes(Config) ->
    Pid = spawn(fun Loop() -> receive {label, L} -> put('$process_label', L), Loop() end end),
    {ok, _} = start(Config, #{select => #{pids => [Pid]}, cpu_sampling => false,
                              flush_interval => 2000}),
    Directory = flame_prof_case:directory(Config),
    [begin
         Pid ! {label, Label},
         flame_prof_case:eventually(
           fun() ->
               Text = [element(2, file:read_file(F))
                       || F <- filelib:wildcard(filename:join(Directory, "{,.}*.perf*"))],
               nomatch =/= binary:match(iolist_to_binary(Text), [<<"{label ", Shown/binary, "}">>])
           end)
     end || {Label, Shown} <- [{first, <<"first">>}, {<<"second">>, <<"second">>},
                               {"third", <<"third">>}, {self(), list_to_binary(pid_to_list(self()))}]],
    {ok, _} = flame_prof_case:stop(),
    exit(Pid, kill).

%% The portable tier asks the process; in OTP 25 it would have to ask for all it keeps.
it_tells_as_much_in_the_portable_tier(Config0) ->
    Config = [{tier, portable} | Config0],
    {Pid, Parent} = child(waiting),
    {ok, _} = start(Config, #{select => #{pids => [Pid]},
                              categories => [priority | ?CATEGORIES]}),
    flame_prof_case:eventually(fun() -> maps:get(samples, flame_prof:info()) > 5 end),
    %% Its writer is a process, which a loaded machine keeps waiting.
    _ = flame_prof_case:stop(),
    Pattern = filename:join(flame_prof_case:directory(Config), "flame_prof-*.perf"),
    Files = flame_prof_case:eventually(fun() -> filelib:wildcard(Pattern) =/= []
                                                    andalso filelib:wildcard(Pattern) end),
    [#{frames := Frames} | _] =
        flame_prof_case:of_process(Pid, flame_prof_case:samples(#{files => Files})),
    HasKeys = list_to_integer(erlang:system_info(otp_release)) > 26,
    Expected = case HasKeys of
                   true ->
                       expected(waiting);
                   false ->
                       [?APPLICATION, iolist_to_binary(["{parent ", pid_to_list(Parent), "}"]),
                        lists:last(expected(waiting))]
               end,
    ?assertEqual([<<"{priority normal}">> | Expected],
                 lists:sublist([Name || {Name, _} <- lists:reverse(Frames)], 1 + length(Expected))).

%% A pid where the parent has no name.
it_tells_the_parent_of_a_plain_process(Config) ->
    Pid = spawn(fun() -> receive stop -> ok end end),
    {ok, _} = start(Config, #{select => #{pids => [Pid]}, cpu_sampling => false}),
    flame_prof_case:eventually(fun() -> maps:get(samples, flame_prof:info()) > 5 end),
    {ok, Summary} = flame_prof_case:stop(),
    [Sample | _] = flame_prof_case:of_process(Pid, flame_prof_case:samples(Summary)),
    Names = [Name || {Name, _} <- maps:get(frames, Sample)],
    Parent = iolist_to_binary(["{parent ", pid_to_list(self()), "}"]),
    ?assert(lists:member(Parent, Names), Names),
    ?assertEqual([], [Name || <<"{ancestors", _/binary>> = Name <- Names]),
    exit(Pid, kill).

%% --- the scheduler sampler's -------------------------------------------------------------

%% In its collections as well.
it_tells_who_runs(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => 199}}),
    case maps:get(cpu, flame_prof:info()) of
        #{off := Why} ->
            {skip, binary_to_list(Why)};
        _ ->
            {Pid, Parent} = child(burning),
            flame_prof_case:eventually(
              fun() -> maps:get(samples, maps:get(cpu, flame_prof:info())) > 400 end),
            flame_prof_case:end_all([Parent]),
            {ok, _} = flame_prof_case:stop(),
            Samples = flame_prof_case:of_process(Pid, cpu_samples(Config)),
            Gc = [S || #{status := S} <- Samples, S =:= gc_minor orelse S =:= gc_major],
            ct:pal("~b samples, ~b of them collecting", [length(Samples), length(Gc)]),
            ?assert(length(Samples) > 50),
            ?assert(length(Gc) > 0),
            Right = [S || S <- Samples, roots(S) =:= expected(burning)],
            ?assert(length(Samples -- Right) =< cpu_case:few(0.02, length(Samples)),
                    {length(Right), length(Samples), lists:usort([roots(S) || S <- Samples])})
    end.

%% They are gone long before anybody writes their samples.
it_tells_who_ran_for_a_millisecond(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => 199}}),
    case maps:get(cpu, flame_prof:info()) of
        #{off := Why} ->
            {skip, binary_to_list(Why)};
        _ ->
            flame_prof_case:eventually(
              fun() ->
                  _ = [proc_lib:spawn(?MODULE, short, []) || _ <- lists:seq(1, 20)],
                  receive after 10 -> ok end,
                  maps:get(samples, maps:get(cpu, flame_prof:info())) > 400
              end),
            {ok, _} = flame_prof_case:stop(),
            Samples = [S || #{frames := Frames} = S <- cpu_samples(Config),
                            lists:any(fun({Name, _}) -> binary:match(Name, <<":short/0;">>) =/= nomatch end,
                                      Frames)],
            ?assert(length(Samples) > 10),
            Right = [S || S <- Samples, lists:member(<<"{identity_SUITE:short/0}">>, roots(S))],
            ?assert(length(Samples -- Right) =< cpu_case:few(0.02, length(Samples)),
                    {length(Right), length(Samples), lists:usort([roots(S) || S <- Samples])})
    end.

short() ->
    _ = [lists:sum(lists:seq(1, 1000)) || _ <- lists:seq(1, 100)],
    ok.

cpu_samples(Config) ->
    Pattern = filename:join(flame_prof_case:directory(Config), "flame_prof_cpu-*.perf"),
    flame_prof_case:samples(#{files => filelib:wildcard(Pattern)}).

%% --- what cannot be told ------------------------------------------------------------------

%% Like process_info/2 says, for every process of the node.
it_reads_group_leader_and_parent_of_every_process(Config) ->
    {ok, Probe} = flame_prof_nif:open_probe(auto),
    Layout = ?config(layout, Config),
    ?assertEqual([], flame_prof_calibration:optional() -- maps:keys(Layout)),
    Rows = [{Pid, Field, Read, Told} || Pid <- processes(), Pid =/= self(),
                                        #{} = Identity <- [flame_prof_nif:identity(Probe, Layout, Pid)],
                                        Field <- flame_prof_calibration:optional(),
                                        Read <- [maps:get(Field, Identity)],
                                        {_, Told} <- [process_info(Pid, Field)]],
    ?assert(length(Rows) > 40),
    ?assertEqual([], [Row || {_, _, Read, Told} = Row <- Rows, is_pid(Told),
                             flame_prof_nif:term_bits(Told) =/= Read]),
    ?assertEqual([], [Row || {_, _, Read, Told} = Row <- Rows, not is_pid(Told), Read =/= 0]),
    ok = flame_prof_nif:close_probe(Probe).
