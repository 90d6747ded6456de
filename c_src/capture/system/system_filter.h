// SPDX-License-Identifier: Apache-2.0
// Whom to sample besides the choice of processes: threads, commands, users,
// control groups. Decided in the kernel: what is filtered out costs nothing but the
// tick. Kinds that are given must all be met, of several values of a kind one.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_FILTER_H
#define FLAME_PROF_CAPTURE_SYSTEM_FILTER_H

#include "base/error.h"
#include "capture/system/cgroup_directory.h"
#include "capture/system/system_sample.h"

#include <stdbool.h>
#include <stdint.h>

enum { SYSTEM_FILTER_MAX_VALUES = 256 };

// Plain data; zeroed it lets everybody pass.
struct system_filter {
    uint32_t threads[SYSTEM_FILTER_MAX_VALUES]; // ids as the host has them
    uint32_t thread_cnt;
    uint32_t users[SYSTEM_FILTER_MAX_VALUES]; // real user ids
    uint32_t user_cnt;
    char comms[SYSTEM_FILTER_MAX_VALUES][SYSTEM_COMM_BYTES]; // thread names, NUL-terminated
    uint32_t comm_cnt;
    struct cgroup_directory cgroups[SYSTEM_FILTER_MAX_VALUES]; // with all below; of one hierarchy
    uint32_t cgroup_cnt;
};

// False, with the reason, when there is no room.
bool system_filter_add_thread(struct system_filter *filter, uint32_t tid, struct error *err);
bool system_filter_add_user(struct system_filter *filter, uint32_t uid, struct error *err);
// Cut to what the kernel keeps of a name, 15 bytes.
bool system_filter_add_comm(struct system_filter *filter, const char *comm, struct error *err);
// Also false for a group of another hierarchy than those before.
bool system_filter_add_cgroup(struct system_filter *filter, const struct cgroup_directory *cgroup,
                              struct error *err);

#endif
