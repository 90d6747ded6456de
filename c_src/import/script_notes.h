// SPDX-License-Identifier: Apache-2.0
// What an export says of its lines in comments, where the lines cannot: docs/exports.md,
// "perf-script". One owner, one thread.
#ifndef FLAME_PROF_IMPORT_SCRIPT_NOTES_H
#define FLAME_PROF_IMPORT_SCRIPT_NOTES_H

#include "base/byte_buffer.h"
#include "model/profile_builder.h"

enum { SCRIPT_NOTES_MAX_LABELS = PROFILE_MAX_DIMENSIONS };

struct script_notes {
    struct profile_builder *builder; // borrowed
    uint32_t absent;                 // a bit per fixed dimension: the lines hold a filler
    bool has_time;                   // of the next sample
    uint64_t time_ns;
    struct number_map comm_of_tid; // index + 1
    struct script_note_comm *comms;
    uint32_t comm_cnt;
    uint32_t comm_capacity;
    int labels[SCRIPT_NOTES_MAX_LABELS]; // dimensions that were not in stacks
    string_id label_kinds[SCRIPT_NOTES_MAX_LABELS];
    uint32_t label_cnt;
    struct byte_buffer shown; // scratch
};

void script_notes_init(struct script_notes *notes, struct profile_builder *builder);
void script_notes_deinit(struct script_notes *notes);

// False when the comment is none of these.
bool script_notes_take(struct script_notes *notes, struct text key, struct text value);

static inline bool script_notes_lack(const struct script_notes *notes, uint32_t dimension)
{
    return (notes->absent >> dimension & 1) != 0;
}

// The time of the sample whose line says `time_ns`; to be asked once for each.
static inline uint64_t script_notes_time(struct script_notes *notes, uint64_t time_ns)
{
    time_ns = notes->has_time ? notes->time_ns : time_ns;
    notes->has_time = false;
    return time_ns;
}

// The first word that a thread's line shows as `shown`.
struct text script_notes_comm(const struct script_notes *notes, uint32_t tid, struct text shown);

// The dimension of a kind of category, PROFILE_NONE when there are too many.
int script_notes_dimension(struct script_notes *notes, struct text kind);

#endif
