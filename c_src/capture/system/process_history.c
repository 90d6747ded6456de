// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_history.h"

#include <stdlib.h>

enum {
    BUCKETS = 1024,
    REREAD_MS = 200,
};

struct entry {
    struct process process;
    struct entry *next; // of the bucket, or free
};

struct process_history {
    struct entry *buckets[BUCKETS];
    uint32_t cnt;
    size_t bytes;
    size_t max_bytes;
    uint64_t uses;
    uint64_t unread;
};

static uint32_t bucket_of(uint32_t pid, uint64_t address_space)
{
    uint64_t hash = (address_space ^ pid) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash >> 54) % BUCKETS;
}

struct process_history *process_history_create(size_t max_bytes)
{
    struct process_history *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->max_bytes = max_bytes;
    }
    return table;
}

static void free_entry(struct process_history *table, struct entry *entry)
{
    table->bytes -= process_maps_memory_bytes(&entry->process.maps);
    table->cnt--;
    process_maps_deinit(&entry->process.maps);
    free(entry);
}

void process_history_destroy(struct process_history *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (table->buckets[i] != NULL) {
            struct entry *entry = table->buckets[i];
            table->buckets[i] = entry->next;
            free_entry(table, entry);
        }
    }
    free(table);
}

static struct entry *find(struct process_history *table, uint32_t pid, uint64_t address_space)
{
    struct entry *entry = table->buckets[bucket_of(pid, address_space)];
    while (entry != NULL &&
           (entry->process.pid != pid || entry->process.address_space != address_space)) {
        entry = entry->next;
    }
    if (entry != NULL) {
        entry->process.used_at = ++table->uses;
    }
    return entry;
}

static void evict_oldest(struct process_history *table, const struct entry *but)
{
    struct entry **oldest = NULL;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (struct entry **at = &table->buckets[i]; *at != NULL; at = &(*at)->next) {
            if (*at != but &&
                (oldest == NULL || (*at)->process.used_at < (*oldest)->process.used_at)) {
                oldest = at;
            }
        }
    }
    if (oldest != NULL) {
        struct entry *entry = *oldest;
        *oldest = entry->next;
        free_entry(table, entry);
    }
}

static void shrink(struct process_history *table, const struct entry *but)
{
    while (table->cnt > 1 &&
           (table->bytes > table->max_bytes || table->cnt > PROCESS_HISTORY_MAX_PROCESSES)) {
        evict_oldest(table, but);
    }
}

static void read_maps(struct process_history *table, struct entry *entry, uint64_t now_ns)
{
    table->bytes -= process_maps_memory_bytes(&entry->process.maps);
    if (!process_maps_read(&entry->process.maps, entry->process.pid) &&
        entry->process.read_ns == 0) {
        table->unread++;
    }
    table->bytes += process_maps_memory_bytes(&entry->process.maps);
    entry->process.read_ns = now_ns;
    shrink(table, entry);
}

void process_history_note(struct process_history *table, uint32_t pid, uint64_t address_space,
                        uint64_t now_ns)
{
    if (address_space == 0 || find(table, pid, address_space) != NULL) {
        return;
    }
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return;
    }
    uint32_t bucket = bucket_of(pid, address_space);
    entry->process.pid = pid;
    entry->process.address_space = address_space;
    entry->process.used_at = ++table->uses;
    entry->next = table->buckets[bucket];
    table->buckets[bucket] = entry;
    table->cnt++;
    read_maps(table, entry, now_ns);
}

const struct process *process_history_find(struct process_history *table, uint32_t pid,
                                         uint64_t address_space, uint64_t address,
                                         uint64_t now_ns, const struct process_mapping **mapping)
{
    *mapping = NULL;
    struct entry *entry = find(table, pid, address_space);
    if (entry == NULL) {
        return NULL;
    }
    *mapping = process_maps_find(&entry->process.maps, address);
    if (*mapping == NULL && now_ns - entry->process.read_ns > REREAD_MS * 1000000ULL) {
        read_maps(table, entry, now_ns);
        *mapping = process_maps_find(&entry->process.maps, address);
    }
    return &entry->process;
}

uint32_t process_history_count(const struct process_history *table)
{
    return table->cnt;
}

size_t process_history_memory_bytes(const struct process_history *table)
{
    return sizeof *table + table->cnt * sizeof(struct entry) + table->bytes;
}

uint64_t process_history_unread(const struct process_history *table)
{
    return table->unread;
}
