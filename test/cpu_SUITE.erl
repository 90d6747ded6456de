%% SPDX-License-Identifier: Apache-2.0
%% The scheduler sampler: stacks are whole, names are right, nothing is left behind, and
%% who asks for what cannot be gets one line. That shares are true is cpu_truth_SUITE's.
-module(cpu_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(cpu_case, [start/2, samples/1, files/1, paths/0, has_function/2, with_function/2,
                   bounds/3, holds/3]).
-import(flame_prof_case, [eventually/1, of_process/2]).

%% To write what there is, on a machine that is nearly at rest.
-define(CLOSE_MS, 60000).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("it_", atom_to_list(Name))].

init_per_suite(Config) ->
    cpu_case:init(Config).

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- whole stacks --------------------------------------------------------------------

it_sees_stacks_down_to_the_start_of_the_process(Config) ->
    {ok, _} = start(Config, #{}),
    {Pid, _} = cpu_load:run(5000, cpu_load:parts()),
    {ok, #{cpu := #{samples := All, stack_incomplete := Incomplete,
                    register_mismatches := Mismatches} = Cpu}} = flame_prof_case:stop(),
    Samples = of_process(Pid, samples(Config)),
    ct:pal("~p", [Cpu]),
    ?assertEqual(0, Mismatches),
    ?assert(Incomplete =< cpu_case:few(0.03, All), {Incomplete, All}),
    %% Each ends in the function that the process began with.
    Whole = [S || #{frames := Frames} = S <- Samples,
                  [] =/= [F || {<<"cpu_load:-run/2-fun-", _/binary>> = F, _} <- Frames]],
    ?assert(length(Samples -- Whole) =< cpu_case:few(0.03, length(Samples))),
    ?assertEqual([], [S || #{frames := Frames} = S <- Samples,
                           lists:keymember(<<"[unknown]">>, 1, Frames)]).

%% In a VM that writes a perf map: each Erlang frame is what the map has there.
it_names_frames_as_a_perf_map_does(Config) ->
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                 args => ["+JPperf", "map", "-pa" | paths()]}),
    Directory = filename:join(?config(priv_dir, Config), "mapped"),
    {Samples, Map} = peer:call(Peer, ?MODULE, mapped_run, [Directory, ?config(nif, Config)], 600000),
    peer:stop(Peer),
    Frames = lists:usort(lists:append([erlang_frames(S) || S <- Samples])),
    ct:pal("~b samples, ~b different frames, ~b symbols",
           [length(Samples), length(Frames), tuple_size(Map)]),
    ?assert(length(Frames) > 50),
    ?assertEqual([], [{Address, Name, symbol_at(Address, Map)}
                      || {Address, Name} <- Frames,
                         not lists:member(Name, [symbol_at(Address - 1, Map), symbol_at(Address, Map)])]).

mapped_run(Directory, Nif) ->
    ok = walker_test_nif:load(Nif),
    {ok, _} = flame_prof:start(#{basename => Directory, cpu_sampling => #{rate => cpu_case:rate()}}),
    _ = cpu_load:run(5000, cpu_load:parts()),
    {ok, _} = flame_prof_case:stop(),
    [File] = filelib:wildcard(filename:join(Directory, "flame_prof_cpu-*.perf")),
    {ok, Text} = file:read_file("/tmp/perf-" ++ os:getpid() ++ ".map"),
    {ok, Perf} = file:read_file(File),
    {raw_stacks(Perf), perf_map(Text)}.

%% [{Address, Function, File}] of each sample.
raw_stacks(Text) ->
    {match, Found} = re:run(Text, "^\t([0-9a-f]+) (.*?)(?:;[0-9]+)? \\(([^()]*\\.erl)\\)$",
                            [global, multiline, {capture, all_but_first, binary}]),
    [[{binary_to_integer(Address, 16), Name} || [Address, Name, _] <- Found]].

erlang_frames(Stack) ->
    [{Address, Name} || {Address, Name} <- Stack, Address > 0].

perf_map(Text) ->
    list_to_tuple(lists:sort(
        [begin
             [Address, Size, Name] = split3(Line),
             Start = binary_to_integer(Address, 16),
             {Start, Start + binary_to_integer(Size, 16), plain(Name)}
         end || Line <- binary:split(Text, <<"\n">>, [global, trim_all])])).

split3(Line) ->
    [Address, Rest] = binary:split(Line, <<" ">>),
    [Size, Name] = binary:split(Rest, <<" ">>),
    [hex(Address), hex(Size), Name].

hex(<<"0x", Digits/binary>>) -> Digits;
hex(Digits) -> Digits.

%% "$module:function/arity", quoted as the shell does.
plain(<<"$", Name/binary>>) -> plain(Name);
plain(Name) -> binary:replace(Name, <<"'">>, <<>>, [global]).

symbol_at(Address, Map) -> symbol_at(Address, Map, 1, tuple_size(Map)).

symbol_at(_, _, Low, High) when Low > High -> none;
symbol_at(Address, Map, Low, High) ->
    Middle = (Low + High) div 2,
    case element(Middle, Map) of
        {Start, _, _} when Address < Start -> symbol_at(Address, Map, Low, Middle - 1);
        {_, End, _} when Address >= End -> symbol_at(Address, Map, Middle + 1, High);
        {_, _, Name} -> Name
    end.

%% --- life ---------------------------------------------------------------------------------

it_leaves_no_timer(Config) ->
    case timers() of
        unknown -> {skip, "this kernel does not list timers (CONFIG_CHECKPOINT_RESTORE)"};
        Before -> [leaves_no_timer(Before, Config) || _ <- lists:seq(1, 5)], ok
    end.

leaves_no_timer(Before, Config) ->
    {ok, _} = start(Config, #{}),
    ?assertMatch(#{cpu := #{schedulers := N}} when N > 0, flame_prof:info()),
    ?assert(timers() > Before),
    {ok, _} = flame_prof_case:stop(),
    ?assertEqual(Before, timers()).

%% What an earlier session leaves goes when its handle is collected, at any time later: the
%% next one's samples go on.
it_outlives_the_handle_of_an_earlier_session(Config) ->
    Self = self(),
    Load = flame_prof_case:spawned(fun burn_in_c/0),
    Earlier = spawn_link(fun() ->
        Handle = open_tier(Config, "earlier", #{}),
        sampled(Handle, 5),
        {ok, _} = flame_prof_walker:close(Handle, ?CLOSE_MS, <<"complete">>),
        Self ! closed,
        receive forget -> ok end,
        %% No longer on its stack.
        true = erlang:garbage_collect(),
        Self ! forgotten,
        receive stop -> ok end
    end),
    receive closed -> ok end,
    Later = open_tier(Config, "later", #{}),
    sampled(Later, 5),
    Earlier ! forget,
    receive forgotten -> ok end,
    sampled(Later, 20),
    {ok, _} = flame_prof_walker:close(Later, ?CLOSE_MS, <<"complete">>),
    Earlier ! stop,
    flame_prof_case:end_all([Load]).

%% So many more.
sampled(Handle, Count) ->
    #{cpu := #{samples := Before}} = flame_prof_walker:info(Handle),
    eventually(fun() ->
        #{cpu := #{samples := Now}} = flame_prof_walker:info(Handle),
        Now >= Before + Count
    end).

%% As a session does.
open_tier(Config, Stem, Further) ->
    {ok, Options} = flame_prof_options:start(#{basename => ?config(priv_dir, Config), auto_select => none,
                                               cpu_sampling => #{rate => cpu_case:rate()}}),
    {ok, Handle} = flame_prof_walker:open(
                       maps:merge(Options#{session => self(), tier_reason => <<"test">>, stem => Stem,
                                           profiler_pids => []}, Further)),
    Handle.

%% --- selection by CPU ---------------------------------------------------------------------------

%% Who works in native code does next to no reductions, and is chosen; who makes many
%% reductions look like work is not.
it_selects_by_cpu_time(Config) ->
    Burner = flame_prof_case:spawned(fun burn_in_c/0),
    Bumper = flame_prof_case:spawned(fun bump/0),
    {ok, _} = start(Config, #{auto_select => #{by => cpu, count => 1, interval => 500}}),
    eventually(fun() -> flame_prof_case:selected() =:= [Burner] end),
    Selected = flame_prof_case:now_us(),
    flame_prof_case:ticks(300),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = [S || #{time_us := Time} = S <- flame_prof_case:samples(Summary), Time > Selected],
    [Burned, Bumped] = [length(of_process(Pid, Samples)) || Pid <- [Burner, Bumper]],
    ct:pal("~b of ~b samples, ~b of who only counts", [Burned, length(Samples), Bumped]),
    %% Where half a second is next to nothing, it may have been anybody's.
    ?assert(Burned > 0.5 * length(Samples)),
    ?assert(Bumped < 0.1 * length(Samples)).

it_refuses_to_select_by_what_is_not_sampled(Config) ->
    {error, {bad_option, Line}} = start(Config, #{cpu_sampling => false,
                                                  auto_select => #{by => cpu}}),
    ?assertNotEqual(nomatch, binary:match(Line, <<"cpu_sampling">>)).

burn_in_c() -> _ = walker_test_nif:compute(300000), burn_in_c().

bump() -> erlang:bump_reductions(4000), receive after 5 -> bump() end.

%% --- the profiler itself -----------------------------------------------------------------------

%% Whatever the session does is marked at the root, and nothing else is.
it_marks_its_own_work(Config) ->
    {ok, Session} = start(Config, #{}),
    keep_busy(Session),
    _ = cpu_load:run(300, [arithmetic_part]),
    {ok, _} = flame_prof_case:stop(),
    Samples = samples(Config),
    Own = of_process(Session, Samples),
    ?assertMatch([_ | _], Own),
    ?assertEqual([], [S || S <- Own, not is_marked(S)]),
    ?assertEqual([], [S || S <- Samples, is_marked(S), has_function(<<"cpu_load:arithmetic_part/1">>, S)]).

is_marked(#{frames := Frames}) -> element(1, lists:last(Frames)) =:= <<"[flame_prof]">>.

%% Until it has used so much CPU time that it must have been seen.
keep_busy(Session) ->
    _ = [flame_prof:info() || _ <- lists:seq(1, 100)],
    {reductions, Reductions} = process_info(Session, reductions),
    Reductions > 5000000 orelse keep_busy(Session).

%% --- armed --------------------------------------------------------------------------------------

it_keeps_samples_when_armed(Config) ->
    {ok, _} = arm(Config, #{keep => 600}),
    ok = flame_prof:profile_start(),
    {Pid, #{arithmetic_part := TruthNs}} = cpu_load:run(1500, [arithmetic_part]),
    ?assertEqual([], files(Config)),
    eventually(fun() -> kept(kept_ms) > 500 end),
    {ok, File} = flame_prof:dump(#{note => "by hand"}),
    ?assertEqual(nomatch, string:find(File, "flame_prof_cpu-")),
    [First] = files(Config),
    #{samples := Early, comments := Comments} = perf_script_reader:read(First),
    ?assertMatch(#{<<"trigger">> := <<"on_call">>, <<"end">> := <<"complete">>}, Comments),
    {Next, _} = cpu_load:run(500, [arithmetic_part]),
    Lost = flame_prof:info(),
    {ok, _} = flame_prof:dump(),
    [First, Second] = files(Config),
    #{samples := Late} = perf_script_reader:read(Second),
    %% What had not come in when the first was asked for is in the second; nothing is twice.
    All = Early ++ Late,
    holds(TruthNs, bounds(of_process(Pid, All), All, cpu_case:lost_ns(Lost)), 0.1),
    ?assert(length(of_process(Pid, Early)) >= length(of_process(Pid, Late))),
    ?assertEqual([], [S || S <- of_process(Pid, Late), lists:member(S, Early)]),
    ?assertMatch([_ | _], of_process(Next, Late)),
    ?assertEqual([], of_process(Next, Early)),
    {ok, _} = flame_prof_case:stop().

it_keeps_no_more_than_there_is_room_for(Config) ->
    {ok, _} = arm(Config, #{keep => 600, keep_bytes => 1024 * 1024}),
    Deep = flame_prof_case:spawned(fun() -> burn_deep(200) end),
    eventually(fun() -> kept(dropped_early) > 0 end),
    ?assert(kept(kept_bytes) =< 1024 * 1024),
    flame_prof_case:end_all([Deep]),
    {ok, _} = flame_prof:dump(),
    [File] = files(Config),
    #{samples := Samples, comments := Comments} = perf_script_reader:read(File),
    ?assert(length(Samples) > 50),
    ?assert(binary_to_integer(maps:get(<<"dump_dropped_early">>, Comments)) > 0),
    {ok, _} = flame_prof_case:stop().

%% Nobody is selected: the one file there is.
it_dumps_what_the_schedulers_ran_alone(Config) ->
    {ok, _} = arm(Config, #{auto_select => none}),
    _ = cpu_load:run(300, [arithmetic_part]),
    eventually(fun() -> kept(kept_bytes) > 0 end),
    {ok, File} = flame_prof:dump(),
    ?assertEqual([File], files(Config)),
    {ok, _} = flame_prof_case:stop().

arm(Config, Options) ->
    flame_prof:arm(maps:merge(flame_prof_case:options(Config, #{cpu_sampling => #{rate => cpu_case:rate()}}),
                              Options)).

kept(Key) -> maps:get(Key, maps:get(cpu, flame_prof:info())).

burn_deep(0) -> _ = burn_in_c(), 0;
burn_deep(Frames) -> 1 + burn_deep(Frames - 1).

%% No more signals may wait: no timer. What was chosen, and why, is told in one line.
it_watches_where_timers_are_refused(Config) ->
    Output = refused(Config, auto),
    ?assertMatch({match, _}, re:run(Output, "^walker [0-9]+ foreign [1-9][0-9]* "
                                            "[^\n]*timer_create: [^\n]*ulimit -i[^\n]*$")).

%% Who insists on signals is told why there are none; the walker goes on.
it_goes_on_without_timers(Config) ->
    ?assertMatch({match, _}, re:run(refused(Config, signal), "^walker [1-9][0-9]* off 0 "
                                                             "[^\n]*timer_create: [^\n]*ulimit -i[^\n]*$")).

refused(Config, Method) ->
    Directory = filename:join(?config(priv_dir, Config), "refused"),
    Command = lists:flatten(io_lib:format(
                  "bash -c 'ulimit -i 0; exec erl -noshell -pa ~ts -s ~ts refused_run ~ts ~ts'",
                  [lists:join(" ", paths()), ?MODULE, Method, Directory])),
    Output = string:trim(os:cmd(Command)),
    ct:pal("~ts", [Output]),
    Output.

refused_run([Method, Directory]) ->
    {ok, _} = flame_prof:start(#{basename => atom_to_list(Directory),
                                 cpu_sampling => #{method => Method}}),
    Worker = spawn(fun Work() -> _ = lists:sort([N rem 97 || N <- lists:seq(1, 1000)]), Work() end),
    refused_samples(erlang:monotonic_time(millisecond) + 600000),
    #{tier := Tier, cpu := Cpu} = flame_prof:info(),
    exit(Worker, kill),
    {ok, #{samples := Samples}} = flame_prof_case:stop(),
    case Cpu of
        #{off := Why} -> io:format("~ts ~b off 0 ~ts~n", [Tier, Samples, Why]);
        #{method := Used, samples := Count, method_reason := Why} ->
            io:format("~ts ~b ~ts ~b ~ts~n", [Tier, Samples, Used, Count, Why])
    end,
    halt().

%% Until there are some of each kind.
refused_samples(Deadline) ->
    Enough = case flame_prof:info() of
                 #{samples := Wall, cpu := #{samples := Cpu}} -> Wall > 0 andalso Cpu > 0;
                 #{samples := Wall} -> Wall > 0
             end,
    Enough orelse erlang:monotonic_time(millisecond) > Deadline
        orelse receive after 50 -> refused_samples(Deadline) end.

%% What cannot be written is counted, the node goes on, and who asks is told.
it_counts_what_a_full_disk_does_not_take(Config) ->
    Small = filename:join(?config(priv_dir, Config), "small"),
    ok = file:make_dir(Small),
    case os:cmd("mount -t tmpfs -o size=100k none " ++ Small) of
        "" ->
            {ok, _} = flame_prof:start(#{tier => walker, basename => Small, auto_select => none,
                                         cpu_sampling => #{rate => cpu_case:rate()}}),
            [_] = flame_prof_case:hogs(1),
            eventually(fun() -> maps:get(write_failed, maps:get(cpu, flame_prof:info())) > 100 end),
            {ok, #{cpu := Cpu}} = flame_prof_case:stop(),
            "" = os:cmd("umount " ++ Small),
            #{write_failed := Failed, last_error := Why} = Cpu,
            ct:pal("~p", [Cpu]),
            ?assert(Failed > 100),
            ?assertNotEqual(nomatch, binary:match(Why, <<"No space left">>));
        Refused ->
            {skip, "no tmpfs here: " ++ string:trim(Refused)}
    end.

%% Any register taken for another: a few samples contradict it, and it is given up.
it_refuses_registers_in_any_other_role() ->
    [{timetrap, {minutes, 15}}]. % two dozen sessions

it_refuses_registers_in_any_other_role(Config) ->
    Right = #{process => 13, stack => 7, saved_stack => 6, heap_top => 15},
    ?assertEqual({0, [<<"complete">>]}, with_roles(Config, Right)),
    Wrong = [Right#{Role := Number} || Role <- maps:keys(Right), Number <- [3, 6, 7, 12, 13, 14, 15],
                                       maps:get(Role, Right) =/= Number],
    Results = [{Roles, with_roles(Config, Roles)} || Roles <- Wrong],
    %% After a few, and what came in before they were looked at: for a second, where the
    %% machine keeps from running who looks.
    ?assertEqual([], [Result || {_, {Mismatches, Ends}} = Result <- Results,
                                Ends =/= [<<"registers contradict the VM's data">>]
                                    orelse Mismatches =< 5 orelse Mismatches > 450]).

%% Erlang code, and C code that is called with the stack in a register only.
with_roles(Config, Roles) ->
    Handle = open_tier(Config, "roles", #{register_roles => Roles}),
    Load = spawn_link(fun() -> compare_and_count(lists:seq(1, 50000), lists:seq(1, 50000)) end),
    until_ended(Handle, erlang:monotonic_time(millisecond) + 600000),
    unlink(Load),
    exit(Load, kill),
    {ok, #{cpu := #{register_mismatches := Mismatches}}} =
        flame_prof_walker:close(Handle, ?CLOSE_MS, <<"complete">>),
    Files = filelib:wildcard(filename:join(?config(priv_dir, Config), "roles_cpu-*.perf")),
    Ends = [End || File <- Files, #{comments := #{<<"end">> := End}} <- [perf_script_reader:read(File)]],
    [ok = file:delete(File) || File <- Files],
    {Mismatches, Ends}.

%% Or sampled for long enough.
until_ended(Handle, Deadline) ->
    #{cpu := #{last_error := Why, samples := Count}} = flame_prof_walker:info(Handle),
    Why =/= undefined orelse Count > 500 orelse erlang:monotonic_time(millisecond) > Deadline
        orelse receive after 20 -> until_ended(Handle, Deadline) end.

compare_and_count(A, B) ->
    true = A =:= B,
    _ = cpu_load:arithmetic_part(#{}),
    compare_and_count(A, B).

%% POSIX timers of this process; kernels without CONFIG_CHECKPOINT_RESTORE do not tell.
timers() ->
    case file:read_file("/proc/self/timers") of
        {ok, Text} -> length(binary:matches(Text, <<"ID:">>));
        {error, _} -> unknown
    end.

it_can_be_off(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => false}),
    ?assertMatch(#{cpu := #{off := <<"cpu_sampling => false">>}}, flame_prof:info()),
    {ok, _} = flame_prof_case:stop(),
    ?assertEqual([], files(Config)).

it_refuses_wrong_rates(Config) ->
    [begin
         {error, {bad_option, Line}} = start(Config, #{cpu_sampling => Wrong}),
         ?assertEqual(nomatch, binary:match(Line, <<"\n">>)),
         ?assertNotEqual(nomatch, binary:match(Line, <<"cpu_sampling">>))
     end || Wrong <- [yes, 99, #{rate => 0}, #{rate => 100000}, #{hz => 99}, #{rate => 1.5},
                  #{method => timer}]].

%% Above the kernel's tick: perf events, or the reason why not.
%% The sums in the footer are those of the samples.
it_adds_up(Config) ->
    {ok, _} = start(Config, #{}),
    _ = cpu_load:run(2000, cpu_load:parts()),
    {ok, #{cpu := #{samples := Count}}} = flame_prof_case:stop(),
    [File] = files(Config),
    #{samples := Samples, comments := Comments} = perf_script_reader:read(File),
    ?assertEqual(Count, length(Samples)),
    ?assertEqual([<<"beam-cpu">>], lists:usort([Event || #{event := Event} <- Samples])),
    Total = cpu_case:cpu_ns(Samples),
    ?assertEqual(<<"complete">>, maps:get(<<"end">>, Comments)),
    ?assertEqual(integer_to_binary(Total), maps:get(<<"period_total_ns">>, Comments)),
    Sum = lists:sum([Delta || #{metrics := #{<<"erlang_cpu_ns">> := {_, Delta}}} <- Samples]),
    ?assertEqual(Total, Sum).
