// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/scheduler_table.h"

#include "base/clock.h"

enum {
    CACHE_LINE_BYTES = 64, // entries are aligned to it (ErtsAlignedSchedulerData)
    MIN_ENTRY_BYTES = 4096,
    MAX_ENTRY_BYTES = 256 * 1024,
    MAX_SCHEDULERS = 1024,
    MAX_WAITING_LOOKS = 100,
    LOOK_INTERVAL_NS = 5 * CLOCK_NS_PER_MS,
};

const struct scheduler_layout SCHEDULER_LAYOUT = {{
#define SCHEDULER_FIELD_OFFSET(id, name, at) [id] = (at),
    SCHEDULER_FIELDS(SCHEDULER_FIELD_OFFSET)
#undef SCHEDULER_FIELD_OFFSET
}};

const char *scheduler_field_name(enum scheduler_field field)
{
    static const char *const NAMES[] = {
#define SCHEDULER_FIELD_NAME(id, name, at) [id] = (name),
        SCHEDULER_FIELDS(SCHEDULER_FIELD_NAME)
#undef SCHEDULER_FIELD_NAME
    };
    return (unsigned)field < SCHEDULER_FIELD_CNT ? NAMES[field] : "unknown";
}

static bool read_word(struct memory_reader *reader, uint64_t address, uint64_t *word)
{
    return memory_reader_words(reader, address, word, 1);
}

static bool read_field(const struct scheduler_search *search, uint64_t entry,
                       enum scheduler_field field, uint64_t *word)
{
    return read_word(search->reader, entry + search->layout->offset[field], word);
}

static bool is_pointer(uint64_t word)
{
    return word > 0xFFFF && word < (1ULL << 47) && word % 8 == 0;
}

// ---- the arrays ---------------------------------------------------------------------

// ErtsSchedType: a normal one has `no`, a dirty one `dirty_no`, the other is 0.
static bool is_entry(const struct scheduler_search *search, uint64_t address,
                     enum scheduler_kind kind, uint32_t number)
{
    uint64_t type = 0;
    uint64_t no = 0;
    uint64_t dirty_no = 0;
    uint64_t registers = 0;
    if (address % 8 != 0 || !read_field(search, address, SCHEDULER_FIELD_TYPE, &type) ||
        (uint32_t)type != (uint32_t)kind || !read_field(search, address, SCHEDULER_FIELD_NO, &no) ||
        !read_field(search, address, SCHEDULER_FIELD_DIRTY_NO, &dirty_no) ||
        !read_field(search, address, SCHEDULER_FIELD_REGISTERS, &registers)) {
        return false;
    }
    bool is_normal = kind == SCHEDULER_NORMAL;
    return no == (is_normal ? number : 0) && dirty_no == (is_normal ? 0 : number) &&
           is_pointer(registers);
}

static bool is_array(const struct scheduler_search *search, uint64_t first, uint32_t entry_bytes,
                     enum scheduler_kind kind)
{
    for (uint32_t i = 0; i < search->wanted[kind]; i++) {
        if (!is_entry(search, first + (uint64_t)i * entry_bytes, kind, i + 1)) {
            return false;
        }
    }
    return true;
}

struct array_search {
    const struct scheduler_search *search;
    enum scheduler_kind kind;
    uint32_t entry_bytes; // 0 = not known yet: found with the array
    uint64_t first;
};

// The distance at which number 2 follows number 1.
static uint32_t find_entry_bytes(const struct array_search *array, uint64_t first)
{
    for (uint32_t bytes = MIN_ENTRY_BYTES; bytes <= MAX_ENTRY_BYTES; bytes += CACHE_LINE_BYTES) {
        if (is_entry(array->search, first + bytes, array->kind, 2) &&
            is_array(array->search, first, bytes, array->kind)) {
            return bytes;
        }
    }
    return 0;
}

static bool accept(void *context, uint64_t address, uint64_t word)
{
    struct array_search *array = context;
    uint32_t cnt = array->search->wanted[array->kind];
    (void)address;
    if (word <= 0xFFFF || word >= (1ULL << 47) || !is_entry(array->search, word, array->kind, 1)) {
        return false;
    }
    uint32_t bytes = array->entry_bytes;
    if (bytes == 0 && cnt > 1) {
        bytes = find_entry_bytes(array, word);
    }
    if (cnt > 1 && (bytes == 0 || !is_array(array->search, word, bytes, array->kind))) {
        return false;
    }
    array->entry_bytes = bytes;
    array->first = word;
    return true;
}

static bool find_array(struct scheduler_table *table, const struct scheduler_search *search,
                       enum scheduler_kind kind, struct error *err)
{
    struct array_search array = {search, kind, table->entry_bytes, 0};
    uint32_t cnt = search->wanted[kind];
    if (cnt == 0) {
        return true;
    }
    if (cnt > MAX_SCHEDULERS ||
        vm_memory_find(search->memory, search->reader, accept, &array) == 0) {
        return error_set(err, ERROR_LAYOUT, "scheduler data: %u %s schedulers were not found", cnt,
                         scheduler_kind_name(kind));
    }
    table->arrays[kind] = (struct scheduler_array){array.first, cnt};
    table->entry_bytes = array.entry_bytes;
    return true;
}

// ---- the other offsets -----------------------------------------------------------------

// Calls `part` for each scheduler until one is false.
static bool each(const struct scheduler_table *table, const struct scheduler_search *search,
                 bool (*part)(const struct scheduler_search *search, enum scheduler_kind kind,
                              uint64_t entry, void *context),
                 void *context)
{
    for (int kind = 0; kind < SCHEDULER_KIND_CNT; kind++) {
        for (uint32_t no = 1; no <= table->arrays[kind].cnt; no++) {
            uint64_t entry = scheduler_table_entry(table, (enum scheduler_kind)kind, no);
            if (!part(search, (enum scheduler_kind)kind, entry, context)) {
                return false;
            }
        }
    }
    return true;
}

struct caller {
    uint32_t cnt;
    uint64_t entry;
};

static bool count_caller(const struct scheduler_search *search, enum scheduler_kind kind,
                         uint64_t entry, void *context)
{
    struct caller *caller = context;
    uint64_t current = 0;
    (void)kind;
    if (read_field(search, entry, SCHEDULER_FIELD_CURRENT_PROCESS, &current) &&
        current == search->process) {
        caller->cnt++;
        caller->entry = entry;
    }
    return true;
}

static bool registers_are_right(const struct scheduler_search *search, enum scheduler_kind kind,
                                uint64_t entry, void *context)
{
    uint64_t registers = 0;
    uint64_t below = 0;
    (void)context;
    // A dirty scheduler runs no JIT code.
    return kind != SCHEDULER_NORMAL ||
           (read_field(search, entry, SCHEDULER_FIELD_REGISTERS, &registers) &&
            read_word(search->reader, registers - 8, &below) &&
            search->is_code(search->is_code_context, below));
}

// That of each normal scheduler is its own; all dirty ones of a kind have one.
static bool run_queues_are_right(const struct scheduler_table *table,
                                 const struct scheduler_search *search)
{
    uint64_t last = 0;
    for (int kind = 0; kind < SCHEDULER_KIND_CNT; kind++) {
        for (uint32_t no = 1; no <= table->arrays[kind].cnt; no++) {
            uint64_t queue = 0;
            uint64_t entry = scheduler_table_entry(table, (enum scheduler_kind)kind, no);
            bool is_new = kind == SCHEDULER_NORMAL || no == 1;
            if (!read_field(search, entry, SCHEDULER_FIELD_RUN_QUEUE, &queue) ||
                !is_pointer(queue) || (queue != last) != is_new) {
                return false;
            }
            last = queue;
        }
    }
    return true;
}

// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_process.h#L685
static bool neighbours_are_right(const struct scheduler_layout *layout)
{
    static const enum scheduler_field PAIRS[][2] = {
        {SCHEDULER_FIELD_SLEEP_INFO, SCHEDULER_FIELD_CURRENT_PROCESS},
        {SCHEDULER_FIELD_CURRENT_PROCESS, SCHEDULER_FIELD_TYPE},
        {SCHEDULER_FIELD_TYPE, SCHEDULER_FIELD_NO},
        {SCHEDULER_FIELD_NO, SCHEDULER_FIELD_DIRTY_NO},
        {SCHEDULER_FIELD_CURRENT_PORT, SCHEDULER_FIELD_RUN_QUEUE},
    };
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        if (layout->offset[PAIRS[i][0]] + 8 != layout->offset[PAIRS[i][1]]) {
            return false;
        }
    }
    return true;
}

static bool sleep_flags_of(const struct scheduler_search *search, uint64_t entry, uint32_t *flags)
{
    uint64_t info = 0;
    uint64_t owner = 0;
    uint64_t word = 0;
    uint64_t owner_at = search->layout->offset[SCHEDULER_FIELD_SLEEP_SCHEDULER];
    uint64_t flags_at = search->layout->offset[SCHEDULER_FIELD_SLEEP_FLAGS];
    bool ok = read_field(search, entry, SCHEDULER_FIELD_SLEEP_INFO, &info) && is_pointer(info) &&
              read_word(search->reader, info + owner_at, &owner) && owner == entry &&
              read_word(search->reader, info + flags_at, &word);
    *flags = (uint32_t)word;
    return ok && (*flags & ~(uint32_t)SLEEP_FLAGS_KNOWN) == 0;
}

static bool count_waiting(const struct scheduler_search *search, enum scheduler_kind kind,
                          uint64_t entry, void *context)
{
    uint32_t flags;
    uint32_t *waiting_cnt = context;
    (void)kind;
    if (!sleep_flags_of(search, entry, &flags)) {
        return false;
    }
    *waiting_cnt += (flags & SLEEP_FLAG_WAITING) != 0;
    return true;
}

static bool caller_is_right(const struct scheduler_search *search, uint64_t entry)
{
    uint64_t port = 0;
    uint32_t flags;
    return read_field(search, entry, SCHEDULER_FIELD_CURRENT_PORT, &port) && port == 0 &&
           sleep_flags_of(search, entry, &flags) && (flags & SLEEP_FLAG_WAITING) == 0;
}

// Not all are busy for long; dirty schedulers least of all.
static bool wait_for_a_waiting_one(const struct scheduler_table *table,
                                   const struct scheduler_search *search)
{
    for (int i = 0; i < MAX_WAITING_LOOKS; i++) {
        uint32_t waiting_cnt = 0;
        if (!each(table, search, count_waiting, &waiting_cnt)) {
            return false;
        }
        if (waiting_cnt > 0) {
            return true;
        }
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_INTERVAL_NS);
    }
    return false;
}

static bool verify(const struct scheduler_table *table, const struct scheduler_search *search,
                   struct error *err)
{
    struct caller caller = {0, 0};
    (void)each(table, search, count_caller, &caller);
    if (caller.cnt != 1) {
        return error_set(err, ERROR_LAYOUT,
                         "scheduler data: this process is the current one of %u schedulers",
                         caller.cnt);
    }
    if (!caller_is_right(search, caller.entry)) {
        return error_set(err, ERROR_LAYOUT,
                         "scheduler data: the scheduler of this process has a port or waits");
    }
    if (!run_queues_are_right(table, search) || !neighbours_are_right(search->layout)) {
        return error_set(err, ERROR_LAYOUT,
                         "scheduler data: run queues, or fields that belong together, are not "
                         "where they should be");
    }
    if (!each(table, search, registers_are_right, NULL)) {
        return error_set(err, ERROR_LAYOUT,
                         "scheduler data: no return address below a scheduler's registers");
    }
    return wait_for_a_waiting_one(table, search) ||
           error_set(err, ERROR_LAYOUT,
                     "scheduler data: sleep data contradicts itself, or no scheduler ever waits");
}

bool scheduler_table_find(struct scheduler_table *table, const struct scheduler_search *search,
                          struct error *err)
{
    // From the kind with most of them on: two are needed to learn the distance.
    static const enum scheduler_kind ORDER[] = {SCHEDULER_DIRTY_IO, SCHEDULER_NORMAL,
                                                SCHEDULER_DIRTY_CPU};
    struct scheduler_table found = {0};
    for (int i = 0; i < SCHEDULER_KIND_CNT; i++) {
        if (!find_array(&found, search, ORDER[i], err)) {
            return false;
        }
    }
    if (!verify(&found, search, err)) {
        return false;
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
