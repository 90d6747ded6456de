%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Figures of a session, put together for people.
-module(flame_prof_summary).

-export([merge/2, with_rates/1, time/1]).

%% @doc Of two tiers, one after the other.
-spec merge(map(), map()) -> map().
merge(A, B) ->
    maps:merge_with(fun(files, Left, Right) -> Left ++ Right;
                       (_, Left, Right) when is_map(Left), is_map(Right) -> merge(Left, Right);
                       (_, Left, Right) when is_integer(Left), is_integer(Right) -> Left + Right;
                       (_, _, Right) -> Right
                    end, A, B).

%% @doc Adds rates. `cpu_percent' is of one CPU; there is none where nobody knows the
%% CPU time.
-spec with_rates(map()) -> map().
with_rates(#{running_ms := Ms} = Info) when Ms > 0 ->
    Rates = [{samples_per_s, maps:get(samples, Info, 0) * 1000 div Ms}
             | [{cpu_percent, round(10000 * CpuMs / Ms) / 100} || #{cpu_ms := CpuMs} <- [Info]]],
    maps:merge(Info, maps:from_list(Rates));
with_rates(Info) ->
    Info.

%% @doc A point in time, of microseconds since 1970.
-spec time(integer()) -> binary().
time(Us) ->
    unicode:characters_to_binary(
      calendar:system_time_to_rfc3339(Us div 1000000, [{offset, "Z"}])).
