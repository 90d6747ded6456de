// SPDX-License-Identifier: Apache-2.0
// What the signal handler puts into a scheduler's ring: the thread at one moment of
// its CPU time, nothing resolved. Or, where signals are refused, what another thread
// could see of it. Unwinding and naming happen on the writer's
// thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_SAMPLE_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_SAMPLE_H

#include "capture/beam/dictionary_identity.h"
#include "capture/beam/scheduler_table.h"

#include <stdint.h>

enum cpu_mode {
    CPU_MODE_NO_PROCESS, // scheduling, waiting, a port, the scheduler's own work
    CPU_MODE_ERLANG,     // on the Erlang stack: JIT code
    CPU_MODE_NATIVE,     // on the C stack: BIF, NIF, the runtime, GC
    CPU_MODE_DIRTY,      // a process on a dirty scheduler
    CPU_MODE_WATCHED,    // seen from another thread: no registers, no C stack
};

// Where the top of the Erlang stack came from.
enum stack_top {
    STACK_TOP_NONE,     // no Erlang stack
    STACK_TOP_REGISTER, // the stack pointer itself
    STACK_TOP_STORED,   // p->stop, stored by the call site
    STACK_TOP_SAVED,    // rbp, saved by the C code the call site called
    STACK_TOP_ASSUMED,  // p->stop, as the call site could not be read
    STACK_TOP_MOVED,    // p->stop, copied already to where the collector puts the heap;
                        // what follows the stack's bottom is none of it
    STACK_TOP_LAGGING,  // p->stop of a process that runs on: as of its last call into C or
                        // its last switch
    STACK_TOP_LOST,     // nothing plausible
};

// Order of the registers in a sample; DWARF numbers of the System V ABI.
enum cpu_register {
    CPU_REGISTER_RBX = 3,
    CPU_REGISTER_RBP = 6,
    CPU_REGISTER_RSP = 7,
    CPU_REGISTER_R12 = 12,
    CPU_REGISTER_R13 = 13,
    CPU_REGISTER_R14 = 14,
    CPU_REGISTER_R15 = 15,
    CPU_REGISTER_RIP = 16,
    CPU_REGISTER_CNT = 17
};

enum {
    CPU_SAMPLE_C_WORDS = 768,      // of the C stack, from its top
    CPU_SAMPLE_C_ROOT_WORDS = 256, // and from its base, when it is deeper: what lies
                                   // between is mostly one large buffer
    // Of the Erlang stack: what is deeper than the first costs more to copy than the
    // handler may take, as hardly any of it is in a cache.
    CPU_SAMPLE_WHOLE_WORDS = 640, // all of it
    CPU_SAMPLE_LEAF_WORDS = 384,  // else from its top
    CPU_SAMPLE_ROOT_WORDS = 128,  // and from its bottom
};

enum identity_read {
    IDENTITY_NOT_READ,     // no process, or read with an earlier sample
    IDENTITY_READ_IN_PART, // amidst a collection
    IDENTITY_READ,
};

struct cpu_sample {
    uint64_t time_ns;        // CLOCK_MONOTONIC
    uint64_t period_ns;      // CPU time it stands for
    uint64_t process;        // address of struct process, 0 = none
    uint64_t name;           // atom term of the registered name, 0 = none
    uint64_t current_mfa[3]; // what p->current points to: atoms and arity; 0 = nothing
    uint64_t current_port;   // 0 = none
    uint64_t stack_base;     // end of the C stack below the JIT; 0 on dirty schedulers
    uint64_t erlang_top;     // address of the first Erlang stack word kept
    uint64_t omitted_words;  // between leaf and root words of the Erlang stack
    uint64_t registers[CPU_REGISTER_CNT];
    uint32_t code_generation;
    uint32_t sleep_flags;   // of the scheduler
    uint32_t handler_ticks; // of the time stamp counter, without the last few instructions
    uint16_t kind;          // enum scheduler_kind
    uint16_t scheduler_no;
    uint16_t mode;      // enum cpu_mode
    uint16_t stack_top; // enum stack_top
    uint16_t process_words;
    uint16_t c_words;
    uint16_t c_root_words;
    uint16_t identity_read; // enum identity_read
    uint16_t reserved[2];
    uint16_t leaf_words;
    uint16_t root_words;
    struct dictionary_identity identity; // anything, when it was not read
    uint64_t words[]; // struct process, C stack: leaf, root, Erlang stack: leaf, root
};

enum {
    CPU_SAMPLE_MAX_BYTES =
        sizeof(struct cpu_sample) +
        8UL * (128 + CPU_SAMPLE_C_WORDS + CPU_SAMPLE_C_ROOT_WORDS + CPU_SAMPLE_WHOLE_WORDS),
};

#endif
