%% SPDX-License-Identifier: Apache-2.0
%% @doc The text of /tmp/flame_prof-PID.layout, by which a program outside of the
%% VM finds processes and their stacks in its memory; docs/layout-file.md is its
%% contract.
-module(flame_prof_layout).

-export([text/1, facts/3, file_name/1]).
-export_type([facts/0]).

-define(VERSION, 1).

-type facts() :: #{os_pid := string(),
                   start_ticks := non_neg_integer(),
                   otp_release := string(),
                   erts_version := string(),
                   machine := string(),
                   build_id := string(),
                   code_list := non_neg_integer(),
                   layout := flame_prof_nif:layout(),
                   code := [{Start :: non_neg_integer(), End :: non_neg_integer()}],
                   scheduler_offsets := #{atom() => non_neg_integer()},
                   schedulers := [{Kind :: normal | dirty_cpu | dirty_io, Number :: pos_integer(),
                                   Address :: non_neg_integer(), Tid :: non_neg_integer()}]}.
%% No schedulers where theirs were not found, "" and 0 for what is not known.

-spec file_name(OsPid :: string()) -> binary().
file_name(OsPid) ->
    iolist_to_binary(["flame_prof-", OsPid, ".layout"]).

%% @doc What the running VM is, with a layout that has been verified in it.
-spec facts(flame_prof_nif:probe(), flame_prof_nif:layout(),
            [{non_neg_integer(), non_neg_integer()}]) -> facts().
facts(Probe, Layout, Code) ->
    Offsets = flame_prof_nif:scheduler_offsets(),
    #{os_pid => os:getpid(),
      start_ticks => start_ticks(),
      otp_release => erlang:system_info(otp_release),
      erts_version => erlang:system_info(version),
      machine => hd(string:split(erlang:system_info(system_architecture), "-")),
      build_id => flame_prof_build_id:of_file("/proc/self/exe"),
      code_list => flame_prof_nif:code_list(Probe),
      layout => Layout,
      code => Code,
      scheduler_offsets => Offsets,
      schedulers => schedulers(flame_prof_nif:find_schedulers(Probe, Layout, counts(), Offsets))}.

schedulers({ok, Schedulers}) -> Schedulers;
schedulers({error, _}) -> [].

counts() ->
    {erlang:system_info(schedulers), erlang:system_info(dirty_cpu_schedulers),
     erlang:system_info(dirty_io_schedulers)}.

%% @doc The text, whose last line is `end'.
-spec text(facts()) -> iolist().
text(#{layout := Layout, code := Code} = Facts) ->
    Table = [table_address, slot_cnt, slot_in_low_bits, binaries_in_bits],
    Sizes = [process_bytes, message_bytes, psd_bytes],
    [line("flame_prof_layout", [?VERSION]),
     [line(Key, [maps:get(Key, Facts)])
      || Key <- [os_pid, start_ticks, otp_release, erts_version, machine]],
     [line("build_id", [Id]) || Id <- [maps:get(build_id, Facts)], Id =/= ""],
     line("pid_encoding", [pid_encoding(Layout)]),
     line("process_table", [{address, maps:get(table_address, Layout)},
                            maps:get(slot_cnt, Layout)]),
     [line("size", [Key, maps:get(Key, Layout)]) || Key <- Sizes],
     [line("offset", [Key, Offset])
      || {Key, Offset} <- lists:sort(maps:to_list(maps:without(Table ++ Sizes, Layout)))],
     scheduler_lines(Facts),
     [line("code_list", [{address, List}]) || List <- [maps:get(code_list, Facts)], List =/= 0],
     [line("code", [{address, Start}, {address, End}]) || {Start, End} <- Code],
     "end\n"].

scheduler_lines(#{schedulers := []}) ->
    [];
scheduler_lines(#{schedulers := Schedulers, scheduler_offsets := Offsets}) ->
    [[line("scheduler_offset", [Key, Offset]) || {Key, Offset} <- lists:sort(maps:to_list(Offsets))],
     [line("scheduler", [Kind, Number, {address, Address}, Tid])
      || {Kind, Number, Address, Tid} <- Schedulers]].

pid_encoding(#{slot_in_low_bits := 0}) -> slot_in_high_word;
pid_encoding(#{slot_in_low_bits := _}) -> slot_in_low_bits.

line(Key, Values) ->
    [lists:join($\s, [value(Key) | [value(Value) || Value <- Values]]), $\n].

value({address, Address}) -> ["0x", string:lowercase(integer_to_list(Address, 16))];
value(Number) when is_integer(Number) -> integer_to_list(Number);
value(Atom) when is_atom(Atom) -> atom_to_list(Atom);
value(Text) -> Text.

%% When this OS process began, which with its number names it: field 22 of stat,
%% counted behind the name, which may hold blanks.
start_ticks() ->
    {ok, Stat} = file:read_file("/proc/self/stat"),
    [_, Rest] = string:split(Stat, ") ", trailing),
    binary_to_integer(lists:nth(22 - 2, string:lexemes(Rest, " "))).
