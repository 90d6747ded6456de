%% SPDX-License-Identifier: Apache-2.0
%% The scheduler sampler: shares are true, stacks are whole, names are right,
%% nothing is left behind, and who asks for what cannot be gets one line.
-module(cpu_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [eventually/1]).

-define(LOAD_MS, 12000).
-define(RATE_HZ, 199).
-define(POINTS, 3.0).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports),
             lists:prefix("it_", atom_to_list(Name))].

init_per_suite(Config) ->
    case flame_prof:start(#{tier => walker, basename => ?config(priv_dir, Config)}) of
        {ok, _} ->
            Cpu = maps:get(cpu, flame_prof:info()),
            {ok, _} = flame_prof_case:stop(),
            with_nif(Cpu, Config);
        {error, {_, Why}} ->
            {skip, binary_to_list(Why)}
    end.

with_nif(#{off := Why}, _) ->
    {skip, binary_to_list(Why)};
with_nif(_, Config) ->
    case walker_test_nif:build(nif_source(Config), ?config(priv_dir, Config)) of
        {ok, Path} -> ok = walker_test_nif:load(Path), [{tier, walker}, {nif, Path} | Config];
        {error, Why} -> {skip, Why}
    end.

end_per_suite(_) ->
    ok.

%% Beside the suites, or where these are run from.
nif_source(Config) ->
    DataDir = filename:join(filename:dirname(code:which(?MODULE)), "walker_SUITE_data"),
    case filelib:is_dir(DataDir) of
        true -> DataDir;
        false -> filename:join([filename:dirname(string:trim(?config(data_dir, Config), trailing, "/")),
                                "walker_SUITE_data"])
    end.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

start(Config, Options) ->
    flame_prof_case:start(Config, Options).

%% Samples of the CPU files of a session that has ended.
cpu_samples(Config) ->
    lists:append([maps:get(samples, perf_script_reader:read(File)) || File <- cpu_files(Config)]).

cpu_files(Config) ->
    lists:sort(filelib:wildcard(filename:join(flame_prof_case:directory(Config), "flame_prof_cpu-*.perf"))).

of_process(Pid, Samples) ->
    flame_prof_case:of_process(Pid, Samples).

has_function(Name, #{frames := Frames}) ->
    lists:any(fun({Frame, _}) -> function(Frame) =:= Name end, Frames).

function(Frame) -> hd(binary:split(Frame, <<";">>)).

cpu_ns(Samples) -> lists:sum([Ns || #{period_ns := Ns} <- Samples]).

%% --- truth -------------------------------------------------------------------------

it_gives_each_part_its_share(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    {Pid, Truth} = cpu_load:run(?LOAD_MS, cpu_load:parts()),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = of_process(Pid, cpu_samples(Config)),
    TruthNs = lists:sum(maps:values(Truth)),
    Rows = [begin
                Ours = [S || S <- Samples, has_function(part_name(Part), S)],
                {Part, 100 * maps:get(Part, Truth) / TruthNs, 100 * cpu_ns(Ours) / cpu_ns(Samples)}
            end || Part <- cpu_load:parts()],
    ct:pal("~b samples, ~.2f s of CPU~n~ts~n~p",
           [length(Samples), TruthNs / 1.0e9,
            [io_lib:format("~-18w truth ~5.1f %  sampled ~5.1f %~n", [P, T, S]) || {P, T, S} <- Rows],
            maps:get(cpu, Summary)]),
    ?assert(length(Samples) > 500),
    [?assert(abs(True - Sampled) =< ?POINTS, {Part, True, Sampled}) || {Part, True, Sampled} <- Rows],
    %% And all of it is there.
    ?assert(abs(cpu_ns(Samples) / TruthNs - 1) < 0.05),
    states_are_right(Samples).

part_name(Part) -> iolist_to_binary(["cpu_load:", atom_to_binary(Part), "/1"]).

%% What a part does is told by the state of its samples.
states_are_right(Samples) ->
    [begin
         Of = [S || S <- Samples, has_function(part_name(Part), S)],
         In = [S || #{status := State} = S <- Of, lists:member(State, States)],
         ?assert(length(In) >= 0.7 * length(Of), {Part, length(In), length(Of), state_counts(Of)})
     end || {Part, States} <- [{nif_part, [nif]}, {arithmetic_part, [emulator]}, {ets_part, [ets, emulator]},
                               {gc_part, [gc_minor, gc_major, bif]}]],
    Gc = [S || #{status := State} = S <- Samples, State =:= gc_major orelse State =:= gc_minor],
    ?assertMatch([_ | _], Gc),
    Nif = [S || #{status := nif} = S <- Samples],
    ?assertEqual([], [S || S <- Nif, not has_function(<<"walker_test_nif:compute/1">>, S),
                           not has_function(<<"walker_test_nif:thread_cpu_ns/0">>, S)]),
    Lookup = [S || #{status := ets} = S <- Samples, has_function(<<"ets:lookup/2">>, S)],
    ?assertMatch([_ | _], Lookup).

state_counts(Samples) ->
    lists:foldl(fun(#{status := State}, Counts) ->
                        maps:update_with(State, fun(N) -> N + 1 end, 1, Counts)
                end, #{}, Samples).

%% --- whole stacks --------------------------------------------------------------------

it_sees_stacks_down_to_the_start_of_the_process(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    {Pid, _} = cpu_load:run(5000, cpu_load:parts()),
    {ok, #{cpu := #{samples := All, stack_incomplete := Incomplete,
                    register_mismatches := Mismatches} = Cpu}} = flame_prof_case:stop(),
    Samples = of_process(Pid, cpu_samples(Config)),
    ct:pal("~p", [Cpu]),
    ?assertEqual(0, Mismatches),
    ?assert(Incomplete =< 0.03 * All),
    %% Each ends in the function that the process began with.
    Whole = [S || #{frames := Frames} = S <- Samples,
                  [] =/= [F || {<<"cpu_load:-run/2-fun-", _/binary>> = F, _} <- Frames]],
    ?assert(length(Whole) >= 0.97 * length(Samples)),
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
    {ok, _} = flame_prof:start(#{basename => Directory, cpu_sampling => #{rate => ?RATE_HZ}}),
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

paths() ->
    [filename:absname(Path) || Path <- code:get_path(), filename:basename(Path) =/= "."].

%% --- short-lived processes -------------------------------------------------------------

it_sees_processes_that_live_for_a_millisecond(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    Self = self(),
    Steady = spawn_opt(fun() -> Self ! {steady, cpu_load:run(4000, [arithmetic_part])} end, [link]),
    {Count, ShortNs} = cpu_load:short_lived(6000),
    {_, #{arithmetic_part := SteadyNs}} = receive {steady, Result} -> Result end,
    unlink(Steady),
    {ok, _} = flame_prof_case:stop(),
    Samples = cpu_samples(Config),
    Short = cpu_ns([S || S <- Samples, has_function(<<"cpu_load:short_work/1">>, S)]),
    Long = cpu_ns([S || S <- Samples, has_function(<<"cpu_load:arithmetic_part/1">>, S)]),
    Truth = 100 * ShortNs / (ShortNs + SteadyNs),
    Sampled = 100 * Short / (Short + Long),
    ct:pal("~b processes, truth ~.1f %, sampled ~.1f %", [Count, Truth, Sampled]),
    ?assert(Count > 100),
    ?assert(abs(Truth - Sampled) =< ?POINTS).

%% Tens of thousands a second, as many as the machine can: no sample is lost, and theirs
%% are what they worked.
it_sees_processes_that_live_for_microseconds(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    Deadline = erlang:monotonic_time(millisecond) + 200000,
    {PerSecond, ShortNs, SteadyNs} =
        cpu_load:swarm(fun() ->
                           #{cpu := #{samples := Count}} = flame_prof:info(),
                           Count > 3000 orelse erlang:monotonic_time(millisecond) > Deadline
                       end),
    {ok, #{cpu := #{ring_full := Lost}}} = flame_prof_case:stop(),
    Samples = cpu_samples(Config),
    Short = cpu_ns([S || S <- Samples, has_function(<<"cpu_load:short_work/1">>, S)]),
    Steady = cpu_ns([S || S <- Samples, has_function(<<"cpu_load:steady_work/1">>, S)]),
    Truth = 100 * ShortNs / (ShortNs + SteadyNs),
    Sampled = 100 * Short / (Short + Steady),
    ct:pal("~b processes a second, truth ~.1f %, sampled ~.1f % of ~b samples",
           [PerSecond, Truth, Sampled, length(Samples)]),
    ?assert(Lost < length(Samples)),
    ?assert(length(Samples) > 1000),
    ?assert(abs(Truth - Sampled) =< ?POINTS).

%% --- dirty schedulers, waiting ----------------------------------------------------------

it_sees_dirty_nifs(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    {Pid, Truth} = run_dirty(3000),
    {ok, #{cpu := #{ring_full := Lost}}} = flame_prof_case:stop(),
    Samples = [S || #{status := nif} = S <- of_process(Pid, cpu_samples(Config))],
    %% Where who writes is kept from running for half a second, some are lost, and told.
    LostNs = Lost * 1000000000 div ?RATE_HZ,
    ct:pal("~b samples, ~b ms and ~b ms lost of ~b ms",
           [length(Samples), cpu_ns(Samples) div 1000000, LostNs div 1000000, Truth div 1000000]),
    ?assert(abs(cpu_ns(Samples) + LostNs - Truth) < 0.1 * Truth + 50000000),
    ?assertEqual([], [S || S <- Samples, not has_function(<<"walker_test_nif:spin_dirty/1">>, S)]),
    Whole = [S || S <- Samples, has_function(<<"cpu_SUITE:dirty/1">>, S)],
    ?assert(length(Whole) >= 0.97 * length(Samples)).

%% Gives the process, and the CPU time of the dirty schedulers meanwhile: however much a
%% busy machine leaves them.
run_dirty(Ms) ->
    Before = dirty_cpu_ns(),
    Pid = flame_prof_case:spawned(fun() -> dirty(Ms), receive stop -> ok end end),
    flame_prof_case:eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {Pid, dirty_cpu_ns() - Before}.

dirty_cpu_ns() ->
    lists:sum([begin
                   {ok, Text} = file:read_file(Task ++ "/schedstat"),
                   binary_to_integer(hd(binary:split(Text, <<" ">>)))
               end || Task <- filelib:wildcard("/proc/self/task/*"), is_dirty_cpu(Task)]).

is_dirty_cpu(Task) ->
    {ok, Name} = file:read_file(Task ++ "/comm"),
    re:run(Name, "dirty_cpu|dcpus") =/= nomatch.

dirty(Ms) ->
    Result = walker_test_nif:spin_dirty(Ms),
    {done, Result}.

%% Nothing to do is no work: in a VM that is made to spin for long, nearly all of an
%% idle scheduler's time is told as waiting, and next to nothing as a process's.
it_never_shows_waiting_as_work(Config) ->
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                 args => ["+sbwt", "very_long", "+swt", "very_low", "-pa" | paths()]}),
    Directory = filename:join(?config(priv_dir, Config), "spinning"),
    Samples = peer:call(Peer, ?MODULE, spinning_run, [Directory], 600000),
    peer:stop(Peer),
    All = cpu_ns(Samples),
    Of = fun(States) -> cpu_ns([S || #{status := State} = S <- Samples, lists:member(State, States)]) end,
    ct:pal("~b ms of CPU: ~p", [All div 1000000, state_counts(Samples)]),
    case All > 100000000 of
        true ->
            ?assert(Of([busy_wait]) > 0.5 * All),
            ?assert(Of([busy_wait, scheduling, check_io, timers, aux]) > 0.8 * All);
        false ->
            {skip, lists:flatten(io_lib:format("the VM did not spin: ~b ms of CPU", [All div 1000000]))}
    end.

%% What wakes a scheduler now and then keeps it spinning; until that was seen for a while,
%% where the machine has little to give.
spinning_run(Directory) ->
    {ok, _} = flame_prof:start(#{basename => Directory, auto_select => none,
                                 cpu_sampling => #{rate => ?RATE_HZ}}),
    Wakers = [spawn_opt(fun wake_often/0, [link, {scheduler, N}])
              || N <- lists:seq(1, erlang:system_info(schedulers_online))],
    spun(60),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Wakers],
    {ok, _} = flame_prof_case:stop(),
    lists:append([maps:get(samples, perf_script_reader:read(File))
                  || File <- filelib:wildcard(filename:join(Directory, "flame_prof_cpu-*.perf"))]).

spun(0) ->
    ok;
spun(Seconds) ->
    receive after 4000 -> ok end,
    case flame_prof:info() of
        #{cpu := #{samples := Count}} when Count >= 100 -> ok;
        _ -> spun(Seconds - 4)
    end.

wake_often() -> receive after 1 -> wake_often() end.

%% Who asks how much memory there is has every scheduler sum up its own between two
%% processes: told as such where the VM exports what does such jobs, as scheduling where it
%% hides it. The VM's own account of it says how much there is.
it_tells_aux_work_from_scheduling(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}, auto_select => none}),
    _ = erlang:system_flag(microstate_accounting, reset),
    _ = erlang:system_flag(microstate_accounting, true),
    Askers = [spawn_opt(fun ask_for_memory/0, [link, {scheduler, N}])
              || N <- lists:seq(1, erlang:system_info(schedulers_online))],
    flame_prof_case:eventually(fun() ->
                                   #{cpu := #{samples := Count}} = flame_prof:info(), Count > 1000
                               end, 120000),
    Accounts = erlang:statistics(microstate_accounting),
    _ = erlang:system_flag(microstate_accounting, false),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Askers],
    {ok, _} = flame_prof_case:stop(),
    Samples = cpu_samples(Config),
    Of = fun(States) -> cpu_ns([S || #{status := State} = S <- Samples, lists:member(State, States)]) end,
    Sampled = 100 * Of([aux]) / cpu_ns(Samples),
    Truth = aux_percent(Accounts),
    ct:pal("aux ~.1f % by the VM's account, sampled ~.1f %~n~p", [Truth, Sampled, state_counts(Samples)]),
    ?assert(Truth > 3),
    %% All these are exported together, or not at all.
    case [S || S <- Samples, has_function(<<"erts_schedule">>, S)] of
        [] ->
            ?assertEqual(0, Of([aux])),
            ?assert(100 * Of([scheduling, busy_wait]) / cpu_ns(Samples) > Truth / 2);
        _ ->
            ?assert(Sampled > Truth / 2 andalso Sampled < Truth * 3, {Truth, Sampled}),
            ?assertEqual([], [S || #{status := aux, number := Number} = S <- Samples, Number =/= 0])
    end.

ask_for_memory() -> _ = erlang:memory(), ask_for_memory().

%% Of what the schedulers did not sleep.
aux_percent(Accounts) ->
    Counters = [Counters || #{type := scheduler, counters := Counters} <- Accounts],
    Sum = fun(Without) -> lists:sum([lists:sum(maps:values(maps:without(Without, C))) || C <- Counters]) end,
    100 * (Sum([sleep]) - Sum([sleep, aux])) / Sum([sleep]).

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
        {ok, _} = flame_prof_walker:close(Handle, 5000, <<"complete">>),
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
    {ok, #{cpu := #{ring_full := Lost}}} = flame_prof_walker:close(Later, 5000, <<"complete">>),
    Earlier ! stop,
    flame_prof_case:end_all([Load]),
    ?assertEqual(0, Lost).

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
                                               cpu_sampling => #{rate => ?RATE_HZ}}),
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
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ},
                              auto_select => #{by => cpu, count => 1, interval => 500}}),
    flame_prof_case:eventually(fun() -> flame_prof_case:selected() =:= [Burner] end),
    #{samples := Before} = flame_prof:info(),
    flame_prof_case:eventually(fun() ->
        #{samples := Count} = flame_prof:info(), Count > 50 + Before
    end),
    {ok, #{files := Files}} = flame_prof_case:stop(),
    Samples = lists:append([maps:get(samples, perf_script_reader:read(File)) || File <- Files]),
    Burned = length(of_process(Burner, Samples)),
    ct:pal("~b of ~b samples, ~b of who only counts", [Burned, length(Samples),
                                                       length(of_process(Bumper, Samples))]),
    ?assert(Burned > 0.7 * length(Samples)),
    ?assertEqual([], of_process(Bumper, Samples)).

it_refuses_to_select_by_what_is_not_sampled(Config) ->
    {error, {bad_option, Line}} = start(Config, #{cpu_sampling => false,
                                                  auto_select => #{by => cpu}}),
    ?assertNotEqual(nomatch, binary:match(Line, <<"cpu_sampling">>)).

burn_in_c() -> _ = walker_test_nif:compute(300000), burn_in_c().

bump() -> erlang:bump_reductions(4000), receive after 5 -> bump() end.

%% --- the profiler itself -----------------------------------------------------------------------

%% Whatever the session does is marked at the root, and nothing else is.
it_marks_its_own_work(Config) ->
    {ok, Session} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
    Deadline = erlang:monotonic_time(millisecond) + 100000,
    keep_busy(Session, Deadline),
    _ = cpu_load:run(300, [arithmetic_part]),
    {ok, _} = flame_prof_case:stop(),
    Samples = cpu_samples(Config),
    Own = of_process(Session, Samples),
    ?assertMatch([_ | _], Own),
    ?assertEqual([], [S || S <- Own, not is_marked(S)]),
    ?assertEqual([], [S || S <- Samples, is_marked(S), has_function(<<"cpu_load:arithmetic_part/1">>, S)]).

is_marked(#{frames := Frames}) -> element(1, lists:last(Frames)) =:= <<"[flame_prof]">>.

%% Until it has used so much CPU time that it must have been seen.
keep_busy(Session, Deadline) ->
    _ = [flame_prof:info() || _ <- lists:seq(1, 100)],
    {reductions, Reductions} = process_info(Session, reductions),
    Reductions > 5000000 orelse erlang:monotonic_time(millisecond) > Deadline
        orelse keep_busy(Session, Deadline).

%% --- armed --------------------------------------------------------------------------------------

it_keeps_samples_when_armed(Config) ->
    {ok, _} = arm(Config, #{keep => 60}),
    ok = flame_prof:profile_start(),
    {Pid, #{arithmetic_part := TruthNs}} = cpu_load:run(1500, [arithmetic_part]),
    ?assertEqual([], cpu_files(Config)),
    flame_prof_case:eventually(fun() -> kept(kept_ms) > 500 end),
    {ok, File} = flame_prof:dump(#{note => "by hand"}),
    ?assertEqual(nomatch, string:find(File, "flame_prof_cpu-")),
    [First] = cpu_files(Config),
    #{samples := Samples, comments := Comments} = perf_script_reader:read(First),
    ?assertMatch(#{<<"trigger">> := <<"on_call">>, <<"end">> := <<"complete">>}, Comments),
    ?assert(abs(cpu_ns(of_process(Pid, Samples)) / TruthNs - 1) < 0.1),
    %% And not again.
    {Next, _} = cpu_load:run(500, [arithmetic_part]),
    {ok, _} = flame_prof:dump(),
    [First, Second] = cpu_files(Config),
    #{samples := Later} = perf_script_reader:read(Second),
    ?assertEqual([], of_process(Pid, Later)),
    ?assertMatch([_ | _], of_process(Next, Later)),
    {ok, _} = flame_prof:disarm().

it_keeps_no_more_than_there_is_room_for(Config) ->
    {ok, _} = arm(Config, #{keep => 600, keep_bytes => 1024 * 1024}),
    Deep = flame_prof_case:spawned(fun() -> burn_deep(200) end),
    flame_prof_case:eventually(fun() -> kept(dropped_early) > 0 end),
    ?assert(kept(kept_bytes) =< 1024 * 1024),
    flame_prof_case:end_all([Deep]),
    {ok, _} = flame_prof:dump(),
    [File] = cpu_files(Config),
    #{samples := Samples, comments := Comments} = perf_script_reader:read(File),
    ?assert(length(Samples) > 50),
    ?assert(binary_to_integer(maps:get(<<"dump_dropped_early">>, Comments)) > 0),
    {ok, _} = flame_prof:disarm().

%% Nobody is selected: the one file there is.
it_dumps_what_the_schedulers_ran_alone(Config) ->
    {ok, _} = arm(Config, #{auto_select => none}),
    _ = cpu_load:run(300, [arithmetic_part]),
    flame_prof_case:eventually(fun() -> kept(kept_bytes) > 0 end),
    {ok, File} = flame_prof:dump(),
    ?assertEqual([File], cpu_files(Config)),
    {ok, _} = flame_prof:disarm().

arm(Config, Options) ->
    flame_prof:arm(maps:merge(flame_prof_case:options(Config, #{cpu_sampling => #{rate => ?RATE_HZ}}),
                              Options)).

kept(Key) -> maps:get(Key, maps:get(cpu, flame_prof:info())).

burn_deep(0) -> _ = burn_in_c(), 0;
burn_deep(Frames) -> 1 + burn_deep(Frames - 1).

%% --- where signals are refused ---------------------------------------------------------------

%% From a thread of our own: which process, how much, and roughly where; told as
%% approximate everywhere.
it_watches_when_it_may_not_signal(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ, method => foreign}}),
    {Pid, Truth} = cpu_load:run(4000, [lists_part, arithmetic_part, gc_part]),
    {ok, #{cpu := Cpu}} = flame_prof_case:stop(),
    ct:pal("~p", [Cpu]),
    ?assertMatch(#{method := foreign, approximate := true, handler_median_ns := 0}, Cpu),
    All = cpu_samples(Config),
    Samples = of_process(Pid, All),
    ct:pal("~b samples: ~p", [length(Samples), state_counts(Samples)]),
    ?assert(abs(cpu_ns(Samples) / lists:sum(maps:values(Truth)) - 1) < 0.2),
    ?assertEqual([], maps:keys(state_counts(Samples)) -- [running, gc_minor, gc_major, exiting]),
    ?assertEqual([], [S || #{frames := [{Leaf, _} | _]} = S <- Samples,
                           Leaf =/= <<"[on a scheduler, stack may lag]">>]),
    Placed = [S || #{frames := Frames} = S <- Samples,
                   [] =/= [F || {<<"cpu_load:-run/2-fun-", _/binary>> = F, _} <- Frames]],
    ?assert(length(Placed) > 0.7 * length(Samples), {length(Placed), length(Samples)}),
    [File] = cpu_files(Config),
    #{comments := Comments} = perf_script_reader:read(File),
    ?assertMatch(#{<<"cpu_method">> := <<"foreign, approximate">>}, Comments).

it_watches_dirty_nifs(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => ?RATE_HZ, method => foreign}}),
    {Pid, Truth} = run_dirty(1500),
    {ok, _} = flame_prof_case:stop(),
    Samples = [S || #{status := nif} = S <- of_process(Pid, cpu_samples(Config))],
    ct:pal("~b samples, ~b ms of ~b ms", [length(Samples), cpu_ns(Samples) div 1000000, Truth div 1000000]),
    %% What ran between two looks, and not at a look, is counted to who is seen next.
    ?assert(abs(cpu_ns(Samples) - Truth) < 0.2 * Truth + 100000000),
    ?assertEqual([], [S || S <- Samples, not has_function(<<"walker_test_nif:spin_dirty/1">>, S)]).

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
    refused_samples(erlang:monotonic_time(millisecond) + 200000),
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
                                         cpu_sampling => #{rate => ?RATE_HZ}}),
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
    %% After a few, and what came in before they were looked at.
    ?assertEqual([], [Result || {_, {Mismatches, Ends}} = Result <- Results,
                                Ends =/= [<<"registers contradict the VM's data">>]
                                    orelse Mismatches =< 5 orelse Mismatches > 100]).

%% Erlang code, and C code that is called with the stack in a register only.
with_roles(Config, Roles) ->
    Handle = open_tier(Config, "roles", #{register_roles => Roles}),
    Load = spawn_link(fun() -> compare_and_count(lists:seq(1, 50000), lists:seq(1, 50000)) end),
    until_ended(Handle, erlang:monotonic_time(millisecond) + 120000),
    unlink(Load),
    exit(Load, kill),
    {ok, #{cpu := #{register_mismatches := Mismatches}}} =
        flame_prof_walker:close(Handle, 5000, <<"complete">>),
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
    ?assertEqual([], cpu_files(Config)).

it_refuses_wrong_rates(Config) ->
    [begin
         {error, {bad_option, Line}} = start(Config, #{cpu_sampling => Wrong}),
         ?assertEqual(nomatch, binary:match(Line, <<"\n">>)),
         ?assertNotEqual(nomatch, binary:match(Line, <<"cpu_sampling">>))
     end || Wrong <- [yes, 99, #{rate => 0}, #{rate => 100000}, #{hz => 99}, #{rate => 1.5},
                  #{method => timer}]].

%% Above the kernel's tick: perf events, or the reason why not.
it_samples_above_the_tick_where_it_may(Config) ->
    {ok, _} = start(Config, #{cpu_sampling => #{rate => 997}}),
    case flame_prof:info() of
        #{cpu := #{off := Why}} ->
            {skip, binary_to_list(Why)};
        #{cpu := _} ->
            {Pid, #{arithmetic_part := TruthNs}} = cpu_load:run(2000, [arithmetic_part]),
            {ok, #{cpu := #{ring_full := Lost}}} = flame_prof_case:stop(),
            Samples = of_process(Pid, cpu_samples(Config)),
            ct:pal("~b samples and ~b lost of ~.2f s", [length(Samples), Lost, TruthNs / 1.0e9]),
            ?assert(length(Samples) + Lost > 0.9 * TruthNs / 1.0e9 * 997)
    end.

%% The sums in the footer are those of the samples.
it_adds_up(Config) ->
    {ok, _} = start(Config, #{}),
    _ = cpu_load:run(2000, cpu_load:parts()),
    {ok, #{cpu := #{samples := Count}}} = flame_prof_case:stop(),
    [File] = cpu_files(Config),
    #{samples := Samples, comments := Comments} = perf_script_reader:read(File),
    ?assertEqual(Count, length(Samples)),
    ?assertEqual([<<"beam-cpu">>], lists:usort([Event || #{event := Event} <- Samples])),
    Total = cpu_ns(Samples),
    ?assertEqual(<<"complete">>, maps:get(<<"end">>, Comments)),
    ?assertEqual(integer_to_binary(Total), maps:get(<<"period_total_ns">>, Comments)),
    Sum = lists:sum([Delta || #{metrics := #{<<"erlang_cpu_ns">> := {_, Delta}}} <- Samples]),
    ?assertEqual(Total, Sum).
