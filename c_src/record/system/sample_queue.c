// SPDX-License-Identifier: Apache-2.0
#include "record/system/sample_queue.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_BYTES = 64, CHUNK_BYTES = 64 << 10 };
enum { MIN_PLACES = 256 }; // a power of two, as all larger ones are

// Samples one behind the other; they go nearly in the order they came in. Given back with
// its last one.
struct sample_queue_chunk {
    size_t capacity;
    size_t used;
    uint32_t cnt; // of samples that are still in it
    _Alignas(struct queued_sample) unsigned char bytes[];
};

void sample_queue_init(struct sample_queue *queue, size_t max_bytes)
{
    *queue = (struct sample_queue){.max_bytes = max_bytes};
}

static struct sample_queue_place *place_at(const struct sample_queue *queue, uint32_t i)
{
    return &queue->places[(queue->first + i) & (queue->capacity - 1)];
}

// --- memory -------------------------------------------------------------------

static struct sample_queue_chunk *new_chunk(size_t capacity)
{
    struct sample_queue_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk != NULL) {
        *chunk = (struct sample_queue_chunk){.capacity = capacity};
    }
    return chunk;
}

// Makes room in the chunk that is being filled. One without samples is filled again.
static bool make_chunk(struct sample_queue *queue, size_t bytes)
{
    struct sample_queue_chunk *chunk = queue->chunk;
    if (chunk != NULL && chunk->cnt == 0) {
        chunk->used = 0;
    }
    if (chunk != NULL && chunk->capacity - chunk->used >= bytes) {
        return true;
    }
    struct sample_queue_chunk *next = new_chunk(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES);
    if (next == NULL) {
        return false;
    }
    if (chunk != NULL && chunk->cnt == 0) {
        free(chunk);
    }
    queue->chunk = next;
    return true;
}

static struct queued_sample *take_room(struct sample_queue *queue, size_t bytes)
{
    if (!make_chunk(queue, bytes)) {
        return NULL;
    }
    struct sample_queue_chunk *chunk = queue->chunk;
    struct queued_sample *queued = (struct queued_sample *)(void *)(chunk->bytes + chunk->used);
    chunk->used += bytes;
    chunk->cnt++;
    queued->chunk = chunk;
    queued->bytes = bytes;
    return queued;
}

static void give_back(struct sample_queue *queue, struct queued_sample *queued)
{
    struct sample_queue_chunk *chunk = queued == NULL ? NULL : queued->chunk;
    if (chunk != NULL && --chunk->cnt == 0 && chunk != queue->chunk) {
        free(chunk);
    }
}

void sample_queue_deinit(struct sample_queue *queue)
{
    for (uint32_t i = 0; i < queue->cnt; i++) {
        give_back(queue, place_at(queue, i)->queued);
    }
    give_back(queue, queue->out);
    free(queue->places);
    free(queue->chunk);
    *queue = (struct sample_queue){.max_bytes = queue->max_bytes};
}

// --- order --------------------------------------------------------------------

// Nearly all come in order, and stay where they are put.
static void sort_in(struct sample_queue *queue, struct sample_queue_place place)
{
    uint32_t at = queue->cnt++;
    while (at > 0 && place_at(queue, at - 1)->time_ns > place.time_ns) {
        *place_at(queue, at) = *place_at(queue, at - 1);
        at--;
    }
    *place_at(queue, at) = place;
}

static bool make_room(struct sample_queue *queue)
{
    if (queue->cnt < queue->capacity) {
        return true;
    }
    uint32_t capacity = queue->capacity == 0 ? MIN_PLACES : queue->capacity * 2;
    struct sample_queue_place *places = malloc(capacity * sizeof *places);
    if (places == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < queue->cnt; i++) {
        places[i] = *place_at(queue, i);
    }
    free(queue->places);
    queue->places = places;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

// --- in and out ---------------------------------------------------------------

static struct queued_sample *copy(struct sample_queue *queue, const struct system_sample *sample,
                                  const struct stack_hashes *hashes)
{
    size_t frames_bytes =
        ((size_t)sample->kernel_cnt + sample->user_cnt) * sizeof sample->frames[0];
    size_t bytes = sizeof(struct queued_sample) + frames_bytes;
    bool fits = bytes <= queue->max_bytes - queue->bytes;
    struct queued_sample *queued = fits ? take_room(queue, bytes) : NULL;
    if (queued == NULL) {
        return NULL;
    }
    queued->sample = *sample;
    queued->hashes = hashes == NULL ? (struct stack_hashes){0} : *hashes;
    if (frames_bytes > 0) {
        memcpy(queued->frames, sample->frames, frames_bytes);
    }
    queued->sample.frames = queued->frames;
    return queued;
}

enum sample_queue_result sample_queue_push(struct sample_queue *queue,
                                           const struct system_sample *sample,
                                           const struct stack_hashes *hashes)
{
    if (sample->time_ns < queue->out_ns) {
        return SAMPLE_LATE;
    }
    if (!make_room(queue)) {
        return SAMPLE_REFUSED;
    }
    struct queued_sample *queued = copy(queue, sample, hashes);
    if (queued == NULL) {
        return SAMPLE_REFUSED;
    }
    queue->bytes += queued->bytes;
    sort_in(queue, (struct sample_queue_place){sample->time_ns, queued});
    return SAMPLE_QUEUED;
}

// The one after the next: it has been waiting for long enough to be far away. Of many only the
// hashes are looked at, not the frames.
static void fetch_ahead(const struct sample_queue *queue)
{
    const char *next = queue->cnt < 2 ? NULL : (const char *)place_at(queue, 1)->queued;
    for (size_t i = 0; next != NULL && i < sizeof(struct queued_sample); i += CACHE_LINE_BYTES) {
        __builtin_prefetch(next + i);
    }
}

const struct queued_sample *sample_queue_oldest(const struct sample_queue *queue)
{
    return queue->cnt == 0 ? NULL : place_at(queue, 0)->queued;
}

uint64_t sample_queue_newest_ns(const struct sample_queue *queue)
{
    return queue->cnt == 0 ? 0 : place_at(queue, queue->cnt - 1)->time_ns;
}

const struct queued_sample *sample_queue_pop(struct sample_queue *queue, uint64_t until_ns)
{
    give_back(queue, queue->out);
    queue->out = NULL;
    if (queue->cnt == 0 || place_at(queue, 0)->time_ns >= until_ns) {
        return NULL;
    }
    struct queued_sample *first = place_at(queue, 0)->queued;
    queue->first++;
    queue->cnt--;
    queue->bytes -= first->bytes;
    queue->out_ns = first->sample.time_ns;
    queue->out = first;
    fetch_ahead(queue);
    return first;
}
