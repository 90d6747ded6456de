// SPDX-License-Identifier: Apache-2.0
// Metric columns of a capture that is being read: they stay packed, section by section, until
// somebody asks for a metric. One owner, one thread at a time.
#ifndef FLAME_PROF_STORE_CAPTURE_METRICS_H
#define FLAME_PROF_STORE_CAPTURE_METRICS_H

#include "model/profile.h"
#include "store/capture_format.h"
#include "store/capture_room.h"
#include "store/capture_threads.h"

#include <stdbool.h>
#include <stdint.h>

// Of some metrics in the rows of one chunk; or a mark.
struct capture_metric_section {
    struct capture_section_head head;
    const unsigned char *stored; // borrowed from the file
    uint64_t first_row;
    uint32_t row_cnt;
    bool is_anew; // a mark: nothing is known of the threads behind it
};

// A zeroed struct has none.
struct capture_metrics {
    struct capture_threads threads; // what the metric that is being loaded knows
    struct capture_metric_section *sections;
    uint32_t section_cnt; // may be made less, to forget the last ones
    uint32_t section_capacity;
};

void capture_metrics_deinit(struct capture_metrics *metrics);

// False when out of memory.
bool capture_metrics_keep(struct capture_metrics *metrics, const struct capture_section_head *head,
                          const unsigned char *stored, uint64_t first_row, uint32_t row_cnt);

// Behind what was kept so far, threads are unknown again. False when out of memory.
bool capture_metrics_forget(struct capture_metrics *metrics);

// Appends the metric's rows, all of them, to its empty columns; the room is for the rows of
// a chunk. False when the sections are damaged or memory is out.
bool capture_metrics_load(struct capture_metrics *metrics, struct capture_room *room,
                          struct profile *profile, uint32_t metric);

#endif
