// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/name_unpacker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
    BLOCKS = 8,
    SLOTS = 8192, // a power of two
    FULL_SLOTS = SLOTS / 4 * 3,
    TEXT_BYTES = 512 << 10,
};

struct block {
    uint64_t id;     // whose block; 0 = none
    uint64_t used;   // when last
    uint32_t number; // in its pack
    char bytes[NAME_BLOCK_BYTES];
};

struct slot {
    uint64_t id; // 0 = free
    uint32_t at;
    uint32_t text_at;
};

// Of the arrays only what is used is ever touched.
struct name_unpacker {
    uint64_t ids; // given out
    uint64_t uses;
    ZSTD_DCtx *context;
    uint32_t slot_cnt;
    uint32_t text_bytes;
    struct block blocks[BLOCKS];
    struct slot slots[SLOTS]; // names asked for: open addressing
    char texts[TEXT_BYTES];
};

struct name_unpacker *name_unpacker_create(void)
{
    struct name_unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (unpacker == NULL) {
        return NULL;
    }
    unpacker->context = ZSTD_createDCtx();
    if (unpacker->context == NULL) {
        free(unpacker);
        return NULL;
    }
    return unpacker;
}

void name_unpacker_destroy(struct name_unpacker *unpacker)
{
    if (unpacker != NULL) {
        (void)ZSTD_freeDCtx(unpacker->context);
    }
    free(unpacker);
}

uint64_t name_unpacker_id(struct name_unpacker *unpacker)
{
    return ++unpacker->ids;
}

// --- blocks -------------------------------------------------------------------

static bool is_block(const struct block *block, uint64_t id, uint32_t number)
{
    return block->id == id && block->number == number;
}

// The block, or the one not used for longest.
static struct block *place_of(struct name_unpacker *unpacker, uint64_t id, uint32_t number)
{
    struct block *oldest = &unpacker->blocks[0];
    for (struct block *block = oldest; block < unpacker->blocks + BLOCKS; block++) {
        if (is_block(block, id, number)) {
            return block;
        }
        oldest = block->used < oldest->used ? block : oldest;
    }
    return oldest;
}

static const char *unpack(struct name_unpacker *unpacker, uint64_t id, uint32_t number,
                          const void *packed, size_t packed_bytes)
{
    struct block *block = place_of(unpacker, id, number);
    block->used = ++unpacker->uses;
    if (!is_block(block, id, number)) {
        size_t got = ZSTD_decompressDCtx(unpacker->context, block->bytes, sizeof block->bytes,
                                         packed, packed_bytes);
        block->id = got == sizeof block->bytes ? id : 0;
        block->number = number;
    }
    return block->id == 0 ? NULL : block->bytes;
}

// --- names --------------------------------------------------------------------

// The name's slot, or the free one where it would be: there are always some.
static struct slot *slot_of(struct name_unpacker *unpacker, uint64_t id, uint32_t at)
{
    uint32_t i = (uint32_t)(((id << 32 ^ at) * 0x9E3779B97F4A7C15ULL) >> 40) & (SLOTS - 1);
    while (unpacker->slots[i].id != 0 &&
           (unpacker->slots[i].id != id || unpacker->slots[i].at != at)) {
        i = (i + 1) & (SLOTS - 1);
    }
    return &unpacker->slots[i];
}

static void keep(struct name_unpacker *unpacker, uint64_t id, uint32_t at, struct text name)
{
    uint32_t bytes = name.len + 1;
    if (unpacker->slot_cnt == FULL_SLOTS || bytes > TEXT_BYTES - unpacker->text_bytes) {
        memset(unpacker->slots, 0, sizeof unpacker->slots);
        unpacker->slot_cnt = 0;
        unpacker->text_bytes = 0;
    }
    *slot_of(unpacker, id, at) = (struct slot){id, at, unpacker->text_bytes};
    memcpy(unpacker->texts + unpacker->text_bytes, name.bytes, bytes);
    unpacker->text_bytes += bytes;
    unpacker->slot_cnt++;
}

struct text name_unpacker_name(struct name_unpacker *unpacker, uint64_t id, uint32_t at,
                               const void *packed, size_t packed_bytes)
{
    const struct slot *slot = slot_of(unpacker, id, at);
    if (slot->id != 0) {
        return text_of(unpacker->texts + slot->text_at);
    }
    const char *block = unpack(unpacker, id, at / NAME_BLOCK_BYTES, packed, packed_bytes);
    if (block == NULL) {
        return TEXT("[unknown]");
    }
    struct text name = text_of(block + at % NAME_BLOCK_BYTES);
    keep(unpacker, id, at, name);
    return name;
}
