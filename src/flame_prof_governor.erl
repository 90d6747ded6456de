%% SPDX-License-Identifier: Apache-2.0
%% @doc Keeps the profiler within its budget: a share of the machine's CPU time, and
%% a number of bytes.
%%
%% Pure; it is shown once a second what the session has cost so far. Over the CPU
%% budget for several seconds, it stretches the pace, as far as the excess asks for;
%% well below it for half a minute, it takes some of that back. A limit ends the
%% session: more memory than allowed for several seconds, or more CPU than allowed by
%% far for half a minute although the pace is as slow as it gets.
%%
%% Each decision is made on a window of its own, so that it sees what the last one
%% has done.
-module(flame_prof_governor).

-export([new/1, for_node/1, restart/1, look/2, percent/1, info/1]).
-export_type([governor/0, cost/0, decision/0]).

-define(WINDOW_MS, 5000).
-define(STRETCH_MAX, 1600).
%% From one decision to the next, in percent of the stretch in force.
-define(STEP_MIN, 125).
-define(STEP_MAX, 400).
%% Below this part of the budget, for so many windows, the pace recovers.
-define(CALM_SHARE, 0.6).
-define(CALM_WINDOWS, 6).
%% Above so many times the budget, for so many windows, at the slowest pace, it ends.
-define(HARD_FACTOR, 2).
-define(HARD_WINDOWS, 6).
%% Seconds in a row.
-define(FULL_LOOKS, 5).

-type cost() :: #{at_ms := integer(),                       % monotonic
                  cpu_ns := non_neg_integer(),              % since the beginning
                  memory_bytes := non_neg_integer()}.       % now

-type decision() :: none
                  | {stretch, Percent :: pos_integer(), Note :: binary()}
                  | {stop, Reason :: binary()}.

-record(governor, {cpu_max :: infinity | number(),          % percent of the machine
                   memory_max :: infinity | pos_integer(),  % bytes
                   cpus :: pos_integer(),
                   begun :: undefined | cost(),             % of the window
                   stretch = 100 :: pos_integer(),          % percent
                   calm = 0 :: non_neg_integer(),           % windows in a row
                   hard = 0 :: non_neg_integer(),
                   full = 0 :: non_neg_integer(),           % looks in a row
                   cpu_percent = undefined :: undefined | float(),
                   memory_bytes = 0 :: non_neg_integer(),
                   backoffs = 0 :: non_neg_integer(),
                   recoveries = 0 :: non_neg_integer()}).
-opaque governor() :: #governor{}.

%% @doc With these limits, and the CPUs of this node.
-spec for_node(flame_prof_options:options()) -> governor().
for_node(#{cpu_max := CpuMax, memory_max := MemoryMax}) ->
    Cpus = case erlang:system_info(logical_processors_available) of
               unknown -> erlang:system_info(schedulers);
               Count -> Count
           end,
    new(#{cpu_max => CpuMax, memory_max => MemoryMax, cpus => Cpus}).

-spec new(#{cpu_max := infinity | number(), memory_max := infinity | pos_integer(),
            cpus := pos_integer()}) -> governor().
new(#{cpu_max := CpuMax, memory_max := MemoryMax, cpus := Cpus}) ->
    #governor{cpu_max = CpuMax, memory_max = MemoryMax, cpus = Cpus}.

%% @doc The costs begin anew: another tier has taken over.
-spec restart(governor()) -> governor().
restart(Governor) ->
    Governor#governor{begun = undefined, full = 0}.

%% @doc What to do about what it has cost.
-spec look(cost(), governor()) -> {decision(), governor()}.
look(#{memory_bytes := Bytes} = Cost, Governor) ->
    Seen = Governor#governor{memory_bytes = Bytes},
    case memory(Bytes, Seen) of
        {none, Fine} -> cpu(Cost, Fine);
        Stop -> Stop
    end.

%% @doc The stretch in force.
-spec percent(governor()) -> pos_integer().
percent(#governor{stretch = Stretch}) ->
    Stretch.

-spec info(governor()) -> map().
info(#governor{stretch = Stretch} = Governor) ->
    #{state => case Stretch of 100 -> within_budget; _ -> backed_off end,
      cpu_percent => Governor#governor.cpu_percent,
      cpu_max => Governor#governor.cpu_max,
      memory_bytes => Governor#governor.memory_bytes,
      memory_max => Governor#governor.memory_max,
      stretch_percent => Stretch,
      backoffs => Governor#governor.backoffs,
      recoveries => Governor#governor.recoveries}.

%% Internal

%% `infinity' is greater than any number.
memory(Bytes, #governor{memory_max = Max, full = Full} = Governor) when Bytes > Max ->
    case Full + 1 of
        ?FULL_LOOKS ->
            {{stop, line("the profiler itself uses ~b bytes of memory, more than memory_max = ~b; "
                         "select fewer processes or allow more", [Bytes, Max])}, Governor};
        More ->
            {none, Governor#governor{full = More}}
    end;
memory(_, Governor) ->
    {none, Governor#governor{full = 0}}.

cpu(Cost, #governor{begun = undefined} = Governor) ->
    {none, Governor#governor{begun = Cost}};
cpu(#{at_ms := NowMs}, #governor{begun = #{at_ms := BeginMs}} = Governor)
        when NowMs - BeginMs < ?WINDOW_MS ->
    {none, Governor};
cpu(#{at_ms := NowMs, cpu_ns := NowNs} = Cost,
    #governor{begun = #{at_ms := BeginMs, cpu_ns := BeginNs}, cpus = Cpus} = Governor) ->
    Percent = (NowNs - BeginNs) / (NowMs - BeginMs) / 10000 / Cpus,
    decide(Percent, Governor#governor{begun = Cost, cpu_percent = Percent}).

decide(Percent, #governor{cpu_max = Max, stretch = ?STRETCH_MAX} = Governor)
        when Percent > ?HARD_FACTOR * Max ->
    case Governor#governor.hard + 1 of
        ?HARD_WINDOWS ->
            {{stop, line("the profiler itself uses ~.2f % of the machine at its slowest pace, more "
                         "than cpu_max = ~w %; select fewer processes or allow more",
                         [Percent, Max])}, Governor};
        Hard ->
            {none, Governor#governor{hard = Hard, calm = 0}}
    end;
decide(Percent, #governor{cpu_max = Max, stretch = Stretch} = Governor)
        when Percent > Max, Stretch < ?STRETCH_MAX ->
    Step = min(?STEP_MAX, max(?STEP_MIN, ceil(Percent * 110 / Max))),
    stretched(min(?STRETCH_MAX, Stretch * Step div 100), Percent,
              Governor#governor{backoffs = Governor#governor.backoffs + 1});
decide(Percent, #governor{cpu_max = Max, stretch = Stretch, calm = Calm} = Governor)
        when Stretch > 100, Percent < ?CALM_SHARE * Max ->
    case Calm + 1 of
        ?CALM_WINDOWS ->
            stretched(max(100, Stretch * 2 div 3), Percent,
                      Governor#governor{recoveries = Governor#governor.recoveries + 1});
        More ->
            {none, Governor#governor{calm = More, hard = 0}}
    end;
decide(_, Governor) ->
    {none, Governor#governor{calm = 0, hard = 0}}.

stretched(Stretch, Percent, #governor{cpu_max = Max} = Governor) ->
    Note = line("intervals are ~b % of what was asked for, CPU was ~.2f % of the machine, ~w % is "
                "allowed", [Stretch, Percent, Max]),
    {{stretch, Stretch, Note}, Governor#governor{stretch = Stretch, calm = 0, hard = 0}}.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
