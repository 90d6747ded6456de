%% SPDX-License-Identifier: Apache-2.0
%% @doc A sampling profiler for live nodes.
%%
%% It looks at selected processes at a fixed pace and writes what it saw
%% (status, stack, 16 metrics with their change) as perf-script text, which
%% Flamescope shows as heat maps and flame graphs.
%%
%% ```
%% 1> flame_prof:start().            % the 100 busiest processes, into ~/flame_prof
%% {ok,<0.90.0>}
%% 2> flame_prof:info().             % how it is going
%% 3> flame_prof:stop().
%% {ok,#{files => ["/home/me/flame_prof/flame_prof-20261120T101500Z-4242-0001.perf"],
%%       samples => 30210,losses => #{...},...}}
%% '''
%%
%% Besides the processes selected automatically, a process can ask to be sampled
%% ({@link profile_start/1}, {@link apply/2}), together with the processes that
%% it spawns or sends to (`viral').
%%
%% There is one session per node. Errors are `{error, {Code, Detail}}' where
%% `Detail' is one line for people: what, why, what to do.
-module(flame_prof).

-export([start/0, start/1, start/2]).
-export([start_link/0, start_link/1, start_link/2]).
-export([stop/0, stop/1, stop/2]).
-export([apply/1, apply/2]).
-export([profile_start/0, profile_start/1, profile_stop/0]).
-export([arm/1, disarm/0, dump/0, dump/1]).
-export([info/0, info/1]).
-export([perf_map/0, perf_map/1]).
-export([top/0, top/1]).
-export([export/2, export/3, heatmap/0, heatmap/1, report/0, report/1]).
-export_type([category/0, start_opts/0, arm_opts/0, dump_opts/0, triggers/0, process_opts/0]).
-export_type([process_status/0, viral/0, metric/0]).
-export_type([auto_select/0, top/0, criterion/0, select/0, predicate/0]).
-export_type([error_reason/0, summary/0, info/0]).
-export_type([per_node/1, perf_map_opts/0, perf_map/0, top_opts/0]).
-export_type([source/0, time/0, export_opts/0, heatmap_opts/0, report_opts/0]).

-define(START_TIMEOUT_MS, 15000).
-define(STOP_TIMEOUT_MS, 5000).

-type process_status() ::
    exiting | garbage_collecting | waiting | running | runnable | suspended.

-type viral() :: self_only | spawn | send | spawn_and_send | boolean().
%% Who else is sampled: the processes it spawns (and theirs), those it sends to,
%% both (`true'), nobody (`self_only', `false').

-type process_opts() :: #{viral => undefined | viral(),
                          status => undefined | all | process_status()}.
%% <ul>
%% <li>`viral': default `spawn' for {@link apply/2} and {@link profile_start/1},
%%   `self_only' for automatically selected processes</li>
%% <li>`status': only sample it in this status; default `all'</li>
%% </ul>

-type category() :: initial_call | registered_name | status | memory | mailbox | priority
                  | scheduler | node | label | parent | ancestors | application.
%% Root frames of a stack. `memory' and `mailbox' in decades: `{memory 10s MiB}',
%% `{mailbox 100s}'; `scheduler' only of CPU samples; `status' of a CPU sample is
%% what the scheduler was at. `label' is what `proc_lib:set_label/1' set (OTP 27),
%% `parent' and `ancestors' are those of `proc_lib', else the process that spawned it,
%% `application' is the one whose group leader it has.
-type metric() :: major_gcs | heap_growth | stack_depth | since_scheduled | runnable_wait
                | run_queue_len | port_queue | reductions_per_cpu_ms | msacc.
%% Beyond the 16 that every sample carries; docs/metrics.md says what they mean. Those
%% that cannot be told by the tier, or the engine, are left out of its files.
-type criterion() :: reductions | message_queue_len | message_queue_growth | memory | binary_vheap |
                     cpu.
%% What processes are ranked by:
%% <ul>
%% <li>`reductions': executed since the last selection</li>
%% <li>`message_queue_len': messages that wait</li>
%% <li>`message_queue_growth': how many more of them than at the last selection</li>
%% <li>`memory': heap, old heap and heap fragments; the walker adds the messages that
%%   wait, their data guessed from the first few. Not counted, unlike
%%   `process_info(Pid, memory)', which would signal every process: the process
%%   dictionary, links and monitors</li>
%% <li>`binary_vheap': the size of the binaries outside the heap that it refers to,
%%   as the garbage collector counts them</li>
%% <li>`cpu': CPU time of late, as `cpu_sampling' saw it: what was used before the last
%%   selection counts half, before the one before a quarter, and so on. The portable
%%   tier, which sees no CPU time, goes by `reductions' instead</li>
%% </ul>

-type auto_select() ::
    none
    | {top, Count :: non_neg_integer()}
    | {top, Count :: non_neg_integer(), IntervalMs :: pos_integer()}
    | top() | [top()].

-type top() :: #{by => undefined | criterion(),
                 count => undefined | non_neg_integer(),
                 interval => undefined | pos_integer()}.
%% The first `count' (default 100) processes by a criterion (default `reductions'),
%% chosen anew every `interval' milliseconds (default 10000).

-type predicate() :: fun((pid()) -> boolean()) | fun((pid(), Info :: map()) -> boolean()).

-type select() :: #{pids => undefined | [pid()],
                    names => undefined | [atom()],
                    applications => undefined | [atom()],
                    predicate => undefined | predicate(),
                    interval => undefined | pos_integer(),
                    viral => undefined | viral(),
                    status => undefined | all | process_status()}.
%% Processes named beforehand, those that come later included; at least one of the
%% first four, all processes that any of them means (10000 at most).
%% <ul>
%% <li>`names': registered names, whoever has them at the time</li>
%% <li>`applications': the processes of these applications, by their group leader;
%%   an application may be started later</li>
%% <li>`predicate': a function that says of each process of the node whether it is
%%   to be sampled, given its pid, or its pid and a map of what can be read without
%%   disturbing it: `registered_name', `initial_call', `status', `group_leader',
%%   `priority', `message_queue_len', `reductions' and `heap_size', as of
%%   `process_info/2'. It is called by a process of low priority that works in
%%   slices: at most a tenth of one scheduler during a pass, at most a hundredth over
%%   all, so the more its calls take the later it finds somebody; one that has not
%%   returned after ten seconds is abandoned. When it raises, the process is not
%%   selected, and `info/0' says why</li>
%% <li>`interval': from one look to the next, in milliseconds; default 1000, more by
%%   itself where a look at all processes takes long. A process that ends sooner may
%%   be missed: see `viral'</li>
%% <li>`viral', `status': as in {@link process_opts()}; default `self_only' and
%%   `all'</li>
%% </ul>

-type start_opts() ::
    #{basename => undefined | file:filename() | binary(),
      stem => undefined | string() | binary(),
      sample_interval => undefined | pos_integer(),
      process_interval => undefined | auto | pos_integer(),
      flush_interval => undefined | pos_integer(),
      flush_close_max => undefined | infinity | pos_integer(),
      file_bytes_max => undefined | infinity | pos_integer(),
      files_max => undefined | infinity | pos_integer(),
      compress => undefined | none | gzip,
      format => undefined | perf_script | capture,
      auto_select => undefined | auto_select(),
      auto_process_opts => undefined | process_opts(),
      select => undefined | none | select(),
      flatten_recursive => undefined | boolean(),
      categories => undefined | [category()],
      metrics => undefined | default | all | [metric()],
      cpu_sampling => undefined | boolean() | #{rate => undefined | pos_integer(),
                                                method => undefined | auto | signal | foreign},
      tier => undefined | auto | walker | portable,
      reader => undefined | auto | guarded_load | process_vm_readv,
      stack_frames_max => undefined | pos_integer(),
      cpu_max => undefined | infinity | number(),
      memory_max => undefined | infinity | pos_integer(),
      profile_self => undefined | boolean()}.
%% All intervals are in milliseconds.
%% <ul>
%% <li>`basename': directory for the files, made if missing; default `flame_prof'
%%   in the home directory</li>
%% <li>`stem': what their names begin with, letters, digits, `.', `_' and `-';
%%   default `flame_prof'. Old files are counted and deleted (`files_max') by stem</li>
%% <li>`sample_interval': distance of two ticks; default 9. At each tick some of
%%   the selected processes are looked at, in turn</li>
%% <li>`process_interval': how often each selected process is meant to be seen.
%%   Default `auto': 99, or more when there are so many that there would be over
%%   1000 samples a second (about 1 MB/s of text). With few processes each is
%%   seen more often, since no tick passes without a sample</li>
%% <li>`flush_interval': the longest time that a sample may wait before it is in
%%   the file; default 15000, at least `sample_interval' + 1000. Files are in
%%   fact written about once a second</li>
%% <li>`flush_close_max': a file is finished after so many flush intervals;
%%   default 8</li>
%% <li>`file_bytes_max': or when it has reached this size; default 256 MiB</li>
%% <li>`files_max': finished files kept in the directory, older ones are deleted;
%%   default 15</li>
%% <li>`compress': `none' (default) or `gzip'</li>
%% <li>`format': `perf_script' (default) or `capture', files `.fpc' of some 14 bytes a
%%   sample that `flameprof' reads (they are compressed by themselves). The portable
%%   tier always writes text</li>
%% <li>`auto_select': which processes are selected automatically; default
%%   `{top, 100, 10000}', the 100 that did most reductions in the last 10 seconds.
%%   `#{by => message_queue_len, count => 20}' goes by another criterion, a list of
%%   such maps by several at once: each fills its places in one pass, and the
%%   shortest interval is that of all. When a quarter of those selected have ended,
%%   the next selection comes sooner. `none', or `undefined' given explicitly: only
%%   processes that ask for it are sampled</li>
%% <li>`select': processes that are sampled in any case, by pid, name, application or
%%   a predicate, for example `#{applications => [my_app]}'. Beside it the default of
%%   `auto_select' is `none'</li>
%% <li>`auto_process_opts': for the processes selected automatically; default
%%   `#{viral => self_only, status => all}'</li>
%% <li>`categories': root frames of each stack, the outermost first; default
%%   `[initial_call, registered_name]'</li>
%% <li>`metrics': what every sample carries beyond the 16, `all' or a list, for example
%%   `[runnable_wait, run_queue_len]'; default `default', none</li>
%% <li>`cpu_sampling': also sample what the schedulers run, by their CPU time, into
%%   files of its own (`flame_prof_cpu-...', events `beam-cpu'). `#{rate => Hz}' of
%%   CPU time, default 99; above 200 the kernel must allow perf events. `method':
%%   `signal', exact; `foreign', a thread that looks at the schedulers, approximate;
%%   `auto' (default), the first that works. Default `true'; works with the walker
%%   tier</li>
%% <li>`flatten_recursive': adjacent equal frames become one; default `true'</li>
%% <li>`tier': `walker' (a thread of our own reads the processes' memory),
%%   `portable' (`process_info'), or `auto' (default), the best that works</li>
%% <li>`reader': how the walker reads memory; default `auto'</li>
%% <li>`stack_frames_max': longer stacks keep both ends; default 256</li>
%% <li>`cpu_max': percent of the machine's CPU time that the profiler itself may use;
%%   default 1. Above it for some seconds it looks at each process less often, below it
%%   again for half a minute more often again; `info/0' (`governor') and the file say
%%   so. It ends when that does not help at all. `infinity': whatever it takes</li>
%% <li>`memory_max': bytes that it may use; default 64 MiB, or twice `keep_bytes'. It
%%   ends when it uses more for some seconds</li>
%% <li>`profile_self': sample the profiler's own processes too; default `false'
%%   </li>
%% </ul>

-type triggers() ::
    #{message_queue_len => undefined | Messages :: pos_integer(),
      process_memory => undefined | Bytes :: pos_integer(),
      run_queue => undefined | Length :: pos_integer(),
      memory => undefined | Bytes :: pos_integer(),
      long_gc => undefined | Ms :: pos_integer(),
      long_schedule => undefined | Ms :: pos_integer(),
      large_heap => undefined | Bytes :: pos_integer()}.
%% What an armed session waits for; each with the limit that it must reach.
%% <ul>
%% <li>`message_queue_len': of any process of the node. All are looked at twice a
%%   second, less often on a node of more than some ten thousand processes (a look
%%   takes at most a 200th of the time)</li>
%% <li>`process_memory': of any process, its heaps; looked for in the same way</li>
%% <li>`run_queue': of all schedulers together, ten times a second</li>
%% <li>`memory': `erlang:memory(total)', once a second</li>
%% <li>`long_gc', `long_schedule', `large_heap': as the runtime system's monitor
%%   reports them ({@link erlang:system_monitor/2}). Before OTP 28 a node has one; if
%%   somebody uses it, it is left to him, `info/0' says so, and large heaps are
%%   looked for as `process_memory' is</li>
%% </ul>
%% A queue or memory that stays above its limit fires once.

-type arm_opts() ::
    #{keep => undefined | Seconds :: pos_integer(),
      keep_after => undefined | Seconds :: non_neg_integer(),
      keep_bytes => undefined | pos_integer(),
      dumps_max => undefined | infinity | pos_integer(),
      dump_distance => undefined | Seconds :: non_neg_integer(),
      triggers => undefined | triggers(),
      atom() => term()}.
%% Those of {@link start/1}, and:
%% <ul>
%% <li>`keep': how many seconds of samples are kept in memory; default 30</li>
%% <li>`keep_after': how many more are written after a trigger has fired; default
%%   5</li>
%% <li>`keep_bytes': the memory for it, at least 1 MiB; default 32 MiB. The walker
%%   takes the next smaller power of two at once (a sample is about 450 bytes, so
%%   the default is enough for 30 s of `process_interval => auto'), the portable
%%   tier as much as it needs, packed. Where it holds fewer seconds than asked for,
%%   the oldest go first, and `dropped_early' in `info/0' and in the file's header
%%   counts them</li>
%% <li>`triggers': what to wait for; default `#{}', nothing but {@link dump/1}</li>
%% <li>`dumps_max': so many files by triggers, then no more; default 10</li>
%% <li>`dump_distance': seconds from the end of a dump to the next by a trigger;
%%   default 60. What fires meanwhile is counted</li>
%% </ul>

-type dump_opts() :: #{keep_after => undefined | Seconds :: non_neg_integer(),
                       note => undefined | unicode:chardata()}.
%% <ul>
%% <li>`keep_after': go on for so long; default 0</li>
%% <li>`note': goes into the file's header</li>
%% </ul>

-type error_reason() :: {Code :: atom(), Detail :: binary()}.
-type summary() :: flame_prof_tier:summary().
%% What a session has left: `files', `samples', `losses' by reason, and more.

-type info() :: #{tier := walker | portable, tier_reason := binary(), since := binary(),
                  directory := file:filename(), explicit := [pid()], atom() => term()}.

-type per_node(Result) :: #{node() => Result | {error, error_reason()}}.

-type perf_map_opts() :: #{follow => boolean(),
                           interval => pos_integer(),
                           layout => boolean(),
                           directory => file:filename() | binary()}.
%% <ul>
%% <li>`follow': keep it current over code loading; default `false'</li>
%% <li>`interval': milliseconds between two looks whether code was loaded; default
%%   1000, at least 100</li>
%% <li>`layout': write flame_prof-PID.layout beside it (docs/layout-file.md);
%%   default `false'</li>
%% <li>`directory': default `/tmp', the only place where `perf' looks</li>
%% </ul>

-type perf_map() :: #{file := file:filename(),
                      modules := non_neg_integer(),
                      functions := non_neg_integer(),
                      bytes := non_neg_integer(),
                      follow := boolean(),
                      layout => file:filename()}.

-type top_opts() :: #{sort => reductions | message_queue_len | memory,
                      interval => pos_integer(),
                      rows => pos_integer(),
                      iterations => pos_integer() | infinity,
                      once => boolean(),
                      tier => auto | walker | portable}.
%% <ul>
%% <li>`sort': default `reductions', those done since the table before</li>
%% <li>`interval': milliseconds between two tables; default 2000, at least 200</li>
%% <li>`rows': default as many as fit</li>
%% <li>`iterations': so many tables; default `infinity'</li>
%% <li>`once': one table, after a second at most; default `false'</li>
%% <li>`tier': how the busiest are found, `walker' (off the schedulers), `portable'
%%   or `auto' (default), the best that works; the other orders are always
%%   portable</li>
%% </ul>

-type source() :: session | file:name_all() | [file:name_all(), ...].
%% `session': the files of the running session, what it is writing included as far as it
%% is written, else those of the last session of this node. A file: whatever
%% `flameprof' reads, captures as well as text, plain, gzip or zstd. Several are one
%% profile on one axis of time.

-type time() :: number() | string() | binary().
%% Since the first sample, in seconds, or with a unit: "500ms", "1min".

-type export_opts() ::
    #{output => undefined | file:name_all(),
      engine => undefined | wall | cpu | all,
      metric => undefined | atom() | string() | binary(),
      filter => undefined | string() | binary(),
      from => undefined | time(),
      to => undefined | time(),
      rows => undefined | pos_integer(),
      column => undefined | time(),
      categories => undefined | [atom() | string() | binary()],
      reversed => undefined | boolean(),
      focus => undefined | string() | binary(),
      lines => undefined | boolean(),
      max_nodes => undefined | pos_integer(),
      max_memory => undefined | pos_integer(),
      max_bytes => undefined | pos_integer(),
      timeout => undefined | timeout()}.
%% <ul>
%% <li>`output': the file to write, which appears when it is complete, compressed when
%%   its name ends in `.gz'. Default: the result is a binary</li>
%% <li>`engine': of a session, the files of `wall' (what processes do, the default of
%%   an export and a heatmap), `cpu' (what schedulers run), or `all' (of a report)</li>
%% <li>`metric': `samples', `period', a metric, or one with `_delta', `_inc' (only
%%   increases), `_dec' (only decreases) behind it; default: all that the format has
%%   room for, else the period</li>
%% <li>`filter': only samples that pass, as `"status=running & mem>64MiB"'
%%   (docs/filter.md)</li>
%% <li>`from', `to': only this part of the time, `to' not included</li>
%% <li>`rows', `column': of a heatmap, cells of a column (50) and its width (1 s)</li>
%% <li>`categories': root frames of stacks, the outermost first; default as in the
%%   file</li>
%% <li>`reversed': from the leaf to the root; `focus': begin at functions that match a
%%   pattern; `lines': tell the lines of a function apart; `max_nodes': only the
%%   heaviest places</li>
%% <li>`max_memory': bytes that the reader may use, at least 16 MiB; default 512 MiB.
%%   It needs about a tenth of what text takes</li>
%% <li>`max_bytes': of the binary; default 64 MiB. A file has no such limit</li>
%% <li>`timeout': milliseconds that it may take; default 120000</li>
%% </ul>

-type heatmap_opts() ::
    #{files => undefined | source(),
      print => undefined | boolean(),
      width => undefined | pos_integer(),
      colours => undefined | auto | none | 256 | true,
      atom() => term()}.
%% `engine', `metric', `filter', `from', `to', `rows', `column', `max_memory' and
%% `timeout' as in {@link export_opts()}, and:
%% <ul>
%% <li>`files': default `session'</li>
%% <li>`print': on the terminal (default), or `false': `{ok, Text}' is returned</li>
%% <li>`width': characters of a line; default the terminal's</li>
%% <li>`colours': default `auto', what the terminal has by its TERM, COLORTERM and
%%   NO_COLOR, `none' in returned text</li>
%% </ul>

-type report_opts() ::
    #{files => undefined | source(),
      print => undefined | boolean(),
      width => undefined | pos_integer(),
      rows => undefined | pos_integer(),
      atom() => term()}.
%% `engine', `metric', `filter', `from', `to', `max_memory' and `timeout' as in
%% {@link export_opts()}, `files', `print' and `width' as in {@link heatmap_opts()};
%% `rows' of each table, default 10.

-type start_result() :: {ok, pid()} | {error, {already_started, pid()} | error_reason()}.

%% @doc Starts a session with default options.
-spec start() -> start_result().
start() ->
    start(#{}).

%% @doc Starts a session with options, or within a time (milliseconds).
-spec start(start_opts() | timeout()) -> start_result().
start(Options) when is_map(Options) ->
    start(Options, ?START_TIMEOUT_MS);
start(Timeout) when is_integer(Timeout), Timeout >= 0; Timeout =:= infinity ->
    start(#{}, Timeout);
start(Options) ->
    flame_prof_options:start(Options).

%% @doc Starts a session under the supervisor of the application, which is
%% started too when it is not running; or one on each of several nodes.
%%
%% The nodes write files of their own, into `basename' as it is there, with names
%% that hold the name of the node. A node without flame_prof gets its modules over
%% the distribution and, as the native library is not among them, takes the portable
%% tier. The answer has a result for each node, within 30 s; when the caller is
%% killed before that, or a node does not answer, nothing is left running.
-spec start(start_opts(), timeout()) -> start_result();
           ([node(), ...], start_opts()) -> per_node(start_result()) | {error, error_reason()}.
start(Nodes, Options) when is_list(Nodes) ->
    flame_prof_nodes:start(Nodes, Options);
start(Options, Timeout) ->
    started(flame_prof_options:start(Options),
            fun(Normal) -> flame_prof_sup:start_session(Normal, Timeout) end).

%% @doc The same as {@link start_link/2} with default options.
-spec start_link() -> start_result().
start_link() ->
    start_link(#{}).

%% @doc The same as {@link start_link/2} with options or a time only.
-spec start_link(start_opts() | timeout()) -> start_result().
start_link(Options) when is_map(Options) ->
    start_link(Options, ?START_TIMEOUT_MS);
start_link(Timeout) when is_integer(Timeout), Timeout >= 0; Timeout =:= infinity ->
    start_link(#{}, Timeout);
start_link(Options) ->
    flame_prof_options:start(Options).

%% @doc Starts a session linked to the caller: when the caller ends, the session
%% finishes its files and ends too.
-spec start_link(start_opts(), timeout()) -> start_result().
start_link(Options, Timeout) ->
    started(flame_prof_options:start(Options),
            fun(Normal) -> flame_prof_session:start_link(Normal, Timeout) end).

%% @doc Ends the session and finishes its files. What is in them: {@link report/0},
%% {@link heatmap/1}, {@link export/3}.
-spec stop() -> {ok, summary()} | {error, error_reason()}.
stop() ->
    stop(?MODULE, ?STOP_TIMEOUT_MS).

%% @doc Ends the session within a time (milliseconds), or the given one, or those
%% of several nodes.
-spec stop(timeout() | pid() | atom()) -> {ok, summary()} | {error, error_reason()};
          ([node(), ...]) ->
    per_node({ok, summary()} | {error, error_reason()}) | {error, error_reason()}.
stop(Nodes) when is_list(Nodes) ->
    flame_prof_nodes:stop(Nodes);
stop(Timeout) when is_integer(Timeout); Timeout =:= infinity ->
    stop(?MODULE, Timeout);
stop(Session) ->
    stop(Session, ?STOP_TIMEOUT_MS).

%% @doc Ends the given session. By default it takes less than a second whatever the load;
%% what is still unwritten after that is counted as lost. Who gives more than five
%% seconds gives most of them, up to a minute, to what is unwritten.
-spec stop(pid() | atom(), timeout()) -> {ok, summary()} | {error, error_reason()}.
stop(Session, Timeout) when is_integer(Timeout), Timeout >= 0; Timeout =:= infinity ->
    case session_pid(Session) of
        undefined -> {error, not_started(Session)};
        Pid -> flame_prof_session:stop(Pid, Timeout)
    end.

%% @doc The same as {@link apply/2} with default options.
-spec apply(fun(() -> Result)) -> Result.
apply(Fun) ->
    ?MODULE:apply(Fun, #{}).

%% @doc Calls `Fun' in the calling process, which is sampled meanwhile. Raises
%% `{not_started, Detail}' when no session is running, `{bad_option, Detail}'
%% when an option is wrong; `Fun' has not been called then.
-spec apply(fun(() -> Result), process_opts()) -> Result.
apply(Fun, Options) when is_function(Fun, 0) ->
    Key = {apply, make_ref()},
    case watch(Key, Options) of
        ok ->
            try
                Fun()
            after
                flame_prof_session:unwatch(self(), Key)
            end;
        {error, Reason} ->
            error(Reason, [Fun, Options])
    end.

%% @doc The same as {@link profile_start/1} with default options.
-spec profile_start() -> ok | {error, error_reason()}.
profile_start() ->
    profile_start(#{}).

%% @doc Samples the calling process from now on.
-spec profile_start(process_opts()) -> ok | {error, error_reason()}.
profile_start(Options) ->
    watch(profile, Options).

%% @doc Ends what {@link profile_start/1} began, for the calling process and for
%% those sampled because of it.
-spec profile_stop() -> ok | {error, error_reason()}.
profile_stop() ->
    flame_prof_session:unwatch(self(), profile).

%% @doc Arms the profiler: it samples, but only keeps the last seconds in memory;
%% nothing is written until something happens.
%%
%% ```
%% 1> flame_prof:arm(#{keep => 30, triggers => #{message_queue_len => 10000, long_gc => 500}}).
%% {ok,<0.90.0>}
%% 2> flame_prof:dump().             % or when a trigger fires
%% {ok,"/home/me/flame_prof/flame_prof-20261120T101500Z-4242-0001.perf"}
%% 3> flame_prof:disarm().
%% '''
%%
%% When a trigger fires, those seconds and a few more go into one finished file, whose
%% header says which trigger it was, its value, the process and the time. What one
%% file has, the next one does not repeat. It is a session as {@link start/1} starts
%% one: `info/0', `stop/0', `profile_start/1' and the others are the same.
-spec arm(arm_opts()) -> start_result().
arm(Given) ->
    started(flame_prof_options:arm(Given),
            fun(Normal) -> flame_prof_sup:start_session(Normal, ?START_TIMEOUT_MS) end).

%% @doc The same as {@link stop/0}. What is kept and was not asked for is gone.
-spec disarm() -> {ok, summary()} | {error, error_reason()}.
disarm() ->
    stop().

%% @doc The same as {@link dump/1} with default options.
-spec dump() -> {ok, file:filename()} | {error, error_reason()}.
dump() ->
    dump(#{}).

%% @doc Writes what an armed session has in its memory into a file, now. Returns when
%% the file is finished.
-spec dump(dump_opts()) -> {ok, file:filename()} | {error, error_reason()}.
dump(Given) ->
    case flame_prof_options:dump(Given) of
        {ok, Options} -> flame_prof_session:dump(Options);
        {error, Reason} -> {error, Reason}
    end.

%% @doc How the running session is going.
%%
%% Among others: `tier' and `tier_reason', `reader', `since', `running_ms',
%% `directory', `ticks_expected', `ticks_taken', `samples', `samples_per_s', `losses'
%% by reason, `degraded' likewise, `selected' (a count), `explicit' (processes that
%% asked for it, are named in `select', or are followed), `selection' (what came of
%% `select'), `cpu' (the scheduler sampler, or why it is off), `files' (finished),
%% `file' (being written), `bytes', `memory_bytes', `cpu_ms' and `cpu_percent' (of one
%% CPU) of the profiler itself where they are known, `follow'
%% `governor' (budget and pace); of an armed session `kept' (how many ms and bytes are
%% in memory), `dumps' and `triggers'. What was sampled so far: {@link report/0}.
-spec info() -> info() | {error, error_reason()}.
info() ->
    flame_prof_session:info(?MODULE).

%% @doc The same as {@link perf_map/1} with default options.
-spec perf_map() -> {ok, perf_map()} | {error, error_reason()}.
perf_map() ->
    perf_map(#{}).

%% @doc Writes /tmp/perf-PID.map, so that `perf', bcc, bpftrace and
%% `flameprof record' name Erlang and Elixir functions of this node, which needs no
%% flag for it. `perf_map(stop)' removes it.
%%
%% Once, or kept current over code loading (`follow'). The file stays when the node
%% ends. In a container it is in the container's /tmp under the number that the
%% node has there, which is where these tools look. `perf' ignores a map that
%% belongs neither to its own user nor to root: run it as the node's user, or give
%% it `-f'. A VM that was started with `+JPperf true' writes the map by itself
%% (`in_use').
-spec perf_map(perf_map_opts() | stop) -> ok | {ok, perf_map()} | {error, error_reason()}.
perf_map(stop) ->
    flame_prof_perf_map:stop();
perf_map(Options) ->
    flame_prof_perf_map:write(Options).

%% @doc The same as {@link top/1} with default options.
-spec top() -> ok | {error, error_reason()}.
top() ->
    top(#{}).

%% @doc Shows the first processes of this node as a table that is refreshed: pid,
%% registered name, label or initial call, current function, status, reductions a
%% second and their share of the node's, queued messages, memory.
%%
%% It ends by `q' and Enter (Enter alone refreshes), after `iterations', when the
%% shell's job is interrupted, or with the terminal. Needs no session and leaves
%% nothing behind. `-' stands for what is not known: the rate of a process that was
%% not in the table before (in other orders than by reductions), or everything
%% about one that did not answer within 0.3 s (status `busy', as in a long NIF).
-spec top(top_opts()) -> ok | {error, error_reason()}.
top(Options) ->
    flame_prof_top:run(Options).

%% @doc The same as {@link export/3} with default options.
-spec export(source(), Format :: atom()) ->
    {ok, binary() | file:filename()} | {error, error_reason()}.
export(Source, Format) ->
    export(Source, Format, #{}).

%% @doc Gives what was sampled in another format: as a binary, or written to a file,
%% whose name is returned.
%%
%% ```
%% 1> flame_prof:export(session, pprof, #{output => "/tmp/p.pb.gz"}).
%% {ok,"/tmp/p.pb.gz"}
%% 2> flame_prof:export("/tmp/prof/x.perf", folded, #{filter => "status=running"}).
%% {ok,<<"running;my_server:init/1;lists:map/2 412000000\n"...>>}
%% '''
%%
%% `Format' is one of those that `flameprof export --help' lists (an unknown one is
%% answered with their names): `pprof', `speedscope', `folded', `svg', `csv',
%% `heatmap', `flamegraph', `gprofiler' and more. `undefined': what the suffix of
%% `output' says.
%%
%% A program of its own does it (`priv/bin/flame_prof_port', made with the native
%% library): at the lowest priority, within `max_memory', outside of the node, which it
%% can neither slow down nor crash. It ends with the caller.
-spec export(source(), Format :: atom(), export_opts()) ->
    {ok, binary() | file:filename()} | {error, error_reason()}.
export(Source, Format, Options) ->
    flame_prof_view:export(Source, Format, Options).

%% @doc The same as {@link heatmap/1} with default options.
-spec heatmap() -> ok | {ok, binary()} | {error, error_reason()}.
heatmap() ->
    heatmap(#{}).

%% @doc Draws a metric over time on the terminal: a column is a second or what fits,
%% the later the higher; blank is no sample.
%%
%% ```
%% 1> flame_prof:heatmap(#{metric => erlang_memory_delta, filter => "registered=my_server"}).
%% '''
-spec heatmap(heatmap_opts()) -> ok | {ok, binary()} | {error, error_reason()}.
heatmap(Options) ->
    flame_prof_view:heatmap(Options).

%% @doc The same as {@link report/1} with default options.
-spec report() -> ok | {ok, binary()} | {error, error_reason()}.
report() ->
    report(#{}).

%% @doc Tells on a page what was sampled: where, what was lost, and for each engine the
%% states, the functions (their own weight, and with what they called) and the
%% processes that weigh most. Processes are weighed by their reductions, schedulers by
%% CPU time, or both by `metric'.
-spec report(report_opts()) -> ok | {ok, binary()} | {error, error_reason()}.
report(Options) ->
    flame_prof_view:report(Options).

%% @doc How the sessions of several nodes are going.
-spec info([node(), ...]) ->
    per_node(info() | {error, error_reason()}) | {error, error_reason()}.
info(Nodes) ->
    flame_prof_nodes:info(Nodes).

%% Internal

started(Checked, Start) ->
    case Checked of
        {ok, Options} ->
            case flame_prof_sup:ensure_started() of
                ok -> Start(Options);
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

watch(Key, Given) ->
    case flame_prof_options:process(Given, spawn) of
        {ok, Options} -> flame_prof_session:watch(self(), Key, Options);
        {error, Reason} -> {error, Reason}
    end.

%% A stop request must never reach a process that is not ours.
session_pid(Session) ->
    Ours = whereis(?MODULE),
    Given = case is_atom(Session) of
                true -> whereis(Session);
                false -> Session
            end,
    case Given of
        Ours -> Ours;
        _ -> undefined
    end.

not_started(?MODULE) ->
    case info() of
        {error, {not_started, _} = Reason} -> Reason;
        _ -> {not_started, <<"stop: the session has just ended">>}
    end;
not_started(Session) ->
    {not_started, unicode:characters_to_binary(
                    io_lib:format("stop: ~0tp is not a running flame_prof session; see "
                                  "flame_prof:info()", [Session]))}.
