%% SPDX-License-Identifier: Apache-2.0
%% @doc A busy little shop: something real for a profiler to look at.
%%
%% A system of ordinary OTP parts, with the things in it that one profiles a
%% node for. Nothing here knows of the profiler. It needs kernel and stdlib
%% only, runs on OTP 25 and later, uses a bit more than one core with the
%% values of shop.app.src, and its memory is bounded, however long it runs.
%%
%% ```
%%   shop_sup (rest_for_one)
%%    |- shop_catalog       owns the products table: large binaries, many readers
%%    |- shop_stock         owns the stock table: few rows, everybody writes them
%%    |- shop_ledger        the bottleneck: one process, everybody casts to it
%%    |- shop_sale          a state machine: a sale now and then, demand doubles
%%    |- shop_order_sup     one short-lived, unregistered process for each order
%%    |- shop_recommender   the CPU hog: long bursts without a pause
%%    |- shop_report        each second: folds, sorts, a large heap, then garbage
%%    `- shop_customer_sup
%%        `- shop_customer  many, unregistered: timers, lists, maps, sub-binaries
%% '''
%%
%% Who does what, and what of it a profile should show:
%%
%% <ul>
%% <li><b>Customers</b> wake up by a timer, pick products, cut what they want to
%%   read out of the descriptions (sub-binaries that keep the whole binary
%%   alive), keep a cart in a map, sort it, and now and then order. In a profile:
%%   mostly `waiting', `shop_customer:price_cart/1' and `binary:matches/2' when
%%   they run.</li>
%% <li><b>Orders</b> live for some milliseconds. They take the goods from the
%%   stock table, all of them a popular product too (`ets:update_counter/4' on
%%   one row: the contended lock), build an invoice of 32 kB, hash it,
%%   and cast it to the ledger. More than forty at a time are refused.</li>
%% <li><b>The ledger</b> needs some milliseconds for an entry, so that it keeps up with
%%   a normal day, not with a sale: its `message_queue_len' climbs for as long as
%%   the sale lasts, then falls. A counter bounds it: an order that finds
%%   `ledger_backlog' entries waiting is refused, as a shop would do.</li>
%% <li><b>The recommender</b> multiplies and walks trees for `hog_busy_ms', then
%%   rests: stripes in a sub-second heatmap.</li>
%% <li><b>The report</b> reads all there is each second, at the same offset in it:
%%   a line in a sub-second heatmap, and garbage collections.</li>
%% </ul>
%%
%% The knobs are the application's environment, for example
%% `erl -shop customers 200 think_ms 10'.
-module(shop).

-export([start/0, start/1, stop/0, setting/1, stats/0]).

-type knob() :: customers | think_ms | products | description_kb | ledger_us | ledger_backlog |
                hog_busy_ms | hog_rest_ms | report_ms | sale_every_ms | sale_ms.
-type stats() :: #{orders := non_neg_integer(), refused := non_neg_integer(),
                   ledger_backlog := non_neg_integer(), reports := non_neg_integer()}.
-export_type([knob/0, stats/0]).

%% @doc Start the shop with the values of its environment.
-spec start() -> ok | {error, term()}.
start() ->
    start(#{}).

%% @doc Start the shop with other values.
-spec start(#{knob() => non_neg_integer()}) -> ok | {error, term()}.
start(Knobs) ->
    case application:load(shop) of
        ok -> ok;
        {error, {already_loaded, shop}} -> ok
    end,
    maps:foreach(fun(Knob, Value) -> application:set_env(shop, Knob, Value) end, Knobs),
    application:start(shop).

%% @doc Stop it; nothing of it stays.
-spec stop() -> ok | {error, term()}.
stop() ->
    application:stop(shop).

-spec setting(knob()) -> non_neg_integer().
setting(Knob) ->
    {ok, Value} = application:get_env(shop, Knob),
    Value.

%% @doc What happened so far.
-spec stats() -> stats().
stats() ->
    maps:merge(shop_ledger:stats(), shop_report:stats()).
