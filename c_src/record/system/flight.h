// SPDX-License-Identifier: Apache-2.0
// A flight recorder: samples stay in memory until something happens, then the last seconds
// are written to a file, names and all. Decides when, and says why in the file; the owner
// moves the samples. One owner, one thread; bounded by its options.
#ifndef FLAME_PROF_RECORD_SYSTEM_FLIGHT_H
#define FLAME_PROF_RECORD_SYSTEM_FLIGHT_H

#include "base/error.h"
#include "capture/system/host_gauges.h"
#include "capture/system/system_source.h"
#include "record/system/event_output.h"
#include "record/system/host_trigger.h"
#include "sinks/dump_policy.h"

#include <stdbool.h>
#include <stdint.h>

struct flight_options {
    uint64_t keep_ns; // 0 = no flight recorder: what is sampled is written
    uint64_t after_ns;
    uint64_t max_bytes;   // of samples in memory
    uint32_t dumps_max;   // by triggers; 0 = no limit
    uint64_t distance_ns; // of two by triggers
    bool at_end;          // and a dump when the recording ends
    struct host_trigger triggers[HOST_TRIGGERS_MAX];
    uint32_t trigger_cnt;
};

struct flight_stats {
    uint32_t by_trigger; // dumps begun
    uint32_t on_call;
    uint64_t suppressed[DUMP_REFUSAL_CNT];
    uint64_t dropped_early; // for want of memory
    uint32_t ended_cnt;
    enum dump_result result; // of the last one
    uint64_t last_bytes;     // of its files
    char last_cause[HOST_TRIGGER_TEXT_BYTES + 64];
    char last_path[FILE_SERIES_PATH_BYTES]; // of its first file
};

struct flight {
    struct flight_options options;
    struct dump_policy policy;
    struct host_gauges gauges;
    uint64_t looked_ns;
    struct dump_request request; // of the dump that is going on
    uint64_t until_ns;           // that belongs to it
    struct flight_stats stats;
};

// Room for the names of `options->triggers` that wait for the end of a process, in the
// order of their numbers for system_source_exits; how many.
uint32_t flight_exit_names(const struct flight_options *options,
                           char names[HOST_TRIGGERS_MAX][EXIT_COMM_BYTES]);

// False, with the reason, when this kernel does not tell what a trigger looks at.
bool flight_open(struct flight *flight, const struct flight_options *options, struct error *err);
// Harmless twice and on a zeroed struct.
void flight_close(struct flight *flight);

bool flight_is_on(const struct flight *flight);
bool flight_is_dumping(const struct flight *flight);

// Whether a dump is to begin: a trigger asks for one, and may have it.
bool flight_look(struct flight *flight, const struct system_source *source, uint64_t now_ns);
// The same for somebody who asks, `detail` says who. Refused only while one goes on.
bool flight_ask(struct flight *flight, const char *detail, uint64_t after_ns, uint64_t now_ns);

// Begins a file of each output; `oldest_ns`: of the oldest sample kept, 0 = none.
void flight_begin(struct flight *flight, struct event_output *outputs, uint64_t oldest_ns,
                  uint64_t now_ns);
// Everything up to `now_ns` was moved: does the dump end?
bool flight_is_over(const struct flight *flight, uint64_t now_ns);
void flight_end(struct flight *flight, struct event_output *outputs, uint64_t now_ns);

// Between dumps, now and then: what was lost when.
void flight_note_losses(const struct flight *flight, struct event_output *outputs);

struct flight_stats flight_stats(const struct flight *flight, const struct event_output *outputs);

#endif
