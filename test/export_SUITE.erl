%% SPDX-License-Identifier: Apache-2.0
%% What other programs are told about this node: the perf map and the layout file.
-module(export_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-define(MODULE_TO_LOAD, flame_prof_export_sample).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_suite(Config) ->
    case flame_prof:perf_map(#{directory => ?config(priv_dir, Config)}) of
        {ok, _} ->
            ok = flame_prof:perf_map(stop),
            Config;
        {error, {_, Detail}} ->
            {skip, binary_to_list(Detail)}
    end.

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    Directory = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    ok = file:make_dir(Directory),
    [{directory, Directory} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof:perf_map(stop),
    flame_prof_case:end_leftovers(),
    _ = code:purge(?MODULE_TO_LOAD),
    _ = code:delete(?MODULE_TO_LOAD),
    _ = code:purge(?MODULE_TO_LOAD),
    ok.

%% --- the perf map ------------------------------------------------------------------

it_names_functions_where_the_vm_has_them(Config) ->
    {ok, #{file := File, functions := Functions, bytes := Bytes, follow := false}} =
        perf_map(Config, #{}),
    ?assertEqual("perf-" ++ os:getpid() ++ ".map", filename:basename(File)),
    Lines = lines(File),
    ?assertEqual(Functions, length(Lines)),
    ?assertEqual(Bytes, filelib:file_size(File)),
    ?assertEqual(lists:sort(Lines), Lines),
    Names = [Name || {_, _, Name} <- Lines],
    [?assert(lists:member(Name, Names))
     || Name <- [<<"lists:map/2">>, <<"erlang:++/2">>, <<"gen_server:call/2">>,
                 <<"export_SUITE:", (atom_to_binary(?FUNCTION_NAME))/binary, "/1">>]],
    %% Where a process waits is in the function that it says it waits in.
    {ok, Probe} = flame_prof_nif:open_probe(auto),
    {ok, _} = flame_prof_nif:load_code(Probe),
    %% Names that other suites made to be difficult are written otherwise.
    Located = [{Name, element(1, flame_prof_nif:locate(Probe, Start))} || {Start, _, Name} <- Lines],
    Plain = [Pair || {_, Theirs} = Pair <- Located, re:run(Theirs, "[ \\x00-\\x1f+]") =:= nomatch],
    ?assert(length(Plain) > 1000),
    ?assertEqual([], [Pair || {Ours, Theirs} = Pair <- Plain, Ours =/= Theirs]),
    ok = flame_prof_nif:close_probe(Probe).

it_names_elixir_functions_as_elixir_does(Config) ->
    Module = 'Elixir.FlameProf.Sample',
    Fun = {'fun', 3, {clauses, [{clause, 3, [{var, 3, 'X'}], [],
                                 [{tuple, 3, [{var, 3, 'X'}, {var, 3, 'L'}]}]}]}},
    Forms = [{attribute, 1, module, Module},
             {attribute, 2, export, [{'each!', 1}]},
             {function, 3, 'each!', 1,
              [{clause, 3, [{var, 3, 'L'}], [],
                [{call, 3, {remote, 3, {atom, 3, lists}, {atom, 3, map}},
                  [Fun, {var, 3, 'L'}]}]}]}],
    {ok, Module, Beam} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "sample.ex", Beam),
    {ok, #{file := File}} = perf_map(Config, #{}),
    Names = [Name || {_, _, Name} <- lines(File)],
    true = code:delete(Module),
    _ = code:purge(Module),
    [?assert(lists:member(Name, Names))
     || Name <- [<<"FlameProf.Sample.each!/1">>, <<"FlameProf.Sample.each!/1-fn-0/2">>]],
    ?assertEqual([], [Name || Name <- Names, binary:match(Name, <<"Elixir.">>) =/= nomatch]).

it_names_no_place_twice(Config) ->
    {ok, #{file := File}} = perf_map(Config, #{}),
    Lines = lines(File),
    [?assert(Start + Size =< Next)
     || {{Start, Size, _}, {Next, _, _}} <- lists:zip(lists:droplast(Lines), tl(Lines))].

it_follows_code_loading(Config) ->
    {ok, #{file := File, follow := true}} =
        perf_map(Config, #{follow => true, interval => 100}),
    ?assertEqual([], named(sample, File)),
    load_sample(sample),
    flame_prof_case:eventually(fun() -> named(sample, File) =/= [] end),
    %% Hot upgrade: the old code is gone, the new one is there.
    load_sample(changed),
    _ = code:purge(?MODULE_TO_LOAD),
    flame_prof_case:eventually(fun() -> named(changed, File) =/= [] end),
    ok = flame_prof:perf_map(stop),
    ?assertNot(filelib:is_regular(File)),
    ?assertEqual(undefined, whereis(flame_prof_perf_map)).

it_ends_following_with_a_call_that_does_not(Config) ->
    {ok, #{file := File}} = perf_map(Config, #{follow => true, interval => 100}),
    true = is_pid(whereis(flame_prof_perf_map)),
    {ok, #{file := File, follow := false}} = perf_map(Config, #{}),
    ?assertEqual(undefined, whereis(flame_prof_perf_map)),
    ?assert(filelib:is_regular(File)).

%% The recording may be read when the node is no more.
it_leaves_the_map_when_it_ends_by_itself(Config) ->
    {ok, #{file := File}} = perf_map(Config, #{follow => true}),
    Follower = monitor(process, flame_prof_perf_map),
    ok = application:stop(flame_prof),
    receive {'DOWN', Follower, process, _, _} -> ok end,
    ?assert(filelib:is_regular(File)),
    ok = file:delete(File).

it_does_not_write_over_what_is_not_ours(Config) ->
    Directory = ?config(directory, Config),
    Victim = filename:join(Directory, "victim"),
    ok = file:write_file(Victim, "precious"),
    Link = filename:join(Directory, "perf-" ++ os:getpid() ++ ".map"),
    ok = file:make_symlink(Victim, Link),
    [?assertMatch({error, {not_permitted, _}}, perf_map(Config, #{follow => Follow}))
     || Follow <- [false, true]],
    ?assertEqual({ok, <<"precious">>}, file:read_file(Victim)),
    ?assertEqual(undefined, whereis(flame_prof_perf_map)).

it_says_what_is_wrong(Config) ->
    [?assertMatch({error, {bad_option, _}}, flame_prof:perf_map(Given))
     || Given <- [#{colour => red}, #{follow => yes}, #{interval => 1}, #{directory => ""},
                  #{layout => 1}, start, []]],
    ?assertMatch({error, {os, _}},
                 perf_map(Config, #{directory => filename:join(?config(directory, Config), "no")})),
    ?assertEqual(ok, flame_prof:perf_map(stop)).

%% --- the layout file -----------------------------------------------------------------

it_publishes_the_layout(Config) ->
    %% Its code is loaded before the file is written.
    Idle = flame_prof_case:idle(),
    case perf_map(Config, #{layout => true}) of
        {ok, #{layout := File}} -> is_the_layout(File, Idle);
        {error, {refused, Detail}} -> {skip, binary_to_list(Detail)}
    end.

is_the_layout(File, Idle) ->
    ?assertEqual("flame_prof-" ++ os:getpid() ++ ".layout", filename:basename(File)),
    {ok, Text} = file:read_file(File),
    [<<"flame_prof_layout 1">> | Lines] = binary:split(Text, <<"\n">>, [global, trim]),
    ?assertEqual(<<"end">>, lists:last(Lines)),
    Words = [binary:split(Line, <<" ">>, [global]) || Line <- Lines],
    ?assertEqual([[list_to_binary(os:getpid())]], values(<<"os_pid">>, Words)),
    ?assertEqual([[list_to_binary(erlang:system_info(otp_release))]],
                 values(<<"otp_release">>, Words)),
    flame_prof_case:eventually(fun() -> process_info(Idle, status) =:= {status, waiting} end),
    a_process_is_found_by_it(Idle, Words),
    a_scheduler_is_found_by_it(Words).

%% As a program outside would: a thread, its scheduler, the process that it runs.
a_scheduler_is_found_by_it(Words) ->
    {ok, Probe} = flame_prof_nif:open_probe(auto),
    Schedulers = values(<<"scheduler">>, Words),
    ?assertEqual(erlang:system_info(schedulers),
                 length([No || [<<"normal">>, No, _, _] <- Schedulers])),
    [Tid] = [T || [<<"normal">>, <<"1">>, _, T] <- Schedulers],
    {ok, Name} = file:read_file(filename:join(["/proc/self/task", Tid, "comm"])),
    ?assert(lists:member(string:trim(Name), [<<"1_scheduler">>, <<"erts_sched_1">>])),
    [Offset] = [O || [<<"current_process">>, O] <- values(<<"scheduler_offset">>, Words)],
    %% While it looks, this process itself is what its scheduler runs.
    Self = struct_of(Probe, self(), Words),
    flame_prof_case:eventually(fun() ->
        [Self] =:= [Self || [<<"normal">>, _, Entry, _] <- Schedulers,
                            flame_prof_nif:read_words(Probe, address(Entry) + binary_to_integer(Offset), 1)
                                =:= <<Self:64/little>>]
    end),
    ok = flame_prof_nif:close_probe(Probe).

struct_of(Probe, Pid, Words) ->
    Bits = flame_prof_nif:term_bits(Pid),
    [[Table, Slots]] = values(<<"process_table">>, Words),
    Slot = case values(<<"pid_encoding">>, Words) of
               [[<<"slot_in_high_word">>]] -> Bits bsr 32;
               [[<<"slot_in_low_bits">>]] -> (Bits bsr 4) band (binary_to_integer(Slots) - 1)
           end,
    <<Process:64/little>> = flame_prof_nif:read_words(Probe, address(Table) + 8 * Slot, 1),
    Process.

%% As a program outside would: table, slot, struct, id, stack.
a_process_is_found_by_it(Pid, Words) ->
    {ok, Probe} = flame_prof_nif:open_probe(auto),
    Bits = flame_prof_nif:term_bits(Pid),
    Process = struct_of(Probe, Pid, Words),
    Word = fun(Field) ->
               [Offset] = [O || [<<"offset">>, F, O] <- Words, F =:= Field],
               <<W:64/little>> =
                   flame_prof_nif:read_words(Probe, Process + binary_to_integer(Offset), 1),
               W
           end,
    ?assertEqual(Bits, Word(<<"id">>)),
    ?assert(Word(<<"heap">>) =< Word(<<"stop">>)),
    ?assert(Word(<<"stop">>) =< Word(<<"hend">>)),
    Code = [{address(Start), address(End)} || [Start, End] <- values(<<"code">>, Words)],
    ?assert(lists:any(fun({Start, End}) -> Word(<<"i">>) >= Start andalso Word(<<"i">>) < End end,
                      Code)),
    ok = flame_prof_nif:close_probe(Probe).

values(Key, Words) -> [Values || [K | Values] <- Words, K =:= Key].

address(<<"0x", Digits/binary>>) -> binary_to_integer(Digits, 16).

%% --- our own system sampler, which needs root -----------------------------------------

it_lets_the_host_command_name_erlang_functions(Config) ->
    Command = filename:join([code:lib_dir(flame_prof), "priv", "bin", "flameprof"]),
    case {os:cmd("id -u"), filelib:is_regular(Command)} of
        {"0\n", true} -> recorded_by(Command, filename:join(?config(directory, Config), "x.perf"), 1);
        {"0\n", false} -> {skip, "the command is not built: make cli"};
        _ -> {skip, "sampling the host needs root"}
    end.

%% For longer where a second gives a busy process too little of a processor.
recorded_by(Command, File, Seconds) ->
    {ok, #{file := "/tmp/perf-" ++ _}} = flame_prof:perf_map(),
    Busy = flame_prof_case:spawned(fun() -> busy(0) end),
    Said = os:cmd(lists:flatten(io_lib:format("~ts record -F 499 -d ~b -p ~ts -o ~ts 2>&1",
                                              [Command, Seconds, os:getpid(), File]))),
    flame_prof_case:end_all([Busy]),
    case file:read_file(File) of
        {ok, Text} ->
            Named = length(binary:matches(Text, <<" export_SUITE:busy/1">>)),
            ct:pal("~b frames are named busy/1 in ~b s", [Named, Seconds]),
            Named > 50 orelse recorded_longer(Command, File, 5 * Seconds);
        {error, enoent} ->
            {skip, "recording is not possible here: " ++ string:slice(Said, 0, 200)}
    end.

recorded_longer(Command, File, Seconds) ->
    ?assert(Seconds < 100),
    ok = file:delete(File),
    recorded_by(Command, File, Seconds).

busy(N) when N rem 3 =:= 0 -> busy(N * 7 rem 1000003 + 1);
busy(N) -> busy(N + 1).

%% --- tools ---------------------------------------------------------------------------

perf_map(Config, Options) ->
    flame_prof:perf_map(maps:merge(#{directory => ?config(directory, Config)}, Options)).

lines(File) ->
    {ok, Text} = file:read_file(File),
    [line(Line) || Line <- binary:split(Text, <<"\n">>, [global, trim])].

line(Line) ->
    [Start, Size, Name] = binary:split(Line, <<" ">>, [global]),
    {binary_to_integer(Start, 16), binary_to_integer(Size, 16), Name}.

named(Function, File) ->
    Wanted = iolist_to_binary(io_lib:format("~s:~s/0", [?MODULE_TO_LOAD, Function])),
    [Line || {_, _, Name} = Line <- lines(File), Name =:= Wanted].

load_sample(Function) ->
    Forms = [{attribute, 1, module, ?MODULE_TO_LOAD},
             {attribute, 2, export, [{Function, 0}]},
             {function, 3, Function, 0, [{clause, 3, [], [], [{atom, 3, done}]}]}],
    {ok, Module, Beam} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "sample.erl", Beam).
