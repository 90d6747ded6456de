%% SPDX-License-Identifier: Apache-2.0
%% @doc How functions are called in frames and tables: Erlang's as `lists:map/2',
%% those of a module that Elixir made as Elixir programs call them,
%% `MyApp.Shop.total/2'. c_src/model/beam_name.h says the same. Pure.
-module(flame_prof_name).

-export([module/1, function/3, file/1]).

%% @doc A module or registered name without the prefix that Elixir adds.
-spec module(atom()) -> binary().
module(Name) ->
    {_, Shown} = language(Name),
    Shown.

%% @doc `lists:map/2'; for Elixir `My.Mod.run/0', `My.Mod.run/0-fn-2/1' (the third
%% anonymous function in it), `&My.Mod.run/0' (a captured function).
-spec function(module(), atom(), arity()) -> binary().
function(Module, Function, Arity) ->
    Of = integer_to_binary(Arity),
    Name = atom_to_binary(Function),
    case language(Module) of
        {erlang, Shown} -> <<Shown/binary, $:, Name/binary, $/, Of/binary>>;
        {elixir, Shown} -> elixir(Shown, Name, Of)
    end.

%% @doc The file that a module without line numbers is said to be in.
-spec file(module()) -> binary().
file(Module) ->
    case language(Module) of
        {erlang, Shown} -> <<Shown/binary, ".erl">>;
        {elixir, Shown} -> <<Shown/binary, ".ex">>
    end.

language(Module) ->
    case atom_to_binary(Module) of
        <<"Elixir.", Name/binary>> when Name =/= <<>> -> {elixir, Name};
        Name -> {erlang, Name}
    end.

%% Functions that the compiler has made have their names between dashes.
elixir(Module, Name, Arity) ->
    Size = byte_size(Name) - 2,
    case Name of
        <<"-fun.", Captured:(Size - 4)/binary, "-">> when Size > 4 ->
            <<"&", Module/binary, $., Captured/binary>>;
        <<"-", Made:Size/binary, "-">> when Size > 0 ->
            <<Module/binary, $., (made(Made))/binary, $/, Arity/binary>>;
        _ ->
            <<Module/binary, $., Name/binary, $/, Arity/binary>>
    end.

made(Name) ->
    case string:split(Name, "-fun-", trailing) of
        [In, Number] -> <<In/binary, "-fn-", Number/binary>>;
        [Name] -> Name
    end.
