// SPDX-License-Identifier: Apache-2.0
// What the JIT keeps in which register of x86-64, the same in OTP 25, 27 and 29
// (https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/jit/x86/beam_asm.hpp#L90);
// as data, so that wrong roles can be tried, and whether a sample contradicts them.
// Pure functions.
#ifndef FLAME_PROF_CAPTURE_BEAM_REGISTER_ROLES_H
#define FLAME_PROF_CAPTURE_BEAM_REGISTER_ROLES_H

#include "capture/beam/cpu_sample.h"
#include "capture/beam/otp_layout.h"

#include <stdbool.h>
#include <stdint.h>

// PROCESS and STACK in Erlang code: struct process, the top of its stack. SAVED_STACK: the
// latter in C code whose call site did not store it. HEAP_TOP: nothing goes by it, it
// proves the others.
#define REGISTER_ROLES(X)                                                                          \
    X(REGISTER_ROLE_PROCESS, "process", CPU_REGISTER_R13)                                          \
    X(REGISTER_ROLE_STACK, "stack", CPU_REGISTER_RSP)                                              \
    X(REGISTER_ROLE_SAVED_STACK, "saved_stack", CPU_REGISTER_RBP)                                  \
    X(REGISTER_ROLE_HEAP_TOP, "heap_top", CPU_REGISTER_R15)

enum register_role {
#define REGISTER_ROLE_ENUM(id, name, number) id,
    REGISTER_ROLES(REGISTER_ROLE_ENUM)
#undef REGISTER_ROLE_ENUM
        REGISTER_ROLE_CNT
};

struct register_roles {
    uint8_t number[REGISTER_ROLE_CNT]; // enum cpu_register
};

extern const struct register_roles REGISTER_ROLES_KNOWN;

// Static, never NULL for a valid role.
const char *register_role_name(enum register_role role);

enum register_verdict {
    REGISTERS_SAY_NOTHING,
    REGISTERS_AGREE,
    REGISTERS_CONTRADICT,
};

// Of a sample of Erlang code: the process is the scheduler's; and who calls writes where rsp
// points, so that if this is in the process's memory it is the stack. The top of the heap
// may be that of a heap that is gone: who returns from a collection in C loads it an
// instruction after the stack's.
enum register_verdict register_roles_check_code(const struct register_roles *roles,
                                                const struct otp_layout *layout,
                                                const struct cpu_sample *sample);

// Of a sample of C code, and the registers of the Erlang code that called it: where the
// call site did not store the top of the stack, it was in a register, above the heap.
enum register_verdict register_roles_check_call(const struct register_roles *roles,
                                                const struct otp_layout *layout,
                                                const struct cpu_sample *sample,
                                                const uint64_t caller[CPU_REGISTER_CNT]);

#endif
