// SPDX-License-Identifier: Apache-2.0
#include "capture/system/record_backlog.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 128 << 10, ALIGNMENT = 16 };

struct backlog_chunk {
    struct backlog_chunk *next;
    size_t used;
    size_t read;
    _Alignas(ALIGNMENT) unsigned char bytes[CHUNK_BYTES];
};

// In front of each record.
struct backlog_head {
    _Alignas(ALIGNMENT) size_t size;
};

static size_t bytes_of(size_t size)
{
    return sizeof(struct backlog_head) + ((size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
}

void record_backlog_deinit(struct record_backlog *backlog)
{
    while (backlog->first != NULL) {
        struct backlog_chunk *chunk = backlog->first;
        backlog->first = chunk->next;
        free(chunk);
    }
    *backlog = (struct record_backlog){.first = NULL};
}

static bool add_chunk(struct record_backlog *backlog)
{
    struct backlog_chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL) {
        return false;
    }
    chunk->next = NULL;
    chunk->used = 0;
    chunk->read = 0;
    *(backlog->last == NULL ? &backlog->first : &backlog->last->next) = chunk;
    backlog->last = chunk;
    return true;
}

bool record_backlog_put(struct record_backlog *backlog, const void *record, size_t size)
{
    struct backlog_head head = {.size = size};
    size_t needed = bytes_of(size);
    if (size > CHUNK_BYTES / 2) {
        return false;
    }
    bool fits = backlog->last != NULL && CHUNK_BYTES - backlog->last->used >= needed;
    if (!fits && !add_chunk(backlog)) {
        return false;
    }
    struct backlog_chunk *chunk = backlog->last;
    memcpy(chunk->bytes + chunk->used, &head, sizeof head);
    memcpy(chunk->bytes + chunk->used + sizeof head, record, size);
    chunk->used += needed;
    backlog->bytes += needed;
    return true;
}

// The last chunk stays: most of the time one is enough.
static bool go_to_next_chunk(struct record_backlog *backlog)
{
    struct backlog_chunk *chunk = backlog->first;
    if (chunk == NULL || chunk->next == NULL) {
        return false;
    }
    backlog->first = chunk->next;
    free(chunk);
    return true;
}

const void *record_backlog_next(struct record_backlog *backlog, size_t *size_ret)
{
    struct backlog_head head;
    struct backlog_chunk *chunk = backlog->first;
    if (chunk != NULL && chunk->read == chunk->used) {
        if (go_to_next_chunk(backlog)) {
            chunk = backlog->first;
        } else {
            chunk->read = chunk->used = 0;
            return NULL;
        }
    }
    if (chunk == NULL) {
        return NULL;
    }
    memcpy(&head, chunk->bytes + chunk->read, sizeof head);
    const void *record = chunk->bytes + chunk->read + sizeof head;
    chunk->read += bytes_of(head.size);
    backlog->bytes -= bytes_of(head.size);
    *size_ret = head.size;
    return record;
}
