%% SPDX-License-Identifier: Apache-2.0
%% @doc The output files of one session, one open at a time: when a file ends and
%% the next begins, what its footer says, and what happens when a disk is full.
%%
%% A file is only opened for two samples or more, and only ended when it holds
%% two, because Flamescope cannot draw a single one; a lonely sample waits for the
%% next one, at most `hold_max_ms'. A failed write ends the file with what it
%% held; samples are counted as lost until the next attempt succeeds.
%% Time is passed in. Belongs to one process.
-module(flame_prof_file_series).

-export([new/1, write/4, tick/2, note/2, begin_part/3, end_part/3, close/3,
         info/1]).
-export_type([series/0, config/0, batch/0, counters/0]).

-type config() :: #{directory := file:filename(),
                    stem => string(),
                    os_pid := string(),
                    compress := flame_prof_file:compress(),
                    files_max := infinity | pos_integer(),
                    file_bytes_max := infinity | pos_integer(),
                    age_max_ms := infinity | pos_integer(),
                    hold_max_ms := non_neg_integer(),
                    metrics := [binary()],
                    losses := [atom()],
                    degraded := [atom()],
                    header := fun((StartedUnixNs :: integer()) -> iodata())}.
%% `losses' and `degraded' are the reasons that footers list, in their order.

-type batch() :: #{data := iodata(),
                   samples := pos_integer(),
                   period_ns := non_neg_integer(),
                   totals := flame_prof_metric:pairs(),
                   first_unix_ns := integer()}.
%% Whole samples as text, with their sums.

-type counters() :: #{ticks_expected := non_neg_integer(),
                      ticks_taken := non_neg_integer(),
                      losses := #{atom() => non_neg_integer()},
                      degraded := #{atom() => non_neg_integer()}}.
%% Since the session began.

-define(RETRY_MS, 5000).
-define(SAMPLES_MIN, 2).

-record(sums, {samples = 0 :: non_neg_integer(),
               period_ns = 0 :: non_neg_integer(),
               totals :: flame_prof_metric:pairs()}).

-record(series, {config :: config(),
                 sequence = 1 :: pos_integer(),
                 notes = [] :: iodata(),
                 note = [] :: iodata(),
                 is_note_new = false :: boolean(),
                 file :: undefined | flame_prof_file:file(),
                 opened_ms = 0 :: integer(),
                 sums :: #sums{},
                 held :: undefined | batch(),
                 held_ms = 0 :: integer(),
                 counters :: counters(),
                 %% As of the end of the file before: footers tell differences.
                 told :: counters(),
                 unwritten = 0 :: non_neg_integer(),
                 finished = [] :: [file:filename()],
                 written = 0 :: non_neg_integer(),
                 bytes = 0 :: non_neg_integer(),
                 %% The last one; it stays to be seen when writing works again.
                 failure :: undefined | flame_prof:error_reason(),
                 retry_ms :: undefined | integer()}).
-opaque series() :: #series{}.

-spec new(config()) -> series().
new(#{losses := Losses, degraded := Degraded} = Config) ->
    Zero = #{ticks_expected => 0, ticks_taken => 0,
             losses => maps:from_list([{Reason, 0} || Reason <- Losses]),
             degraded => maps:from_list([{Reason, 0} || Reason <- Degraded])},
    #series{config = Config, sums = no_sums(Config), counters = Zero, told = Zero}.

%% @doc Takes samples, and the session's counters as of now.
-spec write(batch(), counters(), NowMs :: integer(), series()) -> series().
write(Batch, Counters, NowMs, Series) ->
    place(NowMs, hold(Batch, NowMs, Series#series{counters = Counters})).

%% @doc To be called now and then, also when there is nothing to write.
-spec tick(NowMs :: integer(), series()) -> series().
tick(NowMs, Series) ->
    place(NowMs, Series).

%% @doc Comment lines for what comes next, and for the header of each file from now on;
%% the last ones only.
-spec note(iodata(), series()) -> series().
note(Note, Series) ->
    Series#series{note = Note, is_note_new = true}.

%% @doc What is written from now on is a part of its own, in a file with these lines
%% in its header; its footer counts from `Told' on.
-spec begin_part(Notes :: iodata(), Told :: counters(), series()) -> series().
begin_part(Notes, Told, Series) ->
    Series#series{notes = Notes, told = counters(Series#series{counters = Told}),
                  retry_ms = undefined, failure = undefined}.

%% @doc Finishes the file of the part; none when there was nothing to write, or it
%% failed (see `write_failure' in info/1).
-spec end_part(End :: binary(), counters(), series()) -> {[file:filename()], series()}.
end_part(End, Counters, #series{finished = Before} = Series) ->
    #series{finished = Now} = Ended = end_file(End, place_anyway(Series#series{counters = Counters})),
    {lists:reverse(lists:sublist(Now, length(Now) - length(Before))), Ended#series{notes = []}}.

%% @doc Finishes the last file. `End' goes into its footer.
-spec close(End :: binary(), counters(), series()) -> {map(), series()}.
close(End, Counters, Series) ->
    Placed = place_anyway(Series#series{counters = Counters}),
    Closed = end_file(End, Placed),
    {summary(Closed), Closed}.

-spec info(series()) -> map().
info(#series{file = File, finished = Finished, written = Written, bytes = Bytes,
             failure = Failure} = Series) ->
    #{files => lists:reverse(Finished),
      file => case File of undefined -> undefined; _ -> flame_prof_file:path(File) end,
      samples => Written + (Series#series.sums)#sums.samples,
      bytes => Bytes + open_bytes(File),
      unwritten => Series#series.unwritten,
      write_failure => Failure}.

%% Placing what is held.

hold(Batch, NowMs, #series{held = undefined} = Series) ->
    Series#series{held = Batch, held_ms = NowMs};
hold(#{data := Data, samples := Count, period_ns := Period, totals := Totals}, _,
     #series{held = #{data := Data0, samples := Count0, period_ns := Period0,
                      totals := Totals0} = Held} = Series) ->
    Series#series{held = Held#{data := [Data0, Data], samples := Count0 + Count,
                               period_ns := Period0 + Period,
                               totals := flame_prof_metric:add(Totals0, Totals)}}.

place(_, #series{held = undefined} = Series) ->
    Series;
place(NowMs, #series{file = undefined, retry_ms = RetryMs} = Series)
        when is_integer(RetryMs), NowMs < RetryMs ->
    drop_held(Series);
place(NowMs, #series{file = undefined} = Series) ->
    case is_enough(NowMs, Series) of
        true -> append(NowMs, open(NowMs, Series));
        false -> Series
    end;
place(NowMs, #series{file = File} = Series) ->
    case flame_prof_file:is_there(File) of
        false -> place(NowMs, vanished(Series));
        true -> place_there(is_due(NowMs, Series), NowMs, Series)
    end.

place_there(false, NowMs, Series) ->
    append(NowMs, Series);
place_there(true, NowMs, #series{held = #{samples := Count}} = Series)
        when Count >= ?SAMPLES_MIN ->
    place(NowMs, end_file(<<"complete">>, Series));
place_there(true, NowMs, Series) ->
    case is_enough(NowMs, Series) of
        true -> append(NowMs, Series);
        false -> Series
    end.

%% At the end a lonely sample goes wherever it can.
place_anyway(#series{held = undefined} = Series) ->
    Series;
place_anyway(#series{file = undefined, retry_ms = undefined} = Series) ->
    append(0, open(0, Series));
place_anyway(#series{file = undefined} = Series) ->
    drop_held(Series);
place_anyway(Series) ->
    append(0, Series).

is_enough(_, #series{held = #{samples := Count}}) when Count >= ?SAMPLES_MIN -> true;
is_enough(NowMs, #series{held_ms = Since, config = #{hold_max_ms := HoldMs}}) ->
    NowMs - Since >= HoldMs.

is_due(_, #series{sums = #sums{samples = Samples}}) when Samples < ?SAMPLES_MIN ->
    false;
is_due(NowMs, #series{opened_ms = OpenedMs, file = File, held = #{data := Data},
                      config = #{age_max_ms := AgeMs, file_bytes_max := Bytes, compress := Compress}}) ->
    %% `infinity' is greater than any number.
    NowMs - OpenedMs >= AgeMs
        orelse flame_prof_file:size_bytes(File) + expected_bytes(Compress, Data) > Bytes.

%% How well a batch compresses is known when it has been written.
expected_bytes(none, Data) -> iolist_size(Data);
expected_bytes(gzip, _) -> 0.

open(NowMs, #series{config = #{directory := Directory, compress := Compress} = Config,
                    sequence = Sequence, held = #{first_unix_ns := UnixNs}} = Series) ->
    Name = flame_prof_file:name(stem(Config), UnixNs, maps:get(os_pid, Config), Sequence, Compress),
    Next = Series#series{sequence = Sequence + 1},
    case open_file(Directory, Name, Compress) of
        {ok, File} ->
            with_header(UnixNs, Next#series{file = File, opened_ms = NowMs,
                                            sums = no_sums(Config), retry_ms = undefined});
        exists ->
            open(NowMs, Next);
        {error, Reason} ->
            failed(Reason, NowMs, Series)
    end.

stem(Config) -> maps:get(stem, Config, "flame_prof").

open_file(Directory, Name, Compress) ->
    case flame_prof_file:open(Directory, Name, Compress) of
        {error, {enoent, _}} ->
            case flame_prof_file:ensure_directory(Directory) of
                ok -> flame_prof_file:open(Directory, Name, Compress);
                {error, Reason} -> {error, Reason}
            end;
        Result ->
            Result
    end.

with_header(UnixNs, #series{file = File, opened_ms = NowMs,
                            notes = Notes, config = #{header := Header}} = Series) ->
    case flame_prof_file:append(File, [Header(UnixNs), Notes, Series#series.note]) of
        {ok, Headed} ->
            Series#series{file = Headed, is_note_new = false};
        {error, Reason, Cut} ->
            ok = flame_prof_file:discard(Cut),
            failed(Reason, NowMs, Series#series{file = undefined})
    end.

append(_, #series{file = undefined} = Series) ->
    drop_held(Series);
append(NowMs, #series{file = File, held = #{data := Data} = Held, sums = Sums} = Series) ->
    case flame_prof_file:append(File, [new_note(Series), Data]) of
        {ok, Appended} ->
            Series#series{file = Appended, held = undefined, sums = add(Held, Sums),
                          is_note_new = false};
        {error, {_, Detail} = Reason, Cut} ->
            Dropped = drop_held(Series#series{file = Cut}),
            failed(Reason, NowMs, end_file(Detail, Dropped))
    end.

new_note(#series{is_note_new = false}) -> [];
new_note(#series{note = Note}) -> Note.

add(#{samples := Count, period_ns := Period, totals := Totals},
    #sums{samples = Count0, period_ns = Period0, totals = Totals0}) ->
    #sums{samples = Count0 + Count, period_ns = Period0 + Period,
          totals = flame_prof_metric:add(Totals0, Totals)}.

%% Endings.

end_file(_, #series{file = undefined} = Series) ->
    Series;
end_file(_, #series{file = File, sums = #sums{samples = 0}} = Series) ->
    ok = flame_prof_file:discard(File),
    Series#series{file = undefined};
end_file(End, #series{file = File, sums = #sums{samples = Samples}, config = Config} = Series) ->
    Ended = Series#series{file = undefined, sums = no_sums(Config)},
    case flame_prof_file:finish(File, footer(End, Series)) of
        {ok, Path, Bytes} ->
            ok = flame_prof_file:prune(maps:get(directory, Config), stem(Config),
                                       maps:get(files_max, Config)),
            Ended#series{finished = [Path | Ended#series.finished],
                         written = Ended#series.written + Samples,
                         bytes = Ended#series.bytes + Bytes,
                         told = counters(Series)};
        {error, Reason} ->
            lost(Samples, Ended#series{failure = Reason})
    end.

vanished(#series{file = File, sums = #sums{samples = Samples}, config = Config} = Series) ->
    Path = flame_prof_file:path(File),
    ok = flame_prof_file:discard(File),
    Detail = unicode:characters_to_binary(
               io_lib:format("~ts was removed while it was written; a new one was begun", [Path])),
    lost(Samples, Series#series{file = undefined, sums = no_sums(Config),
                                failure = {enoent, Detail}}).

failed(Reason, NowMs, Series) ->
    Series#series{failure = Reason, retry_ms = NowMs + ?RETRY_MS}.

drop_held(#series{held = undefined} = Series) ->
    Series;
drop_held(#series{held = #{samples := Count}} = Series) ->
    lost(Count, Series#series{held = undefined}).

lost(Count, #series{unwritten = Unwritten} = Series) ->
    Series#series{unwritten = Unwritten + Count}.

no_sums(#{metrics := Metrics}) ->
    #sums{totals = [{0, 0} || _ <- Metrics]}.

open_bytes(undefined) -> 0;
open_bytes(File) -> flame_prof_file:size_bytes(File).

counters(#series{counters = #{losses := Losses} = Counters, unwritten = Unwritten}) ->
    Counters#{losses := Losses#{write_failed => Unwritten}}.

footer(End, #series{sums = #sums{samples = Samples, period_ns = Period, totals = Totals},
                    told = Told, config = #{metrics := Metrics, losses := Losses,
                                            degraded := Degraded}} = Series) ->
    Now = counters(Series),
    flame_prof_text:footer(
      #{'end' => End, samples => Samples, period_total_ns => Period,
        totals => lists:zipwith(fun(Metric, {V, D}) -> {Metric, V, D} end, Metrics, Totals),
        ticks_expected => maps:get(ticks_expected, Now) - maps:get(ticks_expected, Told),
        ticks_taken => maps:get(ticks_taken, Now) - maps:get(ticks_taken, Told),
        losses => since(losses, Losses, Now, Told),
        degraded => since(degraded, Degraded, Now, Told)}).

since(Key, Reasons, Now, Told) ->
    #{Key := NowCounts} = Now,
    #{Key := ToldCounts} = Told,
    [{Reason, maps:get(Reason, NowCounts, 0) - maps:get(Reason, ToldCounts, 0)}
     || Reason <- Reasons].

summary(#series{finished = Finished, written = Written, bytes = Bytes} = Series) ->
    Counters = counters(Series),
    maps:merge(#{files => [Path || Path <- lists:reverse(Finished), is_file(Path)],
                 samples => Written,
                 bytes => Bytes,
                 write_failure => Series#series.failure},
               Counters).

is_file(Path) ->
    element(1, file:read_link_info(Path, [raw])) =:= ok.
