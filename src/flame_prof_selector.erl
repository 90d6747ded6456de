%% SPDX-License-Identifier: Apache-2.0
%% @doc Finds the processes that come first by the criteria of `auto_select'.
%%
%% Each pass runs in a process of its own at low priority, which looks at every
%% process once and never holds more than the best N of them; its memory is gone
%% with it. What a criterion needs is read without a signal to a process that is
%% not running. A pass that does not come to an end (some process does not answer)
%% is given up and counted. The next one comes sooner when many of those selected
%% have ended.
%%
%% The sampler gets `{flame_prof_selector, self(), {selected, Pids}}'. It is asked
%% beforehand how often it has disturbed whom, as that costs reductions too.
-module(flame_prof_selector).

-export([start_link/3, sooner/1, top/2]).

-include_lib("kernel/include/logger.hrl").

%% So that something is selected within a second of the start.
-define(FIRST_INTERVAL_MS, 600).
%% What a pass may take of the time when it comes sooner: a fiftieth.
-define(DUTY, 50).
-define(PASS_MAX_MS, 10000).
-define(CALL_MS, 1000).
%% Those that compare two passes.
-define(COMPARING, [reductions, message_queue_growth]).

-type histories() :: #{flame_prof:criterion() => flame_prof_reductions:history()}.

-record(state, {sampler :: pid(),
                goals :: [flame_prof_options:goal(), ...],
                interval_ms :: pos_integer(),
                ignored :: [pid()] | none,
                histories :: histories(),
                selected = #{} :: #{pid() => true},
                given_up = 0 :: non_neg_integer()}).

%% @doc `Ignored' are never selected, nor are the processes of the tier itself;
%% `none': all may be.
-spec start_link(pid(), {top, [flame_prof_options:goal(), ...], pos_integer()}, [pid()] | none) ->
    pid().
start_link(Sampler, {top, Asked, IntervalMs}, Ignored) ->
    Goals = without_cpu(Asked),
    spawn_opt(fun() ->
                  first(#state{sampler = Sampler, goals = Goals, interval_ms = IntervalMs,
                               ignored = Ignored, histories = histories(Goals)})
              end, [link, {priority, low}]).

%% Nobody sees CPU time here: reductions stand for it.
without_cpu(Goals) ->
    case lists:keytake(cpu, 1, Goals) of
        false -> Goals;
        {value, {cpu, Count}, Others} ->
            {_, More} = lists:keyfind(reductions, 1, Others ++ [{reductions, 0}]),
            lists:keystore(reductions, 1, Others, {reductions, Count + More})
    end.

%% @doc Many of those selected have ended.
-spec sooner(pid()) -> ok.
sooner(Selector) ->
    Selector ! {?MODULE, sooner},
    ok.

histories(Goals) ->
    Processes = processes_now(),
    maps:from_list([{By, flame_prof_reductions:new(Processes)}
                    || {By, _} <- Goals, lists:member(By, ?COMPARING)]).

%% The first pass of criteria that compare only takes the measure.
first(#state{histories = Histories} = State) when map_size(Histories) =:= 0 ->
    loop(State);
first(State) ->
    {_, Measured} = pass(baseline, State),
    ok = sleep(min(?FIRST_INTERVAL_MS, State#state.interval_ms), infinity),
    loop(Measured).

loop(#state{interval_ms = IntervalMs} = State) ->
    Began = erlang:monotonic_time(millisecond),
    Next = selection(State),
    Took = erlang:monotonic_time(millisecond) - Began,
    ok = sleep(max(IntervalMs div 2, IntervalMs - Took), max(?FIRST_INTERVAL_MS, Took * ?DUTY)),
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

next_pass(#state{histories = Histories} = State) ->
    Processes = processes_now(),
    Passes = maps:map(fun(_, History) -> flame_prof_reductions:next_pass(Processes, History) end,
                      Histories),
    Next = State#state{histories = maps:map(fun(_, {_, History}) -> History end, Passes)},
    case [reset || {reset, _} <- maps:values(Passes)] of
        [] -> {kept, Next};
        _ -> {reset, Next}
    end.

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

run_pass(baseline, #state{histories = Histories}) ->
    By = maps:keys(Histories),
    ok = flame_prof_processes:fold(fun(Pid, ok) -> _ = figures(Pid, By, Histories), ok end, ok),
    [];
run_pass({Disturbed, Ours}, #state{histories = Histories, ignored = Given, goals = Goals,
                                   selected = Selected}) ->
    Ignored = ignored(Given, [self() | Ours]),
    By = [Criterion || {Criterion, _} <- Goals],
    Best = flame_prof_processes:fold(
             fun(Pid, Bests) when is_map_key(Pid, Ignored) ->
                     Bests;
                (Pid, Bests) ->
                     Own = maps:get(Pid, Disturbed, 0),
                     IsSelected = is_map_key(Pid, Selected),
                     ranked(figures(Pid, By, Histories), Own, IsSelected, Pid, Bests)
             end, [none_yet(Count) || {_, Count} <- Goals]),
    maps:keys(set(lists:append([best(One) || One <- Best]))).

ignored(none, _) -> #{};
ignored(Given, Ours) -> set(Given ++ Ours).

ranked([], _, _, _, Bests) ->
    Bests;
ranked([{reductions, Change} | Figures], Own, IsSelected, Pid, [Best | Bests]) ->
    [candidate(Change - Own, IsSelected, Pid, Best) | ranked(Figures, Own, IsSelected, Pid, Bests)];
ranked([{_, Figure} | Figures], Own, IsSelected, Pid, [Best | Bests]) when Figure > 0 ->
    [candidate(Figure, IsSelected, Pid, Best) | ranked(Figures, Own, IsSelected, Pid, Bests)];
ranked([_ | Figures], Own, IsSelected, Pid, [Best | Bests]) ->
    [Best | ranked(Figures, Own, IsSelected, Pid, Bests)];
ranked(gone, _, _, _, Bests) ->
    Bests.

%% By each of the criteria.
figures(Pid, By, Histories) ->
    case process_info(Pid, [item(Criterion) || Criterion <- By]) of
        undefined ->
            gone;
        Info ->
            [{Criterion, figure(Criterion, Value, Pid, Histories)}
             || {Criterion, {_, Value}} <- lists:zip(By, Info)]
    end.

%% None of them makes the runtime system signal a process that waits, as
%% `memory' would.
item(reductions) -> reductions;
item(message_queue_len) -> message_queue_len;
item(message_queue_growth) -> message_queue_len;
item(memory) -> garbage_collection_info;
item(binary_vheap) -> garbage_collection_info.

figure(message_queue_len, Length, _, _) ->
    Length;
figure(memory, Info, _, _) ->
    sizes([heap_block_size, old_heap_block_size, mbuf_size], Info);
figure(binary_vheap, Info, _, _) ->
    sizes([bin_vheap_size, bin_old_vheap_size], Info);
figure(Comparing, Value, Pid, Histories) ->
    case flame_prof_reductions:change(Pid, Value, maps:get(Comparing, Histories)) of
        new -> Value;
        unknown -> 0;
        Change -> Change
    end.

sizes(Names, Info) ->
    lists:sum([Size || {Name, Size} <- Info, lists:member(Name, Names)]).

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

processes_now() ->
    erlang:system_info(process_count).

set(Pids) ->
    maps:from_list([{Pid, true} || Pid <- Pids]).

%% Until `Ms' are over, or when it has to be sooner, `SoonerMs'.
sleep(Ms, SoonerMs) ->
    Now = erlang:monotonic_time(millisecond),
    Sooner = case SoonerMs of
                 infinity -> Now + Ms;
                 _ -> Now + min(Ms, SoonerMs)
             end,
    sleep_until(Now + Ms, Sooner).

%% Strays would fill the mailbox of a process that only sleeps.
sleep_until(Deadline, Sooner) ->
    receive
        {?MODULE, sooner} -> sleep_until(Sooner, Sooner);
        _ -> sleep_until(Deadline, Sooner)
    after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
        ok
    end.
