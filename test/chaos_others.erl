%% SPDX-License-Identifier: Apache-2.0
%% @doc What everybody but the profiler's user does on a node at the same time:
%% tracing, distribution up and down, signals of other libraries, ports, schedulers
%% that come and go, the system monitor; and the profiler's own tools beside a
%% session, perf_map and top. Each is one process that does one thing over and over.
-module(chaos_others).

-export([start/1, stop/1]).
-export([send_much/2]).

-import(chaos_load, [one_of/1]).

-define(PAUSE_MS, 500).
-define(STOP_MS, 120000).

%% `nif' is a library as walker_test_nif:load/1 takes it, or undefined; `directory' is
%% for the files of perf_map; `others' are the names of those who act, [] is all. What goes
%% wrong is put into the table `findings'.
start(#{nif := Nif, others := Only} = Options) ->
    Names = [tracing, distribution, ports, knobs, monitor, perf_map, top]
        ++ [signals || Nif =/= undefined],
    [spawn_monitor(fun() -> begin_acting(Name, Options) end)
     || Name <- Names, Only =:= [] orelse lists:member(Name, Only)].

stop(Actors) ->
    [Pid ! stop || {Pid, _} <- Actors],
    [receive
         {'DOWN', Monitor, process, Pid, _} -> ok
     after ?STOP_MS ->
         chaos_load:found({does_not_end, process_info(Pid, [current_stacktrace, dictionary])}),
         exit(Pid, kill)
     end || {Pid, Monitor} <- Actors],
    ok.

begin_acting(Name, Options) ->
    process_flag(trap_exit, true),
    put('$initial_call', {?MODULE, Name, 0}),
    rand:seed(exsss, {erlang:unique_integer(), erlang:phash2(Name), 5}),
    acting(Name, Options).

acting(Name, Options) ->
    receive
        stop -> ok;
        {'EXIT', _, _} -> acting(Name, Options)
    after rand:uniform(?PAUSE_MS) ->
        try act(Name, Options) of
            _ -> chaos_load:count(Name)
        catch
            Class:Reason:Stack -> chaos_load:found({Name, Class, Reason, Stack})
        end,
        acting(Name, Options)
    end.

%% --- tracing ------------------------------------------------------------------------

%% As a user of dbg does it, by the node's one tracer or by a session of its own.
act(tracing, _) ->
    Tracer = spawn(fun() -> count_traces(0) end),
    Pids = some_processes(20),
    trace(one_of([legacy | [session || flame_prof_case:has_trace_sessions()]]), Tracer, Pids),
    exit(Tracer, kill);

%% --- distribution -------------------------------------------------------------------

act(distribution, Options) ->
    Epmd = maps:get(epmd, Options),
    case is_alive() orelse net_kernel:start([list_to_atom("chaos_" ++ os:getpid()), shortnames]) of
        true -> ok;
        {ok, _} -> with_peer(Epmd);
        {error, Reason} -> chaos_load:count({no_distribution, element(1, Reason)})
    end,
    _ = net_kernel:stop();

%% --- signals of other libraries -----------------------------------------------------

act(signals, _) ->
    [os:set_signal(Signal, handle) || Signal <- [sigusr2, sighup, sigalrm]],
    case rand:uniform(3) of
        1 -> use_timers();
        2 -> os:cmd("for s in USR2 HUP CONT WINCH CHLD; do kill -$s " ++ os:getpid() ++ "; done");
        3 -> take_faults()
    end,
    [os:set_signal(Signal, ignore) || Signal <- [sigusr2, sighup, sigalrm]];

%% --- ports, schedulers, the monitor ---------------------------------------------------

act(ports, _) ->
    Port = open_port({spawn, "cat 2>/dev/null"}, [binary, stream]),
    Data = binary:copy(<<"chaos">>, 1000),
    [true = port_command(Port, Data) || _ <- lists:seq(1, 50)],
    timer:sleep(rand:uniform(50)),
    true = port_close(Port),
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    ok = gen_tcp:close(Socket),
    flush();
act(knobs, _) ->
    case rand:uniform(5) of
        1 ->
            _ = erlang:system_flag(schedulers_online, 1),
            timer:sleep(rand:uniform(200)),
            _ = erlang:system_flag(schedulers_online, erlang:system_info(schedulers));
        2 ->
            _ = erlang:system_flag(multi_scheduling, block),
            timer:sleep(rand:uniform(50)),
            _ = erlang:system_flag(multi_scheduling, unblock);
        3 ->
            _ = erlang:system_flag(dirty_cpu_schedulers_online, 1),
            timer:sleep(rand:uniform(100)),
            _ = erlang:system_flag(dirty_cpu_schedulers_online,
                                   erlang:system_info(dirty_cpu_schedulers));
        4 ->
            [erlang:garbage_collect(Pid) || Pid <- some_processes(50)];
        5 ->
            _ = erlang:system_flag(scheduler_wall_time, true),
            timer:sleep(rand:uniform(100)),
            _ = erlang:system_flag(scheduler_wall_time, false)
    end;
%% The node's one, when nobody has it. Before OTP 28 an armed session may have it.
act(monitor, _) ->
    case erlang:system_monitor() of
        undefined ->
            _ = erlang:system_monitor(self(), [{long_gc, 1}, {large_heap, 100000}]),
            timer:sleep(rand:uniform(200)),
            case erlang:system_monitor() of
                {Pid, _} when Pid =:= self() -> erlang:system_monitor(undefined);
                _ -> ok
            end,
            flush();
        _ -> ok
    end;

%% --- the profiler's tools ---------------------------------------------------------------

act(perf_map, #{directory := Directory}) ->
    apart(fun() ->
              Result = flame_prof:perf_map(#{directory => Directory, layout => true, interval => 100,
                                             follow => one_of([true, false])}),
              expect(perf_map, Result),
              timer:sleep(rand:uniform(500)),
              _ = flame_prof:perf_map(stop)
          end);
act(top, _) ->
    apart(fun() ->
              Terminal = spawn(fun terminal/0),
              group_leader(Terminal, self()),
              Result = flame_prof:top(#{once => true, interval => 200,
                                        sort => one_of([reductions, message_queue_len, memory]),
                                        tier => one_of([auto, portable])}),
              exit(Terminal, kill),
              expect(top, Result)
          end).

%% All but what ends us.
flush() ->
    receive Message when Message =/= stop -> flush()
    after 0 -> ok
    end.

count_traces(N) ->
    receive _ -> count_traces(N + 1) end.

trace(legacy, Tracer, Pids) ->
    Flags = [call, procs, garbage_collection, {tracer, Tracer}],
    [try erlang:trace(Pid, true, Flags) catch error:badarg -> taken_or_gone end || Pid <- Pids],
    _ = erlang:trace_pattern({lists, seq, 2}, true, [local]),
    timer:sleep(rand:uniform(100)),
    _ = erlang:trace_pattern({lists, seq, 2}, false, [local]),
    [try erlang:trace(Pid, false, Flags) catch error:badarg -> taken_or_gone end || Pid <- Pids];
trace(session, Tracer, Pids) ->
    Session = erlang:apply(trace, session_create, [chaos_others, Tracer, []]),
    [try erlang:apply(trace, process, [Session, Pid, true, [call, procs, running]])
     catch error:badarg -> gone end || Pid <- Pids],
    _ = erlang:apply(trace, function, [Session, {lists, seq, 2}, true, [local]]),
    timer:sleep(rand:uniform(100)),
    erlang:apply(trace, session_destroy, [Session]).

some_processes(Count) ->
    Pids = [Pid || {Pid} <- ets:tab2list(chaos_pids)],
    [one_of(Pids) || Pids =/= [], _ <- lists:seq(1, Count)].

%% On a machine with no time for it a node may take longer than it is given.
with_peer(Epmd) ->
    try peer:start_link(#{name => peer:random_name(chaos), connection => standard_io,
                           env => [{"ERL_EPMD_PORT", Epmd}], wait_boot => 300000,
                           args => ["-pa", filename:dirname(code:which(?MODULE)),
                                    filename:dirname(code:which(flame_prof))]}) of
        {ok, Peer, Node} ->
            _ = net_kernel:connect_node(Node),
            Far = [spawn(Node, ?MODULE, send_much, [self(), N]) || N <- lists:seq(1, 50)],
            [Pid ! {stir, 1} || Pid <- Far],
            timer:sleep(rand:uniform(1000)),
            on_nodes(Node),
            _ = one_of([fun() -> erlang:disconnect_node(Node) end, fun() -> ok end]),
            peer:stop(Peer);
        {error, _} -> chaos_load:count(no_peer)
    catch
        exit:timeout -> chaos_load:count(no_peer)
    end,
    flush().

send_much(To, N) ->
    [To ! {far, N, lists:seq(1, N)} || _ <- lists:seq(1, 20)],
    ok.

%% The profiler over the distribution, of the other node alone: this one has its own.
on_nodes(Node) ->
    apart(fun() ->
              Directory = filename:join("/tmp", "chaos_far." ++ os:getpid()),
              _ = flame_prof:start([Node], #{basename => Directory, sample_interval => 1}),
              timer:sleep(300),
              _ = flame_prof:stop([Node]),
              file:del_dir_r(Directory)
          end).

use_timers() ->
    walker_test_nif:signals_on(1000),
    timer:sleep(rand:uniform(1000)),
    Seen = walker_test_nif:signals_off(),
    chaos_load:count(signals_of_others, Seen).

%% Memory is read by process_vm_readv while somebody else has SIGSEGV.
take_faults() ->
    case walker_test_nif:fault_handler() of
        default ->
            walker_test_nif:take_faults(),
            timer:sleep(rand:uniform(300)),
            ours = walker_test_nif:fault_handler(),
            _ = walker_test_nif:fault(),
            walker_test_nif:give_faults_back();
        _ -> ok
    end.

%% In a process of its own: it may be killed when its code is replaced, and what it asks
%% ends with the application.
apart(Fun) ->
    {Pid, Monitor} = spawn_monitor(Fun),
    receive
        {'DOWN', Monitor, process, Pid, Reason} when Reason =:= normal; Reason =:= killed -> ok;
        {'DOWN', Monitor, process, Pid, {Why, {gen_server, call, _}}}
                when Why =:= shutdown; Why =:= noproc -> ok;
        {'DOWN', Monitor, process, Pid, Reason} -> error({ended, Reason})
    end.

expect(_, ok) -> ok;
expect(_, {ok, _}) -> ok;
expect(Which, {error, {Code, Detail}}) -> chaos_load:count({Which, Code, Detail}).

%% Takes whatever is written.
terminal() ->
    receive
        {io_request, From, Ref, Request} ->
            From ! {io_reply, Ref, answer(Request)},
            terminal();
        _ ->
            terminal()
    end.

answer({get_geometry, columns}) -> 80;
answer({get_geometry, rows}) -> 24;
answer(Request) when element(1, Request) =:= get_line; element(1, Request) =:= get_until -> eof;
answer(_) -> ok.
