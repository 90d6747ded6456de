/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom to sample, decided before anything is done for a sample. Each kind that is
 * asked for must be met; of several values of one kind, one is enough. Included by
 * sampler.bpf.c only.
 */
#ifndef FLAME_PROF_BPF_FILTER_H
#define FLAME_PROF_BPF_FILTER_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"
#include "sampler.h"

/* Set between open and load. */
const volatile __u32 excluded_pid = 0;             /* our own process; 0: nobody */
const volatile __u32 filter_kinds = 0;             /* bits of enum sampler_filter_kind */
const volatile __s32 filter_cgroup_subsystem = -1; /* of a v1 hierarchy; -1: cgroup v2 */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_TRACED_PROCESSES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, __u32);
} traced SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_FILTER_VALUES);
    __type(key, __u32);
    __type(value, __u32);
} filter_threads SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_FILTER_VALUES);
    __type(key, __u32);
    __type(value, __u32);
} filter_users SEC(".maps");

struct filter_comm {
    char text[SAMPLER_COMM_BYTES]; /* zeros behind the name */
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_FILTER_VALUES);
    __type(key, struct filter_comm);
    __type(value, __u32);
} filter_comms SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SAMPLER_MAX_FILTER_VALUES);
    __type(key, __u64); /* kernfs id: the inode of the group's directory */
    __type(value, __u32);
} filter_cgroups SEC(".maps");

static __always_inline int filter_has_comm(void)
{
    struct filter_comm comm = {{0}};
    bpf_get_current_comm(comm.text, sizeof(comm.text));
    return bpf_map_lookup_elem(&filter_comms, &comm) != NULL;
}

static __always_inline struct cgroup *filter_cgroup_of(struct task_struct *task)
{
    struct css_set *groups = BPF_CORE_READ(task, cgroups);
    struct cgroup_subsys_state *state = NULL;
    if (filter_cgroup_subsystem < 0) {
        return BPF_CORE_READ(groups, dfl_cgrp);
    }
    const void *at = __builtin_preserve_access_index(&groups->subsys);
    bpf_probe_read_kernel(&state, sizeof(state), at + 8 * filter_cgroup_subsystem);
    return BPF_CORE_READ(state, cgroup);
}

/* The group itself or any above it. */
static __always_inline int filter_has_cgroup(struct task_struct *task)
{
    struct cgroup *group = filter_cgroup_of(task);
    for (int i = 0; i < SAMPLER_MAX_CGROUP_DEPTH && group != NULL; i++) {
        __u64 id = BPF_CORE_READ(group, kn, id);
        if (bpf_map_lookup_elem(&filter_cgroups, &id) != NULL) {
            return 1;
        }
        group = BPF_CORE_READ(group, self.parent, cgroup);
    }
    return 0;
}

/* Of the current task. */
static __always_inline int filter_excludes(__u64 pid_tid)
{
    __u32 pid = pid_tid >> 32;
    __u32 tid = (__u32)pid_tid;
    __u32 user = 0;
    if (pid == excluded_pid) {
        return 1;
    }
    if (filter_kinds == 0) {
        return 0;
    }
    if ((filter_kinds & SAMPLER_FILTER_PROCESS) && bpf_map_lookup_elem(&traced, &pid) == NULL) {
        return 1;
    }
    if ((filter_kinds & SAMPLER_FILTER_THREAD) &&
        bpf_map_lookup_elem(&filter_threads, &tid) == NULL) {
        return 1;
    }
    if (filter_kinds & SAMPLER_FILTER_USER) {
        user = (__u32)bpf_get_current_uid_gid();
        if (bpf_map_lookup_elem(&filter_users, &user) == NULL) {
            return 1;
        }
    }
    if ((filter_kinds & SAMPLER_FILTER_COMM) && !filter_has_comm()) {
        return 1;
    }
    return (filter_kinds & SAMPLER_FILTER_CGROUP) && !filter_has_cgroup(bpf_get_current_task_btf());
}

#endif
