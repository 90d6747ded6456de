%% SPDX-License-Identifier: Apache-2.0
%% @doc Is any scheduler stuck? A process on each of them, and one that needs the dirty
%% ones, tell the time; who looks on sees how long ago that was.
-module(chaos_heartbeat).

-export([start/0, stop/1, longest_ms/1, silent_ms/1]).

-define(BEAT_MS, 50).

start() ->
    Count = erlang:system_info(schedulers),
    %% Last beat, longest distance; the dirty one is the last.
    Beats = atomics:new(2 * (Count + 1), []),
    [begin atomics:put(Beats, 2 * N - 1, now_ms()), atomics:put(Beats, 2 * N, 0) end
     || N <- lists:seq(1, Count + 1)],
    Pids = [spawn_opt(fun() -> beat(Beats, N, fun() -> ok end) end,
                      [link, {priority, max}, {scheduler, N}]) || N <- lists:seq(1, Count)],
    Dirty = spawn_opt(fun() -> beat(Beats, Count + 1, fun dirty/0) end, [link, {priority, max}]),
    {Beats, [Dirty | Pids]}.

stop({_, Pids}) ->
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Pids],
    ok.

beat(Beats, N, Work) ->
    timer:sleep(?BEAT_MS),
    _ = Work(),
    Now = now_ms(),
    Distance = Now - atomics:exchange(Beats, 2 * N - 1, Now),
    Distance > atomics:get(Beats, 2 * N) andalso atomics:put(Beats, 2 * N, Distance),
    beat(Beats, N, Work).

dirty() ->
    file:read_file_info("/").

%% From one beat to the next, the longest there was.
longest_ms({Beats, Pids}) ->
    lists:max([atomics:get(Beats, 2 * N) || N <- lists:seq(1, length(Pids))]).

%% Since the last beat of the one that is silent the longest.
silent_ms({Beats, Pids}) ->
    lists:max([now_ms() - atomics:get(Beats, 2 * N - 1) || N <- lists:seq(1, length(Pids))]).

now_ms() -> erlang:monotonic_time(millisecond).
