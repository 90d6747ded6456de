%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Has files read outside of the node, by `priv/bin/flame_prof_port'
%% (c_src/cli/port_main.c): the node lends neither its schedulers nor its memory to it,
%% and a file that would crash a reader crashes nothing else. The program runs at the
%% lowest priority, under a limit of memory, and ends with its port: when the answer is
%% there, after the time given, and with the caller.
-module(flame_prof_port).

-export([run/2]).
-export_type([limits/0]).

-type limits() :: #{max_memory := pos_integer(), max_bytes := pos_integer(),
                    timeout := timeout()}.
%% Bytes of the program's memory, bytes of the answer, milliseconds.

-define(PROGRAM, "flame_prof_port").
%% What a program that has answered takes to end.
-define(END_MS, 1000).

%% @doc Runs a command line; gives what it has written, nothing where that went to a file.
-spec run([binary(), ...], limits()) -> {ok, binary()} | {error, flame_prof:error_reason()}.
run(Words, Limits) ->
    Path = filename:join([flame_prof_nif:priv_dir(), "bin", ?PROGRAM]),
    Caller = self(),
    Tag = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() ->
                                       Caller ! {Tag, served(Path, Caller, Words, Limits)}
                                   end),
    receive
        {Tag, Result} -> true = demonitor(Monitor, [flush]), Result;
        {'DOWN', Monitor, process, Pid, Why} -> {error, {failed, line("ended: ~0tP", [Why, 12])}}
    end.

served(Path, Caller, Words, #{timeout := Timeout} = Limits) ->
    _ = process_flag(priority, low),
    Monitor = monitor(process, Caller),
    try open_port({spawn_executable, Path}, [{packet, 4}, binary, exit_status, hide]) of
        Port ->
            Timer = timer(Timeout),
            Answer = asked(Port, Words, Limits, {Monitor, Timer}),
            ended(Port, Answer),
            Answer
    catch
        error:Why -> {error, not_there(Path, Why)}
    end.

timer(infinity) -> none;
timer(Ms) -> erlang:start_timer(Ms, self(), ?MODULE).

not_there(Path, enoent) ->
    {unsupported, line("~ts is not there; it is built with the native library, which takes a C "
                       "compiler (make nif)", [Path])};
not_there(Path, eacces) ->
    {unsupported, line("~ts may not be executed; is it on a file system that is mounted noexec, or "
                       "was its mode lost?", [Path])};
not_there(Path, Why) ->
    {unsupported, line("~ts cannot be run: ~0tp", [Path, Why])}.

asked(Port, Words, #{max_memory := Memory, max_bytes := Bytes} = Limits, Ends) ->
    Request = [[Word, 0] || Word <- [integer_to_binary(Memory), integer_to_binary(Bytes) | Words]],
    try port_command(Port, Request) of
        true -> answer(Port, [], Limits, Ends)
    catch
        error:badarg -> answer(Port, [], Limits, Ends) % it has ended; how is yet to come
    end.

answer(Port, Got, #{timeout := Timeout} = Limits, {Monitor, Timer} = Ends) ->
    receive
        {Port, {data, <<$d, Bytes/binary>>}} -> answer(Port, [Bytes | Got], Limits, Ends);
        {Port, {data, <<$o>>}} -> {ok, iolist_to_binary(lists:reverse(Got))};
        {Port, {data, <<$e, Error/binary>>}} -> {error, error_of(binary:split(Error, <<0>>))};
        {Port, {exit_status, Status}} -> {error, {failed, died(Status)}};
        {'DOWN', Monitor, process, _, _} -> {error, {failed, <<"nobody waits for it">>}};
        {timeout, Timer, ?MODULE} ->
            {error, {timeout, line("not done after ~b ms; give more (timeout), or fewer files",
                                   [Timeout])}}
    end.

%% It ends by itself when it has answered. A port that is closed closes the program's
%% input, by which that ends, too.
ended(Port, {error, {Code, _}}) when Code =:= timeout; Code =:= failed ->
    closed(Port);
ended(Port, _) ->
    receive
        {Port, {exit_status, _}} -> ok
    after ?END_MS ->
        closed(Port)
    end.

closed(Port) ->
    try port_close(Port) of
        true -> ok
    catch
        error:badarg -> ok % it has ended
    end.

died(Status) when Status > 128 ->
    line("the reader was ended by signal ~b; if the host is short of memory, give less "
         "(max_memory)", [Status - 128]);
died(Status) ->
    line("the reader ended with status ~b before it had answered", [Status]).

error_of([<<"bad_argument">>, Detail]) -> {bad_option, Detail};
error_of([Code, Detail]) -> {code(Code), Detail};
error_of([Code]) -> {code(Code), <<>>}.

code(Code) ->
    try binary_to_existing_atom(Code)
    catch error:badarg -> failed
    end.

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
