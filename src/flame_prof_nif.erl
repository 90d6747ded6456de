%% SPDX-License-Identifier: Apache-2.0
%% @private
%% @doc Stubs of the native library; see c_src/nif/. Nothing here is for users.
%%
%% A missing or unloadable library is no error: {@link loaded/0} then says why,
%% and the session takes the portable tier.
-module(flame_prof_nif).

-export([loaded/0, priv_dir/0, with_probe/2]).
-export([self_address/1, term_bits/1, known_layout/1, open_probe/1, close_probe/1, read_words/3,
         find_table/4, load_code/1, locate/2, snapshot/3, identity/3, extremes/2,
         time_snapshots/3]).
-export([code_changed/1, perf_map/1, code_ranges/1, code_list/1, replace_file/3, remove_file/2]).
-export([scheduler_offsets/0, find_schedulers/4, bif_offsets/0, find_bifs/3]).
-export([open_ranking/4, rank/1]).
-export([start/3, watch/3, unwatch/2, exclude/2, set_counts/3, set_applications/2,
         set_run_queues/2, set_accounts/2, set_port_owners/2, stretch/3, dump/3, selected/1,
         status/1, stop/3]).
-export_type([ranking/0]).
-export_type([probe/0, session/0, layout/0, snapshot/0, bits/0, address/0]).

-on_load(load/0).

%% Equal to FLAME_PROF_NIF_ABI in c_src/nif/flame_prof_nif.c.
-define(ABI, 3).
-define(REASON, {?MODULE, not_loaded}).
-define(NOT_LOADED, erlang:nif_error({not_loaded, ?MODULE})).

-opaque probe() :: reference().
-opaque session() :: reference().
-opaque ranking() :: reference().
-type address() :: non_neg_integer().
-type bits() :: non_neg_integer().
%% The word that stands for an atom, a local pid or a small integer in memory.
-type layout() :: #{atom() => non_neg_integer()}.
-type error() :: {error, {atom(), binary()}}.
-type snapshot() ::
        {End :: whole | unsized | partial | status_only | gone | changed | unreadable | implausible,
         Status :: atom(), Name :: bits(), Initial :: {bits(), bits(), arity()},
         FromDictionary :: undefined | {bits(), bits(), arity()},
         Pc :: address(), ReturnAddresses :: [address()], Metrics :: [integer()]}.

%% @doc Can the library be used?
-spec loaded() -> ok | {error, binary()}.
loaded() ->
    persistent_term:get(?REASON, ok).

load() ->
    Path = filename:join(priv_dir(), atom_to_list(?MODULE)),
    case erlang:load_nif(Path, ?ABI) of
        ok ->
            _ = persistent_term:erase(?REASON),
            ok;
        {error, {upgrade, Text}} ->
            %% The one that is loaded stays as it is, and so does its session.
            {error, reason(upgrade, Text)};
        {error, {Kind, Text}} ->
            %% The module loads all the same: its absence is an answer.
            persistent_term:put(?REASON, {error, reason(Kind, Text)}),
            ok
    end.

reason(load_failed, _) ->
    <<"the native library is not built for this system (a C compiler and the Erlang headers "
      "build it: make nif)">>;
reason(upgrade, _) ->
    <<"the native library is not replaced while a session is running; call flame_prof:stop() "
      "first">>;
reason(Kind, Text) ->
    unicode:characters_to_binary(
      io_lib:format("the native library was not loaded: ~ts: ~ts", [Kind, Text])).

%% @doc Also without the application's name on the code path (`-pa ebin').
-spec priv_dir() -> file:filename().
priv_dir() ->
    case code:priv_dir(flame_prof) of
        {error, bad_name} ->
            Ebin = filename:dirname(filename:absname(code:which(?MODULE))),
            filename:join(filename:dirname(Ebin), "priv");
        Directory ->
            Directory
    end.

%% @doc A probe for as long as `Use' takes.
-spec with_probe(auto | guarded_load | process_vm_readv, fun((probe()) -> Result)) ->
    Result | error().
with_probe(Reader, Use) ->
    case open_probe(Reader) of
        {ok, Probe} ->
            try
                Use(Probe)
            after
                close_probe(Probe)
            end;
        {error, Reason} ->
            {error, Reason}
    end.

%% Calibration and verification.

%% Where the caller's own process structure is; `undefined' where that cannot be told.
-spec self_address(probe()) -> address() | undefined.
self_address(_) -> ?NOT_LOADED.

-spec term_bits(atom() | pid() | integer()) -> bits().
term_bits(_) -> ?NOT_LOADED.

-spec known_layout(Release :: string()) -> layout() | undefined.
known_layout(_) -> ?NOT_LOADED.

-spec open_probe(auto | guarded_load | process_vm_readv) -> {ok, probe()} | error().
open_probe(_) -> ?NOT_LOADED.

-spec close_probe(probe()) -> ok.
close_probe(_) -> ?NOT_LOADED.

-spec read_words(probe(), address(), WordCount :: non_neg_integer()) -> binary() | undefined.
read_words(_, _, _) -> ?NOT_LOADED.

-spec find_table(probe(), SlotInLowBits :: 0 | 1, SlotCount :: pos_integer(),
                 [{bits(), address()}]) -> {ok, address()} | error().
find_table(_, _, _, _) -> ?NOT_LOADED.

-spec load_code(probe()) -> {ok, ModuleCount :: non_neg_integer()} | error().
load_code(_) -> ?NOT_LOADED.

%% Was code loaded since {@link load_code/1}? One word is read.
-spec code_changed(probe()) -> boolean().
code_changed(_) -> ?NOT_LOADED.

%% Where the data of schedulers has what, in bytes.
-spec scheduler_offsets() -> #{atom() => non_neg_integer()}.
scheduler_offsets() -> ?NOT_LOADED.

%% The schedulers of this VM and their threads (0: there is none), if everything agrees
%% with these offsets; after {@link load_code/1}.
-spec find_schedulers(probe(), layout(), Counts :: {non_neg_integer(), non_neg_integer(), non_neg_integer()},
                      Offsets :: #{atom() => non_neg_integer()}) ->
    {ok, [{Kind :: normal | dirty_cpu | dirty_io, pos_integer(), address(), Tid :: non_neg_integer()}]} | error().
find_schedulers(_, _, _, _) -> ?NOT_LOADED.

%% What an entry of the VM's table of BIFs has where, in bytes, and its size.
-spec bif_offsets() -> #{atom() => non_neg_integer()}.
bif_offsets() -> ?NOT_LOADED.

%% How many native functions of BIFs there are, if the table agrees with these names, in
%% its order, and these offsets.
-spec find_bifs(probe(), [mfa()], Offsets :: #{atom() => non_neg_integer()}) ->
    {ok, non_neg_integer()} | error().
find_bifs(_, _, _) -> ?NOT_LOADED.

%% What load_code has found, as the lines of /tmp/perf-PID.map.
-spec perf_map(probe()) ->
    {ok, Text :: binary(), FunctionCount :: non_neg_integer()} | error().
perf_map(_) -> ?NOT_LOADED.

%% Where it is, by address; gaps of up to 64 KiB are inside.
-spec code_ranges(probe()) -> [{Start :: address(), End :: address()}].
code_ranges(_) -> ?NOT_LOADED.

%% Where the VM's list of it begins (__jit_debug_descriptor); 0 before load_code.
-spec code_list(probe()) -> address() | 0.
code_list(_) -> ?NOT_LOADED.

%% A whole file in a directory of everybody; see c_src/store/public_file.h.
-spec replace_file(Directory :: binary(), Name :: binary(), iodata()) -> ok | error().
replace_file(_, _, _) -> ?NOT_LOADED.

-spec remove_file(Directory :: binary(), Name :: binary()) -> ok | error().
remove_file(_, _) -> ?NOT_LOADED.

%% The busiest processes outside of any session, for one process at a time.

-spec open_ranking(layout(), flame_prof:criterion(), Count :: pos_integer(),
                   Excluded :: [pid()]) ->
    {ok, ranking()} | error().
open_ranking(_, _, _, _) -> ?NOT_LOADED.

%% Reductions since the last pass, or since a process was spawned; in no order.
-spec rank(ranking()) -> {ProcessCount :: non_neg_integer(), [{pid(), pos_integer()}]} | error().
rank(_) -> ?NOT_LOADED.

-spec locate(probe(), address()) ->
    undefined | {Name :: binary(), File :: binary(), Line :: non_neg_integer(),
                 IsStub :: boolean()}.
locate(_, _) -> ?NOT_LOADED.

-spec snapshot(probe(), layout(), pid()) -> snapshot() | error().
snapshot(_, _, _) -> ?NOT_LOADED.

%% Who a process is by its struct and its dictionary, all of them bits, 0 or empty where
%% there is none; of a process that moved meanwhile an error.
-spec identity(probe(), layout(), pid()) ->
    #{group_leader := bits(), parent := bits(), initial := {bits(), bits(), arity()},
      ancestors := [bits()], label := [bits()]} | error().
identity(_, _, _) -> ?NOT_LOADED.

%% The longest message queue and the largest heaps of all processes, as seen in
%% passing, and what the look has cost.
-spec extremes(probe(), layout()) ->
    {CpuNs :: non_neg_integer(), Processes :: non_neg_integer(),
     {pid() | none, Messages :: non_neg_integer()}, {pid() | none, Bytes :: non_neg_integer()}}
    | unreadable | error().
extremes(_, _) -> ?NOT_LOADED.

-spec time_snapshots(probe(), layout(), [pid()]) ->
    {ReadNs :: non_neg_integer(), Whole :: non_neg_integer(), Other :: non_neg_integer()} | error().
time_snapshots(_, _, _) -> ?NOT_LOADED.

%% A capture.

-spec start(layout(), Config :: map(), AtomCount :: pos_integer()) -> {ok, session()} | error().
start(_, _, _) -> ?NOT_LOADED.

-spec watch(session(), pid(), Status :: atom()) -> ok | full.
watch(_, _, _) -> ?NOT_LOADED.

-spec unwatch(session(), pid()) -> ok | full.
unwatch(_, _) -> ?NOT_LOADED.

%% Never selects it automatically.
-spec exclude(session(), pid()) -> ok | full.
exclude(_, _) -> ?NOT_LOADED.

%% What the VM has at the moment.
-spec set_counts(session(), Atoms :: pos_integer(), Processes :: pos_integer()) -> ok.
set_counts(_, _, _) -> ?NOT_LOADED.

%% Those that run at the moment, by the group leader of their processes.
-spec set_applications(session(), [{Master :: pid(), Name :: atom()}]) -> ok.
set_applications(_, _) -> ?NOT_LOADED.

%% As statistics(run_queue_lengths_all) has them.
-spec set_run_queues(session(), [non_neg_integer()]) -> ok.
set_run_queues(_, _) -> ?NOT_LOADED.

%% Microseconds in aux, check_io, emulator, gc, other, port, sleep.
-spec set_accounts(session(), [{normal | dirty_cpu | dirty_io, pos_integer(),
                                [non_neg_integer()]}]) -> ok.
set_accounts(_, _) -> ?NOT_LOADED.

%% All processes in whose ports bytes wait.
-spec set_port_owners(session(), [{pid(), pos_integer()}]) -> ok.
set_port_owners(_, _) -> ?NOT_LOADED.

%% Intervals become so many percent of what was asked for; `Note' goes into the file.
-spec stretch(session(), Percent :: pos_integer(), Note :: binary()) -> ok.
stretch(_, _, _) -> ?NOT_LOADED.

%% What an armed capture keeps, and what comes in `AfterNs', goes into one file.
-spec dump(session(), AfterNs :: non_neg_integer(), [{Key :: binary(), Value :: binary()}]) ->
    ok | busy.
dump(_, _, _) -> ?NOT_LOADED.

-spec selected(session()) -> [pid()].
selected(_) -> ?NOT_LOADED.

-spec status(session()) -> map().
status(_) -> ?NOT_LOADED.

-spec stop(session(), TimeoutMs :: non_neg_integer(), End :: binary()) -> done | timeout.
stop(_, _, _) -> ?NOT_LOADED.
