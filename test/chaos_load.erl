%% SPDX-License-Identifier: Apache-2.0
%% @doc Everything that moves memory under a profiler, all at once: processes that
%% come, go, crash and are killed, deep stacks, collections, hibernation,
%% binaries, names, messages, suspensions, and code that is loaded, deleted and
%% purged every 5 ms, while flame_prof samples it. Runs in a VM of its own
%% (chaos_SUITE, bench/chaos), since the end of that VM is one of the findings.
-module(chaos_load).

-export([main/0, run/1]).
-export([sleeper/0]).

-define(SELECTED, [{reductions, 120}, {message_queue_len, 20}, {message_queue_growth, 20},
                   {memory, 20}, {binary_vheap, 20}]).
-define(HOT_MODULES, 6).
-define(HOT_VERSIONS, 4).
-define(FRESH_MODULES, 500).
-define(NAMES, 64).
-define(WARM_UP_S, 3).
-define(CODE_INTERVAL_MS, 5).

%% How many of a kind live at any time: who ends is replaced.
-define(POPULATION, [{short, 80}, {crashing, 20}, {victim, 40}, {deep, 12}, {collecting, 12},
                     {hibernating, 24}, {binaries, 12}, {named, 24}, {talking, 12},
                     {dictionary, 12}, {suspending, 3}, {dirty, 3}, {hot, 40}]).

%% @doc `erl ... -s chaos_load main -extra KEY=VALUE...' prints the result as one
%% term on its last line.
main() ->
    Options = maps:from_list([option(Text) || Text <- init:get_plain_arguments()]),
    Result = run(Options),
    io:format("~0tp.~n", [Result]),
    halt(0).

option(Text) ->
    [Key, Value] = string:split(Text, "="),
    {list_to_atom(Key), value(Value)}.

value(Text) ->
    try list_to_integer(Text)
    catch error:badarg ->
        case Text of
            [$/ | _] -> Text;
            _ -> list_to_atom(Text)
        end
    end.

%% @doc `seconds', `reader' (auto, guarded_load, process_vm_readv), `directory',
%% `restart' (seconds between a stop and the next; 0 = never), `profile' (on, off),
%% `verbose' (a line every so many seconds; 0 = none).
run(Given) ->
    Options = maps:merge(#{seconds => 10, reader => auto, restart => 0, profile => on,
                           verbose => 0}, Given),
    process_flag(priority, high),
    process_flag(message_queue_data, off_heap),
    ets:new(?MODULE, [named_table, public, {write_concurrency, true}]),
    ets:insert(?MODULE, [{loads, 0}, {started, 0}]),
    ets:new(chaos_pids, [named_table, public, {read_concurrency, true}]),
    %% Crashes are part of it.
    logger:set_primary_config(level, none),
    Before = {threads(), open_files()},
    Began = begin_session(Options),
    Hot = [[compiled(Module, Version) || Version <- lists:seq(1, ?HOT_VERSIONS)]
           || Module <- lists:seq(1, ?HOT_MODULES)],
    [load(hd(Versions)) || Versions <- Hot],
    Keeper = spawn_opt(fun() -> keep() end, [link, {priority, high}]),
    %% A purge waits for every process, and the loaders for each other.
    Loaders = [spawn_opt(fun() -> change_code(Versions) end, [link, {priority, high}])
               || Versions <- Hot],
    Fresh = spawn_opt(fun() -> load_fresh(?FRESH_MODULES) end, [link, {priority, high}]),
    Seen = watch(Options, 1, Began#{rows => []}),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- [Keeper, Fresh | Loaders]],
    Ended = end_session(Seen, Options),
    report(Ended#{before => Before, 'after' => held(Before, 50)}, Options).

%% Threads and files now. A thread that has told that it is through takes another
%% moment to be gone.
held(Expected, Tries) ->
    case {threads(), open_files()} of
        Held when Held =:= Expected; Tries =:= 0 -> Held;
        _ -> timer:sleep(100), held(Expected, Tries - 1)
    end.

%% --- the profiler -------------------------------------------------------------------

begin_session(#{profile := off}) ->
    empty();
begin_session(#{reader := Reader, directory := Directory}) ->
    {ok, _} = flame_prof:start(#{basename => Directory, tier => walker, reader => Reader,
                                 sample_interval => 1, process_interval => 40,
                                 auto_select => [#{by => By, count => Count, interval => 100}
                                                 || {By, Count} <- ?SELECTED],
                                 select => #{applications => [kernel], interval => 100,
                                             predicate => fun is_in_trouble/2},
                                 files_max => 3, file_bytes_max => 16 * 1024 * 1024}),
    empty().

is_in_trouble(_, #{message_queue_len := Length}) ->
    Length > 100.

empty() ->
    #{sessions => [], samples => 0, losses => #{}, degraded => #{}, expected => 0, taken => 0}.

end_session(Seen, #{profile := off}) ->
    Seen;
end_session(#{sessions := Sessions} = Seen, _) ->
    {Us, Result} = timer:tc(fun() -> flame_prof:stop(infinity) end),
    case Result of
        {ok, #{samples := Samples, losses := Losses, degraded := Degraded, tier := Tier,
               reader := Reader, ticks_expected := Expected, ticks_taken := Taken}} ->
            Seen#{sessions := [{Tier, Reader, Us div 1000} | Sessions],
                  samples := maps:get(samples, Seen) + Samples,
                  expected := maps:get(expected, Seen) + Expected,
                  taken := maps:get(taken, Seen) + Taken,
                  losses := add(Losses, maps:get(losses, Seen)),
                  degraded := add(Degraded, maps:get(degraded, Seen))};
        {error, Reason} ->
            Seen#{sessions := [{error, Reason, Us div 1000} | Sessions]}
    end.

add(A, B) ->
    maps:merge_with(fun(_, X, Y) -> X + Y end, A, B).

%% --- looking on ---------------------------------------------------------------------

watch(#{seconds := Seconds}, Second, Seen) when Second > Seconds ->
    Seen;
watch(Options, Second, #{rows := Rows} = Seen) ->
    timer:sleep(1000),
    Row = #{second => Second, rss_kb => status_kb("VmRSS:"), threads => threads(),
            vm_kb => erlang:memory(total) div 1024, processes => erlang:system_info(process_count)},
    tell(Options, Row),
    watch(Options, Second + 1, restarted(Options, Second, Seen#{rows := [Row | Rows]})).

tell(#{verbose := Every}, #{second := Second} = Row) when Every > 0, Second rem Every =:= 0 ->
    Info = case flame_prof:info() of
               #{samples := Samples, losses := Losses, memory_bytes := Bytes, cpu_ms := Cpu,
                 modules := Modules} ->
                   {Samples, [L || {_, N} = L <- maps:to_list(Losses), N > 0], Bytes div 1024, Cpu,
                    Modules};
               {error, Reason} -> Reason
           end,
    io:format("~0tp ~0tp~n", [Row, Info]);
tell(_, _) ->
    ok.

restarted(#{restart := Every, profile := on} = Options, Second, Seen)
        when Every > 0, Second rem Every =:= 0 ->
    Ended = end_session(Seen, Options),
    _ = begin_session(Options),
    Ended;
restarted(_, _, Seen) ->
    Seen.

status_kb(Key) ->
    {ok, Text} = file:read_file("/proc/self/status"),
    [_, Rest] = string:split(Text, Key),
    [Number | _] = string:lexemes(Rest, " \t\n"),
    binary_to_integer(Number).

threads() ->
    entries("/proc/self/task").

open_files() ->
    entries("/proc/self/fd").

entries(Directory) ->
    {ok, Names} = file:list_dir(Directory),
    length(Names).

report(#{rows := Rows} = Seen, #{seconds := Seconds}) ->
    Settled = [Row || #{second := Second} = Row <- lists:reverse(Rows), Second > ?WARM_UP_S],
    Quarter = max(1, length(Settled) div 4),
    Early = lists:sublist(Settled, Quarter),
    Late = lists:nthtail(length(Settled) - Quarter, Settled),
    [{_, Loads}] = ets:lookup(?MODULE, loads),
    [{_, Started}] = ets:lookup(?MODULE, started),
    (maps:remove(rows, Seen))
        #{seconds => Seconds, loads => Loads, started => Started,
          rss_early_kb => median(rss_kb, Early), rss_late_kb => median(rss_kb, Late),
          vm_early_kb => median(vm_kb, Early), vm_late_kb => median(vm_kb, Late),
          threads => lists:usort([T || #{threads := T} <- Settled])}.

median(Key, Rows) ->
    Values = lists:sort([maps:get(Key, Row) || Row <- Rows]),
    lists:nth((length(Values) + 1) div 2, Values).

%% --- processes ----------------------------------------------------------------------

keep() ->
    Kinds = maps:from_list([begin_one(Kind) || {Kind, Count} <- ?POPULATION,
                                               _ <- lists:seq(1, Count)]),
    Pids = maps:keys(Kinds),
    keep(Kinds, list_to_tuple(Pids), 0).

keep(Kinds, Recent, Ended) ->
    receive
        {'DOWN', Monitor, process, Pid, _} ->
            {Kind, Monitor} = maps:get(Pid, Kinds),
            {New, Entry} = begin_one(Kind),
            ets:delete(chaos_pids, Pid),
            ets:update_counter(?MODULE, started, 1),
            stir(element(rand:uniform(tuple_size(Recent)), Recent), Ended),
            keep(maps:put(New, Entry, maps:remove(Pid, Kinds)),
                 setelement(rand:uniform(tuple_size(Recent)), Recent, New), Ended + 1)
    after 5 ->
        [stir(element(I, Recent), I) || I <- lists:seq(1, tuple_size(Recent), 3)],
        keep(Kinds, Recent, Ended)
    end.

%% A message now and then, and sometimes the end.
stir(Pid, Count) when Count rem 17 =:= 0 -> exit(Pid, kill);
stir(Pid, Count) -> Pid ! {stir, Count}.

begin_one(Kind) ->
    {Pid, Monitor} = spawn_opt(fun() -> be(Kind) end, [monitor | options(Kind)]),
    %% Those may be suspended, which holds up nobody else.
    Kind =:= suspending orelse ets:insert(chaos_pids, {Pid}),
    {Pid, {Kind, Monitor}}.

options(talking) -> [{message_queue_data, one_of([on_heap, off_heap])}];
options(collecting) -> [{fullsweep_after, one_of([0, 5, 65535])}];
options(deep) -> [{min_heap_size, one_of([233, 10000])}];
options(_) -> [].

one_of(List) -> lists:nth(rand:uniform(length(List)), List).

be(Kind) ->
    rand:seed(exsss, {erlang:unique_integer(), erlang:phash2(self()), 3}),
    live(Kind, 1 + rand:uniform(30)).

live(_, 0) -> ok;
live(Kind, Turns) ->
    turn(Kind),
    live(Kind, Turns - 1).

turn(short) ->
    pause(3),
    _ = lists:seq(1, rand:uniform(100)),
    exit(normal);
turn(crashing) ->
    pause(10),
    exit(one_of([kill, shutdown, {crash, lists:seq(1, 50)}]));
turn(victim) ->
    put('$initial_call', {?MODULE, victim, 1}),
    pause(200);
turn(deep) ->
    _ = down(one_of([10, 300, 3000, 30000])),
    pause(20);
turn(collecting) ->
    Kept = [{N, lists:seq(1, N rem 50)} || N <- lists:seq(1, rand:uniform(500))],
    erlang:garbage_collect(self(), [{type, one_of([minor, major])}]),
    pause(10),
    true = length(Kept) > 0;
turn(hibernating) ->
    _ = lists:seq(1, 1000),
    %% Ends here: what wakes it returns into sleeper/0.
    erlang:hibernate(?MODULE, sleeper, []);
turn(binaries) ->
    Big = binary:copy(<<"chaos">>, 1000 + rand:uniform(20000)),
    Parts = [binary:part(Big, N, 100) || N <- lists:seq(0, 4000, 100)],
    pause(10),
    true = iolist_size(Parts) > 0;
turn(named) ->
    Name = list_to_atom("chaos_" ++ integer_to_list(rand:uniform(?NAMES))),
    try register(Name, self()) of
        true -> pause(3), unregister(Name)
    catch
        error:badarg -> pause(1)
    end;
turn(talking) ->
    Peers = [Pid || N <- lists:seq(1, ?NAMES, 4),
                    Pid <- [whereis(list_to_atom("chaos_" ++ integer_to_list(N)))], is_pid(Pid)],
    [Peer ! {chaos, lists:seq(1, rand:uniform(200))} || Peer <- Peers],
    [self() ! {unread, N, <<0:(N * 64)>>} || N <- lists:seq(1, rand:uniform(100))],
    pause(10),
    flush();
turn(dictionary) ->
    Keys = [put({key, N}, lists:seq(1, N rem 10)) || N <- lists:seq(1, rand:uniform(500))],
    pause(1),
    erase(),
    true = length(Keys) > 0;
turn(suspending) ->
    Suspended = [Pid || {Pid} <- ets:tab2list(chaos_pids), rand:uniform(20) =:= 1, Pid =/= self(),
                        suspend(Pid)],
    pause(2),
    [resume(Pid) || Pid <- Suspended];
turn(dirty) ->
    {ok, _} = file:read_file("/proc/self/stat"),
    Large = lists:seq(1, 50000 + rand:uniform(50000)),
    erlang:garbage_collect(),
    pause(20),
    true = length(Large) > 0;
turn(hot) ->
    Module = hot_name(rand:uniform(?HOT_MODULES)),
    %% Or the code server would look for it in every directory.
    try erlang:function_exported(Module, spin, 1) andalso
        case rand:uniform(3) of
            1 -> Module:spin(rand:uniform(3000));
            2 -> Module:wait(rand:uniform(5));
            3 -> Module:deep(rand:uniform(200))
        end
    of
        false -> pause(2);
        _ -> ok
    catch
        error:undef -> pause(1)
    end.

suspend(Pid) ->
    try erlang:suspend_process(Pid) catch error:badarg -> false end.

resume(Pid) ->
    try erlang:resume_process(Pid) catch error:badarg -> false end.

sleeper() ->
    receive
        {stir, N} when N rem 5 =:= 0 -> ok;
        _ -> erlang:hibernate(?MODULE, sleeper, [])
    end.

pause(Ms) ->
    receive
        {stir, _} -> ok
    after rand:uniform(Ms) - 1 -> ok
    end.

flush() ->
    receive _ -> flush()
    after 0 -> ok
    end.

down(0) -> pause(2), 0;
down(N) -> 1 + down(N - 1).

%% --- code ---------------------------------------------------------------------------

hot_name(N) -> list_to_atom("chaos_hot_" ++ integer_to_list(N)).

%% The versions differ in size, so that what is loaded next lies elsewhere.
compiled(Number, Version) ->
    Module = hot_name(Number),
    Filler = [io_lib:format("f~b(X) -> {X, ~b}.~n", [I, I]) || I <- lists:seq(1, 10 * Version)],
    Text = ["-module(", atom_to_list(Module), ").\n"
            "-export([spin/1, wait/1, deep/1, version/0]).\n"
            "-compile([export_all, nowarn_export_all]).\n",
            "version() -> ", integer_to_list(Version), ".\n"
            "spin(0) -> ok;\nspin(N) -> _ = {N, ?MODULE}, spin(N - 1).\n"
            "wait(Ms) -> receive never -> ok after Ms -> waited end.\n"
            "deep(0) -> wait(2);\ndeep(N) -> [N | deep(N - 1)].\n",
            Filler],
    Forms = [Form || Part <- split(lists:flatten(string:replace(Text, "?MODULE",
                                                                atom_to_list(Module), all))),
                     Form <- [form(Part)]],
    {ok, Module, Binary} = compile:forms(Forms, [debug_info]),
    {Module, Binary}.

split(Text) ->
    [Part ++ ".\n" || Part <- string:split(Text, ".\n", all), string:trim(Part) =/= []].

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

%% Not by way of the code server, which waits its turn as everybody.
load({Module, Binary}) ->
    {module, Module} = erlang:load_module(Module, Binary).

change_code([{Module, _} | _] = Versions) ->
    timer:sleep(?CODE_INTERVAL_MS),
    case rand:uniform(4) of
        1 -> purge(Module), delete(Module), purge(Module);
        2 -> soft_purge(Module) andalso load_counted(one_of(Versions));
        _ -> purge(Module), load_counted(one_of(Versions))
    end,
    change_code(Versions).

%% New modules need no purge.
load_fresh(0) ->
    receive stop -> ok end;
load_fresh(N) ->
    load_counted(compiled(?HOT_MODULES + N, 1)),
    timer:sleep(?CODE_INTERVAL_MS),
    load_fresh(N - 1).

%% With the processes that run it.
purge(Module) ->
    erts_code_purger:purge(Module).

soft_purge(Module) ->
    erts_code_purger:soft_purge(Module).

delete(Module) ->
    erlang:module_loaded(Module) andalso erlang:delete_module(Module).

load_counted(Version) ->
    load(Version),
    ets:update_counter(?MODULE, loads, 1).
