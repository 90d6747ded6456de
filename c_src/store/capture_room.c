// SPDX-License-Identifier: Apache-2.0
#include "store/capture_room.h"

#include "store/zstd_codec.h"

#include <stdlib.h>

static void free_columns(struct capture_room *room)
{
    free(room->threads);
    free(room->values);
    free(room->gains);
    room->threads = NULL;
    room->values = NULL;
    room->gains = NULL;
    room->row_cnt = 0;
}

void capture_room_deinit(struct capture_room *room)
{
    free_columns(room);
    free(room->plain);
    room->plain = NULL;
    room->plain_bytes = 0;
}

bool capture_room_reserve(struct capture_room *room, uint32_t row_cnt)
{
    if (row_cnt <= room->row_cnt) {
        return true;
    }
    free_columns(room);
    room->threads = calloc(row_cnt, sizeof *room->threads);
    room->values = calloc(row_cnt, sizeof *room->values);
    room->gains = calloc(row_cnt, sizeof *room->gains);
    bool ok = room->threads != NULL && room->values != NULL && room->gains != NULL;
    room->row_cnt = ok ? row_cnt : 0;
    return ok;
}

static bool reserve_plain(struct capture_room *room, size_t bytes)
{
    if (bytes <= room->plain_bytes) {
        return true;
    }
    unsigned char *plain = realloc(room->plain, bytes);
    if (plain == NULL) {
        return false;
    }
    room->plain = plain;
    room->plain_bytes = bytes;
    return true;
}

const unsigned char *capture_room_unpack(struct capture_room *room,
                                         const struct capture_section_head *head,
                                         const unsigned char *stored)
{
    if (head->codec == CAPTURE_STORED) {
        return head->stored_bytes == head->plain_bytes ? stored : NULL;
    }
    if (head->codec != CAPTURE_ZSTD || head->plain_bytes > CAPTURE_MAX_PLAIN ||
        !reserve_plain(room, head->plain_bytes)) {
        return NULL;
    }
    return zstd_codec_decompress(stored, head->stored_bytes, room->plain, head->plain_bytes)
               ? room->plain
               : NULL;
}
