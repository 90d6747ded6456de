// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/name_pack.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

// Names of C++ at 480 MB/s to a fifth; level 1 takes a fifth less room and half as long again
// to read back, larger blocks likewise.
enum { LEVEL = -1, FIRST_BYTES = 512, FIRST_ENDS = 16 };

void name_pack_deinit(struct name_pack *pack)
{
    free(pack->packed);
    free(pack->ends);
    free(pack->open);
    (void)ZSTD_freeCCtx(pack->context);
    *pack = (struct name_pack){.unpacker = pack->unpacker};
}

size_t name_pack_memory_bytes(const struct name_pack *pack)
{
    return (size_t)pack->packed_capacity + pack->open_capacity +
           pack->end_capacity * sizeof *pack->ends;
}

// --- adding -------------------------------------------------------------------

static uint32_t open_begin(const struct name_pack *pack)
{
    return pack->block_cnt * NAME_BLOCK_BYTES;
}

static bool resize(char **bytes, uint32_t *capacity, uint32_t wanted)
{
    char *resized = realloc(*bytes, wanted);
    if (resized != NULL) {
        *bytes = resized;
        *capacity = wanted;
    }
    return resized != NULL;
}

static bool make_room(char **bytes, uint32_t *capacity, uint32_t used, uint32_t more)
{
    uint32_t wanted = (used < FIRST_BYTES ? FIRST_BYTES : used * 2) + more;
    return *capacity - used >= more || resize(bytes, capacity, wanted);
}

static bool resize_ends(struct name_pack *pack, uint32_t capacity)
{
    uint32_t *ends = realloc(pack->ends, capacity * sizeof *ends);
    if (ends != NULL) {
        pack->ends = ends;
        pack->end_capacity = capacity;
    }
    return ends != NULL;
}

static bool begin_packing(struct name_pack *pack)
{
    if (pack->context == NULL) {
        pack->context = ZSTD_createCCtx();
        if (pack->context == NULL) {
            return false;
        }
        (void)ZSTD_CCtx_setParameter(pack->context, ZSTD_c_compressionLevel, LEVEL);
    }
    pack->id = pack->id == 0 ? name_unpacker_id(pack->unpacker) : pack->id;
    return true;
}

// The open names, and zeros up to the block's end.
static bool pack_block(struct name_pack *pack)
{
    uint32_t bound = (uint32_t)ZSTD_compressBound(NAME_BLOCK_BYTES);
    bool has_room = begin_packing(pack) &&
                    make_room(&pack->packed, &pack->packed_capacity, pack->packed_bytes, bound) &&
                    (pack->open_capacity >= NAME_BLOCK_BYTES ||
                     resize(&pack->open, &pack->open_capacity, NAME_BLOCK_BYTES)) &&
                    (pack->block_cnt < pack->end_capacity ||
                     resize_ends(pack, pack->block_cnt == 0 ? FIRST_ENDS : pack->block_cnt * 2));
    if (!has_room) {
        return false;
    }
    memset(pack->open + pack->open_bytes, 0, NAME_BLOCK_BYTES - pack->open_bytes);
    size_t got = ZSTD_compress2(pack->context, pack->packed + pack->packed_bytes, bound, pack->open,
                                NAME_BLOCK_BYTES);
    if (ZSTD_isError(got)) {
        return false;
    }
    pack->packed_bytes += (uint32_t)got;
    pack->ends[pack->block_cnt++] = pack->packed_bytes;
    pack->open_bytes = 0;
    return true;
}

bool name_pack_add(struct name_pack *pack, struct text name, uint32_t *at)
{
    uint32_t len = name.len < NAME_BLOCK_BYTES ? name.len : NAME_BLOCK_BYTES - 1;
    if (open_begin(pack) + 2 * NAME_BLOCK_BYTES > NAME_PACK_MAX_BYTES ||
        (pack->open_bytes + len + 1 > NAME_BLOCK_BYTES && !pack_block(pack)) ||
        !make_room(&pack->open, &pack->open_capacity, pack->open_bytes, len + 1)) {
        return false;
    }
    *at = open_begin(pack) + pack->open_bytes;
    memcpy(pack->open + pack->open_bytes, name.bytes, len);
    pack->open[pack->open_bytes + len] = '\0';
    pack->open_bytes += len + 1;
    return true;
}

uint32_t name_pack_end(const struct name_pack *pack)
{
    return open_begin(pack) + pack->open_bytes;
}

void name_pack_finish(struct name_pack *pack)
{
    (void)ZSTD_freeCCtx(pack->context);
    pack->context = NULL;
    if (pack->open_capacity > pack->open_bytes && pack->open_bytes > 0) {
        (void)resize(&pack->open, &pack->open_capacity, pack->open_bytes);
    }
    if (pack->packed_capacity > pack->packed_bytes && pack->packed_bytes > 0) {
        (void)resize(&pack->packed, &pack->packed_capacity, pack->packed_bytes);
    }
    if (pack->end_capacity > pack->block_cnt && pack->block_cnt > 0) {
        (void)resize_ends(pack, pack->block_cnt);
    }
}

// --- reading ------------------------------------------------------------------

struct text name_pack_name(const struct name_pack *pack, uint32_t at)
{
    if (at >= open_begin(pack)) {
        return text_of(pack->open + (at - open_begin(pack)));
    }
    uint32_t number = at / NAME_BLOCK_BYTES;
    uint32_t begin = number == 0 ? 0 : pack->ends[number - 1];
    return name_unpacker_name(pack->unpacker, pack->id, at, pack->packed + begin,
                              pack->ends[number] - begin);
}
