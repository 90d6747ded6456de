%% SPDX-License-Identifier: Apache-2.0
%% @doc The tree drawn in shop.erl. What comes later uses what comes earlier, so
%% a failure takes down what was started after it, and no more.
-module(shop_sup).
-behaviour(supervisor).

-export([start_link/0, start_link/1, init/1]).

-type branch() :: shop | orders | customers.

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, shop).

-spec start_link(branch()) -> supervisor:startlink_ret().
start_link(orders) ->
    supervisor:start_link({local, shop_order_sup}, ?MODULE, orders);
start_link(customers) ->
    supervisor:start_link({local, shop_customer_sup}, ?MODULE, customers).

-spec init(branch()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(shop) ->
    {ok, {#{strategy => rest_for_one},
          [worker(shop_catalog), worker(shop_stock), worker(shop_ledger), worker(shop_sale),
           branch(shop_order_sup, orders), worker(shop_recommender), worker(shop_report),
           branch(shop_customer_sup, customers)]}};
init(orders) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => order, start => {shop_order, start_link, []}, restart => temporary}]}};
init(customers) ->
    {ok, {#{strategy => one_for_one, intensity => 10},
          [#{id => {customer, N}, start => {shop_customer, start_link, [N]}}
           || N <- lists:seq(1, shop:setting(customers))]}}.

worker(Module) ->
    #{id => Module, start => {Module, start_link, []}}.

branch(Name, Branch) ->
    #{id => Name, start => {?MODULE, start_link, [Branch]}, type => supervisor}.
