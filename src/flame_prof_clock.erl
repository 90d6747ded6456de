%% SPDX-License-Identifier: Apache-2.0
%% @doc The clock of samples: CLOCK_MONOTONIC in nanoseconds.
%%
%% That is the clock of the kernel and of the other engine, so the streams of one
%% host can be laid over each other. Erlang's own monotonic time is not: it is
%% shifted and may run up to 1 % faster or slower. `os:perf_counter/1' reads
%% CLOCK_MONOTONIC on Linux; where it should be another clock than the one that
%% the runtime system names as the monotonic one, the difference is added.
-module(flame_prof_clock).

-export([new/0, now_ns/1, anchor/1, name/1]).
-export_type([clock/0]).

-record(clock, {name :: binary(),
                offset_ns :: integer()}).
-opaque clock() :: #clock{}.

%% Two readings of one clock are never that far apart.
-define(SAME_CLOCK_NS, 1000000).
-define(ANCHOR_TRIES, 8).

-spec new() -> clock().
new() ->
    Source = erlang:system_info(os_monotonic_time_source),
    case lists:keyfind(time, 1, Source) of
        {time, Time} ->
            Counter = os:perf_counter(nanosecond),
            Ns = erlang:convert_time_unit(Time, native, nanosecond),
            #clock{name = source_name(Source), offset_ns = offset(Ns - Counter)};
        false ->
            #clock{name = <<"os:perf_counter">>, offset_ns = 0}
    end.

-spec now_ns(clock()) -> integer().
now_ns(#clock{offset_ns = Offset}) ->
    os:perf_counter(nanosecond) + Offset.

%% @doc One instant on this clock and on the wall clock (nanoseconds since 1970).
-spec anchor(clock()) -> {MonotonicNs :: integer(), UnixNs :: integer()}.
anchor(Clock) ->
    {_, Monotonic, Unix} = lists:min([reading(Clock) || _ <- lists:seq(1, ?ANCHOR_TRIES)]),
    {Monotonic, Unix}.

-spec name(clock()) -> binary().
name(#clock{name = Name}) ->
    Name.

%% The reading that took least time is the one that was not interrupted.
reading(Clock) ->
    Before = now_ns(Clock),
    Unix = os:system_time(nanosecond),
    After = now_ns(Clock),
    {After - Before, Before + (After - Before) div 2, Unix}.

offset(Ns) when abs(Ns) < ?SAME_CLOCK_NS -> 0;
offset(Ns) -> Ns.

source_name(Source) ->
    case lists:keyfind(clock_id, 1, Source) of
        {clock_id, Id} -> atom_to_binary(Id);
        false -> atom_to_binary(proplists:get_value(function, Source, unknown))
    end.
