// SPDX-License-Identifier: Apache-2.0
// The wall-clock engine: a thread of its own that wakes at each tick, reads the
// processes whose turn it is, and puts samples into a ring. It takes no lock
// that anybody holds for long, allocates nothing, and never touches a scheduler.
#ifndef FLAME_PROF_CAPTURE_BEAM_WALKER_H
#define FLAME_PROF_CAPTURE_BEAM_WALKER_H

#include "base/error.h"
#include "base/spsc_ring.h"
#include "capture/beam/jit_code_list.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/process_sample.h"
#include "capture/beam/target_set.h"
#include "capture/beam/top_selector.h"
#include "model/loss.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct walker_options {
    uint64_t sample_interval_ns;  // distance of two ticks
    uint64_t process_interval_ns; // how often one process is meant to be seen; 0 = chosen so
                                  // that text stays near 1 MB/s
    enum reader_kind reader;
    struct selection_goal goals[SELECTOR_MAX_GOALS]; // automatic selection
    uint32_t goal_cnt;                               // 0 = none
    struct cpu_usage *cpu_usage; // borrowed, for those that go by it; may be NULL
    uint64_t select_interval_ns; // between two selections; less when those selected have ended
    int auto_status_filter;      // TARGET_ANY_STATUS or an enum process_status
    uint32_t max_targets;
    uint32_t max_frames; // per stack
    size_t ring_bytes;
    const uint64_t *excluded; // pid terms never chosen automatically
    uint32_t excluded_cnt;
};

// What anybody may look at while the walker runs; relaxed.
struct walker_gauges {
    _Atomic uint64_t target_cnt;
    _Atomic uint64_t explicit_cnt;
    _Atomic uint64_t process_cnt;    // in the last selection pass
    _Atomic uint64_t select_pass_ns; // reading time of the last selection pass
    _Atomic uint64_t select_pass_cnt;
    _Atomic uint64_t refused_target_cnt;
    _Atomic uint64_t cpu_ns;        // of the walker's thread
    _Atomic uint64_t max_late_ns;   // latest wake-up
    _Atomic uint32_t reader_kind;   // in use now
    _Atomic uint32_t reading_stops; // times a foreign fault handler stopped the reading
};

// The pace in force: what was asked for, stretched by a governor.
struct walker_pace {
    uint64_t sample_interval_ns;
    uint64_t process_interval_ns;
};

enum { WALKER_STRETCH_NONE = 100, WALKER_STRETCH_MAX = 100000 }; // percent

enum walker_command_kind { WALKER_WATCH, WALKER_UNWATCH, WALKER_EXCLUDE };

struct walker_command {
    enum walker_command_kind kind;
    uint64_t id;
    int status_filter;
};

enum { WALKER_MAX_COMMANDS = 4096, WALKER_KEPT_GENERATIONS = 256 };

struct walker {
    struct walker_options options;
    const struct otp_layout *layout; // borrowed, constant
    struct jit_code_list code_list;  // the walker's own view, for generations
    struct memory_reader reader;
    struct target_set targets;
    struct top_selector selector;
    struct spsc_ring ring; // producer: the walker's thread; consumer: the writer's
    struct loss_counters losses;
    struct walker_gauges gauges;
    // The newest entry of the list of code when generation N began, at N modulo the
    // size: tells in which generation an entry was added. 0 for generation 0.
    _Atomic uint64_t generation_first[WALKER_KEPT_GENERATIONS];
    _Atomic uint32_t code_generation;
    _Atomic bool stopping;
    _Atomic uint32_t stretch_percent; // set by anybody
    pthread_t thread;
    bool running;
    // Guards what is below it up to `chosen_cnt`; held for a copy only.
    pthread_mutex_t command_lock;
    struct walker_command commands[WALKER_MAX_COMMANDS];
    uint32_t command_cnt;
    uint64_t *chosen; // pid terms of the last selection
    uint32_t chosen_cnt;
    _Atomic uint64_t process_cnt;  // that the VM says it has
    _Atomic int64_t run_queue_len; // of all normal schedulers, as last told
    uint64_t next_select_ns;
    uint64_t selected_ns; // when the last selection was complete
    bool selecting;
    uint32_t ended_cnt; // of those selected then
    struct walker_pace pace;
    uint64_t credit_ppm; // samples due, in millionths
    struct process_snapshot *snapshots;
};

// Opens reader and tables, starts the thread. On failure nothing is left to stop.
bool walker_start(struct walker *walker, const struct otp_layout *layout,
                  const struct jit_code_list *code_list, const struct walker_options *options,
                  struct error *err);

// No sample is produced after it returns. What is in the ring stays there.
// Harmless twice.
void walker_stop(struct walker *walker);

// After walker_stop, when the ring is no longer needed.
void walker_deinit(struct walker *walker);

// Any thread. False when WALKER_MAX_COMMANDS are waiting.
bool walker_command(struct walker *walker, struct walker_command command);

// Any thread. How many processes the VM has, for top_selector_expect.
void walker_expect(struct walker *walker, uint64_t process_cnt);

// Any thread. Of all normal schedulers; samples carry it from now on.
void walker_set_run_queue_len(struct walker *walker, int64_t len);

// Any thread. Copies the pid terms of the last automatic selection, at most
// `max_cnt`; how many.
uint32_t walker_chosen(struct walker *walker, uint64_t *ids, uint32_t max_cnt);

// Any thread. Intervals become `percent` of what they were: first each process is seen
// less often; ticks become rarer only where they would be empty. Weights stay true:
// a sample stands for the time since the process's last one.
void walker_stretch(struct walker *walker, uint32_t percent);

struct walker_pace walker_pace_of(const struct walker_options *options, uint64_t target_cnt,
                                  uint32_t stretch_percent);

// Rate at which one process is seen with `target_cnt` selected, in ns.
uint64_t walker_effective_process_interval_ns(const struct walker_options *options,
                                              uint64_t target_cnt);

#endif
