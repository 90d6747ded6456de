/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel fields we read, instead of a vmlinux.h. Offsets are relocated
 * at load time against the running kernel's BTF (CO-RE), so order and
 * neighbours do not matter; only names and types do.
 */
#ifndef FLAME_PROF_BPF_KERNEL_TYPES_H
#define FLAME_PROF_BPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct file;

struct mm_struct {
    struct file *exe_file; /* opened by the exec, then shared by all that are forked */
};

typedef struct {
    int counter;
} atomic_t;

struct sched_entity {
    __u64 sum_exec_runtime;
};

struct signal_struct {
    atomic_t live; /* threads that have not begun to exit */
};

struct kernfs_node {
    __u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
    struct cgroup *cgroup;
    struct cgroup_subsys_state *parent;
};

struct cgroup {
    struct cgroup_subsys_state self;
    struct kernfs_node *kn;
};

struct css_set {
    struct cgroup_subsys_state *subsys[1]; /* one per controller of this kernel */
    struct cgroup *dfl_cgrp;               /* of cgroup v2 */
};

struct task_struct {
    unsigned int flags;
    unsigned int __state; /* since 5.14 */
    int pid;
    int tgid;
    int exit_code;
    struct task_struct *group_leader;
    struct task_struct *real_parent;
    char comm[16];
    unsigned in_execve : 1;
    struct mm_struct *mm;
    struct sched_entity se;
    struct signal_struct *signal;
    struct css_set *cgroups;
    __u64 start_time; /* CLOCK_MONOTONIC */
    unsigned long nvcsw;
    unsigned long nivcsw;
    unsigned long min_flt;
    unsigned long maj_flt;
};

#pragma clang attribute pop

/* include/linux/sched.h: unchanged since 2.6. */
enum { KERNEL_PF_EXITING = 0x00000004, KERNEL_PF_KTHREAD = 0x00200000 };

#endif
