// SPDX-License-Identifier: Apache-2.0
// What people call a container, by its id: from the names of its log (Kubernetes,
// whatever the engine), from Docker's and Podman's own files. Reads as the host has
// them. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CONTAINER_NAMES_H
#define FLAME_PROF_CAPTURE_SYSTEM_CONTAINER_NAMES_H

#include <stdbool.h>

enum { CONTAINER_NAME_BYTES = 256 };

struct container_name {
    char container[CONTAINER_NAME_BYTES];
    char pod[CONTAINER_NAME_BYTES];       // of Kubernetes; "" = none
    char namespace[CONTAINER_NAME_BYTES]; // of Kubernetes
};

// `root` is what stands before the paths, "" for this host. False when nobody knows
// the id.
bool container_names_find(const char *root, const char *id, struct container_name *name_ret);

#endif
