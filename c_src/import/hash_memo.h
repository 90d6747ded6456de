// SPDX-License-Identifier: Apache-2.0
// Remembers what became of runs of bytes, by a 128-bit hash of them: the bytes are not
// kept, so that a stream of any length is imported in bounded memory. A collision would
// give one stack for another; among 10 million runs its chance is below 1 in 10^5, and
// who makes one on purpose spoils his own profile. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_HASH_MEMO_H
#define FLAME_PROF_IMPORT_HASH_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t low;
    uint64_t high; // never 0
};

struct hash_memo_slot {
    struct hash_key key; // high 0 = free
    uint32_t id;
};

// A zeroed struct with `max_cnt` set is empty.
struct hash_memo {
    struct hash_memo_slot *slots;
    uint32_t slot_cnt;
    uint32_t cnt;
    uint32_t max_cnt;
};

struct hash_key hash_key_of(const char *bytes, size_t len);

// Harmless twice and on a zeroed struct.
void hash_memo_deinit(struct hash_memo *memo);
void hash_memo_clear(struct hash_memo *memo);

// False when it is not there.
bool hash_memo_find(const struct hash_memo *memo, struct hash_key key, uint32_t *id);

// False when full, or out of memory. The key is not there yet.
bool hash_memo_add(struct hash_memo *memo, struct hash_key key, uint32_t id);

#endif
