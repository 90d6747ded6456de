%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Which files are those of the running session, or of the last one: what it has
%% finished, and what it is writing, which can be read up to what was written last.
-module(flame_prof_session_files).

-export([find/1, chosen/2]).
-export_type([engine/0]).

-type engine() :: wall | cpu | all.
%% `wall': what processes do; `cpu': what schedulers run.

-type series() :: #{directory := file:filename(), stem := string(), since_us := integer(),
                    os_pid := string()}.

%% @doc The oldest first. Names alone tell, since files are finished, and old ones
%% deleted, at any time.
-spec find(engine()) -> {ok, [file:filename(), ...]} | {error, flame_prof:error_reason()}.
find(Engine) ->
    case flame_prof_session:series() of
        {ok, #{directory := Directory} = Series} -> found(Engine, Series, listed(Directory));
        {error, Reason} -> {error, Reason}
    end.

listed(Directory) ->
    case prim_file:list_dir(Directory) of
        {ok, Names} -> [Name || [_ | _] = Name <- Names];
        {error, _} -> []
    end.

found(Engine, #{directory := Directory} = Series, Names) ->
    case chosen(Series#{engine => Engine}, Names) of
        [] ->
            {error, {empty, line("the session has no file of its ~ts in ~ts yet~ts",
                                 [described(Engine), Directory, hint(Engine)])}};
        Chosen ->
            {ok, [filename:join(Directory, Name) || Name <- Chosen]}
    end.

described(wall) -> "processes";
described(cpu) -> "schedulers";
described(all) -> "samples".

hint(wall) -> "; engine => cpu has those of the schedulers";
hint(_) -> "".

%% @doc Of names in a directory those of a series; `.NAME.part' is being written.
-spec chosen(#{engine := engine(), atom() => term()} | series(), [string()]) -> [string()].
chosen(#{stem := Stem, since_us := SinceUs, os_pid := OsPid, engine := Engine}, Names) ->
    Since = stamp(SinceUs),
    Keys = [Key || Name <- Names,
                   {Time, _, _} = Key <- [key(Name, stems(Engine, Stem), OsPid)], Time >= Since],
    [Name || {_, _, Name} <- lists:sort(Keys)].

stems(wall, Stem) -> [Stem];
stems(cpu, Stem) -> [Stem ++ "_cpu"];
stems(all, Stem) -> stems(wall, Stem) ++ stems(cpu, Stem).

key(_, [], _) ->
    false;
key(Name, [Stem | Stems], OsPid) ->
    Shown = string:trim(Name, leading, "."),
    %% `re' refuses characters beyond Latin-1, and names need not be ours.
    case lists:max(Name) < 128 andalso string:prefix(Shown, Stem ++ "-") of
        [_ | _] = Rest -> key_of(matched(Rest, OsPid), Name, Stems, OsPid);
        _ -> key(Name, Stems, OsPid)
    end.

key_of({match, [Time, Sequence]}, Name, _, _) -> {Time, list_to_integer(Sequence), Name};
key_of(nomatch, Name, Stems, OsPid) -> key(Name, Stems, OsPid).

matched(Rest, OsPid) ->
    re:run(Rest, "^([0-9]{8}T[0-9]{6}Z)-" ++ OsPid ++ "-([0-9]{4,})\\.(?:perf|perf\\.gz|fpc)(?:\\.part)?$",
           [{capture, [1, 2], list}]).

%% As it is in names, so that they compare.
stamp(Us) ->
    {{Year, Month, Day}, {Hour, Minute, Second}} =
        calendar:system_time_to_universal_time(Us, microsecond),
    lists:flatten(io_lib:format("~4..0b~2..0b~2..0bT~2..0b~2..0b~2..0bZ",
                                [Year, Month, Day, Hour, Minute, Second])).

line(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments)).
