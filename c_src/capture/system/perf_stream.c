// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_stream.h"

#include "base/clock.h"
#include "capture/system/perf_record.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Holds a sample with its piece of the stack.
enum { MIN_RING_BYTES = 64 << 10 };

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

// The kernel lets everybody have only so much of it (kernel.perf_event_mlock_kb).
static bool map_ring(struct perf_stream *stream, uint32_t bytes)
{
    while (!perf_ring_open(&stream->ring, stream->owner_fd, bytes)) {
        if (errno != EPERM || bytes <= MIN_RING_BYTES) {
            return false;
        }
        bytes /= 2;
    }
    return true;
}

static bool open_parts(struct perf_stream *stream, struct perf_event_wish *wish)
{
    stream->owner_fd = perf_event_open_owner(wish);
    if (stream->owner_fd < 0 || !map_ring(stream, wish->ring_bytes)) {
        return false;
    }
    if (wish->tid >= 0 || wish->period == 0) {
        return true;
    }
    wish->tells_tasks = false; // the owner does
    stream->sampling_fd = perf_event_open_sampling(wish);
    return stream->sampling_fd >= 0 && perf_event_send_to(stream->sampling_fd, stream->owner_fd);
}

bool perf_stream_open(struct perf_stream *stream, const struct perf_event_wish *wish)
{
    struct perf_event_wish own = *wish;
    *stream = (struct perf_stream){
        .event = wish->event,
        .cpu = wish->cpu,
        .owner_fd = -1,
        .sampling_fd = -1,
        .opened_ns = clock_monotonic_ns(),
    };
    if (!open_parts(stream, &own)) {
        int sys_errno = errno;
        perf_stream_close(stream);
        errno = sys_errno;
        return false;
    }
    return true;
}

void perf_stream_stop(struct perf_stream *stream)
{
    if (perf_stream_is_open(stream) && stream->closed_ns == 0) {
        stream->closed_ns = clock_monotonic_ns();
        close_fd(&stream->sampling_fd);
    }
}

void perf_stream_close(struct perf_stream *stream)
{
    if (stream->opened_ns != 0) {
        close_fd(&stream->sampling_fd);
        close_fd(&stream->owner_fd);
    }
    perf_ring_close(&stream->ring);
    *stream = (struct perf_stream){0};
}

bool perf_stream_is_open(const struct perf_stream *stream)
{
    return perf_ring_is_open(&stream->ring);
}

// --- in the order of time ---------------------------------------------------------------

static void look_at_next(struct perf_stream *stream)
{
    struct perf_event_header header;
    stream->next_ns = UINT64_MAX;
    if (!perf_ring_peek(&stream->ring, &header)) {
        return;
    }
    size_t offset = perf_record_time_offset(&header);
    stream->next_ns = 0; // without a time: at once
    if (offset != 0 && offset + sizeof stream->next_ns <= header.size) {
        perf_ring_copy(&stream->ring, offset, &stream->next_ns, sizeof stream->next_ns);
    }
}

static struct perf_stream *first_of(struct perf_stream *streams, uint32_t cnt)
{
    struct perf_stream *first = NULL;
    for (uint32_t i = 0; i < cnt; i++) {
        struct perf_stream *stream = &streams[i];
        if (perf_stream_is_open(stream) && (first == NULL || stream->next_ns < first->next_ns)) {
            first = stream;
        }
    }
    return first;
}

void perf_streams_drain(struct perf_stream *streams, uint32_t cnt, uint64_t until_ns, void *scratch,
                        perf_stream_handler handler, void *context)
{
    struct perf_event_header header;
    struct perf_stream *first = NULL;
    for (uint32_t i = 0; i < cnt; i++) {
        if (perf_stream_is_open(&streams[i])) {
            perf_ring_look(&streams[i].ring);
            look_at_next(&streams[i]);
        }
    }
    while ((first = first_of(streams, cnt)) != NULL && first->next_ns <= until_ns &&
           perf_ring_peek(&first->ring, &header)) {
        handler(context, first, perf_ring_record(&first->ring, header.size, scratch));
        perf_ring_skip(&first->ring, header.size);
        look_at_next(first);
    }
}
