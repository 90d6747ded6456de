%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc The walker tier: a native thread reads the processes' memory from outside,
%% another one writes the files (c_src/record/beam/). Refused wherever the layout
%% of this VM cannot be verified.
-module(flame_prof_walker).
-behaviour(flame_prof_tier).

-export([unsupported/1, layout/1, open_probe/1, bifs/0]).
-export([open/1, watch/3, unwatch/2, exclude/2, tick/1, info/1, selected/1, dump/2, dumped/1,
         stretch/3, cost/1, close/3]).

-define(LAYOUT, {?MODULE, layout}).
-define(VERIFIED_PROCESSES, 60).
-define(TARGETS_MIN, 16384).
%% Applications seldom start: once a second.
-define(TICKS_PER_TELLING, 4).
-define(RING_BYTES, (8 bsl 20)).
-define(RING_BYTES_MIN, (1 bsl 20)).
-define(CODE_BYTES, (256 bsl 20)).
%% Of all schedulers together, and the least for one: a few of the largest samples.
-define(CPU_RINGS_BYTES, (8 bsl 20)).
-define(CPU_KEEP_SHARE, 4).
-define(CPU_RING_MIN_BYTES, (128 bsl 10)).
-define(CPU_RING_MAX_BYTES, (256 bsl 10)).

%% `stops': ticks at which memory could not be read, by the last look and the one
%% before.
-record(handle, {session :: flame_prof_nif:session(),
                 is_armed :: boolean(),
                 ticks = 0 :: non_neg_integer(),
                 untold = [] :: [flame_prof:category()],
                 tells_run_queues = false :: boolean(),
                 figures :: undefined | pid(),
                 stops = {0, 0} :: {non_neg_integer(), non_neg_integer()}}).

-spec open(flame_prof_tier:config()) ->
    {ok, #handle{}} | {refused, binary()} | {error, flame_prof:error_reason()}.
open(Config) ->
    case flame_prof_nif:loaded() of
        ok ->
            case unsupported() of
                none -> open_with_layout(Config);
                Reason -> {refused, Reason}
            end;
        {error, Reason} ->
            {refused, Reason}
    end.

%% A dead process and one that cannot be read have nothing to say: no error.
-spec watch(#handle{}, pid(), flame_prof:process_opts()) -> {ok, #handle{}}.
watch(#handle{session = Session} = Handle, Pid, #{status := Status}) ->
    insist(fun() -> flame_prof_nif:watch(Session, Pid, Status) end),
    {ok, Handle}.

-spec unwatch(#handle{}, pid()) -> {ok, #handle{}}.
unwatch(#handle{session = Session} = Handle, Pid) ->
    insist(fun() -> flame_prof_nif:unwatch(Session, Pid) end),
    {ok, Handle}.

-spec exclude(#handle{}, pid()) -> ok.
exclude(#handle{session = Session}, Pid) ->
    insist(fun() -> flame_prof_nif:exclude(Session, Pid) end).

%% The walker empties its list of requests at each tick.
insist(Request) ->
    case Request() of
        ok -> ok;
        full -> timer:sleep(1), insist(Request)
    end.

-spec tick(#handle{}) -> {ok, #handle{}} | {failed, binary()}.
tick(#handle{session = Session, ticks = Ticks} = Handle) ->
    ok = flame_prof_nif:set_counts(Session, erlang:system_info(atom_count),
                                   erlang:system_info(process_count)),
    _ = Ticks rem ?TICKS_PER_TELLING =:= 0
        andalso flame_prof_nif:set_applications(Session, flame_prof_processes:applications()),
    _ = Handle#handle.tells_run_queues
        andalso flame_prof_nif:set_run_queues(Session, flame_prof_figures:run_queues()),
    looked_after(Handle#handle{ticks = Ticks + 1}).

looked_after(#handle{session = Session, stops = {Before, Last}} = Handle) ->
    case flame_prof_nif:status(Session) of
        #{done := true, last_error := Why} ->
            {failed, unicode:characters_to_binary(io_lib:format("the writer ended: ~tp", [Why]))};
        #{reading_stops := Now} when Now > Last, Last > Before ->
            {failed, <<"another library has taken SIGSEGV or SIGBUS, and no other way to read "
                       "memory is allowed">>};
        #{reading_stops := Now} ->
            {ok, Handle#handle{stops = {Last, Now}}}
    end.

-spec info(#handle{}) -> map().
info(#handle{session = Session} = Handle) ->
    #{cpu_ns := CpuNs, current_file := File, files := Files} = Status =
        flame_prof_nif:status(Session),
    kept(Handle, Status,
         (maps:without([cpu_ns, current_file, done, dump, explicit], Status))
             #{untold => Handle#handle.untold, cpu_ms => CpuNs div 1000000, file => path(File),
               files => [path(F) || F <- Files], cpu => cpu_info(maps:get(cpu, Status))}).

%% `off' says why nothing is sampled.
cpu_info(#{off := _} = Off) ->
    Off;
cpu_info(#{schedulers := 0}) ->
    #{off => <<"cpu_sampling => false">>};
cpu_info(#{file := File, cpu_ns := Ns} = Cpu) ->
    (maps:without([cpu_ns], Cpu))#{file := path(File), cpu_ms => Ns div 1000000}.

kept(#handle{is_armed = false}, _, #{cpu := Cpu} = Info) ->
    Info#{cpu := maps:without([kept_ms, kept_bytes, dropped_early], Cpu)};
kept(#handle{is_armed = true}, #{dump := Dump}, Info) ->
    Info#{kept => maps:with([kept_ms, kept_bytes, dropped_early], Dump)}.

path(undefined) -> undefined;
path(Path) -> unicode:characters_to_list(Path).

-spec selected(#handle{}) -> [pid()].
selected(#handle{session = Session}) ->
    flame_prof_nif:selected(Session).

-spec dump(#handle{}, flame_prof_tier:dump()) -> {ok | busy, #handle{}}.
dump(#handle{session = Session} = Handle, #{after_ms := AfterMs, fields := Fields}) ->
    {flame_prof_nif:dump(Session, AfterMs * 1000000, Fields), Handle}.

-spec dumped(#handle{}) -> {pending | flame_prof_dumps:result(), #handle{}}.
dumped(#handle{session = Session} = Handle) ->
    {dump_result(flame_prof_nif:status(Session)), Handle}.

dump_result(#{dump := #{asked := Asked, done := Done}}) when Asked =/= Done -> pending;
dump_result(#{dump := #{result := written}, files := Files}) -> {written, path(lists:last(Files))};
dump_result(#{dump := #{result := empty, cpu_result := written}, cpu := #{file := File}}) ->
    {written, path(File)};
dump_result(#{dump := #{result := failed}, last_error := Why}) -> {failed, Why};
dump_result(_) -> empty.

%% @doc For whoever looks at processes besides the walker. Close it when done.
-spec open_probe(auto | guarded_load | process_vm_readv) ->
    {ok, flame_prof_nif:probe(), flame_prof_nif:layout()} | none.
open_probe(Reader) ->
    case persistent_term:get(?LAYOUT, undefined) of
        undefined ->
            none;
        Layout ->
            case flame_prof_nif:open_probe(Reader) of
                {ok, Probe} -> {ok, Probe, Layout};
                {error, _} -> none
            end
    end.

-spec stretch(#handle{}, pos_integer(), binary()) -> {ok, #handle{}}.
stretch(#handle{session = Session} = Handle, Percent, Note) ->
    ok = flame_prof_nif:stretch(Session, Percent, Note),
    {ok, Handle}.

-spec cost(#handle{}) -> #{cpu_ns := non_neg_integer(), memory_bytes := non_neg_integer()}.
cost(#handle{session = Session}) ->
    maps:with([cpu_ns, memory_bytes], flame_prof_nif:status(Session)).

-spec close(#handle{}, non_neg_integer(), binary()) ->
    {ok, flame_prof_tier:summary()} | {error, flame_prof:error_reason()}.
close(#handle{session = Session, figures = Figures} = Handle, TimeoutMs, End) ->
    ok = flame_prof_figures:stop(Figures),
    case flame_prof_nif:stop(Session, TimeoutMs, End) of
        done ->
            {ok, maps:with([files, samples, losses, degraded, ticks_expected, ticks_taken, bytes,
                            cpu_ms, memory_bytes, reader, last_error, cpu], info(Handle))};
        timeout ->
            {error, {timeout, <<"stop: the writer is still finishing its file; it will be there "
                                "when the disk has taken it">>}}
    end.

%% Where it can work at all.

unsupported() ->
    unsupported(#{os => os:type(), machine => machine(),
                  wordsize => erlang:system_info(wordsize),
                  flavor => erlang:system_info(emu_flavor),
                  build => erlang:system_info(build_type)}).

%% @private What a VM that answers so lacks.
-spec unsupported(map()) -> none | binary().
unsupported(Vm) ->
    Needs = [{os, {unix, linux}, "Linux"},
             {machine, "x86_64", "x86-64"},
             {wordsize, 8, "a 64-bit VM"},
             {flavor, jit, "a VM with the JIT"},
             {build, opt, "a release build of the VM"}],
    case [{maps:get(What, Vm), Name} || {What, Need, Name} <- Needs, maps:get(What, Vm) =/= Need] of
        [] -> none;
        [{Have, Name} | _] ->
            unicode:characters_to_binary(io_lib:format("needs ~ts, this is ~0tp", [Name, Have]))
    end.

machine() ->
    hd(string:split(erlang:system_info(system_architecture), "-")).

open_with_layout(#{reader := Reader} = Config) ->
    case known_layout(Reader) of
        {ok, Layout} -> start(Layout, Config);
        {refused, _} = Refused -> Refused
    end.

%% @private The layout of this VM, if it can be verified.
-spec layout(auto | guarded_load | process_vm_readv) ->
    {ok, flame_prof_nif:layout()} | {refused, binary()}.
layout(Reader) ->
    case {flame_prof_nif:loaded(), unsupported()} of
        {ok, none} -> known_layout(Reader);
        {{error, Reason}, _} -> {refused, Reason};
        {ok, Reason} -> {refused, Reason}
    end.

%% It does not change while the VM runs: verified once.
known_layout(Reader) ->
    case persistent_term:get(?LAYOUT, undefined) of
        undefined -> remembered(verified_layout(Reader));
        Layout -> {ok, Layout}
    end.

remembered({ok, Layout} = Found) ->
    persistent_term:put(?LAYOUT, Layout),
    Found;
remembered({refused, _} = Refused) ->
    Refused.

verified_layout(Reader) ->
    case flame_prof_nif:with_probe(Reader, fun verify/1) of
        {error, {_, Detail}} -> {refused, Detail};
        Verified -> Verified
    end.

verify(Probe) ->
    case flame_prof_calibration:layout(Probe, erlang:system_info(otp_release)) of
        {ok, Found} ->
            Layout = flame_prof_verification:without_wrong(Probe, Found),
            case flame_prof_verification:verify(Probe, Layout, ?VERIFIED_PROCESSES) of
                ok -> {ok, Layout};
                {refused, _} = Refused -> Refused
            end;
        {refused, _} = Refused ->
            Refused
    end.

start(Layout, Config) ->
    Untold = untold(Layout),
    case flame_prof_nif:start(Layout, native(Config#{untold => Untold}),
                              erlang:system_info(atom_count)) of
        {ok, Session} ->
            ok = flame_prof_nif:set_applications(Session, flame_prof_processes:applications()),
            Metrics = metrics(Config),
            {ok, #handle{session = Session, is_armed = is_map_key(arm, Config), untold = Untold,
                         tells_run_queues = lists:member(run_queue_len, Metrics),
                         figures = figures(Session, Metrics, Config)}};
        {error, {Kind, Detail}} when Kind =:= unsupported; Kind =:= layout -> {refused, Detail};
        {error, _} = Error -> Error
    end.

%% What is asked for in the background would be younger than the samples that an armed
%% session keeps.
metrics(#{metrics := Metrics, arm := _}) -> Metrics -- [port_queue, msacc];
metrics(#{metrics := Metrics}) -> Metrics.

figures(Capture, Metrics, #{session := Session} = Config) ->
    case [Figure || Figure <- [msacc, port_queue], lists:member(Figure, Metrics)] of
        [] ->
            undefined;
        Figures ->
            Pid = flame_prof_figures:start(Session, Capture, Figures),
            _ = maps:get(profile_self, Config)
                orelse insist(fun() -> flame_prof_nif:exclude(Capture, Pid) end),
            Pid
    end.

%% Categories that this VM's layout does not allow to tell.
untold(Layout) ->
    [category(Field) || Field <- flame_prof_calibration:optional(), not is_map_key(Field, Layout)].

category(group_leader) -> application;
category(parent) -> parent.

%% Options in the native side's words and units.
native(#{basename := Directory, sample_interval := SampleMs, reader := Reader,
         stack_frames_max := MaxFrames, auto_process_opts := #{status := AutoStatus},
         file_bytes_max := FileBytes, files_max := Files, compress := Compress,
         format := Format,
         flatten_recursive := Flatten} = Config) ->
    {Goals, SelectMs} = selection(Config),
    #{directory => unicode:characters_to_binary(Directory),
      stem => list_to_binary(maps:get(stem, Config)),
      cpu_stem => list_to_binary(maps:get(stem, Config) ++ "_cpu"),
      categories => maps:get(categories, Config),
      metrics => metrics(Config),
      node => atom_to_binary(node()),
      cpu_rate_hz => cpu_rate_hz(Config),
      cpu_method => cpu_method(Config),
      cpu_ring_bytes => cpu_ring_bytes(),
      cpu_keep_bytes => cpu_keep_bytes(Config),
      schedulers => erlang:system_info(schedulers),
      dirty_cpu_schedulers => erlang:system_info(dirty_cpu_schedulers),
      dirty_io_schedulers => erlang:system_info(dirty_io_schedulers),
      bifs => bifs(),
      %% Only tests say other registers than the JIT's.
      register_roles => maps:get(register_roles, Config, #{}),
      gzip => Compress =:= gzip andalso Format =:= perf_script,
      capture => Format =:= capture,
      reader => Reader,
      sample_interval_ns => SampleMs * 1000000,
      process_interval_ns => process_interval_ns(Config),
      select_interval_ns => SelectMs * 1000000,
      goals => Goals,
      max_targets => flame_prof_options:places(Config) + ?TARGETS_MIN,
      max_frames => MaxFrames,
      auto_status => AutoStatus,
      flatten_recursive => Flatten,
      max_files => unlimited(Files),
      max_file_ns => file_ns(Config),
      max_file_bytes => unlimited(FileBytes),
      ring_bytes => ring_bytes(Config),
      keep_ns => keep_ns(Config),
      code_bytes => code_bytes(Config),
      excluded => excluded(Config),
      header => header(Config)}.

%% @private The VM's BIFs in the order of its table, as far as it tells them: names of what
%% the schedulers run. No documented item.
-spec bifs() -> [mfa()].
bifs() ->
    Item = snifs,
    try lists:reverse(apply(erlang, system_info, [Item])) catch error:_ -> [] end.

cpu_ring_bytes() ->
    Schedulers = erlang:system_info(schedulers) + erlang:system_info(dirty_cpu_schedulers)
        + erlang:system_info(dirty_io_schedulers),
    max(?CPU_RING_MIN_BYTES, min(?CPU_RING_MAX_BYTES, ?CPU_RINGS_BYTES div Schedulers)).

%% What an armed session keeps of CPU samples, beside what it keeps of the others.
cpu_keep_bytes(#{arm := #{bytes := Bytes}} = Config) ->
    case cpu_rate_hz(Config) of
        0 -> 0;
        _ -> power_of_two(Bytes div ?CPU_KEEP_SHARE, ?RING_BYTES_MIN)
    end;
cpu_keep_bytes(_) ->
    0.

cpu_rate_hz(#{cpu_sampling := false}) -> 0;
cpu_rate_hz(#{cpu_sampling := #{rate := Hz}}) -> Hz.

cpu_method(#{cpu_sampling := #{method := Method}}) -> Method;
cpu_method(_) -> auto.

selection(#{auto_select := none}) -> {[], 1000};
selection(#{auto_select := {top, Goals, IntervalMs}}) -> {Goals, IntervalMs}.

process_interval_ns(#{process_interval := auto}) -> 0;
process_interval_ns(#{process_interval := Ms}) -> Ms * 1000000.

unlimited(infinity) -> 0;
unlimited(Limit) -> Limit.

%% What the ring leaves of what may be used: then names are unknown, and counted,
%% before memory is exceeded.
code_bytes(#{memory_max := infinity}) -> ?CODE_BYTES;
code_bytes(#{memory_max := Max} = Config) ->
    Left = Max - ring_bytes(Config) - cpu_keep_bytes(Config),
    min(?CODE_BYTES, max(Left, 0) div 4 * 3).

%% An armed session keeps its samples in the ring, whose size is a power of two.
ring_bytes(#{arm := #{bytes := Bytes}}) -> power_of_two(Bytes, ?RING_BYTES_MIN);
ring_bytes(_) -> ?RING_BYTES.

power_of_two(Max, Bytes) when Bytes * 2 =< Max -> power_of_two(Max, Bytes * 2);
power_of_two(_, Bytes) -> Bytes.

keep_ns(#{arm := #{keep_ms := KeepMs}}) -> KeepMs * 1000000;
keep_ns(_) -> 0.

%% A dump is one file however long it takes.
file_ns(#{arm := _}) -> 0;
file_ns(#{flush_close_max := infinity}) -> 0;
file_ns(#{flush_close_max := Count, flush_interval := FlushMs}) -> Count * FlushMs * 1000000.

excluded(#{profile_self := true}) -> [];
excluded(#{profiler_pids := Pids}) -> Pids.

header(#{sample_interval := SampleMs, tier_reason := Reason, untold := Untold} = Config) ->
    [{<<"node">>, atom_to_binary(node())},
     {<<"otp">>, line("~ts erts-~ts ~ts", [erlang:system_info(otp_release),
                                            erlang:system_info(version),
                                            erlang:system_info(emu_flavor)])},
     {<<"tier">>, <<"walker">>},
     {<<"tier_reason">>, Reason},
     {<<"sample_interval_ns">>, integer_to_binary(SampleMs * 1000000)},
     {<<"process_interval_ns">>, process_interval_text(Config)},
     {<<"options">>, flame_prof_options:line(Config)}
     | [{<<"untold">>, line("~ts", [lists:join($\s, [atom_to_list(Name) || Name <- Untold])])}
        || Untold =/= []]].

process_interval_text(#{process_interval := auto}) -> <<"auto">>;
process_interval_text(#{process_interval := Ms}) -> integer_to_binary(Ms * 1000000).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
