%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc The terminal of the caller, whatever shell it is: asked for and written to
%% through the group leader, so that of a remote shell is the one where somebody sits.
-module(flame_prof_terminal).

-export([is_terminal/0, width/1, rows/0, colours/0, put/1, in_encoding/1]).

-define(WIDTH_DEFAULT, 100).
-define(CALL_MS, 1000).

-spec is_terminal() -> boolean().
is_terminal() ->
    case io:columns() of
        {ok, _} -> true;
        {error, _} -> false
    end.

%% @doc A terminal may begin a new line by itself when the last column is used.
-spec width(Min :: pos_integer()) -> pos_integer().
width(Min) ->
    case io:columns() of
        {ok, Columns} when is_integer(Columns) -> max(Min, Columns - 1);
        _ -> ?WIDTH_DEFAULT
    end.

-spec rows() -> pos_integer() | unknown.
rows() ->
    case io:rows() of
        {ok, Rows} when is_integer(Rows), Rows > 0 -> Rows;
        _ -> unknown
    end.

%% @doc As many as the terminal has, by the environment of the node where it is.
-spec colours() -> none | 256 | true.
colours() ->
    case is_terminal() andalso encoding() =/= latin1 andalso not is_set("NO_COLOR") of
        true -> colours(environment("TERM"), environment("COLORTERM"));
        false -> none
    end.

colours(false, _) -> none;
colours("dumb", _) -> none;
colours(_, "truecolor") -> true;
colours(_, "24bit") -> true;
colours(Term, _) ->
    case string:find(Term, "direct") of
        nomatch -> 256;
        _ -> true
    end.

is_set(Name) ->
    case environment(Name) of
        false -> false;
        Value -> Value =/= ""
    end.

environment(Name) ->
    case node(group_leader()) of
        Here when Here =:= node() ->
            os:getenv(Name);
        There ->
            try erpc:call(There, os, getenv, [Name], ?CALL_MS)
            catch _:_ -> false
            end
    end.

%% @doc Writes text; what the terminal's encoding has not got becomes something like it.
-spec put(unicode:chardata()) -> ok | {error, binary()}.
put(Text) ->
    try
        io:put_chars(in_encoding(Text))
    catch
        error:_ -> {error, <<"the terminal does not take the output">>}
    end.

%% @doc A terminal without Unicode refuses the whole text for one letter.
-spec in_encoding(unicode:chardata()) -> unicode:chardata().
in_encoding(Text) ->
    case encoding() of
        latin1 -> [latin1(Char) || Char <- unicode:characters_to_list(Text)];
        _ -> Text
    end.

encoding() ->
    case io:getopts() of
        [_ | _] = Options -> proplists:get_value(encoding, Options);
        _ -> undefined
    end.

%% The shades of a heatmap.
latin1(16#B7) -> $.;
latin1(16#2591) -> $:;
latin1(16#2592) -> $+;
latin1(16#2593) -> $%;
latin1(16#2588) -> $@;
latin1(16#2261) -> $~;
latin1(Char) when Char > 255 -> $?;
latin1(Char) -> Char.
