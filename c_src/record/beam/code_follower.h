// SPDX-License-Identifier: Apache-2.0
// Keeps the names of code current while a capture runs: reads what the VM has loaded
// since the last look, stamped with the generations that the walker counts, so that a
// sample is named by the code of its time. Writer's thread, once initialised.
#ifndef FLAME_PROF_RECORD_BEAM_CODE_FOLLOWER_H
#define FLAME_PROF_RECORD_BEAM_CODE_FOLLOWER_H

#include "base/error.h"
#include "capture/beam/jit_code_list.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/vm_memory.h"
#include "capture/beam/walker.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_follower {
    const struct walker *walker; // borrowed, for its generations
    struct memory_reader reader;
    struct jit_code_list list;
    struct code_map *code;
    bool code_is_read;
    uint32_t read_generation; // the walker's when the code was read last
    uint32_t walk_generation; // of the entries that the running walk meets
    uint32_t next_generation; // read_generation, when that walk succeeds
};

// Finds the VM's list of code and reads it once; the walker need not run yet, and its
// generations are 0 then. On failure too, close and deinit.
bool code_follower_init(struct code_follower *follower, const struct walker *walker,
                        const struct vm_memory *memory, size_t max_bytes, enum reader_kind reader,
                        struct error *err);
// No more reading; names stay.
void code_follower_close(struct code_follower *follower);
void code_follower_deinit(struct code_follower *follower);

// Reads what has changed; false when the list did not hold still.
bool code_follower_read(struct code_follower *follower);

// The same, when a look at one word says that something has changed.
void code_follower_look(struct code_follower *follower);

// Is a sample of this generation newer than what has been read?
static inline bool code_follower_is_behind(const struct code_follower *follower,
                                           uint32_t generation)
{
    return (int32_t)(generation - follower->read_generation) > 0;
}

#endif
