// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/bif_table.h"

#include "capture/beam/term.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRY_BYTES = 256, MIN_ENTRIES = 100 };

const struct bif_layout BIF_LAYOUT = {{
#define BIF_FIELD_OFFSET(id, name, at) [id] = (at),
    BIF_FIELDS(BIF_FIELD_OFFSET)
#undef BIF_FIELD_OFFSET
}};

const char *bif_field_name(enum bif_field field)
{
    static const char *const NAMES[] = {
#define BIF_FIELD_NAME_OF(id, name, at) [id] = (name),
        BIF_FIELDS(BIF_FIELD_NAME_OF)
#undef BIF_FIELD_NAME_OF
    };
    return (unsigned)field < BIF_FIELD_CNT ? NAMES[field] : "unknown";
}

struct entry {
    struct bif name; // its address is that of `f`
    uint64_t impl;
};

static bool read_field(const struct bif_search *search, uint64_t entry, enum bif_field field,
                       uint64_t *word)
{
    return memory_reader_words(search->reader, entry + search->layout->offset[field], word, 1);
}

static bool read_entry(const struct bif_search *search, uint64_t at, struct entry *entry)
{
    uint64_t arity = 0; // an int, and padding
    bool ok = read_field(search, at, BIF_FIELD_MODULE, &entry->name.module) &&
              read_field(search, at, BIF_FIELD_NAME, &entry->name.function) &&
              read_field(search, at, BIF_FIELD_ARITY, &arity) &&
              read_field(search, at, BIF_FIELD_F, &entry->name.address) &&
              read_field(search, at, BIF_FIELD_IMPL, &entry->impl);
    entry->name.arity = (uint32_t)arity;
    return ok;
}

static bool is_wanted(const struct bif_search *search, uint32_t i, const struct entry *entry)
{
    const struct bif *wanted = &search->wanted[i];
    return entry->name.module == wanted->module && entry->name.function == wanted->function &&
           entry->name.arity == wanted->arity;
}

static uint64_t address_of(const struct bif_search *search, uint64_t first, uint32_t i)
{
    return first + (uint64_t)i * search->layout->offset[BIF_FIELD_ENTRY_BYTES];
}

// The first two are: the table begins here.
static bool accept(void *context, uint64_t address, uint64_t word)
{
    const struct bif_search *search = context;
    struct entry entry;
    if (word != search->wanted[0].module) {
        return false;
    }
    uint64_t first = address - search->layout->offset[BIF_FIELD_MODULE];
    for (uint32_t i = 0; i < 2; i++) {
        if (!read_entry(search, address_of(search, first, i), &entry) ||
            !is_wanted(search, i, &entry)) {
            return false;
        }
    }
    return true;
}

static bool is_function(const struct bif_search *search, uint64_t address)
{
    return address > 0xFFFF && address < (1ULL << 47) &&
           search->is_function(search->is_function_context, address);
}

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct bif *)a)->address;
    uint64_t right = ((const struct bif *)b)->address;
    return left < right ? -1 : left > right;
}

static void add(struct bif_table *table, const struct bif *name, uint64_t address)
{
    table->bifs[table->cnt] = *name;
    table->bifs[table->cnt++].address = address;
}

static bool add_entry(struct bif_table *table, const struct bif_search *search, uint64_t first,
                      uint32_t i, struct error *err)
{
    struct entry entry;
    if (!read_entry(search, address_of(search, first, i), &entry) ||
        !is_wanted(search, i, &entry)) {
        return error_set(err, ERROR_LAYOUT, "BIF table: entry %u is not the BIF that the VM says",
                         i);
    }
    if (!is_function(search, entry.name.address) || !is_function(search, entry.impl)) {
        return error_set(err, ERROR_LAYOUT, "BIF table: entry %u points to no function", i);
    }
    add(table, &entry.name, entry.name.address);
    if (entry.impl != entry.name.address) {
        add(table, &entry.name, entry.impl);
    }
    return true;
}

static bool add_entries(struct bif_table *table, const struct bif_search *search, uint64_t at,
                        struct error *err)
{
    uint64_t first = at - search->layout->offset[BIF_FIELD_MODULE];
    for (uint32_t i = 0; i < search->wanted_cnt; i++) {
        if (!add_entry(table, search, first, i, err)) {
            return false;
        }
    }
    return true;
}

// Each field has a place of its own within the entry.
static bool layout_is_possible(const struct bif_layout *layout)
{
    const uint32_t *offset = layout->offset;
    uint32_t entry_bytes = offset[BIF_FIELD_ENTRY_BYTES];
    bool ok = entry_bytes <= MAX_ENTRY_BYTES;
    for (int i = 0; i < BIF_FIELD_ENTRY_BYTES; i++) {
        ok = ok && offset[i] + 8 <= entry_bytes;
        for (int k = 0; k < i; k++) {
            ok = ok && offset[i] != offset[k];
        }
    }
    return ok;
}

static bool search_is_possible(const struct bif_search *search, struct error *err)
{
    if (search->wanted_cnt < MIN_ENTRIES || search->wanted_cnt > BIF_TABLE_MAX) {
        return error_set(err, ERROR_LAYOUT, "BIF table: the VM tells %u BIFs", search->wanted_cnt);
    }
    return layout_is_possible(search->layout) ||
           error_set(err, ERROR_LAYOUT, "BIF table: fields overlap");
}

bool bif_table_read(struct bif_table *table, const struct bif_search *search, struct error *err)
{
    *table = (struct bif_table){0};
    if (!search_is_possible(search, err)) {
        return false;
    }
    struct bif_search searched = *search;
    uint64_t at = vm_memory_find(search->memory, search->reader, accept, &searched);
    if (at == 0) {
        return error_set(err, ERROR_LAYOUT, "BIF table: not found");
    }
    table->bifs = calloc(2UL * search->wanted_cnt, sizeof *table->bifs);
    if (table->bifs == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "BIF table: out of memory");
    }
    if (!add_entries(table, search, at, err)) {
        bif_table_deinit(table);
        return false;
    }
    qsort(table->bifs, table->cnt, sizeof *table->bifs, by_address);
    return true;
}

void bif_table_deinit(struct bif_table *table)
{
    free(table->bifs);
    *table = (struct bif_table){0};
}

const struct bif *bif_table_find(const struct bif_table *table, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = table->cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->bifs[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < table->cnt && table->bifs[low].address == address ? &table->bifs[low] : NULL;
}
