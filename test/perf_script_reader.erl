%% SPDX-License-Identifier: Apache-2.0
%% @doc Reads perf-script text the way its importers do, for tests. The regular
%% expressions of {@link importers/1} are those of the importers themselves.
-module(perf_script_reader).

-export([read/1, read_text/1, importers/1]).

%% Text or gzip, by its suffix.
read(Path) ->
    {ok, Bytes} = file:read_file(Path),
    read_text(case filename:extension(Path) of
                  ".gz" -> zlib:gunzip(Bytes);
                  _ -> Bytes
              end).

read_text(Text) ->
    Lines = binary:split(Text, <<"\n">>, [global]),
    {Comments, Blocks} = blocks(Lines, [], [], []),
    #{comments => maps:from_list([comment(Line) || Line <- Comments]),
      samples => [sample(Block) || Block <- Blocks]}.

blocks([<<"# ========">> | Lines], [], [], []) ->
    blocks(Lines, [], [], []);
blocks([<<"# ", _/binary>> = Line | Lines], Comments, [], Blocks) ->
    blocks(Lines, [Line | Comments], [], Blocks);
blocks([<<>> | Lines], Comments, [], Blocks) ->
    blocks(Lines, Comments, [], Blocks);
blocks([<<>> | Lines], Comments, Block, Blocks) ->
    blocks(Lines, Comments, [], [lists:reverse(Block) | Blocks]);
blocks([Line | Lines], Comments, Block, Blocks) ->
    blocks(Lines, Comments, [Line | Block], Blocks);
blocks([], Comments, [], Blocks) ->
    {lists:reverse(Comments), lists:reverse(Blocks)}.

comment(<<"# ", Line/binary>>) ->
    [Key, Value] = binary:split(Line, <<": ">>),
    {Key, Value}.

sample([Event | Frames]) ->
    {match, [Status, OsPid, Number, Seconds, Micros, Rest]} =
        re:run(Event, "^(\\w+) (\\d+)/(\\d+) \\[\\d{3,}\\] (\\d+)\\.(\\d{6}): (.*)$",
               [{capture, all_but_first, binary}]),
    {match, [Period, Name]} = re:run(Rest, "(\\d+) (\\S+):$", [{capture, all_but_first, binary}]),
    #{status => binary_to_atom(Status),
      os_pid => binary_to_integer(OsPid),
      number => binary_to_integer(Number),
      time_us => binary_to_integer(Seconds) * 1000000 + binary_to_integer(Micros),
      period_ns => binary_to_integer(Period),
      event => Name,
      metrics => metrics(Event),
      frames => [frame(Frame) || Frame <- Frames]}.

metrics(Event) ->
    case re:run(Event, "\\bmetric_([^:]+):[\t ](-?[0-9.]+)[\t ]*,[\t ]*(-?[0-9.]+)\\b",
                [global, {capture, all_but_first, binary}]) of
        {match, Found} ->
            maps:from_list([{Name, {binary_to_integer(Value), binary_to_integer(Delta)}}
                            || [Name, Value, Delta] <- Found]);
        nomatch ->
            #{}
    end.

frame(Line) ->
    {match, [Name, File]} = re:run(Line, "^\t[0-9a-f]+ (.+) \\(([^ ]*)\\)$",
                                   [unicode, {capture, all_but_first, binary}]),
    {Name, File}.

%% What the importers make of every single line; `ok', or the first line that one
%% of them would misread.
importers(Text) ->
    Lines = [Line || Line <- binary:split(Text, <<"\n">>, [global]), Line =/= <<>>],
    lists:foldl(fun(Line, ok) -> importer_line(Line);
                   (_, Failed) -> Failed
                end, ok, Lines).

importer_line(<<"#", _/binary>> = Line) ->
    none_of([flamescope_event()], Line);
importer_line(<<"\t", _/binary>> = Line) ->
    case none_of([flamescope_event()], Line) of
        ok -> all_of([flamescope_frame(), stackcollapse_frame()], Line);
        Failed -> Failed
    end;
importer_line(Line) ->
    all_of([flamescope_event(), stackcollapse_event(), stackcollapse_period()], Line).

%% Netflix Flamescope and the metric-aware fork.
flamescope_event() -> " +([0-9.]+): .+?:".
flamescope_frame() -> "^[\t ]*[0-9a-fA-F]+ (.+) \\((.*?)\\)$".
%% stackcollapse-perf.pl
stackcollapse_event() -> "^(\\S.+?)\\s+(\\d+)\\/*(\\d+)*\\s+".
stackcollapse_period() -> ":\\s*(\\d+)*\\s+(\\S+):\\s*$".
stackcollapse_frame() -> "^\\s*(\\w+)\\s*(.+) \\((\\S*)\\)".

all_of(Expressions, Line) ->
    case [E || E <- Expressions, re:run(Line, E, [unicode]) =:= nomatch] of
        [] -> ok;
        Missing -> {unread, Line, Missing}
    end.

none_of(Expressions, Line) ->
    case [E || E <- Expressions, re:run(Line, E, [unicode]) =/= nomatch] of
        [] -> ok;
        Matching -> {misread, Line, Matching}
    end.
