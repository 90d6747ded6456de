%% SPDX-License-Identifier: Apache-2.0
%% @doc The perf-script text of the BEAM engine; docs/perf-script-format.md is its
%% contract, and the C sink writes the same (test/golden/perf_script).
%%
%% Pure. Frames repeat all the time, so their text is kept in a bounded cache
%% that the caller passes along.
-module(flame_prof_text).

-export([style/1, first_line/0, header/1, sample/3, footer/1, new_cache/0, escape/1]).
-export_type([style/0, cache/0, frame/0, footer/0]).

-include("flame_prof_sample.hrl").

-define(CACHE_MAX, 20000).
-define(FULLWIDTH_PLUS, 16#FF0B).
-define(FULLWIDTH_GREATER, 16#FF1E).

-type location() :: [{file, string() | binary()} | {line, non_neg_integer()} | term()].
-type frame() ::
    {module(), atom(), arity(), location()}
    | {Address :: non_neg_integer(), module(), atom(), arity(), location()}
    | {omitted, Count :: pos_integer() | unknown}.
%% Without an address it is written as 0.

-record(style, {event :: binary(),
                metric_heads :: [binary()],
                flatten :: boolean(),
                frames_max :: pos_integer(),
                categories :: [flame_prof:category()],
                places :: #{binary() => pos_integer()}}).
-opaque style() :: #style{}.
-opaque cache() :: #{frame() => binary()}.

-type footer() :: #{'end' := iodata(),
                    samples := non_neg_integer(),
                    period_total_ns := non_neg_integer(),
                    totals := [{Metric :: binary(), Value :: integer(), Delta :: integer()}],
                    ticks_expected := non_neg_integer(),
                    ticks_taken := non_neg_integer(),
                    losses := [{atom(), non_neg_integer()}],
                    degraded := [{atom(), non_neg_integer()}]}.
%% `losses': samples that are not there; `degraded': samples with a part missing.

%% @doc What stays the same for all samples of a file.
-spec style(#{event := binary(), metrics := [binary()], flatten_recursive := boolean(),
              stack_frames_max := pos_integer(), categories => [flame_prof:category()]}) -> style().
style(#{event := Event, metrics := Metrics, flatten_recursive := Flatten,
        stack_frames_max := FramesMax} = Given) ->
    #style{event = Event,
           metric_heads = [<<"metric_", Metric/binary, ": ">> || Metric <- Metrics],
           flatten = Flatten,
           frames_max = FramesMax,
           categories = maps:get(categories, Given, [initial_call, registered_name]),
           places = maps:from_list(lists:zip(Metrics, lists:seq(1, length(Metrics))))}.

-spec new_cache() -> cache().
new_cache() ->
    #{}.

%% @doc What a file begins with: by it Firefox Profiler knows such text.
-spec first_line() -> binary().
first_line() ->
    <<"# ========\n">>.

%% @doc Comment lines, in the order given.
-spec header([{Key :: iodata(), Value :: unicode:chardata() | integer()}]) -> iodata().
header(Fields) ->
    [comment(Key, Value) || {Key, Value} <- Fields].

%% @doc The comment lines after the last sample.
-spec footer(footer()) -> iodata().
footer(#{'end' := End, samples := Samples, period_total_ns := PeriodTotal, totals := Totals,
         ticks_expected := Expected, ticks_taken := Taken, losses := Losses,
         degraded := Degraded}) ->
    [comment("end", End),
     comment("samples", Samples),
     comment("period_total_ns", PeriodTotal),
     [comment(["total ", Metric], [integer_to_binary(Value), ", ", integer_to_binary(Delta)])
      || {Metric, Value, Delta} <- Totals],
     comment("ticks_expected", Expected),
     comment("ticks_taken", Taken),
     [comment(["loss ", atom_to_binary(Reason)], Count) || {Reason, Count} <- Losses],
     [comment(["degraded ", atom_to_binary(Reason)], Count) || {Reason, Count} <- Degraded]].

%% @doc One sample: event line, frames, blank line.
-spec sample(#sample{}, style(), cache()) -> {iodata(), cache()}.
sample(#sample{} = Sample, #style{} = Style, Cache) ->
    {Frames, Cached} = frames(Sample#sample.frames, Style, Cache),
    {[event_line(Sample, Style), Frames, categories(Sample, Style), $\n], Cached}.

%% @doc Makes a name safe for the importers, which cut or split it otherwise.
-spec escape(unicode:chardata()) -> binary().
escape(Name) ->
    unicode:characters_to_binary(escape_chars(valid_chars(Name))).

%% Event line.

event_line(#sample{status = Status, os_pid = OsPid, number = Number, cpu = Cpu, time_ns = TimeNs,
                   period_ns = PeriodNs, metrics = Metrics},
           #style{event = Event, metric_heads = Heads}) ->
    [atom_to_binary(Status), $\s, integer_to_binary(OsPid), $/, integer_to_binary(Number),
     " [", padded(integer_to_binary(Cpu), 3), "] ", seconds(TimeNs), ": ",
     metrics(Heads, Metrics), integer_to_binary(PeriodNs), $\s, Event, ":\n"].

metrics([], []) ->
    [];
metrics([Head | Heads], [{Value, Delta} | Metrics]) ->
    [Head, integer_to_binary(Value), ", ", integer_to_binary(Delta), $\t | metrics_end(Heads, Metrics)].

metrics_end([], []) -> "period: ";
metrics_end(Heads, Metrics) -> metrics(Heads, Metrics).

%% Never `.000000': a last sample on a full second crashes Flamescope's heat map.
seconds(TimeNs) ->
    Micros = case TimeNs div 1000 rem 1000000 of 0 -> 1; N -> N end,
    [integer_to_binary(TimeNs div 1000000000), $., padded(integer_to_binary(Micros), 6)].

padded(Digits, Width) when byte_size(Digits) >= Width -> Digits;
padded(Digits, Width) -> padded(<<"0", Digits/binary>>, Width).

%% Frames.

frames(Frames, #style{flatten = Flatten, frames_max = Max}, Cache) ->
    Flat = case Flatten of
               true -> flatten(Frames);
               false -> Frames
           end,
    lists:mapfoldl(fun frame/2, bounded_cache(Cache), both_ends(Flat, Max)).

%% The innermost of equal neighbours stays: its line is where the work is done.
flatten([Frame, Outer | Rest]) ->
    case same_function(Frame, Outer) of
        true -> flatten([Frame | Rest]);
        false -> [Frame | flatten([Outer | Rest])]
    end;
flatten(Frames) ->
    Frames.

same_function({M, F, A, _}, {M, F, A, _}) -> true;
same_function({_, M, F, A, _}, {_, M, F, A, _}) -> true;
same_function(_, _) -> false.

both_ends(Frames, Max) ->
    case length(Frames) of
        Length when Length =< Max ->
            Frames;
        Length ->
            Outer = Max div 2,
            {Leaf, Rest} = lists:split(Max - Outer, Frames),
            Omitted = Length - Max,
            Leaf ++ [{omitted, Omitted} | lists:nthtail(Omitted, Rest)]
    end.

bounded_cache(Cache) when map_size(Cache) < ?CACHE_MAX -> Cache;
bounded_cache(_) -> new_cache().

frame(Frame, Cache) ->
    case Cache of
        #{Frame := Text} ->
            {Text, Cache};
        #{} ->
            Text = iolist_to_binary(frame_text(Frame)),
            {Text, Cache#{Frame => Text}}
    end.

frame_text({omitted, unknown}) ->
    "\t0 [frames omitted] (truncated)\n";
frame_text({omitted, Count}) ->
    ["\t0 [", integer_to_binary(Count), " frames omitted] (truncated)\n"];
frame_text({Module, Function, Arity, Location}) ->
    frame_text({0, Module, Function, Arity, Location});
frame_text({Address, Module, Function, Arity, Location}) ->
    ["\t", string:lowercase(integer_to_binary(Address, 16)), $\s,
     escape([flame_prof_name:function(Module, Function, Arity), line_number(Location)]),
     " (", file(Module, Location), ")\n"].

line_number(Location) ->
    case lists:keyfind(line, 1, Location) of
        {line, Line} when is_integer(Line), Line > 0 -> [$;, integer_to_binary(Line)];
        _ -> []
    end.

file(Module, Location) ->
    case lists:keyfind(file, 1, Location) of
        {file, File} when File =/= [], File =/= <<>> -> file_name(filename:basename(File));
        _ -> module_file(Module)
    end.

module_file(Module) ->
    file_name(flame_prof_name:file(Module)).

%% The outermost frames say which process it is; the last one written is the root.
categories(Sample, #style{categories = Categories} = Style) ->
    [category(Category, Sample, Style) || Category <- lists:reverse(Categories)].

category(initial_call, #sample{initial_call = Initial}, _) -> initial(Initial);
category(registered_name, #sample{name = Name}, _) -> registered(Name);
category(status, #sample{status = Status}, _) -> note("status", atom_to_binary(Status));
category(memory, Sample, Style) -> in_decades("memory", <<"erlang_memory">>, fun memory/1, Sample, Style);
category(mailbox, Sample, Style) ->
    in_decades("mailbox", <<"erlang_message_queue_len">>, fun decade/1, Sample, Style);
category(node, _, _) -> note("node", atom_to_binary(node()));
%% Not known to this tier.
category(scheduler, _, _) -> [];
category(Category, #sample{identity = Identity}, _) ->
    case flame_prof_identity:text(Category, Identity) of
        none -> [];
        Text -> note(atom_to_list(Category), Text)
    end.

note(Kind, Value) ->
    ["\t0 {", Kind, $\s, escape(Value), "} (process)\n"].

in_decades(Kind, Metric, Text, #sample{metrics = Metrics}, #style{places = Places}) ->
    case Places of
        #{Metric := Place} -> {Value, _} = lists:nth(Place, Metrics), note(Kind, Text(max(0, Value)));
        _ -> []
    end.

decade(0) -> "0";
decade(Value) -> [integer_to_list(decade(Value, 1)), $s].

decade(Value, Decade) when Value div Decade >= 10 -> decade(Value, Decade * 10);
decade(_, Decade) -> Decade.

memory(Bytes) -> memory(Bytes, ["B", "KiB", "MiB", "GiB", "TiB"]).

memory(Size, [_, Larger | Units]) when Size >= 1024 -> memory(Size div 1024, [Larger | Units]);
memory(Size, [Unit | _]) -> [decade(min(Size, 999)), $\s, Unit].

registered(undefined) -> [];
registered(Name) -> ["\t0 {registered ", escape(flame_prof_name:module(Name)), "} (process)\n"].

initial(undefined) -> [];
initial({Module, Function, Arity}) ->
    ["\t0 {", escape(flame_prof_name:function(Module, Function, Arity)), "} (", module_file(Module),
     ")\n"].

%% Comments.

comment(Key, Value) when is_integer(Value) ->
    ["# ", Key, ": ", integer_to_binary(Value), $\n];
comment(Key, Value) ->
    ["# ", Key, ": ", escape(Value), $\n].

%% Characters.

%% stackcollapse-perf.pl wants no blank between the parentheses.
file_name(Name) ->
    unicode:characters_to_binary([case Char of $\s -> $_; _ -> Char end
                                  || Char <- escape_chars(valid_chars(Name))]).

valid_chars(Data) ->
    case unicode:characters_to_list(Data) of
        Chars when is_list(Chars) -> Chars;
        {_, Good, Bad} -> Good ++ [$? | valid_chars(without_first(Bad))]
    end.

without_first(<<_, Bytes/binary>>) -> Bytes;
without_first([First | Rest]) when is_integer(First); First =:= []; First =:= <<>> -> Rest;
without_first([First | Rest]) -> [without_first(First) | Rest].

escape_chars(Chars) ->
    escape_chars(Chars, fresh).

%% Importers take ` 12.3: x:` anywhere in a line for a time stamp. What has been
%% seen of one: `fresh', a blank or nothing; `digits'; `colon'.
escape_chars([$\s | Rest], colon) -> [$_ | escape_chars(Rest, fresh)];
escape_chars([$\s | Rest], _) -> [$\s | escape_chars(Rest, fresh)];
escape_chars([$: | Rest], digits) -> [$: | escape_chars(Rest, colon)];
escape_chars([Char | Rest], Seen) when (Char >= $0 andalso Char =< $9 orelse Char =:= $.)
                                       andalso (Seen =:= fresh orelse Seen =:= digits) ->
    [Char | escape_chars(Rest, digits)];
escape_chars([$+ | Rest], _) -> [?FULLWIDTH_PLUS | escape_chars(Rest, other)];
escape_chars([$-, $> | Rest], _) -> [$-, ?FULLWIDTH_GREATER | escape_chars(Rest, other)];
escape_chars([Char | Rest], _) when Char < 16#20; Char =:= 16#7F -> [$? | escape_chars(Rest, other)];
escape_chars([Char | Rest], _) -> [Char | escape_chars(Rest, other)];
escape_chars([], _) -> [].
