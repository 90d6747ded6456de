%% SPDX-License-Identifier: Apache-2.0
%% @doc The report, each second at the same offset in it: reads all there is,
%% groups and sorts it, writes it as text, and throws it away, so that this
%% process has a large heap now and a garbage collection then.
-module(shop_report).
-behaviour(gen_server).

-export([start_link/0, stats/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ROUNDS, 12).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec stats() -> #{reports := non_neg_integer()}.
stats() ->
    gen_server:call(?MODULE, stats, infinity).

init([]) ->
    {ok, next(0)}.

handle_call(stats, _From, Reports) ->
    {reply, #{reports => Reports}, Reports}.

handle_cast(_Request, Reports) ->
    {noreply, Reports}.

handle_info(report, Reports) ->
    Pages = [page(Round) || Round <- lists:seq(1, ?ROUNDS)],
    true = iolist_size(Pages) > 0,
    {noreply, next(Reports + 1)}.

%% The next whole multiple of report_ms.
next(Reports) ->
    Every = max(1, shop:setting(report_ms)),
    Wait = Every - erlang:system_time(millisecond) rem Every,
    _ = erlang:send_after(Wait, self(), report),
    Reports.

page(Round) ->
    Groups = maps:groups_from_list(fun({_Id, Price, _Word}) -> Price div (100 * Round) end, rows(Round)),
    Sorted = lists:sort([{length(Rows), Group, lists:keysort(2, Rows)} || {Group, Rows} <- maps:to_list(Groups)]),
    [io_lib:format("~6b ~4b ~ts~n", [Group, Count, text(Rows)]) || {Count, Group, Rows} <- Sorted].

rows(Round) ->
    ets:foldl(fun({Id, Price, Description}, Rows) ->
                      [{Id, Price, binary:part(Description, Round, 32)} | Rows]
              end, [], shop_catalog).

text(Rows) ->
    string:join([integer_to_list(Id) ++ ":" ++ string:uppercase(binary_to_list(Word))
                 || {Id, _Price, Word} <- lists:sublist(Rows, 10)], ", ").
