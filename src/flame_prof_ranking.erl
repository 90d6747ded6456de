%% SPDX-License-Identifier: Apache-2.0
%% @doc The first N processes of the node by a figure, pass by pass, for
%% {@link flame_prof:top/1}. Never holds more than N of them.
%%
%% The walker's selector does it, off the schedulers (500,000 processes in some
%% 30 ms), where this VM's layout can be verified. Otherwise each
%% process is asked with `process_info/2': a running one answers where it next
%% yields, and `memory' costs each a signal. Belongs to one process.
-module(flame_prof_ranking).

-export([open/4, pass/1, means/1]).
-export_type([ranking/0, criterion/0]).

-type criterion() :: reductions | message_queue_len | memory.

-record(native, {ranking :: flame_prof_nif:ranking()}).
-record(portable, {criterion :: criterion(),
                   count :: pos_integer(),
                   excluded :: #{pid() => true},
                   why :: binary(),
                   history :: flame_prof_reductions:history()}).
-opaque ranking() :: #native{} | #portable{}.

%% @doc `Excluded' are never among them.
-spec open(auto | walker | portable, criterion(), pos_integer(), [pid()]) ->
    {ok, ranking()} | {refused, binary()}.
open(portable, Criterion, Count, Excluded) ->
    {ok, portable(Criterion, Count, Excluded, <<"asked for">>)};
open(Tier, Criterion, Count, Excluded) ->
    case native(Criterion, Count, Excluded) of
        {ok, Ranking} -> {ok, #native{ranking = Ranking}};
        {refused, Why} when Tier =:= auto -> {ok, portable(Criterion, Count, Excluded, Why)};
        {refused, Why} -> {refused, Why}
    end.

%% @doc How it is done, and why not better.
-spec means(ranking()) -> walker | {portable, Why :: binary()}.
means(#native{}) -> walker;
means(#portable{why = Why}) -> {portable, Why}.

%% @doc The processes of the node and the first of them, highest figure first. By
%% `reductions' it is what they did since the last pass; the first pass is to be
%% thrown away.
-spec pass(ranking()) ->
    {ProcessCount :: non_neg_integer(), [{pid(), Figure :: non_neg_integer()}], ranking()}.
pass(#native{ranking = Ranking} = Native) ->
    case flame_prof_nif:rank(Ranking) of
        {error, _} -> {erlang:system_info(process_count), [], Native};
        {ProcessCount, Ranked} -> {ProcessCount, highest_first(Ranked), Native}
    end;
pass(#portable{history = History} = Portable) ->
    Processes = erlang:system_info(process_count),
    {_, Next} = flame_prof_reductions:next_pass(Processes, History),
    Passing = Portable#portable{history = Next},
    {Processes, best(all(Passing)), Passing}.

native(Criterion, Count, Excluded) ->
    case flame_prof_walker:layout(auto) of
        {ok, Layout} -> native_opened(flame_prof_nif:open_ranking(Layout, Criterion, Count, Excluded));
        {refused, Why} -> {refused, Why}
    end.

native_opened({ok, Ranking}) -> {ok, Ranking};
native_opened({error, {_, Why}}) -> {refused, Why}.

portable(Criterion, Count, Excluded, Why) ->
    Processes = case Criterion of
                    reductions -> erlang:system_info(process_count);
                    _ -> 0
                end,
    #portable{criterion = Criterion, count = Count, why = Why,
              excluded = maps:from_list([{Pid, true} || Pid <- [self() | Excluded]]),
              history = flame_prof_reductions:new(Processes)}.

all(#portable{count = Count, excluded = Excluded} = Portable) ->
    flame_prof_processes:fold(
      fun(Pid, Best) when is_map_key(Pid, Excluded) -> Best;
         (Pid, Best) -> offered(figure(Pid, Portable), Pid, Best)
      end, {Count, gb_sets:new()}).

figure(Pid, #portable{criterion = reductions, history = History}) ->
    case process_info(Pid, reductions) of
        {reductions, Reductions} ->
            case flame_prof_reductions:change(Pid, Reductions, History) of
                new -> Reductions;
                unknown -> 0;
                Change -> Change
            end;
        undefined ->
            0
    end;
figure(Pid, #portable{criterion = Criterion}) ->
    case process_info(Pid, Criterion) of
        {Criterion, Figure} -> Figure;
        undefined -> 0
    end.

offered(Figure, _, Best) when Figure =< 0 ->
    Best;
offered(Figure, Pid, {0, Best}) ->
    case gb_sets:smallest(Best) of
        {Least, _} when Figure > Least ->
            {0, gb_sets:add({Figure, Pid}, gb_sets:delete(gb_sets:smallest(Best), Best))};
        _ ->
            {0, Best}
    end;
offered(Figure, Pid, {Free, Best}) ->
    {Free - 1, gb_sets:add({Figure, Pid}, Best)}.

best({_, Best}) ->
    highest_first([{Pid, Figure} || {Figure, Pid} <- gb_sets:to_list(Best)]).

highest_first(Ranked) ->
    lists:reverse(lists:keysort(2, Ranked)).
