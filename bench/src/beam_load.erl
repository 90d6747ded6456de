%% SPDX-License-Identifier: Apache-2.0
%% What beam_test.sh records: Erlang code, deep recursion, BIFs, the collector.
-module(beam_load).
-export([start/0, burn/1, swap/1]).

-spec start() -> no_return().
start() ->
    spawn(fun() -> burn(fun deep/0) end),
    spawn(fun() -> burn(fun bifs/0) end),
    receive after infinity -> ok end.

-spec burn(fun(() -> term())) -> no_return().
burn(Work) ->
    _ = Work(),
    burn(Work).

deep() -> down(3000).

down(0) -> lists:seq(1, 500);
down(N) -> [N | down(N - 1)].

bifs() ->
    Pairs = [{erlang:phash2(N), integer_to_binary(N)} || N <- lists:seq(1, 2000)],
    Sorted = lists:sort(Pairs),
    maps:size(maps:from_list(Sorted)) + byte_size(term_to_binary(Sorted)).

-spec swap(file:filename()) -> ok.
swap(Directory) ->
    code:add_patha(Directory),
    _ = code:purge(beam_load_swapped),
    {module, _} = code:load_file(beam_load_swapped),
    spawn(fun() -> beam_load_swapped:run() end),
    ok.
