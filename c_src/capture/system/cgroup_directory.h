// SPDX-License-Identifier: Apache-2.0
// A control group as the kernel's BPF side knows it: by an id and by the hierarchy
// that it is in, cgroup v2 or one of v1's controllers. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CGROUP_DIRECTORY_H
#define FLAME_PROF_CAPTURE_SYSTEM_CGROUP_DIRECTORY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { CGROUP_CONTROLLER_BYTES = 32 };

struct cgroup_directory {
    uint64_t id;                              // kernfs id: the inode of its directory
    char controller[CGROUP_CONTROLLER_BYTES]; // of v1, "memory"; "" = v2
};

// By the path of its directory, or by its path inside a hierarchy: v2 first, then v1's,
// memory before others. False, with the reason, when there is none.
bool cgroup_directory_find(const char *path, struct cgroup_directory *directory_ret,
                           struct error *err);

// By its path inside the hierarchy of a line of /proc/PID/cgroup: `controllers` is the
// second field, "" for v2, "cpu,cpuacct", "name=systemd" (which has no id: false).
bool cgroup_directory_find_in(const char *controllers, const char *path,
                              struct cgroup_directory *directory_ret);

// "cgroup v2", or the controller's name; for people.
const char *cgroup_directory_hierarchy(const struct cgroup_directory *directory);

#endif
