// SPDX-License-Identifier: Apache-2.0
// A process's status as process_info(Pid, status) gives it, from the state
// flags in struct process. The flags are the same in OTP 25, 27 and 29:
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_process.h
// (ERTS_PSFLG_*), the order of tests that of erts_process_state2status
// (erl_process.c).
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_STATUS_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_STATUSES(X)                                                                        \
    X(PROCESS_WAITING, "waiting")                                                                  \
    X(PROCESS_RUNNABLE, "runnable")                                                                \
    X(PROCESS_RUNNING, "running")                                                                  \
    X(PROCESS_SUSPENDED, "suspended")                                                              \
    X(PROCESS_GARBAGE_COLLECTING, "garbage_collecting")                                            \
    X(PROCESS_EXITING, "exiting")                                                                  \
    X(PROCESS_FREE, "free")

enum process_status {
#define STATUS_ENUM(id, name) id,
    PROCESS_STATUSES(STATUS_ENUM)
#undef STATUS_ENUM
        PROCESS_STATUS_CNT
};

enum process_status process_status_of(uint32_t state_flags);

// On a scheduler of any kind, or its heap is being moved: fields may change
// under the reader.
bool process_is_running(uint32_t state_flags);

// On a dirty scheduler.
bool process_is_dirty(uint32_t state_flags);

// Static, never NULL.
const char *process_status_name(enum process_status status);

#endif
