// SPDX-License-Identifier: Apache-2.0
// Weights of named things (functions, processes, categories): what events
// spent in them and below them. Bounded: names beyond the limit go into one row
// "[others]". One owner, one thread.
#ifndef FLAME_PROF_CLI_PROFILE_TABLE_H
#define FLAME_PROF_CLI_PROFILE_TABLE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct profile_row {
    struct text key;
    struct text label;      // what to show for it; empty = the key
    uint32_t label_rank;    // of the label, see profile_table_label
    int64_t self;           // events that were in it
    int64_t total;          // events that were in it or below it
    uint64_t sample_cnt;    // of `total`
    uint64_t counted_event; // the last event in `total`: recursion counts once
};

struct profile_table;

enum { PROFILE_TABLE_MAX_BYTES = 64 << 20, PROFILE_TABLE_MAX_ROWS = 1 << 20 };

// NULL when out of memory.
struct profile_table *profile_table_create(void);
void profile_table_destroy(struct profile_table *table);

// Never NULL; valid until the next call.
struct profile_row *profile_table_row(struct profile_table *table, struct text key);

// Gives the row a label unless it has one of the same or a higher rank (> 0).
void profile_table_label(struct profile_table *table, struct profile_row *row, struct text label,
                         uint32_t rank);

// Sorts by self, then total, the heaviest first; the table takes no more rows
// then. `cnt` is their number.
const struct profile_row *profile_table_sorted(struct profile_table *table, uint32_t *cnt);

#endif
