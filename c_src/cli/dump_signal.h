// SPDX-License-Identifier: Apache-2.0
// SIGUSR1 asks a flight recorder for a dump.
#ifndef FLAME_PROF_CLI_DUMP_SIGNAL_H
#define FLAME_PROF_CLI_DUMP_SIGNAL_H

#include <stdbool.h>

// System calls return EINTR when it comes.
void dump_signal_install(void);

// It came, and has not been taken.
bool dump_signal_is_due(void);
void dump_signal_take(void);

#endif
