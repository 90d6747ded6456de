// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The name of what is at an address of the kernel, when user space asks: the kernel knows
// it, while all of /proc/kallsyms takes some 60 ms to read.
#ifndef FLAME_PROF_BPF_KERNEL_NAME_BPF_H
#define FLAME_PROF_BPF_KERNEL_NAME_BPF_H

#include "sampler.h"

#include <bpf/bpf_helpers.h>

struct sampler_kernel_name kernel_name;

SEC("syscall")
int tell_kernel_name(void *context)
{
    (void)context;
    BPF_SNPRINTF(kernel_name.text, sizeof kernel_name.text, "%ps", kernel_name.address);
    return 0;
}

#endif
