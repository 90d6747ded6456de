// SPDX-License-Identifier: Apache-2.0
#include "cli/dump_signal.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t due;

static void on_signal(int signal_number)
{
    (void)signal_number;
    due = 1;
}

void dump_signal_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGUSR1, &action, NULL);
}

bool dump_signal_is_due(void)
{
    return due != 0;
}

void dump_signal_take(void)
{
    due = 0;
}
