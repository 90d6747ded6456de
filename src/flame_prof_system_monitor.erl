%% SPDX-License-Identifier: Apache-2.0
%% @doc The system monitor, shared politely: long collections, long schedules, large
%% heaps.
%%
%% From OTP 28 on everybody may have one of his own (a trace session). Before, a node
%% has a single one: it is taken only when nobody has it, never from somebody, and
%% given back at the end. Who takes it from us keeps it; that is noticed and told, and
%% when it is free again it is taken again. The runtime system frees it when its
%% process dies, so nothing is left by a kill.
%%
%% Belongs to the process that takes it, which gets the messages.
-module(flame_prof_system_monitor).

-export([take/1, check/1, give_back/2, event/1, info/1]).
-export_type([monitor/0, triggers/0]).

-include_lib("kernel/include/logger.hrl").

-type triggers() :: #{long_gc => Ms :: pos_integer(), long_schedule => Ms :: pos_integer(),
                      large_heap => Bytes :: pos_integer()}.

-record(monitor, {events :: [{atom(), pos_integer()}],
                  via :: none | system_monitor | trace_session,
                  session :: term(),
                  owner :: undefined | pid() | port(),
                  is_on = false :: boolean(),
                  why = <<>> :: binary(),
                  lost = 0 :: non_neg_integer()}).
-opaque monitor() :: #monitor{}.

%% @doc Takes it for the calling process, if there is anything to watch and it is free.
-spec take(triggers()) -> monitor().
take(Triggers) when map_size(Triggers) =:= 0 ->
    #monitor{events = [], via = none, why = <<"nothing asks for it">>};
take(Triggers) ->
    Events = [option(Trigger) || Trigger <- maps:to_list(Triggers)],
    told(case has_sessions() of
             true -> take_session(#monitor{events = Events, via = trace_session});
             false -> take_single(#monitor{events = Events, via = system_monitor})
         end).

%% @doc To be called about once a second: whether it is still ours, or free now.
-spec check(monitor()) -> monitor().
check(#monitor{via = system_monitor, is_on = true} = Monitor) ->
    case owner() of
        Self when Self =:= self() -> Monitor;
        Other -> told(lost(Other, Monitor))
    end;
check(#monitor{via = system_monitor} = Monitor) ->
    case owner() of
        undefined -> take_single(Monitor);
        Other -> owned_by(Other, Monitor)
    end;
check(Monitor) ->
    Monitor.

%% @doc Lets go of it, for a reason that is told, and for good.
-spec give_back(Why :: binary(), monitor()) -> monitor().
give_back(Why, #monitor{via = system_monitor, is_on = true} = Monitor) ->
    _ = owner() =:= self() andalso erlang:system_monitor(undefined),
    given_up(Why, Monitor);
give_back(Why, #monitor{via = trace_session, is_on = true, session = Session} = Monitor) ->
    _ = newer(session_destroy, [Session]),
    given_up(Why, Monitor);
give_back(Why, Monitor) ->
    given_up(Why, Monitor).

%% @doc What a message of the monitor says, in the unit of the trigger.
-spec event(term()) -> {Trigger :: atom(), Value :: non_neg_integer(), Who :: pid() | port(),
                        Detail :: term()} | other.
event({monitor, Who, long_gc, Info}) ->
    {long_gc, proplists:get_value(timeout, Info, 0), Who, Info};
event({monitor, Who, long_schedule, Info}) ->
    {long_schedule, proplists:get_value(timeout, Info, 0), Who, Info};
event({monitor, Who, large_heap, Info}) ->
    Words = lists:sum([proplists:get_value(Part, Info, 0)
                       || Part <- [heap_block_size, old_heap_block_size, mbuf_size]]),
    {large_heap, Words * erlang:system_info(wordsize), Who, Info};
event(_) ->
    other.

-spec info(monitor()) -> #{state := on | off, via := atom(), owner := undefined | pid() | port(),
                           why := binary(), lost := non_neg_integer()}.
info(#monitor{via = Via, is_on = IsOn, owner = Owner, why = Why, lost = Lost}) ->
    #{state => case IsOn of true -> on; false -> off end, via => Via, owner => Owner, why => Why,
      lost => Lost}.

%% Internal

option({large_heap, Bytes}) -> {large_heap, max(1, Bytes div erlang:system_info(wordsize))};
option({Event, Ms}) -> {Event, Ms}.

has_sessions() ->
    flame_prof_trace:has_sessions() andalso erlang:function_exported(trace, system, 3).

%% A module that not every supported release has.
newer(Function, Arguments) ->
    erlang:apply(trace, Function, Arguments).

take_session(#monitor{events = Events} = Monitor) ->
    Session = newer(session_create, [flame_prof, self(), []]),
    _ = [newer(system, [Session, Event, Limit]) || {Event, Limit} <- Events],
    Monitor#monitor{session = Session, is_on = true, owner = self()}.

take_single(#monitor{events = Events} = Monitor) ->
    case owner() of
        undefined ->
            case erlang:system_monitor(self(), Events) of
                undefined ->
                    Monitor#monitor{is_on = true, owner = self(), why = <<>>};
                %% Somebody was quicker: it is his.
                {Other, _} = Theirs ->
                    _ = erlang:system_monitor(Theirs),
                    owned_by(Other, Monitor)
            end;
        Self when Self =:= self() ->
            Monitor;
        Other ->
            owned_by(Other, Monitor)
    end.

owner() ->
    case erlang:system_monitor() of
        undefined -> undefined;
        {Owner, _} -> Owner
    end.

owned_by(Other, Monitor) ->
    Monitor#monitor{is_on = false, owner = Other,
                    why = line("it is in use by ~tp, from whom it is not taken", [Other])}.

lost(undefined, #monitor{lost = Lost} = Monitor) ->
    Monitor#monitor{is_on = false, owner = undefined, lost = Lost + 1,
                    why = <<"somebody has switched it off; it is taken again">>};
lost(Other, #monitor{lost = Lost} = Monitor) ->
    Monitor#monitor{is_on = false, owner = Other, lost = Lost + 1,
                    why = line("~tp has taken it from us, and keeps it", [Other])}.

given_up(Why, Monitor) ->
    Monitor#monitor{via = none, is_on = false, owner = undefined, session = undefined, why = Why}.

told(#monitor{is_on = true} = Monitor) ->
    Monitor;
told(#monitor{events = Events, why = Why} = Monitor) ->
    ?LOG_NOTICE("flame_prof: no system monitor for ~tp: ~ts", [[Event || {Event, _} <- Events],
                                                              Why]),
    Monitor.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
