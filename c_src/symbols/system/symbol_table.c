// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/symbol_table.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_NAME_BYTES = 1 << 27, // what name_at can address
    DIGIT_BITS = 11,
    DIGITS = 1 << DIGIT_BITS,
    AHEAD = 8, // names asked of memory before they are packed
    // How many symbols that begin later, and end before the address, are looked
    // past for one that encloses it.
    MAX_ENCLOSED = 16,
};

void symbol_table_init(struct symbol_table *table, size_t max_bytes)
{
    *table = (struct symbol_table){.max_bytes = max_bytes};
}

void symbol_table_deinit(struct symbol_table *table)
{
    free(table->symbols);
    free(table->names);
    name_pack_deinit(&table->packed);
    *table = (struct symbol_table){
        .max_bytes = table->max_bytes,
        .latest_wins = table->latest_wins,
        .packed = {.unpacker = table->packed.unpacker},
    };
}

size_t symbol_table_memory_bytes(const struct symbol_table *table)
{
    return table->capacity * sizeof *table->symbols + table->name_capacity +
           name_pack_memory_bytes(&table->packed);
}

static bool resize_symbols(struct symbol_table *table, uint32_t capacity)
{
    struct symbol *symbols = realloc(table->symbols, capacity * sizeof *symbols);
    if (symbols != NULL) {
        table->symbols = symbols;
        table->capacity = capacity;
    }
    return symbols != NULL;
}

static bool resize_names(struct symbol_table *table, uint32_t capacity)
{
    char *names = realloc(table->names, capacity);
    if (names != NULL) {
        table->names = names;
        table->name_capacity = capacity;
    }
    return names != NULL;
}

void symbol_table_reserve(struct symbol_table *table, uint64_t cnt)
{
    uint64_t max = table->max_bytes / sizeof *table->symbols;
    cnt = table->cnt + (cnt < max ? cnt : max);
    if (cnt > table->capacity && cnt <= max) {
        (void)resize_symbols(table, (uint32_t)cnt);
    }
}

void symbol_table_lend(struct symbol_table *table, struct text names)
{
    bool fits = table->packed.unpacker != NULL &&
                name_pack_end(&table->packed) + (uint64_t)names.len < MAX_NAME_BYTES;
    table->lent = fits ? names : TEXT("");
}

// A part of a name has no NUL of its own.
static bool is_lent(const struct symbol_table *table, struct text name)
{
    uintptr_t at = (uintptr_t)name.bytes - (uintptr_t)table->lent.bytes;
    return at < table->lent.len && name.bytes[name.len] == '\0';
}

// What is in front of the names that the table has of its own.
static uint32_t names_begin(const struct symbol_table *table)
{
    return name_pack_end(&table->packed) + table->lent.len;
}

// Doubling, but never past the limit as a whole.
static bool make_room(struct symbol_table *table, uint32_t name_bytes)
{
    size_t used = table->cnt * sizeof *table->symbols + table->name_bytes +
                  name_pack_memory_bytes(&table->packed);
    size_t wanted = sizeof *table->symbols + name_bytes;
    if (used + wanted > table->max_bytes ||
        names_begin(table) + table->name_bytes + name_bytes > MAX_NAME_BYTES) {
        return false;
    }
    uint32_t symbols =
        table->cnt < table->capacity ? table->capacity : (table->cnt < 64 ? 64 : table->cnt * 2);
    uint32_t names = table->name_capacity;
    if (table->name_bytes + name_bytes > names) {
        names = (table->name_bytes < 4096 ? 4096 : table->name_bytes * 2) + name_bytes;
    }
    return (symbols == table->capacity || resize_symbols(table, symbols)) &&
           (names == table->name_capacity || resize_names(table, names));
}

bool symbol_table_add(struct symbol_table *table, uint64_t address, uint64_t size_bytes,
                      enum symbol_extent extent, unsigned rank, struct text name)
{
    bool lent = is_lent(table, name);
    if (name.len == 0 || name.len >= MAX_NAME_BYTES || !make_room(table, lent ? 0 : name.len + 1)) {
        table->refused++;
        return false;
    }
    uint32_t end = name_pack_end(&table->packed);
    table->symbols[table->cnt++] = (struct symbol){
        .address = address,
        .size_bytes = size_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)size_bytes,
        .name_at = lent ? end + (uint32_t)(name.bytes - table->lent.bytes)
                        : names_begin(table) + table->name_bytes,
        .rank = rank < SYMBOL_MAX_RANK ? rank : SYMBOL_MAX_RANK,
        .is_open = extent == SYMBOL_UP_TO_THE_NEXT,
    };
    if (!lent) {
        memcpy(table->names + table->name_bytes, name.bytes, name.len);
        table->names[table->name_bytes + name.len] = '\0';
        table->name_bytes += name.len + 1;
    }
    return true;
}

// --- finishing ----------------------------------------------------------------

static uint32_t digit_of(const struct symbol *symbol, unsigned shift)
{
    return (uint32_t)(symbol->address >> shift) & (DIGITS - 1);
}

// Equal ones stay in their order.
static void sort_by_digit(const struct symbol *from, struct symbol *to, uint32_t cnt,
                          unsigned shift)
{
    uint32_t places[DIGITS] = {0};
    uint32_t place = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        places[digit_of(&from[i], shift)]++;
    }
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t with_it = places[digit];
        places[digit] = place;
        place += with_it;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        to[places[digit_of(&from[i], shift)]++] = from[i];
    }
}

static int compare(const void *left, const void *right)
{
    const struct symbol *a = left;
    const struct symbol *b = right;
    if (a->address != b->address) {
        return a->address < b->address ? -1 : 1;
    }
    return a->name_at < b->name_at ? -1 : 1;
}

// By address, then as they were added, as their names were.
static void sort(struct symbol_table *table)
{
    struct symbol *spare = malloc(table->cnt * sizeof *spare);
    if (spare == NULL) {
        qsort(table->symbols, table->cnt, sizeof *table->symbols, compare);
        return;
    }
    const struct symbol *own = table->symbols;
    uint64_t differs = 0;
    for (uint32_t i = 1; i < table->cnt; i++) {
        differs |= table->symbols[i].address ^ table->symbols[0].address;
    }
    for (unsigned shift = 0; shift < 64 && differs >> shift != 0; shift += DIGIT_BITS) {
        if ((differs >> shift & (DIGITS - 1)) != 0) {
            struct symbol *from = table->symbols;
            sort_by_digit(from, spare, table->cnt, shift);
            table->symbols = spare;
            spare = from;
        }
    }
    table->capacity = table->symbols == own ? table->capacity : table->cnt;
    free(spare);
}

static void drop_second_names(struct symbol_table *table)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->cnt; i++) {
        const struct symbol *symbol = &table->symbols[i];
        struct symbol *last = kept == 0 ? NULL : &table->symbols[kept - 1];
        if (last == NULL || last->address != symbol->address) {
            table->symbols[kept++] = *symbol;
        } else if (symbol->rank > last->rank ||
                   (table->latest_wins && symbol->rank == last->rank)) {
            *last = *symbol;
        }
    }
    table->cnt = kept;
}

static void close_open_ends(struct symbol_table *table)
{
    for (uint32_t i = 0; i < table->cnt; i++) {
        struct symbol *symbol = &table->symbols[i];
        if (symbol->is_open && i + 1 < table->cnt) {
            uint64_t distance = table->symbols[i + 1].address - symbol->address;
            symbol->size_bytes =
                distance < symbol->size_bytes ? (uint32_t)distance : symbol->size_bytes;
        }
    }
}

// `end` is that of the pack, `begin` that of the table's own names.
static const char *unpacked(const struct symbol_table *table, uint32_t end, uint32_t begin,
                            uint32_t at)
{
    return at < begin ? table->lent.bytes + (at - end) : table->names + (at - begin);
}

// Those that were not yet; the symbol goes where there is no memory for its name. Neighbours
// in the file have much in common: in the order they came in, they take twice the room.
static void pack_names(struct symbol_table *table)
{
    uint32_t end = name_pack_end(&table->packed);
    uint32_t begin = names_begin(table);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->cnt; i++) {
        struct symbol symbol = table->symbols[i];
        uint32_t at = symbol.name_at;
        uint32_t ahead = i + AHEAD < table->cnt ? table->symbols[i + AHEAD].name_at : 0;
        if (ahead >= end) {
            __builtin_prefetch(unpacked(table, end, begin, ahead));
        }
        if (at >= end &&
            !name_pack_add(&table->packed, text_of(unpacked(table, end, begin, at)), &at)) {
            table->refused++;
            continue;
        }
        symbol.name_at = at;
        table->symbols[kept++] = symbol;
    }
    table->cnt = kept;
    name_pack_finish(&table->packed);
    free(table->names);
    table->names = NULL;
    table->name_bytes = 0;
    table->name_capacity = 0;
    table->lent = TEXT("");
}

void symbol_table_finish(struct symbol_table *table)
{
    if (table->cnt == 0) {
        table->lent = TEXT("");
        return;
    }
    sort(table);
    drop_second_names(table);
    close_open_ends(table);
    if (table->packed.unpacker != NULL) {
        pack_names(table);
    }
    if (table->cnt > 0 && table->capacity > table->cnt) {
        (void)resize_symbols(table, table->cnt);
    }
    if (table->name_capacity > table->name_bytes) {
        (void)resize_names(table, table->name_bytes);
    }
}

// How many symbols begin at or before `address`.
static uint32_t count_up_to(const struct symbol_table *table, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = table->cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address)
{
    uint32_t at = count_up_to(table, address);
    for (uint32_t i = 0; i < MAX_ENCLOSED && i < at; i++) {
        const struct symbol *symbol = &table->symbols[at - 1 - i];
        if (address - symbol->address < symbol->size_bytes) {
            return symbol;
        }
    }
    return NULL;
}

struct text symbol_table_name(const struct symbol_table *table, const struct symbol *symbol)
{
    uint32_t end = name_pack_end(&table->packed);
    return symbol->name_at < end ? name_pack_name(&table->packed, symbol->name_at)
                                 : text_of(table->names + (symbol->name_at - end));
}
