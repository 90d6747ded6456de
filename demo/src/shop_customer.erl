%% SPDX-License-Identifier: Apache-2.0
%% @doc A customer: wakes up by a timer, looks at a few products, puts one into
%% the cart, reckons what the cart costs, and orders when it is full, or at
%% once when there is a sale.
-module(shop_customer).
-behaviour(gen_server).

-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(LOOKS, 6).
-define(FULL_CART, 12).
-define(SALE_CART, 4).

-type cart() :: #{shop_catalog:id() => shop_order:line()}.

-spec start_link(pos_integer()) -> gen_server:start_ret().
start_link(Number) ->
    gen_server:start_link(?MODULE, Number, []).

init(Number) ->
    _ = rand:seed(exsss, Number),
    {ok, think(#{})}.

handle_call(_Request, _From, Cart) ->
    {reply, {error, unknown_request}, Cart}.

handle_cast(_Request, Cart) ->
    {noreply, Cart}.

handle_info(step, Cart) ->
    {noreply, think(order_if_full(add_best(browse(), Cart)))};
handle_info(_Message, Cart) ->
    {noreply, Cart}.

-spec think(cart()) -> cart().
think(Cart) ->
    Pause = 1 + rand:uniform(2 * max(1, shop:setting(think_ms))),
    _ = erlang:send_after(Pause, self(), step),
    Cart.

browse() ->
    Size = shop_catalog:size(),
    Word = lists:nth(rand:uniform(3), [<<"sturdy">>, <<"blue">>, <<"spare">>]),
    [begin
         {Id, Price, _} = Product = shop_catalog:product(rand:uniform(Size)),
         {Id, Price, shop_catalog:snippets(Product, Word)}
     end || _ <- lists:seq(1, ?LOOKS)].

add_best(Seen, Cart) ->
    [{Id, Price, Snippets} | _] = lists:sort(fun cheaper/2, Seen),
    Note = iolist_to_binary(lists:join(<<" ... ">>, Snippets)),
    Line = case Cart of
               #{Id := {_, Count, _, _}} -> {Id, Count + 1, Price, Note};
               _ -> {Id, 1, Price, Note}
           end,
    Cart#{Id => Line}.

cheaper({_, PriceA, NotesA}, {_, PriceB, NotesB}) ->
    PriceA - 10 * length(NotesA) =< PriceB - 10 * length(NotesB).

order_if_full(Cart) ->
    Full = case shop_sale:is_on() of
               true -> ?SALE_CART;
               false -> ?FULL_CART
           end,
    Cost = price_cart(Cart),
    case map_size(Cart) >= Full andalso Cost > 0 of
        true ->
            _ = shop_order:place(maps:values(Cart)),
            #{};
        false ->
            Cart
    end.

%% Discounts are searched for the simple way: every cut of the sorted cart.
price_cart(Cart) ->
    Prices = lists:sort([Count * Price || {_Id, Count, Price, _Note} <- maps:values(Cart)]),
    lists:min([cost(lists:split(Cut, Prices)) || Cut <- lists:seq(0, length(Prices))]).

cost({Cheap, Dear}) ->
    lists:sum(Cheap) + lists:foldl(fun(Price, Sum) -> Sum + Price * 9 div 10 end, 0, Dear).
