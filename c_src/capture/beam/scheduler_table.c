// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/scheduler_table.h"

enum {
    CACHE_LINE_BYTES = 64, // entries are aligned to it (ErtsAlignedSchedulerData)
    MIN_ENTRY_BYTES = 4096,
    MAX_ENTRY_BYTES = 256 * 1024,
    MAX_SCHEDULERS = 1024,
};

static bool read_word(struct memory_reader *reader, uint64_t address, uint64_t *word)
{
    return memory_reader_words(reader, address, word, 1);
}

// ErtsSchedType: a normal one has `no`, a dirty one `dirty_no`, the other is 0.
static bool is_entry(struct memory_reader *reader, uint64_t address, enum scheduler_kind kind,
                     uint32_t number)
{
    uint64_t type = 0;
    uint64_t no = 0;
    uint64_t dirty_no = 0;
    uint64_t registers = 0;
    if (address % 8 != 0 || !read_word(reader, address + SCHEDULER_TYPE, &type) ||
        (uint32_t)type != (uint32_t)kind || !read_word(reader, address + SCHEDULER_NO, &no) ||
        !read_word(reader, address + SCHEDULER_DIRTY_NO, &dirty_no) ||
        !read_word(reader, address + SCHEDULER_REGISTERS, &registers)) {
        return false;
    }
    bool is_normal = kind == SCHEDULER_NORMAL;
    return no == (is_normal ? number : 0) && dirty_no == (is_normal ? 0 : number) &&
           registers > 0xFFFF && registers < (1ULL << 47) && registers % 8 == 0;
}

static bool is_array(struct memory_reader *reader, uint64_t first, uint32_t entry_bytes,
                     enum scheduler_kind kind, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (!is_entry(reader, first + (uint64_t)i * entry_bytes, kind, i + 1)) {
            return false;
        }
    }
    return true;
}

struct search {
    struct memory_reader *reader;
    enum scheduler_kind kind;
    uint32_t cnt;
    uint32_t entry_bytes; // 0 = not known yet: found with the array
    uint64_t first;
};

// The distance at which number 2 follows number 1.
static uint32_t find_entry_bytes(const struct search *search, uint64_t first)
{
    for (uint32_t bytes = MIN_ENTRY_BYTES; bytes <= MAX_ENTRY_BYTES; bytes += CACHE_LINE_BYTES) {
        if (is_entry(search->reader, first + bytes, search->kind, 2) &&
            is_array(search->reader, first, bytes, search->kind, search->cnt)) {
            return bytes;
        }
    }
    return 0;
}

static bool accept(void *context, uint64_t address, uint64_t word)
{
    struct search *search = context;
    (void)address;
    if (word <= 0xFFFF || word >= (1ULL << 47) ||
        !is_entry(search->reader, word, search->kind, 1)) {
        return false;
    }
    uint32_t bytes = search->entry_bytes;
    if (bytes == 0 && search->cnt > 1) {
        bytes = find_entry_bytes(search, word);
    }
    if (search->cnt > 1 &&
        (bytes == 0 || !is_array(search->reader, word, bytes, search->kind, search->cnt))) {
        return false;
    }
    search->entry_bytes = bytes;
    search->first = word;
    return true;
}

static bool find_array(struct scheduler_table *table, const struct vm_memory *memory,
                       struct memory_reader *reader, enum scheduler_kind kind, uint32_t cnt,
                       struct error *err)
{
    struct search search = {reader, kind, cnt, table->entry_bytes, 0};
    if (cnt == 0) {
        return true;
    }
    if (cnt > MAX_SCHEDULERS || vm_memory_find(memory, reader, accept, &search) == 0) {
        return error_set(err, ERROR_LAYOUT, "scheduler data: %u %s schedulers were not found", cnt,
                         scheduler_kind_name(kind));
    }
    table->arrays[kind] = (struct scheduler_array){search.first, cnt};
    table->entry_bytes = search.entry_bytes;
    return true;
}

static uint32_t running(const struct scheduler_table *table, struct memory_reader *reader,
                        uint64_t process)
{
    uint32_t cnt = 0;
    for (int kind = 0; kind < SCHEDULER_KIND_CNT; kind++) {
        for (uint32_t no = 1; no <= table->arrays[kind].cnt; no++) {
            uint64_t entry = scheduler_table_entry(table, (enum scheduler_kind)kind, no);
            uint64_t current = 0;
            cnt += read_word(reader, entry + SCHEDULER_CURRENT_PROCESS, &current) &&
                   current == process;
        }
    }
    return cnt;
}

bool scheduler_table_find(struct scheduler_table *table, const struct vm_memory *memory,
                          struct memory_reader *reader, const uint32_t wanted[SCHEDULER_KIND_CNT],
                          uint64_t process, struct error *err)
{
    // From the kind with most of them on: two are needed to learn the distance.
    static const enum scheduler_kind ORDER[] = {SCHEDULER_DIRTY_IO, SCHEDULER_NORMAL,
                                                SCHEDULER_DIRTY_CPU};
    struct scheduler_table found = {0};
    for (int i = 0; i < SCHEDULER_KIND_CNT; i++) {
        if (!find_array(&found, memory, reader, ORDER[i], wanted[ORDER[i]], err)) {
            return false;
        }
    }
    uint32_t cnt = running(&found, reader, process);
    if (cnt != 1) {
        return error_set(err, ERROR_LAYOUT,
                         "scheduler data: this process is the current one of %u schedulers", cnt);
    }
    *table = found;
    return true;
}

uint64_t scheduler_table_entry(const struct scheduler_table *table, enum scheduler_kind kind,
                               uint32_t no)
{
    return table->arrays[kind].first + (uint64_t)(no - 1) * table->entry_bytes;
}

const char *scheduler_kind_name(enum scheduler_kind kind)
{
    static const char *const NAMES[] = {"normal", "dirty_cpu", "dirty_io"};
    return (unsigned)kind < SCHEDULER_KIND_CNT ? NAMES[kind] : "unknown";
}
