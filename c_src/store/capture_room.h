// SPDX-License-Identifier: Apache-2.0
// Room for what one chunk of a capture is decoded into, used again for the next. One owner,
// one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_ROOM_H
#define FLAME_PROF_STORE_CAPTURE_ROOM_H

#include "store/capture_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A zeroed struct has none.
struct capture_room {
    unsigned char *plain; // of a section
    size_t plain_bytes;
    int64_t *threads; // of each row
    int64_t *values;
    int64_t *gains;
    uint32_t row_cnt; // there may be
};

void capture_room_deinit(struct capture_room *room);

// For columns of so many rows; false when out of memory. What was in them is lost.
bool capture_room_reserve(struct capture_room *room, uint32_t row_cnt);

// The plain bytes of a section, valid until the next one; NULL when they are damaged.
const unsigned char *capture_room_unpack(struct capture_room *room,
                                         const struct capture_section_head *head,
                                         const unsigned char *stored);

#endif
