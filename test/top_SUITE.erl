%% SPDX-License-Identifier: Apache-2.0
%% The live table at a terminal made for the test, on every tier.
-module(top_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [eventually/1, hogs/1, idle/0, spawned/1, end_all/1]).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [{group, portable}, {group, walker}].

groups() ->
    Cases = [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))],
    [{Tier, [], Cases} || Tier <- [portable, walker]].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_group(Tier, Config) ->
    case at_terminal(fun() -> flame_prof:top(#{once => true, tier => Tier, interval => 200}) end) of
        {ok, _} -> [{tier, Tier} | Config];
        {{error, {refused, Detail}}, _} -> {skip, binary_to_list(Detail)}
    end.

end_per_group(_, _) ->
    ok.

init_per_testcase(_, Config) ->
    [{processes, lists:sort(processes())} | Config].

end_per_testcase(_, _) ->
    flame_prof_case:end_leftovers().

it_shows_the_busiest_first(Config) ->
    [Hog] = hogs(1),
    true = register(top_suite_hog, Hog),
    %% In a second that the machine gives to others the busiest is who looks.
    Status = eventually(fun() -> is_first("top_suite_hog", top(Config, #{once => true, rows => 5})) end),
    end_all([Hog]),
    ?assert(lists:member(Status, ["running", "runnable"])),
    nothing_is_left(Config).

is_first(Name, {ok, Text}) ->
    case string:lexemes(hd(rows(Text)), " ") of
        [_, Name, _, Status | _] -> Status;
        _ -> false
    end.

it_shows_long_queues_first(Config) ->
    Deaf = idle(),
    true = register(top_suite_deaf, Deaf),
    _ = [Deaf ! I || I <- lists:seq(1, 4321)],
    {ok, Text} = top(#{once => true, sort => message_queue_len, interval => 200}),
    end_all([Deaf]),
    [First | _] = rows(Text),
    ?assertMatch([_, "top_suite_deaf", _, "waiting", _, _, "4321", _], string:lexemes(First, " ")),
    nothing_is_left(Config).

it_shows_large_processes_first(Config) ->
    Test = self(),
    Large = spawned(fun() ->
                        Kept = lists:seq(1, 2000000),
                        Test ! large,
                        receive stop -> length(Kept) end
                    end),
    receive large -> ok end,
    {ok, Text} = top(#{once => true, sort => memory, interval => 200}),
    end_all([Large]),
    [First | _] = rows(Text),
    ?assertEqual(pid_to_list(Large), hd(string:lexemes(First, " "))),
    nothing_is_left(Config).

it_ends_after_so_many_tables(Config) ->
    {ok, Text} = top(Config, #{iterations => 3, interval => 200}),
    ?assertEqual(3, length(string:split(Text, "PID ", all)) - 1),
    nothing_is_left(Config).

it_ends_by_q_and_is_refreshed_by_enter(Config) ->
    Terminal = terminal(self()),
    Top = started(Terminal, options(Config, #{interval => 60000})),
    eventually(fun() -> string:find(shown(Terminal), "PID ") =/= nomatch end),
    typed(Terminal, "\n"),
    eventually(fun() -> length(string:split(shown(Terminal), "PID ", all)) > 2 end),
    typed(Terminal, "q\n"),
    ?assertEqual(ok, result(Top)),
    ended(Terminal),
    nothing_is_left(Config).

%% Ctrl-C, or the job's end.
it_leaves_nothing_when_its_caller_is_killed(Config) ->
    Terminal = terminal(self()),
    {Pid, Monitor} = started(Terminal, options(Config, #{interval => 200})),
    eventually(fun() -> string:find(shown(Terminal), "PID ") =/= nomatch end),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, _, killed} -> ok end,
    ended(Terminal),
    nothing_is_left(Config).

it_ends_with_its_terminal(Config) ->
    Terminal = terminal(self()),
    Top = started(Terminal, options(Config, #{interval => 200})),
    eventually(fun() -> string:find(shown(Terminal), "PID ") =/= nomatch end),
    exit(Terminal, kill),
    %% Whoever notices first: who writes or who waits for a line.
    case result(Top) of
        ok -> ok;
        {error, {no_terminal, _}} -> ok
    end,
    nothing_is_left(Config).

it_does_not_disturb_who_traps_exits(Config) ->
    process_flag(trap_exit, true),
    {ok, _} = top(Config, #{iterations => 2, interval => 200}),
    process_flag(trap_exit, false),
    receive Any -> ct:fail({left_in_the_mailbox, Any}) after 0 -> ok end.

%% One that does not answer holds up nobody.
it_shows_who_does_not_answer(Config) ->
    Suspended = spawned(fun() -> hog() end),
    true = erlang:suspend_process(Suspended),
    _ = [Suspended ! I || I <- lists:seq(1, 99)],
    %% Who waited for it would do so for ever: here until the time trap.
    {ok, Text} = top(Config, #{once => true, rows => 50}),
    true = erlang:resume_process(Suspended),
    end_all([Suspended]),
    ?assertNotEqual([], rows(Text)).

it_says_what_is_wrong(_) ->
    [?assertMatch({error, {bad_option, _}}, flame_prof:top(Given))
     || Given <- [#{sort => size}, #{rows => 0}, #{interval => 1}, #{iterations => 0},
                  #{once => 1}, #{tier => best}, #{colour => red}, once]].

%% --- tools ----------------------------------------------------------------------------

hog() -> hog().

top(Config, Options) -> top(options(Config, Options)).

top(Options) -> at_terminal(fun() -> flame_prof:top(Options) end).

options(Config, Options) -> Options#{tier => ?config(tier, Config)}.

rows(Text) ->
    [_, Below] = string:split(Text, "MEMORY", trailing),
    [Row || Row <- tl(string:split(Below, "\n", all)), Row =/= ""].

nothing_is_left(Config) ->
    eventually(fun() -> processes() -- (?config(processes, Config) ++ [self()]) =:= [] end).

%% A group leader that keeps what is written and gives what is typed.

at_terminal(Fun) ->
    Terminal = terminal(self()),
    Before = group_leader(),
    true = group_leader(Terminal, self()),
    Result = try Fun() after group_leader(Before, self()) end,
    Text = shown(Terminal),
    ended(Terminal),
    {Result, Text}.

started(Terminal, Options) ->
    spawn_monitor(fun() ->
                      true = group_leader(Terminal, self()),
                      exit({result, flame_prof:top(Options)})
                  end).

result({Pid, Monitor}) ->
    receive {'DOWN', Monitor, process, Pid, Reason} ->
        {result, Result} = Reason,
        Result
    after 120000 ->
        ct:fail(top_did_not_end)
    end.

terminal(Test) ->
    spawn(fun() ->
              monitor(process, Test),
              terminal([], none)
          end).

%% What is typed waits until somebody reads.
terminal(Written, Reading) ->
    receive
        {io_request, From, As, {get_line, _, _}} ->
            terminal(Written, {From, As});
        {io_request, From, As, Request} ->
            {Reply, Text} = io_reply(Request),
            From ! {io_reply, As, Reply},
            terminal([Written, Text], Reading);
        {shown, From} ->
            From ! {shown, unicode:characters_to_list(Written)},
            terminal(Written, Reading);
        {typed, Line} when Reading =/= none ->
            {From, As} = Reading,
            From ! {io_reply, As, Line},
            terminal(Written, none);
        stop ->
            ok;
        {'DOWN', _, process, _, _} ->
            ok
    end.

io_reply({put_chars, _, Text}) -> {ok, Text};
io_reply({put_chars, _, Module, Function, Arguments}) ->
    {ok, erlang:apply(Module, Function, Arguments)};
io_reply({get_geometry, columns}) -> {120, ""};
io_reply({get_geometry, rows}) -> {30, ""};
io_reply(getopts) -> {[{encoding, unicode}], ""};
io_reply(_) -> {{error, enotsup}, ""}.

typed(Terminal, Line) -> Terminal ! {typed, Line}.

shown(Terminal) ->
    Terminal ! {shown, self()},
    receive {shown, Text} -> Text after 120000 -> ct:fail(no_terminal) end.

ended(Terminal) ->
    Monitor = monitor(process, Terminal),
    Terminal ! stop,
    receive {'DOWN', Monitor, process, _, _} -> ok end.
