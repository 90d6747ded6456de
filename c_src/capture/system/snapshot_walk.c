// SPDX-License-Identifier: Apache-2.0
#include "capture/system/snapshot_walk.h"

#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static long bpf_probe_read_user(void *to, uint32_t bytes, const void *from);

#include "user_walk.bpf.h"

// The walk that runs on this thread. The hooks of user_walk.bpf.h have no other way
// to it: bpf_probe_read_user() takes an address only.
static _Thread_local struct {
    const struct unwind_memory *memory;
    const struct system_snapshot *snapshot;
    uint64_t *frames;
} now;

static long bpf_probe_read_user(void *to, uint32_t bytes, const void *from)
{
    uint64_t at = (uint64_t)(uintptr_t)from - now.snapshot->sp;
    if (at > now.snapshot->stack_bytes || bytes > now.snapshot->stack_bytes - at) {
        return -1;
    }
    memcpy(to, (const char *)now.snapshot->stack + at, bytes);
    return 0;
}

static bool find_mapping(struct user_walk *walk, uint64_t place)
{
    uint32_t low = walk->process.mapping_first;
    uint32_t high = low + walk->process.mapping_cnt;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct unwind_mapping *mapping = &now.memory->mappings[middle];
        if (place < mapping->start) {
            high = middle;
        } else if (place >= mapping->end) {
            low = middle + 1;
        } else {
            walk->mapping = *mapping;
            return true;
        }
    }
    return false;
}

static uint16_t find_rule(const struct unwind_page *page, uint32_t low)
{
    const struct unwind_row *rows = now.memory->shards[page->first / UNWIND_SHARD_ROWS];
    uint32_t at = page->first % UNWIND_SHARD_ROWS;
    uint32_t end = at + page->row_cnt;
    while (end - at > 1) {
        uint32_t middle = (at + end) / 2;
        if (rows[middle].low <= low) {
            at = middle;
        } else {
            end = middle;
        }
    }
    return rows[at].rule;
}

static __always_inline int user_walk_lookup(struct user_walk *walk, __u64 place)
{
    if ((place < walk->mapping.start || place >= walk->mapping.end) && !find_mapping(walk, place)) {
        return walk->process.mapping_cnt == 0 ? USER_WALK_NO_TABLES : USER_WALK_NO_MAPPING;
    }
    uint64_t offset = place - walk->mapping.start + walk->mapping.offset;
    uint64_t number = offset / UNWIND_PAGE_BYTES;
    if (walk->mapping.kind == UNWIND_MAPPING_ERLANG) {
        return USER_WALK_ERLANG;
    }
    if (walk->mapping.kind != UNWIND_MAPPING_TABLE || number >= walk->mapping.page_cnt) {
        return USER_WALK_NO_RULE;
    }
    const struct unwind_page *page = &now.memory->pages[walk->mapping.page_first + number];
    if (page->row_cnt == 0) {
        return USER_WALK_NO_RULE;
    }
    walk->rule = now.memory->rules[find_rule(page, offset % UNWIND_PAGE_BYTES)];
    return walk->rule.cfa == UNWIND_CFA_NONE ? USER_WALK_NO_RULE : USER_WALK_RULE;
}

static __always_inline int user_walk_add(struct user_walk *walk, __u64 address)
{
    if (walk->depth == SAMPLER_MAX_USER_FRAMES) { // a copied stack is never that deep
        return user_walk_end(walk, SAMPLER_UNWIND_TOO_DEEP);
    }
    now.frames[walk->depth++] = address;
    return 0;
}

void snapshot_walk(const struct unwind_memory *memory, const struct unwind_process *process,
                   struct system_sample *sample, uint64_t *frames)
{
    const struct system_snapshot *snapshot = sample->snapshot;
    struct user_walk walk = {
        .pc = snapshot->pc,
        .sp = snapshot->sp,
        .fp = snapshot->fp,
        .r13 = snapshot->r13,
        .r10 = snapshot->r10,
        .r11 = snapshot->r11,
        .rax = snapshot->rax,
        .end = SAMPLER_UNWIND_TOO_DEEP,
        .is_exact = 1,
    };
    if (process != NULL) {
        walk.process = *process;
    }
    now.memory = memory;
    now.snapshot = snapshot;
    now.frames = frames + sample->kernel_cnt;
    for (int i = 0; i < SAMPLER_MAX_DEPTH && user_walk_step(&walk) == USER_WALK_GO_ON; i++) {
    }
    sample->user_cnt = walk.depth;
    sample->stack_end = (enum system_stack_end)walk.end;
    sample->erlang_pid = walk.erlang_pid;
    sample->frames = frames;
    sample->snapshot = NULL;
}
