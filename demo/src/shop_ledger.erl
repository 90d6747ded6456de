%% SPDX-License-Identifier: Apache-2.0
%% @doc The bottleneck: every order is posted here by a cast, and this one
%% process takes its time for each. A counter of entries that wait bounds the
%% mailbox, since a cast by itself never says that there are too many.
-module(shop_ledger).
-behaviour(gen_server).

-export([start_link/0, post/1, refuse/0, stats/0, forget/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-type entry() :: {OrderNumber :: integer(), Amount :: integer(), Digest :: binary()}.
-export_type([entry/0]).

%% Positions in the counters that senders and the ledger share.
-define(WAITING, 1).
-define(POSTED, 2).
-define(REFUSED, 3).

-record(ledger, {counters :: counters:counters_ref(),
                 balance = 0 :: integer(),
                 chain = <<>> :: binary(),
                 last = queue:new() :: queue:queue(entry())}).

-define(KEEP_LAST, 500).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Post an entry, unless too many wait.
-spec post(entry()) -> ok | refused.
post(Entry) ->
    Counters = persistent_term:get(?MODULE),
    case counters:get(Counters, ?WAITING) >= shop:setting(ledger_backlog) of
        true ->
            refuse();
        false ->
            counters:add(Counters, ?WAITING, 1),
            gen_server:cast(?MODULE, {post, Entry})
    end.

%% @doc Count an order that came to nothing.
-spec refuse() -> refused.
refuse() ->
    counters:add(persistent_term:get(?MODULE), ?REFUSED, 1),
    refused.

-spec stats() -> #{orders := non_neg_integer(), refused := non_neg_integer(),
                   ledger_backlog := non_neg_integer()}.
stats() ->
    Counters = persistent_term:get(?MODULE),
    #{orders => counters:get(Counters, ?POSTED),
      refused => counters:get(Counters, ?REFUSED),
      ledger_backlog => counters:get(Counters, ?WAITING)}.

%% @doc Called when the shop has closed.
-spec forget() -> ok.
forget() ->
    _ = persistent_term:erase(?MODULE),
    ok.

init([]) ->
    %% New counters each time: what waited for a ledger that died is gone.
    Counters = counters:new(3, []),
    ok = persistent_term:put(?MODULE, Counters),
    {ok, #ledger{counters = Counters}}.

handle_call(_Request, _From, Ledger) ->
    {reply, {error, unknown_request}, Ledger}.

handle_cast({post, {_Number, Amount, _Digest} = Entry}, #ledger{counters = Counters} = Ledger) ->
    Deadline = erlang:monotonic_time(microsecond) + shop:setting(ledger_us),
    Chain = seal(Entry, Ledger#ledger.chain),
    ok = write_to_disk(Deadline),
    counters:sub(Counters, ?WAITING, 1),
    counters:add(Counters, ?POSTED, 1),
    {noreply, Ledger#ledger{balance = Ledger#ledger.balance + Amount, chain = Chain,
                            last = keep(Entry, Ledger#ledger.last)}}.

handle_info(_Message, Ledger) ->
    {noreply, Ledger}.

%% Some honest work: each entry's digest covers all before it.
seal(Entry, Chain) ->
    lists:foldl(fun(_, Digest) -> erlang:md5([Digest, term_to_binary(Entry)]) end,
                Chain, lists:seq(1, 40)).

%% A disk would make it wait; receive does.
write_to_disk(Deadline) ->
    case Deadline - erlang:monotonic_time(microsecond) of
        Left when Left > 1000 -> receive after Left div 1000 -> ok end;
        _ -> ok
    end.

keep(Entry, Last) ->
    Longer = queue:in(Entry, Last),
    case queue:len(Longer) > ?KEEP_LAST of
        true -> queue:drop(Longer);
        false -> Longer
    end.
