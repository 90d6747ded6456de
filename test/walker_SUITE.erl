%% SPDX-License-Identifier: Apache-2.0
%% The walker tier: it sees what process_info/2 says and samples what it promises, by either
%% way to read.
-module(walker_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [start/2, directory/1, samples/1, eventually/1, ticks/1, now_us/0,
                          of_process/2, spawned/1, idle/0, hogs/1, deep/1, end_all/1,
                          burn_ticks/1, lost/1, heart/0, held_up/1, watch/1]).

-define(READERS, [guarded_load, process_vm_readv]).
-define(VERIFICATION, flame_prof_verification).
-define(TICK_US, 9000).
%% A CPU may be somebody else's for a while.
-define(LATE_US, 100000).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [{group, Group} || {Group, _, _} <- groups()].

groups() ->
    [{Reader, [], cases("equals_") ++ cases("sampling_")} || Reader <- ?READERS].

cases(Prefix) ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), lists:prefix(Prefix, atom_to_list(Name))].

init_per_suite(Config) ->
    flame_prof_case:init_tier(walker, Config).

end_per_suite(_) ->
    ok.

init_per_group(Reader, Config) ->
    case flame_prof_nif:open_probe(Reader) of
        {ok, Probe} ->
            flame_prof_nif:close_probe(Probe),
            [{reader, Reader} | Config];
        {error, {_, Why}} ->
            {skip, binary_to_list(Why)}
    end.

end_per_group(_, _) ->
    ok.

init_per_testcase(Case, Config) ->
    {ok, Probe} = flame_prof_nif:open_probe(?config(reader, Config)),
    {ok, Layout} = flame_prof_calibration:layout(Probe, erlang:system_info(otp_release)),
    {ok, _} = flame_prof_nif:load_code(Probe),
    Name = list_to_atom(lists:concat([?config(reader, Config), "_", Case])),
    [{case_name, Name}, {probe, Probe}, {layout, Layout} | Config].

end_per_testcase(_, Config) ->
    _ = flame_prof_case:stop(),
    flame_prof_nif:close_probe(?config(probe, Config)),
    flame_prof_case:end_leftovers().

session(Config, Options) ->
    start(Config, Options#{reader => ?config(reader, Config)}).

watch(Pid, Status) ->
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => Status}).

unwatch(Pid) ->
    ok = flame_prof_session:unwatch(Pid, profile).

%% --- equal to process_info/2 --------------------------------------------------------

equals_300_processes_of_mixed_shapes(Config) ->
    Pids = ?VERIFICATION:plant(320),
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    Differences = differences(Config, Pids),
    ?VERIFICATION:uproot(Pids),
    ?assertEqual([], Differences),
    ?assertEqual(320, length(Pids)).

%% Those of kernel, stdlib, this suite: who moves is tried again.
equals_all_processes_of_the_node(Config) ->
    Pids = [Pid || Pid <- processes(), Pid =/= self()],
    ct:pal("~b processes", [length(Pids)]),
    ?assertEqual([], differences(Config, Pids)).

equals_behaviours(Config) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, 5}),
    {ok, Server} = gen_server:start_link({local, equals_server}, ?MODULE, server, []),
    {ok, Event} = gen_event:start_link({local, equals_event}),
    Children = [Pid || {_, Pid, _, _} <- supervisor:which_children(Supervisor)],
    ?assertEqual(5, length(Children)),
    Differences = differences(Config, [Supervisor, Server, Event | Children]),
    [begin unlink(Pid), gen:stop(Pid) end || Pid <- [Supervisor, Server, Event]],
    ?assertEqual([], Differences).

init({supervisor, Count}) ->
    {ok, {#{}, [#{id => Id, start => {gen_server, start_link, [?MODULE, server, []]}}
                || Id <- lists:seq(1, Count)]}};
init(server) ->
    {ok, #{state => lists:seq(1, 100)}}.

handle_call(_, _, State) -> {reply, ok, State}.
handle_cast(_, State) -> {noreply, State}.

equals_hibernated(Config) ->
    Pids = [spawned(fun() -> _ = lists:seq(1, 1000), erlang:hibernate(?MODULE, asleep, [N]) end)
            || N <- lists:seq(1, 20)],
    eventually(fun() -> lists:all(fun(Pid) -> process_info(Pid, current_function) =:=
                                                  {current_function, {erlang, hibernate, 3}}
                                  end, Pids) end),
    ?assertEqual([], differences(Config, Pids)).

asleep(N) -> receive stop -> N end.

equals_suspended(Config) ->
    Pids = [deep(N) || N <- lists:seq(1, 20)],
    [eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end) || Pid <- Pids],
    [true = erlang:suspend_process(Pid) || Pid <- Pids],
    Differences = differences(Config, Pids),
    Statuses = lists:usort([element(2, snapshot(Config, Pid)) || Pid <- Pids]),
    [true = erlang:resume_process(Pid) || Pid <- Pids],
    ?assertEqual([], Differences),
    ?assertEqual([suspended], Statuses).

equals_names_that_come_and_go(Config) ->
    Pid = idle(),
    [begin
         true = register(Name, Pid),
         ?assertEqual([], differences(Config, [Pid])),
         ?assertEqual(flame_prof_nif:term_bits(Name), element(3, snapshot(Config, Pid))),
         true = unregister(Name),
         ?assertEqual(0, element(3, snapshot(Config, Pid)))
     end || N <- lists:seq(1, 20), Name <- [list_to_atom("equals_name_" ++ integer_to_list(N))]].

equals_links_and_monitors(Config) ->
    Others = [idle() || _ <- lists:seq(1, 50)],
    Pid = spawned(fun() ->
                      [begin link(Other), monitor(process, Other) end || Other <- Others],
                      receive stop -> ok end
                  end),
    eventually(fun() -> {monitors, Monitors} = process_info(Pid, monitors),
                        length(Monitors) =:= 50 end),
    Differences = differences(Config, [Pid | Others]),
    unlink(Pid),
    ?assertEqual([], Differences).

equals_big_binaries(Config) ->
    Pids = [spawned(fun() ->
                        Large = binary:copy(<<"x">>, Size),
                        Parts = [binary:part(Large, I, 100) || I <- lists:seq(0, Size - 100, Size div 10)],
                        _ = [garbage_collect(self(), [{type, minor}]) || _ <- lists:seq(1, Size rem 3)],
                        receive stop -> {Large, Parts} end
                    end) || Size <- [100, 1001, 100000, 1000001, 10000001]],
    ?assertEqual([], differences(Config, Pids)).

%% Its stack is over 100,000 frames deep: as many as are kept at either end are
%% those that process_info/2 tells.
equals_both_ends_of_a_deep_stack(Config) ->
    Pid = deep(100000),
    eventually(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {whole, waiting, _, _, _, Pc, Returns, _} = snapshot(Config, Pid),
    {backtrace, Text} = process_info(Pid, backtrace),
    {match, Found} = re:run(Text, "Return addr 0x([0-9a-fA-F]+)",
                            [global, {capture, [1], binary}]),
    All = [binary_to_integer(Hex, 16) || [Hex] <- Found],
    ?assert(length(All) > 100000),
    ?assert(length(Returns) > 256),
    %% Where the leaf's part ends is where the next would not be what comes next.
    Leaf = common_prefix(Returns, All),
    Root = common_prefix(lists:reverse(Returns), lists:reverse(All)),
    ?assert(Leaf >= 512),
    ?assert(Root >= 128),
    ?assert(Leaf + Root >= length(Returns)),
    {<<"flame_prof_case:descend/1">>, _, _, false} = flame_prof_nif:locate(?config(probe, Config), Pc),
    ?assertEqual(element(2, process_info(Pid, stack_size)), metric(stack_size, snapshot(Config, Pid))),
    %% And in what is written.
    {ok, _} = session(Config, #{stack_frames_max => 100}),
    watch(Pid),
    ticks(20),
    {ok, Summary} = flame_prof_case:stop(),
    #{frames := Frames} = lists:last(of_process(Pid, samples(Summary))),
    Names = [Name || {Name, _} <- Frames],
    ?assert(length(Names) =< 104),
    ?assert(length(Names) >= 90),
    ?assertMatch([_], [Name || {Name, <<"truncated">>} <- Frames]),
    ?assertMatch(<<"flame_prof_case:descend/1;", _/binary>>, hd(Names)),
    Bottom = lists:nthtail(length(Names) - 2, Names),
    ?assertMatch([<<"flame_prof_case:descend", _/binary>>, <<"{erlang:apply/2}">>], Bottom).

common_prefix([A | As], [A | Bs]) -> 1 + common_prefix(As, Bs);
common_prefix(_, _) -> 0.

%% The length of the queue is exact; of what is in it only the first messages are
%% looked at, so sizes are never above the truth.
equals_the_length_of_any_queue(Config) ->
    [begin
         Pid = spawn_opt(fun() -> receive stop -> ok end end,
                         [link, {message_queue_data, Where}]),
         [Pid ! {unread, lists:seq(1, N rem 50)} || N <- lists:seq(1, Count)],
         %% The answer means that everything before it has arrived.
         {message_queue_len, Count} = process_info(Pid, message_queue_len),
         Theirs = maps:from_list(process_info(Pid, [total_heap_size, memory])),
         Snapshot = eventually(fun() ->
                                   case snapshot(Config, Pid) of
                                       {whole, waiting, _, _, _, _, _, _} = Whole -> Whole;
                                       _ -> false
                                   end
                               end),
         ?assertEqual({Where, Count}, {Where, metric(message_queue_len, Snapshot)}),
         [?assert(metric(Item, Snapshot) =< maps:get(Item, Theirs)) || Item <- maps:keys(Theirs)],
         unlink(Pid),
         exit(Pid, kill)
     end || Where <- [on_heap, off_heap], Count <- [0, 1, 8, 9, 100, 5000]].

equals_after_code_was_reloaded(Config) ->
    Old = [running_version(N, Config) || N <- lists:seq(1, 2)],
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    Differences = differences(Config, Old),
    end_all(Old),
    forget_version(),
    ?assertEqual([], Differences).

differences(Config, Pids) ->
    [{Pid, Difference}
     || Pid <- Pids,
        Difference <- ?VERIFICATION:compare(?config(probe, Config), ?config(layout, Config), Pid)].

snapshot(Config, Pid) ->
    flame_prof_nif:snapshot(?config(probe, Config), ?config(layout, Config), Pid).

metric(Item, Snapshot) ->
    Metrics = maps:from_list(lists:zip(flame_prof_metric:names(), element(8, Snapshot))),
    maps:get(<<"erlang_", (atom_to_binary(Item))/binary>>, Metrics).

%% --- what is sampled ----------------------------------------------------------------

%% Within the first second, and the profiler's own processes never.
sampling_finds_the_busy_processes(Config) ->
    Hogs = hogs(6),
    Idle = [idle() || _ <- lists:seq(1, 200)],
    Heart = heart(),
    Before = processes(),
    {ok, _} = session(Config, #{auto_select => {top, 20, 200}}),
    Began = now_us(),
    Own = [flame_prof_sup_pid(), whereis(flame_prof) | (processes() -- Before)],
    eventually(fun() -> now_us() - Began > 2500000 end),
    eventually(fun() -> Hogs -- flame_prof_case:selected() =:= [] end),
    ticks(20),
    {_, HeldUpUs} = held_up(Heart),
    {ok, Summary} = flame_prof_case:stop(),
    end_all(Hogs),
    Samples = samples(Summary),
    %% A machine that others use too may keep it from its work, which shows as a gap, as
    %% ticks that it missed, or is seen by who did not come to run either.
    AwayUs = lists:max(flame_prof_case:gaps_us(Samples)) + missed_us(Summary) + HeldUpUs,
    [begin
         [#{time_us := First} | _] = of_process(Hog, Samples),
         ?assert(First - Began < 1000000 + ?LATE_US + 2 * AwayUs)
     end || Hog <- Hogs],
    ?assertEqual([], [Pid || Pid <- Own, is_pid(Pid), of_process(Pid, Samples) =/= []]),
    %% Not all the idle ones can be among the top 20.
    ?assert(length([Pid || Pid <- Idle, of_process(Pid, Samples) =/= []]) =< 20).

flame_prof_sup_pid() -> whereis(flame_prof_sup).

%% For how long the walker was not there when it was time.
missed_us(#{losses := #{missed_tick := Missed}}) -> Missed * ?TICK_US.

sampling_begins_and_ends_when_told(Config) ->
    {ok, _} = session(Config, #{}),
    [A, B] = [idle(), idle()],
    watch(A),
    watch(B),
    ticks(20),
    unwatch(A),
    %% The request waits for a tick, the sample of that tick may still be taken.
    ticks(2),
    Ended = now_us(),
    ticks(30),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    ?assertMatch([_ | _], of_process(A, Samples)),
    ?assertEqual([], [Time || #{time_us := Time} <- of_process(A, Samples), Time > Ended]),
    ?assertMatch([_ | _], [Time || #{time_us := Time} <- of_process(B, Samples), Time > Ended]).

sampling_a_busy_fun_at_nine_of_ten_ticks(Config) ->
    {ok, _} = session(Config, #{}),
    #{ticks_taken := Before} = flame_prof:info(),
    {Began, Ended} = flame_prof:apply(fun() -> Us = now_us(), burn_ticks(60), {Us, now_us()} end),
    #{ticks_taken := After} = flame_prof:info(),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = of_process(self(), samples(Summary)),
    ct:pal("~b samples in ~b ticks", [length(Samples), After - Before]),
    ?assert(After - Before > 50),
    ?assert(length(Samples) + lost(Summary) >= 0.9 * (After - Before)),
    Burning = [Status || #{status := Status, time_us := Time} <- Samples, Time > Began, Time < Ended],
    Busy = [Status || Status <- Burning, lists:member(Status, [running, runnable, garbage_collecting])],
    ?assert(length(Busy) >= 0.7 * length(Burning)).

sampling_keeps_to_the_status_asked_for(Config) ->
    [Hog] = hogs(1),
    [Waiting, Never] = [idle(), idle()],
    {ok, _} = session(Config, #{}),
    watch(Hog, running),
    watch(Waiting, waiting),
    watch(Never, running),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 40 end),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = samples(Summary),
    ?assertEqual([running], lists:usort([S || #{status := S} <- of_process(Hog, Samples)])),
    ?assertEqual([waiting], lists:usort([S || #{status := S} <- of_process(Waiting, Samples)])),
    ?assertEqual([], of_process(Never, Samples)).

sampling_sees_each_process_as_often_as_asked(Config) ->
    Pids = [idle() || _ <- lists:seq(1, 100)],
    {ok, _} = session(Config, #{sample_interval => 5, process_interval => 200}),
    [watch(Pid) || Pid <- Pids],
    %% All of them, and then for some time.
    eventually(fun() -> maps:get(selected, flame_prof:info()) =:= length(Pids) end),
    {MostBefore, Began, LeastBefore} = time_in_ticks(),
    ticks(300),
    {LeastAfter, Ended, MostAfter} = time_in_ticks(),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = [S || #{time_us := T} = S <- samples(Summary), T >= Began, T =< Ended],
    Counts = [length(of_process(Pid, Samples)) || Pid <- Pids],
    Least = (LeastAfter - LeastBefore) * 5 / 200,
    Most = (MostAfter - MostBefore) * 5 / 200,
    ct:pal("expected ~p to ~p each, ~w", [Least, Most, Counts]),
    [?assert(Count >= Least * 0.9 - 2 - lost(Summary) andalso Count =< Most * 1.1 + 2) || Count <- Counts].

%% How many there were just before and just after, which may be long.
time_in_ticks() ->
    #{ticks_taken := Before} = flame_prof:info(),
    Us = now_us(),
    #{ticks_taken := After} = flame_prof:info(),
    {Before, Us, After}.

%% A sample stands for the time since the one before, so together they stand for
%% all the time that the process was watched.
sampling_periods_add_up_to_the_time_watched(Config) ->
    Pids = [idle() || _ <- lists:seq(1, 12)],
    Heart = heart(),
    {ok, _} = session(Config, #{}),
    Watched = [begin Us = now_us(), watch(Pid), {Pid, Us} end || Pid <- Pids],
    ticks(150),
    {ok, Summary} = flame_prof_case:stop(),
    {AwayUs, _} = held_up(Heart),
    Samples = samples(Summary),
    [begin
         Own = of_process(Pid, Samples),
         PeriodUs = lists:sum([Ns || #{period_ns := Ns} <- Own]) div 1000,
         Time = maps:get(time_us, lists:last(Own)) - Us,
         %% Watching begins at the next tick, and that may be late.
         ?assert(PeriodUs =< Time + 1000),
         ?assert(PeriodUs >= Time - ?TICK_US - ?LATE_US - 2 * AwayUs - missed_us(Summary)),
         Gaps = flame_prof_case:gaps_us(Own),
         Periods = [Ns div 1000 || #{period_ns := Ns} <- tl(Own)],
         [?assert(abs(Gap - Period) =< 2) || {Gap, Period} <- lists:zip(Gaps, Periods)]
     end || {Pid, Us} <- Watched].

%% However seldom each is meant to be seen.
sampling_leaves_no_tick_empty(Config) ->
    Pids = [idle() || _ <- lists:seq(1, 3)],
    {ok, _} = session(Config, #{process_interval => 10000}),
    [watch(Pid) || Pid <- Pids],
    ticks(5),
    %% Wider than the ticks that are counted: whatever comes between two lines.
    Began = now_us(),
    #{ticks_taken := Before} = flame_prof:info(),
    ticks(200),
    #{ticks_taken := After} = flame_prof:info(),
    ticks(1),
    Ended = now_us(),
    {ok, Summary} = flame_prof_case:stop(),
    Samples = [S || #{time_us := T} = S <- samples(Summary), T >= Began, T =< Ended],
    ct:pal("~b samples, ~b ticks", [length(Samples), After - Before]),
    ?assert(length(Samples) + lost(Summary) >= After - Before - 1).

%% Atoms and code that did not exist when the session began.
sampling_knows_new_names_within_a_second(Config) ->
    {ok, _} = session(Config, #{}),
    ticks(5),
    Random = integer_to_list(erlang:unique_integer([positive])),
    Module = list_to_atom("fresh_module_" ++ atom_to_list(?config(reader, Config)) ++ Random),
    Name = list_to_atom("fresh_name_" ++ atom_to_list(?config(reader, Config)) ++ Random),
    load(Module, "first"),
    Pid = spawned(fun() -> Module:first() end),
    true = register(Name, Pid),
    watch(Pid),
    Began = now_us(),
    Heart = heart(),
    eventually(fun() -> now_us() - Began > 1500000 end),
    {_, AwayUs} = held_up(Heart),
    flame_prof_case:pause_us(AwayUs),
    ticks(20),
    {ok, Summary} = flame_prof_case:stop(),
    end_all([Pid]),
    code:purge(Module), code:delete(Module), code:purge(Module),
    Late = [Frames || #{time_us := T, frames := Frames} <- of_process(Pid, samples(Summary)),
                      T > Began + 1000000 + AwayUs],
    ?assertMatch([_ | _], Late),
    Registered = <<"{registered ", (atom_to_binary(Name))/binary, "}">>,
    Function = iolist_to_binary([atom_to_binary(Module), ":first/0"]),
    [begin
         ?assert(lists:keymember(Registered, 1, Frames)),
         ?assertEqual(Function, function(hd(Frames)))
     end || Frames <- Late].

%% Each version has another function at the same place: a sample must be named by
%% the code that was there when it was taken.
sampling_names_the_code_of_its_time(Config) ->
    {ok, _} = session(Config, #{}),
    Names = [begin
                 Pid = running_version(N, Config),
                 watch(Pid),
                 ticks(6),
                 unwatch(Pid),
                 end_all([Pid]),
                 {Pid, version_name(N)}
             end || N <- lists:seq(1, 40)],
    {ok, Summary} = flame_prof_case:stop(),
    forget_version(),
    Samples = samples(Summary),
    Seen = [{Name, lists:usort([function(Frame) || #{frames := [Frame | _]} <- of_process(Pid, Samples)])}
            || {Pid, Name} <- Names],
    ?assertEqual([{Name, [iolist_to_binary(["walker_reloaded:", Name, "/0"])]} || {_, Name} <- Names],
                 Seen).

sampling_writes_files_that_can_be_read_meanwhile(Config) ->
    Pids = [deep(50) || _ <- lists:seq(1, 50)],
    {ok, Session} = session(Config, #{sample_interval => 2, process_interval => 20,
                                      file_bytes_max => 65536, files_max => 5, compress => gzip}),
    [watch(Pid) || Pid <- Pids],
    %% Old ones may go at any time; the last one is there for some time.
    {File, Text} = eventually(fun() ->
                                  case flame_prof:info() of
                                      #{files := Files} when length(Files) >= 3 -> opened(lists:last(Files));
                                      #{} -> false
                                  end
                              end),
    ?assertEqual(".gz", filename:extension(File)),
    #{samples := [_, _ | _], comments := #{<<"end">> := <<"complete">>}} =
        perf_script_reader:read_text(zlib:gunzip(Text)),
    ?assertEqual(Session, whereis(flame_prof)),
    eventually(fun() -> maps:get(files_finished, flame_prof:info()) >= 8 end),
    {ok, #{files := Left}} = flame_prof_case:stop(),
    ?assert(length(flame_prof_file:finished(directory(Config))) =< 5),
    [#{samples := [_, _ | _]} = perf_script_reader:read(Path)
     || Path <- Left, filelib:is_regular(Path)].

opened(File) ->
    case file:read_file(File) of
        {ok, Bytes} -> {File, Bytes};
        {error, enoent} -> false
    end.

function({Name, _}) -> hd(binary:split(Name, <<";">>)).

version_name(N) -> "version_" ++ integer_to_list(N).

running_version(N, _) ->
    code:purge(walker_reloaded),
    load(walker_reloaded, version_name(N)),
    Function = list_to_atom(version_name(N)),
    Pid = spawned(fun() -> walker_reloaded:Function() end),
    eventually(fun() -> case process_info(Pid, current_function) of
                            {current_function, {walker_reloaded, Function, 0}} -> true;
                            _ -> false
                        end end),
    Pid.

forget_version() ->
    code:purge(walker_reloaded),
    code:delete(walker_reloaded),
    code:purge(walker_reloaded).

%% A module with a function of this name, which waits.
load(Module, Function) ->
    Text = ["-module(", atom_to_list(Module), "). -export([", Function, "/0]). ",
            Function, "() ->\n receive stop -> ok end."],
    {ok, Tokens, _} = erl_scan:string(lists:flatten(Text)),
    Forms = [begin {ok, Form} = erl_parse:parse_form(Part), Form end || Part <- parts(Tokens)],
    {ok, Module, Binary} = compile:forms(Forms, []),
    {module, Module} = code:load_binary(Module, atom_to_list(Module) ++ ".erl", Binary).

parts(Tokens) ->
    case lists:splitwith(fun(Token) -> element(1, Token) =/= dot end, Tokens) of
        {Part, [Dot | Rest]} -> [Part ++ [Dot] | parts(Rest)];
        {[], []} -> []
    end.
