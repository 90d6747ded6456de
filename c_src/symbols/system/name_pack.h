// SPDX-License-Identifier: Apache-2.0
// Names, one after the other, compressed in blocks: each has a number that rises, by which
// it is read back. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_NAME_PACK_H
#define FLAME_PROF_SYMBOLS_SYSTEM_NAME_PACK_H

#include "base/text.h"
#include "symbols/system/name_unpacker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_PACK_MAX_BYTES = 1 << 27 }; // unpacked

// A zeroed struct is empty; set `unpacker` before the first add.
struct name_pack {
    struct name_unpacker *unpacker; // borrowed
    uint64_t id;                    // with it; 0 = no block yet
    char *packed;
    uint32_t packed_bytes;
    uint32_t packed_capacity;
    uint32_t *ends; // of the blocks in `packed`
    uint32_t block_cnt;
    uint32_t end_capacity;
    char *open; // names behind the blocks, each with its NUL
    uint32_t open_bytes;
    uint32_t open_capacity;
    void *context; // zstd's, until name_pack_finish
};

// Gives back all but the unpacker. Harmless twice and on a zeroed struct.
void name_pack_deinit(struct name_pack *pack);

// False without memory or room. A name longer than a block is cut.
bool name_pack_add(struct name_pack *pack, struct text name, uint32_t *at);

// Above all numbers given out.
uint32_t name_pack_end(const struct name_pack *pack);

// Gives back spare memory. More can be added and finished again.
void name_pack_finish(struct name_pack *pack);

// NUL-terminated; valid until the pack changes or its unpacker is asked for another name.
struct text name_pack_name(const struct name_pack *pack, uint32_t at);

size_t name_pack_memory_bytes(const struct name_pack *pack);

#endif
