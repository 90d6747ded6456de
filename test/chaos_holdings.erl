%% SPDX-License-Identifier: Apache-2.0
%% @doc What a VM holds of what a profiler takes, and must have given back when it is
%% through: compared before and after a run, never by what the profiler says itself.
-module(chaos_holdings).

-export([held/0, settled/1, missing/2, timers/0, threads/0, hidden_files/1, memory_kb/0]).

-define(POLL_MS, 100).
-define(SETTLE_MS, 120000).

%% By kind, things that can be compared.
held() ->
    #{threads => threads(),
      timers => timers(),
      files => open_files(),
      ports => length(erlang:ports()),
      processes => processes_by_name(),
      traced => [Pid || Pid <- processes(), is_traced(Pid)],
      trace_sessions => trace_sessions(),
      system_monitor => erlang:system_monitor(),
      backtrace_depth => erlang:system_flag(backtrace_depth, keep_depth()),
      alive => is_alive()}.

%% What is held as soon as it is what is expected, or after a while. A thread that has
%% told that it is through takes another moment to be gone, as does a port.
settled(Expected) ->
    settled(Expected, erlang:monotonic_time(millisecond) + ?SETTLE_MS).

settled(Expected, Deadline) ->
    case held() of
        Expected ->
            Expected;
        Held ->
            case erlang:monotonic_time(millisecond) < Deadline of
                true -> timer:sleep(?POLL_MS), settled(Expected, Deadline);
                false -> Held
            end
    end.

%% {Kind, Before, After} of what differs.
missing(Before, After) ->
    [{Kind, difference(Was, Is), difference(Is, Was)}
     || {Kind, Was} <- maps:to_list(Before), Is <- [maps:get(Kind, After)], Is =/= Was].

difference(A, B) when is_list(A), is_list(B) -> A -- B;
difference(A, _) -> A.

threads() ->
    length(entries("/proc/self/task")).

%% POSIX timers; kernels without CONFIG_CHECKPOINT_RESTORE do not tell.
timers() ->
    case file:read_file("/proc/self/timers") of
        {ok, Text} -> length(binary:matches(Text, <<"ID:">>));
        {error, _} -> unknown
    end.

%% By what they are: the numbers may differ. The one that lists them is not among them.
open_files() ->
    lists:sort([kind_of_file(Name) || Name <- entries("/proc/self/fd")]).

kind_of_file(Name) ->
    case file:read_link_all(filename:join("/proc/self/fd", Name)) of
        {ok, Target} -> hd(string:split(Target, ":["));
        {error, _} -> "/proc/self/fd"
    end.

processes_by_name() ->
    lists:sort([Name || Pid <- processes(), Name <- [name(Pid)], Name =/= ended]).

name(Pid) ->
    case process_info(Pid, [registered_name, initial_call, dictionary]) of
        [{registered_name, Name}, _, _] when is_atom(Name) -> Name;
        [_, {initial_call, Call}, {dictionary, Dictionary}] ->
            proplists:get_value('$initial_call', Dictionary, Call);
        undefined -> ended
    end.

is_traced(Pid) ->
    not lists:member(erlang:trace_info(Pid, flags), [undefined, {flags, []}]).

%% Those of a name, since OTP 27.
trace_sessions() ->
    case flame_prof_case:has_trace_sessions() of
        true -> lists:sort([Name || {Name, _} <- erlang:apply(trace, session_info, [all])]);
        false -> []
    end.

%% It can only be read by being set.
keep_depth() ->
    Depth = erlang:system_flag(backtrace_depth, 8),
    _ = erlang:system_flag(backtrace_depth, Depth),
    Depth.

%% What a session that has ended has not tidied up.
hidden_files(Directory) ->
    [Name || Name <- entries(Directory), hd(Name) =:= $.].

entries(Directory) ->
    case file:list_dir(Directory) of
        {ok, Names} -> Names;
        {error, enoent} -> []
    end.

%% Resident, of which the VM's allocators hold so much.
memory_kb() ->
    {ok, Text} = file:read_file("/proc/self/status"),
    [_, Rest] = string:split(Text, "VmRSS:"),
    [Number | _] = string:lexemes(Rest, " \t\n"),
    {binary_to_integer(Number), carriers_kb()}.

carriers_kb() ->
    Sizes = [Size || {{instance, _}, _} = Instance <- instances(), Size <- carrier_sizes(Instance)],
    lists:sum(Sizes) div 1024.

instances() ->
    [{{instance, Number}, Info}
     || Allocator <- erlang:system_info(alloc_util_allocators),
        Instances <- [erlang:system_info({allocator_sizes, Allocator})], is_list(Instances),
        {instance, Number, Info} <- Instances].

carrier_sizes({_, Info}) ->
    [lists:sum([Current || Field <- Fields, element(1, Field) =:= carriers_size,
                           Current <- [element(2, Field)]])
     || {Blocks, Fields} <- Info, lists:member(Blocks, [mbcs, sbcs])].
