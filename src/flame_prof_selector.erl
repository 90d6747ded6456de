%% SPDX-License-Identifier: Apache-2.0
%% @doc Finds the processes that did most reductions in the last interval.
%%
%% Each pass runs in a process of its own at low priority, which looks at every
%% process once and never holds more than the best N of them; its memory is gone
%% with it. Reductions of a process that is not running are read without a signal
%% to it. A pass that does not come to an end (some process does not answer) is
%% given up and counted.
%%
%% The sampler gets `{flame_prof_selector, self(), {selected, Pids}}'. It is asked
%% beforehand how often it has disturbed whom, as that costs reductions too.
-module(flame_prof_selector).

-export([start_link/3, top/2, each_process/2]).

-include_lib("kernel/include/logger.hrl").

%% So that something is selected within a second of the start.
-define(FIRST_INTERVAL_MS, 600).
-define(PASS_MAX_MS, 10000).
-define(CALL_MS, 1000).

-record(state, {sampler :: pid(),
                count :: pos_integer(),
                interval_ms :: pos_integer(),
                ignored :: [pid()] | none,
                history :: flame_prof_reductions:history(),
                selected = #{} :: #{pid() => true},
                given_up = 0 :: non_neg_integer()}).

%% @doc `Ignored' are never selected, nor are the processes of the tier itself;
%% `none': all may be.
-spec start_link(pid(), {top, pos_integer(), pos_integer()}, [pid()] | none) -> pid().
start_link(Sampler, {top, Count, IntervalMs}, Ignored) ->
    spawn_opt(fun() ->
                  first(#state{sampler = Sampler, count = Count, interval_ms = IntervalMs,
                               ignored = Ignored,
                               history = flame_prof_reductions:new(processes_now())})
              end, [link, {priority, low}]).

%% The first pass only takes the measure.
first(State) ->
    {_, Measured} = pass(baseline, State),
    sleep(min(?FIRST_INTERVAL_MS, State#state.interval_ms)),
    loop(Measured).

loop(#state{interval_ms = IntervalMs} = State) ->
    Began = erlang:monotonic_time(millisecond),
    Next = selection(State),
    sleep(max(IntervalMs div 2, IntervalMs - (erlang:monotonic_time(millisecond) - Began))),
    loop(Next).

selection(#state{sampler = Sampler} = State) ->
    case next_pass(State) of
        {reset, Fresh} ->
            {_, Measured} = pass(baseline, Fresh),
            Measured;
        {kept, Kept} ->
            case pass(disturbed(Sampler), Kept) of
                {given_up, Next} ->
                    Next;
                {Pids, Next} ->
                    Sampler ! {?MODULE, self(), {selected, Pids}},
                    Next#state{selected = set(Pids)}
            end
    end.

next_pass(#state{history = History} = State) ->
    {Outcome, Next} = flame_prof_reductions:next_pass(processes_now(), History),
    {Outcome, State#state{history = Next}}.

%% Runs a pass elsewhere; strays in the mailbox are dropped meanwhile.
pass(Disturbed, #state{given_up = GivenUp} = State) ->
    Self = self(),
    {Worker, Monitor} =
        spawn_opt(fun() -> Self ! {?MODULE, self(), run_pass(Disturbed, State)} end,
                  [link, monitor, {priority, low}]),
    Deadline = erlang:monotonic_time(millisecond) + max(?PASS_MAX_MS, State#state.interval_ms),
    case await(Worker, Monitor, Deadline) of
        {ok, Pids} ->
            {Pids, State};
        given_up ->
            unlink(Worker),
            exit(Worker, kill),
            ?LOG_NOTICE("flame_prof: a selection pass was given up: some process did not answer "
                        "within ~b ms; the processes selected before stay", [?PASS_MAX_MS]),
            {given_up, State#state{given_up = GivenUp + 1}}
    end.

await(Worker, Monitor, Deadline) ->
    receive
        {?MODULE, Worker, Pids} ->
            demonitor(Monitor, [flush]),
            {ok, Pids};
        {'DOWN', Monitor, process, _, _} ->
            given_up;
        _ ->
            await(Worker, Monitor, Deadline)
    after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
        given_up
    end.

run_pass(baseline, #state{history = History}) ->
    each_process(fun(Pid, ok) -> _ = change(Pid, History), ok end, ok),
    [];
run_pass({Disturbed, Ours}, #state{history = History, ignored = Given, count = Count,
                                   selected = Selected}) ->
    Ignored = ignored(Given, [self() | Ours]),
    Best = each_process(
             fun(Pid, Best) when is_map_key(Pid, Ignored) -> Best;
                (Pid, Best) ->
                     case change(Pid, History) of
                         none -> Best;
                         Change ->
                             Own = Change - maps:get(Pid, Disturbed, 0),
                             candidate(Own, is_map_key(Pid, Selected), Pid, Best)
                     end
             end, none_yet(Count)),
    best(Best).

ignored(none, _) -> #{};
ignored(Given, Ours) -> set(Given ++ Ours).

change(Pid, History) ->
    case process_info(Pid, reductions) of
        {reductions, Reductions} ->
            case flame_prof_reductions:change(Pid, Reductions, History) of
                new -> Reductions;
                unknown -> 0;
                Change -> Change
            end;
        undefined ->
            none
    end.

%% How many signals of ours each sampled process has handled since the last pass,
%% and which processes are ours.
disturbed(Sampler) ->
    Reference = make_ref(),
    Sampler ! {?MODULE, disturbed, self(), Reference},
    receive
        {Reference, {Counts, Ours}} -> {Counts, [self() | Ours]}
    after ?CALL_MS ->
        {#{}, [self(), Sampler]}
    end.

%% The best N, bounded.

%% @doc The pids with the highest figures, without sorting all of them.
-spec top(pos_integer(), [{integer(), pid()}]) -> [pid()].
top(Count, Figures) ->
    best(lists:foldl(fun({Figure, Pid}, Best) -> candidate(Figure, false, Pid, Best) end,
                     none_yet(Count), Figures)).

none_yet(Count) ->
    {Count, gb_sets:new()}.

%% Of equals, those selected already stay, or the selection would change with
%% each pass on an idle node.
candidate(Figure, IsSelected, Pid, {0, Best}) ->
    {{LeastFigure, LeastSelected, _}, Rest} = gb_sets:take_smallest(Best),
    case {Figure, IsSelected} > {LeastFigure, LeastSelected} of
        true -> {0, gb_sets:add({Figure, IsSelected, Pid}, Rest)};
        false -> {0, Best}
    end;
candidate(Figure, IsSelected, Pid, {Free, Best}) ->
    {Free - 1, gb_sets:add({Figure, IsSelected, Pid}, Best)}.

best({_, Best}) ->
    [Pid || {_, _, Pid} <- lists:reverse(gb_sets:to_list(Best))].

%% @doc Folds over every process of the node, by an iterator where there is one
%% (OTP 28).
-spec each_process(fun((pid(), Acc) -> Acc), Acc) -> Acc.
each_process(Fun, Acc) ->
    case erlang:function_exported(erlang, processes_iterator, 0) of
        true -> iterate(Fun, Acc, newer(processes_iterator, []));
        false -> lists:foldl(Fun, Acc, processes())
    end.

iterate(Fun, Acc, Iterator) ->
    case newer(processes_next, [Iterator]) of
        {Pid, Next} -> iterate(Fun, Fun(Pid, Acc), Next);
        none -> Acc
    end.

%% A function that not every supported release has.
newer(Function, Arguments) ->
    erlang:apply(erlang, Function, Arguments).

processes_now() ->
    erlang:system_info(process_count).

set(Pids) ->
    maps:from_list([{Pid, true} || Pid <- Pids]).

sleep(Ms) ->
    Deadline = erlang:monotonic_time(millisecond) + Ms,
    sleep_until(Deadline).

%% Strays would fill the mailbox of a process that only sleeps.
sleep_until(Deadline) ->
    receive
        _ -> sleep_until(Deadline)
    after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
        ok
    end.
