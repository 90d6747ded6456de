// SPDX-License-Identifier: Apache-2.0
// The sampling thread over a process table in the test's own memory, and what it saw. One at
// a time.
#ifndef FLAME_PROF_TEST_WALKED_VM_H
#define FLAME_PROF_TEST_WALKED_VM_H

#include "capture/beam/walker.h"

#include "base/clock.h"
#include "child_process.h" // sanitizers leave SIGSEGV to us
#include "fake_code.h"
#include "fake_vm.h"

enum { SLOTS = 1024, MAX_SAMPLES = 200000, MAX_PROCESSES = 200, DEADLINE_S = 200 };
#define MS (1ULL * CLOCK_NS_PER_MS)

// What is kept of a sample.
struct seen {
    uint64_t time_ns;
    uint64_t period_ns;
    uint64_t id;
    uint16_t status;
    uint16_t stack;
    uint32_t frame_cnt;
    uint32_t code_generation;
    struct metric_value reductions;
};

static struct fake_vm vm;
static struct fake_code_list code;
static struct fake_process processes[MAX_PROCESSES];
static struct walker walker;
static struct seen samples[MAX_SAMPLES];
static uint32_t sample_cnt;
static uint64_t symfile[4] = {1};
// The last one whole.
static struct {
    struct process_sample head;
    uint64_t frames[512];
} last;

static inline struct walker_options options_with(uint64_t sample_interval_ns)
{
    return (struct walker_options){
        .sample_interval_ns = sample_interval_ns,
        .process_interval_ns = 50 * MS,
        .select_interval_ns = 20 * MS,
        .auto_status_filter = TARGET_ANY_STATUS,
        .max_targets = 1000,
        .max_frames = 64,
        .ring_bytes = 1 << 20,
    };
}

static inline void make_processes(const char *release, uint32_t cnt)
{
    fake_vm_init(&vm, release, SLOTS);
    memset(&code, 0, sizeof code);
    fake_code_list_init(&code);
    fake_code_list_add(&code, symfile, sizeof symfile);
    for (uint32_t i = 0; i < cnt; i++) {
        processes[i] = fake_spawn(&vm, 1 + i * 3, 1, 64, 10);
    }
}

static inline void start(const struct walker_options *options)
{
    struct error err = {0};
    const struct jit_code_list list = {fake_place(code.descriptor), code.descriptor[2]};
    sample_cnt = 0;
    if (!walker_start(&walker, &vm.layout, &list, options, &err)) {
        TEST_FAIL("start: %s", err.detail);
    }
}

static inline void watch(uint64_t id, int status_filter)
{
    CHECK(walker_command(&walker, (struct walker_command){WALKER_WATCH, id, status_filter}));
}

static inline void drain(void)
{
    uint32_t len;
    const struct process_sample *raw;
    while ((raw = spsc_ring_peek(&walker.ring, &len)) != NULL) {
        CHECK_UINT(len, process_sample_bytes(raw));
        CHECK(len <= sizeof last && sample_cnt < MAX_SAMPLES);
        memcpy(&last, raw, len);
        samples[sample_cnt++] = (struct seen){
            .time_ns = raw->time_ns,
            .period_ns = raw->period_ns,
            .id = raw->id,
            .status = raw->status,
            .stack = raw->stack,
            .frame_cnt = raw->frame_cnt,
            .code_generation = raw->code_generation,
            .reductions = raw->metrics[BEAM_METRIC_REDUCTIONS],
        };
        spsc_ring_pop(&walker.ring);
    }
}

static inline void stop(void)
{
    walker_stop(&walker);
    walker_stop(&walker);
    drain();
}

static inline void end(void)
{
    walker_deinit(&walker);
    fake_vm_deinit(&vm);
}

static inline uint64_t ticks_taken(void)
{
    return atomic_load(&walker.losses.ticks_taken);
}

static inline uint64_t lost(enum loss_reason reason)
{
    return atomic_load(&walker.losses.lost[reason]);
}

static inline uint64_t gauge(const _Atomic uint64_t *value)
{
    return atomic_load(value);
}

// Waits for a condition, draining meanwhile; the deadline is for a broken walker.
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t wait_deadline_ns = clock_monotonic_ns() + DEADLINE_S * 1000 * MS;                 \
        drain();                                                                                   \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ns() > wait_deadline_ns)                                           \
                TEST_FAIL("not within %d s: %s", DEADLINE_S, #condition);                          \
            clock_sleep_until_ns(clock_monotonic_ns() + MS);                                       \
            drain();                                                                               \
        }                                                                                          \
    } while (0)

static inline uint32_t count_of(uint64_t id)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < sample_cnt; i++) {
        cnt += samples[i].id == id;
    }
    return cnt;
}

#endif
