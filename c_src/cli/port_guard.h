// SPDX-License-Identifier: Apache-2.0
// What keeps the port's program from harming the node that it works for: it is the last
// to run, the first to be killed when the host is short of memory, has a limit of memory
// of its own, and goes when its port does.
#ifndef FLAME_PROF_CLI_PORT_GUARD_H
#define FLAME_PROF_CLI_PORT_GUARD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// The lowest priority; nothing to stderr, which is the node's; no core dump.
void port_guard_step_back(void);

// From now on it may have `max_bytes` more of memory than it has. Not in a sanitizer's
// build, which needs terabytes of addresses.
void port_guard_limit_memory(uint64_t max_bytes);

// Whether memory was asked for and refused since then, by anybody: what was worked out
// may lack something although nobody said so. Any thread.
bool port_guard_ran_out(void);

// Starts a thread that ends the program when `fd` comes to its end: the port was closed.
bool port_guard_watch(int fd, struct error *err);

// What is to be removed then; NULL = nothing. Borrowed.
void port_guard_unfinished(const char *path);

#endif
