%% SPDX-License-Identifier: Apache-2.0
%% What a user relies on. All run for every tier; a group is skipped with the reason
%% that its tier gives.
-module(api_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [start/2, options/2, directory/1, samples/1, comments/1, eventually/1,
                          ticks/1, of_process/2, spawned/1, idle/0, hogs/1, end_all/1, burn/1,
                          is_followed/1, hidden/1, profiled/2, is_ours/1]).

%% The shortest that the options allow.
-define(FLUSH_MS, 1009).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [{group, portable}, {group, walker}].

groups() ->
    [{Tier, [], cases()} || Tier <- [portable, walker]].

cases() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_group(Tier, Config) ->
    flame_prof_case:init_tier(Tier, Config).

end_per_group(_, _) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- cases --------------------------------------------------------------------------

it_samples_what_it_selects_by_itself(Config) ->
    [Hog] = hogs(1),
    {ok, _} = start(Config, #{auto_select => {top, 1, 200}}),
    eventually(fun() -> flame_prof_case:selected() =:= [Hog] end),
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    end_all([Hog]),
    ?assertMatch([_ | _], of_process(Hog, samples(Summary))).

%% Each criterion finds the one that stands out by it.
it_selects_by_any_criterion(Config) ->
    _ = [idle() || _ <- lists:seq(1, 200)],
    [it_selects_by(By, Config) || By <- [reductions, message_queue_len, message_queue_growth,
                                         memory, binary_vheap]].

it_selects_by(By, Config) ->
    Outstanding = outstanding(By),
    {ok, _} = start(Config, #{auto_select => #{by => By, count => 1, interval => 200}}),
    eventually(fun() -> grow(By, Outstanding), flame_prof_case:selected() =:= [Outstanding] end),
    {ok, _} = flame_prof_case:stop(),
    end_all([Outstanding]).

it_selects_by_several_criteria_at_once(Config) ->
    Criteria = [reductions, memory, binary_vheap, message_queue_len],
    Outstanding = [outstanding(By) || By <- Criteria],
    {ok, _} = start(Config, #{auto_select => [#{by => By, count => 1, interval => 200}
                                              || By <- Criteria]}),
    eventually(fun() -> Outstanding -- flame_prof_case:selected() =:= [] end),
    ?assert(length(flame_prof_case:selected()) =< length(Criteria)),
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    [?assertMatch([_ | _], of_process(Pid, Samples)) || Pid <- Outstanding],
    end_all(Outstanding).

outstanding(reductions) ->
    hd(hogs(1));
outstanding(memory) ->
    spawned(fun() -> idle_with(lists:seq(1, 3000000)) end);
outstanding(binary_vheap) ->
    spawned(fun() -> idle_with([binary:copy(<<1>>, 1000000) || _ <- lists:seq(1, 50)]) end);
outstanding(_) ->
    Pid = idle(),
    _ = [Pid ! N || N <- lists:seq(1, 2000)],
    Pid.

idle_with(Data) ->
    receive stop -> length(Data) end.

grow(message_queue_growth, Pid) -> [Pid ! more || _ <- lists:seq(1, 50)];
grow(_, _) -> ok.

%% The places of those who have ended are not empty until the interval is over.
it_selects_anew_when_the_selected_have_ended(Config) ->
    [First] = hogs(1),
    {ok, _} = start(Config, #{auto_select => {top, 1, 600000}}),
    eventually(fun() -> flame_prof_case:selected() =:= [First] end),
    %% The walker's first goes by what was done before; the next is in ten minutes.
    receive after 1000 -> ok end,
    [Second] = hogs(1),
    end_all([First]),
    eventually(fun() -> flame_prof_case:selected() =:= [Second] end),
    end_all([Second]).

it_samples_those_named_beforehand(Config) ->
    [Given, Named, Other] = [idle(), idle(), idle()],
    Late = spawned(fun() -> receive stop -> ok end end),
    true = register(named_beforehand, Named),
    {ok, _} = start(Config, #{select => #{pids => [Given], interval => 100,
                                          names => [named_beforehand, named_afterwards]}}),
    eventually(fun() -> is_explicit([Given, Named]) end),
    ?assertMatch(#{selection := #{found := 2, absent := [named_afterwards]}}, flame_prof:info()),
    true = register(named_afterwards, Late),
    %% The name goes to somebody else.
    true = unregister(named_beforehand),
    true = register(named_beforehand, Other),
    eventually(fun() -> is_explicit([Given, Late, Other]) end),
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    [?assertMatch([_ | _], of_process(Pid, Samples)) || Pid <- [Given, Late, Other]],
    end_all([Given, Named, Late, Other]).

it_samples_the_processes_of_an_application(Config) ->
    Stranger = idle(),
    {ok, _} = start(Config, #{select => #{applications => [kernel, not_there_yet], interval => 100,
                                          status => waiting}}),
    Master = application_controller:get_master(kernel),
    Early = maps:get(explicit, eventually(fun() -> has_found(3) end)),
    ?assert(lists:member(whereis(kernel_sup), Early)),
    ?assert(lists:member(whereis(rex), [undefined | Early])),
    ?assertNot(lists:member(Stranger, Early)),
    ?assertMatch(#{selection := #{absent := [not_there_yet]}}, flame_prof:info()),
    %% Those that come later, too.
    Late = spawned(fun() -> true = group_leader(Master, self()), receive stop -> ok end end),
    eventually(fun() -> lists:member(Late, maps:get(explicit, flame_prof:info())) end),
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertMatch([_ | _], of_process(Late, samples(Summary))),
    ?assertEqual([waiting], lists:usort([Status || #{status := Status} <- samples(Summary)])),
    end_all([Late, Stranger]).

it_samples_those_whom_a_predicate_means(Config) ->
    [Meant, Second, Other] = [idle(), idle(), idle()],
    _ = [Second ! N || N <- lists:seq(1, 77)],
    {ok, _} = start(Config, #{select => #{predicate => fun(Pid) -> Pid =:= Meant end}}),
    eventually(fun() -> is_explicit([Meant]) end),
    {ok, _} = flame_prof_case:stop(),
    ByInfo = fun(_, #{message_queue_len := Length}) -> Length =:= 77 end,
    {ok, _} = start(Config, #{select => #{predicate => ByInfo, pids => [Meant], interval => 100}}),
    eventually(fun() -> is_explicit([Meant, Second]) end),
    %% What it says may change.
    Second ! another,
    eventually(fun() -> is_explicit([Meant]) end),
    {ok, _} = flame_prof_case:stop(),
    end_all([Meant, Second, Other]).

it_tells_of_a_predicate_that_fails(Config) ->
    Pid = idle(),
    Failing = fun(P) when P =:= Pid -> true;
                 (_) -> exit(sorry)
              end,
    {ok, Session} = start(Config, #{select => #{predicate => Failing}}),
    eventually(fun() -> is_explicit([Pid]) end),
    ?assertMatch(#{selection := #{predicate_failures := N,
                                  predicate_failure := <<"it raised exit: sorry">>}} when N > 0,
                 flame_prof:info()),
    ?assertEqual(Session, whereis(flame_prof)),
    {ok, _} = flame_prof_case:stop(),
    {ok, _} = start(Config, #{select => #{predicate => fun(_) -> maybe_so end}}),
    eventually(fun() -> case flame_prof:info() of
                            #{selection := #{predicate_failure := <<"it returned maybe_so">>}} -> true;
                            #{} -> false
                        end end),
    end_all([Pid]).

%% Whatever is asked for: none of its own processes.
it_never_samples_itself(Config) ->
    {ok, _} = start(Config, #{select => #{predicate => fun(_) -> true end, interval => 100,
                                          applications => [flame_prof, kernel]},
                              auto_select => [#{by => By, count => 1000, interval => 200}
                                              || By <- [reductions, memory]]}),
    ticks(60),
    Sampled = maps:get(explicit, eventually(fun() -> has_found(20) end)) ++ flame_prof_case:selected(),
    eventually(fun() -> flame_prof_case:selected() =/= [] end),
    Master = application_controller:get_master(flame_prof),
    ?assertEqual([], [{Pid, process_info(Pid, current_stacktrace)}
                      || Pid <- lists:usort(Sampled ++ flame_prof_case:selected()),
                         is_ours(Pid) orelse Pid =:= Master orelse leads(Pid, flame_prof_sup)]),
    ?assert(lists:member(self(), Sampled)),
    {ok, _} = flame_prof_case:stop().

it_goes_on_finding_without_its_helpers(Config) ->
    Pid = idle(),
    {ok, Session} = start(Config, #{select => #{predicate => fun(P) -> P =:= Pid end,
                                                interval => 100}}),
    eventually(fun() -> is_explicit([Pid]) end),
    [Resolver] = [P || P <- processes(), runs(P, flame_prof_resolver, loop)],
    exit(Resolver, kill),
    eventually(fun() -> [] =/= [P || P <- processes() -- [Resolver],
                                     runs(P, flame_prof_resolver, loop)] end),
    eventually(fun() -> is_explicit([Pid]) end),
    ?assertEqual(Session, whereis(flame_prof)),
    {ok, _} = flame_prof_case:stop(),
    eventually(fun() -> [] =:= [P || P <- processes(), is_of(P, flame_prof_resolver)] end),
    end_all([Pid]).

it_is_not_linked_to_who_calls_start(Config) ->
    Test = self(),
    {Caller, Monitor} = spawn_monitor(fun() -> Test ! {started, start(Config, #{})} end),
    Session = receive {started, {ok, Pid}} -> Pid end,
    receive {'DOWN', Monitor, process, Caller, _} -> ok end,
    ticks(5),
    ?assertEqual(Session, whereis(flame_prof)),
    {links, Links} = process_info(Session, links),
    ?assertEqual([whereis(flame_prof_sup)], [P || P <- Links, is_pid(P)]).

it_ends_with_its_owner_when_linked(Config) ->
    Test = self(),
    Owner = spawn(fun() ->
                      Test ! {started, flame_prof:start_link(options(Config, #{}))},
                      receive stop -> exit(crashed) end
                  end),
    Session = receive {started, {ok, Pid}} -> Pid end,
    ok = flame_prof:profile_start(),
    ticks(20),
    Monitor = monitor(process, Session),
    Owner ! stop,
    receive {'DOWN', Monitor, process, Session, _} -> ok end,
    [Path] = eventually(fun() -> case flame_prof_file:finished(directory(Config)) of
                                     [] -> false;
                                     Files -> Files
                                 end end),
    ?assertMatch(#{samples := [_, _ | _]}, perf_script_reader:read(Path)),
    {error, {not_started, Detail}} = flame_prof:info(),
    ?assertNotEqual(nomatch, binary:match(Detail, <<"crashed">>)).

it_does_not_take_the_caller_along_when_refused(Config) ->
    Plain = directory(Config),
    ok = filelib:ensure_dir(Plain),
    ok = file:write_file(Plain, "in the way"),
    process_flag(trap_exit, false),
    ?assertMatch({error, {_, _}}, flame_prof:start_link(options(Config, #{}))),
    ?assertMatch({error, {not_started, _}}, flame_prof:info()).

it_finishes_its_files_when_the_application_stops(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    ticks(20),
    ok = application:stop(flame_prof),
    %% As soon as it can, should it not have had the time for it.
    eventually(fun() -> hidden(Config) =:= [] end),
    ?assertMatch([_], flame_prof_file:finished(directory(Config))).

it_answers_when_nothing_is_started(_Config) ->
    ?assertMatch({error, {not_started, _}}, flame_prof:stop()),
    ?assertMatch({error, {not_started, _}}, flame_prof:stop(1000)),
    ?assertMatch({error, {not_started, _}}, flame_prof:stop(self())),
    ?assertMatch({error, {not_started, _}}, flame_prof:stop(nobody, 1000)),
    ?assertMatch({error, {not_started, _}}, flame_prof:info()),
    ?assertMatch({error, {not_started, _}}, flame_prof:profile_start()),
    ?assertMatch({error, {not_started, _}}, flame_prof:profile_stop()),
    ?assertError({not_started, _}, flame_prof:apply(fun() -> ct:fail(called) end)).

it_stops_only_its_own_session(Config) ->
    {ok, Session} = start(Config, #{}),
    Other = idle(),
    ?assertMatch({error, {not_started, _}}, flame_prof:stop(Other)),
    ?assert(is_process_alive(Other)),
    ended(flame_prof:stop(Session)),
    {ok, _} = start(Config, #{}),
    ended(flame_prof:stop(flame_prof, 2000)),
    {ok, _} = start(Config, #{}),
    ?assertMatch({ok, _}, flame_prof:stop(infinity)),
    end_all([Other]).

%% Also where it had not the time to say so.
ended({ok, _}) -> ok;
ended({error, {timeout, _}}) -> eventually(fun() -> whereis(flame_prof) =:= undefined end).

it_starts_again_at_once(Config) ->
    [begin
         {ok, _} = start(Config, #{}),
         ?assertMatch({ok, #{files := []}}, flame_prof_case:stop())
     end || _ <- lists:seq(1, 20)].

it_returns_and_raises_as_the_fun_does(Config) ->
    {ok, _} = start(Config, #{}),
    ?assertEqual({some, "value"}, flame_prof:apply(fun() -> {some, "value"} end)),
    ?assertError(boom, flame_prof:apply(fun() -> error(boom) end)),
    ?assertThrow(ball, flame_prof:apply(fun() -> throw(ball) end)),
    ?assertExit(door, flame_prof:apply(fun() -> exit(door) end)),
    ?assertMatch(#{explicit := []}, flame_prof:info()),
    Self = self(),
    ?assertEqual(Self, flame_prof:apply(fun() -> self() end)).

it_goes_on_after_a_nested_apply(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    ok = flame_prof:apply(fun() -> flame_prof:apply(fun() -> ok end), ok end),
    ?assertMatch(#{explicit := [_]}, flame_prof:info()),
    ok = flame_prof:profile_stop(),
    ?assertMatch(#{explicit := []}, flame_prof:info()).

%% An apply that wants nobody followed does not end what was asked for before it.
it_goes_on_following_after_a_nested_apply(Config) ->
    {ok, _} = start(Config, #{}),
    Test = self(),
    Parent = profiled(fun() ->
                          Test ! {before, idle_child()},
                          ok = flame_prof:apply(fun() -> ok end, #{viral => self_only}),
                          ok = flame_prof:apply(fun() -> ok end),
                          Test ! {afterwards, idle_child()},
                          receive stop -> ok = flame_prof:profile_stop() end,
                          Test ! stopped,
                          receive stop -> ok end
                      end, #{viral => spawn}),
    Children = [receive {before, B} -> B end, receive {afterwards, A} -> A end],
    eventually(fun() -> [Parent | Children] -- maps:get(explicit, flame_prof:info()) =:= [] end),
    %% With the last who wants it ends what was found by way of it.
    Parent ! stop,
    receive stopped -> ok end,
    ?assertMatch(#{explicit := []}, flame_prof:info()),
    ?assertEqual([], [Pid || Pid <- [Parent | Children], is_followed(Pid)]),
    [exit(Pid, kill) || Pid <- Children].

it_survives_its_session_within_apply(Config) ->
    {ok, _} = start(Config, #{}),
    ?assertEqual(done, flame_prof:apply(fun() -> {ok, _} = flame_prof_case:stop(), done end)).

it_only_samples_in_the_status_asked_for(Config) ->
    {ok, _} = start(Config, #{}),
    Waiting = profiled(fun() -> receive stop -> ok end end, #{status => waiting}),
    Never = profiled(fun() -> receive stop -> ok end end, #{status => suspended}),
    ticks(40),
    {ok, Summary} = flame_prof_case:stop(),
    end_all([Waiting, Never]),
    Samples = samples(Summary),
    ?assertMatch([_ | _], of_process(Waiting, Samples)),
    ?assertEqual([], of_process(Never, Samples)).

it_says_who_a_process_is(Config) ->
    {ok, _} = start(Config, #{}),
    Server = proc_lib:spawn(fun() ->
                                put('$initial_call', {my_server, init, 1}),
                                true = register('d 12: name', self()),
                                ok = flame_prof:profile_start(),
                                receive stop -> ok end
                            end),
    eventually(fun() -> maps:get(explicit, flame_prof:info()) =:= [Server] end),
    ticks(40),
    {ok, Summary} = flame_prof_case:stop(),
    end_all([Server]),
    #{frames := Frames, status := waiting} = lists:last(of_process(Server, samples(Summary))),
    [{<<"{registered d 12:_name}">>, <<"process">>},
     {<<"{my_server:init/1}">>, <<"my_server.erl">>}] = lists:nthtail(length(Frames) - 2, Frames),
    {Leaf, <<"api_SUITE.erl">>} = hd(Frames),
    ?assertMatch({match, _}, re:run(Leaf, "^api_SUITE:.*it_says_who_a_process_is.*;[0-9]+$")).

it_compresses(Config) ->
    {ok, _} = start(Config, #{compress => gzip}),
    ok = flame_prof:profile_start(),
    ticks(30),
    {ok, #{files := [Path]} = Summary} = flame_prof_case:stop(),
    ?assertEqual(".gz", filename:extension(Path)),
    ?assertMatch([_, _ | _], samples(Summary)).

it_writes_captures(Config) ->
    {ok, _} = start(Config, #{format => capture}),
    ok = flame_prof:profile_start(),
    ticks(30),
    {ok, #{files := [Path | _]}} = flame_prof_case:stop(),
    {ok, Bytes} = file:read_file(Path),
    case ?config(tier, Config) of
        walker ->
            ?assertEqual(".fpc", filename:extension(Path)),
            ?assertMatch(<<16#89, "FPC\r\n", 16#1A, "\n", 2:32/little, 0:32, 1:32/little, _/binary>>,
                         Bytes);
        portable ->
            ?assertMatch(<<"# ========\n# flame_prof: ", _/binary>>, Bytes)
    end.

it_tells_how_it_goes(Config) ->
    {ok, _} = start(Config, #{}),
    ok = flame_prof:profile_start(),
    ticks(30),
    Tier = ?config(tier, Config),
    Directory = directory(Config),
    Self = self(),
    ?assertMatch(#{tier := Tier, tier_reason := <<_, _/binary>>, since := <<_, _/binary>>,
                   directory := Directory, explicit := [Self], reader := _, selected := 1,
                   ticks_expected := E, ticks_taken := T, losses := #{}, samples := _, files := [],
                   bytes := _, options := #{sample_interval := 9}} when T =< E, flame_prof:info()),
    {ok, _} = flame_prof_case:stop().

it_counts_what_it_writes(Config) ->
    {ok, _} = start(Config, #{auto_select => {top, 50, 200}, flush_interval => ?FLUSH_MS,
                              flush_close_max => 1}),
    eventually(fun() -> length(maps:get(files, flame_prof:info())) >= 2 end),
    {ok, #{samples := Count} = Summary} = flame_prof_case:stop(),
    ?assertEqual(Count, length(samples(Summary))),
    ?assertEqual(Count, lists:sum([binary_to_integer(N) || #{<<"samples">> := N}
                                                               <- comments(Summary)])),
    [check_totals(perf_script_reader:read(Path)) || Path <- maps:get(files, Summary)].

%% One tracer a process is what OTP has before 27; with trace sessions nobody is in the way
%% of anybody.
it_leaves_another_tracer_alone(Config) ->
    {ok, _} = start(Config, #{}),
    ?assertMatch(#{follow := #{tracing := none}}, flame_prof:info()),
    case flame_prof_case:has_trace_sessions() of
        false -> follows_nobody_who_is_traced();
        true -> follows_beside_another_tracer()
    end.

follows_nobody_who_is_traced() ->
    Watched = idle(),
    Tracer = spawned(fun() -> erlang:trace(Watched, true, [procs]), receive stop -> ok end end),
    eventually(fun() -> erlang:trace_info(Watched, tracer) =:= {tracer, Tracer} end),
    ok = flame_prof_session:watch(Watched, profile, #{viral => spawn, status => all}),
    #{follow := #{not_followed := #{Watched := Why}}} = flame_prof:info(),
    ?assertNotEqual(nomatch, binary:match(Why, <<"traced already">>)),
    ?assertEqual({tracer, Tracer}, erlang:trace_info(Watched, tracer)),
    ticks(20),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertMatch([_ | _], of_process(Watched, samples(Summary))),
    ?assertEqual({tracer, Tracer}, erlang:trace_info(Watched, tracer)),
    end_all([Watched, Tracer]).

follows_beside_another_tracer() ->
    Test = self(),
    Watched = spawned(fun Spawn() -> receive
                                         spawn_one -> Test ! {child, idle_child()}, Spawn();
                                         stop -> ok
                                     end end),
    Tracer = spawned(fun() ->
                         erlang:trace(Watched, true, [procs]),
                         Trace = erlang:apply(trace, session_create, [theirs, self(), []]),
                         1 = erlang:apply(trace, process, [Trace, Watched, true, ['receive']]),
                         Test ! traced,
                         receive stop -> Trace end
                     end),
    receive traced -> ok end,
    ok = flame_prof_session:watch(Watched, profile, #{viral => spawn, status => all}),
    ?assert(is_followed(Watched)),
    ?assertMatch(#{follow := #{tracing := trace_session}}, flame_prof:info()),
    Watched ! spawn_one,
    Child = receive {child, C} -> C end,
    eventually(fun() -> lists:member(Child, maps:get(explicit, flame_prof:info())) end),
    {ok, _} = flame_prof_case:stop(),
    ?assertNot(is_followed(Watched)),
    %% Theirs is as it was, and saw it all.
    ?assertEqual([{tracer, Tracer}, {flags, [procs]}],
                 [erlang:trace_info(Watched, Item) || Item <- [tracer, flags]]),
    {messages, Events} = process_info(Tracer, messages),
    ?assertMatch([_], [E || {trace, W, spawn, P, _} = E <- Events, W =:= Watched, P =:= Child]),
    ?assertMatch([_], [E || {trace, W, 'receive', spawn_one} = E <- Events, W =:= Watched]),
    ?assertNot(is_followed(Child)),
    end_all([Watched, Tracer, Child]).

it_gives_up_following_in_a_flood(Config) ->
    {ok, Session} = start(Config, #{}),
    Sink = spawned(fun Drain() -> receive _ -> Drain() end end),
    Test = self(),
    Flood = profiled(fun() ->
                         receive go -> [Sink ! N || N <- lists:seq(1, 20000)] end,
                         Test ! {self(), done},
                         receive stop -> ok end
                     end, #{viral => send}),
    %% On a machine with little to give who follows is always in time: it is stopped meanwhile.
    [Follower] = [P || P <- processes(), is_of(P, flame_prof_viral)],
    true = erlang:suspend_process(Follower),
    Flood ! go,
    receive {Flood, done} -> ok end,
    true = erlang:resume_process(Follower),
    eventually(fun() -> maps:get(state, maps:get(follow, flame_prof:info())) =/= on end),
    ticks(20),
    ?assertEqual(Session, whereis(flame_prof)),
    ?assertMatch(#{follow := #{reason := <<"following", _/binary>>}}, flame_prof:info()),
    end_all([Flood, Sink]),
    ?assertMatch({ok, _}, flame_prof_case:stop()).

it_samples_children_of_selected_processes_when_asked(Config) ->
    {ok, _} = start(Config, #{auto_select => {top, 1, 200},
                              auto_process_opts => #{viral => spawn}}),
    Test = self(),
    Hog = spawned(fun() -> parent_hog(Test) end),
    %% On a busy machine it may not answer in time.
    eventually(fun() -> maps:get(roots, maps:get(follow, flame_prof:info()), 0) >= 1
                            andalso is_followed(Hog) end),
    Hog ! spawn_one,
    Child = receive {child, C} -> C end,
    eventually(fun() -> lists:member(Child, maps:get(explicit, flame_prof:info())) end),
    ticks(20),
    {ok, Summary} = flame_prof_case:stop(),
    end_all([Hog, Child]),
    ?assertMatch([_ | _], of_process(Child, samples(Summary))).

%% In the order asked for, the first one outermost.
it_takes_categories_as_root_frames_in_the_order_asked_for(Config) ->
    Order = [node, mailbox, memory, status, registered_name],
    {ok, _} = start(Config, #{categories => Order}),
    Pid = flame_prof_case:spawned(fun() -> ok = flame_prof:profile_start(), receive stop -> ok end end),
    true = register(categories_case, Pid),
    [Pid ! unread || _ <- lists:seq(1, 20)],
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    #{frames := Frames} = lists:last(flame_prof_case:of_process(Pid, samples(Summary))),
    Names = [Name || {Name, _} <- Frames],
    Node = <<"{node ", (atom_to_binary(node()))/binary, "}">>,
    [Registered, Status, Memory, Mailbox, Node] = lists:nthtail(length(Names) - 5, Names),
    ?assertEqual([<<"{registered categories_case}">>, <<"{status waiting}">>, <<"{mailbox 10s}">>],
                 [Registered, Status, Mailbox]),
    ?assertMatch({match, _}, re:run(Memory, "^\\{memory 10*s KiB\\}$")),
    [?assertMatch({error, {bad_option, <<"categories: ", _/binary>>}},
                  start(Config, #{categories => Wrong}))
     || Wrong <- [node, [nodes], [node, node], [node | status], "x"]].

%% --- helpers ----------------------------------------------------------------------

idle_child() ->
    spawn(fun() -> receive stop -> ok end end).

parent_hog(Test) ->
    burn(5),
    receive
        spawn_one -> Test ! {child, idle()}
    after 0 -> ok
    end,
    parent_hog(Test).

is_explicit(Pids) ->
    lists:sort(maps:get(explicit, flame_prof:info())) =:= lists:sort(Pids).

has_found(Count) ->
    case flame_prof:info() of
        #{selection := #{found := Found}} = Info when Found >= Count -> Info;
        #{} -> false
    end.

%% The process of the application that started a supervisor.
leads(Pid, Supervisor) ->
    {dictionary, Dictionary} = process_info(whereis(Supervisor), dictionary),
    lists:member(Pid, proplists:get_value('$ancestors', Dictionary)).

runs(Pid, Module, Function) ->
    [F || {M, F, _, _} <- stack(Pid), M =:= Module, F =:= Function] =/= [].

is_of(Pid, Module) ->
    lists:keymember(Module, 1, stack(Pid)).

stack(Pid) ->
    case process_info(Pid, current_stacktrace) of
        {current_stacktrace, Stack} -> Stack;
        undefined -> []
    end.

check_totals(#{samples := Samples, comments := Comments}) ->
    Names = maps:keys(maps:get(metrics, hd(Samples))),
    ?assertEqual(16, length(Names)),
    [begin
         {Values, Deltas} = lists:unzip([maps:get(Name, Metrics) || #{metrics := Metrics} <- Samples]),
         Told = maps:get(<<"total ", Name/binary>>, Comments),
         ?assertEqual(iolist_to_binary(io_lib:format("~b, ~b", [lists:sum(Values), lists:sum(Deltas)])),
                      Told)
     end || Name <- Names],
    ?assertEqual(binary_to_integer(maps:get(<<"period_total_ns">>, Comments)),
                 lists:sum([Ns || #{period_ns := Ns} <- Samples])).
