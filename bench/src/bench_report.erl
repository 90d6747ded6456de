%% SPDX-License-Identifier: Apache-2.0
%% @doc Figures: what they are worked out with, and how they are printed.
-module(bench_report).

-export([machine/0, figure/3, quantile/2, quartiles/1, cpu_ms/0, now_us/0]).

%% @doc One line that says on what the figures were taken.
-spec machine() -> iodata().
machine() ->
    io_lib:format("# OTP ~ts erts ~ts ~ts, ~b schedulers online, load average ~ts, ~ts",
                  [erlang:system_info(otp_release), erlang:system_info(version),
                   erlang:system_info(emu_flavor), erlang:system_info(schedulers_online),
                   load_average(), calendar:system_time_to_rfc3339(os:system_time(second), [{offset, "Z"}])]).

load_average() ->
    case file:read_file("/proc/loadavg") of
        {ok, Text} -> hd(binary:split(Text, <<" ">>));
        {error, _} -> <<"unknown">>
    end.

-spec figure(string(), string(), [term()]) -> ok.
figure(Name, Format, Args) ->
    io:format("~-26ts " ++ Format ++ "~n", [Name | Args]).

%% @doc The value below which the share `Q' of the values lies, interpolated.
-spec quantile(number(), [number(), ...]) -> float().
quantile(Q, Values) ->
    Sorted = lists:sort(Values),
    Place = Q * (length(Sorted) - 1),
    Below = trunc(Place),
    Low = lists:nth(Below + 1, Sorted),
    High = lists:nth(min(Below + 2, length(Sorted)), Sorted),
    float(Low + (High - Low) * (Place - Below)).

-spec quartiles([number(), ...]) -> {Low :: float(), Median :: float(), High :: float()}.
quartiles(Values) ->
    {quantile(0.25, Values), quantile(0.5, Values), quantile(0.75, Values)}.

%% @doc CPU time of this VM, all its threads.
-spec cpu_ms() -> non_neg_integer().
cpu_ms() ->
    element(1, statistics(runtime)).

-spec now_us() -> integer().
now_us() ->
    erlang:monotonic_time(microsecond).
