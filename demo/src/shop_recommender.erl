%% SPDX-License-Identifier: Apache-2.0
%% @doc The CPU hog. For hog_busy_ms it works out who might like what, without
%% a look at its mailbox, then rests for hog_rest_ms.
-module(shop_recommender).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(FEATURES, 24).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

init([]) ->
    self() ! compute,
    {ok, gb_trees:empty()}.

handle_call(_Request, _From, Scores) ->
    {reply, {error, unknown_request}, Scores}.

handle_cast(_Request, Scores) ->
    {noreply, Scores}.

handle_info(compute, _Old) ->
    Until = erlang:monotonic_time(millisecond) + shop:setting(hog_busy_ms),
    Scores = compute(1, Until, gb_trees:empty()),
    _ = erlang:send_after(shop:setting(hog_rest_ms), self(), compute),
    {noreply, Scores}.

compute(Customer, Until, Scores) ->
    case erlang:monotonic_time(millisecond) >= Until of
        true ->
            Scores;
        false ->
            Score = score(multiply(taste(Customer), taste(Customer + 1))),
            compute(Customer + 1, Until, gb_trees:enter(Customer rem 512, Score, Scores))
    end.

taste(Customer) ->
    [[(Customer * Row + Column) rem 17 || Column <- lists:seq(1, ?FEATURES)]
     || Row <- lists:seq(1, ?FEATURES)].

multiply(Left, Right) ->
    Columns = transpose(Right),
    [[dot(Row, Column, 0) || Column <- Columns] || Row <- Left].

dot([A | As], [B | Bs], Sum) -> dot(As, Bs, Sum + A * B);
dot([], [], Sum) -> Sum.

transpose([[] | _]) -> [];
transpose(Rows) -> [[hd(Row) || Row <- Rows] | transpose([tl(Row) || Row <- Rows])].

score(Matrix) ->
    lists:sum([lists:max(Row) || Row <- Matrix]) rem 100.
