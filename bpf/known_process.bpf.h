/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which processes user space has heard of, and so what it is woken for.
 */
#ifndef FLAME_PROF_BPF_KNOWN_PROCESS_H
#define FLAME_PROF_BPF_KNOWN_PROCESS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "process_memo.bpf.h"
#include "sampler.h"

/* Set between open and load; 1: all files of a process are told of at once. */
const volatile __u32 tells_files_at_once = 0;

struct known_process {
    __u64 address_space;
    __u64 sample_cnt; /* the first one and those that led into the unknown since */
};

/* Processes that user space has been woken for. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, SAMPLER_MAX_KNOWN_PROCESSES);
    __type(key, __u32);
    __type(value, struct known_process);
} known SEC(".maps");

static __always_inline int known_process_is_young(const struct sampler_record *record)
{
    __u32 pid = record->pid;
    const struct known_process *seen = bpf_map_lookup_elem(&known, &pid);
    return seen == NULL || seen->address_space != record->address_space ||
           seen->sample_cnt < SAMPLER_YOUNG_SAMPLES;
}

static __always_inline int is_explained(const struct sampler_record *record)
{
    return record->unwind_end == SAMPLER_UNWIND_COMPLETE ||
           record->unwind_end == SAMPLER_UNWIND_ERLANG ||
           record->unwind_end == SAMPLER_UNWIND_BEAM_IDLE ||
           record->unwind_end == SAMPLER_UNWIND_NO_USER;
}

/*
 * How its record is sent. User space reads a process's mappings while it is there to be asked:
 * at once when it hears of it, and again, as it still loads libraries, with number 2, 4, 8 ...
 * 64 of the samples that lead where user space has told nothing of. Where all its files are told
 * of at once, any sample may be the first in one whose names are to be read.
 */
static __always_inline __u64 known_process_flag(const struct sampler_record *record)
{
    __u32 pid = record->pid;
    struct known_process now = {.address_space = record->address_space, .sample_cnt = 1};
    struct process_memo *memo = process_memo_of(pid);
    if (now.address_space == 0 ||
        (process_memo_is(memo, record) &&
         (memo->is_grown || (!tells_files_at_once && is_explained(record))))) {
        return BPF_RB_NO_WAKEUP;
    }
    struct known_process *seen = bpf_map_lookup_elem(&known, &pid);
    if (seen == NULL || seen->address_space != now.address_space) {
        bpf_map_update_elem(&known, &pid, &now, BPF_ANY);
        return BPF_RB_FORCE_WAKEUP;
    }
    __u64 cnt = ++seen->sample_cnt;
    if (cnt > SAMPLER_YOUNG_SAMPLES && process_memo_is(memo, record)) {
        memo->is_grown = 1;
    }
    return cnt <= SAMPLER_YOUNG_SAMPLES && (cnt & (cnt - 1)) == 0 ? BPF_RB_FORCE_WAKEUP
                                                                  : BPF_RB_NO_WAKEUP;
}

#endif
