%% SPDX-License-Identifier: Apache-2.0
%% @doc One gzip member, written piece by piece.
%%
%% Each piece ends on a byte boundary and is complete for a reader. So a file can
%% be cut back to the end of any piece and still be given a valid tail: that is
%% what a full disk asks for, and why `zlib:gzip/1' and the like do not do. One
%% member, since not every reader takes several.
-module(flame_prof_gzip).

-export([open/0, append/2, cut_back/1, tail/1, close/1]).
-export_type([gzip/0]).

-record(gzip, {z :: zlib:zstream(),
               crc = 0 :: non_neg_integer(),
               size_bytes = 0 :: non_neg_integer()}).
-opaque gzip() :: #gzip{}.

%% Negative: no zlib wrapper around the deflated data.
-define(RAW_WINDOW_BITS, -15).
-define(MEMORY_LEVEL, 8).
%% Text this regular shrinks hardly less at a higher level.
-define(LEVEL, 3).
-define(HEADER, <<31, 139, 8, 0, 0:32, 0, 255>>).
-define(EMPTY_LAST_BLOCK, <<3, 0>>).

%% @doc Starts a member for the calling process; `Head' goes first into the file.
-spec open() -> {gzip(), Head :: iodata()}.
open() ->
    Z = zlib:open(),
    ok = zlib:deflateInit(Z, ?LEVEL, deflated, ?RAW_WINDOW_BITS, ?MEMORY_LEVEL, default),
    {#gzip{z = Z}, ?HEADER}.

-spec append(gzip(), iodata()) -> {gzip(), iodata()}.
append(#gzip{z = Z, crc = Crc, size_bytes = Size} = Gzip, Data) ->
    Compressed = zlib:deflate(Z, Data, sync),
    {Gzip#gzip{crc = erlang:crc32(Crc, Data), size_bytes = Size + iolist_size(Data)}, Compressed}.

%% @doc The member as it was before pieces that did not reach the file.
-spec cut_back(gzip()) -> gzip().
cut_back(#gzip{z = Z} = Gzip) ->
    %% What follows must not refer back to what the file does not hold.
    ok = zlib:deflateReset(Z),
    Gzip.

%% @doc What has to stand at the end of the file.
-spec tail(gzip()) -> iodata().
tail(#gzip{crc = Crc, size_bytes = Size}) ->
    [?EMPTY_LAST_BLOCK, <<Crc:32/little, Size:32/little>>].

-spec close(gzip()) -> ok.
close(#gzip{z = Z}) ->
    zlib:close(Z).
