%% SPDX-License-Identifier: Apache-2.0
%% @doc The demo's node: runs the shop and takes orders from tools/demo on its
%% standard input, one a line. It ends when that input ends, so it never
%% outlives the script. Answers start with `@', one a line:
%%
%% ```
%%                         @ready OSPID
%% start DIRECTORY         @started TIER READER | @error TEXT
%% stop                    @file NAME (each), @value NAME VALUE (each), @stopped | @error TEXT
%% tables FILE...          (tables), @end | @error TEXT
%% '''
-module(demo_node).

-export([main/0]).

%% Looked at more often than by default: the demo is short. And more of them:
%% during a sale a hundred orders, gone before the next selection, can be busier
%% than everybody else.
-define(PROCESS_INTERVAL_MS, 45).
-define(SELECT_INTERVAL_MS, 1000).
-define(TOP, 200).

-spec main() -> no_return().
main() ->
    case shop:start() of
        ok ->
            answer("ready ~ts", [os:getpid()]),
            serve();
        {error, Reason} ->
            answer("error the shop does not open: ~0tP", [Reason, 15]),
            halt(1)
    end.

serve() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            try
                order(string:split(string:trim(Line), " "))
            catch
                _:Reason:Stack -> answer("error ~0tP", [{Reason, Stack}, 20])
            end,
            serve();
        _ ->
            halt(0)
    end.

order(["start", Directory]) ->
    case flame_prof:start(#{basename => Directory,
                            process_interval => ?PROCESS_INTERVAL_MS,
                            auto_select => {top, ?TOP, ?SELECT_INTERVAL_MS}}) of
        {ok, _Session} ->
            #{tier := Tier} = Info = flame_prof:info(),
            answer("started ~ts ~ts", [Tier, maps:get(reader, Info, Tier)]);
        {error, Reason} ->
            answer("error ~ts", [reason(Reason)])
    end;
order(["stop"]) ->
    Info = flame_prof:info(),
    case timer:tc(fun flame_prof:stop/0) of
        {Us, {ok, #{files := Files} = Summary}} ->
            answer("value stop_ms ~b", [Us div 1000]),
            _ = [answer("file ~ts", [File]) || File <- Files],
            _ = [answer("value ~ts ~ts", [Name, text(Value)])
                 || {Name, Value} <- maps:to_list(maps:merge(Info, Summary)), is_plain(Value)],
            _ = [answer("value loss_~ts ~ts", [Name, text(Value)])
                 || {Name, Value} <- maps:to_list(maps:get(losses, Summary, #{})), Value =/= 0],
            answer("stopped", []);
        {_, {error, Reason}} ->
            answer("error ~ts", [reason(Reason)])
    end;
order(["tables", Files]) ->
    ok = shop:stop(),
    demo_tables:print(string:lexemes(Files, " ")),
    answer("end", []);
order(Other) ->
    answer("error ~0tp is no order", [Other]).

answer(Format, Args) ->
    io:format("@" ++ Format ++ "~n", Args).

reason({_Code, Detail}) when is_binary(Detail) -> Detail;
reason(Other) -> text(Other).

is_plain(Value) -> is_atom(Value) orelse is_number(Value) orelse is_binary(Value).

text(Value) when is_binary(Value) -> Value;
text(Value) -> io_lib:format("~0tP", [Value, 20]).
