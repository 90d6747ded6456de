/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules that were found lately, by place: the stacks of a program go through the
 * same calls again and again, and a search through mappings, pages and rows is a dozen
 * misses of the cache and as many of the TLB. Each CPU has its own, read and written by
 * whoever has its `work`. What was found in other tables than the process has now is not
 * found again.
 */
#ifndef FLAME_PROF_BPF_RULE_MEMO_H
#define FLAME_PROF_BPF_RULE_MEMO_H

#include <bpf/bpf_helpers.h>

#include "sampler.h"
#include "unwind_table.h"

struct rule_memo {
    __u64 tag;               /* rule_memo_tag(); 0 = empty */
    struct unwind_rule rule; /* UNWIND_CFA_NONE: there is none */
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SAMPLER_MEMO_PLACES); /* user space: of all possible CPUs */
    __type(key, __u32);
    __type(value, struct rule_memo);
} rule_memos SEC(".maps");

/* Of a place in the tables of one version. Places have less than 64 bits, and so others that
   have the same tag are none that programs have. */
static __always_inline __u64 rule_memo_tag(__u64 place, __u32 version)
{
    return place ^ version * 0x9e3779b97f4a7c15ULL;
}

/* Where what is known about a place is, or would be. */
static __always_inline struct rule_memo *rule_memo_of(__u64 tag)
{
    __u64 hash = tag * 0x9e3779b97f4a7c15ULL;
    __u32 index = bpf_get_smp_processor_id() * SAMPLER_MEMO_PLACES +
                  (__u32)(hash >> 48) % SAMPLER_MEMO_PLACES;
    return bpf_map_lookup_elem(&rule_memos, &index);
}

#endif
