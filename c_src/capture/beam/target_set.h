// SPDX-License-Identifier: Apache-2.0
// The processes being sampled: explicit ones, and those the selector chose.
// Taken in turn, so that every one is seen equally often. Walker thread only.
#ifndef FLAME_PROF_CAPTURE_BEAM_TARGET_SET_H
#define FLAME_PROF_CAPTURE_BEAM_TARGET_SET_H

#include "capture/beam/dictionary_identity.h"
#include "capture/beam/process_progress.h"
#include "capture/beam/process_status.h"
#include "model/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum target_origin { TARGET_AUTO, TARGET_EXPLICIT };

// Sample only in this status; TARGET_ANY_STATUS for all.
enum { TARGET_ANY_STATUS = -1 };

struct target {
    uint64_t id; // pid term
    enum target_origin origin;
    int status_filter;
    bool chosen;                         // by the last selection
    bool has_values;                     // `values` hold its previous sample
    uint64_t name;                       // atom term, as last seen; 0 = not registered
    uint64_t last_ns;                    // its previous sample, or when it joined
    struct dictionary_identity identity; // as last read
    uint64_t identity_due_ns;            // when to read it again
    int64_t values[BEAM_METRIC_CNT];
    struct process_progress progress;
};

struct target_set {
    struct target *targets;
    uint32_t cnt;
    uint32_t max_cnt;
    uint32_t cursor;
    uint32_t *index; // open addressing over id: position + 1, 0 = free
    uint32_t index_size;
    uint64_t refused_cnt; // joins beyond max_cnt
};

bool target_set_init(struct target_set *set, uint32_t max_cnt);
void target_set_deinit(struct target_set *set);

// Adds or updates; an explicit target stays explicit when it is chosen as well.
// NULL when the set is full.
struct target *target_set_join(struct target_set *set, uint64_t id, enum target_origin origin,
                               int status_filter, uint64_t now_ns);
struct target *target_set_find(struct target_set *set, uint64_t id);
void target_set_leave(struct target_set *set, uint64_t id);

// What the selector found replaces the automatic targets: those found again keep
// their history, the others leave.
void target_set_choose(struct target_set *set, const uint64_t *ids, uint32_t cnt, int status_filter,
                       uint64_t now_ns);

// An explicit target that is given up stays if it is chosen as well.
void target_set_release(struct target_set *set, uint64_t id);

// The next in turn; NULL when empty.
struct target *target_set_next(struct target_set *set);

#endif
