// SPDX-License-Identifier: Apache-2.0
#include "capture/system/unwind_store.h"

#include "base/clock.h"
#include "capture/system/snapshot_walk.h"
#include "capture/system/unwind_files.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };
// A file that was in use so recently does not give way: better no table for one more
// than all of them made again and again.
#define IN_USE_NS (10ULL * CLOCK_NS_PER_S)

struct entry {
    uint32_t pid;
    struct unwind_process process;
    uint64_t used_ns;
    struct entry *next;          // of the bucket
    struct entry *older, *newer; // by use
};

struct unwind_store {
    struct unwind_memory memory;
    struct unwind_files files;
    struct slot_range mappings;
    struct entry *buckets[BUCKETS];
    struct entry *oldest, *newest;
    uint32_t process_cnt;
    uint64_t refused_cnt;
    uint64_t evicted_cnt;
    uint32_t versions;
};

struct unwind_store *unwind_store_create(const struct unwind_map_fds *fds, struct error *err)
{
    static const struct unwind_map_fds HEAP = {-1, -1, -1, -1, -1, NULL};
    struct unwind_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "unwind tables: out of memory");
        return NULL;
    }
    if (!unwind_memory_init(&store->memory, fds == NULL ? &HEAP : fds, err)) {
        unwind_store_destroy(store);
        return NULL;
    }
    if (!unwind_files_init(&store->files, &store->memory) ||
        !slot_range_init(&store->mappings, UNWIND_MAX_MAPPINGS)) {
        (void)error_set(err, ERROR_NO_MEMORY, "unwind tables: out of memory");
        unwind_store_destroy(store);
        return NULL;
    }
    return store;
}

// ---- processes ------------------------------------------------------------------------

static struct entry **bucket_of(struct unwind_store *store, uint32_t pid)
{
    return &store->buckets[pid % BUCKETS];
}

static struct entry *find(struct unwind_store *store, uint32_t pid)
{
    struct entry *entry = *bucket_of(store, pid);
    while (entry != NULL && entry->pid != pid) {
        entry = entry->next;
    }
    return entry;
}

static void unlink_by_use(struct unwind_store *store, struct entry *entry)
{
    *(entry->older == NULL ? &store->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &store->newest : &entry->newer->older) = entry->older;
}

static void link_as_newest(struct unwind_store *store, struct entry *entry)
{
    entry->older = store->newest;
    entry->newer = NULL;
    *(store->newest == NULL ? &store->oldest : &store->newest->newer) = entry;
    store->newest = entry;
}

static void give_mappings(struct unwind_store *store, const struct unwind_process *process)
{
    if (process->mapping_cnt > 0) {
        slot_range_give(&store->mappings, process->mapping_first, process->mapping_cnt);
    }
}

static void drop(struct unwind_store *store, struct entry *entry)
{
    struct entry **at = bucket_of(store, entry->pid);
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    unlink_by_use(store, entry);
    unwind_memory_withdraw(&store->memory, entry->pid);
    give_mappings(store, &entry->process);
    store->process_cnt--;
    free(entry);
}

void unwind_store_drop_process(struct unwind_store *store, uint32_t pid)
{
    struct entry *entry = find(store, pid);
    if (entry != NULL) {
        drop(store, entry);
    }
}

void unwind_store_destroy(struct unwind_store *store)
{
    if (store == NULL) {
        return;
    }
    while (store->oldest != NULL) {
        drop(store, store->oldest);
    }
    slot_range_deinit(&store->mappings);
    unwind_files_deinit(&store->files);
    unwind_memory_deinit(&store->memory);
    free(store);
}

bool unwind_store_use_process(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                              uint64_t now_ns)
{
    struct entry *entry = find(store, pid);
    if (entry == NULL || entry->process.address_space != address_space) {
        return false;
    }
    entry->used_ns = now_ns;
    if (entry != store->newest) {
        unlink_by_use(store, entry);
        link_as_newest(store, entry);
    }
    return true;
}

static struct entry *add_entry(struct unwind_store *store, uint32_t pid)
{
    if (store->process_cnt >= UNWIND_MAX_PROCESSES) {
        drop(store, store->oldest);
    }
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry != NULL) {
        entry->pid = pid;
        entry->next = *bucket_of(store, pid);
        *bucket_of(store, pid) = entry;
        link_as_newest(store, entry);
        store->process_cnt++;
    }
    return entry;
}

// Where text lies before its first page in the file, that part has no table.
static struct unwind_mapping mapping_of(struct unwind_store *store, const struct unwind_code *code,
                                        uint64_t now_ns)
{
    struct unwind_mapping mapping = {
        .start = code->start,
        .end = code->end,
        .kind = code->is_erlang   ? UNWIND_MAPPING_ERLANG
                : code->is_unread ? UNWIND_MAPPING_UNREAD
                                  : UNWIND_MAPPING_NONE,
    };
    struct unwind_file *file = unwind_files_find(&store->files, code->file);
    if (file == NULL || code->address + (code->end - code->start) <= file->base) {
        return mapping;
    }
    file->used_ns = now_ns;
    if (code->address < file->base) {
        mapping.start += file->base - code->address;
    }
    uint64_t offset = code->address < file->base ? 0 : code->address - file->base;
    if (offset <= UINT32_MAX) {
        mapping.offset = (uint32_t)offset;
        mapping.page_first = file->page_first;
        mapping.page_cnt = file->page_cnt;
        mapping.kind = UNWIND_MAPPING_TABLE;
    }
    return mapping;
}

static bool take_mappings(struct unwind_store *store, uint32_t cnt, const struct entry *but,
                          uint32_t *first)
{
    while (!slot_range_take(&store->mappings, cnt, first)) {
        if (store->oldest == NULL || store->oldest == but) {
            return false;
        }
        drop(store, store->oldest);
    }
    return true;
}

static bool fill_process(struct unwind_store *store, struct entry *entry,
                         const struct unwind_code *code, uint32_t cnt, uint64_t now_ns)
{
    struct unwind_process *process = &entry->process;
    if (cnt > 0 && !take_mappings(store, cnt, entry, &process->mapping_first)) {
        return false;
    }
    process->mapping_cnt = cnt;
    for (uint32_t i = 0; i < cnt; i++) {
        store->memory.mappings[process->mapping_first + i] = mapping_of(store, &code[i], now_ns);
        if (code[i].is_erlang) {
            process->code_start = process->code_start == 0 ? code[i].start : process->code_start;
            process->code_end = code[i].end;
        }
    }
    return true;
}

// Not 0.
static uint32_t next_version(struct unwind_store *store)
{
    store->versions += store->versions == UINT32_MAX ? 2 : 1;
    return store->versions;
}

bool unwind_store_set_process(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                              const struct unwind_code *code, uint32_t code_cnt,
                              const struct unwind_beam_layout *beam, uint64_t now_ns)
{
    uint32_t cnt = code_cnt < UNWIND_MAX_PROCESS_MAPPINGS ? code_cnt : UNWIND_MAX_PROCESS_MAPPINGS;
    struct entry *entry = find(store, pid);
    entry = entry == NULL ? add_entry(store, pid) : entry;
    if (entry == NULL) {
        store->refused_cnt++;
        return false;
    }
    struct unwind_process before = entry->process;
    entry->used_ns = now_ns;
    entry->process = (struct unwind_process){
        .address_space = address_space,
        .version = next_version(store),
        .beam = {.stop = beam->stop, .heap = beam->heap, .htop = beam->htop},
    };
    bool ok = fill_process(store, entry, code, cnt, now_ns) &&
              unwind_memory_publish(&store->memory, pid, &entry->process);
    give_mappings(store, &before);
    if (!ok) {
        store->refused_cnt++;
        drop(store, entry);
    }
    return ok;
}

static uint32_t find_unread(const struct unwind_store *store, const struct unwind_process *process,
                            uint64_t start)
{
    const struct unwind_mapping *mappings = store->memory.mappings + process->mapping_first;
    uint32_t at = 0;
    while (at < process->mapping_cnt &&
           (mappings[at].start != start || mappings[at].kind != UNWIND_MAPPING_UNREAD)) {
        at++;
    }
    return at;
}

// In a place of its own: a walk may be in the midst of the mappings before.
bool unwind_store_set_code(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                           const struct unwind_code *code, uint64_t now_ns)
{
    struct entry *entry = find(store, pid);
    bool is_known = entry != NULL && entry->process.address_space == address_space;
    struct unwind_process before = is_known ? entry->process : (struct unwind_process){0};
    uint32_t at = find_unread(store, &before, code->start);
    uint32_t first = 0;
    if (at == before.mapping_cnt || !take_mappings(store, before.mapping_cnt, entry, &first)) {
        return false;
    }
    struct unwind_mapping *mappings = store->memory.mappings;
    memcpy(mappings + first, mappings + before.mapping_first,
           before.mapping_cnt * sizeof *mappings);
    mappings[first + at] = mapping_of(store, code, now_ns);
    entry->process.mapping_first = first;
    entry->process.version = next_version(store);
    bool ok = unwind_memory_publish(&store->memory, pid, &entry->process);
    give_mappings(store, &before);
    if (!ok) {
        drop(store, entry);
    }
    return ok;
}

// ---- files ----------------------------------------------------------------------------

static bool maps_file(const struct unwind_store *store, const struct entry *entry,
                      const struct unwind_file *file)
{
    const struct unwind_mapping *mappings = store->memory.mappings + entry->process.mapping_first;
    for (uint32_t i = 0; i < entry->process.mapping_cnt; i++) {
        if (mappings[i].kind == UNWIND_MAPPING_TABLE &&
            mappings[i].page_first == file->page_first) {
            return true;
        }
    }
    return false;
}

static void drop_file(struct unwind_store *store, struct unwind_file *file)
{
    for (struct entry *entry = store->oldest; entry != NULL;) {
        struct entry *next = entry->newer;
        if (maps_file(store, entry, file)) {
            drop(store, entry); // known again with its next sample
        }
        entry = next;
    }
    unwind_files_drop(&store->files, file);
    store->evicted_cnt++;
}

static void note_uses(struct unwind_store *store, struct unwind_file *file)
{
    for (struct entry *entry = store->oldest; entry != NULL; entry = entry->newer) {
        if (entry->used_ns > file->used_ns && maps_file(store, entry, file)) {
            file->used_ns = entry->used_ns;
        }
    }
}

// The file not used for longest; NULL when all are in use.
static struct unwind_file *find_victim(struct unwind_store *store, uint64_t now_ns)
{
    struct unwind_file *found = NULL;
    for (uint32_t i = 0; i < UNWIND_MAX_FILES; i++) {
        struct unwind_file *file = &store->files.files[i];
        if (file->id != 0) {
            note_uses(store, file);
            found = found == NULL || file->used_ns < found->used_ns ? file : found;
        }
    }
    return found != NULL && now_ns - found->used_ns > IN_USE_NS ? found : NULL;
}

unwind_file_id unwind_store_add_file(struct unwind_store *store,
                                     const struct call_frame_table *table, uint64_t now_ns)
{
    struct unwind_file *file = unwind_files_add(&store->files, table);
    for (struct unwind_file *victim = NULL;
         file == NULL && (victim = find_victim(store, now_ns)) != NULL;) {
        drop_file(store, victim);
        file = unwind_files_add(&store->files, table);
    }
    if (file == NULL) {
        store->refused_cnt++;
        return 0;
    }
    file->used_ns = now_ns;
    return file->id;
}

bool unwind_store_has_file(const struct unwind_store *store, unwind_file_id id)
{
    return unwind_files_find(&store->files, id) != NULL;
}

// ---- the rest -------------------------------------------------------------------------

uint64_t unwind_store_walk(struct unwind_store *store, struct system_sample *sample,
                           uint64_t *frames)
{
    const struct entry *entry = find(store, sample->pid);
    bool is_known = entry != NULL && entry->process.address_space == sample->address_space;
    return snapshot_walk(&store->memory, is_known ? &entry->process : NULL, sample, frames);
}

struct unwind_store_stats unwind_store_stats(const struct unwind_store *store)
{
    return (struct unwind_store_stats){
        .file_cnt = store->files.file_cnt,
        .process_cnt = store->process_cnt,
        .rule_cnt = store->files.rule_cnt,
        .row_cnt = store->files.row_cnt,
        .malformed_cnt = store->files.malformed_cnt,
        .refused_cnt = store->refused_cnt,
        .evicted_cnt = store->evicted_cnt,
        .memory_bytes = (size_t)store->memory.shard_cnt * UNWIND_SHARD_ROWS * 4 +
                        store->process_cnt * sizeof(struct entry),
    };
}
