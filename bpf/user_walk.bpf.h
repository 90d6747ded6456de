/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One step down a user stack. No maps, no globals: a test compiles this as
 * plain C with its own bpf_probe_read_user(). Frame pointers are the first
 * unwinder; a table unwinder goes in front of them in user_walk_step().
 */
#ifndef FLAME_PROF_BPF_USER_WALK_H
#define FLAME_PROF_BPF_USER_WALK_H

#include "sampler.h"

/* The registers of the frame whose pc comes next. */
struct user_walk {
    __u64 pc;
    __u64 sp;
    __u64 fp;
    __u32 depth; /* frames seen so far */
    __u32 end;   /* enum sampler_unwind_end, once the walk is over */
};

enum {
    USER_WALK_GO_ON = 0,
    USER_WALK_OVER = 1,
    /* A frame larger than this is taken for a wrong frame pointer. */
    USER_WALK_MAX_FRAME_BYTES = 1 << 20,
};

/* Nothing is mapped below (vm.mmap_min_addr), or above on x86-64 and arm64. */
#define USER_WALK_MIN_ADDRESS 0x1000ULL
#define USER_WALK_MAX_ADDRESS 0x00ffffffffffffffULL

static __always_inline int user_walk_end(struct user_walk *walk, enum sampler_unwind_end end)
{
    walk->end = end;
    return USER_WALK_OVER;
}

static __always_inline int user_walk_is_code(__u64 address)
{
    return address >= USER_WALK_MIN_ADDRESS && address <= USER_WALK_MAX_ADDRESS;
}

#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
/*
 * Where the interrupted function has not yet made its frame, or has already
 * undone it, the frame pointer is the caller's and the caller would be missing.
 * These four places of a function with frame pointers are told by their bytes:
 *     f3 0f 1e fa      endbr64        } return address at sp
 *     55               push %rbp      }
 *     48 89 e5         mov %rsp,%rbp    return address at sp + 8
 *     c3               ret              return address at sp
 * Returns the offset from sp, or -1.
 */
static __always_inline int user_walk_return_at(__u64 pc)
{
    __u64 code[2] = {0, 0}; /* the byte before pc, then those from pc on */
    if (bpf_probe_read_user(code, sizeof(code), (const void *)(pc - 1)) != 0) {
        return -1;
    }
    __u64 from_pc = code[0] >> 8 | code[1] << 56;
    __u64 behind_endbr = code[0] >> 40 | code[1] << 24;
    if ((from_pc & 0xff) == 0xc3) {
        return 0;
    }
    if ((from_pc & 0xffffffff) == 0xe5894855) {
        return 0;
    }
    if ((from_pc & 0xffffffff) == 0xfa1e0ff3 && (behind_endbr & 0xffffffff) == 0xe5894855) {
        return 0;
    }
    return (code[0] & 0xffffffff) == 0xe5894855 ? 8 : -1;
}
#else
static __always_inline int user_walk_return_at(__u64 pc)
{
    (void)pc;
    return -1;
}
#endif

/* The leaf's caller, where the frame pointer does not know it. */
static __always_inline int user_walk_leaf_step(struct user_walk *walk)
{
    __u64 return_address = 0;
    int at = user_walk_return_at(walk->pc);
    if (at < 0) {
        return USER_WALK_OVER;
    }
    if (bpf_probe_read_user(&return_address, sizeof(return_address),
                            (const void *)(walk->sp + (__u64)at)) != 0 ||
        !user_walk_is_code(return_address)) {
        return USER_WALK_OVER;
    }
    walk->pc = return_address;
    walk->sp += (__u64)at + 8;
    return USER_WALK_GO_ON;
}

static __always_inline int user_walk_frame_pointer_step(struct user_walk *walk)
{
    __u64 frame[2] = {0, 0}; /* the caller's frame pointer, the return address */
    __u64 fp = walk->fp;
    if (fp == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if ((fp & 7) != 0 || fp < walk->sp || fp - walk->sp > USER_WALK_MAX_FRAME_BYTES) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_FRAME_POINTER);
    }
    if (bpf_probe_read_user(frame, sizeof(frame), (const void *)fp) != 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_UNREADABLE);
    }
    if (frame[1] == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if (!user_walk_is_code(frame[1])) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_RETURN_ADDRESS);
    }
    walk->pc = frame[1];
    walk->sp = fp + 16;
    walk->fp = frame[0];
    return USER_WALK_GO_ON;
}

/* From one frame to its caller; depth is that of the frame left. */
static __always_inline int user_walk_step(struct user_walk *walk)
{
    __u32 depth = walk->depth++;
    if (depth == 0 && user_walk_leaf_step(walk) == USER_WALK_GO_ON) {
        return USER_WALK_GO_ON;
    }
    return user_walk_frame_pointer_step(walk);
}

#endif
