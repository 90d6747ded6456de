// SPDX-License-Identifier: Apache-2.0
#include "record/beam/identity_cache.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 1024, WAYS = 4, OLD_NS = 1000 * 1000 * 1000 };

struct entry {
    uint64_t id; // 0 = unused
    uint64_t seen;
    uint64_t read_ns; // when it was last read whole, 0 = never
    struct dictionary_identity identity;
};

struct identity_cache {
    uint64_t now; // counts calls
    struct entry entries[SETS][WAYS];
};

struct identity_cache *identity_cache_create(void)
{
    return calloc(1, sizeof(struct identity_cache));
}

void identity_cache_destroy(struct identity_cache *cache)
{
    free(cache);
}

static struct entry *entry_of(struct identity_cache *cache, uint64_t id)
{
    struct entry *set = cache->entries[(id * 0x9E3779B97F4A7C15ULL >> 32) % SETS];
    struct entry *found = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].id == id) {
            return &set[i];
        }
        found = set[i].seen < found->seen ? &set[i] : found;
    }
    *found = (struct entry){.id = id};
    return found;
}

static void merge(struct dictionary_identity *known, const struct dictionary_identity *read)
{
    if (read->initial[0] != 0) {
        memcpy(known->initial, read->initial, sizeof known->initial);
    }
    if (read->ancestors[0] != 0) {
        memcpy(known->ancestors, read->ancestors, sizeof known->ancestors);
    }
    if (read->label_cnt != 0) {
        known->label_cnt = read->label_cnt;
        memcpy(known->label, read->label, sizeof known->label);
    }
}

void identity_cache_complete(struct identity_cache *cache, uint64_t id, enum identity_read read,
                             uint64_t time_ns, struct dictionary_identity *identity)
{
    struct entry *entry = entry_of(cache, id);
    entry->seen = ++cache->now;
    if (read == IDENTITY_READ) {
        entry->identity = *identity;
        entry->read_ns = time_ns;
        return;
    }
    if (read == IDENTITY_READ_IN_PART) {
        merge(&entry->identity, identity);
    }
    *identity = entry->identity;
}

bool identity_cache_is_old(struct identity_cache *cache, uint64_t id, uint64_t time_ns)
{
    uint64_t read_ns = entry_of(cache, id)->read_ns;
    return read_ns == 0 || time_ns > read_ns + OLD_NS;
}
