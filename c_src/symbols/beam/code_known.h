// SPDX-License-Identifier: Apache-2.0
// Entries of the VM's list of code that were met before, so that what stayed is not read
// again. Found by key; made anew by each refresh. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_KNOWN_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_KNOWN_H

#include "symbols/beam/code_module_list.h"

#include <stdbool.h>
#include <stdint.h>

// `module` is NULL for code that was already replaced when it was first met: OTP 25 keeps
// it listed for ever.
struct code_known_entry {
    struct code_key key;
    uint64_t content;
    struct code_module *module; // borrowed
    bool used;
};

struct code_known_stale {
    struct code_key key;
    uint64_t content;
};

// A zeroed struct knows nothing.
struct code_known {
    struct code_known_entry *entries; // open addressing over key.entry
    uint32_t size;                    // a power of two, or 0
    struct code_known_stale *stale;   // replaced before they were met, in the running refresh
    uint32_t stale_cnt;
    uint32_t stale_capacity;
};

void code_known_deinit(struct code_known *known);

// NULL = not met before.
const struct code_known_entry *code_known_find(const struct code_known *known,
                                               const struct code_key *key);

// A refresh: begin, note what is stale, then index that and the modules there are. Without
// memory for it nothing is known, and the next refresh reads everything again.
void code_known_begin(struct code_known *known);
void code_known_note_stale(struct code_known *known, const struct code_key *key, uint64_t content);
void code_known_index(struct code_known *known, const struct code_module_list *retired,
                      const struct code_module_list *live);

#endif
