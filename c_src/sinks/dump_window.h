// SPDX-License-Identifier: Apache-2.0
// An armed capture keeps its samples in memory and writes a file only when asked:
// which samples are still kept, and which belong to the file of the dump that is
// going on. One thread (the writer); bounded.
#ifndef FLAME_PROF_SINKS_DUMP_WINDOW_H
#define FLAME_PROF_SINKS_DUMP_WINDOW_H

#include "model/loss.h"
#include "model/session.h"

#include <stdbool.h>
#include <stdint.h>

enum { DUMP_MAX_FIELDS = 10, DUMP_LOSS_HISTORY = 64 };

// Why there is a dump, for the header of its file, and how long it goes on.
struct dump_request {
    uint64_t after_ns; // from when the writer takes it up
    struct session_field fields[DUMP_MAX_FIELDS];
    uint32_t field_cnt;
};

enum dump_fate {
    DUMP_KEEP,  // stays in memory, and so does everything behind it
    DUMP_DROP,  // too old, or too much
    DUMP_WRITE, // into the file
};

struct dump_window {
    uint64_t keep_ns;   // 0 = not armed: everything is written
    uint64_t max_bytes; // of kept samples
    bool open;          // a dump is going on, of what is between the two:
    uint64_t from_ns;
    uint64_t until_ns;
    uint64_t early_cnt; // samples dropped for want of room before keep_ns were over
    struct {
        uint64_t time_ns;
        struct loss_snapshot losses;
    } history[DUMP_LOSS_HISTORY]; // oldest first
    uint32_t history_cnt;
};

// `keep_ns` = 0 for a capture that is not armed.
void dump_window_init(struct dump_window *window, uint64_t keep_ns, uint64_t max_bytes);

void dump_window_open(struct dump_window *window, uint64_t now_ns, uint64_t after_ns);
void dump_window_close(struct dump_window *window);

// Of the oldest sample, taken at `time_ns`, with `used_bytes` of samples in memory.
enum dump_fate dump_window_fate(struct dump_window *window, uint64_t time_ns, uint64_t used_bytes,
                                uint64_t now_ns);

// Everything that belongs to the dump has been sampled by now.
bool dump_window_is_over(const struct dump_window *window, uint64_t now_ns);

// Call now and then: what was lost until `now_ns`.
void dump_window_note_losses(struct dump_window *window, const struct loss_snapshot *losses,
                             uint64_t now_ns);
// What had been lost when the window of the dump began, or somewhat earlier.
const struct loss_snapshot *dump_window_losses_at_begin(const struct dump_window *window);

#endif
