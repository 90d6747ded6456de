// SPDX-License-Identifier: Apache-2.0
// A command that is run while it is recorded: made first, held until sampling
// has begun, then let go. One thread.
#ifndef FLAME_PROF_CLI_CHILD_COMMAND_H
#define FLAME_PROF_CLI_CHILD_COMMAND_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct is no command.
struct child_command {
    uint32_t pid;  // 0 = none
    int gate_fd;   // closed: the child goes
    int result_fd; // the child's errno, when it cannot run the command
    bool has_ended;
    int status; // as waitpid() gives it, once it has ended
};

// Forks; the child waits.
bool child_command_prepare(struct child_command *child, char **argv, struct error *err);

// Lets the child go. False when it could not run the command.
bool child_command_go(struct child_command *child, const char *name, struct error *err);

// Looks, without waiting. True once the child has ended.
bool child_command_has_ended(struct child_command *child);

// Waits for its end, sending it `signal_number` before (0: nothing).
void child_command_wait(struct child_command *child, int signal_number);

// The exit code a shell would give.
int child_command_exit_code(const struct child_command *child);

#endif
