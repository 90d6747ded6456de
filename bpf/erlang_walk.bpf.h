/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Erlang part of a scheduler's stack, for user_walk.bpf.h. Code that the
 * BEAM's JIT made keeps the running process in r13 and no frame pointers; its stack
 * is the upper end of the process's heap block, from E up to `hend`. Return addresses
 * are its words that point into JIT code with the two lowest bits 0 (a tag that terms
 * on the stack do not have).
 *
 * Where E is: in rsp while Erlang code runs. Below C code (a BIF, the collector, a
 * NIF) the first instructions behind the call say from where they take it back.
 * Nothing is believed before r13 leads to a struct process: a pid's tag, and
 * heap <= htop <= stop <= hend with E between. Otherwise the walk ends there and
 * the record says why.
 */
#ifndef FLAME_PROF_BPF_ERLANG_WALK_H
#define FLAME_PROF_BPF_ERLANG_WALK_H

#include "user_walk_state.bpf.h"

enum {
    ERLANG_PID_TAG = 3,
    ERLANG_CHUNK_WORDS = STACK_WINDOW_WORDS,
    /* A larger stack is read from both ends. */
    ERLANG_HEAD_WORDS = 6144,
    ERLANG_TAIL_WORDS = 1024,
    ERLANG_RETURN_BYTES = 24, /* of code behind a call that are looked at */
};
/* A block that is larger than any heap is no heap. */
#define ERLANG_MAX_BLOCK_BYTES (1ULL << 40)

struct erlang_stack {
    __u64 heap;
    __u64 hend;
    __u64 htop;
    __u64 stop;
};

static __always_inline int erlang_walk_read_process(const struct user_walk *walk,
                                                    struct erlang_stack *stack)
{
    const struct unwind_beam *beam = &walk->process.beam;
    __u64 block[2] = {0, 0};
    if (!user_walk_read(block, sizeof(block), walk->r13 + beam->heap) ||
        !user_walk_read(&stack->htop, 8, walk->r13 + beam->htop) ||
        !user_walk_read(&stack->stop, 8, walk->r13 + beam->stop)) {
        return 0;
    }
    stack->heap = block[0];
    stack->hend = block[1];
    return ((block[0] | block[1] | stack->stop) & 7) == 0 && block[0] != 0 &&
           block[0] <= stack->htop && stack->htop <= stack->stop && stack->stop <= block[1] &&
           block[1] - block[0] < ERLANG_MAX_BLOCK_BYTES;
}

/*
 * What the JIT writes behind a call into C (emit_leave_runtime): mov %rbp,%rsp in
 * either encoding, or mov STOP(%r13),%rsp. 0 when none is there.
 */
static __always_inline __u64 erlang_walk_stack_behind_call(const struct user_walk *walk,
                                                           const struct erlang_stack *stack)
{
    __u64 code[4] = {0, 0, 0, 0};
    if (!user_walk_read(code, sizeof(code), walk->pc)) {
        return 0;
    }
    __u64 c0 = code[0], c1 = code[1], c2 = code[2], c3 = code[3];
    for (int i = 0; i < ERLANG_RETURN_BYTES; i++) {
        __u32 instruction = c0 & 0xffffff;
        if (instruction == 0xe58b48 || instruction == 0xec8948) {
            return walk->fp;
        }
        if (instruction == 0x658b49) {
            return stack->stop;
        }
        c0 = c0 >> 8 | c1 << 56;
        c1 = c1 >> 8 | c2 << 56;
        c2 = c2 >> 8 | c3 << 56;
        c3 >>= 8;
    }
    return 0;
}

/* The frame in JIT code was taken; what follows is on the Erlang stack. */
static __always_inline int erlang_walk_begin(struct user_walk *walk)
{
    struct erlang_stack stack = {0, 0, 0, 0};
    __u64 pid = 0;
    __u64 at = walk->sp;
    if (walk->process.beam.stop == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_BEAM_UNKNOWN);
    }
    if (!user_walk_read(&pid, 8, walk->r13) || (pid & 0xf) != ERLANG_PID_TAG) {
        return user_walk_end(walk, SAMPLER_UNWIND_BEAM_IDLE);
    }
    if (!erlang_walk_read_process(walk, &stack)) {
        return user_walk_end(walk, SAMPLER_UNWIND_BEAM_UNVERIFIED);
    }
    if (!walk->is_exact) {
        at = erlang_walk_stack_behind_call(walk, &stack);
        if (at == 0) {
            return user_walk_end(walk, SAMPLER_UNWIND_BEAM_IDLE);
        }
    } else if (at < stack.heap || at > stack.hend) {
        at = stack.stop; /* a code fragment that has already changed to the C stack */
    }
    if (at < stack.heap || at > stack.hend || (at & 7) != 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_BEAM_UNVERIFIED);
    }
    walk->erlang_pid = pid;
    walk->erlang_at = at;
    walk->erlang_end = stack.hend;
    walk->erlang_words = ERLANG_HEAD_WORDS;
    walk->in_erlang = 1;
    return USER_WALK_GO_ON;
}

static __always_inline void erlang_walk_skip_middle(struct user_walk *walk, __u64 left)
{
    if (walk->erlang_words >= ERLANG_CHUNK_WORDS) {
        walk->erlang_words -= ERLANG_CHUNK_WORDS;
        return;
    }
    if (left > ERLANG_TAIL_WORDS && walk->erlang_skipped == 0) {
        __u64 skipped = left - ERLANG_TAIL_WORDS;
        walk->erlang_skipped = skipped > 0xffffffff ? 0xffffffff : skipped;
        walk->erlang_at += 8 * skipped;
    }
}

/* The next words are in the window; returns how many, 0 when they are not in memory. */
static __always_inline __u32 erlang_walk_read(struct user_walk *walk, __u64 left)
{
    __u64 most = left < STACK_WINDOW_WORDS ? 8 * left : 8 * STACK_WINDOW_WORDS;
    __u64 bytes = stack_window_bytes(walk->erlang_at, most);
    return stack_window_read(&walk->window, walk->erlang_at, bytes) / 8;
}

static __always_inline int erlang_walk_step(struct user_walk *walk)
{
    __u64 left = (walk->erlang_end - walk->erlang_at) / 8;
    if (left == 0 || left > ERLANG_MAX_BLOCK_BYTES / 8) {
        return user_walk_end(walk, SAMPLER_UNWIND_ERLANG);
    }
    erlang_walk_skip_middle(walk, left);
    left = (walk->erlang_end - walk->erlang_at) / 8;
    __u32 cnt = erlang_walk_read(walk, left);
    if (cnt == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_UNREADABLE);
    }
    walk->erlang_at += 8 * (__u64)cnt;
    __u64 code_start = walk->process.code_start;
    __u64 code_bytes = walk->process.code_end - code_start;
    for (__u32 i = 0; i < ERLANG_CHUNK_WORDS && i < cnt; i++) {
        __u64 word = walk->window.words[i];
        if ((word & 3) == 0 && word - code_start < code_bytes && user_walk_add(walk, word) != 0) {
            return USER_WALK_OVER;
        }
    }
    return USER_WALK_GO_ON;
}

#endif
