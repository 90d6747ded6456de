%% SPDX-License-Identifier: Apache-2.0
%% The application is replaced by another version while it works: by an upgrade as it
%% should be done, and by loading new modules over a running session as people do. In
%% VMs of their own: what could be killed here is a VM.
-module(upgrade_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-import(flame_prof_case, [eventually/1]).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [{group, portable}, {group, walker}].

groups() ->
    [{Tier, [], [upgrade_with_the_application_stopped, upgrade_over_a_running_session,
                 upgrade_over_an_armed_session, upgrade_by_code_change,
                 upgrade_over_and_over]} || Tier <- [portable, walker]].

init_per_group(Tier, Config) ->
    flame_prof_case:init_tier(Tier, Config).

end_per_group(_, _) ->
    ok.

upgrade_with_the_application_stopped(Config) -> in_peer(Config, stopped).
upgrade_over_a_running_session(Config) -> in_peer(Config, running).
upgrade_over_an_armed_session(Config) -> in_peer(Config, armed).
upgrade_by_code_change(Config) -> in_peer(Config, code_change).
upgrade_over_and_over(Config) -> in_peer(Config, over_and_over).

in_peer(Config, Scenario) ->
    To = filename:join([?config(priv_dir, Config),
                        lists:concat([?config(tier, Config), "_", Scenario]), "flame_prof"]),
    Ebin = filename:join(flame_prof_case:library_copy(To), "ebin"),
    Tests = filename:absname(filename:dirname(code:which(?MODULE))),
    {ok, Peer, _} = peer:start(#{connection => standard_io, wait_boot => 300000,
                                 args => ["-pa", Ebin, Tests]}),
    Options = #{tier => ?config(tier, Config), auto_select => none,
                basename => filename:join(filename:dirname(Ebin), "files")},
    Result = peer:call(Peer, ?MODULE, Scenario, [Options, Ebin], 600000),
    peer:stop(Peer),
    ?assertEqual(ok, Result).

%% --- in the other VM ------------------------------------------------------------------

%% As `restart_application' in an appup does it.
stopped(Options, Ebin) ->
    {ok, _} = flame_prof:start(Options),
    sampled_on(),
    ok = application:stop(flame_prof),
    1 = length(files(Options)),
    new_library(Ebin),
    [] = [Module || Module <- modules(), not loaded_anew(Module)],
    ok = application:start(flame_prof),
    works(Options),
    ok.

%% The library is not replaced under the threads that run in it; modules are. Whoever
%% is killed by that is replaced or missed, nobody crashes.
running(Options, Ebin) ->
    {ok, Session} = flame_prof:start(Options),
    ok = flame_prof_session:watch(whereis(init), profile, #{viral => true, status => all}),
    sampled_on(),
    new_library(Ebin),
    Refused = loaded_twice(),
    refused_as_it_should(Options, Refused),
    sampled_on(),
    Session = whereis(flame_prof),
    {ok, #{samples := Samples, files := [_ | _]}} = flame_prof_case:stop(),
    true = Samples > 0,
    after_the_end(Options),
    ok.

armed(Options, Ebin) ->
    {ok, Session} = flame_prof:arm(Options#{keep_after => 0, dump_distance => 0,
                                            triggers => #{message_queue_len => 500}}),
    ok = flame_prof_session:watch(whereis(init), profile, #{viral => self_only, status => all}),
    kept_on(),
    {ok, _} = flame_prof:dump(),
    new_library(Ebin),
    Refused = loaded_twice(),
    refused_as_it_should(Options, Refused),
    kept_on(),
    %% Its triggers, too, are watched again.
    Victim = spawn(fun() -> receive stop -> ok end end),
    [Victim ! N || N <- lists:seq(1, 600)],
    eventually(fun() -> case maps:get(dumps, flame_prof:info()) of
                            #{by_trigger := Count, dumping := false} -> Count >= 1;
                            #{} -> false
                        end end),
    {ok, _} = flame_prof:dump(#{keep_after => 1}),
    Session = whereis(flame_prof),
    {ok, #{files := [_, _ | _]}} = flame_prof_case:stop(),
    after_the_end(Options),
    ok.

%% What a release handler does to the processes of a supervision tree.
code_change(Options, _) ->
    {ok, Session} = flame_prof:start(Options),
    sampled_on(),
    [begin
         ok = sys:suspend(Process),
         true = loaded_anew(Module),
         ok = sys:change_code(Process, Module, "0.0.9", []),
         ok = sys:resume(Process)
     end || {Process, Module} <- [{Session, flame_prof_session},
                                  {whereis(flame_prof_backtrace), flame_prof_backtrace},
                                  {whereis(flame_prof_sup), flame_prof_sup}]],
    Session = whereis(flame_prof),
    sampled_on(),
    %% A state of another shape is refused, and nothing is lost.
    {error, Why} = flame_prof_session:code_change("9", {state, other}, []),
    true = is_binary(Why),
    {ok, #{samples := Samples}} = flame_prof_case:stop(),
    true = Samples > 0,
    ok.

over_and_over(Options, Ebin) ->
    [begin
         {ok, _} = flame_prof:start(Options),
         sampled_on(),
         new_library(Ebin),
         _ = [loaded_anew(Module) || Module <- modules()],
         {ok, _} = flame_prof_case:stop(),
         eventually(fun() -> loaded_anew(flame_prof_nif) end)
     end || _ <- lists:seq(1, 10)],
    after_the_end(Options),
    ok.

%% Whom the second time finds in code of before the first is killed: who has work to do
%% has moved on by then.
loaded_twice() ->
    First = [Module || Module <- modules(), not loaded_anew(Module)],
    timer:sleep(1500),
    flame_prof_case:ticks(20),
    First ++ [Module || Module <- modules(), not loaded_anew(Module)].

%% Only the library, and only while its threads run.
refused_as_it_should(#{tier := walker}, Refused) -> [flame_prof_nif] = lists:usort(Refused);
refused_as_it_should(#{tier := portable}, Refused) -> [] = Refused.

after_the_end(#{basename := Directory} = Options) ->
    {ok, Names} = file:list_dir(Directory),
    [] = [Name || Name <- Names, hd(Name) =:= $.],
    undefined = erlang:system_monitor(),
    {flags, []} = erlang:trace_info(whereis(init), flags),
    eventually(fun() -> loaded_anew(flame_prof_nif) end),
    works(Options).

works(#{tier := Tier} = Options) ->
    {ok, _} = flame_prof:start(Options),
    #{tier := Tier} = flame_prof:info(),
    sampled_on(),
    {ok, #{files := [_ | _]}} = flame_prof_case:stop().

new_library(Ebin) ->
    Library = filename:join([filename:dirname(Ebin), "priv", "flame_prof_nif.so"]),
    {ok, _} = file:copy(Library, Library ++ ".new"),
    ok = file:rename(Library ++ ".new", Library).

modules() ->
    _ = application:load(flame_prof),
    {ok, Modules} = application:get_key(flame_prof, modules),
    Modules.

%% What runs the version before the last one is killed.
loaded_anew(Module) ->
    _ = code:purge(Module),
    case code:load_file(Module) of
        {module, Module} -> true;
        {error, on_load_failure} -> false
    end.

files(#{basename := Directory}) ->
    flame_prof_file:finished(Directory).

%% More samples than a moment before.
sampled_on() ->
    ok = flame_prof_session:watch(whereis(init), profile, #{viral => self_only, status => all}),
    #{samples := Before} = eventually(fun() -> answered() end),
    eventually(fun() -> case flame_prof:info() of
                            #{samples := Now} -> Now > Before;
                            _ -> false
                        end end).

kept_on() ->
    #{ticks_taken := Before} = eventually(fun() -> answered() end),
    eventually(fun() -> case flame_prof:info() of
                            #{ticks_taken := Now, kept := #{kept_bytes := Bytes}} ->
                                Now > Before + 100 andalso Bytes > 0;
                            _ -> false
                        end end).

answered() ->
    case flame_prof:info() of
        #{samples := _} = Info -> Info;
        _ -> false
    end.
