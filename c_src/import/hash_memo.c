// SPDX-License-Identifier: Apache-2.0
#include "import/hash_memo.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1 << 12 };

static inline uint64_t eight_bytes(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Two lanes, for the CPU to run side by side; each takes every other 16 bytes.
struct hash_key hash_key_of(const char *bytes, size_t len)
{
    uint64_t a = 0x9E3779B97F4A7C15ULL ^ len;
    uint64_t b = 0x8EBC6AF09C88C6E3ULL + len;
    size_t at = 0;
    for (; at + 32 <= len; at += 32) {
        a = mix(eight_bytes(bytes + at) ^ a, eight_bytes(bytes + at + 8) ^ 0xE7037ED1A0B428DBULL);
        b = mix(eight_bytes(bytes + at + 16) ^ b,
                eight_bytes(bytes + at + 24) ^ 0xA0761D6478BD642FULL);
    }
    char tail[32] = {0};
    memcpy(tail, bytes + at, len - at);
    a = mix(eight_bytes(tail) ^ a, eight_bytes(tail + 8) ^ 0xE7037ED1A0B428DBULL);
    b = mix(eight_bytes(tail + 16) ^ b, eight_bytes(tail + 24) ^ 0xA0761D6478BD642FULL);
    uint64_t low = mix(a ^ 0x589965CC75374CC3ULL, b ^ 0x1D8E4E27C47D124FULL);
    uint64_t high = a + b * 3;
    return (struct hash_key){low, high == 0 ? 1 : high};
}

void hash_memo_deinit(struct hash_memo *memo)
{
    free(memo->slots);
    *memo = (struct hash_memo){.max_cnt = memo->max_cnt};
}

void hash_memo_clear(struct hash_memo *memo)
{
    if (memo->slots != NULL) {
        memset(memo->slots, 0, memo->slot_cnt * sizeof *memo->slots);
    }
    memo->cnt = 0;
}

static struct hash_memo_slot *slot_of(const struct hash_memo *memo, struct hash_key key)
{
    uint32_t mask = memo->slot_cnt - 1;
    uint32_t at = (uint32_t)key.low & mask;
    while (memo->slots[at].key.high != 0 &&
           (memo->slots[at].key.low != key.low || memo->slots[at].key.high != key.high)) {
        at = (at + 1) & mask;
    }
    return &memo->slots[at];
}

bool hash_memo_find(const struct hash_memo *memo, struct hash_key key, uint32_t *id)
{
    if (memo->cnt == 0) {
        return false;
    }
    const struct hash_memo_slot *slot = slot_of(memo, key);
    if (slot->key.high == 0) {
        return false;
    }
    *id = slot->id;
    return true;
}

static bool grow(struct hash_memo *memo)
{
    struct hash_memo old = *memo;
    memo->slot_cnt = old.slot_cnt == 0 ? FIRST_SLOTS : old.slot_cnt * 2;
    memo->slots = calloc(memo->slot_cnt, sizeof *memo->slots);
    if (memo->slots == NULL) {
        *memo = old;
        return false;
    }
    for (uint32_t i = 0; i < old.slot_cnt; i++) {
        if (old.slots[i].key.high != 0) {
            *slot_of(memo, old.slots[i].key) = old.slots[i];
        }
    }
    free(old.slots);
    return true;
}

bool hash_memo_add(struct hash_memo *memo, struct hash_key key, uint32_t id)
{
    if (memo->cnt >= memo->max_cnt || (memo->cnt >= memo->slot_cnt / 2 && !grow(memo))) {
        return false;
    }
    *slot_of(memo, key) = (struct hash_memo_slot){key, id};
    memo->cnt++;
    return true;
}
