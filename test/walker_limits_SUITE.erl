%% SPDX-License-Identifier: Apache-2.0
%% The walker tier harms nobody whom it looks at, and knows its limits. Whatever changes a
%% whole VM (fault handlers, seccomp) happens in a VM of its own.
-module(walker_limits_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [start/2, directory/1, samples/1, eventually/1, ticks/1, now_us/0,
                          of_process/2, spawned/1, idle/0, deep/1, watch/1]).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [{group, harmless}, {group, limits}].

groups() ->
    [{harmless, [], cases("harmless_")}, {limits, [], cases("limit_")}].

cases(Prefix) ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), lists:prefix(Prefix, atom_to_list(Name))].

init_per_suite(Config) ->
    case flame_prof_case:init_tier(walker, Config) of
        {skip, _} = Skip -> Skip;
        Begun -> [{test_nif, test_nif(Config)} | Begun]
    end.

test_nif(Config) ->
    case walker_test_nif:build(cpu_case:nif_source(Config), ?config(priv_dir, Config)) of
        {ok, Path} ->
            ok = walker_test_nif:load(Path),
            {ok, Path};
        {error, _} = Error ->
            Error
    end.

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers().

%% --- nobody is harmed ---------------------------------------------------------------

%% A process that waits does not notice: not a single reduction, message or trace
%% event, and nobody asks process_info/2 about it.
harmless_to_a_waiting_process(Config) ->
    Pid = deep(20),
    {ok, _} = start(Config, #{}),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    %% The session monitors who is watched explicitly: one signal, once.
    watch(Pid),
    ticks(5),
    1 = erlang:trace(Pid, true, [running, 'receive', send, procs, garbage_collection]),
    _ = erlang:trace(all, true, [call]),
    _ = erlang:trace(self(), false, [call]),
    _ = erlang:trace_pattern({erlang, process_info, 2}, true, []),
    {reductions, Before} = process_info(Pid, reductions),
    ticks(150),
    {reductions, After} = process_info(Pid, reductions),
    _ = erlang:trace_pattern({erlang, process_info, 2}, false, []),
    _ = erlang:trace(all, false, [call]),
    1 = erlang:trace(Pid, false, [all]),
    {ok, Summary} = flame_prof_case:stop(),
    Trace = traced(Pid),
    ?assertEqual(Before, After),
    ?assertEqual([], Trace),
    ?assert(length(of_process(Pid, samples(Summary))) + flame_prof_case:lost(Summary) >= 100).

%% One that is selected gets no signal whatsoever.
harmless_to_a_selected_process(Config) ->
    Pid = deep(20),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {reductions, Before} = process_info(Pid, reductions),
    {ok, _} = start(Config, #{auto_select => {top, 10000, 100}}),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 500 end),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertEqual({reductions, Before}, process_info(Pid, reductions)),
    Own = of_process(Pid, samples(Summary)),
    ?assertMatch([_, _ | _], Own),
    ?assertEqual([Before], lists:usort([R || #{metrics := #{<<"erlang_reductions">> := {R, _}}} <- Own])).

traced(Pid) ->
    receive
        {trace, Pid, _, _} = Event -> [Event | traced(Pid)];
        {trace, Pid, _, _, _} = Event -> [Event | traced(Pid)];
        {trace, _, call, {erlang, process_info, [Pid | _]}} = Event -> [Event | traced(Pid)];
        {trace, _, call, {erlang, process_info, _}} -> traced(Pid)
    after 200 -> []
    end.

harmless_to_a_queue_of_a_million_messages(Config) ->
    Pid = spawn_opt(fun() -> receive stop -> ok end end, [link, {message_queue_data, off_heap}]),
    [Pid ! {unread, N} || N <- lists:seq(1, 1000000)],
    {message_queue_len, 1000000} = process_info(Pid, message_queue_len),
    {ok, _} = start(Config, #{}),
    watch(Pid),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    ticks(5),
    {reductions, Before} = process_info(Pid, reductions),
    BeforeNs = walker_cpu_ns(),
    Ticks = ticks(100),
    UsedNs = walker_cpu_ns() - BeforeNs,
    {reductions, After} = process_info(Pid, reductions),
    {ok, Summary} = flame_prof_case:stop(),
    unlink(Pid),
    exit(Pid, kill),
    ?assertEqual(Before, After),
    Samples = of_process(Pid, samples(Summary)),
    ?assert(length(Samples) + flame_prof_case:lost(Summary) >= 90),
    ?assertEqual([1000000], lists:usort([N || #{metrics := #{<<"erlang_message_queue_len">> := {N, _}}}
                                                  <- Samples])),
    %% Nor did the walker go through all of them, which takes some 50 ms.
    ct:pal("~b us of CPU in ~b ticks", [UsedNs div 1000, Ticks]),
    ?assert(UsedNs < Ticks * 10000000).

walker_cpu_ns() ->
    [Stat] = [Stat || Task <- filelib:wildcard("/proc/self/task/*"),
                      {ok, <<"flame_prof_walk", _/binary>>} <- [file:read_file(Task ++ "/comm")],
                      {ok, Stat} <- [file:read_file(Task ++ "/schedstat")]],
    binary_to_integer(hd(binary:split(Stat, <<" ">>))).

harmless_to_a_process_in_a_dirty_nif(Config) ->
    spinning(Config, fun() -> walker_test_nif:spin_dirty(6000) end).

harmless_to_a_process_that_does_not_yield(Config) ->
    spinning(Config, fun() -> [walker_test_nif:spin(300) || _ <- lists:seq(1, 5)] end).

spinning(Config, Fun) ->
    case ?config(test_nif, Config) of
        {ok, _} ->
            Test = self(),
            {ok, _} = start(Config, #{}),
            Pid = spawned(fun() ->
                              receive go -> ok end,
                              Us = now_us(),
                              _ = Fun(),
                              Test ! {spun, Us, now_us()},
                              receive stop -> ok end
                          end),
            watch(Pid),
            ticks(2),
            Pid ! go,
            %% The session answers all the time.
            Heart = flame_prof_case:heart(),
            {Began, Ended, Longest} = answers(0),
            {AwayUs, _} = flame_prof_case:held_up(Heart),
            {ok, Summary} = flame_prof_case:stop(),
            Samples = [S || #{time_us := T} = S <- of_process(Pid, samples(Summary)),
                            T > Began, T < Ended],
            Running = [S || #{status := running} = S <- Samples],
            ct:pal("took ~b us, ~b samples, ~b running, longest answer ~b us",
                   [Ended - Began, length(Samples), length(Running), Longest]),
            %% However many there are on a busy machine.
            ?assert(length(Running) > 5),
            ?assert(length(Running) >= 0.6 * length(Samples)),
            %% Who waited for it would do so until it is through.
            ?assert(Longest < 4000000 + 2 * AwayUs),
            %% The NIF is seen, or its caller at least: the stack is the last one left.
            [#{frames := Frames} | _] = lists:reverse(Running),
            ?assert(lists:any(fun({Name, _}) -> binary:match(Name, atom_to_binary(?MODULE)) =/= nomatch end,
                              Frames));
        {error, Why} ->
            {skip, Why}
    end.

answers(Longest) ->
    receive
        {spun, Began, Ended} -> {Began, Ended, Longest}
    after 20 ->
        {Us, #{}} = timer:tc(fun() -> flame_prof:info() end),
        answers(max(Us, Longest))
    end.

harmless_to_a_suspended_process(Config) ->
    Pid = deep(10),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {ok, _} = start(Config, #{}),
    watch(Pid),
    ticks(5),
    true = erlang:suspend_process(Pid),
    eventually(fun() -> process_info(Pid, status) =:= {status, suspended} end),
    {reductions, Before} = process_info(Pid, reductions),
    %% Who looked before may not have told when.
    ticks(2),
    Began = now_us(),
    ticks(50),
    ?assertEqual({status, suspended}, process_info(Pid, status)),
    {reductions, After} = process_info(Pid, reductions),
    Ended = now_us(),
    true = erlang:resume_process(Pid),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertEqual(Before, After),
    Samples = [S || #{time_us := T} = S <- of_process(Pid, samples(Summary)), T >= Began, T < Ended],
    ?assert(length(Samples) + flame_prof_case:lost(Summary) >= 40),
    ?assertEqual([suspended], lists:usort([Status || #{status := Status} <- Samples])).

%% --- limits -------------------------------------------------------------------------

%% Whatever is opened and started ends with the session, many times over.
limit_nothing_is_left_after_300_sessions(Config) ->
    Cycle = fun() ->
                {ok, _} = start(Config, #{auto_select => {top, 10, 100}}),
                {ok, _} = flame_prof_case:stop()
            end,
    [Cycle() || _ <- lists:seq(1, 30)],
    garbage_collect(),
    Before = {threads(), open_files(), fault_handler(Config)},
    RssBefore = rss_kb(),
    [Cycle() || _ <- lists:seq(1, 300)],
    eventually(fun() -> {threads(), open_files(), fault_handler(Config)} =:= Before end),
    Growth = rss_kb() - RssBefore,
    ct:pal("~b kB more after 300 sessions", [Growth]),
    ?assert(is_sanitized() orelse Growth < 20000).

limit_the_owner_is_killed(Config) ->
    Before = {threads(), open_files(), fault_handler(Config)},
    {ok, Session} = start(Config, #{}),
    Pid = idle(),
    watch(Pid),
    eventually(fun() -> maps:get(samples, flame_prof:info()) >= 10 end),
    exit(Session, kill),
    eventually(fun() -> {threads(), open_files(), fault_handler(Config)} =:= Before end),
    [File] = eventually(fun() -> case flame_prof_file:finished(directory(Config)) of
                                     [] -> false;
                                     Files -> Files
                                 end end),
    #{comments := #{<<"end">> := <<"owner process died">>}, samples := [_, _ | _]} =
        perf_script_reader:read(File).

limit_one_session_at_a_time(Config) ->
    {ok, Session} = start(Config, #{}),
    ?assertEqual({error, {already_started, Session}}, start(Config, #{})),
    ticks(5),
    {ok, _} = flame_prof_case:stop().

threads() -> entries("/proc/self/task").

open_files() -> entries("/proc/self/fd").

entries(Directory) ->
    {ok, Names} = file:list_dir(Directory),
    length(Names).

fault_handler(Config) ->
    case ?config(test_nif, Config) of
        {ok, _} -> walker_test_nif:fault_handler();
        {error, _} -> unknown
    end.

rss_kb() ->
    {ok, Text} = file:read_file("/proc/self/status"),
    {match, [Kb]} = re:run(Text, "VmRSS:\\s*([0-9]+)", [{capture, all_but_first, binary}]),
    binary_to_integer(Kb).

is_sanitized() ->
    string:find(os:getenv("LD_PRELOAD", ""), "asan") =/= nomatch.

%% In another VM.

limit_a_handler_that_was_there_before(Config) ->
    in_peer(Config, before_start, handler_before).

limit_a_handler_that_comes_during_the_run(Config) ->
    in_peer(Config, none, handler_during).

limit_process_vm_readv_is_refused(Config) ->
    in_peer(Config, none, readv_refused).

limit_neither_reader_is_allowed(Config) ->
    in_peer(Config, none, nothing_allowed).

limit_the_library_is_replaced(Config) ->
    in_peer(Config, none, reloaded).

limit_the_disk_is_full(Config) ->
    Directory = directory(Config),
    ok = filelib:ensure_path(Directory),
    case mounted("mount -t tmpfs -o size=300k flame_prof_test " ++ Directory) of
        ok ->
            try
                full_disk(Config, Directory)
            after
                _ = flame_prof_case:stop(),
                os:cmd("umount -l " ++ Directory)
            end;
        Why ->
            {skip, "no small file system: " ++ Why}
    end.

mounted(Command) ->
    case os:cmd(Command ++ " && echo mounted") of
        "mounted" ++ _ -> ok;
        Why -> string:trim(Why)
    end.

full_disk(Config, Directory) ->
    Pids = [deep(30) || _ <- lists:seq(1, 20)],
    {ok, Session} = start(Config, #{sample_interval => 2, process_interval => 10}),
    [watch(Pid) || Pid <- Pids],
    Why = eventually(fun() -> case flame_prof:info() of
                                  #{failing := true, last_error := Reason} -> Reason;
                                  #{} -> false
                              end end),
    ct:pal("~ts", [Why]),
    ?assertMatch({match, _}, re:run(Why, "^[^\n]*No space left on device[^\n]*$")),
    #{samples := Written, losses := #{write_failed := Lost}} = flame_prof:info(),
    ?assert(Written > 0),
    ?assert(Lost > 0),
    ok = mounted("mount -o remount,size=64m " ++ Directory),
    eventually(fun() -> #{samples := Now, failing := Failing} = flame_prof:info(),
                        not Failing andalso Now > Written + 100 end),
    ?assertEqual(Session, whereis(flame_prof)),
    {ok, #{samples := Samples, files := Files} = Summary} = flame_prof_case:stop(),
    ct:pal("~p", [Summary]),
    %% Everything that reached the disk is there, and counts.
    ?assertMatch([_, _ | _], Files),
    Read = [perf_script_reader:read(File) || File <- Files],
    ?assertEqual(Samples, lists:sum([length(S) || #{samples := S} <- Read])),
    ?assertEqual([], [Name || Name <- element(2, file:list_dir(Directory)), hd(Name) =:= $.]).

in_peer(Config, Handler, Scenario) ->
    case ?config(test_nif, Config) of
        {ok, Nif} ->
            To = filename:join([?config(priv_dir, Config),
                                "copy_" ++ atom_to_list(?config(case_name, Config)), "flame_prof"]),
            Copy = filename:join(flame_prof_case:library_copy(To), "ebin"),
            {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                         args => ["-pa", Copy, filename:absname(filename:dirname(code:which(?MODULE)))]}),
            Result = peer:call(Peer, ?MODULE, peer_scenario,
                               [Nif, Handler, Scenario, directory(Config), Copy], 600000),
            peer:stop(Peer),
            case Result of
                {skip, _} -> Result;
                ok -> ok
            end;
        {error, Why} ->
            {skip, Why}
    end.

peer_scenario(Nif, Handler, Scenario, Directory, Ebin) ->
    ok = walker_test_nif:load(Nif),
    _ = Handler =:= before_start andalso walker_test_nif:take_faults(),
    Result = ?MODULE:Scenario(#{basename => Directory, auto_select => none}, Ebin),
    case Result of
        {skip, _} -> Result;
        _ -> ok
    end.

handler_before(Options, _) ->
    {error, {refused, Why}} = flame_prof:start(Options#{tier => walker, reader => guarded_load}),
    one_line(Why),
    {match, _} = re:run(Why, "another library handles SIGSEGV"),
    {ok, _} = flame_prof:start(Options#{tier => auto}),
    #{tier := walker, reader := process_vm_readv} = flame_prof:info(),
    sampled_on(),
    1 = walker_test_nif:fault(),
    {ok, _} = flame_prof_case:stop(),
    2 = walker_test_nif:fault(),
    ours = walker_test_nif:fault_handler().

handler_during(Options, _) ->
    {ok, _} = flame_prof:start(Options),
    case flame_prof:info() of
        #{tier := walker, reader := guarded_load} ->
            sampled_on(),
            ok = walker_test_nif:take_faults(),
            eventually(fun() -> maps:get(reader, flame_prof:info()) =:= process_vm_readv end),
            sampled_on(),
            1 = walker_test_nif:fault(),
            %% Whoever was there before is there again, and may be used again.
            ok = walker_test_nif:give_faults_back(),
            sampled_on(),
            {ok, #{losses := #{unreadable := 0}}} = flame_prof_case:stop(),
            default = walker_test_nif:fault_handler(),
            {ok, _} = flame_prof:start(Options),
            #{reader := guarded_load} = flame_prof:info(),
            {ok, _} = flame_prof_case:stop();
        #{reader := Reader} ->
            {skip, lists:concat(["the reader is ", Reader, " to begin with"])}
    end.

readv_refused(Options, _) ->
    case walker_test_nif:refuse_readv() of
        ok ->
            {error, {refused, Why}} = flame_prof:start(Options#{tier => walker,
                                                                reader => process_vm_readv}),
            one_line(Why),
            {match, _} = re:run(Why, "process_vm_readv.*seccomp"),
            case walker_test_nif:fault_handler() of
                default ->
                    {ok, _} = flame_prof:start(Options),
                    #{tier := walker, reader := guarded_load} = flame_prof:info(),
                    sampled_on(),
                    %% Now there is no way left: the portable tier goes on.
                    ok = walker_test_nif:take_faults(),
                    eventually(fun() -> maps:get(tier, flame_prof:info()) =:= portable end),
                    #{tier_reason := Reason} = flame_prof:info(),
                    one_line(Reason),
                    sampled_on(),
                    {ok, _} = flame_prof_case:stop();
                _ ->
                    {ok, _} = flame_prof:start(Options),
                    #{tier := portable} = flame_prof:info(),
                    {ok, _} = flame_prof_case:stop()
            end;
        Other ->
            {skip, lists:concat(["seccomp: ", Other])}
    end.

nothing_allowed(Options, _) ->
    case walker_test_nif:refuse_readv() of
        ok ->
            ok = walker_test_nif:take_faults(),
            {ok, _} = flame_prof:start(Options#{tier => auto}),
            #{tier := portable, tier_reason := Reason} = flame_prof:info(),
            one_line(Reason),
            {match, _} = re:run(Reason, "^walker refused: .*process_vm_readv.*seccomp"),
            sampled_on(),
            {ok, #{samples := Samples}} = flame_prof_case:stop(),
            true = Samples > 0,
            {error, {refused, Why}} = flame_prof:start(Options#{tier => walker}),
            one_line(Why);
        Other ->
            {skip, lists:concat(["seccomp: ", Other])}
    end.

%% Another file of the same name, as an upgrade brings it.
reloaded(Options, Ebin) ->
    {ok, Session} = flame_prof:start(Options#{tier => walker}),
    sampled_on(),
    replace_library(Ebin),
    code:purge(flame_prof_nif),
    {error, on_load_failure} = code:load_file(flame_prof_nif),
    ok = flame_prof_nif:loaded(),
    sampled_on(),
    Session = whereis(flame_prof),
    {ok, #{tier := walker}} = flame_prof_case:stop(),
    code:purge(flame_prof_nif),
    {module, flame_prof_nif} = code:load_file(flame_prof_nif),
    code:purge(flame_prof_nif),
    ok = flame_prof_nif:loaded(),
    {ok, _} = flame_prof:start(Options#{tier => walker}),
    sampled_on(),
    %% Again, by the same file: that is refused as well.
    {error, on_load_failure} = code:load_file(flame_prof_nif),
    sampled_on(),
    {ok, #{tier := walker, samples := Samples}} = flame_prof_case:stop(),
    true = Samples > 0.

replace_library(Ebin) ->
    Library = filename:join([filename:dirname(Ebin), "priv", "flame_prof_nif.so"]),
    {ok, _} = file:copy(Library, Library ++ ".new"),
    ok = file:rename(Library ++ ".new", Library).

%% More samples than a moment before.
sampled_on() ->
    watch(whereis(init)),
    #{samples := Before} = flame_prof:info(),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > Before end).

one_line(Text) ->
    nomatch = binary:match(Text, <<"\n">>),
    true = byte_size(Text) < 400.
