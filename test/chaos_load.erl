%% SPDX-License-Identifier: Apache-2.0
%% @doc Everything that moves memory under a profiler, all at once: processes that
%% come, go, crash and are killed, deep stacks, collections, hibernation,
%% binaries, names, messages, suspensions, and code that is loaded, deleted and
%% purged every few ms, while flame_prof samples it; with `acts' also what people do to
%% a node and to the profiler meanwhile (chaos_others, chaos_operator). Runs in a VM of
%% its own (chaos_SUITE, bench/chaos), since the end of that VM is one of the findings.
-module(chaos_load).

-export([make_tables/0, begin_all/1, end_all/1]).
-export([count/1, count/2, counts/0, found/1, one_of/1, alone_with_code/1]).
-export([sleeper/0]).

-define(HOT_MODULES, 6).
-define(HOT_VERSIONS, 4).
-define(FRESH_MODULES, 500).
-define(NAMES, 64).
-define(TOLD_MAX, 3).
%% A purge waits until every process has had its turn, however slow the machine.
-define(PURGE_MS, 600000).

%% How many of a kind live at any time: who ends is replaced.
-define(POPULATION, [{short, 80}, {crashing, 20}, {victim, 40}, {deep, 12}, {collecting, 12},
                     {hibernating, 24}, {binaries, 12}, {named, 24}, {talking, 12},
                     {dictionary, 12}, {suspending, 3}, {dirty, 3}, {hot, 40}]).

%% @doc For what is counted, and for who lives; by a process that sees all of it.
make_tables() ->
    ets:new(?MODULE, [named_table, public, {write_concurrency, true}]),
    ets:new(chaos_pids, [named_table, public, {read_concurrency, true}]).

%% @doc Begins all of it, in processes that have one of them as their group leader, which
%% is what end_all/1 ends them by.
%% `loaders' processes each change the code of a module every `code_ms';
%% `share' of the usual processes, and `more' beside them; `priority' of who begins and
%% ends them, and of those who load code.
-spec begin_all(#{loaders := 1..?HOT_MODULES, code_ms := pos_integer(), share := float(), more := [{atom(), pos_integer()}],
                  priority := normal | high}) -> pid().
begin_all(#{loaders := Loaders, code_ms := CodeMs, share := Share, more := More, priority := Priority}) ->
    Hot = [[compiled(Module, Version) || Version <- lists:seq(1, ?HOT_VERSIONS)]
           || Module <- lists:seq(1, ?HOT_MODULES)],
    [load(hd(Versions)) || Versions <- Hot],
    Keeper = spawn_opt(fun() ->
                           true = group_leader(self(), self()),
                           %% A purge waits for every process, and the loaders for each other.
                           [spawn_opt(fun() -> change_code(Versions, CodeMs) end, [link, {priority, Priority}])
                            || Versions <- lists:sublist(Hot, Loaders)],
                           spawn_opt(fun() -> load_fresh(?FRESH_MODULES, CodeMs) end, [link, {priority, Priority}]),
                           keep([{Kind, ceil(Share * Count)} || {Kind, Count} <- ?POPULATION] ++ More)
                       end, [{priority, Priority}]),
    Keeper.

end_all(Keeper) ->
    exit(Keeper, kill),
    Led = [Pid || Pid <- processes(), process_info(Pid, group_leader) =:= {group_leader, Keeper}],
    [exit(Pid, kill) || Pid <- Led],
    %% Until those who were being started are gone too.
    Led =:= [] orelse end_all(Keeper).

%% @doc One more of what is counted.
count(What) ->
    count(What, 1).

count(What, Increment) ->
    ets:update_counter(?MODULE, What, Increment, {What, 0}).

%% @doc How often, by what was counted.
-spec counts() -> #{term() => pos_integer()}.
counts() ->
    maps:from_list([Count || {What, _} = Count <- ets:tab2list(?MODULE), What =/= purging]).

%% @doc What should not have been; told at once, since the VM may end.
found(What) ->
    count({found, What}) =< ?TOLD_MAX andalso io:format(user, "found: ~0tP~n", [What, 60]).

%% --- processes ----------------------------------------------------------------------

keep(Population) ->
    Kinds = maps:from_list([begin_one(Kind) || {Kind, Count} <- Population,
                                               _ <- lists:seq(1, Count)]),
    Pids = maps:keys(Kinds),
    keep(Kinds, list_to_tuple(Pids), 0).

keep(Kinds, Recent, Ended) ->
    receive
        {'DOWN', Monitor, process, Pid, _} ->
            {Kind, Monitor} = maps:get(Pid, Kinds),
            {New, Entry} = begin_one(Kind),
            ets:delete(chaos_pids, Pid),
            count(started),
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
turn(profiled) ->
    Options = #{viral => one_of([self_only, spawn, send, true])},
    case rand:uniform(4) of
        1 -> try flame_prof:apply(fun() -> pause(20) end, Options) catch error:{_, _} -> refused end;
        2 -> _ = flame_prof:profile_start(Options), exit(left_behind);
        _ -> _ = flame_prof:profile_start(Options), spawn(fun() -> pause(20) end), pause(50),
             flame_prof:profile_stop()
    end;
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

change_code([{Module, _} | _] = Versions, Ms) ->
    timer:sleep(Ms),
    case rand:uniform(4) of
        1 -> purge(Module), delete(Module), purge(Module);
        2 -> soft_purge(Module) andalso load_counted(one_of(Versions));
        _ -> purge(Module), load_counted(one_of(Versions))
    end,
    change_code(Versions, Ms).

%% New modules need no purge.
load_fresh(0, _) ->
    receive stop -> ok end;
load_fresh(N, Ms) ->
    load_counted(compiled(?HOT_MODULES + N, 1)),
    timer:sleep(Ms),
    load_fresh(N - 1, Ms).

%% With the processes that run it.
purge(Module) ->
    alone_with_code(fun() -> erts_code_purger:purge(Module) end).

soft_purge(Module) ->
    alone_with_code(fun() -> erts_code_purger:soft_purge(Module) end).

%% @doc Nobody else's code is purged meanwhile. While it purges, OTP's purger forgets who asks
%% it to finish an on_load function, and the code server waits for ever: it does not expect
%% that others than the code server purge, too
%% (https://github.com/erlang/otp/blob/0458f3a34ea5/erts/preloaded/src/erts_code_purger.erl,
%% cpc_receive/4). Who is killed meanwhile is not waited for, and nobody for ever.
alone_with_code(Fun) ->
    alone_with_code(Fun, erlang:monotonic_time(millisecond) + ?PURGE_MS).

alone_with_code(Fun, Deadline) ->
    case ets:insert_new(?MODULE, {purging, self()}) of
        true ->
            try Fun() after ets:delete(?MODULE, purging) end;
        false ->
            [ets:delete_object(?MODULE, Held) || {_, Pid} = Held <- ets:lookup(?MODULE, purging),
                                                 not is_process_alive(Pid)],
            erlang:monotonic_time(millisecond) < Deadline orelse purged_for_ever(),
            timer:sleep(2),
            alone_with_code(Fun, Deadline)
    end.

-spec purged_for_ever() -> no_return().
purged_for_ever() ->
    found({purges_for_ever, [process_info(Pid, [current_stacktrace, status])
                             || {_, Pid} <- ets:lookup(?MODULE, purging)]}),
    exit(purges_for_ever).

delete(Module) ->
    erlang:module_loaded(Module) andalso erlang:delete_module(Module).

load_counted(Version) ->
    load(Version),
    count(loads).
