// SPDX-License-Identifier: Apache-2.0
// One tick of one CPU as the kernel saw it: who ran, its stacks as addresses,
// its counters. Names come later (record/system).
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_H

#include "capture/system/system_event.h"

#include <stdbool.h>
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
    X(SYSTEM_STACK_32BIT, "32bit_task")                                                            \
    X(SYSTEM_STACK_ERLANG, "erlang") /* complete, too */                                           \
    X(SYSTEM_STACK_NO_MAPPING, "unknown_code")                                                     \
    X(SYSTEM_STACK_BAD_FRAME, "bad_frame")                                                         \
    X(SYSTEM_STACK_BEAM_IDLE, "emulator") /* complete: no process runs */                          \
    X(SYSTEM_STACK_BEAM_UNKNOWN, "unknown_beam")                                                   \
    X(SYSTEM_STACK_BEAM_UNVERIFIED, "unverified_beam")                                             \
    X(SYSTEM_STACK_SNAPSHOT, "not_walked")

enum system_stack_end {
#define SYSTEM_STACK_ENUM(id, name) id,
    SYSTEM_STACK_ENDS(SYSTEM_STACK_ENUM)
#undef SYSTEM_STACK_ENUM
        SYSTEM_STACK_END_CNT
};

enum { SYSTEM_COMM_BYTES = 16, SYSTEM_MAX_FRAMES = 383 };

// In a user frame: its address is where the code goes on, not behind a call. Below
// signal handlers.
#define SYSTEM_FRAME_EXACT (1ULL << 63)

// What is needed to walk a user stack later.
struct system_snapshot {
    uint64_t pc, sp, fp, r13, r10, r11, rax, rbx;
    const uint64_t *stack; // from sp on; its first bytes may not be there
    uint32_t absent_bytes;
    uint32_t stack_bytes;
    bool reads_memory; // the process is asked for its code, and for the head of a BEAM process
};

// Is the stack whole?
static inline bool system_stack_is_complete(enum system_stack_end end)
{
    return end == SYSTEM_STACK_COMPLETE || end == SYSTEM_STACK_ERLANG ||
           end == SYSTEM_STACK_BEAM_IDLE || end == SYSTEM_STACK_NO_USER;
}

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
    uint32_t user_omitted;                  // frames left out of the middle of the user stack ...
    uint32_t user_omitted_at;               // ... in front of this index of the user frames
    const uint64_t *frames;                 // kernel_cnt + user_cnt addresses, each part leaf first
    uint64_t erlang_pid;                    // term of the Erlang process that ran, 0 = none
    uint32_t code_generation;               // record/system/beam_names.h; 0 = not known
    const struct system_snapshot *snapshot; // NULL, or in place of user frames
    uint64_t unread; // where its walk came to a file not read yet; 0 = nowhere
    enum system_event event;
    uint64_t weight; // in the event's unit
    // Time off the CPU only; the sample's time is its end.
    uint64_t run_queue_ns; // the last part of it, when the thread could have run
    uint32_t state;        // system_event_state_name()
    uint32_t waker_tid;    // 0 = nobody, or an interrupt of an idle CPU
    char waker_comm[SYSTEM_COMM_BYTES];
};

// Of its user frames at least so many were omitted: a power of two, or 0. By their exact number
// the samples of one recursion, each at another depth, would have nothing in common.
static inline uint32_t system_sample_least_omitted(const struct system_sample *sample)
{
    uint32_t cnt = sample->user_omitted;
    return cnt == 0 ? 0 : 1U << (31 - __builtin_clz(cnt));
}

#endif
