%% SPDX-License-Identifier: Apache-2.0
%% @doc What a user may ask for: names, defaults, ranges, all checked at start.
%%
%% Pure. A key that is missing or `undefined' takes its default (`auto_select'
%% excepted: `undefined' given by the user means that nothing is selected
%% automatically, which is also the default beside `select'). The
%% first thing wrong is reported in one line that names option, value and remedy.
-module(flame_prof_options).

-export([start/1, arm/1, dump/1, process/2, places/1, line/1]).
-export_type([options/0, goal/0, select/0, arm/0]).

-type options() :: #{basename := file:filename(),
                     stem := string(),
                     sample_interval := pos_integer(),
                     process_interval := auto | pos_integer(),
                     flush_interval := pos_integer(),
                     flush_close_max := infinity | pos_integer(),
                     file_bytes_max := infinity | pos_integer(),
                     files_max := infinity | pos_integer(),
                     compress := none | gzip,
                     format := perf_script | capture,
                     auto_select := none | {top, [goal(), ...], IntervalMs :: pos_integer()},
                     auto_process_opts := flame_prof:process_opts(),
                     select := none | select(),
                     flatten_recursive := boolean(),
                     cpu_sampling := false | #{rate := pos_integer(),
                                               method := auto | signal | foreign},
                     categories := [flame_prof:category()],
                     metrics := [flame_prof:metric()],
                     tier := auto | walker | portable,
                     reader := auto | guarded_load | process_vm_readv,
                     stack_frames_max := pos_integer(),
                     profile_self := boolean(),
                     cpu_max := infinity | number(),
                     memory_max := infinity | pos_integer(),
                     arm => arm(),
                     session => pid(),
                     opened_us => integer(),
                     tier_reason => binary(),
                     untold => [flame_prof:category()],
                     profiler_pids => [pid()]}.
%% All intervals are in milliseconds. `basename' is an absolute directory.

-type goal() :: {flame_prof:criterion(), Count :: pos_integer()}.
%% Each criterion at most once.

-type select() :: #{pids := [pid()],
                    names := [atom()],
                    applications := [atom()],
                    predicate := none | flame_prof:predicate(),
                    interval := pos_integer(),
                    process_opts := flame_prof:process_opts()}.

-type arm() :: #{keep_ms := pos_integer(),
                 after_ms := non_neg_integer(),
                 bytes := pos_integer(),
                 dumps_max := infinity | pos_integer(),
                 distance_ms := non_neg_integer(),
                 triggers := #{atom() => pos_integer()}}.
%% Of an armed session.

-type result(Value) :: {ok, Value} | {error, {bad_option, Detail :: binary()}}.

-define(SELECT_INTERVAL_MS, 10000).
-define(SELECT_COUNT, 100).
%% A selection needs time to see a difference.
-define(SELECT_INTERVAL_MIN_MS, 100).
-define(SELECT_COUNT_MAX, 100000).
%% A second, since names and applications change seldom, and looking is cheap.
-define(RESOLVE_INTERVAL_MS, 1000).
-define(SELECT_NAMES_MAX, 10000).
-define(FLUSH_MARGIN_MS, 1000).
-define(CPU_RATE_HZ, 99).
-define(CPU_RATE_MAX_HZ, 5000).
%% A smaller file would be little but its header.
-define(FILE_BYTES_MIN, 65536).
%% erlang:send_after/3 and the like take no more.
-define(INTERVAL_MAX_MS, 16#FFFFFFFF).

-define(CATEGORIES, [initial_call, registered_name, status, memory, mailbox, priority, scheduler,
                     node, label, parent, ancestors, application]).
%% Beyond the 16 that every sample carries.
-define(METRICS, [major_gcs, heap_growth, stack_depth, since_scheduled, runnable_wait,
                  run_queue_len, port_queue, reductions_per_cpu_ms, msacc]).
-define(CRITERIA, [reductions, message_queue_len, message_queue_growth, memory, binary_vheap,
                   cpu]).
-define(MEMORY_MAX, 64 * 1024 * 1024).
%% Less than the walker's ring and the names of a small system need.
-define(MEMORY_MIN, 16 * 1024 * 1024).
-define(SECONDS_MAX, 3600).
-define(KEEP_BYTES_MIN, 1024 * 1024).
-define(KEEP_BYTES_MAX, 4 * 1024 * 1024 * 1024).
-define(TRIGGERS, [message_queue_len, process_memory, run_queue, memory, long_gc, long_schedule,
                   large_heap]).

-define(STATUSES, [all, exiting, garbage_collecting, waiting, running, runnable, suspended]).

%% @doc Checks and completes the options of {@link flame_prof:start/1}.
-spec start(term()) -> result(options()).
start(Given) when is_map(Given) ->
    checked(fun() -> complete(Given) end);
start(Given) ->
    wrong("options: expected a map, got ~0tP; write for example #{sample_interval => 9}",
          [Given, 8]).

%% @doc Checks and completes the options of {@link flame_prof:arm/1}.
-spec arm(term()) -> result(options()).
arm(Given) when is_map(Given) ->
    checked(fun() ->
                Keys = [Key || {Key, _, _} <- arm_table()],
                no_unknown(<<>>, Given, Keys ++ [Key || {Key, _, _} <- table()]),
                Options = complete(maps:without(Keys, Given)),
                room_for_both(Given, Options#{arm => arm_options(Given)})
            end);
arm(Given) ->
    wrong("options: expected a map, got ~0tP; write for example #{keep => 30}", [Given, 8]).

%% @doc Checks and completes the options of {@link flame_prof:dump/1}.
-spec dump(term()) -> result(#{after_ms := non_neg_integer(), note := binary()}).
dump(Given) when is_map(Given) ->
    checked(fun() ->
                no_unknown(<<>>, Given, [keep_after, note]),
                Seconds = value(keep_after, 0, fun seconds_or_none/2, Given),
                #{after_ms => Seconds * 1000, note => value(note, <<>>, fun note/2, Given)}
            end);
dump(Given) ->
    wrong("options: expected a map, got ~0tP; write for example #{keep_after => 5}", [Given, 8]).

%% @doc The options in force as one line, for file headers.
-spec line(options()) -> binary().
line(Options) ->
    Told = maps:without([session, profiler_pids, opened_us, tier_reason, untold], Options),
    unicode:characters_to_binary(
      lists:join($\s, [io_lib:format("~ts=~0tp", [Key, Value])
                       || {Key, Value} <- lists:sort(maps:to_list(Told))])).

%% @doc How many processes may be selected automatically.
-spec places(options()) -> non_neg_integer().
places(#{auto_select := none}) -> 0;
places(#{auto_select := {top, Goals, _}}) -> lists:sum([Count || {_, Count} <- Goals]).

%% @doc Checks and completes the options of one process. `Viral' is the default
%% of `viral'.
-spec process(term(), spawn | self_only) -> result(flame_prof:process_opts()).
process(Given, Viral) ->
    checked(fun() -> process_opts(<<>>, Given, Viral) end).

%% Internal: the checks throw, one place catches.

checked(Check) ->
    try
        {ok, Check()}
    catch
        throw:{bad_option, Detail} -> {error, {bad_option, Detail}}
    end.

complete(Given) ->
    no_unknown(<<>>, Given, [Key || {Key, _, _} <- table()]),
    Options = maps:from_list([{Key, value(Key, Default, Check, Given)}
                              || {Key, Default, Check} <- table()]),
    cpu_is_sampled(flush_after_sample(Options)).

cpu_is_sampled(#{cpu_sampling := false, auto_select := {top, Goals, _}} = Options) ->
    case lists:keymember(cpu, 1, Goals) of
        true -> bad("auto_select: by cpu goes by what cpu_sampling sees, which is false; leave "
                    "that out, or go by reductions", []);
        false -> Options
    end;
cpu_is_sampled(Options) ->
    Options.

value(auto_select, _, Check, #{auto_select := undefined}) ->
    Check(auto_select, none);
value(auto_select, _, _, #{select := Select} = Given)
        when Select =/= undefined, Select =/= none, not is_map_key(auto_select, Given) ->
    none;
value(Key, Default, Check, Given) ->
    case maps:get(Key, Given, undefined) of
        undefined when is_function(Default) -> Check(Key, Default());
        undefined -> Check(Key, Default);
        Value -> Check(Key, Value)
    end.

table() ->
    [{basename, fun default_directory/0, fun directory/2},
     {stem, "flame_prof", fun stem/2},
     {sample_interval, 9, fun interval/2},
     {process_interval, auto, or_atom(auto, fun interval/2)},
     {flush_interval, 15000, fun interval/2},
     {flush_close_max, 8, or_atom(infinity, fun count/2)},
     {file_bytes_max, 256 * 1024 * 1024, or_atom(infinity, fun file_bytes/2)},
     {files_max, 15, or_atom(infinity, fun count/2)},
     {compress, none, one_of([none, gzip])},
     {format, perf_script, one_of([perf_script, capture])},
     {auto_select, #{}, fun auto_select/2},
     {auto_process_opts, #{}, fun auto_process_opts/2},
     {select, none, or_atom(none, fun select/2)},
     {flatten_recursive, true, one_of([true, false])},
     {cpu_sampling, true, fun cpu_sampling/2},
     {categories, [initial_call, registered_name], fun categories/2},
     {metrics, default, fun metrics/2},
     {tier, auto, one_of([auto, walker, portable])},
     {reader, auto, one_of([auto, guarded_load, process_vm_readv])},
     {stack_frames_max, 256, fun stack_frames/2},
     {profile_self, false, one_of([true, false])},
     {cpu_max, 1, or_atom(infinity, fun cpu_percent/2)},
     {memory_max, ?MEMORY_MAX, or_atom(infinity, fun memory_bytes/2)}].

arm_table() ->
    [{keep, 30, fun seconds/2},
     {keep_after, 5, fun seconds_or_none/2},
     {keep_bytes, 32 * 1024 * 1024, fun keep_bytes/2},
     {dumps_max, 10, or_atom(infinity, fun count/2)},
     {dump_distance, 60, fun seconds_or_none/2},
     {triggers, #{}, fun triggers/2}].

%% What is kept is a part of what may be used.
room_for_both(Given, #{memory_max := Max, arm := #{bytes := Bytes}} = Options)
        when Bytes * 2 > Max ->
    case Given of
        #{memory_max := Asked} when Asked =/= undefined ->
            bad("keep_bytes: ~b is more than half of memory_max = ~b; allow more of this or keep "
                "less", [Bytes, Max]);
        #{} ->
            Options#{memory_max := Bytes * 2}
    end;
room_for_both(_, Options) ->
    Options.

arm_options(Given) ->
    #{keep := Keep, keep_after := After, keep_bytes := Bytes, dumps_max := DumpsMax,
      dump_distance := Distance, triggers := Triggers} =
        maps:from_list([{Key, value(Key, Default, Check, Given)}
                        || {Key, Default, Check} <- arm_table()]),
    #{keep_ms => Keep * 1000, after_ms => After * 1000, bytes => Bytes, dumps_max => DumpsMax,
      distance_ms => Distance * 1000, triggers => Triggers}.

default_directory() ->
    case init:get_argument(home) of
        {ok, [[Home | _] | _]} when Home =/= "" ->
            filename:join(Home, "flame_prof");
        _ ->
            bad("basename: there is no home directory to put the default in; give a directory", [])
    end.

directory(Key, Value) when is_binary(Value), Value =/= <<>> ->
    case unicode:characters_to_list(Value, file:native_name_encoding()) of
        Name when is_list(Name) -> directory(Key, Name);
        _ -> bad("~ts: the name is not valid in this system's encoding; give another directory", [Key])
    end;
directory(Key, [_ | _] = Value) ->
    case io_lib:char_list(Value) andalso not lists:member(0, Value) of
        true -> filename:absname(Value);
        false -> expected(Key, "a directory name", Value)
    end;
directory(Key, Value) ->
    expected(Key, "a directory name", Value).

%% Part of a file's name, with room for what follows.
stem(Key, Value) when is_binary(Value) ->
    stem(Key, binary_to_list(Value));
stem(Key, Value) ->
    case io_lib:char_list(Value) andalso re:run(Value, "^[A-Za-z0-9._][A-Za-z0-9._-]{0,159}$") of
        {match, _} -> Value;
        _ -> expected(Key, "up to 160 letters, digits, `.', `_' and, not first, `-'", Value)
    end.

interval(_, Value) when is_integer(Value), Value > 0, Value =< ?INTERVAL_MAX_MS -> Value;
interval(Key, Value) -> expected(Key, "a positive integer (milliseconds)", Value).

seconds(_, Value) when is_integer(Value), Value > 0, Value =< ?SECONDS_MAX -> Value;
seconds(Key, Value) ->
    expected(Key, io_lib:format("an integer from 1 to ~b (seconds)", [?SECONDS_MAX]), Value).

seconds_or_none(_, 0) -> 0;
seconds_or_none(_, Value) when is_integer(Value), Value > 0, Value =< ?SECONDS_MAX -> Value;
seconds_or_none(Key, Value) ->
    expected(Key, io_lib:format("an integer from 0 to ~b (seconds)", [?SECONDS_MAX]), Value).

keep_bytes(_, Value) when is_integer(Value), Value >= ?KEEP_BYTES_MIN, Value =< ?KEEP_BYTES_MAX ->
    Value;
keep_bytes(Key, Value) ->
    expected(Key, io_lib:format("an integer from ~b to ~b (bytes)",
                                [?KEEP_BYTES_MIN, ?KEEP_BYTES_MAX]), Value).

triggers(Key, Given) when is_map(Given) ->
    no_unknown(<<(atom_to_binary(Key))/binary, ": ">>, Given, ?TRIGGERS),
    maps:filtermap(fun(_, undefined) -> false;
                      (Name, Limit) -> {true, count([atom_to_list(Key), ": ", atom_to_list(Name)],
                                                    Limit)}
                   end, Given);
triggers(Key, Given) ->
    expected(Key, "a map such as #{message_queue_len => 10000}", Given).

note(Key, Value) ->
    try unicode:characters_to_binary(Value) of
        Text when is_binary(Text) -> Text;
        _ -> expected(Key, "text", Value)
    catch
        error:badarg -> expected(Key, "text", Value)
    end.

count(_, Value) when is_integer(Value), Value > 0 -> Value;
count(Key, Value) -> expected(Key, "a positive integer", Value).

file_bytes(_, Value) when is_integer(Value), Value >= ?FILE_BYTES_MIN -> Value;
file_bytes(Key, Value) ->
    expected(Key, io_lib:format("an integer of at least ~b (bytes)", [?FILE_BYTES_MIN]), Value).

cpu_percent(_, Value) when is_number(Value), Value > 0, Value =< 100 -> Value;
cpu_percent(Key, Value) -> expected(Key, "a number up to 100 (percent of the machine)", Value).

memory_bytes(_, Value) when is_integer(Value), Value >= ?MEMORY_MIN -> Value;
memory_bytes(Key, Value) ->
    expected(Key, io_lib:format("an integer of at least ~b (bytes)", [?MEMORY_MIN]), Value).

stack_frames(_, Value) when is_integer(Value), Value >= 2, Value =< 4096 -> Value;
stack_frames(Key, Value) -> expected(Key, "an integer from 2 to 4096", Value).

categories(Key, Value) ->
    case is_category_list(Value) of
        true -> Value;
        false -> expected(Key, ["a list without repetition of ", alternatives(?CATEGORIES)], Value)
    end.

metrics(_, default) -> [];
metrics(_, all) -> ?METRICS;
metrics(Key, Value) ->
    case is_list(Value) andalso length_of(Value) =< length(?METRICS)
        andalso Value -- ?METRICS =:= [] of
        true -> lists:usort(Value);
        false -> expected(Key, ["default, all or a list of ", alternatives(?METRICS)], Value)
    end.

is_category_list(Value) when length(Value) >= 0 ->
    length(lists:usort(Value)) =:= length(Value) andalso Value -- ?CATEGORIES =:= [];
is_category_list(_) ->
    false.

cpu_sampling(_, false) -> false;
cpu_sampling(Key, true) -> cpu_sampling(Key, #{});
cpu_sampling(Key, Given) when is_map(Given) ->
    Prefix = <<(atom_to_binary(Key))/binary, ": ">>,
    no_unknown(Prefix, Given, [rate, method]),
    #{rate => cpu_rate([Prefix, "rate"], part(rate, Given, ?CPU_RATE_HZ)),
      method => (one_of([auto, signal, foreign]))([Prefix, "method"], part(method, Given, auto))};
cpu_sampling(Key, Value) ->
    expected(Key, "true, false or a map as #{rate => 99}", Value).

cpu_rate(_, Hz) when is_integer(Hz), Hz > 0, Hz =< ?CPU_RATE_MAX_HZ -> Hz;
cpu_rate(Key, Hz) ->
    expected(Key, io_lib:format("an integer from 1 to ~b (samples per second of CPU time)",
                                [?CPU_RATE_MAX_HZ]), Hz).

auto_select(_, none) -> none;
auto_select(Key, Value) ->
    case goals(Key, Value) of
        {[], _} -> none;
        {Goals, IntervalMs} -> {top, Goals, IntervalMs}
    end.

goals(Key, {top, Count}) -> goals(Key, #{count => Count});
goals(Key, {top, Count, IntervalMs}) -> goals(Key, #{count => Count, interval => IntervalMs});
goals(Key, Map) when is_map(Map) -> goals(Key, [Map]);
goals(Key, [_ | _] = Maps) ->
    {Goals, Intervals} = lists:unzip([goal(Key, Map) || Map <- Maps]),
    ok = each_once(Key, Goals),
    _ = up_to(?SELECT_COUNT_MAX, [atom_to_list(Key), ": the sum of count"],
              lists:sum([Count || {_, Count} <- Goals])),
    {[Goal || {_, Count} = Goal <- Goals, Count > 0], lists:min(Intervals)};
goals(Key, Value) ->
    expected(Key, "none, {top, Count}, {top, Count, IntervalMs}, a map such as "
             "#{by => memory, count => 20}, or a list of such maps", Value).

each_once(Key, Goals) ->
    case Goals -- lists:ukeysort(1, Goals) of
        [] -> ok;
        [{By, _} | _] -> bad("~ts: by ~ts is there twice; give each criterion once", [Key, By])
    end.

goal(Key, Map) when is_map(Map) ->
    Prefix = <<(atom_to_binary(Key))/binary, ": ">>,
    no_unknown(Prefix, Map, [by, count, interval]),
    By = (one_of(?CRITERIA))([Prefix, "by"], part(by, Map, reductions)),
    {{By, up_to(?SELECT_COUNT_MAX, [Prefix, "count"], part(count, Map, ?SELECT_COUNT))},
     select_interval([Prefix, "interval"], part(interval, Map, ?SELECT_INTERVAL_MS))};
goal(Key, Value) ->
    expected(Key, "maps in the list, such as #{by => memory, count => 20}", Value).

part(Key, Map, Default) ->
    case maps:get(Key, Map, undefined) of
        undefined -> Default;
        Value -> Value
    end.

up_to(Max, _, Value) when is_integer(Value), Value >= 0, Value =< Max -> Value;
up_to(Max, Key, Value) -> expected(Key, io_lib:format("an integer from 0 to ~b", [Max]), Value).

select_interval(_, Value)
        when is_integer(Value), Value >= ?SELECT_INTERVAL_MIN_MS, Value =< ?INTERVAL_MAX_MS ->
    Value;
select_interval(Key, Value) ->
    expected(Key, io_lib:format("an integer of at least ~b (milliseconds)",
                                [?SELECT_INTERVAL_MIN_MS]), Value).

select(Key, Map) when is_map(Map) ->
    Prefix = <<(atom_to_binary(Key))/binary, ": ">>,
    no_unknown(Prefix, Map, [pids, names, applications, predicate, interval, viral, status]),
    Pids = list_of(fun is_local_pid/1, "processes of this node", [Prefix, "pids"],
                   part(pids, Map, [])),
    Names = list_of(fun is_atom/1, "registered names", [Prefix, "names"], part(names, Map, [])),
    Apps = list_of(fun is_atom/1, "names of applications", [Prefix, "applications"],
                   part(applications, Map, [])),
    case {Pids ++ Names ++ Apps, predicate([Prefix, "predicate"], part(predicate, Map, none))} of
        {[], none} ->
            bad("~ts: it names nobody; give pids, names, applications or a predicate", [Key]);
        {_, Predicate} ->
            #{pids => Pids, names => Names, applications => Apps, predicate => Predicate,
              interval => select_interval([Prefix, "interval"],
                                          part(interval, Map, ?RESOLVE_INTERVAL_MS)),
              process_opts => process_opts(Prefix, maps:with([viral, status], Map), self_only)}
    end;
select(Key, Value) ->
    expected(Key, "a map such as #{applications => [kernel]}", Value).

is_local_pid(Pid) -> is_pid(Pid) andalso node(Pid) =:= node().

list_of(Is, What, Key, Value) ->
    case is_list(Value) andalso length_of(Value) =< ?SELECT_NAMES_MAX
        andalso lists:all(Is, Value) of
        true -> lists:usort(Value);
        false -> expected(Key, io_lib:format("a list of at most ~b ~ts",
                                             [?SELECT_NAMES_MAX, What]), Value)
    end.

%% An improper list is longer than any.
length_of(List) ->
    try length(List) catch error:badarg -> infinity end.

predicate(_, none) -> none;
predicate(_, Value) when is_function(Value, 1); is_function(Value, 2) -> Value;
predicate(Key, Value) -> expected(Key, "fun(Pid) or fun(Pid, Info) that returns a boolean", Value).

auto_process_opts(Key, Value) ->
    process_opts(<<(atom_to_binary(Key))/binary, ": ">>, Value, self_only).

process_opts(Prefix, undefined, Viral) ->
    process_opts(Prefix, #{}, Viral);
process_opts(Prefix, Given, Viral) when is_map(Given) ->
    no_unknown(Prefix, Given, [viral, status]),
    #{viral => viral(Prefix, maps:get(viral, Given, undefined), Viral),
      status => status(Prefix, maps:get(status, Given, undefined))};
process_opts(Prefix, Given, _) ->
    bad("~tsprocess options: expected a map, got ~0tP; write for example #{status => running}",
        [Prefix, Given, 8]).

viral(_, undefined, Default) -> Default;
viral(_, true, _) -> spawn_and_send;
viral(_, false, _) -> self_only;
viral(_, Value, _) when Value =:= self_only; Value =:= spawn; Value =:= send;
                        Value =:= spawn_and_send ->
    Value;
viral(Prefix, Value, _) ->
    expected([Prefix, "viral"], "true, false, self_only, spawn, send or spawn_and_send", Value).

status(_, undefined) ->
    all;
status(Prefix, Value) ->
    case lists:member(Value, ?STATUSES) of
        true -> Value;
        false -> expected([Prefix, "status"], alternatives(?STATUSES), Value)
    end.

flush_after_sample(#{flush_interval := Flush, sample_interval := Sample} = Options)
        when Flush >= Sample + ?FLUSH_MARGIN_MS ->
    Options;
flush_after_sample(#{flush_interval := Flush, sample_interval := Sample}) ->
    bad("flush_interval: ~b ms is too short, it must be at least sample_interval + ~b = ~b ms",
        [Flush, ?FLUSH_MARGIN_MS, Sample + ?FLUSH_MARGIN_MS]).

or_atom(Atom, Check) ->
    fun(_, Value) when Value =:= Atom ->
            Atom;
       (Key, Value) ->
            try
                Check(Key, Value)
            catch
                throw:{bad_option, Detail} ->
                    bad("~ts, or ~ts", [Detail, Atom])
            end
    end.

one_of(Values) ->
    fun(Key, Value) ->
        case lists:member(Value, Values) of
            true -> Value;
            false -> expected(Key, alternatives(Values), Value)
        end
    end.

alternatives(Values) ->
    {Most, [Last]} = lists:split(length(Values) - 1, Values),
    [lists:join(", ", [atom_to_list(Value) || Value <- Most]), " or ", atom_to_list(Last)].

no_unknown(Prefix, Given, Known) ->
    case maps:keys(Given) -- Known of
        [] -> ok;
        [Key | _] -> bad("~ts~0tP: unknown option; ~ts", [Prefix, Key, 6, hint(Key, Known)])
    end.

hint(Key, Known) when is_atom(Key) ->
    Name = atom_to_list(Key),
    {Distance, Nearest} = lists:min([{edits(Name, atom_to_list(K)), K} || K <- Known]),
    case Distance =< 1 + length(Name) div 3 of
        true -> io_lib:format("did you mean ~ts?", [Nearest]);
        false -> all_of(Known)
    end;
hint(_, Known) ->
    all_of(Known).

all_of(Known) ->
    ["known are ", lists:join(", ", [atom_to_list(K) || K <- lists:sort(Known)])].

%% Levenshtein distance, row by row.
edits(From, To) ->
    Row0 = lists:seq(0, length(To)),
    lists:last(lists:foldl(fun(Char, Row) -> edits_row(Char, To, Row) end, Row0, From)).

edits_row(Char, To, [Corner | Above]) ->
    edits_row(Char, To, Corner, Above, [Corner + 1]).

edits_row(Char, [C | To], Corner, [Up | Above], [Left | _] = Row) ->
    Substituted = case C of Char -> Corner; _ -> Corner + 1 end,
    edits_row(Char, To, Up, Above, [lists:min([Substituted, Up + 1, Left + 1]) | Row]);
edits_row(_, [], _, [], Row) ->
    lists:reverse(Row).

-spec expected(atom() | iodata(), iodata(), term()) -> no_return().
expected(Key, What, Value) when is_atom(Key) ->
    expected(atom_to_list(Key), What, Value);
expected(Key, What, Value) ->
    %% The value last: what it is may be long, what was expected must be seen.
    bad("~ts: got ~0tP; expected ~ts", [Key, Value, 8, What]).

-spec bad(io:format(), [term()]) -> no_return().
bad(Format, Arguments) ->
    {error, Reason} = wrong(Format, Arguments),
    throw(Reason).

wrong(Format, Arguments) ->
    {error, {bad_option, unicode:characters_to_binary(io_lib:format(Format, Arguments))}}.
