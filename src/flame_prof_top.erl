%% SPDX-License-Identifier: Apache-2.0
%% @doc The live table of {@link flame_prof:top/1}: talks to the terminal of the
%% caller through its group leader, so it works in any shell, also a remote one.
%%
%% While it runs there are two processes more, both linked to the caller: one
%% collects ({@link flame_prof_top_rows}), one waits for a line to be typed (only
%% where the table runs until it is ended). Nothing is traced.
-module(flame_prof_top).

-export([run/1]).

-define(INTERVAL_MS, 2000).
-define(INTERVAL_MIN_MS, 200).
-define(INTERVAL_MAX_MS, 3600000).
-define(FIRST_MS, 1000).
-define(ROWS_MAX, 1000).
-define(ROWS_DEFAULT, 20).
-define(WIDTH_MIN, 40).
%% Head and titles, and the line that the cursor is on.
-define(HEAD_LINES, 5).
-define(CLEAR, "\e[H\e[J").

-record(view, {collector :: pid(),
               reader :: none | pid(),
               left :: pos_integer() | infinity,
               interval_ms :: pos_integer(),
               clears :: boolean(),
               facts :: map()}).

%% @doc Shows the table until it is ended.
-spec run(flame_prof:top_opts()) -> ok | {error, flame_prof:error_reason()}.
run(Given) ->
    case checked(Given) of
        {ok, Options} -> show(Options);
        {error, Reason} -> {error, Reason}
    end.

show(#{iterations := Left, interval := Interval, sort := Sort} = Options) ->
    Collector = flame_prof_top_rows:start_link((maps:with([tier, sort, rows], Options))
                                                   #{excluded => [self()]}),
    Reader = reader(Left),
    View = #view{collector = Collector, reader = Reader, left = Left, interval_ms = Interval,
                 clears = Left =/= 1 andalso flame_prof_terminal:is_terminal(),
                 facts = #{node => node(), otp => erlang:system_info(otp_release), sort => Sort,
                           ends => ends(Reader)}},
    try
        opened(View)
    after
        lists:foreach(fun ended/1, [Pid || Pid <- [Collector, Reader], is_pid(Pid)])
    end.

%% Whoever traps exits must not be left with a message of ours.
ended(Pid) ->
    Monitor = monitor(process, Pid),
    unlink(Pid),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    receive {'EXIT', Pid, _} -> ok after 0 -> ok end,
    flushed(Pid).

flushed(Pid) ->
    receive
        {?MODULE, Pid, _} -> flushed(Pid);
        {flame_prof_top_rows, Pid, _} -> flushed(Pid)
    after 0 ->
        ok
    end.

ends(none) -> <<>>;
ends(_) -> <<"q and Enter to end">>.

opened(#view{collector = Collector, interval_ms = Interval} = View) ->
    receive
        {flame_prof_top_rows, Collector, ready} ->
            pause(min(Interval, ?FIRST_MS), View);
        {flame_prof_top_rows, Collector, {refused, Why}} ->
            {error, {refused, <<"top: tier walker: ", Why/binary,
                                "; use tier => auto or portable">>}};
        {?MODULE, Reader, quit} when Reader =:= View#view.reader ->
            ok
    end.

next(#view{collector = Collector, reader = Reader, left = Left} = View) ->
    ok = flame_prof_top_rows:ask(Collector),
    receive
        {flame_prof_top_rows, Collector, {rows, Summary, Rows}} ->
            case {shown(Summary, Rows, View), Left} of
                {ok, 1} -> ok;
                {ok, infinity} -> pause(View#view.interval_ms, View);
                {ok, _} -> pause(View#view.interval_ms, View#view{left = Left - 1});
                {{error, Reason}, _} -> {error, Reason}
            end;
        {?MODULE, Reader, quit} ->
            ok
    end.

pause(Ms, #view{reader = Reader} = View) ->
    receive
        {?MODULE, Reader, quit} -> ok;
        {?MODULE, Reader, line} -> next(View)
    after Ms ->
        next(View)
    end.

%% Output.

shown(Summary, Rows, #view{clears = Clears, facts = Facts}) ->
    Table = flame_prof_top_text:table(maps:merge(Facts, Summary), Rows,
                                      flame_prof_terminal:width(?WIDTH_MIN)),
    Clear = case Clears of
                true -> ?CLEAR;
                false -> ""
            end,
    case flame_prof_terminal:put([Clear, Table, $\n]) of
        ok -> ok;
        {error, Why} -> {error, {no_terminal, <<"top: ", Why/binary>>}}
    end.

rows_that_fit() ->
    case flame_prof_terminal:rows() of
        Rows when is_integer(Rows), Rows > ?HEAD_LINES -> min(?ROWS_MAX, Rows - ?HEAD_LINES);
        _ -> ?ROWS_DEFAULT
    end.

%% Input. A blocked read cannot be taken back, so there is none where nobody needs
%% it to end.

reader(infinity) ->
    Owner = self(),
    spawn_link(fun() -> read(Owner) end);
reader(_) ->
    none.

read(Owner) ->
    case io:get_line("") of
        Line when is_list(Line); is_binary(Line) ->
            case string:lowercase(string:trim(unicode:characters_to_list(Line))) of
                [$q | _] -> Owner ! {?MODULE, self(), quit};
                _ -> Owner ! {?MODULE, self(), line}, read(Owner)
            end;
        _ ->
            Owner ! {?MODULE, self(), quit}
    end.

%% Options.

checked(Given) when is_map(Given) ->
    case [Key || {Key, Value} <- lists:sort(maps:to_list(Given)), not is_valid(Key, Value)] of
        [] ->
            Defaults = #{interval => ?INTERVAL_MS, sort => reductions, rows => rows_that_fit(),
                         iterations => infinity, once => false, tier => auto},
            {ok, counted(maps:merge(Defaults, Given))};
        [Key | _] ->
            wrong("top: ~0tP => ~0tP: ~ts", [Key, 8, maps:get(Key, Given), 8, expected(Key)])
    end;
checked(Given) ->
    wrong("top: expected a map, got ~0tP; write for example #{sort => memory}", [Given, 8]).

counted(#{once := true} = Options) -> Options#{iterations := 1};
counted(Options) -> Options.

is_valid(interval, Value) ->
    is_integer(Value) andalso Value >= ?INTERVAL_MIN_MS andalso Value =< ?INTERVAL_MAX_MS;
is_valid(sort, Value) -> lists:member(Value, [reductions, message_queue_len, memory]);
is_valid(rows, Value) -> is_integer(Value) andalso Value > 0 andalso Value =< ?ROWS_MAX;
is_valid(iterations, infinity) -> true;
is_valid(iterations, Value) -> is_integer(Value) andalso Value > 0;
is_valid(once, Value) -> is_boolean(Value);
is_valid(tier, Value) -> lists:member(Value, [auto, walker, portable]);
is_valid(_, _) -> false.

expected(interval) -> io_lib:format("expected at least ~b (milliseconds)", [?INTERVAL_MIN_MS]);
expected(sort) -> "expected reductions, message_queue_len or memory";
expected(rows) -> io_lib:format("expected an integer from 1 to ~b", [?ROWS_MAX]);
expected(iterations) -> "expected a positive integer or infinity";
expected(once) -> "expected true or false";
expected(tier) -> "expected auto, walker or portable";
expected(_) -> "unknown option; known are interval, iterations, once, rows, sort, tier".

wrong(Format, Arguments) ->
    {error, {bad_option, unicode:characters_to_binary(io_lib:format(Format, Arguments))}}.
