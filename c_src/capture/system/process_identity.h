// SPDX-License-Identifier: Apache-2.0
// Who a process is, read once from /proc: program, command line, user, container,
// runtime, and those of its environment's variables that were asked for. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PROCESS_IDENTITY_H
#define FLAME_PROF_CAPTURE_SYSTEM_PROCESS_IDENTITY_H

#include "capture/system/cgroup_place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IDENTITY_PROGRAM_BYTES = 64,
    IDENTITY_COMMAND_BYTES = 200,
    IDENTITY_VALUE_BYTES = 128,
    IDENTITY_MAX_VARIABLES = 8,
};

// Empty strings where something could not be read.
struct process_identity {
    char program[IDENTITY_PROGRAM_BYTES]; // file name of the executable, without " (deleted)"
    char command[IDENTITY_COMMAND_BYTES]; // arguments with blanks between; cut
    const char *runtime; // static: "beam", "node", "python", "java", "go", ..., "native"
    uint32_t user;       // real user id
    uint32_t inner_pid;  // in its innermost pid namespace
    bool has_status;     // user and inner_pid are known
    struct cgroup_place place;
    char variables[IDENTITY_MAX_VARIABLES][IDENTITY_VALUE_BYTES]; // in the order asked for
};

// `variables`: `variable_cnt` names, at most IDENTITY_MAX_VARIABLES. False when the
// process is gone or not ours to see; what was read until then is there.
bool process_identity_read(uint32_t pid, const char *const *variables, uint32_t variable_cnt,
                           struct process_identity *identity_ret);

// The runtime of a program by its file name, else by the text of /proc/PID/maps, where a
// program has it as a library; NULL: unknown.
const char *process_identity_runtime(const char *program, const char *maps);

// The value of a variable in the text of /proc/PID/environ (NUL between, `len` bytes).
bool process_identity_variable(const char *environ, size_t len, const char *name, char *value,
                               size_t value_bytes);

#endif
