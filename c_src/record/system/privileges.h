// SPDX-License-Identifier: Apache-2.0
// What this process may do, as far as sampling depends on it. Any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_PRIVILEGES_H
#define FLAME_PROF_RECORD_SYSTEM_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

// "uid 0, cap_bpf cap_perfmon ..." for the header; only the capabilities that
// matter here are named. Always terminated.
void privileges_describe(char *text, size_t text_bytes);

// False inside a container with process ids of its own: samples carry the ids of
// the host, under which /proc has other processes or none.
bool privileges_host_pids(void);

#endif
