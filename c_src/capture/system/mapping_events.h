// SPDX-License-Identifier: Apache-2.0
// What processes map, as the kernel tells it while it happens: of those that executed
// a program, were forked or forked since the start. So the code of one that is gone before
// anybody could read its /proc/PID/maps is known. Bounded: the kernel's buffers, and
// one process per slot of a table. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_MAPPING_EVENTS_H
#define FLAME_PROF_CAPTURE_SYSTEM_MAPPING_EVENTS_H

#include "base/error.h"
#include "capture/system/process_maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping_events;

enum mapping_events_mode {
    MAPPING_EVENTS_LISTEN, // the kernel is asked to tell us, of every process
    MAPPING_EVENTS_FED,    // the caller hands over what it is told
};

// NULL, with the reason, when the kernel does not tell us.
struct mapping_events *mapping_events_create(enum mapping_events_mode mode, struct error *err);
void mapping_events_destroy(struct mapping_events *events);

// Takes what was told since; true when it was so much that it should be asked again soon.
bool mapping_events_drain(struct mapping_events *events);

// Copies what is known of `pid` at `time_ns` (of CLOCK_MONOTONIC; up to the exec before the
// last) to empty `maps`; false when that is nothing.
bool mapping_events_find(const struct mapping_events *events, uint32_t pid, uint64_t time_ns,
                         struct process_maps *maps);

// Whether `pid` has executed another program since `time_ns`.
bool mapping_events_has_changed(const struct mapping_events *events, uint32_t pid,
                                uint64_t time_ns);

// Whether `pid`, interrupted in the kernel at `time_ns` with `pc` as the place to go on at, is
// still on its way to the first instruction of a program: that place is the one before's. Of
// what was fed up to that moment only.
bool mapping_events_is_in_exec(const struct mapping_events *events, uint32_t pid, uint64_t time_ns,
                               uint64_t pc);

// Takes one record of the kernel's, as perf_event_open(2) has it, with what sample_id_all
// puts behind it (perf_record_time_offset).
void mapping_events_take(struct mapping_events *events, const void *record, size_t len);

// Records that did not fit the kernel's buffers.
uint64_t mapping_events_lost(const struct mapping_events *events);

#endif
