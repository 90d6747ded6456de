// SPDX-License-Identifier: Apache-2.0
// A capture from start to finished files, over a process table and a list of code
// in the test's own memory: both threads, no VM.
#include "record/beam/beam_recording.h"

#include "base/clock.h"
#include "child_process.h"
#include "fake_code.h"
#include "fake_vm.h"
#include "file_tree.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SLOTS = 1024, DEADLINE_S = 60, MAX_PROCESSES = 300, CODE_BYTES = 0x10000 };
#define MS (1ULL * CLOCK_NS_PER_MS)
#define CODE_BASE 0x7F00000FFFC0ULL // 64 bytes before fake_return_address begins

static struct fake_vm vm;
static struct fake_code_list code;
static struct fake_symfile module_files[3];
static uint64_t emulator_file[4]; // header 0
static struct vm_memory memory;
static struct session session;
static struct fake_process processes[MAX_PROCESSES];
static struct beam_recording *recording;
static struct beam_recording_status status;
static char dir[256];
static _Atomic unsigned done_cnt;

// ---- a VM ---------------------------------------------------------------------------

static const char *const ATOMS[] = {"zero", "proc",    "start",      "three",
                                    "four", "my_name", "Elixir.Shop"};

static size_t atom_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    uint64_t number = term >> 6;
    if (!(number < sizeof ATOMS / sizeof ATOMS[0])) {
        return 0;
    }
    snprintf(text, text_bytes, "%s", ATOMS[number]);
    return strlen(text);
}

static size_t pid_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return (size_t)snprintf(text, text_bytes, "<0.%llu.0>", (unsigned long long)term >> 4);
}

static uint32_t process_number(void *context, uint64_t pid_term)
{
    (void)context;
    return (uint32_t)otp_layout_slot(&vm.layout, pid_term);
}

static const struct term_texts TEXTS = {NULL, atom_text, process_number, pid_text};

static void on_done(void *context)
{
    (void)context;
    atomic_fetch_add(&done_cnt, 1);
}

// Four functions of 64 bytes: two on a stack fall into each.
static void make_module(struct fake_symfile *file, uint64_t base, const char *name)
{
    fake_symfile_begin(file, base, CODE_BYTES, name);
    for (uint32_t i = 0; i < CODE_BYTES / 64; i++) {
        char function[64];
        snprintf(function, sizeof function, "%s:f%u/0", name, i);
        fake_symfile_range(file, i * 64, i * 64 + 64, function, 1);
        fake_symfile_line(file, i * 64, i + 1, "/home/me/src/m.erl");
    }
}

static void make_vm(const char *release, uint32_t process_cnt)
{
    fake_vm_init(&vm, release, SLOTS);
    memset(&code, 0, sizeof code);
    fake_code_list_init(&code);
    fake_code_list_add(&code, emulator_file, sizeof emulator_file);
    make_module(&module_files[0], CODE_BASE, "first");
    fake_code_list_add(&code, module_files[0].bytes, module_files[0].len);
    memory = (struct vm_memory){
        .ranges = {{fake_place(&code), fake_place(&code + 1)}},
        .range_cnt = 1,
    };
    for (uint32_t i = 0; i < process_cnt; i++) {
        processes[i] = fake_spawn(&vm, 1 + i, 1, 64, 12);
    }
    session_init_beam(&session);
    atomic_store(&done_cnt, 0);
}

static struct beam_recording_options options_for(const char *name)
{
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    return (struct beam_recording_options){
        .walker =
            {
                .sample_interval_ns = 2 * MS,
                .process_interval_ns = 20 * MS,
                .select_interval_ns = 50 * MS,
                .auto_status_filter = TARGET_ANY_STATUS,
                .max_targets = 1000,
                .max_frames = 64,
                .ring_bytes = 1 << 20,
            },
        .output =
            {
                .files = {.directory = dir,
                          .stem = "beam",
                          .suffix = ".perf",
                          .naming = FILE_NAMING_SERIES},
            },
        .code_map_max_bytes = 16 << 20,
        .cpu = {.categories = {{CATEGORY_INITIAL_CALL, CATEGORY_REGISTERED_NAME}, 2}},
        .on_done = on_done,
    };
}

static void start(const struct beam_recording_options *options)
{
    struct error err = {0};
    recording = beam_recording_start(&vm.layout, &memory, &session, &TEXTS, options, &err);
    if (recording == NULL) {
        TEST_FAIL("start: %s", err.detail);
    }
}

static void watch(uint64_t id, int status_filter)
{
    CHECK(beam_recording_command(recording,
                                 (struct walker_command){WALKER_WATCH, id, status_filter}));
}

static struct beam_recording_status *now(void)
{
    beam_recording_status(recording, &status);
    return &status;
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t wait_deadline_ns = clock_monotonic_ns() + DEADLINE_S * 1000 * MS;                 \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ns() > wait_deadline_ns)                                           \
                TEST_FAIL("not within %d s: %s", DEADLINE_S, #condition);                          \
            clock_sleep_until_ns(clock_monotonic_ns() + 5 * MS);                                   \
        }                                                                                          \
    } while (0)

static uint64_t stop(const char *reason)
{
    uint64_t begin_ns = clock_monotonic_ns();
    beam_recording_request_stop(recording, reason);
    bool done = beam_recording_wait(recording, begin_ns + DEADLINE_S * 1000 * MS);
    uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    CHECK(done);
    WAIT_UNTIL(atomic_load(&done_cnt) == 1); // its very last act
    (void)now();
    CHECK(status.done);
    return took_ns;
}

static void end(void)
{
    beam_recording_destroy(recording);
    recording = NULL;
    fake_vm_deinit(&vm);
}

// ---- reading it back -----------------------------------------------------------------

struct totals {
    unsigned files;
    uint64_t samples;
    uint64_t period_ns;
    uint64_t by_process[SLOTS]; // period
    uint64_t first_ns[SLOTS];   // where the first period began, us
    uint64_t last_ns[SLOTS];
    uint64_t latest_ns;
};

static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (at == NULL) {
        TEST_FAIL("no %s", key);
    }
    return strtoull(at + strlen(key), NULL, 10);
}

static void add_sample(const char *line, struct totals *totals)
{
    char category[32];
    unsigned pid;
    unsigned number;
    uint64_t seconds;
    uint64_t us;
    CHECK_INT(sscanf(line, "%31s %u/%u [000] %" SCNu64 ".%" SCNu64 ":", category, &pid, &number,
                     &seconds, &us),
              5);
    CHECK_UINT(pid, getpid());
    CHECK(number < SLOTS);
    uint64_t period_ns = number_after(line, "\tperiod: ");
    uint64_t time_ns = seconds * CLOCK_NS_PER_S + us * 1000;
    CHECK(time_ns + 1000 >= totals->latest_ns); // never going back
    totals->latest_ns = time_ns;
    if (totals->last_ns[number] == 0) {
        totals->first_ns[number] = time_ns - period_ns;
    }
    totals->last_ns[number] = time_ns;
    totals->by_process[number] += period_ns;
    totals->period_ns += period_ns;
    totals->samples++;
}

static void add_file(const char *text, struct totals *totals)
{
    uint64_t samples = totals->samples;
    uint64_t period_ns = totals->period_ns;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (*line != '#' && *line != '\t' && *line != '\n') {
            add_sample(line, totals);
        }
    }
    CHECK_UINT(number_after(text, "\n# samples: "), totals->samples - samples);
    CHECK_UINT(number_after(text, "\n# period_total_ns: "), totals->period_ns - period_ns);
    totals->files++;
}

static const struct totals *read_files(void)
{
    static struct totals totals;
    static struct file_names names;
    memset(&totals, 0, sizeof totals);
    list_files(dir, &names);
    for (unsigned i = 0; i < names.cnt; i++) {
        CHECK(names.names[i][0] != '.');
        add_file(file_text(dir, names.names[i]), &totals);
    }
    return &totals;
}

static const char *only_file(void)
{
    static struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    return file_text(dir, names.names[0]);
}

// ---- whole recordings ------------------------------------------------------------------

static void record_some(const char *release, enum reader_kind kind)
{
    char name[32];
    snprintf(name, sizeof name, "whole_%s_%d", release, kind);
    struct beam_recording_options options = options_for(name);
    options.walker.reader = kind;
    make_vm(release, 10);
    start(&options);
    CHECK_STR(now()->reader, kind == READER_PROCESS_VM_READV ? "process_vm_readv" : "guarded_load");
    CHECK(status.current_file[0] != '\0');
    for (int i = 0; i < 10; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->explicit_cnt == 10);
    uint64_t ticks_before = status.losses.ticks_taken;
    WAIT_UNTIL(now()->sample_cnt >= 300);
    CHECK_UINT(status.module_cnt, 1);
    CHECK(status.memory_bytes > 0);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(totals->files, 1);
    CHECK_UINT(status.finished_file_cnt, 1);
    CHECK_UINT(status.kept_file_cnt, 1);
    CHECK(file_exists(dir, status.files[0]));
    CHECK_UINT(status.bytes, file_size(dir, status.files[0]));
    for (int i = 1; i <= 10; i++) { // wall time, but for the text's microseconds
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    uint64_t ticks = number_after(only_file(), "\n# ticks_taken: ");
    CHECK(totals->samples + ticks_before >= ticks); // none is empty once the targets are there
    CHECK_HAS(only_file(), "\n# end: complete\n");
    CHECK_HAS(only_file(), "\n# reader: ");
    CHECK_UINT(status.losses.lost[LOSS_RING_FULL], 0);
    end();
}

TEST(a_recording_adds_up)
{
    record_some("25", READER_GUARDED_LOAD);
    record_some("27", READER_GUARDED_LOAD);
    record_some("27", READER_PROCESS_VM_READV);
}

TEST(a_stop_takes_less_than_a_second)
{
    struct beam_recording_options options = options_for("stop");
    options.walker.sample_interval_ns = 3600 * 1000 * MS;
    make_vm("27", 3);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    uint64_t took_ns = stop("owner process died");
    end();
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0); // no sample, no file
    CHECK(took_ns < 1000 * MS);
}

TEST(the_first_reason_to_stop_is_told)
{
    struct beam_recording_options options = options_for("reason");
    make_vm("27", 3);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 3);
    beam_recording_request_stop(recording, "owner process died");
    stop("complete");
    CHECK_HAS(only_file(), "\n# end: owner process died\n");
    CHECK(beam_recording_wait(recording, 0));
    end();
}

TEST(a_wait_ends_at_its_deadline)
{
    struct beam_recording_options options = options_for("deadline");
    make_vm("27", 1);
    start(&options);
    uint64_t begin_ns = clock_monotonic_ns();
    CHECK(!beam_recording_wait(recording, begin_ns + 20 * MS));
    CHECK(clock_monotonic_ns() >= begin_ns + 20 * MS);
    CHECK(!beam_recording_wait(recording, 0));
    stop("complete");
    end();
}

// ---- stacks and names -------------------------------------------------------------------

static const char *record_one(const struct beam_recording_options *options)
{
    start(options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 3);
    stop("complete");
    const char *text = only_file();
    end();
    return text;
}

TEST(frames_have_names_lines_and_categories)
{
    struct beam_recording_options options = options_for("frames");
    make_vm("27", 1);
    uint64_t *slots = fake_dictionary(&vm, 4);
    slots[1] = fake_initial_call(&vm, fake_atom(6), fake_atom(2), 3);
    fake_set(&vm, &processes[0], LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    fake_register(&vm, &processes[0], fake_atom(5));
    // Words 0, 2, .. 10 are addresses; each is looked up a byte before, but the one
    // where it goes on.
    CHECK_HAS(record_one(&options), "\n\t7f0000103e70 first:f250/0;251 (m.erl)\n"
                                    "\t7f0000100000 first:f0/0;1 (m.erl)\n"
                                    "\t7f0000100020 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100040 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100060 first:f2/0;3 (m.erl)\n"
                                    "\t7f0000100080 first:f2/0;3 (m.erl)\n"
                                    "\t7f00001000a0 first:f3/0;4 (m.erl)\n"
                                    "\t0 {registered my_name} (process)\n"
                                    "\t0 {Shop.start/3} (Shop.ex)\n\n");
}

TEST(recursion_is_flattened_when_asked)
{
    struct beam_recording_options options = options_for("flatten");
    options.flatten_recursive = true;
    make_vm("27", 1);
    CHECK_HAS(record_one(&options), "\n\t7f0000103e70 first:f250/0;251 (m.erl)\n"
                                    "\t7f0000100000 first:f0/0;1 (m.erl)\n"
                                    "\t7f0000100020 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100060 first:f2/0;3 (m.erl)\n"
                                    "\t7f00001000a0 first:f3/0;4 (m.erl)\n"
                                    "\t0 {proc:start/3} (proc.erl)\n\n");
}

TEST(a_deep_stack_says_how_much_is_missing)
{
    struct beam_recording_options options = options_for("deep");
    options.walker.max_frames = 9; // where it goes on, 6 of the leaf, 2 of the root
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 400, 100); // 50 addresses
    const char *text = record_one(&options);
    CHECK_HAS(text, "\n\t0 [42 frames omitted] (truncated)\n"
                    "\t7f0000100600 first:f24/0;25 (m.erl)\n"
                    "\t7f0000100620 first:f25/0;26 (m.erl)\n"
                    "\t0 {proc:start/3} (proc.erl)\n");
}

TEST(a_stack_cut_short_at_its_root_says_so)
{
    struct beam_recording_options options = options_for("cut");
    options.walker.max_frames = 4; // no room for the root
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 400, 100);
    CHECK_HAS(record_one(&options), "\t0 [47 frames omitted] (truncated)\n"
                                    "\t0 {proc:start/3} (proc.erl)\n");
}

TEST(a_stack_too_deep_to_be_read_whole_says_so)
{
    struct beam_recording_options options = options_for("too_deep");
    options.walker.max_frames = 500;
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 8000, 3000);
    CHECK_HAS(record_one(&options), "\n\t0 [frames omitted] (truncated)\n");
}

TEST(a_process_being_collected_has_its_status_for_a_stack)
{
    struct beam_recording_options options = options_for("collecting");
    make_vm("27", 1);
    fake_set(&vm, &processes[0], LAYOUT_STATE, FAKE_COLLECTING);
    const char *text = record_one(&options);
    CHECK_HAS(text, "\ngarbage_collecting ");
    CHECK_HAS(text, "\t0 [garbage collecting] (beam)\n");
}

TEST(code_loaded_meanwhile_is_named_by_its_time)
{
    struct beam_recording_options options = options_for("load");
    make_vm("27", 1);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 10);
    make_module(&module_files[1], CODE_BASE, "second"); // in place of the first
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    WAIT_UNTIL(now()->module_cnt == 1 && status.sample_cnt > 0);
    uint64_t before = now()->sample_cnt;
    WAIT_UNTIL(now()->sample_cnt >= before + 60);
    stop("complete");
    const char *text = only_file();
    const char *second = strstr(text, "second:f250/0");
    CHECK(strstr(text, "first:f250/0") != NULL && second != NULL);
    CHECK(strstr(second, "first:f250/0") == NULL); // never again
    end();
}

// ---- files, rotation, loss ----------------------------------------------------------------

TEST(files_rotate_and_the_last_are_listed)
{
    struct beam_recording_options options = options_for("rotate");
    options.output.max_file_bytes = 20000;
    make_vm("27", 20);
    start(&options);
    for (int i = 0; i < 20; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->finished_file_cnt >= 4);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->files, status.finished_file_cnt);
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(status.kept_file_cnt, totals->files);
    for (uint32_t i = 0; i < status.kept_file_cnt; i++) {
        CHECK(file_exists(dir, status.files[i]));
    }
    for (int i = 1; i <= 20; i++) { // across files, too
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    end();
}

TEST(a_full_ring_is_told_in_the_footer)
{
    struct beam_recording_options options = options_for("ring");
    options.walker.ring_bytes = 4096;
    options.walker.process_interval_ns = 1; // all of them at each tick
    make_vm("27", 100);
    start(&options);
    for (int i = 0; i < 100; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->losses.lost[LOSS_RING_FULL] >= 500 && status.sample_cnt >= 20);
    stop("complete");
    uint64_t lost = status.losses.lost[LOSS_RING_FULL];
    CHECK_UINT(number_after(only_file(), "\n# loss ring_full: "), lost);
    (void)read_files();
    end();
}

// A name that is not known is asked for at every sample: as slow as a slow disk.
static size_t atom_text_slowly(void *context, uint64_t term, char *text, size_t text_bytes)
{
    if (term == fake_atom(999)) {
        clock_sleep_until_ns(clock_monotonic_ns() + 3 * MS);
    }
    return atom_text(context, term, text, text_bytes);
}

TEST(a_writer_slower_than_the_walker_still_rotates_and_stops)
{
    static const struct term_texts SLOW_TEXTS = {NULL, atom_text_slowly, process_number, pid_text};
    struct beam_recording_options options = options_for("slow");
    struct error err = {0};
    options.walker.sample_interval_ns = MS;
    options.walker.ring_bytes = 16384;
    options.output.max_file_bytes = 4096;
    make_vm("27", 1);
    fake_register(&vm, &processes[0], fake_atom(999));
    recording = beam_recording_start(&vm.layout, &memory, &session, &SLOW_TEXTS, &options, &err);
    CHECK(recording != NULL);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->losses.lost[LOSS_RING_FULL] >= 100);
    WAIT_UNTIL(now()->finished_file_cnt >= 3); // while the ring stays full
    uint64_t took_ns = stop("complete");
    CHECK_UINT(read_files()->samples, status.sample_cnt);
    end();
    CHECK(took_ns < 1000 * MS);
}

static void *change_everything(void *context)
{
    _Atomic bool *stopping = context;
    static const uint32_t STATES[] = {FAKE_WAITING,    FAKE_RUNNABLE, FAKE_RUNNING,
                                      FAKE_COLLECTING, FAKE_EXITING,  FAKE_SUSPENDED};
    for (uint64_t turn = 1; !atomic_load(stopping); turn++) {
        const struct fake_process *process = &processes[turn % 50];
        fake_set(&vm, process, LAYOUT_REDS, turn);
        fake_set(&vm, process, LAYOUT_STATE, STATES[turn / 7 % 6]);
        fake_set(&vm, process, LAYOUT_STOP, fake_address(process->stack + turn % 5));
        if (turn % 11 == 0) { // somebody exits
            fake_set_slot(&vm, 1 + turn % 50, turn % 2 == 0 ? 0 : fake_address(process->bytes));
        }
        if (turn % 64 == 0) {
            clock_sleep_until_ns(clock_monotonic_ns() + MS / 10);
        }
    }
    return NULL;
}

TEST(a_lively_vm_is_recorded_and_all_of_it_counted)
{
    struct beam_recording_options options = options_for("lively");
    _Atomic bool stopping = false;
    pthread_t thread;
    options.walker.goals[0] = (struct selection_goal){SELECT_BY_REDUCTIONS, 20};
    options.walker.goal_cnt = 1;
    options.walker.sample_interval_ns = MS;
    options.output.files.compression = FILE_COMPRESSION_NONE;
    make_vm("27", 50);
    CHECK(pthread_create(&thread, NULL, change_everything, &stopping) == 0);
    start(&options);
    WAIT_UNTIL(now()->sample_cnt >= 500 && status.select_pass_cnt >= 2);
    make_module(&module_files[1], CODE_BASE + CODE_BYTES, "second");
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    WAIT_UNTIL(now()->module_cnt == 2);
    stop("complete");
    atomic_store(&stopping, true);
    pthread_join(thread, NULL);
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(status.losses.ticks_expected,
               status.losses.ticks_taken + status.losses.lost[LOSS_MISSED_TICK]);
    end();
}

TEST(a_status_filter_writes_only_that_status)
{
    struct beam_recording_options options = options_for("filter");
    make_vm("27", 2);
    fake_set(&vm, &processes[1], LAYOUT_STATE, FAKE_SUSPENDED);
    start(&options);
    watch(processes[0].id, PROCESS_SUSPENDED);
    watch(processes[1].id, PROCESS_SUSPENDED);
    WAIT_UNTIL(now()->sample_cnt >= 10);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->by_process[1], 0);
    CHECK(totals->by_process[2] > 0);
    end();
}

// ---- armed: kept in memory, written when asked ------------------------------------------------

static const struct dump_request BY_TEST = {.fields = {{.key = "trigger", .value = "on_call"}},
                                            .field_cnt = 1};

static void start_armed(struct beam_recording_options *options, uint64_t keep_ns,
                        uint32_t process_cnt)
{
    options->keep_ns = keep_ns;
    make_vm("27", process_cnt);
    start(options);
    for (uint32_t i = 0; i < process_cnt; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
}

static void dump(uint64_t after_ns)
{
    struct dump_request request = BY_TEST;
    request.after_ns = after_ns;
    uint32_t done_cnt = now()->dump.done_cnt;
    CHECK(beam_recording_dump(recording, &request));
    CHECK(!beam_recording_dump(recording, &request)); // one at a time
    WAIT_UNTIL(now()->dump.done_cnt == done_cnt + 1);
}

TEST(an_armed_capture_writes_nothing_until_asked)
{
    struct beam_recording_options options = options_for("armed");
    start_armed(&options, 600 * 1000 * MS, 10);
    WAIT_UNTIL(now()->dump.kept_bytes >= 50000);
    CHECK_UINT(status.sample_cnt, 0);
    CHECK_UINT(status.bytes, 0);
    CHECK_STR(status.current_file, "");
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_WRITTEN);
    CHECK_UINT(status.finished_file_cnt, 1);
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK(totals->samples > 100);
    CHECK_HAS(only_file(), "\n# trigger: on_call\n");
    CHECK_HAS(only_file(), "\n# dump_kept_ns: ");
    CHECK_HAS(only_file(), "\n# dump_dropped_early: 0\n");
    CHECK_HAS(only_file(), "\n# end: complete\n");
    for (int i = 1; i <= 10; i++) {
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    stop("complete");
    CHECK_UINT(status.finished_file_cnt, 1); // what was kept since is nobody's
    end();
}

TEST(an_armed_capture_that_nobody_asks_leaves_no_file)
{
    struct beam_recording_options options = options_for("disarmed");
    start_armed(&options, 50 * MS, 3);
    WAIT_UNTIL(now()->losses.ticks_taken >= 200);
    CHECK(status.dump.kept_ns < 10000 * MS); // old ones go
    stop("complete");
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0);
    CHECK_UINT(status.losses.lost[LOSS_RING_FULL], 0);
    end();
}

TEST(a_dump_reaches_back_as_far_as_asked_and_goes_on)
{
    struct beam_recording_options options = options_for("window");
    start_armed(&options, 300 * MS, 1);
    WAIT_UNTIL(now()->losses.ticks_taken >= 400);
    dump(200 * MS);
    stop("complete");
    const struct totals *totals = read_files();
    uint64_t span_ns = totals->last_ns[1] - totals->first_ns[1];
    CHECK(span_ns >= 350 * MS && span_ns <= 550 * MS);
    // The losses are of that time, as far as the history tells.
    CHECK(number_after(only_file(), "\n# ticks_taken: ") < status.losses.ticks_taken);
    end();
}

TEST(what_does_not_fit_is_dropped_oldest_first_and_told)
{
    struct beam_recording_options options = options_for("small");
    options.walker.ring_bytes = 1 << 20;
    options.walker.process_interval_ns = 1; // each at each tick: 900 kB/s
    start_armed(&options, 600 * 1000 * MS, 4);
    WAIT_UNTIL(now()->dump.early_cnt >= 500);
    CHECK(status.dump.kept_bytes <= 1 << 20);
    dump(0);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK(totals->samples > 500 && totals->samples < (1 << 20) / 300);
    CHECK(number_after(only_file(), "\n# dump_dropped_early: ") >= 500);
    CHECK(number_after(only_file(), "\n# dump_kept_ns: ") < 10000 * MS);
    end();
}

TEST(code_unloaded_since_is_named_in_a_dump)
{
    struct beam_recording_options options = options_for("unloaded");
    start_armed(&options, 600 * 1000 * MS, 1);
    WAIT_UNTIL(now()->losses.ticks_taken >= 50 && status.dump.kept_bytes > 5000);
    fake_code_list_init(&code); // all of it gone
    fake_code_list_add(&code, emulator_file, sizeof emulator_file);
    make_module(&module_files[1], CODE_BASE, "second"); // in place of the first
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    uint64_t then = now()->losses.ticks_taken;
    WAIT_UNTIL(now()->losses.ticks_taken >= then + 200);
    dump(0);
    stop("complete");
    const char *text = only_file();
    const char *second = strstr(text, "second:f250/0");
    CHECK(strstr(text, "first:f250/0") != NULL && second != NULL);
    CHECK(strstr(second, "first:f250/0") == NULL);
    end();
}

TEST(a_dump_of_nothing_leaves_no_file)
{
    struct beam_recording_options options = options_for("nothing");
    start_armed(&options, 1000 * MS, 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_EMPTY);
    stop("complete");
    CHECK_UINT(status.finished_file_cnt, 0);
    end();
}

TEST(a_dump_that_cannot_be_written_is_told_and_the_next_works)
{
    struct beam_recording_options options = options_for("no_place");
    char moved[300];
    start_armed(&options, 600 * 1000 * MS, 3);
    WAIT_UNTIL(now()->dump.kept_bytes > 5000);
    snprintf(moved, sizeof moved, "%s.moved", dir);
    CHECK(rename(dir, moved) == 0);
    FILE *in_the_way = fopen(dir, "w");
    CHECK(in_the_way != NULL && fclose(in_the_way) == 0);
    CHECK(rmdir(moved) == 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_FAILED);
    CHECK(status.last_error.code != ERROR_NONE);
    CHECK(remove(dir) == 0);
    dump(0); // what was kept is still there
    CHECK_INT(status.dump.result, DUMP_WRITTEN);
    CHECK(read_files()->samples > 5);
    stop("complete");
    end();
}

TEST(a_stop_during_a_dump_finishes_its_file)
{
    struct beam_recording_options options = options_for("stop_dump");
    start_armed(&options, 600 * 1000 * MS, 3);
    WAIT_UNTIL(now()->dump.kept_bytes > 5000);
    struct dump_request request = BY_TEST;
    request.after_ns = 3600 * 1000 * MS;
    CHECK(beam_recording_dump(recording, &request));
    stop("owner process died");
    CHECK_HAS(only_file(), "\n# end: owner process died\n");
    CHECK(!beam_recording_dump(recording, &request));
    CHECK_UINT(read_files()->samples, status.sample_cnt);
    end();
}

TEST(a_stretched_capture_says_so_in_every_file)
{
    struct beam_recording_options options = options_for("stretched");
    options.output.max_file_bytes = 20000;
    make_vm("27", 10);
    start(&options);
    for (int i = 0; i < 10; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->sample_cnt >= 10 && status.explicit_cnt == 10);
    CHECK_UINT(status.process_interval_ns, 20 * MS);
    beam_recording_stretch(recording, 300, "stretch 300 %");
    uint32_t before = now()->finished_file_cnt;
    WAIT_UNTIL(now()->finished_file_cnt >= before + 3);
    CHECK_UINT(status.process_interval_ns, 60 * MS);
    CHECK_UINT(status.sample_interval_ns, 6 * MS);
    stop("stopped at a limit");
    struct file_names names;
    list_files(dir, &names);
    unsigned told = 0;
    for (unsigned i = 0; i < names.cnt; i++) {
        told += strstr(file_text(dir, names.names[i]), "\n# governor: stretch 300 %\n") != NULL;
    }
    CHECK(told + before + 1 >= names.cnt); // all but those from before
    const struct totals *totals = read_files();
    for (int i = 1; i <= 10; i++) {
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    end();
}

TEST(only_an_armed_capture_dumps)
{
    struct beam_recording_options options = options_for("not_armed");
    make_vm("27", 1);
    start(&options);
    CHECK(!beam_recording_dump(recording, &BY_TEST));
    stop("complete");
    end();
}

// ---- starts that fail ---------------------------------------------------------------------

static void check_no_start(const struct beam_recording_options *options,
                           enum error_code code_wanted, const char *part)
{
    struct error err = {0};
    struct sigaction handler;
    CHECK(beam_recording_start(&vm.layout, &memory, &session, &TEXTS, options, &err) == NULL);
    CHECK_INT(err.code, code_wanted);
    CHECK_HAS(err.detail, part);
    CHECK_UINT(atomic_load(&done_cnt), 0);
    CHECK(sigaction(SIGSEGV, NULL, &handler) == 0);
    CHECK(handler.sa_handler == SIG_DFL);
}

TEST(a_start_that_fails_leaves_nothing)
{
    struct beam_recording_options options = options_for("plain_file");
    make_vm("27", 1);
    make_file(test_dir(), "plain_file", "in its place");
    check_no_start(&options, ERROR_OS, "Not a directory");
    options = options_for("bad_stem");
    options.output.files.stem = "a/b";
    check_no_start(&options, ERROR_BAD_ARGUMENT, "a/b");
    options = options_for("no_code");
    memory.range_cnt = 0;
    check_no_start(&options, ERROR_UNSUPPORTED, "JIT");
    memory.range_cnt = 1;
    code.entries[0].prev = 0x12340; // neither whole
    fake_code_list_add(&code, module_files[0].bytes, module_files[0].len);
    check_no_start(&options, ERROR_LAYOUT, "did not hold still");
    fake_vm_deinit(&vm);
}

TEST(starting_and_stopping_often_leaves_nothing)
{
    for (int i = 0; i < 20; i++) {
        struct beam_recording_options options = options_for("often");
        make_vm("27", 5);
        start(&options);
        watch(processes[0].id, TARGET_ANY_STATUS);
        stop("complete");
        end();
    }
    struct sigaction handler;
    CHECK(sigaction(SIGSEGV, NULL, &handler) == 0);
    CHECK(handler.sa_handler == SIG_DFL);
}
