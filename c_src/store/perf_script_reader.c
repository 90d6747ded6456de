// SPDX-License-Identifier: Apache-2.0
#include "store/perf_script_reader.h"

#include "base/byte_buffer.h"
#include "store/perf_script_line.h"

#include <stdlib.h>

// The lines of the open event are copied one behind the other. While they come
// the buffer may move, so that texts are kept as offsets until the event is
// handed over.
struct perf_script_reader {
    struct perf_script_handler handler;
    struct perf_script_stats stats;
    bool has_event;
    struct byte_buffer bytes;
    struct perf_script_event event;
    struct perf_script_metric metrics[PERF_SCRIPT_MAX_METRICS];
    struct perf_script_frame frames[PERF_SCRIPT_MAX_FRAMES];
};

struct perf_script_reader *perf_script_reader_create(const struct perf_script_handler *handler)
{
    struct perf_script_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->handler = *handler;
        byte_buffer_init(&reader->bytes, PERF_SCRIPT_MAX_EVENT_BYTES);
    }
    return reader;
}

void perf_script_reader_destroy(struct perf_script_reader *reader)
{
    if (reader != NULL) {
        byte_buffer_deinit(&reader->bytes);
    }
    free(reader);
}

// --- texts as offsets ---------------------------------------------------------

static void to_offset(struct text *text, const char *line, size_t line_at)
{
    size_t at = text->len == 0 ? 0 : line_at + (size_t)(text->bytes - line);
    text->bytes = (const char *)(uintptr_t)at;
}

static void to_pointer(struct text *text, const char *bytes)
{
    text->bytes = text->len == 0 ? "" : bytes + (uintptr_t)text->bytes;
}

static void event_to_offsets(struct perf_script_reader *reader, const char *line, size_t line_at)
{
    struct perf_script_event *event = &reader->event;
    to_offset(&event->category, line, line_at);
    to_offset(&event->process, line, line_at);
    to_offset(&event->event_name, line, line_at);
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        to_offset(&reader->metrics[i].name, line, line_at);
    }
}

static void all_to_pointers(struct perf_script_reader *reader)
{
    struct perf_script_event *event = &reader->event;
    const char *bytes = reader->bytes.bytes;
    to_pointer(&event->category, bytes);
    to_pointer(&event->process, bytes);
    to_pointer(&event->event_name, bytes);
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        to_pointer(&reader->metrics[i].name, bytes);
    }
    for (uint32_t i = 0; i < event->frame_cnt; i++) {
        to_pointer(&reader->frames[i].name, bytes);
        to_pointer(&reader->frames[i].file, bytes);
    }
}

// --- lines --------------------------------------------------------------------

static void end_event(struct perf_script_reader *reader)
{
    if (!reader->has_event) {
        return;
    }
    all_to_pointers(reader);
    reader->event.metrics = reader->metrics;
    reader->event.frames = reader->frames;
    reader->stats.event_cnt++;
    reader->stats.frame_cnt += reader->event.frame_cnt;
    reader->has_event = false;
    reader->handler.event(reader->handler.context, &reader->event);
}

static void add_frame(struct perf_script_reader *reader, const struct perf_script_frame *frame,
                      struct text line)
{
    struct perf_script_event *event = &reader->event;
    size_t at = reader->bytes.len;
    if (event->frame_cnt == PERF_SCRIPT_MAX_FRAMES ||
        !byte_buffer_append_text(&reader->bytes, line)) {
        reader->stats.dropped_cnt++;
        return;
    }
    struct perf_script_frame *added = &reader->frames[event->frame_cnt++];
    *added = *frame;
    to_offset(&added->name, line.bytes, at);
    to_offset(&added->file, line.bytes, at);
}

// Without call chains `perf script` puts the one frame on the event's line.
static void begin_event(struct perf_script_reader *reader, struct text line, struct text rest)
{
    struct perf_script_frame frame;
    byte_buffer_clear(&reader->bytes);
    if (!byte_buffer_append_text(&reader->bytes, line)) {
        reader->stats.malformed_line_cnt++;
        return;
    }
    reader->has_event = true;
    event_to_offsets(reader, line.bytes, 0);
    if (perf_script_line_frame(rest, &frame)) {
        add_frame(reader, &frame, rest);
    }
}

static void take_comment(struct perf_script_reader *reader, struct text line)
{
    struct text key;
    struct text value;
    if (reader->handler.field != NULL && perf_script_line_field(line, &key, &value)) {
        reader->handler.field(reader->handler.context, key, value);
    }
}

static void take_frame(struct perf_script_reader *reader, struct text line)
{
    struct perf_script_frame frame;
    if (reader->has_event && perf_script_line_frame(line, &frame)) {
        add_frame(reader, &frame, line);
    } else {
        reader->stats.malformed_line_cnt++;
    }
}

// An event line may begin with blanks: `perf script` pads the command's name.
static bool take_event(struct perf_script_reader *reader, struct text line)
{
    struct perf_script_event event;
    struct perf_script_metric metrics[PERF_SCRIPT_MAX_METRICS];
    struct text rest;
    uint64_t dropped = 0;
    if (!perf_script_line_event(line, &event, metrics, &dropped, &rest)) {
        return false;
    }
    end_event(reader);
    reader->event = event;
    memcpy(reader->metrics, metrics, event.metric_cnt * sizeof metrics[0]);
    reader->stats.dropped_cnt += dropped;
    begin_event(reader, line, rest);
    return true;
}

static bool is_empty(struct text line)
{
    for (uint32_t i = 0; i < line.len; i++) {
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t') {
            return false;
        }
    }
    return true;
}

void perf_script_reader_line(struct perf_script_reader *reader, struct text line)
{
    reader->stats.line_cnt++;
    if (line.len > 0 && line.bytes[line.len - 1] == '\r') {
        line.len--;
    }
    if (is_empty(line)) {
        end_event(reader);
    } else if (line.bytes[0] == '#') {
        take_comment(reader, line);
    } else if (line.bytes[0] == '\t') {
        take_frame(reader, line);
    } else if (!take_event(reader, line)) {
        take_frame(reader, line);
    }
}

void perf_script_reader_skip(struct perf_script_reader *reader)
{
    reader->stats.line_cnt++;
    reader->stats.malformed_line_cnt++;
}

void perf_script_reader_finish(struct perf_script_reader *reader)
{
    end_event(reader);
}

struct perf_script_stats perf_script_reader_stats(const struct perf_script_reader *reader)
{
    return reader->stats;
}
