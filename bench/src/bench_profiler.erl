%% SPDX-License-Identifier: Apache-2.0
%% @doc The profiler under measurement: ours, or the flame_prof of 2021 beside it.
%%
%% The latter has the same module name, so it is compiled in memory, from the
%% checkout that the user names, with every atom `flame_prof' in it renamed.
-module(bench_profiler).

-export([options/0, load_peer/1, start/2, stop/1, remove_files/1]).
-export_type([kind/0, running/0, result/0]).

-type kind() :: ours | peer.

-record(running, {kind :: kind(), pid :: pid(), directory :: file:filename(), info :: map()}).
-opaque running() :: #running{}.

-type result() :: #{files := [file:filename()], stop_ms := float(), info := map(),
                    summary := map(), directory := file:filename()}.

-define(PEER, flame_prof_2021).
-define(PEER_STOP_MS, 120000).

%% @doc What the user may say about it.
-spec options() -> [{atom(), integer() | string(), string()}].
options() ->
    [{top, 100, "sample the so many processes that do most reductions"},
     {interval, 9, "milliseconds between two ticks"},
     {select, 10000, "milliseconds between two selections"},
     {tier, "auto", "auto, walker or portable"},
     {reader, "auto", "auto, guarded_load or process_vm_readv"},
     {directory, "", "where the profiles go; default a new one in TMPDIR or /tmp"},
     {peer, "", "a checkout of the flame_prof of 2021, to measure it too"}].

%% @doc Which profilers there are to measure.
-spec load_peer(bench_args:options()) -> [kind()].
load_peer(#{peer := ""}) ->
    [ours];
load_peer(#{peer := Directory}) ->
    case filelib:wildcard(filename:join([Directory, "src", "*.erl"])) of
        [] -> throw({bench, ["--peer: there is no src/*.erl in ", Directory]});
        Sources -> _ = [compile_peer(Source) || Source <- Sources], [ours, peer]
    end.

compile_peer(Source) ->
    {ok, Forms} = epp:parse_file(Source, []),
    case compile:forms(renamed(Forms), [return_errors, nowarn_deprecated_catch]) of
        {ok, Module, Code} ->
            {module, Module} = code:load_binary(Module, Source, Code);
        Other ->
            throw({bench, io_lib:format("--peer: ~ts does not compile: ~0tp", [Source, Other])})
    end.

renamed(flame_prof) -> ?PEER;
renamed(List) when is_list(List) -> [renamed(Element) || Element <- List];
renamed(Tuple) when is_tuple(Tuple) -> list_to_tuple(renamed(tuple_to_list(Tuple)));
renamed(Other) -> Other.

-spec start(kind(), bench_args:options()) -> running().
start(Kind, #{top := Top, interval := Interval, select := Select} = Options) ->
    Directory = directory(Kind, Options),
    Common = #{basename => Directory, sample_interval => Interval, auto_select => {top, Top, Select}},
    {Pid, Info} = start(Kind, Common, Options),
    #running{kind = Kind, pid = Pid, directory = Directory, info = Info}.

start(ours, Common, #{tier := Tier, reader := Reader}) ->
    case flame_prof:start(Common#{tier => list_to_atom(Tier), reader => list_to_atom(Reader)}) of
        {ok, Pid} -> {Pid, flame_prof:info()};
        {error, {_, Detail}} -> throw({bench, Detail})
    end;
start(peer, #{basename := Directory} = Common, _) ->
    ok = filelib:ensure_path(Directory),
    case ?PEER:start(Common) of
        {ok, Pid} -> {Pid, #{tier => "flame_prof 2021"}};
        Other -> throw({bench, io_lib:format("the flame_prof of 2021 does not start: ~0tp", [Other])})
    end.

directory(Kind, #{directory := Given}) ->
    Base = case Given of
               "" -> filename:join(os:getenv("TMPDIR", "/tmp"), "flame_prof-bench-" ++ os:getpid());
               _ -> filename:absname(Given)
           end,
    filename:join(Base, [atom_to_list(Kind), $-, integer_to_list(erlang:unique_integer([positive]))]).

-spec stop(running()) -> result().
stop(#running{kind = Kind, directory = Directory} = Running) ->
    Info = current_info(Running),
    {Us, Summary} = timer:tc(fun() -> stop(Kind, Running) end),
    Files = case Summary of
                #{files := Finished} -> Finished;
                _ -> lists:sort(filelib:wildcard(filename:join(Directory, "*.log")))
            end,
    #{files => Files, stop_ms => Us / 1000, info => Info, summary => Summary, directory => Directory}.

current_info(#running{kind = ours, info = Started}) ->
    case flame_prof:info() of
        #{} = Info -> Info;
        {error, _} -> Started
    end;
current_info(#running{info = Info}) ->
    Info.

stop(ours, _) ->
    case flame_prof:stop() of
        {ok, Summary} -> Summary;
        {error, {_, Detail}} -> throw({bench, ["stop: ", Detail]})
    end;
stop(peer, #running{pid = Pid}) ->
    %% It may take minutes on a busy node, or never end.
    try ?PEER:stop(?PEER_STOP_MS) of
        _ -> #{}
    catch
        _:_ -> exit(Pid, kill), #{stop_failed => true}
    end.

-spec remove_files(result()) -> ok.
remove_files(#{directory := Directory}) ->
    _ = file:del_dir_r(Directory),
    _ = file:del_dir(filename:dirname(Directory)),
    ok.
