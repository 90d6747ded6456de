// SPDX-License-Identifier: Apache-2.0
#include "import/script_notes.h"

#include "store/perf_script_text.h"

#include <stdlib.h>

enum { MAX_COMMS = 1 << 20, MAX_SHOWN_BYTES = 1 << 20 };

struct script_note_comm {
    string_id shown;
    string_id comm;
};

void script_notes_init(struct script_notes *notes, struct profile_builder *builder)
{
    *notes = (struct script_notes){.builder = builder};
    byte_buffer_init(&notes->shown, MAX_SHOWN_BYTES);
}

void script_notes_deinit(struct script_notes *notes)
{
    number_map_deinit(&notes->comm_of_tid);
    free(notes->comms);
    byte_buffer_deinit(&notes->shown);
}

static struct text behind(struct text text, struct text begin)
{
    return (struct text){text.bytes + begin.len, text.len - begin.len};
}

static bool take_number(struct text text, uint64_t *number)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.bytes[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum)) {
            return false;
        }
    }
    *number = sum;
    return text.len > 0;
}

// `absent: DIMENSION...`; "comm" stands for status and state, too.
static void take_absent(struct script_notes *notes, struct text names)
{
    static const char *const NAMES[] = {
#define DIMENSION_NAME(id, name, kind) [id] = (name),
        PROFILE_DIMENSIONS(DIMENSION_NAME)
#undef DIMENSION_NAME
    };
    notes->absent = 0;
    for (uint32_t i = 0; i < PROFILE_FIXED_DIMENSION_CNT; i++) {
        if (memmem(names.bytes, names.len, NAMES[i], strlen(NAMES[i])) != NULL) {
            notes->absent |= 1U << i;
        }
    }
}

// --- first words --------------------------------------------------------------

static struct script_note_comm *comm_of(struct script_notes *notes, uint64_t tid)
{
    uint32_t idx = number_map_find(&notes->comm_of_tid, tid);
    if (idx != 0) {
        return &notes->comms[idx - 1];
    }
    if (notes->comm_cnt == notes->comm_capacity) {
        uint32_t capacity = notes->comm_capacity == 0 ? 64 : notes->comm_capacity * 2;
        struct script_note_comm *more =
            capacity > MAX_COMMS ? NULL : realloc(notes->comms, capacity * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        notes->comms = more;
        notes->comm_capacity = capacity;
    }
    if (!number_map_add(&notes->comm_of_tid, tid, notes->comm_cnt + 1)) {
        return NULL;
    }
    return &notes->comms[notes->comm_cnt++];
}

// `comm TID: WORD`: what its lines cannot show of it, from here on.
static void take_comm(struct script_notes *notes, struct text tid_text, struct text comm)
{
    uint64_t tid = 0;
    byte_buffer_clear(&notes->shown);
    if (!take_number(tid_text, &tid) || !perf_script_text_category(&notes->shown, comm)) {
        return;
    }
    struct script_note_comm *entry = comm_of(notes, tid);
    if (entry != NULL) {
        struct text shown = {notes->shown.bytes, (uint32_t)notes->shown.len};
        entry->shown = profile_builder_string(notes->builder, shown);
        entry->comm = profile_builder_string(notes->builder, comm);
    }
}

struct text script_notes_comm(const struct script_notes *notes, uint32_t tid, struct text shown)
{
    uint32_t idx = notes->comm_cnt == 0 ? 0 : number_map_find(&notes->comm_of_tid, tid);
    const struct profile *profile = profile_builder_profile(notes->builder);
    if (idx == 0 || !text_equal(profile_text(profile, notes->comms[idx - 1].shown), shown)) {
        return shown;
    }
    return profile_text(profile, notes->comms[idx - 1].comm);
}

// --- labels -------------------------------------------------------------------

// `label KIND: NAME[, number]`: categories of that kind were no root frames.
static void take_label(struct script_notes *notes, struct text kind, struct text name)
{
    static const struct text NUMBER = TEXT(", number");
    bool is_number = name.len > NUMBER.len && text_ends_with(name, NUMBER);
    name.len -= is_number ? NUMBER.len : 0;
    if (notes->label_cnt == SCRIPT_NOTES_MAX_LABELS) {
        return;
    }
    int dimension = profile_builder_dimension(
        notes->builder, name, is_number ? PROFILE_DIMENSION_NUMBER : PROFILE_DIMENSION_TEXT, false);
    if (dimension != PROFILE_NONE) {
        notes->label_kinds[notes->label_cnt] = profile_builder_string(notes->builder, kind);
        notes->labels[notes->label_cnt++] = dimension;
    }
}

int script_notes_dimension(struct script_notes *notes, struct text kind)
{
    const struct profile *profile = profile_builder_profile(notes->builder);
    for (uint32_t i = 0; i < notes->label_cnt; i++) {
        if (text_equal(profile_text(profile, notes->label_kinds[i]), kind)) {
            return notes->labels[i];
        }
    }
    return profile_builder_dimension(notes->builder, kind, PROFILE_DIMENSION_TEXT, true);
}

// --- all of them --------------------------------------------------------------

bool script_notes_take(struct script_notes *notes, struct text key, struct text value)
{
    static const struct text COMM = TEXT("comm ");
    static const struct text LABEL = TEXT("label ");
    if (text_equal(key, TEXT("absent"))) {
        take_absent(notes, value);
    } else if (text_equal(key, TEXT("time_ns"))) {
        notes->has_time = take_number(value, &notes->time_ns);
    } else if (text_begins_with(key, COMM)) {
        take_comm(notes, behind(key, COMM), value);
    } else if (text_begins_with(key, LABEL)) {
        take_label(notes, behind(key, LABEL), value);
    } else {
        return false;
    }
    return true;
}
