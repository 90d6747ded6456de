// SPDX-License-Identifier: Apache-2.0
// The arrays of bpf/unwind_table.h, as the BPF program shares them or from the heap,
// where no BPF program is. Nobody above capture/system includes it. One owner.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_UNWIND_MEMORY_H
#define FLAME_PROF_CAPTURE_SYSTEM_UNWIND_MEMORY_H

#include "base/error.h"
#include "unwind_table.h"

#include <stdbool.h>
#include <stdint.h>

// Descriptors of the maps, the owner's; all -1 and NULL: heap.
struct unwind_map_fds {
    int rules;
    int pages;
    int mappings;
    int shards;
    int processes;
    uint32_t *generations; // of processes: counted up behind every change of theirs
};

// A zeroed struct is empty.
struct unwind_memory {
    struct unwind_map_fds fds;
    struct unwind_rule *rules;
    struct unwind_page *pages;
    struct unwind_mapping *mappings;
    struct unwind_row *shards[UNWIND_MAX_SHARDS]; // NULL = not made
    struct unwind_row *spares[UNWIND_MAX_SHARDS]; // published, and not yet given out
    uint32_t shard_cnt;
};

bool unwind_memory_init(struct unwind_memory *memory, const struct unwind_map_fds *fds,
                        struct error *err);
// Harmless twice and on a zeroed struct.
void unwind_memory_deinit(struct unwind_memory *memory);

// A shard of zeroes in the place `number`; false when there is no memory.
bool unwind_memory_make_shard(struct unwind_memory *memory, uint32_t number);
// The BPF program finds it no more; one that just reads it still may.
void unwind_memory_drop_shard(struct unwind_memory *memory, uint32_t number);

// What the BPF program sees of a process. Without it, it sends copies of the stack.
bool unwind_memory_publish(struct unwind_memory *memory, uint32_t pid,
                           const struct unwind_process *process);
void unwind_memory_withdraw(struct unwind_memory *memory, uint32_t pid);

#endif
