// SPDX-License-Identifier: Apache-2.0
// The file of one event: whoever adds up a file must not add faults to seconds. Files
// of several events of one recording differ in what is behind their stem. One owner, one
// thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_EVENT_OUTPUT_H
#define FLAME_PROF_RECORD_SYSTEM_EVENT_OUTPUT_H

#include "base/error.h"
#include "capture/system/system_sample.h"
#include "model/loss.h"
#include "record/system/frame_names.h"
#include "record/system/thread_counters.h"
#include "sinks/dump.h"
#include "sinks/recording.h"

#include <stdbool.h>

// A zeroed one is closed.
struct event_output {
    bool is_open;
    enum system_event event;
    struct session session;
    struct loss_counters losses;
    struct recording output;
    struct dump dump; // of a flight recorder
    struct thread_counters *threads;
    uint32_t told_cnt; // builds told in the open file
    uint32_t told_in;  // its number
    char stem[FILE_SERIES_NAME_BYTES];
};

// `number` is that of the event (system_event_choice). `common` has the fields of the
// header that all events share. With `has_others` the stem
// gets the event's name.
bool event_output_open(struct event_output *output, enum system_event event, uint64_t number,
                       const struct session *common, const struct recording_options *options,
                       bool has_others, struct error *err);

// Tells the builds in which `names` found code and which the open file does not tell yet: each
// file tells those that were seen up to its last sample, once.
void event_output_tell_files(struct event_output *output, struct frame_names *names);

// Writes a sample with its frames; `stack` as in struct sample.
void event_output_write(struct event_output *output, const struct system_sample *sample,
                        uint32_t stack, const struct frame *frames, uint32_t frame_cnt);

// A sample that is not written: its thread's next one gains since this one.
void event_output_skip(struct event_output *output, const struct system_sample *sample);

// Harmless twice.
bool event_output_close(struct event_output *output, const char *end_reason, struct error *err);
void event_output_destroy(struct event_output *output);

#endif
