// SPDX-License-Identifier: Apache-2.0
#include "capture/system/snapshot_walk.h"

#include "capture/system/process_memory.h"

#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static long bpf_probe_read_user(void *to, uint32_t bytes, const void *from);

#include "user_walk.bpf.h"

enum { BEAM_PROCESS_BYTES = 1024 }; // of struct process, from its id on

// The walk that runs on this thread. The hooks of user_walk.bpf.h have no other way
// to it: bpf_probe_read_user() takes an address only.
static _Thread_local struct {
    const struct unwind_memory *memory;
    const struct system_snapshot *snapshot;
    struct user_walk *walk;
    uint32_t pid;
    uint64_t *frames;
    uint64_t unread; // where it ended, as the file there has not been read; 0 = elsewhere
} now;

static const struct unwind_mapping *mapping_at(const struct user_walk *walk, uint64_t place)
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
            return mapping;
        }
    }
    return NULL;
}

static bool find_mapping(struct user_walk *walk, uint64_t place)
{
    const struct unwind_mapping *mapping = mapping_at(walk, place);
    if (mapping != NULL) {
        walk->mapping = *mapping;
    }
    return mapping != NULL;
}

// What may still be as it was when the copy was made: code, and the head of the BEAM's
// process, which is verified. No stack: it would be another moment's.
static bool may_read(uint64_t from, uint32_t bytes)
{
    const struct user_walk *walk = now.walk;
    if (!now.snapshot->reads_memory || walk->in_erlang) {
        return false;
    }
    bool is_beam = walk->process.beam.stop != 0 && from - walk->r13 < BEAM_PROCESS_BYTES;
    const struct unwind_mapping *mapping = is_beam ? NULL : mapping_at(walk, from);
    return is_beam || (mapping != NULL && mapping->end - from >= bytes);
}

static long bpf_probe_read_user(void *to, uint32_t bytes, const void *from)
{
    uint64_t address = (uint64_t)(uintptr_t)from;
    uint64_t at = address - now.snapshot->sp;
    if (at >= now.snapshot->absent_bytes && at <= now.snapshot->stack_bytes &&
        bytes <= now.snapshot->stack_bytes - at) {
        memcpy(to, (const char *)now.snapshot->stack + at, bytes);
        return 0;
    }
    return may_read(address, bytes) && process_memory_read(now.pid, address, to, bytes) ? 0 : -1;
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
    if (walk->mapping.kind == UNWIND_MAPPING_UNREAD) {
        now.unread = place;
        return USER_WALK_NO_MAPPING;
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

// As the BPF program does: behind the first frames there is a ring of the last ones.
static __always_inline int user_walk_add(struct user_walk *walk, __u64 address)
{
    uint32_t at = walk->depth++;
    if (at >= SAMPLER_USER_HEAD_FRAMES) {
        at = SAMPLER_USER_HEAD_FRAMES + (at - SAMPLER_USER_HEAD_FRAMES) % SAMPLER_USER_TAIL_FRAMES;
    }
    now.frames[at] = address;
    return 0;
}

// Turns the ring so that it is leaf first, too.
static void finish_frames(const struct user_walk *walk, struct system_sample *sample)
{
    uint64_t tail[SAMPLER_USER_TAIL_FRAMES];
    uint64_t *ring = now.frames + SAMPLER_USER_HEAD_FRAMES;
    sample->user_cnt = walk->depth;
    if (walk->depth <= SAMPLER_MAX_USER_FRAMES) {
        return;
    }
    for (uint32_t i = 0; i < SAMPLER_USER_TAIL_FRAMES; i++) {
        tail[i] = ring[(walk->depth - SAMPLER_USER_HEAD_FRAMES + i) % SAMPLER_USER_TAIL_FRAMES];
    }
    memcpy(ring, tail, sizeof tail);
    sample->user_cnt = SAMPLER_MAX_USER_FRAMES;
    sample->user_omitted = walk->depth - SAMPLER_MAX_USER_FRAMES;
    sample->user_omitted_at = SAMPLER_USER_HEAD_FRAMES;
}

uint64_t snapshot_walk(const struct unwind_memory *memory, const struct unwind_process *process,
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
        .rbx = snapshot->rbx,
        .end = SAMPLER_UNWIND_TOO_DEEP,
        .is_exact = 1,
    };
    if (process != NULL) {
        walk.process = *process;
    }
    now.memory = memory;
    now.snapshot = snapshot;
    now.walk = &walk;
    now.pid = sample->pid;
    now.frames = frames + sample->kernel_cnt;
    now.unread = 0;
    for (int i = 0; i < SAMPLER_MAX_DEPTH && user_walk_step(&walk) == USER_WALK_GO_ON; i++) {
    }
    finish_frames(&walk, sample);
    now.walk = NULL;
    sample->stack_end = (enum system_stack_end)walk.end;
    sample->erlang_pid = walk.erlang_pid;
    sample->frames = frames;
    sample->snapshot = NULL;
    return now.unread;
}
