// SPDX-License-Identifier: Apache-2.0
// One tick of one CPU as the kernel saw it: who ran, its stacks as addresses,
// its counters. Names come later (record/system).
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_H

#include <stdint.h>

// Why the walk of the user stack ended. The order is that of
// enum sampler_unwind_end in bpf/sampler.h (asserted in system_sampler.c).
#define SYSTEM_STACK_ENDS(X)                                                                       \
    X(SYSTEM_STACK_COMPLETE, "complete")                                                           \
    X(SYSTEM_STACK_NO_USER, "no_user_stack")                                                       \
    X(SYSTEM_STACK_BAD_FRAME_POINTER, "bad_frame_pointer")                                         \
    X(SYSTEM_STACK_BAD_RETURN_ADDRESS, "bad_return_address")                                       \
    X(SYSTEM_STACK_UNREADABLE, "unreadable")                                                       \
    X(SYSTEM_STACK_TOO_DEEP, "too_deep")                                                           \
    X(SYSTEM_STACK_32BIT, "32bit_task")

enum system_stack_end {
#define SYSTEM_STACK_ENUM(id, name) id,
    SYSTEM_STACK_ENDS(SYSTEM_STACK_ENUM)
#undef SYSTEM_STACK_ENUM
        SYSTEM_STACK_END_CNT
};

enum { SYSTEM_COMM_BYTES = 16, SYSTEM_MAX_FRAMES = 383 };

// Pointers are borrowed for the call that hands the sample over.
struct system_sample {
    uint64_t time_ns; // CLOCK_MONOTONIC
    uint32_t pid;     // as the initial pid namespace has it
    uint32_t tid;
    uint32_t cpu;
    enum system_stack_end stack_end;
    uint64_t address_space;   // of the process; changes on exec; 0 for kernel threads
    uint64_t thread_start_ns; // CLOCK_MONOTONIC
    uint64_t cpu_ns;          // of the thread since its start, as the four below
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t minor_faults;
    uint64_t major_faults;
    char comm[SYSTEM_COMM_BYTES]; // NUL-terminated
    uint32_t kernel_cnt;
    uint32_t user_cnt;
    uint32_t user_omitted;    // frames left out of the middle of the user stack ...
    uint32_t user_omitted_at; // ... in front of this index of the user frames
    const uint64_t *frames;   // kernel_cnt + user_cnt addresses, each part leaf first
};

#endif
