// SPDX-License-Identifier: Apache-2.0
// Names of address ranges, sorted: filled once, then searched. Bounded: what
// does not fit is refused and counted. One owner; many readers once finished.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_SYMBOL_TABLE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_SYMBOL_TABLE_H

#include "base/text.h"
#include "symbols/system/name_pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of two names for one address the one with the higher rank stays; of two with
// the same rank the one added first, or last where `latest_wins`.
enum { SYMBOL_MAX_RANK = 15 };

enum symbol_extent {
    SYMBOL_EXACT,         // `size_bytes` is what the function covers
    SYMBOL_UP_TO_THE_NEXT // at most `size_bytes`, and not beyond the next symbol
};

struct symbol {
    uint64_t address;
    uint32_t size_bytes;
    uint32_t name_at : 27;
    uint32_t rank : 4;
    uint32_t is_open : 1; // SYMBOL_UP_TO_THE_NEXT
};

// A zeroed struct with `max_bytes` set is empty. With `packed.unpacker` set, names are
// compressed when it is finished.
struct symbol_table {
    size_t max_bytes; // symbols and names together
    bool latest_wins;
    struct symbol *symbols;
    uint32_t cnt;
    uint32_t capacity;
    struct name_pack packed;
    struct text lent; // names of symbols that are packed from where they are; until finished
    char *names;      // the others not packed; NUL-terminated, one after the other
    uint32_t name_bytes;
    uint32_t name_capacity;
    uint64_t refused;
};

void symbol_table_init(struct symbol_table *table, size_t max_bytes);
// Harmless twice and on a zeroed struct.
void symbol_table_deinit(struct symbol_table *table);

// Some `cnt` symbols follow.
void symbol_table_reserve(struct symbol_table *table, uint64_t cnt);

// Names that lie in `names`, which ends with a NUL, are not copied when they are added: it is to
// stay until the table is finished. With `packed.unpacker` only; before the first add.
void symbol_table_lend(struct symbol_table *table, struct text names);

// False, and counted, when the limit is reached or the name is empty. Sizes
// above 4 GiB are cut.
bool symbol_table_add(struct symbol_table *table, uint64_t address, uint64_t size_bytes,
                      enum symbol_extent extent, unsigned rank, struct text name);

// Sorts, drops second names, gives back spare memory. To be called after the
// last add and before the first find; more can be added and finished again.
void symbol_table_finish(struct symbol_table *table);

// The symbol that covers `address`, or NULL. Where ranges overlap, the one that
// begins last.
const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address);

// NUL-terminated; valid until the table changes or its unpacker is asked for another name.
struct text symbol_table_name(const struct symbol_table *table, const struct symbol *symbol);

size_t symbol_table_memory_bytes(const struct symbol_table *table);

#endif
