/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far a walk down a user stack has come, and what each step of it needs. Who includes
 * user_walk.bpf.h defines the two functions that are only declared here.
 */
#ifndef FLAME_PROF_BPF_USER_WALK_STATE_H
#define FLAME_PROF_BPF_USER_WALK_STATE_H

#include "sampler.h"
#include "stack_window.bpf.h"
#include "unwind_table.h"

/* The registers of the frame whose pc comes next. */
struct user_walk {
    __u64 pc;
    __u64 sp;
    __u64 fp;
    __u64 r13;
    __u64 r10; /* these three: of the innermost frame, or below a signal frame */
    __u64 r11;
    __u64 rax;
    __u64 rbx;
    __u64 rbx_at;   /* where the frame's rbx is saved; 0 = it is in rbx */
    __u32 depth;    /* frames seen so far */
    __u8 end;       /* enum sampler_unwind_end, once the walk is over */
    __u8 is_exact;  /* pc is where it goes on, not behind a call */
    __u8 in_erlang; /* the rest is the Erlang stack */
    __u8 padding;
    struct unwind_mapping mapping; /* that the last frame was in */
    struct unwind_rule rule;
    struct unwind_process process;
    __u64 erlang_at;      /* the next word of the Erlang stack ... */
    __u64 erlang_end;     /* ... and where it begins */
    __u64 erlang_pid;     /* term, 0 = none */
    __u32 erlang_words;   /* to read before skipping the middle */
    __u32 erlang_skipped; /* words left out */
    struct stack_window window;
};

enum {
    USER_WALK_GO_ON = 0,
    USER_WALK_OVER = 1,
    /* A frame larger than this is taken for a wrong frame pointer. */
    USER_WALK_MAX_FRAME_BYTES = 1 << 20,
    USER_WALK_RBX_LOST = 1, /* nothing is there */
};

#define USER_WALK_ANY_STACK (~0ULL) /* wherever the frame pointer leads */

enum user_walk_code {
    USER_WALK_RULE,    /* walk->rule */
    USER_WALK_NO_RULE, /* known code without a rule, generated code: frame pointers */
    USER_WALK_ERLANG,  /* code of the BEAM's JIT */
    USER_WALK_NO_MAPPING,
    USER_WALK_NO_TABLES, /* the process is not known yet */
};

/* Nothing is mapped below (vm.mmap_min_addr), or above on x86-64 and arm64. */
#define USER_WALK_MIN_ADDRESS 0x1000ULL
#define USER_WALK_MAX_ADDRESS 0x00ffffffffffffffULL

static __always_inline int user_walk_lookup(struct user_walk *walk, __u64 place);
static __always_inline int user_walk_add(struct user_walk *walk, __u64 address);

static __always_inline int user_walk_end(struct user_walk *walk, enum sampler_unwind_end end)
{
    walk->end = end;
    return USER_WALK_OVER;
}

static __always_inline int user_walk_is_code(__u64 address)
{
    return address >= USER_WALK_MIN_ADDRESS && address <= USER_WALK_MAX_ADDRESS;
}

/* Of the stack. */
static __always_inline int user_walk_word(struct user_walk *walk, __u64 at, __u64 *word)
{
    return stack_window_word(&walk->window, at, walk->sp, word);
}

static __always_inline int user_walk_read(void *to, __u32 bytes, __u64 from)
{
    return bpf_probe_read_user(to, bytes, (const void *)from) == 0;
}

#endif
