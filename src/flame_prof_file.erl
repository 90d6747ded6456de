%% SPDX-License-Identifier: Apache-2.0
%% @doc One output file: hidden while it is written, renamed when it is complete.
%%
%% Nobody ever sees a file with half a sample: when a write fails, the file is cut
%% back to the last whole one and can still be finished. Belongs to one process.
%%
%% All calls that may happen under load avoid the file server, a process of
%% normal priority that waits behind the load like everybody (2021 lost 25 s that
%% way). For renaming and listing that means `prim_file', which `file' itself
%% is made of.
-module(flame_prof_file).

-export([ensure_directory/1, name/4, name/5, open/3, append/2, finish/2, discard/1]).
-export([path/1, size_bytes/1, is_there/1, finished/1, prune/2, prune/3]).
-export_type([file/0, compress/0]).

-type compress() :: none | gzip.
-record(file, {directory :: file:filename(),
               name :: string(),
               fd :: file:fd(),
               gzip :: undefined | flame_prof_gzip:gzip(),
               size_bytes = 0 :: non_neg_integer()}).
-opaque file() :: #file{}.

%% Names of finished files; nothing else in the directory is ever deleted.
-define(STEM, "flame_prof").
-define(OURS, "-([0-9]{8}T[0-9]{6}Z)-[0-9]+-([0-9]{4,})\\.perf(\\.gz)?$").

%% @doc Makes the directory if it is missing, and proves that it can be written.
-spec ensure_directory(file:filename()) -> ok | {error, flame_prof:error_reason()}.
ensure_directory(Directory) ->
    case filelib:ensure_path(Directory) of
        ok -> ensure_writable(Directory);
        {error, Reason} -> {error, reason("basename: cannot make directory", Directory, Reason)}
    end.

ensure_writable(Directory) ->
    Probe = filename:join(Directory, ".flame_prof-" ++ os:getpid() ++ ".probe"),
    case file:write_file(Probe, <<"x">>, [raw]) of
        ok ->
            _ = file:delete(Probe, [raw]),
            ok;
        {error, Reason} ->
            _ = file:delete(Probe, [raw]),
            {error, reason("basename: cannot write into directory", Directory, Reason)}
    end.

%% @doc The same as {@link name/5} with the usual stem.
-spec name(UnixNs :: integer(), OsPid :: string(), Sequence :: pos_integer(), compress()) ->
    string().
name(UnixNs, OsPid, Sequence, Compress) ->
    name(?STEM, UnixNs, OsPid, Sequence, Compress).

%% @doc The final name: stem, UTC of the first sample, OS process, running number.
-spec name(Stem :: string(), UnixNs :: integer(), OsPid :: string(), Sequence :: pos_integer(),
           compress()) -> string().
name(Stem, UnixNs, OsPid, Sequence, Compress) ->
    {{Year, Month, Day}, {Hour, Minute, Second}} =
        calendar:system_time_to_universal_time(UnixNs, nanosecond),
    lists:flatten(
      io_lib:format("~s-~4..0b~2..0b~2..0bT~2..0b~2..0b~2..0bZ-~s-~s.perf~s",
                    [Stem, Year, Month, Day, Hour, Minute, Second, OsPid, padded(Sequence),
                     suffix(Compress)])).

%% A field of io_lib:format/2 that is too narrow would be shown as asterisks.
padded(Sequence) when Sequence < 10000 -> io_lib:format("~4..0b", [Sequence]);
padded(Sequence) -> integer_to_list(Sequence).

%% @doc Opens a file that will be called `Name'; `exists' when there is one.
-spec open(file:filename(), string(), compress()) ->
    {ok, file()} | exists | {error, flame_prof:error_reason()}.
open(Directory, Name, Compress) ->
    Part = part(Directory, Name),
    case file:read_link_info(filename:join(Directory, Name), [raw]) of
        {ok, _} -> exists;
        {error, _} -> opened(file:open(Part, [raw, write, exclusive, binary]),
                             Directory, Name, Compress)
    end.

opened({ok, Fd}, Directory, Name, Compress) ->
    with_head(Compress, #file{directory = Directory, name = Name, fd = Fd});
opened({error, eexist}, _, _, _) ->
    exists;
opened({error, Reason}, Directory, Name, _) ->
    {error, reason("cannot open", part(Directory, Name), Reason)}.

with_head(none, File) ->
    {ok, File};
with_head(gzip, File) ->
    {Gzip, Head} = flame_prof_gzip:open(),
    case write(File#file{gzip = Gzip}, Head) of
        {ok, Opened} ->
            {ok, Opened};
        {error, Reason, Cut} ->
            discard(Cut),
            {error, Reason}
    end.

%% @doc Appends whole samples. After an error the file holds what it held before.
-spec append(file(), iodata()) -> {ok, file()} | {error, flame_prof:error_reason(), file()}.
append(#file{gzip = undefined} = File, Data) ->
    write(File, Data);
append(#file{gzip = Gzip} = File, Data) ->
    {Appended, Compressed} = flame_prof_gzip:append(Gzip, Data),
    case write(File, Compressed) of
        {ok, Written} -> {ok, Written#file{gzip = Appended}};
        {error, Reason, Cut} -> {error, Reason, Cut#file{gzip = flame_prof_gzip:cut_back(Gzip)}}
    end.

write(#file{fd = Fd, size_bytes = Size} = File, Data) ->
    case file:write(Fd, Data) of
        ok ->
            {ok, File#file{size_bytes = Size + iolist_size(Data)}};
        {error, Reason} ->
            _ = file:position(Fd, Size),
            _ = file:truncate(Fd),
            {error, reason("cannot write", path(File), Reason), File}
    end.

%% @doc Appends the footer where there is room for it and shows the file under
%% its final name.
-spec finish(file(), iodata()) ->
    {ok, file:filename(), SizeBytes :: non_neg_integer()} | {error, flame_prof:error_reason()}.
finish(File, Footer) ->
    Complete = case append(File, Footer) of
                   {ok, Appended} -> Appended;
                   {error, _, Cut} -> Cut
               end,
    TailBytes = with_tail(Complete),
    close(Complete),
    Path = path(Complete),
    case prim_file:rename(hidden(Complete), Path) of
        ok -> {ok, Path, Complete#file.size_bytes + TailBytes};
        {error, Reason} -> {error, reason("cannot rename into place", Path, Reason)}
    end.

with_tail(#file{gzip = undefined}) ->
    0;
with_tail(#file{gzip = Gzip, fd = Fd}) ->
    Tail = flame_prof_gzip:tail(Gzip),
    _ = file:write(Fd, Tail),
    iolist_size(Tail).

%% @doc Removes a file that has nothing in it worth keeping.
-spec discard(file()) -> ok.
discard(File) ->
    close(File),
    _ = file:delete(hidden(File), [raw]),
    ok.

%% @doc The final name with its directory.
-spec path(file()) -> file:filename().
path(#file{directory = Directory, name = Name}) ->
    filename:join(Directory, Name).

%% @doc What is on the disk so far.
-spec size_bytes(file()) -> non_neg_integer().
size_bytes(#file{size_bytes = Size}) ->
    Size.

%% @doc Whether the file still has a name: somebody may have removed the directory.
-spec is_there(file()) -> boolean().
is_there(File) ->
    case file:read_link_info(hidden(File), [raw]) of
        {ok, _} -> true;
        {error, _} -> false
    end.

%% @doc The finished files of a directory, oldest first.
-spec finished(file:filename()) -> [file:filename()].
finished(Directory) ->
    finished(Directory, ?STEM).

finished(Directory, Stem) ->
    case prim_file:list_dir(Directory) of
        {ok, Names} ->
            Keys = lists:filtermap(fun(Name) -> sort_key(Name, Stem) end, Names),
            [filename:join(Directory, Name) || {_, _, Name} <- lists:sort(Keys)];
        {error, _} ->
            []
    end.

%% @doc The same as {@link prune/3} with the usual stem.
-spec prune(file:filename(), infinity | pos_integer()) -> ok.
prune(Directory, Max) ->
    prune(Directory, ?STEM, Max).

%% @doc Deletes all but the youngest `Max' finished files of a stem.
-spec prune(file:filename(), Stem :: string(), infinity | pos_integer()) -> ok.
prune(_, _, infinity) ->
    ok;
prune(Directory, Stem, Max) ->
    Files = finished(Directory, Stem),
    Excess = lists:sublist(Files, max(0, length(Files) - Max)),
    lists:foreach(fun(Path) -> file:delete(Path, [raw]) end, Excess).

sort_key([_ | _] = Name, Stem) ->
    %% `re' refuses characters beyond Latin-1, and names need not be ours.
    case lists:max(Name) < 128 andalso string:prefix(Name, Stem) of
        [_ | _] = Rest -> sort_key_of(re:run(Rest, "^" ++ ?OURS, [{capture, [1, 2], list}]), Name);
        _ -> false
    end;
sort_key(_, _) ->
    false.

sort_key_of({match, [Time, Sequence]}, Name) -> {true, {Time, list_to_integer(Sequence), Name}};
sort_key_of(nomatch, _) -> false.

close(#file{fd = Fd, gzip = Gzip}) ->
    _ = file:close(Fd),
    close_gzip(Gzip).

close_gzip(undefined) -> ok;
close_gzip(Gzip) -> flame_prof_gzip:close(Gzip).

hidden(#file{directory = Directory, name = Name}) ->
    part(Directory, Name).

part(Directory, Name) ->
    filename:join(Directory, [$. | Name] ++ ".part").

suffix(none) -> "";
suffix(gzip) -> ".gz".

reason(What, Path, Reason) ->
    Hint = case Reason of
               enospc -> "; free some space";
               eacces -> "; give one that this user may write to";
               erofs -> "; give one on a writable file system";
               _ -> ""
           end,
    {Reason, unicode:characters_to_binary(
               io_lib:format("~s ~ts: ~s (~ts)~s",
                             [What, Path, file:format_error(Reason), Reason, Hint]))}.
