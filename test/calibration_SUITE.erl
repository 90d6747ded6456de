%% SPDX-License-Identifier: Apache-2.0
%% How the walker finds out where this VM keeps what it reads, and that it
%% refuses whatever is in doubt: every single field of the layout is put in a
%% wrong place here, and must be noticed.
-module(calibration_SUITE).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile([export_all, nowarn_export_all]).

-define(CALIBRATION, flame_prof_calibration).
-define(VERIFICATION, flame_prof_verification).
-define(FACTS, [slot_in_low_bits, binaries_in_bits, message_bytes, process_bytes, psd_bytes, table_address, slot_cnt]).

suite() ->
    [{timetrap, {minutes, 3}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), is_case(atom_to_list(Name))].

is_case("it_" ++ _) -> true;
is_case(_) -> false.

init_per_suite(Config) ->
    case flame_prof_nif:loaded() of
        ok ->
            {ok, Probe} = flame_prof_nif:open_probe(auto),
            case ?CALIBRATION:layout(Probe, release()) of
                {ok, Layout} -> [{layout, Layout} | Config];
                {refused, Why} -> {skip, binary_to_list(Why)}
            end;
        {error, Why} ->
            {skip, binary_to_list(Why)}
    end.

end_per_suite(_) ->
    ok.

init_per_testcase(_, Config) ->
    {ok, Probe} = flame_prof_nif:open_probe(auto),
    [{probe, Probe} | Config].

end_per_testcase(_, Config) ->
    flame_prof_nif:close_probe(?config(probe, Config)).

release() -> erlang:system_info(otp_release).

%% --- discovery ----------------------------------------------------------------------

it_finds_every_field_where_the_table_has_it(Config) ->
    case flame_prof_nif:known_layout(release()) of
        undefined ->
            {skip, "no table of OTP " ++ release()};
        Known ->
            {Candidates, _} = ?CALIBRATION:discover(?config(probe, Config)),
            ?assertEqual([], [{Field, Offset, maps:get(Field, Candidates, missing)}
                              || {Field, Offset} <- maps:to_list(Known),
                                 not lists:member(Offset, maps:get(Field, Candidates, []))]),
            ?assertEqual(lists:sort(maps:keys(Known)), lists:sort(maps:keys(Candidates))),
            ?assertEqual({ok, Known}, ?CALIBRATION:check(Candidates, Known))
    end.

%% A release that nobody knows: what was found must be enough.
it_needs_no_table(Config) ->
    {Candidates, Facts} = ?CALIBRATION:discover(?config(probe, Config)),
    {ok, Offsets} = ?CALIBRATION:check(Candidates, undefined),
    Layout = ?config(layout, Config),
    ?assertEqual(maps:without(?FACTS, Layout), Offsets),
    ?assertEqual(maps:with(maps:keys(Facts), Layout), Facts).

it_takes_the_table_address_from_the_vm(Config) ->
    #{table_address := Address, slot_cnt := Count} = ?config(layout, Config),
    ?assertEqual(erlang:system_info(process_limit), Count),
    Probe = ?config(probe, Config),
    Self = flame_prof_nif:self_address(Probe),
    %% Numbers are given out in turn: ours may be anywhere.
    ?assert(lists:any(fun(First) ->
                          Slots = flame_prof_nif:read_words(Probe, Address + 8 * First, 1024),
                          lists:member(Self, [Word || <<Word:64/little>> <= Slots])
                      end, lists:seq(0, Count - 1, 1024))).

%% The session calibrates at a high priority: what it waits for must not be
%% starved by its waiting.
it_comes_to_the_same_result_every_time_at_a_high_priority(Config) ->
    Layout = ?config(layout, Config),
    Other = [Result || Result <- at_high_priority(fun() -> repeated(60) end),
                       Result =/= {ok, Layout}],
    ?assertEqual([], Other).

repeated(Count) ->
    [begin
         {ok, Probe} = flame_prof_nif:open_probe(auto),
         Result = ?CALIBRATION:layout(Probe, release()),
         flame_prof_nif:close_probe(Probe),
         Result
     end || _ <- lists:seq(1, Count)].

%% On a node that is busy through and through it is needed most.
it_does_not_wait_its_turn_on_a_saturated_node(Config) ->
    Probe = ?config(probe, Config),
    Hogs = flame_prof_case:hogs(60 * erlang:system_info(schedulers_online)),
    Before = five_turns_us(),
    Heart = flame_prof_case:heart(),
    {Us, Result} = at_high_priority(
                     fun() ->
                         timer:tc(fun() ->
                                      {ok, Layout} = ?CALIBRATION:layout(Probe, release()),
                                      ?VERIFICATION:verify(Probe, Layout, 60)
                                  end)
                     end),
    {_, AwayUs} = flame_prof_case:held_up(Heart),
    %% A machine that others use too may have been quick or slow for a moment.
    TurnsUs = max(Before, five_turns_us()),
    flame_prof_case:end_all(Hogs),
    ct:pal("~b ms, a turn takes ~b ms", [Us div 1000, TurnsUs div 5000]),
    ?assertEqual(ok, Result),
    %% It meets some hundred processes: waiting for each would take as many turns.
    ?assert(Us < max(4000000 + AwayUs, 15 * TurnsUs)).

five_turns_us() ->
    {Us, _} = timer:tc(fun() -> [erlang:yield() || _ <- lists:seq(1, 5)] end),
    Us.

at_high_priority(Fun) ->
    Before = process_flag(priority, high),
    try Fun() after process_flag(priority, Before) end.

it_leaves_nothing_behind(Config) ->
    Before = {processes(), registered(), threads()},
    {ok, Layout} = ?CALIBRATION:layout(?config(probe, Config), release()),
    ok = ?VERIFICATION:verify(?config(probe, Config), Layout, 60),
    flame_prof_case:eventually(fun() -> {processes(), registered(), threads()} =:= Before end),
    ?assertEqual({messages, []}, process_info(self(), messages)).

threads() ->
    {ok, Names} = file:list_dir("/proc/self/task"),
    length(Names).

%% --- what is wrong is refused: the discovery against the table -----------------------

it_refuses_a_table_with_any_field_moved(Config) ->
    {Candidates, _} = ?CALIBRATION:discover(?config(probe, Config)),
    Known = table(Config),
    [begin
         Moved = Known#{Field := Offset + By},
         ?assertMatch({Field, By, {refused, _}}, {Field, By, ?CALIBRATION:check(Candidates, Moved)}),
         {refused, Reason} = ?CALIBRATION:check(Candidates, Moved),
         ?assertNotEqual(nomatch, binary:match(Reason, atom_to_binary(Field))),
         one_clear_line(Reason)
     end || {Field, Offset} <- maps:to_list(maps:without(optional(), Known)), By <- [8, -8, 4],
            not lists:member(Offset + By, maps:get(Field, Candidates))].

%% What the walker can do without, it does without.
it_leaves_out_an_optional_field_in_doubt(Config) ->
    Probe = ?config(probe, Config),
    {Candidates, _} = ?CALIBRATION:discover(Probe),
    Known = table(Config),
    Layout = ?config(layout, Config),
    [begin
         {ok, Moved} = ?CALIBRATION:check(Candidates, Known#{Field := maps:get(Field, Known) + 8}),
         ?assertEqual(maps:remove(Field, Known), Moved),
         {ok, Lost} = ?CALIBRATION:check(Candidates#{Field := []}, Known),
         ?assertEqual(maps:remove(Field, Known), Lost),
         {ok, Doubtful} = ?CALIBRATION:check(Candidates#{Field := [8, 16]}, undefined),
         ?assertNot(is_map_key(Field, Doubtful)),
         ?assertEqual(ok, ?VERIFICATION:verify(Probe, maps:remove(Field, Layout), 10)),
         [?assertNot(is_map_key(Field, ?VERIFICATION:without_wrong(Probe, Layout#{Field := Offset + By})))
          || By <- [8, -8]]
     end || Field <- optional(), Offset <- [maps:get(Field, Layout)]],
    ?assertEqual(Layout, ?VERIFICATION:without_wrong(Probe, Layout)).

optional() -> ?CALIBRATION:optional().

%% Those that coincide in every helper are told apart by the order of the fields.
it_has_few_fields_that_the_table_must_decide(Config) ->
    {Candidates, _} = ?CALIBRATION:discover(?config(probe, Config)),
    Ambiguous = [Field || {Field, [_, _ | _]} <- maps:to_list(Candidates)],
    ?assertEqual([], Ambiguous -- [bin_vheap_sz, bin_old_vheap_sz, bin_old_vheap, mbuf_sz]).

it_refuses_a_field_that_was_not_found(Config) ->
    {Candidates, _} = ?CALIBRATION:discover(?config(probe, Config)),
    [begin
         {refused, WithTable} = ?CALIBRATION:check(Candidates#{Field := []}, table(Config)),
         {refused, Without} = ?CALIBRATION:check(Candidates#{Field := []}, undefined),
         {refused, _} = ?CALIBRATION:check(maps:remove(Field, Candidates), table(Config)),
         [one_clear_line(Reason) || Reason <- [WithTable, Without]]
     end || Field <- maps:keys(Candidates) -- optional()].

it_refuses_two_places_without_a_table(Config) ->
    {Candidates, _} = ?CALIBRATION:discover(?config(probe, Config)),
    [begin
         {refused, Reason} = ?CALIBRATION:check(Candidates#{Field := [8, 16]}, undefined),
         one_clear_line(Reason)
     end || Field <- maps:keys(Candidates) -- optional()].

%% --- what is wrong is refused: processes read with it --------------------------------

it_verifies_the_true_layout(Config) ->
    ?assertEqual(ok, ?VERIFICATION:verify(?config(probe, Config), ?config(layout, Config), 60)).

%% Also where discovery itself should have gone wrong.
it_does_not_verify_a_layout_with_any_field_moved(Config) ->
    Layout = ?config(layout, Config),
    Results = [{Field, By, refusal(Config, Layout#{Field := maps:get(Field, Layout) + By})}
               || Field <- maps:keys(Layout) -- (optional() ++ [slot_cnt | ?FACTS]), By <- [8, -8],
                  maps:get(Field, Layout) + By >= 0],
    ?assertEqual([], [{Field, By} || {Field, By, verified} <- Results]),
    [one_clear_line(Reason) || {_, _, Reason} <- Results].

it_does_not_verify_a_layout_with_any_two_fields_swapped(Config) ->
    Layout = ?config(layout, Config),
    Fields = [reg, htop, stop, heap, hend, heap_sz, i, reds, msgq_len, inq_len, dictionary,
              high_water, old_heap, old_htop, old_hend, overhead, mbuf_sz, bin_vheap_sz,
              bin_old_vheap_sz, bin_old_vheap],
    Pairs = [{A, B} || {A, B} <- lists:zip(lists:droplast(Fields), tl(Fields))],
    Verified = [Pair || {A, B} = Pair <- Pairs,
                        refusal(Config, Layout#{A := maps:get(B, Layout), B := maps:get(A, Layout)})
                            =:= verified],
    ?assertEqual([], Verified).

it_does_not_verify_a_layout_with_a_field_missing(Config) ->
    Layout = ?config(layout, Config),
    [?assertNotEqual({Field, verified}, {Field, refusal(Config, maps:remove(Field, Layout))})
     || Field <- maps:keys(Layout) -- optional()],
    %% The NIF itself says which one.
    [begin
         {error, {layout, Reason}} = flame_prof_nif:snapshot(?config(probe, Config),
                                                             maps:remove(Field, Layout), self()),
         ?assertEqual(<<"layout: field ", (atom_to_binary(Field))/binary, " was not found">>, Reason)
     end || Field <- maps:keys(Layout) -- optional()].

it_does_not_verify_wrong_facts(Config) ->
    #{slot_in_low_bits := Low, message_bytes := Message, process_bytes := Bytes, psd_bytes := Psd,
      table_address := Table} = Layout = ?config(layout, Config),
    [?assertNotEqual({Wrong, verified}, {Wrong, refusal(Config, maps:merge(Layout, Wrong))})
     || Wrong <- [#{slot_in_low_bits => 1 - Low}, #{message_bytes => Message + 8},
                  #{psd_bytes => Psd + 8},
                  #{process_bytes => Bytes + 8}, #{table_address => Table + 8},
                  #{table_address => 0}, #{slot_cnt => 1000}]].

it_refuses_nonsense_without_harm(Config) ->
    Probe = ?config(probe, Config),
    Layout = ?config(layout, Config),
    [?assertMatch({error, {layout, <<"layout: ", _/binary>>}},
                  flame_prof_nif:snapshot(Probe, Wrong, self()))
     || Wrong <- [#{}, maps:map(fun(_, _) -> 0 end, Layout), maps:map(fun(_, _) -> 1 bsl 63 end, Layout),
                  Layout#{heap := 1020}, Layout#{regproc_name := 64}, Layout#{state := 641},
                  Layout#{i := maps:get(hend, Layout)}]],
    [?assertError(badarg, flame_prof_nif:snapshot(Probe, Layout, Wrong))
     || Wrong <- [{}, make_ref(), "text", 1.5]].

refusal(Config, Layout) ->
    Probe = ?config(probe, Config),
    try ?VERIFICATION:verify(Probe, Layout, 60) of
        ok -> verified;
        {refused, Reason} -> Reason
    catch
        %% As flame_prof_tier:open/2 takes it: refused.
        Class:Reason -> iolist_to_binary(io_lib:format("raised ~p ~p", [Class, Reason]))
    end.

table(Config) ->
    case flame_prof_nif:known_layout(release()) of
        undefined -> maps:without(?FACTS, ?config(layout, Config));
        Known -> Known
    end.

%% --- the schedulers' data ------------------------------------------------------------

it_finds_the_schedulers(Config) ->
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    {ok, Found} = find_schedulers(Config, flame_prof_nif:scheduler_offsets()),
    {Normal, DirtyCpu, DirtyIo} = scheduler_counts(),
    ?assertEqual([{normal, No} || No <- lists:seq(1, Normal)]
                 ++ [{dirty_cpu, No} || No <- lists:seq(1, DirtyCpu)]
                 ++ [{dirty_io, No} || No <- lists:seq(1, DirtyIo)],
                 [{Kind, No} || {Kind, No, _, _} <- Found]),
    [?assert(filelib:is_dir("/proc/self/task/" ++ integer_to_list(Tid))) || {_, _, _, Tid} <- Found].

%% Each offset that the scheduler sampler goes by, moved: refused, in one line.
it_refuses_the_schedulers_with_any_offset_moved(Config) ->
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    Offsets = flame_prof_nif:scheduler_offsets(),
    ?assert(map_size(Offsets) >= 9),
    Results = [{Field, By, find_schedulers(Config, Offsets#{Field := Offset + By})}
               || {Field, Offset} <- maps:to_list(Offsets), By <- [8, -8, 4, -4, 64],
                  Offset + By >= 0],
    ?assertEqual([], [{Field, By} || {Field, By, {ok, _}} <- Results]),
    [?assertMatch({match, _}, re:run(Why, "^scheduler data: [^\n]+$"))
     || {_, _, {error, {layout, Why}}} <- Results].

it_refuses_the_schedulers_with_any_two_offsets_swapped(Config) ->
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    Offsets = flame_prof_nif:scheduler_offsets(),
    ?assertEqual([], [{A, B} || {A, OffsetA} <- maps:to_list(Offsets),
                                {B, OffsetB} <- maps:to_list(Offsets), A < B, OffsetA =/= OffsetB,
                                {ok, _} <- [find_schedulers(Config, Offsets#{A := OffsetB, B := OffsetA})]]).

it_refuses_schedulers_that_the_vm_does_not_have(Config) ->
    {ok, _} = flame_prof_nif:load_code(?config(probe, Config)),
    Offsets = flame_prof_nif:scheduler_offsets(),
    {Normal, DirtyCpu, DirtyIo} = scheduler_counts(),
    [?assertMatch({error, {layout, _}},
                  flame_prof_nif:find_schedulers(?config(probe, Config), ?config(layout, Config),
                                                 Counts, Offsets))
     || Counts <- [{Normal + 1, DirtyCpu, DirtyIo}, {Normal, DirtyCpu, DirtyIo + 1}, {5000, 0, 0}]],
    [?assertError(badarg, find_schedulers(Config, Wrong))
     || Wrong <- [#{}, Offsets#{type := -8}, Offsets#{type := 1 bsl 40}, type]].

find_schedulers(Config, Offsets) ->
    flame_prof_nif:find_schedulers(?config(probe, Config), ?config(layout, Config),
                                   scheduler_counts(), Offsets).

scheduler_counts() ->
    {erlang:system_info(schedulers), erlang:system_info(dirty_cpu_schedulers),
     erlang:system_info(dirty_io_schedulers)}.

%% --- the table of BIFs ---------------------------------------------------------------

it_finds_the_bifs(Config) ->
    Bifs = flame_prof_walker:bifs(),
    ?assertMatch([{erlang, abs, 1} | _], Bifs),
    ?assertEqual([], [Bif || {M, F, A} = Bif <- Bifs, not erlang:is_builtin(M, F, A)]),
    {ok, Count} = find_bifs(Config, Bifs, flame_prof_nif:bif_offsets()),
    %% One function each, and a second one where the work is a dirty scheduler's.
    ?assert(Count >= length(Bifs)),
    ?assert(Count < 1.1 * length(Bifs)).

it_refuses_the_bifs_with_any_offset_moved(Config) ->
    Offsets = flame_prof_nif:bif_offsets(),
    Moved = [{Field, By, find_bifs(Config, flame_prof_walker:bifs(), Offsets#{Field := Offset + By})}
             || {Field, Offset} <- maps:to_list(Offsets), By <- [8, -8, 4, -4, 64], Offset + By >= 0],
    ?assert(length(Moved) > 25),
    refused_bifs(Moved).

%% Two kinds of function are taken for the same BIF, in whatever order.
it_refuses_the_bifs_with_any_two_offsets_swapped(Config) ->
    Offsets = flame_prof_nif:bif_offsets(),
    refused_bifs([{A, B, find_bifs(Config, flame_prof_walker:bifs(), Offsets#{A := OffsetB, B := OffsetA})}
                  || {A, OffsetA} <- maps:to_list(Offsets), {B, OffsetB} <- maps:to_list(Offsets),
                     A < B, {A, B} =/= {f, impl}]).

it_refuses_bifs_that_the_vm_does_not_have(Config) ->
    [First, Second | Others] = Bifs = flame_prof_walker:bifs(),
    Offsets = flame_prof_nif:bif_offsets(),
    refused_bifs([{length(Wrong), 0, find_bifs(Config, Wrong, Offsets)}
                  || Wrong <- [[], [First], [Second, First | Others], [First | Others],
                               [{erlang, abs, 2}, Second | Others], lists:reverse(Bifs),
                               Bifs ++ [{erlang, no_such_function, 1}], [not_a_name | Bifs]]]),
    [?assertError(badarg, find_bifs(Config, Bifs, Wrong))
     || Wrong <- [#{}, Offsets#{arity := -8}, Offsets#{arity := 1 bsl 40}, arity]].

refused_bifs(Results) ->
    ?assertEqual([], [{A, B} || {A, B, {ok, _}} <- Results]),
    [?assertMatch({match, _}, re:run(Why, "^BIF table: [^\n]+$"))
     || {_, _, {error, {layout, Why}}} <- Results].

find_bifs(Config, Bifs, Offsets) ->
    flame_prof_nif:find_bifs(?config(probe, Config), Bifs, Offsets).

%% --- reasons ------------------------------------------------------------------------

one_clear_line(Reason) ->
    ?assert(is_binary(Reason)),
    ?assertMatch(<<"layout: ", _/binary>>, Reason),
    ?assertEqual(nomatch, binary:match(Reason, <<"\n">>)),
    ?assert(byte_size(Reason) < 400).

%% Debian has no emulator without the JIT: another VM's answers are given here.
it_does_not_take_a_vm_without_jit(_) ->
    Here = #{os => {unix, linux}, machine => "x86_64", wordsize => 8, flavor => jit, build => opt},
    ?assertEqual(none, flame_prof_walker:unsupported(Here)),
    ?assertEqual(<<"needs a VM with the JIT, this is emu">>,
                 flame_prof_walker:unsupported(Here#{flavor := emu})),
    [?assertMatch({match, _}, re:run(flame_prof_walker:unsupported(maps:merge(Here, Other)),
                                     "^needs [^\n]+, this is [^\n]+$"))
     || Other <- [#{os => {unix, darwin}}, #{os => {win32, nt}}, #{machine => "aarch64"},
                  #{wordsize => 4}, #{build => debug}]].
