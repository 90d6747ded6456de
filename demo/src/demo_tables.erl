%% SPDX-License-Identifier: Apache-2.0
%% @doc What the demo prints of the Erlang half, worked out from the files that
%% were written, so that it shows what any reader of them sees.
-module(demo_tables).

-export([print/1]).

-define(ROWS, 12).
-define(NAME_COLUMNS, 46).

%% One sample: category, process number, metrics, frames from the leaf outwards.
-record(sample, {status :: binary(),
                 process :: binary(),
                 metrics :: #{binary() => {Value :: integer(), Delta :: integer()}},
                 frames :: [binary()]}).

%% Of a process, or of all processes of one name.
-record(group, {name = {0, <<>>} :: name(),
                count = 1, samples = 0, busy = 0, reductions = 0, mailbox = 0, memory = 0}).

%% What a process is called, and how telling that is: not every sample knows all.
-type name() :: {Rank :: 0..3, binary()}.

-record(totals, {samples = 0, busy = 0,
                 processes = #{} :: #{binary() => #group{}},
                 functions = #{} :: #{binary() => {Self :: non_neg_integer(),
                                                   Total :: non_neg_integer()}}}).

-spec print([file:filename()]) -> ok.
print(Files) ->
    Totals = lists:foldl(fun read/2, #totals{}, Files),
    print_processes(Totals),
    print_functions(Totals).

%% Reading

read(File, Totals) ->
    {ok, Device} = file:open(File, [read, raw, binary, {read_ahead, 1 bsl 20}]),
    try
        lines(Device, none, Totals)
    after
        file:close(Device)
    end.

lines(Device, Sample, Totals) ->
    case file:read_line(Device) of
        {ok, <<"#", _/binary>>} -> lines(Device, Sample, Totals);
        {ok, <<"\n">>} -> lines(Device, none, add(Sample, Totals));
        {ok, <<"\t", Frame/binary>>} ->
            #sample{frames = Frames} = Sample,
            lines(Device, Sample#sample{frames = [frame(Frame) | Frames]}, Totals);
        {ok, Event} -> lines(Device, event(Event), add(Sample, Totals));
        eof -> add(Sample, Totals)
    end.

event(Line) ->
    [Head | Metrics] = binary:split(Line, <<"metric_">>, [global]),
    [Status, Ids | _] = binary:split(Head, [<<" ">>, <<"\t">>], [global, trim_all]),
    [_OsPid, Process] = binary:split(Ids, <<"/">>),
    #sample{status = Status, process = Process, frames = [],
            metrics = maps:from_list([metric(Metric) || Metric <- Metrics])}.

metric(Text) ->
    [Name, Value, Delta | _] = binary:split(Text, [<<": ">>, <<", ">>, <<"\t">>, <<"\n">>], [global]),
    {Name, {binary_to_integer(Value), binary_to_integer(Delta)}}.

%% The name without the address before it and the file behind it.
frame(Line) ->
    [_Address, Named] = binary:split(Line, <<" ">>),
    {At, _} = lists:last(binary:matches(Named, <<" (">>)),
    binary:part(Named, 0, At).

%% Adding up

add(none, Totals) ->
    Totals;
add(#sample{frames = Outermost, process = Process} = Sample, #totals{processes = Processes} = Totals) ->
    Busy = is_busy(Sample),
    Group = merge(group(Sample, Busy), maps:get(Process, Processes, #group{})),
    Summed = Totals#totals{samples = Totals#totals.samples + 1, busy = Totals#totals.busy + Busy,
                           processes = Processes#{Process => Group#group{count = 1}}},
    case Busy of
        1 -> in_functions([Frame || Frame <- lists:reverse(Outermost), is_code(Frame)], Summed);
        0 -> Summed
    end.

%% Not a category ({...}) and not a remark ([...]).
is_code(<<First, _/binary>>) -> First =/= ${ andalso First =/= $[;
is_code(<<>>) -> false.

%% The initial call stands outermost, inside it the registered name if there is one.
name([_Initial, <<"{registered ", Name/binary>> | _]) -> {3, without_brace(Name)};
name([<<"{registered ", Name/binary>> | _]) -> {3, without_brace(Name)};
name([<<"{proc_lib:", Initial/binary>> | _]) -> {1, <<"proc_lib:", (without_brace(Initial))/binary>>};
name([<<"{", Initial/binary>> | _]) -> {2, without_brace(Initial)};
name(_) -> {0, <<"?">>}.

without_brace(Name) ->
    binary:part(Name, 0, byte_size(Name) - 1).

is_busy(#sample{status = Status}) ->
    case lists:member(Status, [<<"running">>, <<"runnable">>, <<"garbage_collecting">>]) of
        true -> 1;
        false -> 0
    end.

group(#sample{frames = Outermost} = Sample, Busy) ->
    {_, Reductions} = value(<<"erlang_reductions">>, Sample),
    {Mailbox, _} = value(<<"erlang_message_queue_len">>, Sample),
    {Memory, _} = value(<<"erlang_memory">>, Sample),
    #group{name = name(Outermost), samples = 1, busy = Busy, reductions = Reductions,
           mailbox = Mailbox, memory = Memory}.

merge(A, B) ->
    #group{name = max(A#group.name, B#group.name),
           count = A#group.count + B#group.count,
           samples = A#group.samples + B#group.samples,
           busy = A#group.busy + B#group.busy,
           reductions = A#group.reductions + B#group.reductions,
           mailbox = max(A#group.mailbox, B#group.mailbox),
           memory = max(A#group.memory, B#group.memory)}.

by_name(Processes) ->
    maps:values(maps:fold(fun(_, #group{name = Name} = Group, Groups) ->
                                  maps:update_with(Name, fun(Other) -> merge(Group, Other) end,
                                                   Group, Groups)
                          end, #{}, Processes)).

value(Name, #sample{metrics = Metrics}) ->
    maps:get(Name, Metrics, {0, 0}).

%% Recursion counts once.
in_functions([], Totals) ->
    Totals;
in_functions(Frames, #totals{functions = Functions} = Totals) ->
    [Leaf | _] = Names = [function(Frame) || Frame <- Frames],
    Counted = lists:foldl(fun(Name, Acc) ->
                                  {Self, Total} = maps:get(Name, Acc, {0, 0}),
                                  Acc#{Name => {Self, Total + 1}}
                          end, Functions, lists:usort(Names)),
    {Self, Total} = maps:get(Leaf, Counted),
    Totals#totals{functions = Counted#{Leaf => {Self + 1, Total}}}.

%% Without the line.
function(Frame) ->
    hd(binary:split(Frame, <<";">>)).

%% Printing

print_processes(#totals{samples = Samples, processes = Processes}) ->
    io:format("~nErlang processes, by reductions (~b samples of wall time)~n~n", [Samples]),
    io:format("~12ts ~6ts ~6ts ~8ts ~9ts ~5ts  ~ts~n",
              ["reductions", "wall %", "busy %", "mailbox", "memory", "count", "process or initial call"]),
    Rows = lists:reverse(lists:keysort(#group.reductions, by_name(Processes))),
    _ = [print_group(Group, Samples) || Group <- lists:sublist(Rows, ?ROWS)],
    io:format("~nwall %: share of all samples; busy %: of its samples in which it ran, waited for a~n"
              "scheduler or collected garbage; mailbox, memory (bytes): the most seen~n").

print_group(#group{name = {_, Name}, count = Count, samples = Own} = Group, Samples) ->
    io:format("~12b ~6.1f ~6.1f ~8b ~9b ~5b  ~ts~n",
              [Group#group.reductions, percent(Own, Samples), percent(Group#group.busy, Own),
               Group#group.mailbox, Group#group.memory, Count, clip(Name)]).

print_functions(#totals{busy = Busy, functions = Functions}) ->
    io:format("~nErlang functions, of ~b busy samples~n~n", [Busy]),
    io:format("~7ts ~7ts  ~ts~n", ["self %", "total %", "function"]),
    Rows = lists:reverse(lists:sort([{Self, Total, Name}
                                     || {Name, {Self, Total}} <- maps:to_list(Functions)])),
    _ = [io:format("~7.1f ~7.1f  ~ts~n", [percent(Self, Busy), percent(Total, Busy), clip(Name)])
         || {Self, Total, Name} <- lists:sublist(Rows, ?ROWS)],
    ok.

percent(_, 0) -> 0.0;
percent(Part, Whole) -> 100 * Part / Whole.

clip(Name) ->
    Text = unicode:characters_to_list(Name),
    case length(Text) > ?NAME_COLUMNS of
        true -> lists:sublist(Text, ?NAME_COLUMNS - 3) ++ "...";
        false -> Text
    end.
