/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mappings that were searched for lately, of each CPU, by megabyte of the address
 * space. What was found in other tables than the process has now is not found again.
 */
#ifndef FLAME_PROF_BPF_MAPPING_MEMO_H
#define FLAME_PROF_BPF_MAPPING_MEMO_H

#include <bpf/bpf_helpers.h>

#include "sampler.h"
#include "unwind_table.h"

struct mapping_memo {
    struct unwind_mapping mapping;
    __u32 version; /* of the process's tables; 0 = empty */
    __u32 padding[7];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SAMPLER_MEMO_MAPPINGS); /* user space: of all possible CPUs */
    __uint(map_flags, BPF_F_MMAPABLE);          /* nobody maps it: elements begin with a line */
    __type(key, __u32);
    __type(value, struct mapping_memo);
} mapping_memos SEC(".maps");

_Static_assert(sizeof(struct mapping_memo) == 64, "a line of the cache");

/* Where the mapping of a place is, or would be. */
static __always_inline struct mapping_memo *mapping_memo_of(__u64 place, __u32 version)
{
    __u64 hash = (place >> 20 ^ (__u64)version << 32) * 0x9e3779b97f4a7c15ULL;
    __u32 index = bpf_get_smp_processor_id() * SAMPLER_MEMO_MAPPINGS +
                  (__u32)(hash >> 48) % SAMPLER_MEMO_MAPPINGS;
    return bpf_map_lookup_elem(&mapping_memos, &index);
}

#endif
