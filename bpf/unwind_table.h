/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables by which user stacks are walked: user space writes them
 * (capture/system/unwind_store.c, process_tables.c), the BPF program and the walk
 * in user space read them. Fixed-width types, explicit padding, no pointers.
 *
 *     process (by pid) -> its mappings, by address -> the pages of a file's text
 *         -> rows of a page, by the low 16 bits of the place -> rule
 */
#ifndef FLAME_PROF_BPF_UNWIND_TABLE_H
#define FLAME_PROF_BPF_UNWIND_TABLE_H

#include <linux/types.h>

enum {
    UNWIND_PAGE_BYTES = 1 << 16,  /* of text that one page is about */
    UNWIND_SHARD_ROWS = 1 << 16,  /* a page's rows and index are in one shard: there are no more */
    UNWIND_BLOCK_BYTES = 1 << 10, /* of text that one number of a page's index is about */
    UNWIND_PAGE_BLOCKS = UNWIND_PAGE_BYTES / UNWIND_BLOCK_BYTES,
    UNWIND_INDEX_ROWS = UNWIND_PAGE_BLOCKS / 2, /* rows that an index takes the place of */
    UNWIND_INDEXED_ROWS = 128,                  /* a page of so many rows has one */
    UNWIND_MAX_SHARDS = 128,                    /* of 256 KiB, made when they are needed */
    UNWIND_MAX_PAGES = 1 << 16,                 /* 4 GiB of text */
    UNWIND_MAX_RULES = 1 << 14,
    UNWIND_MAX_MAPPINGS = 1 << 15, /* of all processes */
    UNWIND_MAX_PROCESS_MAPPINGS = 1 << 12,
    UNWIND_MAX_PROCESSES = 1 << 12,
    UNWIND_GENERATIONS = 256, /* process pid has number pid % UNWIND_GENERATIONS */
    UNWIND_NO_RULE = 0,       /* the rule that nothing is known */
};

/* From this place of the page on. The first row of a page is at 0. */
struct unwind_row {
    __u16 low;
    __u16 rule;
};

/*
 * first: number of the shard << 16 | row in it. No rows: no table. Of UNWIND_INDEXED_ROWS
 * or more, an index stands before the first: UNWIND_PAGE_BLOCKS 16-bit numbers, counted from
 * the first row, of the row that is in force where each block begins.
 */
struct unwind_page {
    __u32 first;
    __u32 row_cnt;
};

enum unwind_mapping_kind {
    UNWIND_MAPPING_TABLE = 0,  /* code with rows */
    UNWIND_MAPPING_NONE = 1,   /* code without: frame pointers */
    UNWIND_MAPPING_ERLANG = 2, /* code that the BEAM's JIT made */
    UNWIND_MAPPING_UNREAD = 3, /* of a file not read yet: user space does when a walk ends here */
};

/* A place is at offset (place - start + offset) of the file's pages. */
struct unwind_mapping {
    __u64 start;
    __u64 end; /* exclusive */
    __u32 page_first;
    __u32 page_cnt;
    __u32 offset;
    __u32 kind; /* enum unwind_mapping_kind */
};

/* Offsets in the BEAM's struct process, as its release has them. */
struct unwind_beam {
    __u16 stop; /* 0: not known, no Erlang stack is walked */
    __u16 heap; /* hend follows it */
    __u16 htop;
    __u16 padding;
};

struct unwind_process {
    __u64 address_space; /* that the mappings are of; exec makes another */
    __u32 mapping_first;
    __u32 mapping_cnt;
    __u64 code_start; /* bounds of UNWIND_MAPPING_ERLANG */
    __u64 code_end;
    struct unwind_beam beam;
    __u32 version; /* of these tables: no two that were ever published have the same; not 0 */
    __u32 padding;
};

/* The order is that of enum frame_cfa in c_src/unwind/frame_rule.h, which explains it. */
enum unwind_cfa {
    UNWIND_CFA_NONE,
    UNWIND_CFA_SP,
    UNWIND_CFA_FP,
    UNWIND_CFA_DEREF_SP,
    UNWIND_CFA_DEREF_FP,
    UNWIND_CFA_PLT,
    UNWIND_CFA_R10,
    UNWIND_CFA_RAX,
    UNWIND_CFA_R11,
    UNWIND_CFA_SIGNAL,
    UNWIND_CFA_END,
    UNWIND_CFA_RBX,
    UNWIND_CFA_OTHER_STACK,
    UNWIND_CFA_CNT
};

enum unwind_fp {
    UNWIND_FP_SAME,
    UNWIND_FP_AT_CFA,
    UNWIND_FP_AT_FP,
    UNWIND_FP_UNKNOWN,
};

struct unwind_rule {
    __s32 cfa_offset;
    __u8 cfa; /* enum unwind_cfa */
    __u8 fp;  /* enum unwind_fp */
    __s16 fp_offset;
    __s16 r13_offset;
    __s16 return_offset;
    __s16 deref_add;
    __s16 rbx_offset;
};

_Static_assert(sizeof(struct unwind_row) == 4, "rows are packed");
_Static_assert(sizeof(struct unwind_page) == 8, "an array that is mapped has strides of 8");
_Static_assert(sizeof(struct unwind_mapping) == 32, "an array that is mapped has strides of 8");
_Static_assert(sizeof(struct unwind_rule) == 16, "an array that is mapped has strides of 8");
_Static_assert(sizeof(struct unwind_process) == 48, "padding nobody declared");

#endif
