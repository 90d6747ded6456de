// SPDX-License-Identifier: Apache-2.0
#include "base/string_table.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, FIRST_SLOTS = 1024 };

struct block {
    struct block *next;
    size_t used;
    size_t size;
    char bytes[];
};

static _Atomic uint32_t last_number;

struct string_table {
    uint32_t number;
    size_t max_bytes;
    size_t text_bytes;
    size_t block_bytes;
    uint64_t refused;
    struct block *blocks;
    struct text *texts; // by id
    uint32_t count;
    uint32_t capacity;
    string_id *slots; // open addressing; 0 = free (id 0 is never stored)
    uint32_t slot_cnt;
};

static uint64_t hash_of(struct text text)
{
    uint64_t hash = 1469598103934665603ULL;
    for (uint32_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.bytes[i]) * 1099511628211ULL;
    }
    return hash ^ (hash >> 29);
}

struct string_table *string_table_create(size_t max_bytes)
{
    struct string_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->number = ++last_number;
    table->max_bytes = max_bytes;
    table->slot_cnt = FIRST_SLOTS;
    table->capacity = FIRST_SLOTS / 2;
    table->slots = calloc(table->slot_cnt, sizeof *table->slots);
    table->texts = calloc(table->capacity, sizeof *table->texts);
    if (table->slots == NULL || table->texts == NULL) {
        string_table_destroy(table);
        return NULL;
    }
    table->count = 1;
    table->texts[0] = TEXT("");
    return table;
}

void string_table_destroy(struct string_table *table)
{
    if (table == NULL) {
        return;
    }
    while (table->blocks != NULL) {
        struct block *next = table->blocks->next;
        free(table->blocks);
        table->blocks = next;
    }
    free(table->slots);
    free(table->texts);
    free(table);
}

static uint32_t find_slot(const struct string_table *table, struct text text)
{
    uint32_t mask = table->slot_cnt - 1;
    uint32_t at = (uint32_t)hash_of(text) & mask;
    while (table->slots[at] != 0 && !text_equal(table->texts[table->slots[at]], text)) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool grow(struct string_table *table)
{
    uint32_t slot_cnt = table->slot_cnt * 2;
    string_id *slots = calloc(slot_cnt, sizeof *slots);
    struct text *texts = realloc(table->texts, (slot_cnt / 2) * sizeof *texts);
    if (texts != NULL) {
        table->texts = texts;
        table->capacity = slot_cnt / 2;
    }
    if (slots == NULL || texts == NULL) {
        free(slots);
        return false;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_cnt = slot_cnt;
    for (string_id id = 1; id < table->count; id++) {
        table->slots[find_slot(table, table->texts[id])] = id;
    }
    return true;
}

static const char *copy_bytes(struct string_table *table, struct text text)
{
    struct block *block = table->blocks;
    if (block == NULL || block->size - block->used < text.len) {
        size_t size = text.len > BLOCK_BYTES ? text.len : BLOCK_BYTES;
        block = malloc(sizeof *block + size);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct block){.next = table->blocks, .size = size};
        table->blocks = block;
        table->block_bytes += sizeof *block + size;
    }
    char *copy = block->bytes + block->used;
    memcpy(copy, text.bytes, text.len);
    block->used += text.len;
    return copy;
}

string_id string_table_intern(struct string_table *table, struct text text)
{
    if (text.len == 0) {
        return 0;
    }
    uint32_t slot = find_slot(table, text);
    if (table->slots[slot] != 0) {
        return table->slots[slot];
    }
    bool fits = text.len <= table->max_bytes - table->text_bytes;
    if (fits && table->count == table->capacity) {
        fits = grow(table);
        slot = find_slot(table, text);
    }
    const char *copy = fits ? copy_bytes(table, text) : NULL;
    if (copy == NULL) {
        table->refused++;
        return 0;
    }
    string_id id = table->count++;
    table->texts[id] = (struct text){copy, text.len};
    table->text_bytes += text.len;
    table->slots[slot] = id;
    return id;
}

struct text string_table_text(const struct string_table *table, string_id id)
{
    return id < table->count ? table->texts[id] : TEXT("");
}

uint32_t string_table_number(const struct string_table *table)
{
    return table->number;
}

uint32_t string_table_count(const struct string_table *table)
{
    return table->count;
}

uint64_t string_table_refused(const struct string_table *table)
{
    return table->refused;
}

size_t string_table_memory_bytes(const struct string_table *table)
{
    return sizeof *table + table->block_bytes + table->slot_cnt * sizeof *table->slots +
           table->capacity * sizeof *table->texts;
}
