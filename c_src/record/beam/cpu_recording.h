// SPDX-License-Identifier: Apache-2.0
// The CPU half of a BEAM capture: owns the scheduler sampler and the files with its
// samples ("beam-cpu"), beside those of the walker: viewers that know no event names
// would add CPU time to wall time. Driven by the writer's thread of the recording
// that owns it.
#ifndef FLAME_PROF_RECORD_BEAM_CPU_RECORDING_H
#define FLAME_PROF_RECORD_BEAM_CPU_RECORDING_H

#include "base/error.h"
#include "capture/beam/bif_table.h"
#include "capture/beam/cpu_sampler.h"
#include "capture/beam/cpu_usage.h"
#include "capture/beam/own_processes.h"
#include "record/beam/application_table.h"
#include "record/beam/process_categories.h"
#include "record/beam/process_names.h"
#include "record/beam/vm_gauges.h"
#include "sinks/dump.h"
#include "sinks/recording.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stdint.h>

struct cpu_recording_options {
    struct cpu_sampler_options sampler; // rate_hz 0: no CPU sampling
    uint32_t scheduler_cnt[SCHEDULER_KIND_CNT];
    uint64_t caller;        // address of the calling process's struct
    const struct bif *bifs; // as the VM tells them, for the call of cpu_recording_start only
    uint32_t bif_cnt;
    bool flatten_recursive;
    uint32_t max_frames; // per stack
    uint64_t keep_ns;    // armed: samples are kept so long, files are made by dumps; else 0
    size_t keep_bytes;   // and take this at most
    struct process_category_order categories;
    uint64_t metrics; // ids of those beyond the default (metric_choice_parse)
    char node[256];   // "" = not told
};

// What is lent until cpu_recording_destroy.
struct cpu_recording_sources {
    const struct otp_layout *layout;
    const struct vm_memory *memory; // for the call of cpu_recording_start only
    const struct code_map *code;
    struct process_names *names;
    struct cpu_usage *usage; // told who used CPU time
    const struct own_processes *own;
    struct application_table *applications;
    struct vm_gauges *gauges;
    const _Atomic uint32_t *code_generation;
};

// A copy; consistent in itself.
struct cpu_recording_status {
    uint64_t sample_cnt;
    uint64_t cpu_ns;           // that the samples taken stand for, written or not
    uint64_t lost_cnt;         // the ring was full
    uint64_t write_failed_cnt; // disk full or gone; `last_error` says what
    struct error last_error;   // code ERROR_NONE if there was none; also why sampling ended
    uint64_t incomplete_cnt;   // samples without one stack down to the process's start
    uint64_t mismatch_cnt;     // the registers contradict the VM's data
    enum cpu_method method;    // AUTO: not started
    struct error refused;      // why there are no signals; code ERROR_NONE otherwise
    uint64_t handler_median_ns;
    uint64_t handler_total_ns; // of the schedulers' time
    uint64_t thread_ns;        // CPU time of the thread that watches, where one does
    uint64_t kept_ns;          // of an armed capture: from the oldest sample in memory until now
    uint64_t kept_bytes;
    uint64_t early_cnt;           // dropped before their time for want of room
    enum dump_result dump_result; // of the last dump
    uint64_t memory_bytes;
    uint32_t scheduler_cnt;
    uint32_t finished_file_cnt;
    char last_file[FILE_SERIES_NAME_BYTES];
    char current_file[FILE_SERIES_NAME_BYTES];
};

struct cpu_recording;

// On a scheduler's thread. NULL, with the reason, where CPU sampling does not work.
struct cpu_recording *cpu_recording_start(const struct cpu_recording_sources *sources,
                                          const struct session *session,
                                          const struct cpu_recording_options *options,
                                          const struct recording_options *output,
                                          struct error *err);

// Newest code generation that waiting samples belong to.
uint32_t cpu_recording_newest_generation(const struct cpu_recording *recording);

// Writes what was taken before `before_ns`, in order of time, until `until_ns`.
// Of an armed capture: keeps it, and writes what belongs to the dump that is going on.
// False when more is there.
bool cpu_recording_drain(struct cpu_recording *recording, uint64_t before_ns, uint64_t until_ns);
// After each drain.
void cpu_recording_tick(struct cpu_recording *recording);

// Of an armed capture, beside a dump of the walker's samples: a file of its own. What
// fails is told in the status.
void cpu_recording_begin_dump(struct cpu_recording *recording, const struct dump_request *request);
// Everything that belongs to it has been drained; true when none is going on.
bool cpu_recording_dump_is_over(const struct cpu_recording *recording);
void cpu_recording_end_dump(struct cpu_recording *recording);

// No more samples; then drain once more, and close.
void cpu_recording_stop(struct cpu_recording *recording);
void cpu_recording_close(struct cpu_recording *recording, const char *end_reason);
void cpu_recording_destroy(struct cpu_recording *recording);

void cpu_recording_status(const struct cpu_recording *recording,
                          struct cpu_recording_status *status_ret);

#endif
