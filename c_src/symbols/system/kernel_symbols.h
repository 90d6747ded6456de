// SPDX-License-Identifier: Apache-2.0
// The kernel's function names, modules included, from /proc/kallsyms: read once,
// when first needed. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_KERNEL_SYMBOLS_H
#define FLAME_PROF_SYMBOLS_SYSTEM_KERNEL_SYMBOLS_H

#include "base/error.h"
#include "symbols/system/symbol_table.h"

#include <stdbool.h>
#include <stdio.h>

enum { KERNEL_SYMBOLS_MAX_BYTES = 32 << 20 };

// A zeroed struct is not loaded.
struct kernel_symbols {
    struct name_unpacker *unpacker; // borrowed; NULL: names are not compressed
    struct symbol_table table;
    uint64_t zero_cnt; // functions whose address was hidden
    bool is_loaded;
};

// False, with a reason for a person, when the file cannot be read or hides the
// addresses (kernel.kptr_restrict, missing rights). Then nothing has a name.
bool kernel_symbols_load(struct kernel_symbols *symbols, struct error *err);

// The same from any stream in the format of /proc/kallsyms.
bool kernel_symbols_parse(struct kernel_symbols *symbols, FILE *stream, struct error *err);

// False when no function is there. `module` is "[kernel.kallsyms]" or "[NAME]". Both are valid
// until the unpacker is asked for another name.
bool kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address, struct text *name,
                         struct text *module);

// "NAME", "NAME [MODULE]" or "NAME<TAB>[MODULE]", in parts. False for "0x...", which is no name.
bool kernel_symbols_split(struct text whole, struct text *name, struct text *module);

void kernel_symbols_deinit(struct kernel_symbols *symbols);

#endif
