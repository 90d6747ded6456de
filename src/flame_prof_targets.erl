%% SPDX-License-Identifier: Apache-2.0
%% @doc Who asked for which process: claims on explicitly sampled processes.
%%
%% Several parties may want the same process at once: `profile_start', `select',
%% nested calls of `apply', and following a parent or a sender. Each has a key of its
%% own; the youngest claim decides the options and the process is released with
%% the last one. Pure.
-module(flame_prof_targets).

-export([new/0, claim/4, release/3, claimed_by/2, drop/2, monitor_of/2, set_monitor/3]).
-export([effective/1, following/2, pids/1, size/1]).
-export_type([targets/0, key/0]).

-type key() :: profile | selected | {apply, reference()} | {followed, Root :: pid()}.
-record(target, {monitor :: undefined | reference(),
                 claims :: [{key(), flame_prof:process_opts()}, ...]}).
-opaque targets() :: #{pid() => #target{}}.

-spec new() -> targets().
new() ->
    #{}.

%% @doc Adds or replaces a claim; the result is what is in force for the process.
-spec claim(pid(), key(), flame_prof:process_opts(), targets()) ->
    {flame_prof:process_opts(), targets()}.
claim(Pid, Key, Opts, Targets) ->
    #target{claims = Claims} = Target = maps:get(Pid, Targets, #target{claims = [{Key, Opts}]}),
    Kept = lists:keydelete(Key, 1, Claims),
    %% What a person asked for goes before what was merely followed.
    Ordered = case Key of
                  {followed, _} -> Kept ++ [{Key, Opts}];
                  _ -> [{Key, Opts} | Kept]
              end,
    {in_force(Ordered), Targets#{Pid => Target#target{claims = Ordered}}}.

%% @doc Takes a claim back; `none' when nobody wants the process any more.
-spec release(pid(), key(), targets()) ->
    {none | flame_prof:process_opts(), targets()} | unknown.
release(Pid, Key, Targets) ->
    case Targets of
        #{Pid := #target{claims = Claims} = Target} ->
            case lists:keydelete(Key, 1, Claims) of
                Claims -> unknown;
                [] -> {none, maps:remove(Pid, Targets)};
                Kept -> {in_force(Kept), Targets#{Pid => Target#target{claims = Kept}}}
            end;
        #{} ->
            unknown
    end.

%% @doc The processes that hold a claim under `Key'.
-spec claimed_by(key(), targets()) -> [pid()].
claimed_by(Key, Targets) ->
    [Pid || {Pid, #target{claims = Claims}} <- maps:to_list(Targets),
            lists:keymember(Key, 1, Claims)].

%% @doc Forgets a process that has died.
-spec drop(pid(), targets()) -> targets().
drop(Pid, Targets) ->
    maps:remove(Pid, Targets).

-spec monitor_of(pid(), targets()) -> undefined | reference().
monitor_of(Pid, Targets) ->
    case Targets of
        #{Pid := #target{monitor = Monitor}} -> Monitor;
        #{} -> undefined
    end.

-spec set_monitor(pid(), reference(), targets()) -> targets().
set_monitor(Pid, Monitor, Targets) ->
    maps:update_with(Pid, fun(Target) -> Target#target{monitor = Monitor} end, Targets).

%% @doc Every process with the options in force.
-spec effective(targets()) -> [{pid(), flame_prof:process_opts()}].
effective(Targets) ->
    [{Pid, in_force(Claims)} || {Pid, #target{claims = Claims}} <- maps:to_list(Targets)].

%% @doc With what options a process is to be followed: those of the youngest claim
%% that somebody made for it who wants that. To be followed oneself is no reason.
-spec following(pid(), targets()) -> none | flame_prof:process_opts().
following(Pid, Targets) ->
    case Targets of
        #{Pid := #target{claims = Claims}} ->
            case [Opts || {Key, #{viral := Viral} = Opts} <- Claims,
                          Viral =/= self_only, not is_followed(Key)] of
                [Opts | _] -> Opts;
                [] -> none
            end;
        #{} ->
            none
    end.

is_followed({followed, _}) -> true;
is_followed(_) -> false.

-spec pids(targets()) -> [pid()].
pids(Targets) ->
    maps:keys(Targets).

-spec size(targets()) -> non_neg_integer().
size(Targets) ->
    map_size(Targets).

in_force([{_, Opts} | _]) ->
    Opts.
