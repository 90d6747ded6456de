// SPDX-License-Identifier: Apache-2.0
// Sends libbpf's messages to base/log, line by line: its warnings as LOG_INFO
// (our own errors say what matters), the rest as LOG_DEBUG.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_LIBBPF_LOG_H
#define FLAME_PROF_CAPTURE_SYSTEM_LIBBPF_LOG_H

// Of the whole process, as libbpf has it. Harmless twice.
void libbpf_log_install(void);

#endif
