// SPDX-License-Identifier: Apache-2.0
// One BEAM capture from start to finished files: owns the walker, and a writer
// thread that follows code loading, drains the ring, gives names and writes.
// Outlives its starter: when the owner goes, the writer still finishes the file.
#ifndef FLAME_PROF_RECORD_BEAM_BEAM_RECORDING_H
#define FLAME_PROF_RECORD_BEAM_BEAM_RECORDING_H

#include "base/error.h"
#include "capture/beam/walker.h"
#include "model/session.h"
#include "record/beam/application_table.h"
#include "record/beam/beam_recording_status.h"
#include "record/beam/cpu_recording.h"
#include "record/beam/process_names.h"
#include "sinks/dump.h"
#include "sinks/recording.h"

#include <stdbool.h>
#include <stdint.h>

struct beam_recording_options {
    struct walker_options walker;
    struct recording_options output;
    bool flatten_recursive; // equal neighbouring functions become one frame
    size_t code_map_max_bytes;
    struct cpu_recording_options cpu; // sampler.rate_hz 0: none; categories and metrics are both's
    const char *cpu_stem;             // of its files
    uint64_t keep_ns;                 // armed: samples stay in the ring so long, files are made by
                                      // beam_recording_dump; 0 = everything is written
    // Called by the writer's thread as its very last act.
    void (*on_done)(void *context);
    void *on_done_context;
};

struct beam_recording;

// Starts both threads. `layout`, `session` are copied; `texts->context` must live
// until on_done. NULL with the reason on failure.
struct beam_recording *beam_recording_start(const struct otp_layout *layout,
                                            const struct vm_memory *memory,
                                            const struct session *session,
                                            const struct term_texts *texts,
                                            const struct beam_recording_options *options,
                                            struct error *err);

// Any thread, returns at once: no further samples, finish the file.
void beam_recording_request_stop(struct beam_recording *recording, const char *end_reason);

// Any thread, returns at once: writes what an armed capture keeps, and what comes in
// the next `request->after_ns`, into one file. False while a dump is going on, and
// when the capture is not armed.
bool beam_recording_dump(struct beam_recording *recording, const struct dump_request *request);

// Any thread, returns at once. As walker_stretch; `note` says why, in the file.
void beam_recording_stretch(struct beam_recording *recording, uint32_t percent, const char *note);

// Waits for the writer to be through. False at the deadline (CLOCK_MONOTONIC).
bool beam_recording_wait(struct beam_recording *recording, uint64_t deadline_ns);

// Any thread. False when too many commands are waiting.
bool beam_recording_command(struct beam_recording *recording, struct walker_command command);

// Any thread. As walker_expect.
void beam_recording_expect(struct beam_recording *recording, uint64_t process_cnt);

// Any thread. As application_table_set.
void beam_recording_set_applications(struct beam_recording *recording,
                                     const struct application *applications, uint32_t cnt);

// Any thread. As vm_gauges_set_run_queues.
void beam_recording_set_run_queues(struct beam_recording *recording, const int64_t *lengths,
                                   uint32_t cnt);

// Any thread. For its setters; lives as long as the recording.
struct vm_gauges *beam_recording_gauges(struct beam_recording *recording);

// Any thread. As walker_chosen.
uint32_t beam_recording_chosen(struct beam_recording *recording, uint64_t *ids, uint32_t max_cnt);

// Any thread.
void beam_recording_status(struct beam_recording *recording,
                           struct beam_recording_status *status_ret);

// Only when done (status.done or on_done was called). NULL is fine.
void beam_recording_destroy(struct beam_recording *recording);

#endif
