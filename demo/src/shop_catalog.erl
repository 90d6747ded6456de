%% SPDX-License-Identifier: Apache-2.0
%% @doc The products: a table that many read at the same time and hardly anybody
%% writes. A description is a large binary, so it is shared, not copied, when a
%% row is read; what a reader cuts out of it is a sub-binary.
-module(shop_catalog).
-behaviour(gen_server).

-export([start_link/0, product/1, size/0, snippets/2, revalue/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-type id() :: pos_integer().
-type product() :: {id(), Price :: pos_integer(), Description :: binary()}.
-export_type([id/0, product/0]).

-define(TABLE, ?MODULE).
-define(SNIPPET_BYTES, 120).
-define(REVALUE_MS, 250).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec product(id()) -> product().
product(Id) ->
    [Product] = ets:lookup(?TABLE, Id),
    Product.

-spec size() -> non_neg_integer().
size() ->
    ets:info(?TABLE, size).

%% @doc The places of the description where the word stands, up to five.
-spec snippets(product(), binary()) -> [binary()].
snippets({_Id, _Price, Description}, Word) ->
    Last = byte_size(Description) - ?SNIPPET_BYTES,
    [binary:part(Description, min(At, Last), ?SNIPPET_BYTES)
     || {At, _} <- lists:sublist(binary:matches(Description, Word), 5)].

%% @doc Change some prices now.
-spec revalue() -> ok.
revalue() ->
    gen_server:cast(?MODULE, revalue).

init([]) ->
    ?TABLE = ets:new(?TABLE, [named_table, protected, {read_concurrency, true}]),
    Bytes = shop:setting(description_kb) * 1024,
    [ets:insert(?TABLE, {Id, 100 + rand:uniform(9900), description(Id, Bytes)})
     || Id <- lists:seq(1, shop:setting(products))],
    _ = erlang:send_after(?REVALUE_MS, self(), revalue),
    {ok, 0}.

handle_call(_Request, _From, Changes) ->
    {reply, {error, unknown_request}, Changes}.

handle_cast(revalue, Changes) ->
    {noreply, Changes + change_prices(20)}.

handle_info(revalue, Changes) ->
    _ = erlang:send_after(?REVALUE_MS, self(), revalue),
    {noreply, Changes + change_prices(10)}.

change_prices(Count) ->
    Size = ?MODULE:size(),
    [ets:update_element(?TABLE, rand:uniform(Size), {2, 100 + rand:uniform(9900)})
     || _ <- lists:seq(1, Count)],
    Count.

description(Id, Bytes) ->
    Words = [<<"sturdy">>, <<"light">>, <<"blue">>, <<"handmade">>, <<"fresh">>, <<"spare">>],
    Sentence = iolist_to_binary(
                 [["This is product ", integer_to_binary(Id), ", ", pick(Words), " and ",
                   pick(Words), "; part ", integer_to_binary(Part), ". "]
                  || Part <- lists:seq(1, 40)]),
    binary:part(binary:copy(Sentence, 1 + Bytes div byte_size(Sentence)), 0, Bytes).

pick(List) ->
    lists:nth(rand:uniform(length(List)), List).
