%% SPDX-License-Identifier: Apache-2.0
%% @doc The profiler's user, in a hurry: sessions of every kind one after the other, ended
%% in every way there is, and the application replaced by another version of itself, its
%% native library included, at rest and under a running session. After each session it
%% looks whether timers and hidden files are left.
-module(chaos_operator).

-export([start/1, stop/1, plain_options/1, session_ended/4]).

-import(chaos_load, [one_of/1]).

-define(SELECTED, [{reductions, 120}, {message_queue_len, 20}, {message_queue_growth, 20},
                   {memory, 20}, {binary_vheap, 20}]).
-define(HOLD_MS, 6000).
%% Tenths of a second until nothing is left.
-define(TRIES, 1200).
-define(REPLACED, 10).
-define(STOP_MS, 900000).
-define(MEMORY_MAX, 256 * 1024 * 1024).

start(Options) ->
    spawn_monitor(fun() -> begin_operating(Options) end).

%% What its sessions came to, see chaos_run:empty/0.
stop({Pid, Monitor}) ->
    Pid ! {stop, self()},
    receive
        {sessions, Pid, Seen} -> demonitor(Monitor, [flush]), Seen;
        {'DOWN', Monitor, process, Pid, Reason} -> error({operator, Reason})
    after ?STOP_MS ->
        error({operator_does_not_end, process_info(Pid, current_stacktrace)})
    end.

begin_operating(Options) ->
    process_flag(trap_exit, true),
    put('$initial_call', {?MODULE, operator, 0}),
    rand:seed(exsss, {erlang:unique_integer(), 7, 7}),
    operate(Options, chaos_run:empty()).

operate(Options, Seen) ->
    receive
        {stop, From} -> From ! {sessions, self(), Seen};
        {'EXIT', _, _} -> operate(Options, Seen)
    after 0 ->
        Act = one_of([plain, plain, plain, armed, armed, killed, owner_ends, application_stopped,
                      upgraded_at_rest, upgraded_while_running]),
        Next = try act(Act, Options, Seen) of
                   After -> chaos_load:count(Act), After
               catch
                   Class:Reason:Stack -> chaos_load:found({Act, Class, Reason, Stack}), Seen
               end,
        nothing_is_left(Act, Options),
        operate(Options, Next)
    end.

%% --- one session --------------------------------------------------------------------

act(plain, Options, Seen) ->
    with_session(fun() -> flame_prof:start(session_options(Options)) end,
                 fun() -> hold(), stopped(Seen) end, Seen);
act(armed, Options, Seen) ->
    Armed = maps:without([file_bytes_max], session_options(Options)),
    with_session(fun() ->
                     flame_prof:arm(Armed#{keep => 5, keep_after => 0, dump_distance => 1,
                                           triggers => #{message_queue_len => 100, run_queue => 50,
                                                         long_gc => 50, long_schedule => 100}})
                 end,
                 fun() ->
                     hold(),
                     case flame_prof:dump() of
                         {ok, File} -> whole(File);
                         {error, {Code, _}} -> chaos_load:count({dump, Code})
                     end,
                     hold(),
                     stopped(Seen)
                 end, Seen);
act(killed, Options, Seen) ->
    with_session(fun() -> flame_prof:start(session_options(Options)) end,
                 fun() -> hold(), exit(whereis(flame_prof), kill), Seen end, Seen);
act(owner_ends, Options, Seen) ->
    {Owner, Monitor} = spawn_monitor(fun() ->
                                         expect(start_link, flame_prof:start_link(session_options(Options))),
                                         hold(),
                                         exit(one_of([normal, shutdown, crash]))
                                     end),
    receive {'DOWN', Monitor, process, Owner, _} -> ok end,
    wait_for_end(),
    Seen;
act(application_stopped, Options, Seen) ->
    with_session(fun() -> flame_prof:start(session_options(Options)) end,
                 fun() -> hold(), _ = application:stop(flame_prof), Seen end, Seen);

%% --- other versions -------------------------------------------------------------------

act(upgraded_at_rest, #{library := undefined}, Seen) ->
    Seen;
act(upgraded_at_rest, #{library := Library}, Seen) ->
    _ = application:stop(flame_prof),
    new_library(Library),
    %% perf_map and top may be at work in it.
    [loaded_anew(Module) orelse chaos_load:count({not_replaced, Module}) || Module <- modules()],
    %% Or whoever uses it at the moment has done it.
    _ = application:start(flame_prof),
    Seen;
act(upgraded_while_running, #{library := undefined}, Seen) ->
    Seen;
act(upgraded_while_running, #{library := Library} = Options, Seen) ->
    with_session(fun() -> flame_prof:start(session_options(Options)) end,
                 fun() ->
                     new_library(Library),
                     Modules = modules(),
                     [loaded_anew(Module) || _ <- [once, twice], Module <- Modules,
                                             ok =:= timer:sleep(rand:uniform(20))],
                     hold(),
                     stopped(Seen)
                 end, Seen).

with_session(Start, During, Seen) ->
    case Start() of
        {ok, _} -> During();
        {error, {already_started, _}} -> _ = flame_prof:stop(infinity), Seen;
        {error, {Code, Detail}} -> chaos_load:count({not_started, Code, Detail}), Seen
    end.

expect(_, {ok, _}) -> ok;
expect(Which, {error, {Code, Detail}}) -> chaos_load:count({Which, Code, Detail}).

%% Meanwhile others come to be sampled, and it is asked how it goes.
hold() ->
    hold(erlang:monotonic_time(millisecond) + rand:uniform(?HOLD_MS)).

hold(End) ->
    _ = flame_prof:info(),
    timer:sleep(rand:uniform(300)),
    erlang:monotonic_time(millisecond) < End andalso hold(End).

stopped(Seen) ->
    {Us, Result} = timer:tc(fun() -> flame_prof:stop(infinity) end),
    session_ended(Result, Us, Seen, fun whole/1).

%% Adds a session's summary to what was seen; calls `Check' with its last file.
session_ended({ok, #{samples := Samples, losses := Losses, degraded := Degraded, tier := Tier,
                     ticks_expected := Expected, ticks_taken := Taken} = Summary}, Us,
              #{sessions := Sessions} = Seen, Check) ->
    case maps:get(files, Summary, []) of
        [] -> ok;
        Files -> Check(lists:last(Files))
    end,
    Seen#{sessions := [{Tier, maps:get(reader, Summary, none), Us div 1000} | Sessions],
          samples := maps:get(samples, Seen) + Samples,
          cpu_samples := maps:get(cpu_samples, Seen) + cpu_samples(Summary),
          expected := maps:get(expected, Seen) + Expected,
          taken := maps:get(taken, Seen) + Taken,
          losses := add(Losses, maps:get(losses, Seen)),
          degraded := add(Degraded, maps:get(degraded, Seen))};
%% Its file will be finished when the disk has taken it.
session_ended({error, {timeout, _}}, Us, #{sessions := Sessions} = Seen, _) ->
    Seen#{sessions := [{error, timeout, Us div 1000} | Sessions]};
session_ended({error, {Code, Detail}}, Us, #{sessions := Sessions} = Seen, _) ->
    chaos_load:found({session_ended_by_itself, Code, Detail}),
    Seen#{sessions := [{error, Code, Us div 1000} | Sessions]}.

cpu_samples(#{cpu := #{samples := Samples}}) -> Samples;
cpu_samples(#{}) -> 0.

add(A, B) ->
    maps:merge_with(fun(_, X, Y) -> X + Y end, A, B).

%% The last line of a finished file says so.
whole(File) ->
    case file:read_file(File) of
        {ok, <<31, 139, _/binary>> = Packed} -> complete(File, zlib:gunzip(Packed));
        {ok, Text} -> complete(File, Text);
        %% The oldest are deleted.
        {error, enoent} -> ok
    end.

complete(File, Text) ->
    Tail = binary:part(Text, byte_size(Text), -min(byte_size(Text), 4000)),
    binary:match(Tail, <<"\n# end: complete">>) =/= nomatch
        orelse chaos_load:found({not_complete, File, Tail}).

%% No session, no timer; and who was killed in the middle has not tidied up, but the
%% next session does, and an upgrade at rest is none.
nothing_is_left(Act, #{directory := Directory}) ->
    _ = whereis(flame_prof) =/= undefined andalso Act =:= killed andalso wait_for_end(),
    no_timers(Act, ?TRIES),
    lists:member(Act, [killed, owner_ends, upgraded_at_rest])
        orelse no_hidden_files(Act, Directory, ?TRIES).

%% A stop that was not waited for goes on behind it.
no_hidden_files(Act, Directory, Tries) ->
    case chaos_holdings:hidden_files(Directory) of
        [] -> ok;
        Hidden when Tries =:= 0 -> chaos_load:found({hidden_files, Act, Hidden});
        _ -> timer:sleep(100), no_hidden_files(Act, Directory, Tries - 1)
    end.

%% Those of the other library come and go.
no_timers(Act, Tries) ->
    case chaos_holdings:timers() of
        Few when Few =:= unknown; Few =< 1 -> ok;
        Many when Tries =:= 0 -> chaos_load:found({timers_left, Act, Many});
        _ -> timer:sleep(100), no_timers(Act, Tries - 1)
    end.

wait_for_end() ->
    case whereis(flame_prof) of
        undefined -> ok;
        Pid ->
            Monitor = monitor(process, Pid),
            receive {'DOWN', Monitor, process, Pid, _} -> ok end
    end.

%% --- options -------------------------------------------------------------------------

plain_options(#{reader := Reader, directory := Directory}) ->
    #{basename => Directory, tier => walker, reader => Reader, sample_interval => 1,
      process_interval => 40,
      auto_select => [#{by => By, count => Count, interval => 100} || {By, Count} <- ?SELECTED],
      select => #{applications => [kernel], interval => 100, predicate => fun is_in_trouble/2},
      files_max => 3, file_bytes_max => 16 * 1024 * 1024}.

is_in_trouble(_, #{message_queue_len := Length}) ->
    Length > 100.

%% Any of them, within a budget that only a leak breaks.
session_options(Options) ->
    (plain_options(Options))#{
        tier => one_of([walker, walker, walker, auto, portable]),
        reader => one_of([auto, auto, guarded_load, process_vm_readv]),
        sample_interval => one_of([1, 1, 9]),
        auto_process_opts => #{viral => one_of([self_only, spawn, send, true])},
        cpu_sampling => one_of([true, #{rate => 199}, #{rate => 997}, false]),
        categories => one_of([[initial_call], [status, memory, mailbox, scheduler, registered_name]]),
        compress => one_of([none, gzip]),
        flatten_recursive => one_of([true, false]),
        cpu_max => infinity, memory_max => ?MEMORY_MAX}.

%% --- versions ----------------------------------------------------------------------------

new_library(Library) ->
    {ok, _} = file:copy(Library, Library ++ ".new"),
    ok = file:rename(Library ++ ".new", Library).

%% The library's and some others: each is purged, and that waits for a turn of everybody.
modules() ->
    _ = application:load(flame_prof),
    {ok, Modules} = application:get_key(flame_prof, modules),
    [flame_prof_nif | lists:usort([one_of(Modules) || _ <- lists:seq(1, ?REPLACED)])
         -- [flame_prof_nif]].

%% What runs the version before the last one is killed.
loaded_anew(Module) ->
    chaos_load:alone_with_code(
      fun() ->
          _ = erlang:check_old_code(Module) andalso code:purge(Module),
          case code:load_file(Module) of
              {module, Module} -> true;
              {error, on_load_failure} -> false
          end
      end).
