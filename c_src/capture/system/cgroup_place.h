// SPDX-License-Identifier: Apache-2.0
// Where a process is in the control groups, and what its path says about it: which
// container, of which engine, in which Kubernetes pod. Pure.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CGROUP_PLACE_H
#define FLAME_PROF_CAPTURE_SYSTEM_CGROUP_PLACE_H

#include "base/text.h"

#include <stdbool.h>

enum {
    CGROUP_PATH_BYTES = 512,
    CGROUP_CONTROLLERS_BYTES = 64,
    CONTAINER_ID_BYTES = 65, // 64 hexadecimal digits
    POD_UID_BYTES = 37,
};

// Of one line of /proc/PID/cgroup. Empty strings where there is nothing.
struct cgroup_place {
    char controllers[CGROUP_CONTROLLERS_BYTES]; // "memory", "cpu,cpuacct"; "" = cgroup v2
    char path[CGROUP_PATH_BYTES];               // cut when longer
    char container[CONTAINER_ID_BYTES];         // id; the name of an lxc container
    char pod[POD_UID_BYTES];                    // uid, with dashes
    const char *engine; // static: "docker", "containerd", "cri-o", "podman", "lxc"; "" = unknown
};

// The line that tells the most of the text of /proc/PID/cgroup: one with a container,
// else cgroup v2's unless that is the root, else the longest path. False when there is
// none.
//
//     0::/system.slice/docker-<id>.scope                      docker, systemd
//     4:memory:/docker/<id>                                   docker, v1
//     0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/
//          cri-containerd-<id>.scope                          containerd
//     4:memory:/kubepods/burstable/pod<uid>/<id>              containerd or docker
//     0::/kubepods.slice/.../kubepods-pod<uid>.slice/crio-<id>.scope
//     0::/machine.slice/libpod-<id>.scope/container           podman
//     0::/lxc.payload.NAME                                    lxc
bool cgroup_place_parse(struct text text, struct cgroup_place *place_ret);

#endif
