// SPDX-License-Identifier: Apache-2.0
// How a BEAM capture stands: what its writer publishes and what the walker's gauges say.
#ifndef FLAME_PROF_RECORD_BEAM_BEAM_RECORDING_STATUS_H
#define FLAME_PROF_RECORD_BEAM_BEAM_RECORDING_STATUS_H

#include "base/error.h"
#include "capture/beam/walker.h"
#include "record/beam/cpu_recording.h"
#include "sinks/dump.h"
#include "store/file_series.h"

#include <stdbool.h>
#include <stdint.h>

enum { BEAM_RECORDING_KEPT_FILES = 64 };

// Of an armed capture.
struct dump_status {
    uint32_t asked_cnt; // dumps
    uint32_t done_cnt;
    enum dump_result result; // of the last one
    uint64_t kept_ns;        // from the oldest sample in memory until now
    uint64_t kept_bytes;
    uint64_t early_cnt; // samples dropped before their time for want of room
};

// A copy; consistent in itself.
struct beam_recording_status {
    bool done; // both threads are through, the last file is finished
    bool failing;
    struct error last_error; // code ERROR_NONE if there was none
    char directory[FILE_SERIES_PATH_BYTES];
    char current_file[FILE_SERIES_NAME_BYTES];                     // "" when none is open
    char files[BEAM_RECORDING_KEPT_FILES][FILE_SERIES_NAME_BYTES]; // last finished ones
    uint32_t kept_file_cnt;
    uint32_t finished_file_cnt;
    uint64_t sample_cnt;
    uint64_t bytes; // on disk
    uint64_t writer_cpu_ns;
    uint64_t walker_cpu_ns;
    uint64_t memory_bytes;
    uint32_t module_cnt;
    uint64_t target_cnt;
    uint64_t explicit_cnt;
    uint64_t process_cnt;
    uint64_t select_pass_ns;
    uint64_t select_pass_cnt;
    uint64_t refused_target_cnt;
    uint64_t max_late_ns;
    uint64_t process_interval_ns; // in force
    uint64_t sample_interval_ns;  // in force
    const char *reader;           // static
    struct error cpu_err;         // why there is no CPU sampling, code ERROR_NONE if there is
    struct cpu_recording_status cpu;
    uint32_t reading_stops;
    struct loss_snapshot losses;
    struct dump_status dump;
};

// file_series keeps the last finished name only: called after every step that can
// finish one file.
void beam_recording_status_note_files(struct beam_recording_status *status,
                                      const struct file_series *files);

// Any thread, whatever the walker does.
void beam_recording_status_take_walker(struct beam_recording_status *status, struct walker *walker);

#endif
