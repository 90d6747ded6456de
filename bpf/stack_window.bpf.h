/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A piece of a stack, read at once. What a walk needs of one frame and of the next few
 * stands close together, and a call that reads user memory costs the same (30 ns) for 8
 * bytes as for 256. A piece ends with its page: the next one may not be in memory.
 */
#ifndef FLAME_PROF_BPF_STACK_WINDOW_H
#define FLAME_PROF_BPF_STACK_WINDOW_H

#include <linux/types.h>

enum {
    STACK_WINDOW_WORDS = 64,        /* a power of two */
    STACK_WINDOW_FRAME_BYTES = 256, /* of a C stack: lines nobody asks for cost, too */
    STACK_WINDOW_PAGE_BYTES = 4096,
    /* Registers are saved below the return address, which is asked for first. */
    STACK_WINDOW_BELOW_BYTES = 56,
};

struct stack_window {
    __u64 at;    /* address of words[0], a multiple of 8 */
    __u64 bytes; /* that are there; 0 = nothing was read yet */
    __u64 words[STACK_WINDOW_WORDS];
};

/* How many bytes from `from` on, a multiple of 8, one read may have. */
static __always_inline __u64 stack_window_bytes(__u64 from, __u64 most)
{
    __u64 in_page = STACK_WINDOW_PAGE_BYTES - (from & (STACK_WINDOW_PAGE_BYTES - 1));
    return in_page < most ? in_page : most;
}

/* At most `bytes` from `from` on: how many are there, 0 = it is not in memory. */
static __always_inline __u64 stack_window_read(struct stack_window *window, __u64 from, __u64 bytes)
{
    window->at = from;
    window->bytes = 0;
    if (bytes > 8 * STACK_WINDOW_WORDS ||
        bpf_probe_read_user(window->words, (__u32)bytes, (const void *)from) != 0) {
        return 0;
    }
    window->bytes = bytes;
    return bytes;
}

/* The piece around the word at `at` of a frame that begins at `sp`. */
static __attribute__((noinline)) int stack_window_fill(struct stack_window *window, __u64 at,
                                                       __u64 sp)
{
    __u64 page = at & ~(__u64)(STACK_WINDOW_PAGE_BYTES - 1);
    __u64 below = at - sp < STACK_WINDOW_BELOW_BYTES ? (at - sp) & ~7ULL : STACK_WINDOW_BELOW_BYTES;
    __u64 from = at - page < below ? page : at - below;
    __u64 bytes = stack_window_bytes(from, STACK_WINDOW_FRAME_BYTES);
    return stack_window_read(window, from, bytes) != 0;
}

/* The word at `at`, of the frame that begins at `sp`; 0 = it is not in memory. */
static __always_inline int stack_window_word(struct stack_window *window, __u64 at, __u64 sp,
                                             __u64 *word)
{
    if (at - window->at >= window->bytes || (at & 7) != 0) {
        if ((at & 7) != 0 || !stack_window_fill(window, at, sp)) {
            return bpf_probe_read_user(word, 8, (const void *)at) == 0;
        }
    }
    *word = window->words[(at - window->at) / 8 & (STACK_WINDOW_WORDS - 1)];
    return 1;
}

#endif
