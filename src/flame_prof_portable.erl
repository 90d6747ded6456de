%% SPDX-License-Identifier: Apache-2.0
%% @doc The portable tier: `process_info/2', on any runtime system.
%%
%% ```
%%  flame_prof_selector (low)  --selected-->  flame_prof_sampler (max)  --batch-->
%%                                              |         ^          flame_prof_writer (high)
%%                                           question   answer                |
%%                                              v         |              file series
%%                                           flame_prof_probe (max), many
%% '''
%% Nothing of it is linked to the session. Each part ends by itself when the
%% session does, in an order in which the file is finished.
%%
%% What it cannot do: a running process answers where it next yields, so its time
%% is attributed to such places; stacks are cut at the runtime system's limit, and
%% adjacent equal frames come as one, whatever `flatten_recursive' says; and each
%% look at a process costs it a signal. And it runs on the schedulers: one that is
%% held up by a NIF holds up the timers that were set on it.
-module(flame_prof_portable).
-behaviour(flame_prof_tier).

-export([open/1, watch/3, unwatch/2, tick/1, info/1, selected/1, own/1, exclude/2, dump/2,
         dumped/1, stretch/3, cost/1, close/3]).

-include_lib("kernel/include/logger.hrl").

-define(EVENT, <<"beam-wall">>).
%% More than any runtime system gives.
-define(DEPTH_WANTED, 4096).
%% Where nobody keeps the flag.
-define(DEPTH_DEFAULT, 8).
%% Data are in the file about a second after they were sampled.
-define(WRITE_MARGIN_MS, 1000).

%% 43 to 76 were measured, OTP 25 with the JIT: text and files have the cheaper ones.
-define(REDUCTION_NS, 50).

-record(handle, {sampler :: pid(),
                 writer :: pid(),
                 gauge :: flame_prof_writer:gauge()}).

-spec open(flame_prof_tier:config()) -> {ok, #handle{}}.
open(#{session := Session} = Options) ->
    Clock = flame_prof_clock:new(),
    Gauge = flame_prof_writer:new_gauge(),
    Anchor = flame_prof_clock:anchor(Clock),
    Writer = flame_prof_writer:start(
               #{session => Session, gauge => Gauge, anchor => Anchor, style => style(Options),
                 clock => Clock, arm => maps:get(arm, Options, undefined),
                 series => series(Options, header(Options, Clock, Anchor))}),
    Sampler = flame_prof_sampler:start(
                #{session => Session, writer => Writer, gauge => Gauge, clock => Clock,
                  options => Options}),
    ok = flame_prof_writer:sampler(Writer, Sampler),
    ok = flame_prof_sampler:go(Sampler, backtrace_depth(Sampler)),
    {ok, #handle{sampler = Sampler, writer = Writer, gauge = Gauge}}.

-spec watch(#handle{}, pid(), flame_prof:process_opts()) -> {ok, #handle{}}.
watch(#handle{sampler = Sampler} = Handle, Pid, Opts) ->
    ok = flame_prof_sampler:watch(Sampler, Pid, Opts),
    {ok, Handle}.

-spec unwatch(#handle{}, pid()) -> {ok, #handle{}}.
unwatch(#handle{sampler = Sampler} = Handle, Pid) ->
    ok = flame_prof_sampler:unwatch(Sampler, Pid),
    {ok, Handle}.

-spec tick(#handle{}) -> {ok, #handle{}} | {failed, binary()}.
tick(#handle{sampler = Sampler, writer = Writer} = Handle) ->
    case {is_process_alive(Sampler), is_process_alive(Writer)} of
        {true, true} -> {ok, Handle};
        {_, false} -> {failed, <<"the writer has died">>};
        {false, _} -> {failed, <<"the sampler has died">>}
    end.

-spec info(#handle{}) -> map().
info(#handle{sampler = Sampler, writer = Writer}) ->
    Sampling = flame_prof_sampler:info(Sampler),
    Writing = flame_prof_writer:info(Writer),
    #{losses := Losses, degraded := Degraded} = all_reasons(Sampling),
    Memory = maps:get(sampler_memory_bytes, Sampling, 0) + maps:get(writer_memory_bytes, Writing, 0),
    Both = maps:merge(maps:merge(unanswered(), Writing), Sampling),
    (maps:without([sampler_memory_bytes, writer_memory_bytes, unwritten, dropped], Both))#{
        reader => process_info,
        losses => Losses#{write_failed => maps:get(unwritten, Writing, 0),
                          stop_deadline => maps:get(dropped, Writing, 0)},
        degraded => Degraded,
        memory_bytes => Memory}.

%% What is told when the processes do not answer in time.
unanswered() ->
    #{files => [], file => undefined, samples => 0, bytes => 0, queued_samples => 0,
      write_failure => undefined, ticks_expected => 0, ticks_taken => 0, selected => 0}.

-spec selected(#handle{}) -> [pid()].
selected(#handle{sampler = Sampler}) ->
    flame_prof_sampler:selected(Sampler).

-spec own(#handle{}) -> [pid()].
own(#handle{sampler = Sampler, writer = Writer}) ->
    [Sampler, Writer | flame_prof_sampler:helpers(Sampler)].

-spec exclude(#handle{}, pid()) -> ok.
exclude(#handle{sampler = Sampler}, Pid) ->
    flame_prof_sampler:exclude(Sampler, Pid).

-spec dump(#handle{}, flame_prof_tier:dump()) -> {ok | busy, #handle{}}.
dump(#handle{writer = Writer} = Handle, Dump) ->
    {flame_prof_writer:dump(Writer, Dump), Handle}.

-spec dumped(#handle{}) -> {pending | flame_prof_dumps:result(), #handle{}}.
dumped(#handle{writer = Writer} = Handle) ->
    {flame_prof_writer:dumped(Writer), Handle}.

-spec stretch(#handle{}, pos_integer(), binary()) -> {ok, #handle{}}.
stretch(#handle{sampler = Sampler, writer = Writer} = Handle, Percent, Note) ->
    ok = flame_prof_sampler:stretch(Sampler, Percent),
    ok = flame_prof_writer:note(Writer, Note),
    {ok, Handle}.

%% Estimated from reductions.
-spec cost(#handle{}) -> #{cpu_ns := non_neg_integer(), memory_bytes := non_neg_integer()}.
cost(#handle{gauge = Gauge}) ->
    {Reductions, Bytes} = flame_prof_writer:cost(Gauge),
    #{cpu_ns => Reductions * ?REDUCTION_NS, memory_bytes => Bytes}.

-spec close(#handle{}, non_neg_integer(), binary()) ->
    {ok, flame_prof_tier:summary()} | {error, flame_prof:error_reason()}.
close(#handle{sampler = Sampler, writer = Writer, gauge = Gauge}, TimeoutMs, End) ->
    Deadline = erlang:monotonic_time(millisecond) + TimeoutMs,
    ok = flame_prof_sampler:stop(Sampler, TimeoutMs),
    Left = max(0, Deadline - erlang:monotonic_time(millisecond)),
    Finished = flame_prof_writer:finish(Writer, Gauge, Left, End),
    ok = restore_backtrace_depth(Sampler),
    case Finished of
        {ok, Summary} -> {ok, maps:merge(Summary, all_reasons(Summary))};
        {error, Reason} -> {error, Reason}
    end.

%% Internal

%% The flag is bound to the sampler: whoever kills what, it goes back when nobody
%% samples any more.
backtrace_depth(Sampler) ->
    try
        flame_prof_backtrace:raise(Sampler, ?DEPTH_WANTED)
    catch
        exit:Reason ->
            ?LOG_NOTICE("flame_prof: stacks are cut at the node's backtrace_depth, since nobody "
                        "is there to raise it: ~0tP", [Reason, 12]),
            ?DEPTH_DEFAULT
    end.

restore_backtrace_depth(Sampler) ->
    try
        flame_prof_backtrace:restore(Sampler)
    catch
        exit:_ -> ok
    end.

style(#{flatten_recursive := Flatten, stack_frames_max := FramesMax, categories := Categories}) ->
    flame_prof_text:style(#{event => ?EVENT, metrics => flame_prof_metric:names(),
                            categories => Categories,
                            flatten_recursive => Flatten, stack_frames_max => FramesMax}).

series(#{basename := Directory, compress := Compress, files_max := FilesMax,
         file_bytes_max := BytesMax, flush_interval := FlushMs} = Options, Header) ->
    #{directory => Directory,
      stem => maps:get(stem, Options),
      os_pid => os:getpid(),
      compress => Compress,
      files_max => FilesMax,
      file_bytes_max => BytesMax,
      age_max_ms => age_max_ms(Options),
      hold_max_ms => FlushMs - ?WRITE_MARGIN_MS,
      metrics => flame_prof_metric:names(),
      losses => flame_prof_sampler:losses(),
      degraded => flame_prof_sampler:degraded(),
      header => Header}.

%% A dump is one file however long it takes.
age_max_ms(#{arm := _}) -> infinity;
age_max_ms(#{flush_close_max := infinity}) -> infinity;
age_max_ms(#{flush_close_max := Count, flush_interval := FlushMs}) -> Count * FlushMs.

%% The counts with those that are zero.
all_reasons(Counted) ->
    #{losses => maps:merge(zero(flame_prof_sampler:losses()), maps:get(losses, Counted, #{})),
      degraded => maps:merge(zero(flame_prof_sampler:degraded()),
                             maps:get(degraded, Counted, #{}))}.

zero(Reasons) ->
    maps:from_list([{Reason, 0} || Reason <- Reasons]).

%% The header of a file that starts at a given time.
header(Options, Clock, {MonotonicNs, UnixNs}) ->
    Fields = [{"flame_prof", version()},
              {"engine", "beam"},
              {"hostname", hostname()},
              {"os_release", os_release()},
              {"cpus", cpus()},
              {"os_pid", os:getpid()},
              {"node", atom_to_binary(node())},
              {"otp", otp()},
              {"tier", "portable"},
              {"tier_reason", maps:get(tier_reason, Options, <<"unknown">>)},
              {"reader", "process_info"},
              {"sample_interval_ns", maps:get(sample_interval, Options) * 1000000},
              {"process_interval_ns", process_interval_ns(Options)},
              {"options", options(Options)}],
    Clocks = [{"clock", flame_prof_clock:name(Clock)},
              {"clock_anchor_monotonic_ns", MonotonicNs},
              {"clock_anchor_unix_ns", UnixNs},
              {"event", ?EVENT},
              {"period_unit", "ns"},
              {"metrics", lists:join($\s, flame_prof_metric:names())}],
    fun(StartedUnixNs) ->
        [flame_prof_text:first_line(),
         flame_prof_text:header(Fields ++ [{"started", utc(StartedUnixNs)}] ++ Clocks)]
    end.

version() ->
    case application:get_key(flame_prof, vsn) of
        {ok, Version} -> Version;
        undefined -> "unknown"
    end.

hostname() ->
    {ok, Name} = inet:gethostname(),
    Name.

os_release() ->
    {_, Name} = os:type(),
    Release = case os:version() of
                  {Major, Minor, Patch} -> io_lib:format("~b.~b.~b", [Major, Minor, Patch]);
                  Text -> Text
              end,
    io_lib:format("~ts ~ts", [Name, Release]).

cpus() ->
    case erlang:system_info(logical_processors_online) of
        unknown -> "unknown";
        Count -> Count
    end.

otp() ->
    io_lib:format("~ts erts-~ts ~ts", [erlang:system_info(otp_release),
                                       erlang:system_info(version),
                                       erlang:system_info(emu_flavor)]).

process_interval_ns(#{process_interval := auto} = Options) ->
    flame_prof_sampler:process_interval_ns(auto, max(1, flame_prof_options:places(Options)));
process_interval_ns(#{process_interval := Ms}) ->
    Ms * 1000000.

options(Options) ->
    Told = maps:without([session, profiler_pids, opened_us, tier_reason], Options),
    lists:join($\s, [io_lib:format("~ts=~0tp", [Key, Value])
                     || {Key, Value} <- lists:sort(maps:to_list(Told))]).

utc(UnixNs) ->
    calendar:system_time_to_rfc3339(UnixNs div 1000000000, [{offset, "Z"}]).
