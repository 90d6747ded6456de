// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_history.h"

#include <stdlib.h>

enum {
    BUCKETS = 1024,
    YOUNG_NS = 1000000000,
};
// The shortest pause between two readings, while young and later, and the longest.
#define MIN_YOUNG_PAUSE_NS 500000ULL
#define MIN_PAUSE_NS 200000000ULL
#define MAX_PAUSE_NS 10000000000ULL

struct entry {
    struct process process;
    struct entry *next;  // of the bucket
    struct entry *older; // by use
    struct entry *newer;
};

struct process_history {
    struct entry *buckets[BUCKETS];
    struct entry *oldest; // used longest ago
    struct entry *newest;
    uint32_t cnt;
    uint32_t max_cnt;
    size_t bytes;
    size_t max_bytes;
    uint64_t maps_ids;
    uint64_t unread;
    process_maps_source source;
    void *context;
};

static uint32_t bucket_of(uint32_t pid, uint64_t address_space)
{
    uint64_t hash = (address_space ^ pid) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash >> 54) % BUCKETS;
}

struct process_history *process_history_create(size_t max_bytes, uint32_t max_processes)
{
    struct process_history *history = calloc(1, sizeof *history);
    if (history != NULL) {
        history->max_bytes = max_bytes;
        history->max_cnt = max_processes;
    }
    return history;
}

void process_history_set_source(struct process_history *history, process_maps_source source,
                                void *context)
{
    history->source = source;
    history->context = context;
}

// --- by use -------------------------------------------------------------------

static void unlink_use(struct process_history *history, struct entry *entry)
{
    *(entry->older == NULL ? &history->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &history->newest : &entry->newer->older) = entry->older;
}

static void link_newest(struct process_history *history, struct entry *entry)
{
    entry->older = history->newest;
    entry->newer = NULL;
    *(history->newest == NULL ? &history->oldest : &history->newest->newer) = entry;
    history->newest = entry;
}

static void free_entry(struct process_history *history, struct entry *entry)
{
    history->bytes -= process_maps_memory_bytes(&entry->process.maps);
    history->cnt--;
    process_maps_deinit(&entry->process.maps);
    free(entry);
}

void process_history_destroy(struct process_history *history)
{
    if (history == NULL) {
        return;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (history->buckets[i] != NULL) {
            struct entry *entry = history->buckets[i];
            history->buckets[i] = entry->next;
            free_entry(history, entry);
        }
    }
    free(history);
}

static bool is_of(const struct entry *entry, uint32_t pid, uint64_t address_space)
{
    return entry->process.pid == pid && entry->process.address_space == address_space;
}

// Who is asked for several times in a row is the newest from the second time on.
static struct entry *find(struct process_history *history, uint32_t pid, uint64_t address_space)
{
    if (history->newest != NULL && is_of(history->newest, pid, address_space)) {
        return history->newest;
    }
    struct entry *entry = history->buckets[bucket_of(pid, address_space)];
    while (entry != NULL && !is_of(entry, pid, address_space)) {
        entry = entry->next;
    }
    if (entry != NULL) {
        unlink_use(history, entry);
        link_newest(history, entry);
    }
    return entry;
}

static void evict(struct process_history *history, struct entry *entry)
{
    struct entry **at =
        &history->buckets[bucket_of(entry->process.pid, entry->process.address_space)];
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    unlink_use(history, entry);
    free_entry(history, entry);
}

static void shrink(struct process_history *history, const struct entry *but)
{
    while (history->cnt > 1 &&
           (history->bytes > history->max_bytes || history->cnt > history->max_cnt)) {
        evict(history, history->oldest == but ? but->newer : history->oldest);
    }
}

static uint64_t next_pause(const struct process *process, enum process_maps_result result,
                           uint64_t now_ns)
{
    uint64_t pause_ns = 2 * process->pause_ns;
    if (result == PROCESS_MAPS_CHANGED) {
        pause_ns = process_history_is_young(process, now_ns) ? MIN_YOUNG_PAUSE_NS : MIN_PAUSE_NS;
    }
    return pause_ns < MAX_PAUSE_NS ? pause_ns : MAX_PAUSE_NS;
}

// What is in /proc may be another program's, of after the sample.
static enum process_maps_result read_or_remember(struct process_history *history,
                                                 struct process *process)
{
    struct process_maps then = {0};
    enum process_maps_result result = process_maps_read(&process->maps, process->pid);
    process->is_gone = result == PROCESS_MAPS_GONE;
    bool is_remembered = history->source != NULL &&
                         history->source(history->context, process->pid, process->sampled_ns,
                                         result == PROCESS_MAPS_GONE, &then);
    return is_remembered ? process_maps_replace(&process->maps, &then) : result;
}

static void read_maps(struct process_history *history, struct entry *entry, uint64_t now_ns)
{
    struct process *process = &entry->process;
    bool was_unread = process->maps.cnt == 0;
    history->bytes -= process_maps_memory_bytes(&process->maps);
    enum process_maps_result result = read_or_remember(history, process);
    history->bytes += process_maps_memory_bytes(&process->maps);
    history->unread -= was_unread && process->read_ns != 0 && process->maps.cnt > 0 ? 1 : 0;
    history->unread += process->read_ns == 0 && process->maps.cnt == 0 ? 1 : 0;
    process->maps_id = result == PROCESS_MAPS_CHANGED ? ++history->maps_ids : process->maps_id;
    process->pause_ns = next_pause(process, result, now_ns);
    process->read_ns = now_ns;
    shrink(history, entry);
}

static struct entry *add(struct process_history *history, uint32_t pid, uint64_t address_space,
                         uint64_t now_ns)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return NULL;
    }
    uint32_t bucket = bucket_of(pid, address_space);
    entry->process.pid = pid;
    entry->process.address_space = address_space;
    entry->process.noted_ns = now_ns;
    entry->process.pause_ns = MIN_YOUNG_PAUSE_NS;
    entry->next = history->buckets[bucket];
    history->buckets[bucket] = entry;
    link_newest(history, entry);
    history->cnt++;
    return entry;
}

bool process_history_note(struct process_history *history, uint32_t pid, uint64_t address_space,
                          uint64_t sampled_ns, uint64_t now_ns)
{
    struct entry *entry = address_space == 0 ? NULL : find(history, pid, address_space);
    if (entry != NULL) {
        entry->process.sampled_ns = sampled_ns;
        return false;
    }
    entry = address_space == 0 ? NULL : add(history, pid, address_space, now_ns);
    if (entry == NULL) {
        return false;
    }
    entry->process.sampled_ns = sampled_ns;
    read_maps(history, entry, now_ns);
    return true;
}

struct process *process_history_find(struct process_history *history, uint32_t pid,
                                     uint64_t address_space)
{
    struct entry *entry = find(history, pid, address_space);
    return entry == NULL ? NULL : &entry->process;
}

bool process_history_is_young(const struct process *process, uint64_t now_ns)
{
    return now_ns - process->noted_ns < YOUNG_NS;
}

void process_history_refresh(struct process_history *history, struct process *process,
                             uint64_t now_ns)
{
    if (now_ns - process->read_ns >= process->pause_ns) {
        read_maps(history, (struct entry *)process, now_ns); // its first member
    }
}

uint32_t process_history_count(const struct process_history *history)
{
    return history->cnt;
}

size_t process_history_memory_bytes(const struct process_history *history)
{
    return sizeof *history + history->cnt * sizeof(struct entry) + history->bytes;
}

uint64_t process_history_unread(const struct process_history *history)
{
    return history->unread;
}
