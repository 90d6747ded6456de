%% SPDX-License-Identifier: Apache-2.0
%% @doc What the suites about the scheduler sampler share: its samples, and what they
%% say of CPU time.
-module(cpu_case).

-export([init/1, nif_source/1, start/2, rate/0, paths/0]).
-export([samples/1, files/1, of_states/2, with_function/2, has_function/2, state_counts/1]).
-export([cpu_ns/1, light/1, bounds/3, lost_ns/1, holds/3, shares_hold/3, few/2]).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-define(RATE_HZ, 199).
-define(POINTS, 3.0).

%% For a suite: skipped, with the reason, where this VM's schedulers are not sampled.
init(Config) ->
    case flame_prof_case:init_tier(walker, Config) of
        {skip, _} = Skip -> Skip;
        Begun -> with_nif(method(Begun), Begun)
    end.

method(Config) ->
    {ok, _} = flame_prof_case:start([{case_name, method} | Config], #{}),
    #{cpu := Cpu} = flame_prof:info(),
    {ok, _} = flame_prof_case:stop(),
    Cpu.

with_nif(#{off := Why}, _) ->
    {skip, binary_to_list(Why)};
with_nif(_, Config) ->
    case walker_test_nif:build(nif_source(Config), ?config(priv_dir, Config)) of
        {ok, Path} -> ok = walker_test_nif:load(Path), [{nif, Path} | Config];
        {error, Why} -> {skip, Why}
    end.

%% Beside the suites, or where these are run from.
nif_source(Config) ->
    DataDir = filename:join(filename:dirname(code:which(?MODULE)), "walker_SUITE_data"),
    case filelib:is_dir(DataDir) of
        true -> DataDir;
        false -> filename:join([filename:dirname(string:trim(?config(data_dir, Config), trailing, "/")),
                                "walker_SUITE_data"])
    end.

%% Samples this often, unless the options say otherwise.
start(Config, Options) ->
    flame_prof_case:start(Config, maps:merge(#{cpu_sampling => #{rate => ?RATE_HZ}}, Options)).

rate() -> ?RATE_HZ.

paths() ->
    [filename:absname(Path) || Path <- code:get_path(), filename:basename(Path) =/= "."].

%% --- samples ------------------------------------------------------------------------

%% Samples of the CPU files of a session that has ended.
samples(Config) ->
    lists:append([maps:get(samples, perf_script_reader:read(File)) || File <- files(Config)]).

files(Config) ->
    lists:sort(filelib:wildcard(filename:join(flame_prof_case:directory(Config), "flame_prof_cpu-*.perf"))).

of_states(States, Samples) ->
    [S || #{status := State} = S <- Samples, lists:member(State, States)].

with_function(Name, Samples) ->
    [S || S <- Samples, has_function(Name, S)].

has_function(Name, #{frames := Frames}) ->
    lists:any(fun({Frame, _}) -> hd(binary:split(Frame, <<";">>)) =:= Name end, Frames).

state_counts(Samples) ->
    lists:foldl(fun(#{status := State}, Counts) ->
                        maps:update_with(State, fun(N) -> N + 1 end, 1, Counts)
                end, #{}, Samples).

%% So many at most, if it is such a part of them: and what chance adds to that.
few(Part, Count) -> Part * Count + 4 * math:sqrt(Part * Count).

%% --- CPU time -----------------------------------------------------------------------

cpu_ns(Samples) -> lists:sum([Ns || #{period_ns := Ns} <- Samples]).

%% A hypervisor that gives the processor elsewhere does not tell the kernel: the CPU clock
%% of the thread that was on it goes on, by half a second at once, and the next expiry of
%% its timer is one sample that stands for all of that, of whatever happens to run then.
%% It is no longer than a period and a tick of the kernel, 15 ms, that a sample stands for
%% otherwise; who compares shares leaves out those of more than a few, or counts them as
%% anybody's.
-define(LIGHT_NS, 50000000).

light(Samples) -> [S || #{period_ns := Ns} = S <- Samples, Ns =< ?LIGHT_NS].

%% The least and the most CPU time that some `Of' all samples stand for: what is not light
%% may be theirs, and so may what was lost, since who writes was kept from running.
bounds(Of, All, LostNs) ->
    LightNs = cpu_ns(light(Of)),
    {LightNs, LightNs + cpu_ns(All) - cpu_ns(light(All)) + LostNs}.

lost_ns(#{cpu := #{ring_full := Lost}}) -> Lost * 1000000000 div ?RATE_HZ.

%% Is the truth within the bounds, but for so much of it and a moment?
holds(TruthNs, {LeastNs, MostNs}, Part) ->
    ct:pal("~b ms, sampled ~b to ~b ms", [Ns div 1000000 || Ns <- [TruthNs, LeastNs, MostNs]]),
    ?assert(LeastNs =< (1 + Part) * TruthNs + ?LIGHT_NS),
    ?assert(MostNs >= (1 - Part) * TruthNs - ?LIGHT_NS).

%% [{Name, CPU time, samples}], all there is to share: each share is what the samples say,
%% but for a few points, or for what chance makes of so few samples.
shares_hold(Rows, All, LostNs) ->
    TruthNs = lists:sum([Ns || {_, Ns, _} <- Rows]),
    Shares = [share(Row, TruthNs, lists:append([Of || {_, _, Of} <- Rows]), All, LostNs) || Row <- Rows],
    ct:pal("~b samples, ~b ms lost~n~ts",
           [length(All), LostNs div 1000000,
            [io_lib:format("~-18w truth ~5.1f %  sampled ~5.1f to ~5.1f %, give or take ~.1f~n",
                           tuple_to_list(Share)) || Share <- Shares]]),
    [?assert(Least - Points =< Truth andalso Truth =< Most + Points, Share)
     || {_, Truth, Least, Most, Points} = Share <- Shares].

share({Name, Ns, Of}, TruthNs, Sharing, All, LostNs) ->
    {LeastNs, MostNs} = bounds(Of, All, LostNs),
    WholeNs = cpu_ns(light(Sharing)),
    OpenNs = MostNs - LeastNs,
    Truth = 100 * Ns / TruthNs,
    Chance = 4.5 * math:sqrt(Truth * (100 - Truth) / max(1, length(Sharing))),
    {Name, Truth, 100 * LeastNs / (WholeNs + OpenNs), 100 * MostNs / (WholeNs + OpenNs),
     max(?POINTS, Chance)}.
