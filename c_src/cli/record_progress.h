// SPDX-License-Identifier: Apache-2.0
// What `flameprof record` says while and after it records. To stderr.
#ifndef FLAME_PROF_CLI_RECORD_PROGRESS_H
#define FLAME_PROF_CLI_RECORD_PROGRESS_H

#include "record/system/system_recording.h"

#include <stdbool.h>

// A line that is written over once a second, on a terminal only, from the third
// second on. A zeroed struct is before the first.
struct record_progress {
    uint64_t shown_ns;
    uint64_t shown_samples;
    bool is_visible;
};

void record_progress_show(struct record_progress *progress,
                          const struct system_recording_stats *stats);
void record_progress_clear(struct record_progress *progress);

// The dump of a flight recorder that has just ended.
void record_progress_dump(const struct flight_stats *flight);

// How the summary is to be read.
struct record_summary {
    uint32_t rate_hz;
    const char *path;
    bool names_a_process; // some process was to be sampled, not the host
};

void record_progress_summary(const struct record_summary *summary,
                             const struct system_recording_stats *stats);

#endif
