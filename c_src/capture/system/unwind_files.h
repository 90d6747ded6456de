// SPDX-License-Identifier: Apache-2.0
// Part of unwind_store: the rows of files in shards, their pages and the rules that
// all share. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_UNWIND_FILES_H
#define FLAME_PROF_CAPTURE_SYSTEM_UNWIND_FILES_H

#include "capture/system/slot_range.h"
#include "capture/system/unwind_memory.h"
#include "unwind/object_rules.h"

enum { UNWIND_MAX_FILES = 4096 };

struct unwind_file {
    uint32_t id;   // 0 = free
    uint64_t base; // address of its first page, as the file calls it
    uint32_t page_first;
    uint32_t page_cnt;
    uint32_t row_cnt;
    uint64_t used_ns;
    uint64_t shards[UNWIND_MAX_SHARDS / 64]; // bits: where its rows are
};

// A zeroed struct is empty.
struct unwind_files {
    struct unwind_memory *memory; // borrowed
    struct unwind_file *files;    // UNWIND_MAX_FILES
    uint32_t file_cnt;
    uint32_t last_id;
    struct slot_range pages;
    uint16_t *rule_index; // open addressing, rule id + 1
    uint32_t rule_cnt;
    uint32_t shard;      // being filled
    uint32_t shard_used; // rows of it
    uint32_t shard_files[UNWIND_MAX_SHARDS];
    uint64_t row_cnt;
    uint64_t malformed_cnt;
};

bool unwind_files_init(struct unwind_files *files, struct unwind_memory *memory);
// Harmless twice and on a zeroed struct.
void unwind_files_deinit(struct unwind_files *files);

// NULL when there is no room, or nothing in the table.
struct unwind_file *unwind_files_add(struct unwind_files *files,
                                     const struct call_frame_table *table);
// NULL when it was dropped.
struct unwind_file *unwind_files_find(const struct unwind_files *files, uint32_t id);
void unwind_files_drop(struct unwind_files *files, struct unwind_file *file);

#endif
