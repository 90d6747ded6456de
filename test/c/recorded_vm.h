// SPDX-License-Identifier: Apache-2.0
// A capture over a process table and a list of code in the test's own memory: both threads,
// no VM. One at a time.
#ifndef FLAME_PROF_TEST_RECORDED_VM_H
#define FLAME_PROF_TEST_RECORDED_VM_H

#include "record/beam/beam_recording.h"

#include "base/clock.h"
#include "child_process.h" // sanitizers leave SIGSEGV to us
#include "fake_code.h"
#include "fake_vm.h"
#include "file_tree.h"

#include <stdatomic.h>

enum { SLOTS = 1024, DEADLINE_S = 200, MAX_PROCESSES = 300, CODE_BYTES = 0x10000 };
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

static inline size_t atom_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    uint64_t number = term >> 6;
    if (!(number < sizeof ATOMS / sizeof ATOMS[0])) {
        return 0;
    }
    snprintf(text, text_bytes, "%s", ATOMS[number]);
    return strlen(text);
}

static inline size_t pid_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return (size_t)snprintf(text, text_bytes, "<0.%llu.0>", (unsigned long long)term >> 4);
}

static inline uint32_t process_number(void *context, uint64_t pid_term)
{
    (void)context;
    return (uint32_t)otp_layout_slot(&vm.layout, pid_term);
}

static const struct term_texts TEXTS = {NULL, atom_text, process_number, pid_text};

static inline void on_done(void *context)
{
    (void)context;
    atomic_fetch_add(&done_cnt, 1);
}

// Four functions of 64 bytes: two on a stack fall into each.
static inline void make_module(struct fake_symfile *file, uint64_t base, const char *name)
{
    fake_symfile_begin(file, base, CODE_BYTES, name);
    for (uint32_t i = 0; i < CODE_BYTES / 64; i++) {
        char function[64];
        snprintf(function, sizeof function, "%s:f%u/0", name, i);
        fake_symfile_range(file, i * 64, i * 64 + 64, function, 1);
        fake_symfile_line(file, i * 64, i + 1, "/home/me/src/m.erl");
    }
}

static inline void make_vm(const char *release, uint32_t process_cnt)
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

static inline struct beam_recording_options options_for(const char *name)
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

static inline void start(const struct beam_recording_options *options)
{
    struct error err = {0};
    recording = beam_recording_start(&vm.layout, &memory, &session, &TEXTS, options, &err);
    if (recording == NULL) {
        TEST_FAIL("start: %s", err.detail);
    }
}

static inline void watch(uint64_t id, int status_filter)
{
    CHECK(beam_recording_command(recording,
                                 (struct walker_command){WALKER_WATCH, id, status_filter}));
}

static inline struct beam_recording_status *now(void)
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

static inline uint64_t stop(const char *reason)
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

static inline void end(void)
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

static inline uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (at == NULL) {
        TEST_FAIL("no %s", key);
    }
    return strtoull(at + strlen(key), NULL, 10);
}

static inline void add_sample(const char *line, struct totals *totals)
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

static inline void add_file(const char *text, struct totals *totals)
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

static inline const struct totals *read_files(void)
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

static inline const char *only_file(void)
{
    static struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    return file_text(dir, names.names[0]);
}

#endif
