// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_known.h"

#include <stdlib.h>

void code_known_deinit(struct code_known *known)
{
    free(known->entries);
    free(known->stale);
    *known = (struct code_known){0};
}

static struct code_known_entry *place_of(const struct code_known *known, const struct code_key *key)
{
    uint32_t mask = known->size - 1;
    uint32_t at = (uint32_t)((key->entry * 0x9E3779B97F4A7C15ULL) >> 32) & mask;
    while (known->entries[at].used && !code_key_equal(&known->entries[at].key, key)) {
        at = (at + 1) & mask;
    }
    return &known->entries[at];
}

const struct code_known_entry *code_known_find(const struct code_known *known,
                                               const struct code_key *key)
{
    const struct code_known_entry *entry = known->size == 0 ? NULL : place_of(known, key);
    return entry != NULL && entry->used ? entry : NULL;
}

void code_known_begin(struct code_known *known)
{
    known->stale_cnt = 0;
}

void code_known_note_stale(struct code_known *known, const struct code_key *key, uint64_t content)
{
    if (known->stale_cnt == known->stale_capacity) {
        uint32_t capacity = known->stale_capacity == 0 ? 64 : known->stale_capacity * 2;
        struct code_known_stale *stale = realloc(known->stale, capacity * sizeof *stale);
        if (stale == NULL) {
            return; // it is read once more next time
        }
        known->stale = stale;
        known->stale_capacity = capacity;
    }
    known->stale[known->stale_cnt++] = (struct code_known_stale){*key, content};
}

static void remember(struct code_known *known, const struct code_known_stale *met,
                     struct code_module *module)
{
    struct code_known_entry *entry = place_of(known, &met->key);
    if (!entry->used || module != NULL) {
        *entry = (struct code_known_entry){
            .key = met->key, .content = met->content, .module = module, .used = true};
    }
}

static void remember_all(struct code_known *known, const struct code_module_list *list)
{
    for (uint32_t i = 0; i < list->cnt; i++) {
        struct code_module *module = list->modules[i];
        remember(known, &(struct code_known_stale){module->key, module->content}, module);
    }
}

void code_known_index(struct code_known *known, const struct code_module_list *retired,
                      const struct code_module_list *live)
{
    uint32_t cnt = live->cnt + retired->cnt + known->stale_cnt;
    uint32_t size = 256;
    while (size < 2 * cnt) {
        size *= 2;
    }
    free(known->entries);
    known->entries = calloc(size, sizeof *known->entries);
    known->size = known->entries == NULL ? 0 : size;
    if (known->entries == NULL) {
        return;
    }
    for (uint32_t i = 0; i < known->stale_cnt; i++) {
        remember(known, &known->stale[i], NULL);
    }
    remember_all(known, retired);
    remember_all(known, live);
}
