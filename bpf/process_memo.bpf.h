/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes that were sampled lately, of each CPU: what the hash tables `known` and
 * `unwind_processes` say of one, in two lines of the cache instead of in six or more. It
 * holds until user space changes the process's tables.
 */
#ifndef FLAME_PROF_BPF_PROCESS_MEMO_H
#define FLAME_PROF_BPF_PROCESS_MEMO_H

#include <bpf/bpf_helpers.h>

#include "sampler.h"
#include "unwind_table.h"

struct process_memo {
    __u32 pid; /* 0 = empty */
    __u32 generation;
    __u32 is_grown; /* user space need not be woken for it any more */
    __u32 padding;
    struct unwind_process process;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SAMPLER_MEMO_PROCESSES); /* user space: of all possible CPUs */
    __uint(map_flags, BPF_F_MMAPABLE);           /* nobody maps it: elements begin with a line */
    __type(key, __u32);
    __type(value, struct process_memo);
} process_memos SEC(".maps");

/* User space counts a process's up behind every change of its tables. */
volatile __u32 table_generations[UNWIND_GENERATIONS];

_Static_assert(sizeof(struct process_memo) == 64, "a line of the cache");

/* Where what is known about a process is, or would be. */
static __always_inline struct process_memo *process_memo_of(__u32 pid)
{
    __u32 index = bpf_get_smp_processor_id() * SAMPLER_MEMO_PROCESSES +
                  (pid * 0x9e3779b9U >> 16) % SAMPLER_MEMO_PROCESSES;
    return bpf_map_lookup_elem(&process_memos, &index);
}

static __always_inline int process_memo_is(const struct process_memo *memo,
                                           const struct sampler_record *record)
{
    return memo != NULL && memo->pid == record->pid &&
           memo->process.address_space == record->address_space;
}

static __always_inline void process_memo_set(struct process_memo *memo,
                                             const struct sampler_record *record,
                                             const struct unwind_process *process, __u32 generation)
{
    if (memo != NULL) {
        memo->is_grown = process_memo_is(memo, record) && memo->is_grown;
        memo->pid = record->pid;
        memo->generation = generation;
        memo->process = *process;
    }
}

#endif
