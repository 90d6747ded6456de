// SPDX-License-Identifier: Apache-2.0
// Processes of chosen names that end, as the BPF program sees it: whatever ended them, and
// however short they lived. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_EXIT_WATCH_H
#define FLAME_PROF_CAPTURE_SYSTEM_EXIT_WATCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_WATCH_MAX = 16, EXIT_COMM_BYTES = 16 };

// The last end of a process of one name.
struct exit_notice {
    uint64_t cnt; // of all there were
    uint64_t time_ns;
    uint32_t pid;
    uint32_t status; // as wait(2) has it
};

struct sampler_exit;

// A zeroed one is closed.
struct exit_watch {
    const volatile struct sampler_exit *exits; // shared with the BPF program
};

// Each of `cnt` names, NUL-terminated, is watched from now on. The maps are the BPF
// program's.
bool exit_watch_open(struct exit_watch *watch, int names_fd, int exits_fd,
                     const char (*names)[EXIT_COMM_BYTES], uint32_t cnt, struct error *err);
// Harmless twice.
void exit_watch_close(struct exit_watch *watch);

// Of the name number `i`.
struct exit_notice exit_watch_read(const struct exit_watch *watch, uint32_t i);

// "exited with 1", "killed by signal 9"; returns `text`.
const char *exit_notice_text(uint32_t status, char *text, uint32_t text_bytes);

#endif
