%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Which tier a session gets: the one asked for, or the best that works here.
-module(flame_prof_tiers).

-export([choose/1, open/3, name/1]).

-type chosen() :: {ok, Tier :: module(), flame_prof_tier:handle(), Why :: binary()}
                | {error, flame_prof:error_reason()}.

%% @doc Opens the tier that the options ask for, once there is a directory.
-spec choose(flame_prof_tier:config()) -> chosen().
choose(#{basename := Directory} = Options) ->
    case flame_prof_file:ensure_directory(Directory) of
        ok -> by_name(Options);
        {error, Reason} -> {error, Reason}
    end.

by_name(#{tier := auto} = Options) ->
    open([walker, portable], <<"auto: the best tier that works here">>, Options);
by_name(#{tier := Name} = Options) ->
    open([Name], <<"asked for">>, Options).

%% @doc Opens the first of them that is not refused. `Why' is told with it.
-spec open([walker | portable, ...], Why :: binary(), flame_prof_tier:config()) -> chosen().
open([Name | Rest], Why, Options) ->
    case flame_prof_tier:open(module(Name), Options#{tier_reason => Why}) of
        {ok, Handle} ->
            {ok, module(Name), Handle, Why};
        {refused, Reason} when Rest =:= [] ->
            {error, {refused, line("tier ~ts: ~ts; use tier => auto or portable", [Name, Reason])}};
        {refused, Reason} ->
            open(Rest, line("~ts refused: ~ts", [Name, Reason]), Options);
        {error, Reason} ->
            {error, Reason}
    end.

module(walker) -> flame_prof_walker;
module(portable) -> flame_prof_portable.

-spec name(module()) -> walker | portable.
name(flame_prof_walker) -> walker;
name(flame_prof_portable) -> portable.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
