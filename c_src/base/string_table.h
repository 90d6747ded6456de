// SPDX-License-Identifier: Apache-2.0
// Interns byte strings: equal bytes get equal ids, and the bytes stay at one
// address until the table goes. Bounded. One owner, one thread.
#ifndef FLAME_PROF_BASE_STRING_TABLE_H
#define FLAME_PROF_BASE_STRING_TABLE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// 0 is the empty string, in every table.
typedef uint32_t string_id;

struct string_table;

// NULL when out of memory. `max_bytes` bounds the interned bytes, not the index.
struct string_table *string_table_create(size_t max_bytes);
void string_table_destroy(struct string_table *table);

// Returns 0 for the empty string and when the table is full (counted in
// string_table_refused).
string_id string_table_intern(struct string_table *table, struct text text);

// Valid until string_table_destroy. An unknown id gives the empty text.
struct text string_table_text(const struct string_table *table, string_id id);

// Tells the table from all others that there ever were in this process; > 0. With its number
// a text's place is as good as the text.
uint32_t string_table_number(const struct string_table *table);

uint32_t string_table_count(const struct string_table *table);
uint64_t string_table_refused(const struct string_table *table);
size_t string_table_memory_bytes(const struct string_table *table);

#endif
