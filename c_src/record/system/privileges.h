// SPDX-License-Identifier: Apache-2.0
// What this process may do, as far as sampling depends on it. Any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_PRIVILEGES_H
#define FLAME_PROF_RECORD_SYSTEM_PRIVILEGES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

// "uid 0, cap_bpf cap_perfmon ..." for the header; only the capabilities that
// matter here are named. Always terminated.
void privileges_describe(char *text, size_t text_bytes);

// For good: keeps of what we have only what sampling goes on needs (the capabilities that
// privileges_describe names, but CAP_SYS_ADMIN), and CAP_DAC_OVERRIDE where `directory`
// cannot be written without. No program that is started later gets more. Nothing happens
// without capabilities. False, with the reason, when the kernel refuses.
bool privileges_drop(const char *directory, struct error *err);

// False inside a container with process ids of its own: samples carry the ids of
// the host, under which /proc has other processes or none.
bool privileges_host_pids(void);

#endif
