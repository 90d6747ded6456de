// SPDX-License-Identifier: Apache-2.0
#include "record/system/jit_names.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/system/process_files.h"
#include "symbols/system/perf_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_MAPS = 64,
    MAX_MAP_BYTES = 32 << 20,
};
#define CHECK_NS (1ULL * CLOCK_NS_PER_S)
// A process that never had a map is asked for one less and less often.
#define MAX_PAUSE_NS (8ULL * CLOCK_NS_PER_S)

// A process without a map has an entry, too, so that it is not asked at every frame.
struct entry {
    uint32_t pid;
    uint64_t address_space; // 0 = free
    uint64_t used_at;
    uint64_t checked_ns; // 0 = never
    uint64_t pause_ns;   // until the next check
    struct perf_map map;
};

struct jit_names {
    struct entry entries[MAX_MAPS];
    size_t max_bytes;
    size_t bytes; // of all tables
    uint64_t uses;
};

struct jit_names *jit_names_create(size_t max_bytes)
{
    struct jit_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->max_bytes = max_bytes;
    for (int i = 0; i < MAX_MAPS; i++) {
        names->entries[i].map.fd = -1;
    }
    return names;
}

static void drop(struct jit_names *names, struct entry *entry)
{
    names->bytes -= symbol_table_memory_bytes(&entry->map.table);
    perf_map_close(&entry->map);
    entry->address_space = 0;
    entry->used_at = 0;
}

void jit_names_destroy(struct jit_names *names)
{
    for (int i = 0; names != NULL && i < MAX_MAPS; i++) {
        drop(names, &names->entries[i]);
    }
    free(names);
}

static struct entry *oldest(struct jit_names *names)
{
    struct entry *found = &names->entries[0];
    for (int i = 1; i < MAX_MAPS; i++) {
        found = names->entries[i].used_at < found->used_at ? &names->entries[i] : found;
    }
    return found;
}

static struct entry *entry_of(struct jit_names *names, const struct process *process)
{
    for (int i = 0; i < MAX_MAPS; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->address_space == process->address_space && entry->pid == process->pid) {
            return entry;
        }
    }
    struct entry *entry = oldest(names);
    drop(names, entry);
    entry->pid = process->pid;
    entry->address_space = process->address_space;
    entry->checked_ns = 0;
    entry->pause_ns = CHECK_NS;
    return entry;
}

static void open_map(struct entry *entry)
{
    char path[64];
    uint32_t inner_pid = 0;
    if (!process_files_inner_pid(entry->pid, &inner_pid)) {
        return;
    }
    (void)snprintf(path, sizeof path, "/tmp/perf-%u.map", inner_pid);
    int fd = process_files_open(entry->pid, path);
    if (fd < 0) {
        return;
    }
    if (!process_files_is_trusted(fd, entry->pid)) {
        log_info("%s of process %u belongs to another user: not read", path, entry->pid);
        (void)close(fd);
        return;
    }
    perf_map_close(&entry->map);
    perf_map_open(&entry->map, fd, MAX_MAP_BYTES);
}

// Some append to their map, others put a new one in its place. That of a process
// that has gone, which nothing replaces, stays open.
static bool is_replaced(const struct entry *entry)
{
    struct stat status;
    return fstat(entry->map.fd, &status) == 0 && status.st_nlink == 0;
}

static void read_on(struct jit_names *names, struct entry *entry)
{
    names->bytes -= symbol_table_memory_bytes(&entry->map.table);
    if (entry->map.fd < 0 || is_replaced(entry)) {
        open_map(entry);
    }
    (void)perf_map_update(&entry->map);
    names->bytes += symbol_table_memory_bytes(&entry->map.table);
}

static void check(struct jit_names *names, struct entry *entry, uint64_t now_ns)
{
    bool is_first = entry->checked_ns == 0;
    entry->checked_ns = now_ns;
    read_on(names, entry);
    uint64_t longer_ns = entry->pause_ns * 2 < MAX_PAUSE_NS ? entry->pause_ns * 2 : MAX_PAUSE_NS;
    entry->pause_ns = entry->map.fd >= 0 || is_first ? CHECK_NS : longer_ns;
}

bool jit_names_find(struct jit_names *names, const struct process *process, uint64_t address,
                    uint64_t now_ns, struct text *name)
{
    struct entry *entry = entry_of(names, process);
    entry->used_at = ++names->uses;
    if (entry->checked_ns == 0 || now_ns - entry->checked_ns > entry->pause_ns) {
        check(names, entry, now_ns);
    }
    return perf_map_find(&entry->map, address, name);
}

static struct entry *oldest_open(struct jit_names *names)
{
    struct entry *found = NULL;
    for (int i = 0; i < MAX_MAPS; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->map.fd >= 0 && (found == NULL || entry->used_at < found->used_at)) {
            found = entry;
        }
    }
    return found;
}

void jit_names_trim(struct jit_names *names)
{
    while (names->bytes > names->max_bytes) {
        drop(names, oldest_open(names));
    }
}
