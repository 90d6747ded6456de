%% SPDX-License-Identifier: Apache-2.0
%% @doc Collects the rows of {@link flame_prof:top/1}, in a process of its own at
%% low priority, linked to who asked for it.
%%
%% Which processes, {@link flame_prof_ranking} says. Those in the table are asked
%% with `process_info/2', each by a process of its own with little time: one that
%% does not answer (in a long NIF) is shown with what is known.
-module(flame_prof_top_rows).

-export([start_link/1, ask/1]).

-define(ANSWER_MS, 300).
-define(LABEL_CHARS, 60).

-type config() :: #{tier := auto | walker | portable,
                    sort := flame_prof_ranking:criterion(),
                    rows := pos_integer(),
                    excluded := [pid()]}.

-type answer() :: #{status := atom(), name := unicode:chardata(),
                    initial := undefined | unicode:chardata(), function := unicode:chardata(),
                    reductions := non_neg_integer(), messages := non_neg_integer(),
                    memory := non_neg_integer(), at := integer()}.

-record(state, {owner :: pid(),
                config :: config(),
                ranking :: flame_prof_ranking:ranking(),
                before = #{} :: #{pid() => answer()}, % those shown last
                total = 0 :: non_neg_integer(),
                since :: integer()}).

%% @doc Starts it and takes the first measure. It sends
%% `{flame_prof_top_rows, pid(), ready | {refused, binary()}}', and for each
%% {@link ask/1} `{flame_prof_top_rows, pid(), {rows, Summary, Rows}}'.
-spec start_link(config()) -> pid().
start_link(Config) ->
    Owner = self(),
    spawn_opt(fun() -> init(Owner, Config) end, [link, {priority, low}]).

-spec ask(pid()) -> ok.
ask(Collector) ->
    Collector ! {?MODULE, ask},
    ok.

init(Owner, #{tier := Tier, sort := Sort, rows := Rows, excluded := Excluded} = Config) ->
    case flame_prof_ranking:open(Tier, Sort, Rows, [self() | Excluded]) of
        {ok, Opened} ->
            {_, Ranked, Ranking} = flame_prof_ranking:pass(Opened),
            State = #state{owner = Owner, config = Config, ranking = Ranking, since = now_ns(),
                           total = total()},
            Owner ! {?MODULE, self(), ready},
            loop(State#state{before = answers([Pid || {Pid, _} <- Ranked], #{})});
        {refused, Why} ->
            Owner ! {?MODULE, self(), {refused, Why}}
    end.

loop(#state{owner = Owner} = State) ->
    receive
        {?MODULE, ask} ->
            {Summary, Rows, Next} = collect(State),
            Owner ! {?MODULE, self(), {rows, Summary, Rows}},
            true = garbage_collect(),
            loop(Next);
        _ ->
            loop(State)
    end.

collect(#state{config = #{sort := Sort}, ranking = Ranking, since = Since, total = TotalBefore,
             before = Before} = State) ->
    {Processes, Ranked, Next} = flame_prof_ranking:pass(Ranking),
    Now = now_ns(),
    Total = total(),
    Answers = answers([Pid || {Pid, _} <- Ranked], Before),
    Spent = max(1, Total - TotalBefore),
    Rates = [rate(Sort, Pid, Figure, Now - Since, maps:get(Pid, Answers, none), Before)
             || {Pid, Figure} <- Ranked],
    AllPerS = max(per_s(Spent, Now - Since), lists:sum([Rate || Rate <- Rates, is_integer(Rate)])),
    Rows = [row(Pid, Figure, Sort, Rate, AllPerS, maps:get(Pid, Answers, none))
            || {{Pid, Figure}, Rate} <- lists:zip(Ranked, Rates)],
    {summary(Processes, AllPerS, State), Rows,
     State#state{ranking = Next, since = Now, total = Total, before = Answers}}.

summary(Processes, AllPerS, #state{ranking = Ranking}) ->
    #{means => flame_prof_ranking:means(Ranking),
      processes => Processes,
      reductions_per_s => AllPerS,
      run_queue => statistics(total_run_queue_lengths),
      memory_bytes => memory()}.

%% The walker's tier has no such figure on a VM without memory statistics.
memory() ->
    try erlang:memory(total) catch error:notsup -> 0 end.

total() ->
    {Total, _} = statistics(reductions),
    Total.

now_ns() ->
    erlang:monotonic_time(nanosecond).

per_s(Count, Ns) ->
    Count * 1000000000 div max(1, Ns).

%% Reductions a second.

rate(reductions, _, Figure, Ns, _, _) ->
    per_s(Figure, Ns);
rate(_, Pid, _, _, #{reductions := Now, at := At}, Before) ->
    case Before of
        #{Pid := #{reductions := Then, at := Since}} when At > Since -> per_s(max(0, Now - Then), At - Since);
        #{} -> undefined
    end;
rate(_, _, _, _, none, _) ->
    undefined.

row(Pid, Figure, Sort, Rate, AllPerS, none) ->
    Row = #{pid => Pid, name => "", function => "", status => busy, reductions_per_s => Rate,
            share => share(Rate, AllPerS), messages => undefined, memory_bytes => undefined},
    case Sort of
        reductions -> Row;
        message_queue_len -> Row#{messages := Figure};
        memory -> Row#{memory_bytes := Figure}
    end;
row(Pid, _, _, Rate, AllPerS, #{name := Name, function := Function, status := Status,
                                messages := Messages, memory := Memory}) ->
    #{pid => Pid, name => Name, function => Function, status => Status, reductions_per_s => Rate,
      share => share(Rate, AllPerS), messages => Messages, memory_bytes => Memory}.

share(undefined, _) -> undefined;
share(Rate, AllPerS) -> 100 * Rate / max(1, AllPerS).

%% Asking. Each answers for itself, so that one that does not holds up nobody.

answers(Pids, Before) ->
    Self = self(),
    Reference = make_ref(),
    Askers = [spawn_opt(fun() -> Self ! {Reference, Pid, answer(Pid, initial(Pid, Before))} end,
                        [link]) || Pid <- Pids],
    Deadline = erlang:monotonic_time(millisecond) + ?ANSWER_MS,
    Answers = gathered(length(Pids), Reference, Deadline, #{}),
    lists:foreach(fun(Asker) -> unlink(Asker), exit(Asker, kill) end, Askers),
    flushed(Reference),
    Answers.

gathered(0, _, _, Answers) ->
    Answers;
gathered(Left, Reference, Deadline, Answers) ->
    receive
        {Reference, _, gone} -> gathered(Left - 1, Reference, Deadline, Answers);
        {Reference, Pid, Answer} ->
            gathered(Left - 1, Reference, Deadline, Answers#{Pid => Answer})
    after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
        Answers
    end.

flushed(Reference) ->
    receive {Reference, _, _} -> flushed(Reference)
    after 0 -> ok
    end.

initial(Pid, Before) ->
    case Before of
        #{Pid := #{initial := Initial}} -> Initial;
        #{} -> undefined
    end.

%% The status first and on its own: answering the rest makes a process run.
answer(Pid, Initial) ->
    case process_info(Pid, status) of
        {status, Status} -> answer(Pid, Status, Initial);
        undefined -> gone
    end.

answer(Pid, Status, Known) ->
    Items = [registered_name, initial_call, reductions, message_queue_len, memory,
             current_function],
    case process_info(Pid, Items) of
        [{_, Registered}, {_, Initial}, {_, Reductions}, {_, Messages}, {_, Memory},
         {_, Function}] ->
            named(Pid, Registered, Initial, Known,
                  #{status => Status, reductions => Reductions, messages => Messages,
                    memory => Memory, function => function(Function), at => now_ns()});
        undefined ->
            gone
    end.

%% Registered name, label (OTP 27), initial call as proc_lib knows it: once, as it
%% may cost a copy of the process's dictionary.
named(_, Registered, _, Known, Answer) when is_atom(Registered) ->
    Answer#{name => flame_prof_name:module(Registered), initial => Known};
named(Pid, _, Initial, Known, Answer) ->
    case {label(Pid), Known} of
        {undefined, undefined} ->
            Found = initial_call(Pid, Initial),
            Answer#{name => Found, initial => Found};
        {undefined, _} ->
            Answer#{name => Known, initial => Known};
        {Label, _} ->
            Answer#{name => label_text(Label), initial => Known}
    end.

function({Module, Function, Arity}) -> flame_prof_name:function(Module, Function, Arity);
function(_) -> "".

label(Pid) ->
    case erlang:function_exported(proc_lib, get_label, 1) of
        true -> newer(get_label, [Pid]);
        false -> undefined
    end.

%% A function that not every supported release has.
newer(Function, Arguments) ->
    erlang:apply(proc_lib, Function, Arguments).

initial_call(Pid, {proc_lib, init_p, _}) ->
    {Module, Function, Arity} = proc_lib:translate_initial_call(Pid),
    flame_prof_name:function(Module, Function, Arity);
initial_call(_, {Module, Function, Arity}) ->
    flame_prof_name:function(Module, Function, Arity).

label_text(Label) when is_atom(Label) -> flame_prof_name:module(Label);
label_text(Label) when is_binary(Label) ->
    case unicode:characters_to_list(Label) of
        Chars when is_list(Chars) -> Chars;
        _ -> io_lib:format("~0tp", [Label])
    end;
label_text(Label) ->
    case io_lib:char_list(Label) andalso Label =/= [] of
        true -> Label;
        false -> io_lib:format("~0tp", [Label], [{chars_limit, ?LABEL_CHARS}])
    end.
