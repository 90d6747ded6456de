%% SPDX-License-Identifier: Apache-2.0
%% @doc Keeps finding the processes that `select' asks for.
%%
%% Names are looked up at each pass. For applications (by the group leader, which
%% every process inherits) and for the predicate, a helper at low priority looks at
%% all processes; it works in slices, for at most a tenth of the time during a pass
%% and a hundredth over all, whatever the predicate does, and one that gets stuck is
%% replaced. Reading what it needs sends no signal to a process that waits.
%%
%% The session gets `{flame_prof_resolver, self(), Message}': `{found, Pids, Facts}'
%% after each pass, `{helper, Pid}' when there is a helper that is not to be
%% sampled. Ends with the session.
-module(flame_prof_resolver).

-export([start/2, stop/1]).
-export_type([facts/0]).

-include_lib("kernel/include/logger.hrl").

-define(STOP_MS, 1000).
%% Without a sign of life for so long, a helper is stuck.
-define(STUCK_MS, 10000).
%% After a slice a helper rests for so many times as long as that took.
-define(REST, 9).
%% And from a pass to the next, so many times as long as that worked.
-define(REST_OF_PASS, 100).
-define(SLICE_US, 3000).
-define(PROCESSES_PER_CHECK, 32).
-define(FOUND_MAX, 10000).
-define(SHOWN_DEPTH, 8).
-define(INFO, [registered_name, initial_call, status, group_leader, priority, message_queue_len,
               reductions, heap_size]).

-type facts() :: #{found := non_neg_integer(),
                   absent := [atom()],
                   left_out := non_neg_integer(),
                   given_up := non_neg_integer(),
                   predicate_failures := non_neg_integer(),
                   predicate_failure => binary()}.
%% `absent': names and applications that are not there now; `left_out': processes
%% beyond the first 10000; `given_up': passes whose helper got stuck;
%% `predicate_failure': how the predicate failed last time, if it did.

-record(scan, {pids = [] :: [pid()],
               count = 0 :: non_neg_integer(),
               left_out = 0 :: non_neg_integer(),
               failures = 0 :: non_neg_integer(),
               failure :: undefined | binary(),
               looked_at = 0 :: non_neg_integer(),
               busy_us = 0 :: non_neg_integer(),
               slice_us = 0 :: integer()}).

-record(state, {session :: pid(),
                select :: flame_prof_options:select(),
                helper :: undefined | pid(),
                scanned = #scan{} :: #scan{},
                given_up = 0 :: non_neg_integer()}).

%% @doc Starts finding on behalf of a session.
-spec start(pid(), flame_prof_options:select()) -> pid().
start(Session, Select) ->
    proc_lib:spawn(fun() ->
                       _ = monitor(process, Session),
                       loop(#state{session = Session, select = Select})
                   end).

%% @doc Ends it, and its helper with it.
-spec stop(pid()) -> ok.
stop(Resolver) ->
    Monitor = monitor(process, Resolver),
    exit(Resolver, kill),
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after ?STOP_MS ->
        demonitor(Monitor, [flush]),
        ok
    end.

%% What needs no look at all processes does not wait for it.
loop(#state{select = #{interval := IntervalMs}} = State) ->
    ok = report(State),
    {RestMs, Next} = scanned(State),
    ok = report(Next),
    wait(max(IntervalMs, RestMs)),
    loop(Next).

report(#state{session = Session, select = #{pids := Given, names := Names, applications := Apps},
              scanned = #scan{pids = Scanned} = Scan, given_up = GivenUp}) ->
    Named = [{Name, whereis(Name)} || Name <- Names],
    Mastered = [{App, master(App)} || App <- Apps],
    Pids = lists:usort(Given ++ Scanned ++ [Pid || {_, Pid} <- Named ++ Mastered, is_pid(Pid)]),
    Alive = [Pid || Pid <- Pids, is_process_alive(Pid)],
    Facts = #{found => length(Alive),
              absent => [Name || {Name, Pid} <- Named ++ Mastered, not is_pid(Pid)],
              left_out => Scan#scan.left_out, given_up => GivenUp,
              predicate_failures => Scan#scan.failures},
    Session ! {?MODULE, self(), {found, Alive, with_failure(Scan, Facts)}},
    ok.

with_failure(#scan{failure = undefined}, Facts) -> Facts;
with_failure(#scan{failure = Failure}, Facts) -> Facts#{predicate_failure => Failure}.

master(App) ->
    application_controller:get_master(App).

%% Strays are dropped.
wait(Ms) ->
    wait_until(erlang:monotonic_time(millisecond) + Ms).

wait_until(Deadline) ->
    receive
        {'DOWN', _, process, _, _} -> exit(shutdown);
        _ -> wait_until(Deadline)
    after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
        ok
    end.

%% Looking at all processes.

scanned(#state{select = #{applications := Apps, predicate := Predicate}} = State) ->
    case maps:from_list([{Pid, true} || App <- Apps, Pid <- [master(App)], is_pid(Pid)]) of
        Masters when map_size(Masters) =:= 0, Predicate =:= none ->
            {0, State#state{scanned = #scan{}}};
        Masters ->
            Helped = with_helper(State),
            Helped#state.helper ! {?MODULE, self(), scan, Masters, Predicate},
            await_scan(Helped)
    end.

with_helper(#state{helper = undefined, session = Session} = State) ->
    Helper = spawn_opt(fun help/0, [link, {priority, low}]),
    Session ! {?MODULE, self(), {helper, Helper}},
    State#state{helper = Helper};
with_helper(State) ->
    State.

await_scan(#state{helper = Helper, scanned = Before} = State) ->
    receive
        {?MODULE, Helper, working} ->
            await_scan(State);
        {?MODULE, Helper, #scan{failures = Failures, failure = Failure} = Scan} ->
            Known = case Failure of
                        undefined -> Before#scan.failure;
                        _ -> Failure
                    end,
            {Scan#scan.busy_us * ?REST_OF_PASS div 1000,
             State#state{scanned = Scan#scan{failures = Before#scan.failures + Failures,
                                             failure = Known}}};
        {'DOWN', _, process, _, _} ->
            exit(shutdown)
    after ?STUCK_MS ->
        {?REST * ?STUCK_MS, replaced(State)}
    end.

%% What was found before stays.
replaced(#state{helper = Helper, given_up = GivenUp} = State) ->
    unlink(Helper),
    exit(Helper, kill),
    ?LOG_NOTICE("flame_prof: a pass of select was given up: some process, or the predicate, did "
                "not answer within ~b ms; the processes found before stay", [?STUCK_MS]),
    State#state{helper = undefined, given_up = GivenUp + 1}.

help() ->
    receive
        {?MODULE, Resolver, scan, Masters, Predicate} ->
            Scan = flame_prof_processes:fold(
                     fun(Pid, Scan) -> looked_at(Pid, Masters, Predicate, Resolver, Scan) end,
                     #scan{slice_us = now_us()}),
            Resolver ! {?MODULE, self(), worked(Scan)},
            true = erlang:garbage_collect(),
            help();
        _ ->
            help()
    end.

looked_at(Pid, Masters, Predicate, Resolver, #scan{looked_at = Count} = Scan) ->
    Next = matched(Pid, Masters, Predicate, Scan#scan{looked_at = Count + 1}),
    case Count rem ?PROCESSES_PER_CHECK of
        0 -> rested(Resolver, Next);
        _ -> Next
    end.

rested(Resolver, #scan{slice_us = SinceUs} = Scan) ->
    case now_us() - SinceUs of
        Us when Us >= ?SLICE_US ->
            Resolver ! {?MODULE, self(), working},
            Worked = worked(Scan),
            receive after (Us * ?REST + 999) div 1000 -> ok end,
            Worked#scan{slice_us = now_us()};
        _ ->
            Scan
    end.

worked(#scan{busy_us = Us, slice_us = SinceUs} = Scan) ->
    Scan#scan{busy_us = Us + now_us() - SinceUs}.

now_us() ->
    erlang:monotonic_time(microsecond).

matched(Pid, _, _, Scan) when Pid =:= self() ->
    Scan;
matched(Pid, Masters, Predicate, Scan) ->
    case belongs(Pid, Masters) orelse holds(Predicate, Pid) of
        true -> added(Pid, Scan);
        false -> Scan;
        {failed, Why} -> Scan#scan{failures = Scan#scan.failures + 1, failure = Why}
    end.

added(Pid, #scan{pids = Pids, count = Count} = Scan) when Count < ?FOUND_MAX ->
    Scan#scan{pids = [Pid | Pids], count = Count + 1};
added(_, #scan{left_out = LeftOut} = Scan) ->
    Scan#scan{left_out = LeftOut + 1}.

belongs(_, Masters) when map_size(Masters) =:= 0 ->
    false;
belongs(Pid, Masters) ->
    case process_info(Pid, group_leader) of
        {group_leader, Leader} -> is_map_key(Leader, Masters);
        undefined -> false
    end.

holds(none, _) ->
    false;
holds(Predicate, Pid) when is_function(Predicate, 1) ->
    answer(fun() -> Predicate(Pid) end);
holds(Predicate, Pid) ->
    case process_info(Pid, ?INFO) of
        undefined -> false;
        Info -> answer(fun() -> Predicate(Pid, maps:from_list(Info)) end)
    end.

answer(Ask) ->
    try Ask() of
        Holds when is_boolean(Holds) -> Holds;
        Other -> {failed, line("it returned ~0tP", [Other, ?SHOWN_DEPTH])}
    catch
        Class:Reason -> {failed, line("it raised ~ts: ~0tP", [Class, Reason, ?SHOWN_DEPTH])}
    end.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
