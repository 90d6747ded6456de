%% SPDX-License-Identifier: Apache-2.0
%% @doc How much of each product there is: a public table that every order
%% writes without asking this process. It has few rows, one of them is in every
%% order, and no write_concurrency: the contended table of this system.
-module(shop_stock).
-behaviour(gen_server).

-export([start_link/0, take/2, total/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TABLE, ?MODULE).
-define(SHELVES, 16).
-define(FULL, 1000000).
-define(REFILL_MS, 100).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Take goods from the product's shelf, and gift wrap from the one shelf of it.
-spec take(shop_catalog:id(), pos_integer()) -> Left :: integer().
take(Id, Count) ->
    Left = ets:update_counter(?TABLE, Id rem ?SHELVES, {2, -Count, 0, ?FULL}),
    _ = ets:update_counter(?TABLE, gift_wrap, {2, -Count, 0, ?FULL}),
    Left.

-spec total() -> non_neg_integer().
total() ->
    ets:foldl(fun({_Shelf, Count}, Sum) -> Sum + Count end, 0, ?TABLE).

init([]) ->
    ?TABLE = ets:new(?TABLE, [named_table, public]),
    ok = refill(),
    {ok, erlang:send_after(?REFILL_MS, self(), refill)}.

handle_call(_Request, _From, Timer) ->
    {reply, {error, unknown_request}, Timer}.

handle_cast(_Request, Timer) ->
    {noreply, Timer}.

handle_info(refill, _Timer) ->
    ok = refill(),
    {noreply, erlang:send_after(?REFILL_MS, self(), refill)}.

refill() ->
    [ets:insert(?TABLE, {Shelf, ?FULL}) || Shelf <- [gift_wrap | lists:seq(0, ?SHELVES - 1)]],
    ok.
