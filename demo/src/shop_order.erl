%% SPDX-License-Identifier: Apache-2.0
%% @doc One order, one process, some milliseconds.
-module(shop_order).

-export([place/1, start_link/1, init/2]).

-type line() :: {shop_catalog:id(), Count :: pos_integer(), Price :: pos_integer(), Note :: binary()}.
-export_type([line/0]).

-define(INVOICE_BYTES, 32000).
%% Under way at a time. More would only wait for each other.
-define(ORDERS_MAX, 40).

%% @doc Hand in an order, unless there are too many. Not waited for.
-spec place([line()]) -> ok | refused.
place(Lines) ->
    case proplists:get_value(active, supervisor:count_children(shop_order_sup)) < ?ORDERS_MAX of
        true ->
            {ok, _Pid} = supervisor:start_child(shop_order_sup, [Lines]),
            ok;
        false ->
            shop_ledger:refuse()
    end.

-spec start_link([line()]) -> {ok, pid()}.
start_link(Lines) ->
    proc_lib:start_link(?MODULE, init, [self(), Lines]).

-spec init(pid(), [line()]) -> ok.
init(Parent, Lines) ->
    proc_lib:init_ack(Parent, {ok, self()}),
    Number = erlang:unique_integer([positive]),
    _ = [shop_stock:take(Id, Count) || {Id, Count, _Price, _Note} <- Lines],
    Amount = lists:sum([Count * Price || {_Id, Count, Price, _Note} <- Lines]),
    Invoice = invoice(Number, Lines),
    _ = shop_ledger:post({Number, Amount, erlang:md5(Invoice)}),
    ok.

%% A large binary, made anew for each order; then taken apart again, as whoever
%% prints it would do.
invoice(Number, Lines) ->
    Head = [<<"invoice ">>, integer_to_binary(Number), $\n],
    Body = [[integer_to_binary(Id), $\t, integer_to_binary(Count), $\t,
             integer_to_binary(Price), $\t, Note, $\n] || {Id, Count, Price, Note} <- Lines],
    Page = iolist_to_binary([Head, Body]),
    Invoice = binary:copy(Page, 1 + ?INVOICE_BYTES div byte_size(Page)),
    true = count_lines(Invoice, 0) >= length(Lines),
    Invoice.

count_lines(Rest, Count) ->
    case binary:split(Rest, <<"\n">>) of
        [_Line, More] -> count_lines(More, Count + 1);
        [_End] -> Count
    end.
