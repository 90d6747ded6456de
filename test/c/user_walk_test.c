// SPDX-License-Identifier: Apache-2.0
// The BPF stack walk as plain C, over a made-up process.
#include "test.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static long bpf_probe_read_user(void *to, uint32_t size, const void *from);

#include "user_walk.bpf.h"

// What the table of the code says; frame pointers unless a test sets a rule.
static enum user_walk_code code_kind;
static struct unwind_rule code_rule;
static uint64_t looked_up;

static __always_inline int user_walk_lookup(struct user_walk *walk, __u64 place)
{
    looked_up = place;
    walk->rule = code_rule;
    return code_kind;
}

static uint64_t taken[64];

static __always_inline int user_walk_add(struct user_walk *walk, __u64 address)
{
    if (walk->depth == sizeof taken / sizeof taken[0]) {
        return USER_WALK_OVER;
    }
    taken[walk->depth++] = address;
    return 0;
}

enum { STACK = 0x7000, STACK_WORDS = 64, CODE = 0x40000, CODE_BYTES = 64 };

static uint64_t stack[STACK_WORDS];
static unsigned char code[CODE_BYTES];

static long read_from(void *to, uint32_t size, uint64_t at, const void *bytes, uint64_t base,
                      uint64_t len)
{
    if (at < base || at - base + size > len) {
        return -1;
    }
    memcpy(to, (const char *)bytes + (at - base), size);
    return 0;
}

static int read_cnt;

static long bpf_probe_read_user(void *to, uint32_t size, const void *from)
{
    read_cnt++;
    uint64_t at = (uint64_t)(uintptr_t)from;
    if (read_from(to, size, at, stack, STACK, sizeof stack) == 0) {
        return 0;
    }
    return read_from(to, size, at, code, CODE, sizeof code);
}

static struct user_walk begin(uint64_t pc, uint64_t sp, uint64_t fp)
{
    memset(stack, 0, sizeof stack);
    memset(code, 0x90, sizeof code);
    code_kind = USER_WALK_NO_RULE;
    return (struct user_walk){.pc = pc, .sp = sp, .fp = fp, .is_exact = 1};
}

static void frame(int word, uint64_t next_fp, uint64_t return_address)
{
    stack[word] = next_fp;
    stack[word + 1] = return_address;
}

TEST(a_chain_is_followed_to_its_end)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 32);
    frame(4, STACK + 128, 0x50100);
    frame(16, 0, 0x50200);
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50100);
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50200);
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_COMPLETE);
    CHECK_UINT(walk.depth, 3);
}

TEST(a_return_address_of_zero_is_an_end_too)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 32);
    frame(4, STACK + 128, 0);
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_COMPLETE);
}

TEST(frames_side_by_side_are_one_read)
{
    struct user_walk walk = begin(0x50000, STACK, 0);
    code_kind = USER_WALK_RULE;
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_SP,
                                     .cfa_offset = 32,
                                     .fp = UNWIND_FP_AT_CFA,
                                     .fp_offset = -24,
                                     .return_offset = -8};
    for (int i = 0; i < STACK_WINDOW_FRAME_BYTES / 32; i++) {
        stack[4 * i + 1] = 0x1000 + i;
        stack[4 * i + 3] = 0x50100 + i;
    }
    stack[STACK_WINDOW_FRAME_BYTES / 8 - 1] = 0;
    read_cnt = 0;
    for (int i = 0; i < STACK_WINDOW_FRAME_BYTES / 32 - 1; i++) {
        CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
        CHECK_UINT(walk.pc, 0x50100 + i);
        CHECK_UINT(walk.fp, 0x1000 + i);
    }
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_COMPLETE);
    CHECK_INT(read_cnt, 1);
}

TEST(where_a_piece_is_not_there_its_words_may_be)
{
    struct user_walk walk = begin(0x50000, STACK + 8 * (STACK_WORDS - 4), 0);
    code_kind = USER_WALK_RULE;
    code_rule = (struct unwind_rule){
        .cfa = UNWIND_CFA_SP, .cfa_offset = 16, .fp = UNWIND_FP_SAME, .return_offset = -8};
    stack[STACK_WORDS - 3] = 0x50100;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50100);
}

TEST(a_word_between_two_is_read_by_itself)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 4);
    code_kind = USER_WALK_RULE;
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_FP,
                                     .cfa_offset = 16,
                                     .fp = UNWIND_FP_AT_CFA,
                                     .fp_offset = -16,
                                     .return_offset = -8};
    stack[0] = 1ULL << 32;
    stack[1] = 0x50100ULL << 32;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50100);
    CHECK_UINT(walk.fp, 1);
}

TEST(wrong_frame_pointers_end_it)
{
    static const uint64_t WRONG[] = {STACK + 31, STACK - 8, STACK + (2 << 20), 1};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct user_walk walk = begin(0x50000, STACK, WRONG[i]);
        CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
        CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME_POINTER);
    }
}

TEST(a_chain_never_goes_back)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 64);
    frame(8, STACK + 64, 0x50100); // points to itself
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME_POINTER);
}

TEST(a_chain_leads_to_another_stack_where_a_rule_says_so)
{
    struct user_walk walk = begin(0x50000, STACK + 256, STACK + 64); // back
    code_kind = USER_WALK_RULE;
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_OTHER_STACK};
    frame(8, STACK + 128, 0x50100);
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50100);
    CHECK_UINT(walk.sp, STACK + 80);
    CHECK_UINT(walk.fp, STACK + 128);
    walk.fp = STACK + 129;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME_POINTER);
    walk = begin(0x50000, STACK, 0x100000); // nothing is there
    code_kind = USER_WALK_RULE;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_UNREADABLE);
    walk = begin(0x50000, STACK, 0); // it was cleared where the stack was left for good
    code_kind = USER_WALK_RULE;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_COMPLETE);
}

TEST(a_stack_that_is_not_in_memory_ends_it)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 8 * STACK_WORDS);
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_UNREADABLE);
}

TEST(a_return_address_that_is_no_code_ends_it)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 32);
    frame(4, STACK + 128, 0xffffffff81000000);
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_RETURN_ADDRESS);
}

#ifdef __x86_64__
static struct user_walk in_prologue(const unsigned char *bytes, size_t len, uint64_t pc_offset)
{
    struct user_walk walk = begin(CODE + 16 + pc_offset, STACK, STACK + 64);
    memcpy(code + 16, bytes, len);
    stack[0] = 0x50001; // a return address, or a saved frame pointer
    stack[1] = 0x50002;
    frame(8, 0, 0x50100);
    return walk;
}

static void check_caller(const unsigned char *bytes, size_t len, uint64_t pc_offset,
                         uint64_t wanted)
{
    struct user_walk walk = in_prologue(bytes, len, pc_offset);
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, wanted);
    if (wanted != 0x50100) { // the frame pointer is still the caller's
        CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
        CHECK_UINT(walk.pc, 0x50100);
    }
}

TEST(the_caller_is_not_lost_while_a_frame_is_made_or_undone)
{
    static const unsigned char PROLOGUE[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0x90};
    static const unsigned char EPILOGUE[] = {0x5d, 0xc3};
    check_caller(PROLOGUE, sizeof PROLOGUE, 0, 0x50001); // endbr64
    check_caller(PROLOGUE, sizeof PROLOGUE, 4, 0x50001); // push %rbp
    check_caller(PROLOGUE, sizeof PROLOGUE, 5, 0x50002); // mov %rsp,%rbp
    check_caller(PROLOGUE, sizeof PROLOGUE, 8, 0x50100); // the body
    check_caller(EPILOGUE, sizeof EPILOGUE, 0, 0x50100); // pop %rbp
    check_caller(EPILOGUE, sizeof EPILOGUE, 1, 0x50001); // ret
}

TEST(a_push_without_a_frame_is_not_taken_for_one)
{
    static const unsigned char PUSHES[] = {0x55, 0x53, 0x48, 0x83};
    check_caller(PUSHES, sizeof PUSHES, 0, 0x50100);
}
#endif

// --- tables ---------------------------------------------------------------------------

static struct user_walk by_rule(struct unwind_rule rule)
{
    struct user_walk walk = begin(0x50000, STACK, STACK + 64);
    code_kind = USER_WALK_RULE;
    code_rule = rule;
    for (int i = 0; i < STACK_WORDS; i++) {
        stack[i] = 0x60000 + (uint64_t)i;
    }
    return walk;
}

// Only the walk of a BEAM's stack asks for r13.
TEST(r13_is_read_in_a_beam_alone)
{
    struct user_walk walk = by_rule((struct unwind_rule){
        .cfa = UNWIND_CFA_SP, .cfa_offset = 32, .r13_offset = -24, .return_offset = -8});
    walk.r13 = 1;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x60003);
    CHECK_UINT(walk.r13, 1);
}

TEST(a_rule_finds_the_caller_without_a_frame_pointer)
{
    struct user_walk walk = by_rule((struct unwind_rule){.cfa = UNWIND_CFA_SP,
                                                         .cfa_offset = 32,
                                                         .fp = UNWIND_FP_AT_CFA,
                                                         .fp_offset = -16,
                                                         .r13_offset = -24,
                                                         .return_offset = -8});
    walk.process.beam.stop = 88;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x60003);
    CHECK_UINT(walk.sp, STACK + 32);
    CHECK_UINT(walk.fp, 0x60002);
    CHECK_UINT(walk.r13, 0x60001);
    CHECK_UINT(looked_up, 0x50000);
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(looked_up, 0x60002); // inside the call
    CHECK_UINT(taken[1], 0x60003);
}

// In an epilogue, and a copy of the stack has nothing below the stack pointer.
TEST(a_frame_pointer_that_was_popped_is_in_its_register)
{
    struct user_walk walk = begin(0x50000, STACK, 0x7777);
    code_kind = USER_WALK_RULE;
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_SP,
                                     .cfa_offset = 8,
                                     .fp = UNWIND_FP_AT_CFA,
                                     .fp_offset = -16,
                                     .return_offset = -8};
    stack[0] = 0x50100;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x50100);
    CHECK_UINT(walk.fp, 0x7777);
}

TEST(a_frame_may_be_where_a_word_says)
{
    struct user_walk walk = by_rule((struct unwind_rule){
        .cfa = UNWIND_CFA_DEREF_FP, .cfa_offset = -8, .fp = UNWIND_FP_AT_FP, .return_offset = -8});
    stack[7] = STACK + 128; // as gcc realigns: the CFA is at rbp - 8, rbp at rbp
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.sp, STACK + 128);
    CHECK_UINT(walk.pc, 0x6000f);
    CHECK_UINT(walk.fp, 0x60008);
}

TEST(registers_of_the_innermost_frame_are_not_believed_below)
{
    struct user_walk walk =
        by_rule((struct unwind_rule){.cfa = UNWIND_CFA_R10, .return_offset = -8});
    walk.r10 = STACK + 16;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x60001);
    walk.r10 = STACK + 64;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME);
}

TEST(a_frame_may_be_found_by_rbx)
{
    const struct unwind_rule by_rbx = {
        .cfa = UNWIND_CFA_RBX, .cfa_offset = 16, .return_offset = -8};
    struct user_walk walk = by_rule(by_rbx); // the leaf's own
    walk.rbx = STACK + 32;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.sp, STACK + 48);
    walk = by_rule((struct unwind_rule){
        .cfa = UNWIND_CFA_SP, .cfa_offset = 24, .return_offset = -8, .rbx_offset = -16});
    stack[1] = STACK + 64; // that its callee saved
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    code_rule = by_rbx;
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.sp, STACK + 80);
    CHECK_UINT(walk.pc, 0x60009);
    walk.rbx_at = USER_WALK_RBX_LOST;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME);
}

TEST(below_a_signal_handler_the_place_is_exact)
{
    struct user_walk walk = by_rule((struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL});
    stack[5 + 15] = STACK + 256; // rsp
    stack[5 + 16] = 0x70000;     // rip
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    CHECK_UINT(walk.pc, 0x70000);
    CHECK_UINT(walk.sp, STACK + 256);
    CHECK_UINT(walk.r13, 0x60000 + 5 + 5);
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_END};
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_COMPLETE);
    CHECK_UINT(looked_up, 0x70000);
    CHECK_UINT(taken[1], 0x70000 | SAMPLER_FRAME_EXACT);
}

// The kernel puts its address where a return address is.
TEST(what_a_signal_handler_returns_to_begins_there)
{
    struct user_walk walk =
        by_rule((struct unwind_rule){.cfa = UNWIND_CFA_SP, .cfa_offset = 16, .return_offset = -8});
    uint64_t restorer = stack[1];
    CHECK_INT(user_walk_step(&walk), USER_WALK_GO_ON);
    code_rule = (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL};
    (void)user_walk_step(&walk);
    CHECK_UINT(looked_up, restorer - 1);
    CHECK_UINT(taken[1], restorer | SAMPLER_FRAME_EXACT);
}

TEST(a_table_that_leads_nowhere_ends_it)
{
    struct user_walk walk =
        by_rule((struct unwind_rule){.cfa = UNWIND_CFA_SP, .cfa_offset = -64, .return_offset = -8});
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BAD_FRAME);
    walk = by_rule((struct unwind_rule){
        .cfa = UNWIND_CFA_SP, .cfa_offset = 8 * STACK_WORDS + 64, .return_offset = -8});
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_UNREADABLE);
    code_kind = USER_WALK_NO_MAPPING;
    CHECK_INT(user_walk_step(&walk), USER_WALK_OVER);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_NO_MAPPING);
}

// --- Erlang ---------------------------------------------------------------------------

enum { JIT = 0x40000000, PROCESS = STACK };

// A process of OTP 27 in the first words, its stack in the last 16, as the code behind a
// BIF has it in rbp.
static struct user_walk in_erlang(void)
{
    struct user_walk walk = begin(CODE, STACK + 8 * 48, 0);
    code_kind = USER_WALK_ERLANG;
    walk.process.beam = (struct unwind_beam){.stop = 88, .heap = 192, .htop = 80};
    walk.process.code_start = JIT;
    walk.process.code_end = JIT + 0x10000;
    walk.r13 = PROCESS;
    stack[0] = 0x2903;
    stack[192 / 8] = STACK + 8 * 32;
    stack[200 / 8] = STACK + 8 * 64;
    stack[80 / 8] = STACK + 8 * 40;
    stack[88 / 8] = STACK + 8 * 60;
    stack[49] = JIT + 0x100;
    stack[50] = JIT + 0x101; // a term, by its tag
    stack[61] = JIT + 0x200;
    return walk;
}

static void walk_all(struct user_walk *walk)
{
    for (int i = 0; i < 100 && user_walk_step(walk) == USER_WALK_GO_ON; i++) {
    }
}

TEST(return_addresses_are_taken_off_the_erlang_stack)
{
    struct user_walk walk = in_erlang();
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_ERLANG);
    CHECK_UINT(walk.depth, 3);
    CHECK_UINT(taken[1], JIT + 0x100);
    CHECK_UINT(taken[2], JIT + 0x200);
    CHECK_UINT(walk.erlang_pid, 0x2903);
}

TEST(below_c_code_the_code_behind_the_call_says_where_the_stack_is)
{
    static const unsigned char FROM_RBP[] = {0x90, 0x48, 0x8b, 0xe5};
    static const unsigned char FROM_PROCESS[] = {0x49, 0x8b, 0x65, 88};
    struct user_walk walk = in_erlang();
    walk.is_exact = 0;
    walk.fp = STACK + 8 * 60;
    memcpy(code, FROM_RBP, sizeof FROM_RBP);
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_ERLANG);
    CHECK_UINT(walk.depth, 2);
    CHECK_UINT(taken[1], JIT + 0x200);
    walk = in_erlang();
    walk.is_exact = 0;
    memcpy(code, FROM_PROCESS, sizeof FROM_PROCESS);
    walk_all(&walk);
    CHECK_UINT(walk.depth, 2);
    walk = in_erlang(); // neither: a call that no process made
    walk.is_exact = 0;
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BEAM_IDLE);
    CHECK_UINT(walk.depth, 1);
}

TEST(a_process_that_is_none_is_not_believed)
{
    struct user_walk walk = in_erlang();
    stack[0] = 0x2900;
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BEAM_IDLE);
    walk = in_erlang();
    stack[88 / 8] = STACK + 8 * 39; // the stack reaches into the heap
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BEAM_UNVERIFIED);
    walk = in_erlang();
    walk.process.beam.stop = 0;
    walk_all(&walk);
    CHECK_UINT(walk.end, SAMPLER_UNWIND_BEAM_UNKNOWN);
    CHECK_UINT(walk.erlang_pid, 0);
}
