%% SPDX-License-Identifier: Apache-2.0
%% @doc What the suites share: scratch directories, conditions to wait for,
%% processes to profile, and a look at what was written.
-module(flame_prof_case).

-export([init_tier/2, init_walker/1, start/2, stop/0, options/2, directory/1, samples/1, comments/1, texts/1]).
-export([eventually/1, eventually/2, ticks/1, pause_us/1, now_us/0, number/1, of_process/2, gaps_us/1]).
-export([heart/0, held_up/1, burn_ticks/1, lost/1]).
-export([beat/1]).
-export([spawned/1, idle/0, hogs/1, deep/1, end_all/1, end_leftovers/0, burn/1]).
-export([library_copy/1, tier_handle/0, selected/0, has_trace_sessions/0, is_followed/1, hidden/1, profiled/2,
         is_ours/1, watch/1, catch_log/1, release_log/1, log/2]).

%% A machine that gives its processors elsewhere, or a tenth of one, is slow: it takes a
%% while, and nothing but a defect takes so long.
-define(DEADLINE_MS, 120000).
-define(POLL_MS, 10).
%% A start has calibrated long before, but the suites of three releases run at once.
-define(START_MS, 60000).

%% For a group of cases of one tier: skipped, with the reason, where it cannot run.
init_tier(Tier, Config) ->
    Directory = filename:join(proplists:get_value(priv_dir, Config), "can_it_start"),
    case flame_prof:start(#{tier => Tier, basename => Directory}, ?START_MS) of
        {ok, _} ->
            {ok, _} = stop(),
            [{tier, Tier} | Config];
        {error, {refused, Detail}} ->
            {skip, binary_to_list(Detail)}
    end.

%% For a suite about the walker: skipped, with the reason, where the VM is refused.
init_walker(Config) ->
    case flame_prof_walker:layout(auto) of
        {ok, Layout} -> [{tier, walker}, {layout, Layout} | Config];
        {refused, Why} -> {skip, binary_to_list(Why)}
    end.

%% The application's directory `To', that can be replaced while it runs.
library_copy(To) ->
    From = filename:dirname(code:which(flame_prof)),
    Priv = filename:join(filename:dirname(From), "priv"),
    [begin
         Target = filename:join([To, Part, filename:basename(File)]),
         ok = filelib:ensure_dir(Target),
         {ok, _} = file:copy(File, Target)
     end || {Part, Pattern} <- [{"ebin", filename:join(From, "*.{beam,app}")},
                                {"priv", filename:join(Priv, "flame_prof_nif.so")}],
            File <- filelib:wildcard(Pattern)],
    To.

%% Starts a session of the group's tier that writes into a directory of its own.
start(Config, Options) ->
    flame_prof:start(options(Config, Options), ?START_MS).

%% Whatever there is to write: the second that it takes by default is not enough to a
%% machine that is nearly at rest.
-define(STOP_MS, 60000).

stop() ->
    flame_prof:stop(?STOP_MS).

options(Config, Options) ->
    Tier = proplists:get_value(tier, Config, auto),
    maps:merge(#{tier => Tier, basename => directory(Config), auto_select => none}, Options).

directory(Config) ->
    filename:join([proplists:get_value(priv_dir, Config),
                   atom_to_list(proplists:get_value(tier, Config, auto)),
                   atom_to_list(proplists:get_value(case_name, Config))]).

%% All samples of a summary, file by file in order.
samples(#{files := Files}) ->
    lists:append([maps:get(samples, perf_script_reader:read(Path)) || Path <- Files]).

comments(#{files := Files}) ->
    [maps:get(comments, perf_script_reader:read(Path)) || Path <- Files].

texts(#{files := Files}) ->
    [begin {ok, Text} = file:read_file(Path), Text end || Path <- Files].

%% Files that are being written, or were left so.
hidden(Config) ->
    {ok, Names} = file:list_dir(directory(Config)),
    [Name || [$. | _] = Name <- Names].

%% Waits for a condition; what it gives when it is no longer `false'.
eventually(Condition) ->
    eventually(Condition, ?DEADLINE_MS).

eventually(Condition, Ms) ->
    eventually_by(Condition, erlang:monotonic_time(millisecond) + Ms).

eventually_by(Condition, Deadline) ->
    case answered(Condition) of
        false ->
            case erlang:monotonic_time(millisecond) < Deadline of
                true ->
                    receive after ?POLL_MS -> ok end,
                    eventually_by(Condition, Deadline);
                false ->
                    ct:fail({not_in_time, Condition, flame_prof:info()})
            end;
        Result ->
            Result
    end.

%% One that comes too late is no answer yet, nor is one without what a part of the tier
%% that does not answer in time would have told.
answered(Condition) ->
    try
        Condition()
    catch
        error:{Kind, {error, {timeout, _}}} when Kind =:= badmap; Kind =:= badmatch;
                                                 Kind =:= case_clause ->
            false;
        error:{badkey, _} ->
            false
    end.

%% Waits until so many more ticks have been taken; gives how many it became. At whatever
%% pace they come, which is the machine's, as long as they do: it is the time trap that
%% ends it, or that for long there was none.
ticks(Count) ->
    Before = taken(-1),
    ticks(Count, Before, Before).

ticks(Count, Before, Now) when Now < Before + Count -> ticks(Count, Before, taken(Now));
ticks(_, Before, Now) -> Now - Before.

%% When it is more than that. A tier that does not answer in time has no interval to tell.
taken(Last) ->
    eventually(fun() ->
                   case flame_prof:info() of
                       #{ticks_taken := Now, sample_interval_ns := _} when Now > Last -> Now;
                       #{} -> false
                   end
               end).

%% Waits until it is later than that on the clock of the samples.
pause_us(Us) ->
    Until = now_us() + Us,
    eventually(fun() -> now_us() > Until end).

%% A process that does nothing but wake up, at the highest priority: when that is late, the
%% machine has kept the node from running. What is late by more is late by itself.
-define(BEAT_MS, 2).
-define(HELD_UP_US, 5000).

heart() ->
    Pid = spawn_opt(?MODULE, beat, [{erlang:monotonic_time(microsecond), 0, 0}],
                    [link, {priority, max}]),
    _ = put(?MODULE, [Pid | leftovers()]),
    Pid.

beat({LastUs, _, _} = Before) ->
    Asked = receive {held_up, Test} -> Test after ?BEAT_MS -> none end,
    After = beaten(erlang:monotonic_time(microsecond) - LastUs, Before),
    case Asked of
        none -> ?MODULE:beat(After);
        _ -> Asked ! {self(), After}
    end.

beaten(Us, {LastUs, Longest, All}) when Us > ?HELD_UP_US -> {LastUs + Us, max(Longest, Us), All + Us};
beaten(Us, {LastUs, Longest, All}) -> {LastUs + Us, Longest, All}.

%% For how long at most, and in all. It beats no more.
held_up(Heart) ->
    Heart ! {held_up, self()},
    receive {Heart, {_, LongestUs, AllUs}} -> {LongestUs, AllUs} end.

%% On the clock of the samples, which write six decimals.
now_us() ->
    flame_prof_clock:now_ns(flame_prof_clock:new()) div 1000.

number(Pid) ->
    [_, Number, _] = string:lexemes(pid_to_list(Pid), "<.>"),
    list_to_integer(Number).

%% How often it was somebody's turn and there is no sample, as a summary tells.
lost(#{losses := Losses}) ->
    lists:sum(maps:values(maps:without([missed_tick], Losses))).

of_process(Pid, Samples) ->
    Number = number(Pid),
    [Sample || #{number := N} = Sample <- Samples, N =:= Number].

gaps_us([]) ->
    ct:fail(no_samples);
gaps_us(Samples) ->
    Times = [Time || #{time_us := Time} <- Samples],
    lists:zipwith(fun(A, B) -> B - A end, lists:droplast(Times), tl(Times)).

%% Processes.

%% A process that does not outlive the test case, however that ends: by its link
%% when the case is killed, by end_leftovers/0 otherwise.
spawned(Fun) ->
    Pid = spawn_link(Fun),
    _ = put(?MODULE, [Pid | leftovers()]),
    Pid.

end_leftovers() ->
    end_all(leftovers()),
    _ = erase(?MODULE),
    ok.

leftovers() ->
    case get(?MODULE) of
        undefined -> [];
        Pids -> Pids
    end.

idle() ->
    spawned(fun() -> receive stop -> ok end end).

%% Processes that never stop computing.
hogs(Count) ->
    [spawned(fun() -> hog(0) end) || _ <- lists:seq(1, Count)].

hog(N) ->
    _ = lists:sort([N * X rem 101 || X <- lists:seq(1, 200)]),
    hog(N + 1).

%% Waits at the bottom of so many frames. Two functions in turn, since the runtime
%% system gives equal neighbours only once.
deep(Depth) ->
    spawned(fun() -> descend(Depth) end).

descend(0) -> receive stop -> 0 end;
descend(Depth) -> 1 + descend_further(Depth - 1).

descend_further(0) -> receive stop -> 0 end;
descend_further(Depth) -> 2 + descend(Depth - 1).

end_all(Pids) ->
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    [eventually(fun() -> not is_process_alive(Pid) end) || Pid <- Pids],
    ok.

%% A process that runs Fun while it is profiled.
profiled(Fun, Options) ->
    Test = self(),
    Pid = spawned(fun() -> Test ! {self(), flame_prof:profile_start(Options)}, Fun() end),
    receive {Pid, ok} -> Pid end.

%% Processes that run code of the profiler and of nothing else.
is_ours(Pid) ->
    case process_info(Pid, current_stacktrace) of
        {current_stacktrace, Stack} ->
            Modules = [M || {M, _, _, _} <- Stack],
            Known = [M || M <- Modules, is_ours_module(atom_to_list(M))],
            (Known =/= [] andalso not lists:any(fun is_of_tests/1, Modules))
                orelse lists:member(registered(Pid), [flame_prof, flame_prof_sup,
                                                      flame_prof_backtrace]);
        undefined ->
            false
    end.

is_ours_module("flame_prof" ++ _) -> true;
is_ours_module(_) -> false.

is_of_tests(Module) ->
    Module =:= ?MODULE orelse lists:suffix("_SUITE", atom_to_list(Module)).

registered(Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> Name;
        _ -> none
    end.

%% Computes for so long.
burn(Ms) ->
    burn_until(erlang:monotonic_time(millisecond) + Ms, 0).

%% Computes for so many ticks, and a second and a half at least.
burn_ticks(Count) ->
    #{ticks_taken := Before} = eventually(fun told/0),
    burn_ticks(Before + Count, burn(1500)).

burn_ticks(Enough, N) ->
    case flame_prof:info() of
        #{ticks_taken := Now} when Now >= Enough -> N;
        _ -> burn_ticks(Enough, N + burn(3000))
    end.

told() ->
    case flame_prof:info() of
        #{ticks_taken := _} = Info -> Info;
        _ -> false
    end.

burn_until(End, N) ->
    case erlang:monotonic_time(millisecond) < End of
        true ->
            _ = lists:sort([N * X rem 101 || X <- lists:seq(1, 200)]),
            burn_until(End, N + 1);
        false ->
            N
    end.

watch(Pid) ->
    ok = flame_prof_session:watch(Pid, profile, #{viral => self_only, status => all}).

%% The handle of the open tier.
tier_handle() ->
    State = sys:get_state(flame_prof),
    {handle, _, _, _} = lists:keyfind(handle, 1, [T || T <- tuple_to_list(State), is_tuple(T),
                                                       tuple_size(T) > 0]).

%% Who is selected automatically at the moment, by whichever tier.
selected() ->
    State = tuple_to_list(sys:get_state(flame_prof)),
    [Tier] = [Atom || Atom <- State, Atom =:= flame_prof_walker orelse Atom =:= flame_prof_portable],
    Handle = lists:keyfind(handle, 1, [Part || Part <- State, is_tuple(Part), tuple_size(Part) > 0]),
    flame_prof_tier:selected(Tier, Handle).

%% Not by asking for the module: where there is none, the code server looks everywhere.
has_trace_sessions() ->
    list_to_integer(erlang:system_info(otp_release)) >= 27
        andalso code:ensure_loaded(trace) =:= {module, trace}.

%% Does a process have trace flags of ours? Before OTP 27, of anybody.
is_followed(Pid) ->
    case has_trace_sessions() of
        true ->
            case erlang:apply(trace, session_info, [Pid]) of
                Sessions when is_list(Sessions) -> lists:keymember(flame_prof, 1, Sessions);
                undefined -> false
            end;
        false ->
            not lists:member(erlang:trace_info(Pid, flags), [undefined, {flags, []}])
    end.

%% Log events of error level and above go to the caller as {log, Event}.
catch_log(Name) ->
    ok = logger:add_handler(Name, ?MODULE, #{level => error, config => #{to => self()}}).

release_log(Name) ->
    ok = logger:remove_handler(Name),
    caught().

caught() ->
    receive
        {log, Event} -> [Event | caught()]
    after 0 -> []
    end.

log(Event, #{config := #{to := To}}) ->
    To ! {log, Event}.
