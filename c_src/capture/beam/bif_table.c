// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/bif_table.h"

#include "capture/beam/term.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ARITY = 16, MIN_ENTRIES = 100 };

struct raw_bif {
    uint64_t module;
    uint64_t name;
    uint64_t arity; // an int, and padding
    uint64_t f;
    uint64_t impl;
    uint64_t kind;
};

enum { RAW_WORDS = sizeof(struct raw_bif) / 8 };

static bool read_entry(struct memory_reader *reader, uint64_t address, struct raw_bif *raw)
{
    bool ok = memory_reader_words(reader, address, raw, RAW_WORDS);
    raw->arity &= UINT32_MAX;
    return ok && term_is_atom(raw->module) && term_is_atom(raw->name) && raw->arity <= MAX_ARITY &&
           raw->f > 0xFFFF && raw->f < (1ULL << 47);
}

struct search {
    struct memory_reader *reader;
    uint64_t module;
    uint64_t name;
};

static bool accept(void *context, uint64_t address, uint64_t word)
{
    struct search *search = context;
    struct raw_bif raw;
    struct raw_bif next;
    return word == search->module && read_entry(search->reader, address, &raw) &&
           raw.name == search->name && raw.arity == 1 &&
           read_entry(search->reader, address + sizeof raw, &next);
}

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct bif *)a)->address;
    uint64_t right = ((const struct bif *)b)->address;
    return left < right ? -1 : left > right;
}

static void add(struct bif_table *table, const struct raw_bif *raw, uint64_t address)
{
    if (address > 0xFFFF && address < (1ULL << 47) && table->cnt < 2 * BIF_TABLE_MAX) {
        table->bifs[table->cnt++] =
            (struct bif){address, raw->module, raw->name, (uint32_t)raw->arity};
    }
}

bool bif_table_read(struct bif_table *table, const struct vm_memory *memory,
                    struct memory_reader *reader, uint64_t first_module, uint64_t first_name)
{
    struct search search = {reader, first_module, first_name};
    *table = (struct bif_table){.bifs = calloc(2UL * BIF_TABLE_MAX, sizeof *table->bifs)};
    uint64_t at = table->bifs == NULL ? 0 : vm_memory_find(memory, reader, accept, &search);
    struct raw_bif raw;
    for (uint32_t i = 0; at != 0 && i < BIF_TABLE_MAX && read_entry(reader, at, &raw); i++) {
        add(table, &raw, raw.f);
        if (raw.impl != raw.f) {
            add(table, &raw, raw.impl);
        }
        at += sizeof raw;
    }
    if (table->cnt < MIN_ENTRIES) {
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
