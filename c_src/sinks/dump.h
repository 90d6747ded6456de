// SPDX-License-Identifier: Apache-2.0
// One stream of an armed capture: its window, and the file that a dump writes of it.
// The walker's samples and the schedulers' are a stream each. Writer's thread.
#ifndef FLAME_PROF_SINKS_DUMP_H
#define FLAME_PROF_SINKS_DUMP_H

#include "base/error.h"
#include "model/loss.h"
#include "model/session.h"
#include "sinks/dump_window.h"
#include "sinks/recording.h"

#include <stdbool.h>
#include <stdint.h>

enum dump_result { DUMP_NONE, DUMP_WRITTEN, DUMP_EMPTY, DUMP_FAILED };

struct dump {
    struct dump_window window;
    struct session *session;      // borrowed, like the following
    struct recording *output;     // on demand
    struct loss_counters *losses; // of the stream
    uint32_t plain_field_cnt;     // of the session, without those of a dump
};

// `session` has all its fields, and `output` is open. `keep_ns`, `max_bytes`: as
// dump_window_init.
void dump_init(struct dump *dump, struct session *session, struct recording *output,
               struct loss_counters *losses, uint64_t keep_ns, uint64_t max_bytes);

// Now and then while none is going on: remembers what was lost when.
void dump_note_losses(struct dump *dump);

// Begins the file. `oldest_ns`: of the oldest sample kept, 0 = none. False with the
// reason: no dump is going on then.
bool dump_begin(struct dump *dump, const struct dump_request *request, uint64_t oldest_ns,
                struct error *err);

// Finishes the file; `err` says what failed.
enum dump_result dump_end(struct dump *dump, struct error *err);

#endif
