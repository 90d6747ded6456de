// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_memory.h"

#include <sys/uio.h>

bool process_memory_read(uint32_t pid, uint64_t address, void *to, size_t bytes)
{
    const struct iovec local = {.iov_base = to, .iov_len = bytes};
    const struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
    return process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}
