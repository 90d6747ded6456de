%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc What a user may ask of files: options checked, made into the command line of the
%% reader ({@link flame_prof_port}), its answer given or shown.
%%
%% The first thing wrong is reported in one line that names option, value and remedy. What
%% only the file can tell (its metrics, its categories) and the grammar of filters are
%% checked by the reader.
-module(flame_prof_view).

-export([export/3, heatmap/1, report/1]).
-export([words/3]).

-define(MAX_MEMORY, (512 * 1024 * 1024)).
-define(MAX_BYTES, (64 * 1024 * 1024)).
-define(TIMEOUT_MS, 120000).
-define(MIB, (1024 * 1024)).
-define(WIDTH_MIN, 40).
-define(WIDTH_MAX, 4096).
%% The reader's own limits, of a heatmap's column and of a table.
-define(ROWS_MAX, 100000).

-type command() :: export | heatmap | report.

-spec export(flame_prof:source(), atom() | undefined, flame_prof:export_opts()) ->
    {ok, binary() | file:filename()} | {error, flame_prof:error_reason()}.
export(Source, Format, Given) ->
    case checked(export, Given) of
        {ok, Options} -> exported(Source, Format, Options);
        {error, Reason} -> {error, Reason}
    end.

exported(Source, Format, Options) when is_atom(Format) ->
    Asked = Options#{format => Format, files => Source},
    case {run(export, Asked), Options} of
        {{ok, _}, #{output := Path}} -> {ok, unicode:characters_to_list(path(Path))};
        {Result, _} -> Result
    end;
exported(_, Format, _) ->
    wrong("export: format ~0tP: expected an atom such as pprof, speedscope, folded", [Format, 8]).

-spec heatmap(flame_prof:heatmap_opts()) ->
    ok | {ok, binary()} | {error, flame_prof:error_reason()}.
heatmap(Given) ->
    shown(heatmap, Given).

-spec report(flame_prof:report_opts()) ->
    ok | {ok, binary()} | {error, flame_prof:error_reason()}.
report(Given) ->
    shown(report, Given).

%% A picture or a page, on the terminal of the caller or in a binary.
shown(Command, Given) ->
    case checked(Command, Given) of
        {ok, Options} -> put(Command, run(Command, at_terminal(Command, Options)), Options);
        {error, Reason} -> {error, Reason}
    end.

put(_, {ok, Text}, #{print := false}) ->
    {ok, Text};
put(Command, {ok, Text}, _) ->
    case flame_prof_terminal:put(Text) of
        ok -> ok;
        {error, Why} -> {error, {no_terminal, line("~ts: ~ts", [Command, Why])}}
    end;
put(_, {error, Reason}, _) ->
    {error, Reason}.

at_terminal(Command, Options) ->
    Width = maps:get(width, Options, auto),
    coloured(Command, Options#{width => width(Width)}).

width(auto) -> flame_prof_terminal:width(?WIDTH_MIN);
width(Width) -> Width.

coloured(heatmap, Options) -> Options#{colours => colours(Options)};
coloured(report, Options) -> Options.

colours(#{colours := Colours}) when Colours =/= auto -> Colours;
colours(#{print := false}) -> none;
colours(_) -> flame_prof_terminal:colours().

%% The reader.

run(Command, #{files := Source} = Options) ->
    case files(Source, maps:get(engine, Options, wall_or_all(Command))) of
        {ok, Files} -> told(Command, flame_prof_port:run(words(Command, Options, Files),
                                                         limits(Options)));
        {error, {Code, Why}} -> {error, {Code, line("~ts: ~ts", [Command, Why])}}
    end.

%% A page has a section for each, a picture or a file would add up what differs in kind.
wall_or_all(report) -> all;
wall_or_all(_) -> wall.

limits(Options) ->
    maps:merge(#{max_memory => ?MAX_MEMORY, max_bytes => ?MAX_BYTES, timeout => ?TIMEOUT_MS},
               maps:with([max_memory, max_bytes, timeout], Options)).

told(_, {ok, Bytes}) -> {ok, Bytes};
told(Command, {error, {Code, Why}}) -> {error, {Code, line("~ts: ~ts", [Command, undashed(Why)])}}.

%% An option of the command's is one of the map here.
undashed(<<"--", Rest/binary>>) -> Rest;
undashed(Why) -> Why.

files(session, Engine) -> flame_prof_session_files:find(Engine);
files([First | _] = Path, _) when is_integer(First) -> {ok, [Path]};
files(Path, _) when is_binary(Path), Path =/= <<>> -> {ok, [Path]};
files([_ | _] = Paths, _) ->
    case lists:all(fun is_path/1, Paths) of
        true -> {ok, Paths};
        false -> no_files(Paths)
    end;
files(Other, _) ->
    no_files(Other).

no_files(Given) ->
    wrong_files("expected session, a file or a list of files, got ~0tP", [Given, 8]).

wrong_files(Format, Arguments) ->
    {error, {bad_option, line(Format, Arguments)}}.

%% @doc The command line, as `flameprof COMMAND --help' tells it.
-spec words(command(), map(), [file:name_all()]) -> [binary()].
words(Command, Options, Files) ->
    [atom_to_binary(Command)]
        ++ lists:append([word(Key, Value) || {Key, Value} <- lists:sort(maps:to_list(Options))])
        ++ [<<"--">>] ++ [path(File) || File <- Files].

word(metric, Name) -> [<<"--metric">>, text(Name)];
word(filter, Filter) -> [<<"--filter">>, text(Filter)];
word(from, Time) -> [<<"--from">>, time(Time)];
word(to, Time) -> [<<"--to">>, time(Time)];
word(column, Time) -> [<<"--column">>, time(Time)];
word(rows, Count) -> [<<"--rows">>, integer_to_binary(Count)];
word(width, Count) -> [<<"--width">>, integer_to_binary(Count)];
word(max_nodes, Count) -> [<<"--max-nodes">>, integer_to_binary(Count)];
word(categories, Names) -> [<<"--categories">>, text(lists:join($,, [text(N) || N <- Names]))];
word(reversed, true) -> [<<"--reversed">>];
word(lines, true) -> [<<"--lines">>];
word(focus, Pattern) -> [<<"--focus">>, text(Pattern)];
word(colours, none) -> [<<"--color">>, <<"never">>];
word(colours, 256) -> [<<"--color">>, <<"256">>];
word(colours, true) -> [<<"--color">>, <<"true">>];
word(format, undefined) -> [];
word(format, Format) -> [<<"--format">>, text(dashed(Format))];
word(output, Path) -> [<<"--output">>, path(Path)];
word(_, _) -> [].

%% `perf_script' is easier to write in Erlang than `perf-script'.
dashed(Format) -> string:replace(atom_to_list(Format), "_", "-", all).

text(Atom) when is_atom(Atom) -> atom_to_binary(Atom);
text(Chars) -> unicode:characters_to_binary(Chars).

%% Seconds, or as the command has it: "500ms", "1min".
time(Time) when is_integer(Time) -> integer_to_binary(Time);
time(Time) when is_float(Time) -> float_to_binary(Time, [{decimals, 9}, compact]);
time(Time) -> text(Time).

%% The reader has another directory when this one is changed meanwhile.
path(Path) ->
    case filename:absname(Path) of
        Absolute when is_binary(Absolute) -> Absolute;
        Absolute -> unicode:characters_to_binary(Absolute, unicode, file:native_name_encoding())
    end.

%% Options.

checked(Command, Given) when is_map(Given) ->
    Asked = maps:filter(fun(_, Value) -> Value =/= undefined end, Given),
    Known = known(Command),
    case [Key || {Key, Value} <- lists:sort(maps:to_list(Asked)),
                 not (lists:member(Key, Known) andalso is_valid(Key, Value))] of
        [] ->
            {ok, maps:merge(#{files => session}, Asked)};
        [Key | _] ->
            wrong("~ts: ~0tP => ~0tP: ~ts",
                  [Command, Key, 8, maps:get(Key, Asked), 8, expected(Key, Known)])
    end;
checked(Command, Given) ->
    wrong("~ts: expected a map, got ~0tP; write for example #{metric => erlang_memory_delta}",
          [Command, Given, 8]).

known(export) ->
    common() ++ [output, max_bytes, rows, column, categories, reversed, focus, lines, max_nodes];
known(heatmap) ->
    common() ++ [files, print, width, rows, column, colours];
known(report) ->
    common() ++ [files, print, width, rows].

common() -> [engine, metric, filter, from, to, max_memory, timeout].

is_valid(files, _) -> true; % checked where they are looked for
is_valid(engine, Value) -> lists:member(Value, [wall, cpu, all]);
is_valid(metric, Value) -> (is_atom(Value) orelse is_text(Value));
is_valid(Key, Value) when Key =:= filter; Key =:= focus -> is_text(Value);
is_valid(Key, Value) when Key =:= from; Key =:= to; Key =:= column -> is_time(Value);
is_valid(max_memory, Value) -> is_integer(Value) andalso Value >= 16 * ?MIB;
is_valid(max_bytes, Value) -> is_integer(Value) andalso Value > 0;
is_valid(timeout, infinity) -> true;
is_valid(timeout, Value) -> is_integer(Value) andalso Value > 0 andalso Value < 1 bsl 32;
is_valid(output, Value) -> is_path(Value);
is_valid(rows, Value) -> is_integer(Value) andalso Value > 0 andalso Value =< ?ROWS_MAX;
is_valid(max_nodes, Value) -> is_integer(Value) andalso Value > 0 andalso Value < 1 bsl 32;
is_valid(width, Value) ->
    is_integer(Value) andalso Value >= ?WIDTH_MIN andalso Value =< ?WIDTH_MAX;
is_valid(categories, Value) ->
    is_list(Value) andalso lists:all(fun(N) -> is_atom(N) orelse is_text(N) end, Value);
is_valid(colours, Value) -> lists:member(Value, [auto, none, 256, true]);
is_valid(Key, Value) when Key =:= reversed; Key =:= lines; Key =:= print -> is_boolean(Value).

is_time(Value) when is_number(Value) -> Value >= 0 andalso Value < 1.0e9;
is_time(Value) -> is_text(Value).

%% The words of a request end with a zero.
is_text(Value) ->
    try unicode:characters_to_binary(Value) of
        <<>> -> false;
        Text when is_binary(Text) -> binary:match(Text, <<0>>) =:= nomatch;
        _ -> false
    catch
        error:badarg -> false
    end.

is_path([First | _] = Value) when is_integer(First) -> is_text(Value);
is_path(Value) -> is_binary(Value) andalso Value =/= <<>> andalso
                      binary:match(Value, <<0>>) =:= nomatch.

expected(Key, Known) ->
    case lists:member(Key, Known) of
        true -> expected(Key);
        false -> line("unknown option; known are ~ts", [lists:join(", ", names(Known))])
    end.

names(Keys) -> [atom_to_list(Key) || Key <- lists:sort(Keys)].

expected(engine) -> "expected wall, cpu or all";
expected(metric) -> "expected a name such as erlang_memory_delta";
expected(filter) -> "expected text such as \"status=running & mem>64MiB\"";
expected(focus) -> "expected a pattern such as \"^lists:\"";
expected(Key) when Key =:= from; Key =:= to; Key =:= column ->
    "expected seconds, or text such as \"500ms\"";
expected(max_memory) -> "expected bytes, at least 16 MiB";
expected(max_bytes) -> "expected a positive number of bytes";
expected(timeout) -> "expected milliseconds or infinity";
expected(output) -> "expected the path of a file";
expected(rows) -> line("expected a number from 1 to ~b", [?ROWS_MAX]);
expected(max_nodes) -> "expected a positive number";
expected(width) -> line("expected a number from ~b to ~b", [?WIDTH_MIN, ?WIDTH_MAX]);
expected(categories) -> "expected a list such as [status, registered]";
expected(colours) -> "expected auto, none, 256 or true";
expected(_) -> "expected true or false".

wrong(Format, Arguments) ->
    {error, {bad_option, line(Format, Arguments)}}.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
