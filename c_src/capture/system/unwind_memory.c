// SPDX-License-Identifier: Apache-2.0
#include "capture/system/unwind_memory.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SHARD_BYTES = UNWIND_SHARD_ROWS * sizeof(struct unwind_row), SHARD_BATCH = 8 };

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
        unmap_array(memory->spares[i], SHARD_BYTES);
    }
    unmap_array(memory->rules, UNWIND_MAX_RULES * sizeof *memory->rules);
    unmap_array(memory->pages, UNWIND_MAX_PAGES * sizeof *memory->pages);
    unmap_array(memory->mappings, UNWIND_MAX_MAPPINGS * sizeof *memory->mappings);
    *memory = (struct unwind_memory){0};
}

// ---- shards ---------------------------------------------------------------------------

static int create_shard(void)
{
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
    return bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_shard", sizeof(uint32_t), SHARD_BYTES, 1,
                          &options);
}

// Shards that are about to be published.
struct shard_batch {
    uint32_t numbers[SHARD_BATCH];
    int fds[SHARD_BATCH];
    uint32_t cnt;
};

static void create_batch(const struct unwind_memory *memory, uint32_t number,
                         struct shard_batch *batch)
{
    for (; number < UNWIND_MAX_SHARDS && batch->cnt < SHARD_BATCH; number++) {
        if (memory->shards[number] != NULL || memory->spares[number] != NULL) {
            continue;
        }
        int fd = create_shard();
        if (fd < 0) {
            return;
        }
        batch->numbers[batch->cnt] = number;
        batch->fds[batch->cnt++] = fd;
    }
}

// The kernel waits for every BPF program that runs (20 to 40 ms) whenever a map in a map
// changes: once for a batch.
static bool publish_batch(int shards_fd, const struct shard_batch *batch)
{
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    uint32_t cnt = batch->cnt;
    if (cnt > 0 &&
        bpf_map_update_batch(shards_fd, batch->numbers, batch->fds, &cnt, &options) == 0) {
        return true;
    }
    bool ok = batch->cnt > 0; // Linux before 5.14 knows no such batches
    for (uint32_t i = 0; i < batch->cnt && ok; i++) {
        ok = bpf_map_update_elem(shards_fd, &batch->numbers[i], &batch->fds[i], BPF_ANY) == 0;
    }
    return ok;
}

static void make_spares(struct unwind_memory *memory, uint32_t number)
{
    struct shard_batch batch = {.cnt = 0};
    create_batch(memory, number, &batch);
    bool ok = publish_batch(memory->fds.shards, &batch);
    for (uint32_t i = 0; i < batch.cnt; i++) {
        if (ok) {
            memory->spares[batch.numbers[i]] = map_array(batch.fds[i], SHARD_BYTES);
        }
        (void)close(batch.fds[i]); // the outer map holds it
    }
}

bool unwind_memory_make_shard(struct unwind_memory *memory, uint32_t number)
{
    if (memory->fds.shards < 0) {
        memory->spares[number] = map_array(-1, SHARD_BYTES);
    } else if (memory->spares[number] == NULL) {
        make_spares(memory, number);
    }
    memory->shards[number] = memory->spares[number];
    memory->spares[number] = NULL;
    memory->shard_cnt += memory->shards[number] == NULL ? 0 : 1;
    return memory->shards[number] != NULL;
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

// What a CPU remembers of a process was true before.
static void note_change(const struct unwind_memory *memory, uint32_t pid)
{
    (void)__atomic_add_fetch(&memory->fds.generations[pid % UNWIND_GENERATIONS], 1,
                             __ATOMIC_RELEASE);
}

bool unwind_memory_publish(struct unwind_memory *memory, uint32_t pid,
                           const struct unwind_process *process)
{
    if (memory->fds.processes < 0) {
        return true;
    }
    bool ok = bpf_map_update_elem(memory->fds.processes, &pid, process, BPF_ANY) == 0;
    note_change(memory, pid);
    return ok;
}

void unwind_memory_withdraw(struct unwind_memory *memory, uint32_t pid)
{
    if (memory->fds.processes >= 0) {
        (void)bpf_map_delete_elem(memory->fds.processes, &pid);
        note_change(memory, pid);
    }
}
