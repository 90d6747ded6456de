// SPDX-License-Identifier: Apache-2.0
#include "capture/system/unwind_memory.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SHARD_BYTES = UNWIND_SHARD_ROWS * sizeof(struct unwind_row) };

static void *map_array(int fd, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void unmap_array(void *at, size_t bytes)
{
    if (at != NULL) {
        (void)munmap(at, bytes);
    }
}

bool unwind_memory_init(struct unwind_memory *memory, const struct unwind_map_fds *fds,
                        struct error *err)
{
    *memory = (struct unwind_memory){.fds = *fds};
    memory->rules = map_array(fds->rules, UNWIND_MAX_RULES * sizeof *memory->rules);
    memory->pages = map_array(fds->pages, UNWIND_MAX_PAGES * sizeof *memory->pages);
    memory->mappings = map_array(fds->mappings, UNWIND_MAX_MAPPINGS * sizeof *memory->mappings);
    if (memory->rules == NULL || memory->pages == NULL || memory->mappings == NULL) {
        unwind_memory_deinit(memory);
        return error_os(err, errno, "map the unwind tables");
    }
    return true;
}

void unwind_memory_deinit(struct unwind_memory *memory)
{
    for (uint32_t i = 0; i < UNWIND_MAX_SHARDS; i++) {
        unmap_array(memory->shards[i], SHARD_BYTES);
    }
    unmap_array(memory->rules, UNWIND_MAX_RULES * sizeof *memory->rules);
    unmap_array(memory->pages, UNWIND_MAX_PAGES * sizeof *memory->pages);
    unmap_array(memory->mappings, UNWIND_MAX_MAPPINGS * sizeof *memory->mappings);
    *memory = (struct unwind_memory){0};
}

bool unwind_memory_make_shard(struct unwind_memory *memory, uint32_t number)
{
    int fd = -1;
    if (memory->fds.shards >= 0) {
        LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
        fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_shard", sizeof number, SHARD_BYTES, 1,
                            &options);
        if (fd < 0) {
            return false;
        }
    }
    struct unwind_row *rows = map_array(fd, SHARD_BYTES);
    bool ok = rows != NULL &&
              (fd < 0 || bpf_map_update_elem(memory->fds.shards, &number, &fd, BPF_ANY) == 0);
    if (fd >= 0) {
        (void)close(fd); // the outer map holds it
    }
    if (!ok) {
        unmap_array(rows, SHARD_BYTES);
        return false;
    }
    memory->shards[number] = rows;
    memory->shard_cnt++;
    return true;
}

void unwind_memory_drop_shard(struct unwind_memory *memory, uint32_t number)
{
    if (memory->shards[number] == NULL) {
        return;
    }
    if (memory->fds.shards >= 0) {
        (void)bpf_map_delete_elem(memory->fds.shards, &number);
    }
    unmap_array(memory->shards[number], SHARD_BYTES);
    memory->shards[number] = NULL;
    memory->shard_cnt--;
}

bool unwind_memory_publish(struct unwind_memory *memory, uint32_t pid,
                           const struct unwind_process *process)
{
    return memory->fds.processes < 0 ||
           bpf_map_update_elem(memory->fds.processes, &pid, process, BPF_ANY) == 0;
}

void unwind_memory_withdraw(struct unwind_memory *memory, uint32_t pid)
{
    if (memory->fds.processes >= 0) {
        (void)bpf_map_delete_elem(memory->fds.processes, &pid);
    }
}
