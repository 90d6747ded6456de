// SPDX-License-Identifier: Apache-2.0
// One process, read from outside without its help: no signal, no lock, no
// scheduler time. Each read is validated: plausible by itself, and unchanged in
// a second read of the struct after the stack was taken.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_SNAPSHOT_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_SNAPSHOT_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/process_status.h"
#include "model/metric.h"

#include <stddef.h>
#include <stdint.h>

enum snapshot_end {
    SNAPSHOT_WHOLE,       // everything, consistent
    SNAPSHOT_PARTIAL,     // on a scheduler: stack as of its last switch or call into C
    SNAPSHOT_STATUS_ONLY, // heap on the move or going away: identity, status, reductions
    SNAPSHOT_GONE,        // the slot is empty or belongs to another process now
    SNAPSHOT_CHANGED,     // moved between the two reads: try again
    SNAPSHOT_UNREADABLE,  // memory went away
    SNAPSHOT_IMPLAUSIBLE, // fields contradict each other
};

enum {
    SNAPSHOT_LEAF_WORDS = 1024, // from the top of the stack
    SNAPSHOT_ROOT_WORDS = 256,  // and from its bottom, when it is deeper
};

struct process_snapshot {
    uint64_t id; // in: the pid term wanted
    enum snapshot_end end;
    enum process_status status;
    uint32_t state_flags;
    uint64_t address;    // of struct process
    uint64_t name;       // atom term of the registered name, 0 = none
    uint64_t initial[3]; // module and function atoms, arity as a plain number
    uint64_t pc;         // where it will go on; frame 0; 0 while it runs on a normal scheduler
    uint64_t dictionary; // address of the process dictionary, 0 = none
    uint64_t heap;       // where the heaps are
    uint64_t old_heap;
    uint64_t parent;       // pid term, 0 = unknown
    uint64_t group_leader; // pid term, 0 = unknown
    bool sizes_known;      // else only reductions and queue length of `values` are set: a
                           // collection is put off and the heap is in two places
    int64_t values[BEAM_METRIC_CNT];
    uint32_t leaf_cnt;      // words in `stack` from the top
    uint32_t root_cnt;      // words in `stack` behind them from the bottom
    uint64_t omitted_words; // between the two
    uint64_t stack[SNAPSHOT_LEAF_WORDS + SNAPSHOT_ROOT_WORDS];
};

enum { SNAPSHOT_MAX_BATCH = 16 };

// Fills `cnt` (<= SNAPSHOT_MAX_BATCH) snapshots whose ids are set. Allocates
// nothing; about 40 KiB of stack.
void process_snapshot_batch(struct memory_reader *reader, const struct otp_layout *layout,
                            struct process_snapshot *const *snapshots, size_t cnt);

// The same from a copy of the struct, made while the process stood still: identity,
// status and values, no stack; memory without the dictionary.
void process_snapshot_from_image(const struct otp_layout *layout, const uint64_t *words,
                                 uint32_t word_cnt, struct process_snapshot *snapshot);

#endif
