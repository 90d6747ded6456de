%% SPDX-License-Identifier: Apache-2.0
%% @doc A run of chaos: the load, the profiler, who looks on, and what is left.
-module(chaos_run).

-export([run/1, empty/0]).

-define(WARM_UP_S, 3).
-define(START_MS, 60000).
-define(STUCK_MS, 120000).
%% No longer than that for what a run must have seen.
-define(LONGEST_S, 600).

%% @doc
%% <ul>
%% <li>`seconds'; `directory' for the files</li>
%% <li>`least': how many of what is counted there must have been before it ends, and how
%%   many `samples' of sessions that have ended: a slow machine needs more seconds</li>
%% <li>`profile': on, off; `reader': auto, guarded_load, process_vm_readv</li>
%% <li>`restart': seconds between a stop and the next start; 0 = never</li>
%% <li>`acts': on: sessions are chaos_operator's, and chaos_others do what they do;
%%   `others': which of them, [] = all;
%%   `library': the .so of a copy of flame_prof that may be replaced, or undefined;
%%   `nif': walker_test_nif's, or undefined; `epmd': a port of our own</li>
%% <li>`verbose': a line every so many seconds; 0 = none</li>
%% </ul>
run(Given) ->
    Options = maps:merge(#{seconds => 10, least => #{}, reader => auto, restart => 0, profile => on, acts => off,
                           others => [], library => undefined, nif => undefined, epmd => "4369", verbose => 0},
                         Given),
    process_flag(priority, high),
    process_flag(message_queue_data, off_heap),
    %% Crashes are part of it.
    logger:set_primary_config(level, none),
    _ = chaos_load:make_tables(),
    warm_up(Options),
    Before = chaos_holdings:held(),
    MemoryBefore = chaos_holdings:memory_kb(),
    Profiling = begin_profiling(Options),
    Keeper = begin_load(Options),
    Heart = chaos_heartbeat:start(),
    Watched = watch(Options, Heart, 1, #{profiling => Profiling, rows => [],
                                         began_ms => erlang:monotonic_time(millisecond)}),
    Seen = end_profiling(maps:get(profiling, Watched)),
    Longest = chaos_heartbeat:longest_ms(Heart),
    chaos_heartbeat:stop(Heart),
    chaos_load:end_all(Keeper),
    _ = application:stop(flame_prof),
    After = chaos_holdings:settled(Before),
    report(Seen#{before => Before, 'after' => After, missing => chaos_holdings:missing(Before, After),
                 memory_before_kb => MemoryBefore, memory_after_kb => chaos_holdings:memory_kb(),
                 longest_beat_ms => Longest}, maps:get(rows, Watched), Options).

%% With acts there is less of it, and it takes its turn as all do. A purge waits until
%% everybody has had a turn, all purges wait for each other, and the application's own
%% modules must come to theirs.
begin_load(#{acts := on}) ->
    chaos_load:begin_all(#{loaders => 1, code_ms => 300, share => 0.25, more => [{profiled, 8}],
                           priority => normal});
begin_load(#{acts := off}) ->
    chaos_load:begin_all(#{loaders => 6, code_ms => 5, share => 1.0, more => [], priority => high}).

%% What starts at its first use is no leak: the timer server, who asks for names of hosts. The
%% library is loaded while nobody purges, see chaos_load:alone_with_code/1.
warm_up(#{nif := Nif, epmd := Epmd}) ->
    {module, _} = code:ensure_loaded(flame_prof_nif),
    _ = os:cmd("ERL_EPMD_PORT=" ++ Epmd ++ " epmd -daemon"),
    _ = timer:tc(timer, start, []),
    _ = Nif =/= undefined andalso (ok = walker_test_nif:load(Nif)),
    _ = inet:gethostbyname("localhost"),
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    ok = gen_tcp:close(Socket).

%% --- the profiler -------------------------------------------------------------------

begin_profiling(#{profile := off}) ->
    off;
begin_profiling(#{acts := on} = Options) ->
    {acts, chaos_operator:start(Options), chaos_others:start(Options)};
begin_profiling(Options) ->
    begin_session(Options),
    {plain, empty()}.

begin_session(Options) ->
    {ok, _} = flame_prof:start(chaos_operator:plain_options(Options), ?START_MS).

%% What all sessions came to.
empty() ->
    #{sessions => [], samples => 0, cpu_samples => 0, losses => #{}, degraded => #{}, expected => 0,
      taken => 0}.

end_profiling(off) ->
    empty();
end_profiling({acts, Operator, Others}) ->
    Seen = chaos_operator:stop(Operator),
    chaos_others:stop(Others),
    Seen;
end_profiling({plain, Seen}) ->
    {Us, Result} = timer:tc(fun() -> flame_prof:stop(infinity) end),
    chaos_operator:session_ended(Result, Us, Seen, fun(_) -> ok end).

restarted({plain, _} = Plain, Second, #{restart := Every} = Options)
        when Every > 0, Second rem Every =:= 0 ->
    Seen = end_profiling(Plain),
    begin_session(Options),
    {plain, Seen};
restarted(Profiling, _, _) ->
    Profiling.

%% --- looking on ---------------------------------------------------------------------

watch(#{seconds := Seconds} = Options, Heart, Second, Watched) when Second > Seconds ->
    case Second > ?LONGEST_S orelse is_enough(Options, Watched) of
        true -> Watched;
        false -> watch_on(Options, Heart, Second, Watched)
    end;
watch(Options, Heart, Second, Watched) ->
    watch_on(Options, Heart, Second, Watched).

is_enough(#{least := Least}, #{profiling := Profiling}) ->
    Counts = case Profiling of
                 {plain, #{samples := Samples}} -> (chaos_load:counts())#{samples => Samples};
                 _ -> chaos_load:counts()
             end,
    lists:all(fun({What, Count}) -> maps:get(What, Counts, 0) >= Count end, maps:to_list(Least)).

watch_on(Options, Heart, Second, #{rows := Rows, profiling := Profiling, began_ms := Began} = Watched) ->
    timer:sleep(max(0, Began + 1000 * Second - erlang:monotonic_time(millisecond))),
    {Rss, Carriers} = chaos_holdings:memory_kb(),
    Row = #{second => Second, rss_kb => Rss, carriers_kb => Carriers, threads => chaos_holdings:threads(),
            vm_kb => erlang:memory(total) div 1024, processes => erlang:system_info(process_count)},
    no_scheduler_is_stuck(Heart),
    tell(Options, Row),
    watch(Options, Heart, Second + 1, Watched#{rows := [Row | Rows],
                                               profiling := restarted(Profiling, Second, Options)}).

no_scheduler_is_stuck(Heart) ->
    case chaos_heartbeat:silent_ms(Heart) of
        Ms when Ms > ?STUCK_MS -> chaos_load:found(scheduler_stuck);
        _ -> ok
    end.

tell(#{verbose := Every}, #{second := Second} = Row) when Every > 0, Second rem Every =:= 0 ->
    Info = case flame_prof:info() of
               #{tier := Tier, samples := Samples, losses := Losses, memory_bytes := Bytes} ->
                   {Tier, Samples, [L || {_, N} = L <- maps:to_list(Losses), N > 0], Bytes div 1024};
               {error, {Code, _}} -> Code
           end,
    io:format("~0tp ~0tp~n", [Row, Info]);
tell(_, _) ->
    ok.

report(Seen, Rows, #{seconds := Seconds}) ->
    Settled = [Row || #{second := Second} = Row <- lists:reverse(Rows), Second > ?WARM_UP_S],
    Quarter = max(1, length(Settled) div 4),
    Early = lists:sublist(Settled, Quarter),
    Late = lists:nthtail(length(Settled) - Quarter, Settled),
    Counts = chaos_load:counts(),
    Seen#{seconds => Seconds,
          loads => maps:get(loads, Counts, 0),
          started => maps:get(started, Counts, 0),
          found => [{What, Count} || {{found, What}, Count} <- maps:to_list(Counts)],
          acts => [{What, Count} || {What, Count} <- maps:to_list(Counts), What =/= loads,
                                    What =/= started, not is_finding(What)],
          quarters_kb => [{Key, median(Key, Early), median(Key, Late)}
                          || Key <- [rss_kb, carriers_kb, vm_kb]],
          threads => lists:usort([T || #{threads := T} <- Settled])}.

is_finding({found, _}) -> true;
is_finding(_) -> false.

median(Key, Rows) ->
    Values = lists:sort([maps:get(Key, Row) || Row <- Rows]),
    lists:nth((length(Values) + 1) div 2, Values).
