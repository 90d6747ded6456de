// SPDX-License-Identifier: Apache-2.0
// Records the host: drains the sampler, puts samples in order, names them and
// writes them. Sampling itself happens in the kernel and never waits for this.
// One owner, one thread, which calls system_recording_step all the time.
//
// Each event has a file, or a series of files, of its own. The account of every tick,
// over all files of an event:
//     ticks_expected = samples + the sum of all losses
// where ticks that found nobody to sample (idle CPU, filtered out) are not
// expected; system_recording_stats has those, too.
#ifndef FLAME_PROF_RECORD_SYSTEM_SYSTEM_RECORDING_H
#define FLAME_PROF_RECORD_SYSTEM_SYSTEM_RECORDING_H

#include "base/error.h"
#include "capture/system/system_source.h"
#include "model/loss.h"
#include "record/system/file_names.h"
#include "record/system/flight.h"
#include "record/system/governor.h"
#include "record/system/system_categories.h"
#include "sinks/recording.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct system_recording_options {
    enum system_engine engine;
    struct system_sampler_options sampler;
    struct recording_options output;
    struct file_names_options names;
    const char *options_text; // for the header
    struct system_category_order categories;
    struct flight_options flight;
    struct governor_limits limits;
};

struct system_recording_stats {
    uint64_t start_ns;
    uint64_t elapsed_ns;
    uint64_t sample_cnt; // written or about to be, of all events
    struct {
        bool is_open;
        uint64_t sample_cnt;
        uint64_t lost;
    } events[SYSTEM_EVENT_CNT];
    uint64_t written_bytes; // on disk, of all files
    uint32_t file_cnt;      // finished
    struct system_ticks ticks;
    struct loss_snapshot losses; // of all events
    uint64_t stack_ends[SYSTEM_STACK_END_CNT];
    uint64_t frame_cnt;
    uint64_t unnamed_frame_cnt;
    uint64_t unread_processes;
    uint32_t stretch; // intervals in percent of what was asked for, by the budget
    uint32_t backoffs;
    bool is_flight;
    struct flight_stats flight;
};

struct system_recording;

// Opens output and sampler; nothing is sampled yet. NULL, with the reason.
struct system_recording *system_recording_create(const struct system_recording_options *options,
                                                 struct error *err);
void system_recording_destroy(struct system_recording *recording);

bool system_recording_start(struct system_recording *recording, struct error *err);

// Adds a process to a recording of chosen processes.
bool system_recording_trace(struct system_recording *recording, uint32_t pid, struct error *err);

// Waits at most `timeout_ms` (a signal ends it early), takes what there is and
// writes what is old enough.
void system_recording_step(struct system_recording *recording, int timeout_ms);

// A flight recorder writes what it keeps; `who` asked for it goes to the file. False while
// another dump is going on.
bool system_recording_dump(struct system_recording *recording, const char *who);

// Why the recording is to end, by its budget; NULL: it need not.
const char *system_recording_limit(const struct system_recording *recording);

// Stops sampling, writes the rest, finishes the file with `end_reason` in its
// footer. False, with the reason, when the file could not be finished.
bool system_recording_stop(struct system_recording *recording, const char *end_reason,
                           struct error *err);

struct system_recording_stats system_recording_stats(const struct system_recording *recording);

// The open or the last finished file, of the first event.
void system_recording_path(const struct system_recording *recording, char *path, size_t path_bytes);

// What samples are taken by. Valid until _destroy.
const struct system_source *system_recording_source(const struct system_recording *recording);

#endif
