%% SPDX-License-Identifier: Apache-2.0
%% @doc Writes /tmp/perf-PID.map, by which `perf', bcc, bpftrace and
%% `flameprof record' name the functions of a VM that was started without flags,
%% and on request the layout file beside it ({@link flame_prof_layout}).
%%
%% Names come from the list of code that the VM keeps for GDB. The work is done on
%% dirty schedulers. Once by default; with `follow' by a process of its own that
%% looks every `interval' whether code was loaded (one word is read), and takes no
%% more than a twentieth of the time for it. The files stay when it ends, as a
%% recording may be read later than it was made; {@link stop/0} removes them.
-module(flame_prof_perf_map).
-behaviour(gen_server).

-export([write/1, stop/0]).
-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include_lib("kernel/include/logger.hrl").

-define(WRITTEN, perf_map_written).
-define(INTERVAL_MS, 1000).
-define(INTERVAL_MIN_MS, 100).
-define(INTERVAL_MAX_MS, 3600000).
-define(REST_FACTOR, 19).
-define(CALL_MS, 30000).
-define(SHUTDOWN_MS, 2000).

-type options() :: #{follow := boolean(), interval := pos_integer(), layout := boolean(),
                     directory := binary()}.

-record(state, {options :: options(),
                probe :: flame_prof_nif:probe(),
                written :: flame_prof:perf_map(),
                is_due = false :: boolean(),      % a write has failed
                failure :: undefined | flame_prof:error_reason()}).

%% @doc Writes the files, and follows if wanted. The options of the last call are
%% in force.
-spec write(flame_prof:perf_map_opts()) ->
    {ok, flame_prof:perf_map()} | {error, flame_prof:error_reason()}.
write(Given) ->
    case checked(Given) of
        {ok, Options} ->
            case possible() of
                ok -> while_running(fun() -> written(Options) end);
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% The application may be stopped, and its supervisor gone, at any moment.
while_running(Write) ->
    try
        Write()
    catch
        exit:Reason ->
            {error, {stopped, line("perf map: flame_prof was stopped meanwhile, call again: ~0tP",
                                   [Reason, 12])}}
    end.

%% @doc Ends following and removes what was written.
-spec stop() -> ok | {error, flame_prof:error_reason()}.
stop() ->
    ok = end_follower(),
    Written = case flame_prof_sup:recall(?WRITTEN) of
                  undefined -> [];
                  Files -> Files
              end,
    ok = flame_prof_sup:remember(?WRITTEN, []),
    removed([flame_prof_nif:remove_file(Directory, Name) || {Directory, Name} <- Written]).

removed(Results) ->
    case [Reason || {error, Reason} <- Results] of
        [] -> ok;
        [Reason | _] -> {error, Reason}
    end.

%% Once, in the process of the caller; or by a process that stays.

written(#{follow := false} = Options) ->
    ok = end_follower(),
    _ = flame_prof_sup:ensure_started(),
    flame_prof_nif:with_probe(auto, fun(Probe) -> write_all(Probe, Options) end);
written(#{follow := true} = Options) ->
    ok = end_follower(),
    case flame_prof_sup:ensure_started() of
        ok -> follow(Options);
        {error, Reason} -> {error, Reason}
    end.

follow(Options) ->
    Spec = #{id => ?MODULE, start => {?MODULE, start_link, [Options]}, restart => temporary,
             shutdown => ?SHUTDOWN_MS},
    case supervisor:start_child(flame_prof_sup, Spec) of
        {ok, Follower} when is_pid(Follower) ->
            gen_server:call(Follower, written, ?CALL_MS);
        %% With the child's specification, by the supervisor.
        {error, {{refused, Reason}, _}} ->
            {error, Reason};
        {error, Reason} ->
            {error, {start_failed, line("perf map: its process did not start: ~0tP", [Reason, 12])}}
    end.

end_follower() ->
    case whereis(flame_prof_sup) of
        undefined -> ok;
        _ -> _ = supervisor:terminate_child(flame_prof_sup, ?MODULE), ok
    end.

%% The process that follows.

-spec start_link(options()) -> {ok, pid()} | {error, term()}.
start_link(Options) ->
    case gen_server:start_link({local, ?MODULE}, ?MODULE, Options, []) of
        {ok, Pid} -> {ok, Pid};
        {error, {shutdown, Refused}} -> {error, Refused};
        {error, Reason} -> {error, Reason};
        ignore -> {error, ignore}
    end.

-spec init(options()) ->
    {ok, #state{}} | {stop, {shutdown, {refused, flame_prof:error_reason()}}}.
init(Options) ->
    process_flag(trap_exit, true),
    case opened(Options) of
        {ok, State} -> {ok, State};
        {error, Reason} -> {stop, {shutdown, {refused, Reason}}}
    end.

opened(Options) ->
    case flame_prof_nif:open_probe(auto) of
        {ok, Probe} -> first(Probe, Options, timer:tc(fun() -> write_all(Probe, Options) end));
        {error, Reason} -> {error, Reason}
    end.

first(Probe, #{interval := Interval} = Options, {Us, {ok, Written}}) ->
    look_again(Interval, Us),
    {ok, #state{options = Options, probe = Probe, written = Written}};
first(Probe, _, {_, {error, Reason}}) ->
    ok = flame_prof_nif:close_probe(Probe),
    {error, Reason}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(written, _, #state{written = Written} = State) ->
    {reply, {ok, Written}, State};
handle_call(_, _, State) ->
    {reply, {error, {bad_request, <<"flame_prof does not know this request">>}}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({?MODULE, look}, #state{options = #{interval := Interval}} = State) ->
    {Us, Looked} = timer:tc(fun() -> look(State) end),
    look_again(Interval, Us),
    {noreply, Looked};
handle_info(_, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_, #state{probe = Probe}) ->
    flame_prof_nif:close_probe(Probe).

look_again(IntervalMs, TookUs) ->
    Rest = max(IntervalMs, TookUs * ?REST_FACTOR div 1000),
    _ = erlang:send_after(Rest, self(), {?MODULE, look}),
    ok.

look(#state{probe = Probe, options = Options, is_due = IsDue} = State) ->
    case flame_prof_nif:code_changed(Probe) orelse IsDue of
        true -> looked(write_all(Probe, Options), State);
        false -> State
    end.

looked({ok, Written}, State) ->
    State#state{written = Written, is_due = false, failure = undefined};
looked({error, Reason}, #state{failure = Reason} = State) ->
    State;
looked({error, {_, Detail} = Reason}, State) ->
    ?LOG_WARNING("flame_prof: the perf map is not current: ~ts", [Detail]),
    State#state{is_due = true, failure = Reason}.

%% Writing.

write_all(Probe, #{layout := false} = Options) ->
    write_map(Probe, Options);
write_all(Probe, #{layout := true} = Options) ->
    case flame_prof_walker:layout(auto) of
        {ok, Layout} ->
            case write_map(Probe, Options) of
                {ok, Written} -> write_layout(Probe, Layout, Written, Options);
                {error, Reason} -> {error, Reason}
            end;
        {refused, Detail} ->
            {error, {refused, <<"layout file: ", Detail/binary>>}}
    end.

write_map(Probe, #{directory := Directory} = Options) ->
    Name = map_name(),
    case map_of(Probe) of
        {ok, Modules, Functions, Text} ->
            Written = #{file => path(Directory, Name), modules => Modules, functions => Functions,
                        bytes => byte_size(Text), follow => maps:get(follow, Options)},
            put_file(Directory, Name, Text, Written);
        {error, Reason} ->
            {error, Reason}
    end.

map_of(Probe) ->
    case flame_prof_nif:load_code(Probe) of
        {ok, Modules} ->
            case flame_prof_nif:perf_map(Probe) of
                {ok, Text, Functions} -> {ok, Modules, Functions, Text};
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

write_layout(Probe, Layout, Written, #{directory := Directory}) ->
    Name = flame_prof_layout:file_name(os:getpid()),
    Facts = flame_prof_layout:facts(Probe, Layout, flame_prof_nif:code_ranges(Probe)),
    put_file(Directory, Name, flame_prof_layout:text(Facts),
             Written#{layout => path(Directory, Name)}).

put_file(Directory, Name, Content, Written) ->
    case flame_prof_nif:replace_file(Directory, Name, Content) of
        ok ->
            remember(Directory, Name),
            {ok, Written};
        {error, {Code, Detail}} ->
            {error, {Code, <<"perf map: ", Detail/binary>>}}
    end.

remember(Directory, Name) ->
    Before = case flame_prof_sup:recall(?WRITTEN) of
                 undefined -> [];
                 Files -> Files
             end,
    ok = flame_prof_sup:remember(?WRITTEN, lists:usort([{Directory, Name} | Before])).

map_name() ->
    iolist_to_binary(["perf-", os:getpid(), ".map"]).

path(Directory, Name) ->
    unicode:characters_to_list(filename:join(Directory, Name)).

%% Where it works.

possible() ->
    case flame_prof_nif:loaded() of
        ok ->
            case writes_its_own() of
                true -> {error, {in_use, line("perf map: the VM writes ~ts by itself (+JPperf)",
                                              [path(<<"/tmp">>, map_name())])}};
                false -> ok
            end;
        {error, Detail} ->
            {error, {unsupported, <<"perf map: ", Detail/binary>>}}
    end.

%% What +J flags become on the command line of the emulator.
writes_its_own() ->
    case file:read_file("/proc/self/cmdline") of
        {ok, Line} -> writes_map(binary:split(Line, <<0>>, [global]));
        {error, _} -> false
    end.

writes_map([<<"-JPperf">>, Value | _]) when Value =:= <<"true">>; Value =:= <<"map">> -> true;
writes_map([<<"--">> | _]) -> false;
writes_map([_ | Rest]) -> writes_map(Rest);
writes_map([]) -> false.

%% Options.

checked(Given) when is_map(Given) ->
    Defaults = #{follow => false, interval => ?INTERVAL_MS, layout => false, directory => <<"/tmp">>},
    Wrong = [{Key, Value} || {Key, Value} <- maps:to_list(Given), not is_valid(Key, Value)],
    case Wrong of
        [] ->
            #{directory := Directory} = Options = maps:merge(Defaults, Given),
            {ok, Options#{directory := unicode:characters_to_binary(Directory)}};
        [{Key, Value} | _] ->
            {error, {bad_option,
                     line("perf map: ~0tP => ~0tP; options are follow => boolean, interval => ~b or "
                          "more (milliseconds), layout => boolean, directory => name",
                          [Key, 8, Value, 8, ?INTERVAL_MIN_MS])}}
    end;
checked(Given) ->
    {error, {bad_option, line("perf map: expected a map of options or stop, got ~0tP", [Given, 8])}}.

is_valid(follow, Value) -> is_boolean(Value);
is_valid(layout, Value) -> is_boolean(Value);
is_valid(interval, Value) ->
    is_integer(Value) andalso Value >= ?INTERVAL_MIN_MS andalso Value =< ?INTERVAL_MAX_MS;
is_valid(directory, Value) -> is_directory_name(Value);
is_valid(_, _) -> false.

is_directory_name(Value) when is_binary(Value), Value =/= <<>> ->
    is_list(unicode:characters_to_list(Value)) andalso binary:match(Value, <<0>>) =:= nomatch;
is_directory_name([_ | _] = Value) ->
    io_lib:char_list(Value) andalso not lists:member(0, Value);
is_directory_name(_) ->
    false.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
