%% SPDX-License-Identifier: Apache-2.0
%% @doc Opens and closes the sales. During one, customers order far more often.
-module(shop_sale).
-behaviour(gen_statem).

-export([start_link/0, is_on/0]).
-export([init/1, callback_mode/0, handle_event/4]).

-spec start_link() -> gen_statem:start_ret().
start_link() ->
    gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec is_on() -> boolean().
is_on() ->
    [{sale, Is}] = ets:lookup(?MODULE, sale),
    Is.

callback_mode() ->
    [handle_event_function, state_enter].

init([]) ->
    ?MODULE = ets:new(?MODULE, [named_table, protected, {read_concurrency, true}]),
    {ok, closed, []}.

handle_event(enter, _From, closed, _Data) ->
    ets:insert(?MODULE, {sale, false}),
    Pause = max(1, shop:setting(sale_every_ms) - shop:setting(sale_ms)),
    {keep_state_and_data, [{state_timeout, Pause, turn}]};
handle_event(enter, _From, open, _Data) ->
    ets:insert(?MODULE, {sale, true}),
    ok = shop_catalog:revalue(),
    {keep_state_and_data, [{state_timeout, shop:setting(sale_ms), turn}]};
handle_event(state_timeout, turn, closed, Data) ->
    {next_state, open, Data};
handle_event(state_timeout, turn, open, Data) ->
    {next_state, closed, Data};
handle_event(_Type, _Event, _State, _Data) ->
    keep_state_and_data.
