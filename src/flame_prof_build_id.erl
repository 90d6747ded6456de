%% SPDX-License-Identifier: Apache-2.0
%% @private The GNU build id of an ELF file, by which a build of a program is told from
%% all others.
-module(flame_prof_build_id).

-export([of_file/1]).

-define(PT_NOTE, 4).
-define(NT_GNU_BUILD_ID, 3).
-define(MAX_NOTE_BYTES, 65536).

%% @doc In hexadecimal; "" when there is none, or the file cannot be read.
-spec of_file(file:name_all()) -> string().
of_file(Path) ->
    case file:open(Path, [read, raw, binary]) of
        {ok, File} ->
            Id = in_file(File),
            ok = file:close(File),
            string:lowercase(binary_to_list(binary:encode_hex(Id)));
        {error, _} ->
            ""
    end.

in_file(File) ->
    case file:pread(File, 0, 64) of
        {ok, <<16#7F, "ELF", 2, 1, _:26/binary, Offset:64/little, _:12/binary, HeaderBytes:16/little,
               Size:16/little, Count:16/little, _/binary>>}
          when HeaderBytes =:= 64, Size =:= 56 ->
            in_segments(File, file:pread(File, Offset, Size * Count));
        _ ->
            <<>>
    end.

in_segments(File, {ok, <<?PT_NOTE:32/little, _:4/binary, Offset:64/little, _:16/binary,
                         Bytes:64/little, _:16/binary, Rest/binary>>})
  when Bytes =< ?MAX_NOTE_BYTES ->
    case in_notes(file:pread(File, Offset, Bytes)) of
        <<>> -> in_segments(File, {ok, Rest});
        Id -> Id
    end;
in_segments(File, {ok, <<_:56/binary, Rest/binary>>}) ->
    in_segments(File, {ok, Rest});
in_segments(_, _) ->
    <<>>.

in_notes({ok, Notes}) -> in_note(Notes);
in_notes(_) -> <<>>.

%% Name and content are padded to four bytes.
in_note(<<4:32/little, Bytes:32/little, ?NT_GNU_BUILD_ID:32/little, "GNU", 0, Id:Bytes/binary,
          _/binary>>) ->
    Id;
in_note(<<NameBytes:32/little, Bytes:32/little, _:32, Rest/binary>>) ->
    Skipped = (NameBytes + 3) band (bnot 3) + (Bytes + 3) band (bnot 3),
    case Rest of
        <<_:Skipped/binary, Next/binary>> -> in_note(Next);
        _ -> <<>>
    end;
in_note(_) ->
    <<>>.
