// SPDX-License-Identifier: Apache-2.0
#include "cli/stop_signal.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void on_stop(int signal_number)
{
    if (seen == 0) {
        seen = signal_number;
    }
}

static void on_child(int signal_number)
{
    (void)signal_number;
}

static void install(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, NULL);
}

static void install_unless_ignored(int signal_number, void (*handler)(int))
{
    struct sigaction old;
    if (sigaction(signal_number, NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
        install(signal_number, handler);
    }
}

void stop_signal_install(void)
{
    install_unless_ignored(SIGINT, on_stop);
    install_unless_ignored(SIGTERM, on_stop);
    install_unless_ignored(SIGHUP, on_stop);
    install(SIGCHLD, on_child);
    install(SIGPIPE, SIG_IGN);
}

int stop_signal_seen(void)
{
    return seen;
}
