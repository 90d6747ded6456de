// SPDX-License-Identifier: Apache-2.0
// The BPF stack walk as plain C, over a made-up process.
#include "test.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static long bpf_probe_read_user(void *to, uint32_t size, const void *from);

#include "user_walk.bpf.h"

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

static long bpf_probe_read_user(void *to, uint32_t size, const void *from)
{
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
    return (struct user_walk){.pc = pc, .sp = sp, .fp = fp};
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
