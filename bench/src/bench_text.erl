%% SPDX-License-Identifier: Apache-2.0
%% @doc Reads the files that a profiler wrote, for what the benches ask of them.
-module(bench_text).

-export([read/1]).
-export_type([content/0]).

-type content() :: #{times_us := [integer()],               % of all samples, ascending
                     bytes := non_neg_integer(),
                     queue_max := non_neg_integer(),        % the longest message queue seen
                     footer := #{binary() => integer()}}.   % what is a number in it, added up

-spec read([file:filename()]) -> content().
read(Files) ->
    Content = lists:foldl(fun read/2, #{times_us => [], bytes => 0, queue_max => 0, footer => #{}}, Files),
    maps:update_with(times_us, fun lists:sort/1, Content).

read(File, #{bytes := Bytes} = Content) ->
    {ok, Device} = file:open(File, [read, raw, binary, {read_ahead, 1 bsl 20}]),
    try
        lines(Device, Content#{bytes := Bytes + filelib:file_size(File)})
    after
        file:close(Device)
    end.

lines(Device, Content) ->
    case file:read_line(Device) of
        {ok, <<"\t", _/binary>>} -> lines(Device, Content);
        {ok, <<"\n">>} -> lines(Device, Content);
        {ok, <<"# ", Comment/binary>>} -> lines(Device, comment(Comment, Content));
        {ok, Event} -> lines(Device, event(Event, Content));
        eof -> Content
    end.

comment(Comment, #{footer := Footer} = Content) ->
    case binary:split(Comment, [<<": ">>, <<"\n">>], [global]) of
        [Key, Value | _] ->
            try binary_to_integer(Value) of
                Number -> Content#{footer := Footer#{Key => Number + maps:get(Key, Footer, 0)}}
            catch
                error:badarg -> Content
            end;
        _ ->
            Content
    end.

%% "... [000] SECONDS.MICROS: ..."
event(Line, #{times_us := Times, queue_max := Max} = Content) ->
    [_, After] = binary:split(Line, <<"] ">>),
    [Seconds, Micros | _] = binary:split(After, [<<".">>, <<":">>], [global]),
    Time = binary_to_integer(Seconds) * 1000000 + binary_to_integer(Micros),
    Content#{times_us := [Time | Times], queue_max := max(Max, queue(Line))}.

queue(Line) ->
    case binary:split(Line, <<"erlang_message_queue_len: ">>) of
        [_, After] -> binary_to_integer(hd(binary:split(After, <<",">>)));
        [_] -> 0
    end.
