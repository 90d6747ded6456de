%% SPDX-License-Identifier: Apache-2.0
%% @doc Which dumps an armed session makes: one at a time, those of triggers not
%% too often and not too many, those asked for by somebody always.
%%
%% Pure; time is passed in. Whatever is not done is counted by its reason.
-module(flame_prof_dumps).

-export([new/1, ask/4, began/2, ended/3, is_going_on/1, is_for/2, header/2, info/1]).
-export_type([dumps/0, cause/0, result/0]).

%% Of the last dumps, told in info/0.
-define(TOLD_MAX, 20).
-define(BUSY_RETRY_MS, 1000).

-type cause() :: #{trigger := atom(), atom() => term()}.
%% `trigger' is `on_call' or the name of a trigger; the others say more.

-type result() :: {written, file:filename()} | empty | {failed, Detail :: binary()}.

-record(dumps, {max :: infinity | pos_integer(),
                distance_ms :: non_neg_integer(),
                now = none :: none | {cause(), From :: term()},
                by_trigger = 0 :: non_neg_integer(),
                on_call = 0 :: non_neg_integer(),
                last_end_ms :: undefined | integer(),
                suppressed = #{busy => 0, too_soon => 0, enough => 0} ::
                    #{atom() => non_neg_integer()},
                told = [] :: [map()]}).
-opaque dumps() :: #dumps{}.

-spec new(#{dumps_max := infinity | pos_integer(), distance_ms := non_neg_integer(),
            atom() => term()}) -> dumps().
new(#{dumps_max := Max, distance_ms := DistanceMs}) ->
    #dumps{max = Max, distance_ms = DistanceMs}.

%% @doc May there be a dump now, or else when is it worth another try? `From' waits
%% for it (`none': nobody does).
-spec ask(cause(), From :: term(), NowMs :: integer(), dumps()) ->
    {go, dumps()} | {no, RetryMs :: pos_integer() | never, dumps()}.
ask(#{trigger := on_call} = Cause, From, _, #dumps{now = none} = Dumps) ->
    {go, Dumps#dumps{now = {Cause, From}}};
ask(Cause, From, NowMs, Dumps) ->
    case refusal(NowMs, Dumps) of
        none -> {go, Dumps#dumps{now = {Cause, From}}};
        {Why, RetryMs} -> {no, RetryMs, suppressed(Cause, Why, Dumps)}
    end.

%% @doc Whether the tier has begun it.
-spec began(boolean(), dumps()) -> dumps().
began(true, #dumps{now = {#{trigger := on_call}, _}, on_call = Count} = Dumps) ->
    Dumps#dumps{on_call = Count + 1};
began(true, #dumps{by_trigger = Count} = Dumps) ->
    Dumps#dumps{by_trigger = Count + 1};
began(false, #dumps{now = {Cause, _}} = Dumps) ->
    suppressed(Cause, busy, Dumps#dumps{now = none}).

%% @doc What has become of it, and who waits for that.
-spec ended(result(), NowMs :: integer(), dumps()) -> {From :: term(), cause(), dumps()}.
ended(Result, NowMs, #dumps{now = {Cause, From}, told = Told} = Dumps) ->
    Entry = maps:merge(Cause, outcome(Result)),
    {From, Cause, Dumps#dumps{now = none, last_end_ms = last_end_ms(Cause, NowMs, Dumps),
                              told = lists:sublist([Entry | Told], ?TOLD_MAX)}}.

-spec is_going_on(dumps()) -> boolean().
is_going_on(#dumps{now = Now}) ->
    Now =/= none.

%% @doc Whether the one that goes on is the caller's.
-spec is_for(From :: term(), dumps()) -> boolean().
is_for(From, #dumps{now = {_, From}}) -> true;
is_for(_, _) -> false.

%% @doc What the header of its file says.
-spec header(cause(), AfterMs :: non_neg_integer()) -> [{binary(), binary()}].
header(#{trigger := Trigger, unix_us := UnixUs} = Cause, AfterMs) ->
    [{<<"trigger">>, atom_to_binary(Trigger)},
     {<<"trigger_time">>, utc(UnixUs)},
     {<<"dump_after_ns">>, integer_to_binary(AfterMs * 1000000)}
     | [{Key, text(Value)}
        || {Key, Name} <- [{<<"trigger_value">>, value}, {<<"trigger_limit">>, limit},
                           {<<"trigger_pid">>, pid}, {<<"trigger_name">>, name},
                           {<<"trigger_detail">>, detail}, {<<"trigger_time_ns">>, time_ns},
                           {<<"trigger_note">>, note}],
           Value <- [maps:get(Name, Cause, undefined)], Value =/= undefined, Value =/= <<>>]].

-spec info(dumps()) -> map().
info(#dumps{now = Now} = Dumps) ->
    #{dumping => case Now of none -> false; {#{trigger := Trigger}, _} -> Trigger end,
      by_trigger => Dumps#dumps.by_trigger,
      on_call => Dumps#dumps.on_call,
      suppressed => Dumps#dumps.suppressed,
      last => Dumps#dumps.told}.

%% Internal

%% Somebody's own dump keeps no trigger from making one.
last_end_ms(#{trigger := on_call}, _, #dumps{last_end_ms = LastMs}) -> LastMs;
last_end_ms(_, NowMs, _) -> NowMs.

utc(UnixUs) ->
    unicode:characters_to_binary(
      calendar:system_time_to_rfc3339(UnixUs div 1000, [{unit, millisecond}, {offset, "Z"}])).

text(Value) when is_binary(Value) -> Value;
text(Value) -> unicode:characters_to_binary(io_lib:format("~0tp", [Value])).

refusal(_, #dumps{now = {_, _}}) ->
    {busy, ?BUSY_RETRY_MS};
refusal(_, #dumps{by_trigger = Count, max = Max}) when Count >= Max ->
    {enough, never};
refusal(NowMs, #dumps{last_end_ms = LastMs, distance_ms = DistanceMs})
        when is_integer(LastMs), NowMs - LastMs < DistanceMs ->
    {too_soon, LastMs + DistanceMs - NowMs};
refusal(_, _) ->
    none.

%% Somebody who is told at once needs no count.
suppressed(#{trigger := on_call}, _, Dumps) ->
    Dumps;
suppressed(_, Why, #dumps{suppressed = Counts} = Dumps) ->
    Dumps#dumps{suppressed = maps:update_with(Why, fun(N) -> N + 1 end, Counts)}.

outcome({written, File}) -> #{file => File};
outcome(empty) -> #{file => undefined, why => <<"nothing was sampled in that time">>};
outcome({failed, Detail}) -> #{file => undefined, why => Detail}.
