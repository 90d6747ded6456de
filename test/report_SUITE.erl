%% SPDX-License-Identifier: Apache-2.0
%% export, heatmap and report: on files of sessions, running and past, and on files that
%% are none.
-module(report_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [eventually/1, hogs/1, idle/0, end_all/1, ticks/1, start/2, samples/1]).

-define(MIB, (1024 * 1024)).
%% A function that no session of a test has seen.
-define(FOLDED, "init;shop:total/2 40\ninit;lists:map/2 2\n").

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [{group, session}, {group, files}].

groups() ->
    [{session, [], [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case("it_", Name)]},
     {files, [], [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case("of_files_", Name)]}].

is_case(Prefix, Name) -> string:prefix(atom_to_list(Name), Prefix) =/= nomatch.

init_per_suite(Config) ->
    File = filename:join(?config(priv_dir, Config), "x.folded"),
    ok = file:write_file(File, ?FOLDED),
    case flame_prof:export(File, folded) of
        {error, {unsupported, Why}} -> {skip, binary_to_list(Why)};
        {ok, <<?FOLDED>>} -> [{file, File} | Config]
    end.

end_per_suite(_) ->
    ok.

init_per_testcase(Case, Config) ->
    [{case_name, Case} | Config].

end_per_testcase(_, _) ->
    _ = flame_prof_case:stop(),
    flame_prof_case:end_leftovers(),
    ok.

%% --- sessions -------------------------------------------------------------------------

it_has_the_sums_of_the_files_of_a_past_session(Config) ->
    Summary = #{files := Files} = recorded(Config, #{}),
    Samples = samples(Summary),
    ?assertEqual(length(Samples), exported_sum(session, samples)),
    [?assertEqual(value_of(Metric, Samples), exported_sum(session, Metric))
     || Metric <- [erlang_reductions, erlang_memory, erlang_minor_gcs]],
    ?assertEqual(exported_sum(session, period), exported_sum(Files, period)),
    ?assertEqual(lists:sum([Period || #{period_ns := Period} <- Samples]),
                 exported_sum(session, period)).

it_reads_a_session_that_runs(Config) ->
    _ = hogs(1),
    {ok, _} = start(Config, watched()),
    %% What is written comes about once a second.
    First = eventually(fun some_samples/0),
    eventually(fun() -> some_samples() > First end),
    {ok, Report} = flame_prof:report(#{print => false}),
    ?assertMatch({_, _}, binary:match(Report, <<"still written">>)),
    {ok, Summary} = flame_prof_case:stop(),
    ?assertEqual(length(samples(Summary)), exported_sum(session, samples)).

it_reads_every_way_of_writing(Config) ->
    [begin
         Summary = recorded(Config, Options),
         ?assertEqual(maps:get(samples, Summary), exported_sum(session, samples))
     end || Options <- [#{compress => gzip}, #{format => capture}]].

it_knows_the_files_of_this_session_only(Config) ->
    _ = recorded(Config, #{}),
    Before = exported_sum(session, samples),
    #{samples := Samples} = recorded(Config, #{}),
    ?assertEqual(Samples, exported_sum(session, samples)),
    ?assert(Before > 0).

it_reads_what_an_armed_session_dumped(Config) ->
    _ = hogs(1),
    {ok, _} = flame_prof:arm(flame_prof_case:options(Config, watched())),
    _ = ticks(20),
    ?assertMatch({error, {empty, _}}, flame_prof:export(session, folded)),
    {ok, _} = eventually(fun() ->
                             case flame_prof:dump() of
                                 {ok, _} = Done -> Done;
                                 {error, {empty, _}} -> false
                             end
                         end),
    ?assert(exported_sum(session, samples) > 0).

it_writes_every_format(Config) ->
    _ = recorded(Config, #{}),
    Formats = formats(),
    ?assert(lists:member(pprof, Formats)),
    Directory = flame_prof_case:directory(Config),
    [begin
         {ok, Bytes} = flame_prof:export(session, Format),
         ?assert(byte_size(Bytes) > 0),
         Path = filename:join(Directory, "out-" ++ atom_to_list(Format) ++ ".gz"),
         ?assertEqual({ok, Path}, flame_prof:export(session, Format, #{output => Path})),
         {ok, Packed} = file:read_file(Path),
         ?assert(byte_size(zlib:gunzip(Packed)) > 0)
     end || Format <- Formats].

it_reports(Config) ->
    Hog = hd(hogs(1)),
    true = register(report_suite_hog, Hog),
    Summary = recorded(Config, #{categories => [registered_name, initial_call]}),
    {ok, Report} = flame_prof:report(#{print => false, rows => 3}),
    ct:pal("~ts", [Report]),
    [?assertMatch({Part, {_, _}}, {Part, binary:match(Report, Part)})
     || Part <- [<<"beam-wall: ">>, <<"status     ">>, <<"FUNCTION, by ">>, <<"report_suite_hog">>,
                 <<"PROCESS, by ">>, <<"lost       ">>, atom_to_binary(node())]],
    case Summary of
        #{cpu := #{samples := Cpu}} when Cpu > 1 ->
            ?assertMatch({_, _}, binary:match(Report, <<"state      ">>));
        #{} ->
            ok
    end.

it_takes_filters_and_times(Config) ->
    _ = recorded(Config, #{}),
    All = exported_sum(session, samples),
    ?assert(All > 0),
    Parts = [exported_sum(session, samples, Opts) || Opts <- [#{to => 0.25}, #{from => "250ms"}]],
    ?assertEqual(All, lists:sum(Parts)),
    Filters = ["status=running", <<"status!=running">>],
    ?assertEqual(All, lists:sum([exported_sum(session, samples, #{filter => F}) || F <- Filters])),
    ?assertMatch({error, {bad_option, <<"export: filter: ", _/binary>>}},
                 flame_prof:export(session, folded, #{filter => "status="})),
    ?assertMatch({error, {bad_option, <<"export: metric no_such: not in this file", _/binary>>}},
                 flame_prof:export(session, folded, #{metric => no_such})),
    ?assertMatch({error, {empty, _}},
                 flame_prof:export(session, folded, #{filter => "registered=nobody"})).

it_says_that_there_is_no_session(Config) ->
    ok = application:stop(flame_prof),
    [?assertMatch({error, {not_started, _}}, Result)
     || Result <- [flame_prof:export(session, folded), flame_prof:heatmap(), flame_prof:report()]],
    Missing = filename:join(?config(priv_dir, Config), "not there"),
    ?assertMatch({error, {_, _}}, flame_prof:report(#{files => [Missing]})).

%% --- the terminal ---------------------------------------------------------------------

of_files_pictures_go_to_the_callers_terminal(Config) ->
    Text = at_terminal(unicode, fun() -> ok = flame_prof:heatmap(#{files => text_file(Config)}) end),
    ?assertNotEqual(nomatch, string:find(Text, "samples: 3 in all")),
    Report = at_terminal(unicode, fun() -> ok = flame_prof:report(#{files => text_file(Config)}) end),
    ?assertNotEqual(nomatch, string:find(Report, "my_server:work/1")).

of_files_colours_are_chosen(Config) ->
    File = text_file(Config),
    [{ok, Plain}, {ok, Coloured}] = [flame_prof:heatmap(#{files => File, print => false, colours => C})
                                     || C <- [none, 256]],
    ?assertEqual(nomatch, binary:match(Plain, <<"\e">>)),
    ?assertMatch({_, _}, binary:match(Coloured, <<"\e[38;5;">>)).

%% A terminal without Unicode gets something like it.
of_files_an_old_terminal_is_not_asked_too_much(Config) ->
    Text = at_terminal(latin1, fun() ->
                                   ok = flame_prof:heatmap(#{files => text_file(Config),
                                                             colours => none})
                               end),
    ?assert(lists:all(fun(Char) -> Char < 128 end, Text)),
    ?assertNotEqual(nomatch, string:find(Text, "@")).

%% --- hostile files, limits -------------------------------------------------------------

of_files_nothing_crashes(Config) ->
    Directory = ?config(priv_dir, Config),
    {ok, Text} = file:read_file(text_file(Config)),
    Packed = zlib:gzip(Text),
    Hostile = [{"empty", <<>>}, {"zeros", binary:copy(<<0>>, 100000)},
               {"random", rand:bytes(100000)},
               {"cut.gz", binary:part(Packed, 0, byte_size(Packed) - 20)},
               {"bent.gz", bent(Packed)},
               {"magic.fpc", <<"FLPRCAP\n", (rand:bytes(5000))/binary>>},
               {"zst", <<16#28, 16#B5, 16#2F, 16#FD, (rand:bytes(5000))/binary>>},
               {"pprof", <<10, 255, 255, 255, 255, 15, (rand:bytes(500))/binary>>}],
    Paths = [begin
                 Path = filename:join(Directory, "hostile-" ++ Name),
                 ok = file:write_file(Path, Bytes),
                 Path
             end || {Name, Bytes} <- Hostile],
    Results = [flame_prof:export(Path, folded) || Path <- [Directory, "/dev/null" | Paths]],
    ct:pal("~p", [Results]),
    [is_answered(Result) || Result <- Results].

is_answered({ok, Bytes}) when is_binary(Bytes) -> ok;
is_answered({error, {Code, Line}}) ->
    ?assertNotEqual(failed, Code),
    ?assertEqual(nomatch, binary:match(Line, <<"\n">>)).

of_files_a_cut_capture_has_its_whole_chunks(Config) ->
    Directory = ?config(priv_dir, Config),
    #{files := [File | _], samples := Samples} =
        recorded([{case_name, ?FUNCTION_NAME} | Config], #{format => capture, tier => auto}),
    {ok, Bytes} = file:read_file(File),
    Cut = filename:join(Directory, "cut.fpc"),
    ok = file:write_file(Cut, binary:part(Bytes, 0, byte_size(Bytes) - 7)),
    ?assert(exported_sum(Cut, samples) =< Samples).

of_files_memory_is_limited(Config) ->
    File = filename:join(?config(priv_dir, Config), "large.folded"),
    ok = file:write_file(File, [["f", integer_to_list(I), ";g", integer_to_list(I * 7), ";h 1\n"]
                                || I <- lists:seq(1, 600000)]),
    case {os:getenv("ASAN_OPTIONS"), flame_prof:export(File, folded, #{max_memory => 16 * ?MIB})} of
        {false, {error, {limit, Why}}} ->
            ?assertMatch({_, _}, binary:match(Why, <<"max_memory (16 MiB)">>));
        {[_ | _], {ok, _}} ->
            ok % a sanitizer needs terabytes of addresses
    end,
    {error, {limit, Larger}} = flame_prof:export(File, folded, #{max_bytes => 1000}),
    ?assertMatch({_, _}, binary:match(Larger, <<"max_bytes (1000)">>)),
    %% It is enough for the rest, and what is written to a file is not limited.
    Out = filename:join(?config(priv_dir, Config), "large.out"),
    {ok, Out} = flame_prof:export(File, folded, #{output => Out, max_bytes => 1000}),
    ?assert(filelib:file_size(Out) > ?MIB),
    ok = file:delete(Out).

of_files_it_ends_with_its_time_and_its_caller(Config) ->
    Never = never_ending(Config),
    Out = filename:join(?config(priv_dir, Config), "never.out"),
    {error, {timeout, _}} = flame_prof:export(Never, folded, #{output => Out, timeout => 300}),
    eventually(fun() -> readers() =:= [] end),
    Caller = spawn(fun() -> flame_prof:export(Never, folded, #{output => Out}) end),
    eventually(fun() -> readers() =/= [] end),
    exit(Caller, kill),
    eventually(fun() -> readers() =:= [] end),
    ?assertEqual([], [Name || Name <- element(2, file:list_dir(?config(priv_dir, Config))),
                              string:find(Name, "never.out") =/= nomatch]).

of_files_it_leaves_nothing_with_the_caller(Config) ->
    Ports = erlang:ports(),
    process_flag(trap_exit, true),
    {ok, _} = flame_prof:export(?config(file, Config), folded),
    {error, {timeout, _}} = flame_prof:export(never_ending(Config), folded, #{timeout => 100}),
    process_flag(trap_exit, false),
    receive Any -> ct:fail({left_in_the_mailbox, Any}) after 0 -> ok end,
    eventually(fun() -> erlang:ports() -- Ports =:= [] end),
    eventually(fun() -> readers() =:= [] end).

of_files_a_node_that_is_busy_is_not_waited_for(Config) ->
    %% More of them at once than there are dirty schedulers.
    Test = self(),
    Pids = [spawn_link(fun() -> Test ! {done, self(), flame_prof:export(?config(file, Config), folded)} end)
            || _ <- lists:seq(1, 24)],
    [receive {done, Pid, Result} -> ?assertEqual({ok, <<?FOLDED>>}, Result) end || Pid <- Pids].

of_files_names_may_be_any(Config) ->
    Directory = ?config(priv_dir, Config),
    [begin
         Path = filename:join(Directory, Name),
         ok = file:write_file(Path, ?FOLDED),
         ?assertEqual({ok, <<?FOLDED>>}, flame_prof:export(Path, folded)),
         ?assertEqual({ok, <<?FOLDED>>}, flame_prof:export([Path], folded))
     end || Name <- ["-o", "a b", "ü", <<"bytes-", 16#C3, 16#BC>>]].

of_files_what_is_wrong_is_told(Config) ->
    File = ?config(file, Config),
    [?assertMatch({error, {bad_option, <<"export: ", _/binary>>}},
                  flame_prof:export(File, folded, Given))
     || Given <- [#{from => -1}, #{metric => ""}, #{output => ""}, #{rows => 0}, #{colours => none},
                  #{max_memory => 1}, #{timeout => 0}, #{engine => both}, #{filter => [0]},
                  #{categories => foo}, options]],
    [?assertMatch({error, {bad_option, _}}, flame_prof:export(Given, folded))
     || Given <- [[], [a], nothing, <<>>, {file, File}]],
    ?assertMatch({error, {bad_option, <<"export: format ", _/binary>>}},
                 flame_prof:export(File, "folded", #{})),
    ?assertMatch({error, {bad_option, <<"heatmap: width", _/binary>>}},
                 flame_prof:heatmap(#{width => 1})),
    ?assertMatch({error, {bad_option, <<"report: output", _/binary>>}},
                 flame_prof:report(#{output => "x"})),
    %% `undefined' is the default.
    ?assertEqual({ok, <<?FOLDED>>}, flame_prof:export(File, folded, #{metric => undefined})).

%% --- tools ----------------------------------------------------------------------------

watched() ->
    #{auto_select => #{by => reductions, count => 20, interval => 200}}.

%% Files are told from those of a session before by the second in their names.
recorded(Config, Options) ->
    Second = erlang:system_time(second),
    eventually(fun() -> erlang:system_time(second) > Second end),
    _ = hogs(1),
    {ok, _} = start(Config, maps:merge(watched(), Options)),
    eventually(fun() -> maps:get(samples, flame_prof:info()) > 100 end),
    {ok, Summary} = flame_prof_case:stop(),
    Summary.

some_samples() ->
    case flame_prof:export(session, folded, #{metric => samples}) of
        {ok, Folded} -> sum(Folded);
        {error, {Code, _}} when Code =:= empty; Code =:= bad_input -> false
    end.

exported_sum(Source, Metric) -> exported_sum(Source, Metric, #{}).

exported_sum(Source, Metric, Options) ->
    case flame_prof:export(Source, folded, Options#{metric => Metric}) of
        {ok, Folded} -> sum(Folded);
        {error, {empty, _}} -> 0
    end.

sum(Folded) ->
    Lines = binary:split(Folded, <<"\n">>, [global, trim]),
    lists:sum([binary_to_integer(lists:last(binary:split(Line, <<" ">>, [global]))) || Line <- Lines]).

value_of(Metric, Samples) ->
    lists:sum([element(1, maps:get(atom_to_binary(Metric), Metrics)) || #{metrics := Metrics} <- Samples]).

%% As they are told when there is no such format.
formats() ->
    {error, {bad_option, Line}} = flame_prof:export(session, no_such_format),
    [_, Names] = binary:split(Line, <<"there are ">>),
    [binary_to_atom(Name) || Name <- binary:split(Names, <<", ">>, [global])].

text_file(Config) ->
    Path = filename:join(?config(priv_dir, Config), "three.perf"),
    ok = file:write_file(Path, [["# flame_prof: 0.1.0\n"],
                                [io_lib:format("running 42/151 [001] ~b.100000: cpu-clock:\n"
                                               "\t7f1c22ad my_server:work/1;20 (my_server.erl)\n\n", [S])
                                 || S <- [10, 11, 13]]]),
    Path.

bent(Bytes) ->
    Middle = byte_size(Bytes) div 2,
    <<Before:Middle/binary, Byte, After/binary>> = Bytes,
    <<Before/binary, (Byte bxor 16#FF), After/binary>>.

%% A pipe in which nothing comes.
never_ending(Config) ->
    Path = filename:join(?config(priv_dir, Config), "never"),
    _ = os:cmd("mkfifo " ++ Path ++ "; (exec sleep 60 >" ++ Path ++ ") >/dev/null 2>&1 &"),
    {ok, _} = file:read_file_info(Path),
    Path.

%% Programs of this node that read.
readers() ->
    Spawner = [Pid || {Pid, "erl_child_setup", Parent} <- all_processes(), Parent =:= os:getpid()],
    [Pid || {Pid, "flame_prof_port", Parent} <- all_processes(), lists:member(Parent, Spawner)].

all_processes() ->
    {ok, Names} = file:list_dir("/proc"),
    lists:append([stat(Name) || [Digit | _] = Name <- Names, Digit >= $0, Digit =< $9]).

stat(Pid) ->
    case file:read_file(filename:join(["/proc", Pid, "stat"])) of
        {ok, Stat} ->
            {match, [Comm, State, Parent]} =
                re:run(Stat, "^[0-9]+ \\((.*)\\) (.) ([0-9]+)", [{capture, all_but_first, list}, dotall]),
            [{Pid, Comm, Parent} || State =/= "Z"];
        {error, _} ->
            []
    end.

%% A group leader that keeps what is written.
at_terminal(Encoding, Fun) ->
    Test = self(),
    Terminal = spawn_link(fun() -> terminal(Test, Encoding, []) end),
    Before = group_leader(),
    true = group_leader(Terminal, self()),
    try Fun() after group_leader(Before, self()) end,
    Terminal ! stop,
    receive {Terminal, Text} -> Text end.

terminal(Test, Encoding, Written) ->
    receive
        {io_request, From, As, {put_chars, _, Text}} ->
            From ! {io_reply, As, ok},
            terminal(Test, Encoding, [Written, Text]);
        {io_request, From, As, Request} ->
            From ! {io_reply, As, io_reply(Request, Encoding)},
            terminal(Test, Encoding, Written);
        stop ->
            Test ! {self(), unicode:characters_to_list(Written)}
    end.

io_reply({get_geometry, columns}, _) -> 90;
io_reply(getopts, Encoding) -> [{encoding, Encoding}];
io_reply(_, _) -> {error, enotsup}.
