%% SPDX-License-Identifier: Apache-2.0
%% @doc Arguments of the benches, `--name value' each, and their help text.
%%
%% A bench is a module with `help/0', `options/0' (name, default, what it is;
%% the type of the default is the type of the option) and `main/1', which
%% takes the map of all options.
-module(bench_args).

-export([run/3]).
-export_type([options/0]).

-type value() :: integer() | string().
-type options() :: #{atom() => value()}.

-callback help() -> iodata().
-callback options() -> [{atom(), value(), Text :: string()}].
-callback main(options()) -> ok.

-spec run(module(), string(), [string()]) -> no_return().
run(Bench, Script, Args) ->
    _ = code:ensure_loaded(Bench),
    case parse(Args, Bench:options(), #{}) of
        help ->
            io:format("~ts [--option value]...~n~n~ts~n~n", [Script, Bench:help()]),
            _ = [io:format("  --~-13ts ~ts~ts~n", [Name, Text, default(Default)])
                 || {Name, Default, Text} <- Bench:options()],
            halt(0);
        {error, Text} ->
            io:format(standard_error, "~ts: ~ts; see ~ts --help~n", [Script, Text, Script]),
            halt(2);
        Options ->
            io:format("$ bench/~ts~n~ts~n", [lists:join(" ", [Script | Args]), bench_report:machine()]),
            halt(finish(Bench, Script, Options))
    end.

finish(Bench, Script, Options) ->
    try
        ok = Bench:main(Options),
        0
    catch
        throw:{bench, Text} ->
            io:format(standard_error, "~ts: ~ts~n", [Script, Text]),
            1;
        Class:Reason:Stack ->
            io:format(standard_error, "~ts: ~p ~p~n~p~n", [Script, Class, Reason, Stack]),
            1
    end.

parse([], Known, Given) ->
    maps:merge(maps:from_list([{Name, Default} || {Name, Default, _} <- Known]), Given);
parse(["--help" | _], _, _) ->
    help;
parse(["--" ++ Name, Text | Rest], Known, Given) ->
    case [Found || {Key, _, _} = Found <- Known, atom_to_list(Key) =:= Name] of
        [{Key, Default, _}] ->
            case value(Text, Default) of
                error -> {error, ["--", Name, " takes a number, not ", Text]};
                Value -> parse(Rest, Known, Given#{Key => Value})
            end;
        [] ->
            {error, ["there is no option --", Name]}
    end;
parse([Other | _], _, _) ->
    {error, ["'", Other, "' is no option with a value"]}.

default("") -> "";
default(Number) when is_integer(Number) -> [" (", integer_to_list(Number), ")"];
default(Text) -> [" (", Text, ")"].

value(Text, Default) when is_integer(Default) ->
    try list_to_integer(Text) catch error:badarg -> error end;
value(Text, _) ->
    Text.
