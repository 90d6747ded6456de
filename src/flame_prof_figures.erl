%% SPDX-License-Identifier: Apache-2.0
%% @doc Asks for figures of the VM that take time to get, on behalf of a capture that
%% was asked for them: the schedulers' microstate accounts and the bytes that wait in
%% ports.
%%
%% A process of its own at low priority, since who asks waits for every scheduler, and
%% for a port that is at work. It looks at the ports in slices, for at most a tenth of the
%% time during a pass and a hundredth over all. Microstate accounting is never switched
%% on: it may be somebody else's business. Ends with the session.
-module(flame_prof_figures).

-export([start/3, stop/1, run_queues/0]).
-export([accounts/1]).
-export_type([figure/0]).

-type figure() :: msacc | port_queue.

-define(INTERVAL_MS, 1000).
-define(STOP_MS, 1000).
-define(SLICE_US, 3000).
-define(PORTS_PER_CHECK, 16).
%% After a slice it rests for so many times as long as that took, after a pass too.
-define(REST, 9).
-define(REST_OF_PASS, 99).
-define(STATES, [aux, check_io, emulator, gc, other, port, sleep]).

-record(pass, {bytes = #{} :: #{pid() => pos_integer()},
               looked_at = 0 :: non_neg_integer(),
               busy_us = 0 :: non_neg_integer(),
               slice_us :: integer()}).

%% @doc Starts asking.
-spec start(pid(), flame_prof_nif:session(), [figure(), ...]) -> pid().
start(Session, Capture, Figures) ->
    spawn_opt(fun() ->
                  _ = monitor(process, Session),
                  loop(Capture, Figures)
              end, [{priority, low}]).

-spec stop(undefined | pid()) -> ok.
stop(undefined) ->
    ok;
stop(Pid) ->
    Monitor = monitor(process, Pid),
    exit(Pid, kill),
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after ?STOP_MS ->
        demonitor(Monitor, [flush]),
        ok
    end.

%% @doc Lengths of all run queues, which nobody need be asked for.
-spec run_queues() -> [non_neg_integer()].
run_queues() ->
    erlang:statistics(run_queue_lengths_all).

loop(Capture, Figures) ->
    RestMs = lists:max([told(Figure, Capture) || Figure <- Figures]),
    receive
        {'DOWN', _, process, _, _} -> ok
    after max(?INTERVAL_MS, RestMs) ->
        loop(Capture, Figures)
    end.

told(msacc, Capture) ->
    ok = flame_prof_nif:set_accounts(Capture, accounts(erlang:statistics(microstate_accounting))),
    0;
told(port_queue, Capture) ->
    #pass{bytes = Bytes, busy_us = Us} = ports(),
    ok = flame_prof_nif:set_port_owners(Capture, maps:to_list(Bytes)),
    Us * ?REST_OF_PASS div 1000.

%% @private Of schedulers only; states that only a VM built for them tells apart are what
%% they are in any other.
-spec accounts(undefined | [map()]) ->
    [{normal | dirty_cpu | dirty_io, pos_integer(), [non_neg_integer()]}].
accounts(undefined) ->
    [];
accounts(Threads) ->
    [{Kind, Id, microseconds(Counters)}
     || #{type := Type, id := Id, counters := Counters} <- Threads,
        Kind <- [kind(Type)], Kind =/= none].

kind(scheduler) -> normal;
kind(dirty_cpu_scheduler) -> dirty_cpu;
kind(dirty_io_scheduler) -> dirty_io;
kind(_) -> none.

microseconds(Counters) ->
    Plain = maps:fold(fun(State, Count, Sums) ->
                          maps:update_with(plain(State), fun(N) -> N + Count end, Count, Sums)
                      end, #{}, Counters),
    [erlang:convert_time_unit(maps:get(State, Plain, 0), perf_counter, microsecond)
     || State <- ?STATES].

plain(gc_full) -> gc;
plain(State) when State =:= busy_wait; State =:= timers -> other;
plain(State) ->
    case lists:member(State, ?STATES) of
        true -> State;
        false -> emulator
    end.

%% Ports: bytes in their drivers' queues, by the process that owns them.

ports() ->
    Pass = lists:foldl(fun looked_at/2, #pass{slice_us = now_us()}, erlang:ports()),
    worked(Pass).

looked_at(Port, #pass{looked_at = Count} = Pass) ->
    Next = summed(Port, Pass#pass{looked_at = Count + 1}),
    case Count rem ?PORTS_PER_CHECK of
        0 -> rested(Next);
        _ -> Next
    end.

summed(Port, #pass{bytes = Bytes} = Pass) ->
    case erlang:port_info(Port, queue_size) of
        {queue_size, Size} when Size > 0 ->
            case erlang:port_info(Port, connected) of
                {connected, Owner} ->
                    Pass#pass{bytes = maps:update_with(Owner, fun(N) -> N + Size end, Size, Bytes)};
                undefined ->
                    Pass
            end;
        _ ->
            Pass
    end.

rested(#pass{slice_us = SinceUs} = Pass) ->
    case now_us() - SinceUs of
        Us when Us >= ?SLICE_US ->
            Worked = worked(Pass),
            receive after (Us * ?REST + 999) div 1000 -> ok end,
            Worked#pass{slice_us = now_us()};
        _ ->
            Pass
    end.

worked(#pass{busy_us = Us, slice_us = SinceUs} = Pass) ->
    Pass#pass{busy_us = Us + now_us() - SinceUs}.

now_us() ->
    erlang:monotonic_time(microsecond).
