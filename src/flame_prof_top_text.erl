%% SPDX-License-Identifier: Apache-2.0
%% @doc The table of {@link flame_prof:top/1} as text. Pure.
%%
%% No line is wider than the terminal. Names are shown from their end, where they
%% differ, and never hold anything that a terminal would obey.
-module(flame_prof_top_text).

-export([table/3, count/1, bytes/1]).
-export_type([summary/0, row/0]).

-type summary() :: #{node := node(),
                     otp := string(),
                     means := walker | {portable, Why :: binary()},
                     processes := non_neg_integer(),
                     run_queue := non_neg_integer(),
                     reductions_per_s := non_neg_integer(),
                     memory_bytes := non_neg_integer(),
                     sort := flame_prof_ranking:criterion(),
                     ends := binary()}.
%% `ends': how the user ends it.

-type row() :: #{pid := pid(),
                 name := unicode:chardata(),
                 function := unicode:chardata(),
                 status := atom(),
                 reductions_per_s := undefined | non_neg_integer(),
                 share := undefined | float(),
                 messages := undefined | non_neg_integer(),
                 memory_bytes := undefined | non_neg_integer()}.
%% `undefined': it did not answer in time.

-define(PID_WIDTH, 12).
-define(STATUS_WIDTH, 9).
-define(NUMBER_WIDTH, 7).
%% Pid, status, four numbers and the blanks between eight columns.
-define(FIXED_WIDTH, (?PID_WIDTH + ?STATUS_WIDTH + 4 * ?NUMBER_WIDTH + 7)).
-define(TEXT_WIDTH_MIN, 8).

%% @doc Lines of at most `Width' characters, each with its end of line.
-spec table(summary(), [row()], pos_integer()) -> unicode:chardata().
table(Summary, Rows, Width) ->
    Texts = max(2 * ?TEXT_WIDTH_MIN, Width - ?FIXED_WIDTH),
    Name = Texts div 2,
    Widths = {Name, Texts - Name},
    Lines = head(Summary) ++ [titles(Summary, Widths) | [cells(Row, Widths) || Row <- Rows]],
    [[cut_right(Line, Width), $\n] || Line <- Lines].

head(#{node := Node, otp := Otp, means := Means, processes := Processes, run_queue := RunQueue,
       reductions_per_s := Reductions, memory_bytes := Memory, ends := Ends}) ->
    [lists:join("  ", [safe(atom_to_binary(Node)), "OTP " ++ Otp, means(Means)
                       | [Ends || Ends =/= <<>>]]),
     io_lib:format("~ts processes  run queue ~b  ~ts reductions/s  ~ts memory",
                   [count(Processes), RunQueue, count(Reductions), bytes(Memory)]),
     ""].

means(walker) -> "walker";
means({portable, _}) -> "portable".

titles(#{sort := Sort}, {NameWidth, FunctionWidth}) ->
    line([left("PID", ?PID_WIDTH), left("NAME OR INITIAL CALL", NameWidth),
          left("CURRENT FUNCTION", FunctionWidth), left("STATUS", ?STATUS_WIDTH),
          right(title("REDS/S", reductions, Sort)), right("SHARE"),
          right(title("MSGS", message_queue_len, Sort)), right(title("MEMORY", memory, Sort))]).

title(Title, Sort, Sort) -> [Title, $*];
title(Title, _, _) -> Title.

cells(#{pid := Pid, name := Name, function := Function, status := Status,
        reductions_per_s := Reductions, share := Share, messages := Messages,
        memory_bytes := Memory}, {NameWidth, FunctionWidth}) ->
    line([left(pid_to_list(Pid), ?PID_WIDTH), left(cut_left(safe(Name), NameWidth), NameWidth),
          left(cut_left(safe(Function), FunctionWidth), FunctionWidth),
          left(status(Status), ?STATUS_WIDTH),
          right(known(fun count/1, Reductions)), right(known(fun percent/1, Share)),
          right(known(fun count/1, Messages)), right(known(fun bytes/1, Memory))]).

line(Cells) ->
    string:trim(lists:join($\s, Cells), trailing, " ").

status(garbage_collecting) -> "gc";
status(Status) -> atom_to_list(Status).

%% Figures.

known(_, undefined) -> "-";
known(Text, Figure) -> Text(Figure).

percent(Share) ->
    io_lib:format("~.1f%", [float(Share)]).

%% @doc At most six characters: `9999', `12.3k', `4.5M'.
-spec count(non_neg_integer()) -> unicode:chardata().
count(Count) when Count < 10000 -> integer_to_list(Count);
count(Count) -> scaled(Count / 1000, 1000, ["k", "M", "G", "T", "P", "E"]).

%% @doc The same in powers of 1024: `9999', `12.3K', `4.5M'.
-spec bytes(non_neg_integer()) -> unicode:chardata().
bytes(Bytes) when Bytes < 10000 -> integer_to_list(Bytes);
bytes(Bytes) -> scaled(Bytes / 1024, 1024, ["K", "M", "G", "T", "P", "E"]).

scaled(Figure, _, [Unit]) -> io_lib:format("~.1f~s", [Figure, Unit]);
scaled(Figure, _, [Unit | _]) when Figure < 999.95 -> io_lib:format("~.1f~s", [Figure, Unit]);
scaled(Figure, Base, [_ | Units]) -> scaled(Figure / Base, Base, Units).

%% Widths.

left(Text, Width) -> string:pad(Text, Width).

right(Text) -> string:pad(Text, ?NUMBER_WIDTH, leading).

cut_right(Text, Width) ->
    case string:length(Text) =< Width of
        true -> Text;
        false -> string:slice(Text, 0, Width)
    end.

cut_left(Text, Width) ->
    case string:length(Text) of
        Length when Length =< Width -> Text;
        Length -> [$~, string:slice(Text, Length - Width + 1)]
    end.

%% Labels are anybody's text.
safe(Text) ->
    case unicode:characters_to_list(Text) of
        Chars when is_list(Chars) -> [printable(Char) || Char <- Chars];
        _ -> "?"
    end.

printable(Char) when Char < $\s; Char >= 16#7F, Char < 16#A0 -> $?;
printable(Char) when Char >= 16#2028, Char =< 16#202E; Char >= 16#2066, Char =< 16#2069 -> $?;
printable(Char) -> Char.
