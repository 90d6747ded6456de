/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One step down a user stack: by the table of the code that the frame is in, else
 * by the frame pointer; below Erlang code by erlang_walk.bpf.h. No maps, no globals.
 * Three include it: the BPF program, the walk over a copied stack in user space
 * (capture/system/snapshot_walk.c) and its test. They define before:
 *
 *     bpf_probe_read_user()
 *     user_walk_lookup(walk, place)     fills walk->rule; enum user_walk_code
 *     user_walk_add(walk, address)      takes a frame; 0, or USER_WALK_OVER when
 *                                       there is no place for more
 */
#ifndef FLAME_PROF_BPF_USER_WALK_H
#define FLAME_PROF_BPF_USER_WALK_H

#include "erlang_walk.bpf.h"
#include "user_walk_state.bpf.h"

/* --- frame pointers --------------------------------------------------------- */

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
    if (!user_walk_read(code, sizeof(code), pc - 1)) {
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

static __always_inline void user_walk_to(struct user_walk *walk, __u64 pc, __u64 sp, __u64 fp)
{
    walk->pc = pc;
    walk->sp = sp;
    walk->fp = fp;
    walk->is_exact = 0;
}

/* The leaf's caller, where the frame pointer does not know it. */
static __always_inline int user_walk_leaf_step(struct user_walk *walk)
{
    __u64 return_address = 0;
    int at = user_walk_return_at(walk->pc);
    if (at < 0) {
        return USER_WALK_OVER;
    }
    if (!user_walk_word(walk, walk->sp + (__u64)at, &return_address) ||
        !user_walk_is_code(return_address)) {
        return USER_WALK_OVER;
    }
    user_walk_to(walk, return_address, walk->sp + (__u64)at + 8, walk->fp);
    return USER_WALK_GO_ON;
}

/* It lies at most `max_bytes` above the stack pointer. */
static __always_inline int user_walk_frame_pointer_step(struct user_walk *walk, __u64 max_bytes)
{
    __u64 frame[2] = {0, 0}; /* the caller's frame pointer, the return address */
    __u64 fp = walk->fp;
    if (fp == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if ((fp & 7) != 0 || fp - walk->sp > max_bytes) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_FRAME_POINTER);
    }
    if (!user_walk_word(walk, fp, &frame[0]) || !user_walk_word(walk, fp + 8, &frame[1])) {
        return user_walk_end(walk, SAMPLER_UNWIND_UNREADABLE);
    }
    if (frame[1] == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if (!user_walk_is_code(frame[1])) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_RETURN_ADDRESS);
    }
    user_walk_to(walk, frame[1], fp + 16, frame[0]);
    walk->rbx_at = USER_WALK_RBX_LOST;
    return USER_WALK_GO_ON;
}

static __always_inline int user_walk_by_frame_pointer(struct user_walk *walk)
{
    if (walk->is_exact && user_walk_leaf_step(walk) == USER_WALK_GO_ON) {
        return USER_WALK_GO_ON;
    }
    return user_walk_frame_pointer_step(walk, USER_WALK_MAX_FRAME_BYTES);
}

/* --- tables ----------------------------------------------------------------- */

/* The kernel's frame: siginfo lies above, `struct sigcontext` 40 bytes in. */
static __always_inline int user_walk_signal_step(struct user_walk *walk)
{
    __u64 saved[17]; /* r8 .. r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip */
    if (!user_walk_read(saved, sizeof(saved), walk->sp + 40)) {
        return user_walk_end(walk, SAMPLER_UNWIND_UNREADABLE);
    }
    if (!user_walk_is_code(saved[16])) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_RETURN_ADDRESS);
    }
    user_walk_to(walk, saved[16], saved[15], saved[10]);
    walk->r10 = saved[2];
    walk->r11 = saved[3];
    walk->r13 = saved[5];
    walk->rax = saved[13];
    walk->rbx = saved[11];
    walk->rbx_at = 0;
    walk->is_exact = 1;
    return USER_WALK_GO_ON;
}

/* It is read only where a frame is found by it. */
static __always_inline int user_walk_rbx(const struct user_walk *walk, __u64 *rbx)
{
    *rbx = walk->rbx;
    return walk->rbx_at == 0 || user_walk_read(rbx, 8, walk->rbx_at);
}

/* The canonical frame address; 0 when it cannot be told. */
static __always_inline __u64 user_walk_cfa(const struct user_walk *walk)
{
    const struct unwind_rule *rule = &walk->rule;
    __u64 offset = (__u64)(__s64)rule->cfa_offset;
    __u64 word = 0;
    switch (rule->cfa) {
    case UNWIND_CFA_SP:
        return walk->sp + offset;
    case UNWIND_CFA_FP:
        return walk->fp + offset;
    case UNWIND_CFA_DEREF_SP:
        return user_walk_read(&word, 8, walk->sp + offset) ? word + (__u64)(__s64)rule->deref_add
                                                           : 0;
    case UNWIND_CFA_DEREF_FP:
        return user_walk_read(&word, 8, walk->fp + offset) ? word + (__u64)(__s64)rule->deref_add
                                                           : 0;
    case UNWIND_CFA_PLT:
        return walk->sp + 8 + ((walk->pc & 15) >= offset ? 8 : 0);
    case UNWIND_CFA_R10:
        return walk->is_exact ? walk->r10 + offset : 0;
    case UNWIND_CFA_RAX:
        return walk->is_exact ? walk->rax + offset : 0;
    case UNWIND_CFA_R11:
        return walk->is_exact ? walk->r11 + offset : 0;
    case UNWIND_CFA_RBX:
        return user_walk_rbx(walk, &word) ? word + offset : 0;
    default:
        return 0;
    }
}

/* What was saved below the stack pointer was popped again: it is in the register. */
static __always_inline int user_walk_caller_fp(struct user_walk *walk, __u64 cfa, __u64 *fp)
{
    const struct unwind_rule *rule = &walk->rule;
    if (rule->fp != UNWIND_FP_AT_CFA && rule->fp != UNWIND_FP_AT_FP) {
        return 1;
    }
    __u64 base = rule->fp == UNWIND_FP_AT_CFA ? cfa : walk->fp;
    __u64 at = base + (__u64)(__s64)rule->fp_offset;
    return at < walk->sp || user_walk_word(walk, at, fp);
}

static __always_inline int user_walk_by_rule(struct user_walk *walk)
{
    __u64 return_address = 0;
    __u64 fp = walk->fp;
    if (walk->rule.cfa == UNWIND_CFA_END) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if (walk->rule.cfa == UNWIND_CFA_SIGNAL) {
        return user_walk_signal_step(walk);
    }
    if (walk->rule.cfa == UNWIND_CFA_OTHER_STACK) {
        return user_walk_frame_pointer_step(walk, USER_WALK_ANY_STACK);
    }
    __u64 cfa = user_walk_cfa(walk);
    if (cfa <= walk->sp) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_FRAME);
    }
    if (!user_walk_word(walk, cfa + (__u64)(__s64)walk->rule.return_offset, &return_address) ||
        !user_walk_caller_fp(walk, cfa, &fp)) {
        return user_walk_end(walk, SAMPLER_UNWIND_UNREADABLE);
    }
    if (walk->rule.r13_offset != 0 && walk->process.beam.stop != 0) { /* nobody else asks */
        (void)user_walk_word(walk, cfa + (__u64)(__s64)walk->rule.r13_offset, &walk->r13);
    }
    if (walk->rule.rbx_offset != 0) {
        walk->rbx_at = cfa + (__u64)(__s64)walk->rule.rbx_offset;
    }
    if (return_address == 0) {
        return user_walk_end(walk, SAMPLER_UNWIND_COMPLETE);
    }
    if (!user_walk_is_code(return_address)) {
        return user_walk_end(walk, SAMPLER_UNWIND_BAD_RETURN_ADDRESS);
    }
    user_walk_to(walk, return_address, cfa, fp);
    return USER_WALK_GO_ON;
}

/* Nobody called what a signal handler returns to: it begins there. */
static __always_inline int user_walk_is_exact(const struct user_walk *walk, int code)
{
    return walk->is_exact || (code == USER_WALK_RULE && walk->rule.cfa == UNWIND_CFA_SIGNAL);
}

/*
 * Takes one frame (of an Erlang stack, a few) and goes on to its caller. A return
 * address may be the first byte behind a function that never returns: it is looked
 * up by the byte before.
 */
static __always_inline int user_walk_step(struct user_walk *walk)
{
    if (walk->in_erlang) {
        return erlang_walk_step(walk);
    }
    __u64 pc = walk->pc;
    int code = user_walk_lookup(walk, walk->is_exact ? pc : pc - 1);
    __u64 mark = walk->depth > 0 && user_walk_is_exact(walk, code) ? SAMPLER_FRAME_EXACT : 0;
    if (user_walk_add(walk, pc | mark) != 0) {
        return USER_WALK_OVER;
    }
    switch (code) {
    case USER_WALK_RULE:
        return user_walk_by_rule(walk);
    case USER_WALK_NO_RULE:
        return user_walk_by_frame_pointer(walk);
    case USER_WALK_ERLANG:
        return erlang_walk_begin(walk);
    case USER_WALK_NO_MAPPING:
        return user_walk_end(walk, SAMPLER_UNWIND_NO_MAPPING);
    default:
        return user_walk_by_frame_pointer(walk);
    }
}

#endif
