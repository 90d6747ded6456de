// SPDX-License-Identifier: Apache-2.0
#include "store/capture_reader.h"

#include "base/big_memory.h"
#include "base/crc32c.h"
#include "model/profile_parts.h"
#include "store/capture_column.h"
#include "store/capture_format.h"
#include "store/capture_metrics.h"
#include "store/capture_names.h"
#include "store/capture_room.h"
#include "store/file_bytes.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_BYTES (4ULL << 30)
enum { PRESENCE_KINDS = 3 };

struct capture_reader {
    unsigned char *bytes; // the file
    size_t len;
    size_t max_bytes;
    struct profile *profile;
    struct capture_threads codes; // what each column of the rows knows
    struct capture_threads stacks;
    struct capture_threads periods;
    struct capture_threads dimensions[PROFILE_MAX_DIMENSIONS];
    struct capture_metrics metrics; // still packed
    struct capture_room room;
    size_t done_bytes; // of the file, with the present chunk
    size_t name_bytes; // of these: names
    uint64_t row_capacity;
    uint64_t present_words[PROFILE_MAX_METRICS];
    uint32_t chunk_rows;
    bool has_end;
};

static void destroy(void *context)
{
    struct capture_reader *reader = context;
    if (reader == NULL) {
        return;
    }
    capture_threads_deinit(&reader->codes);
    capture_threads_deinit(&reader->stacks);
    capture_threads_deinit(&reader->periods);
    for (int i = 0; i < PROFILE_MAX_DIMENSIONS; i++) {
        capture_threads_deinit(&reader->dimensions[i]);
    }
    capture_metrics_deinit(&reader->metrics);
    capture_room_deinit(&reader->room);
    free(reader->bytes);
    free(reader);
}

// --- memory -------------------------------------------------------------------

// How many rows there will be if the rest of the file is as what was read of it; so
// that columns grow once or twice, not with every few chunks. No more than half of the
// memory is bet on it.
static uint64_t expected_rows(const struct capture_reader *reader, uint64_t cnt)
{
    const struct profile *profile = reader->profile;
    size_t row_bytes = sizeof *profile->time_ns + sizeof *profile->stack +
                       (profile->dimension_cnt + 1) * sizeof(int64_t);
    double left = (double)(reader->len - reader->name_bytes);
    double done = (double)(reader->done_bytes - reader->name_bytes);
    double expected = (double)cnt * 1.05 * left / done;
    double most = (double)reader->max_bytes / 2 / (double)row_bytes;
    most = most < PROFILE_MAX_ROWS ? most : PROFILE_MAX_ROWS;
    return (uint64_t)(expected < most ? expected : most);
}

static void expect_rows(struct profile *profile, uint64_t cnt)
{
    profile->period.expected_cnt = cnt;
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        profile->dimensions[i].codes.expected_cnt = cnt;
    }
}

static bool reserve_rows(struct capture_reader *reader, uint64_t cnt)
{
    struct profile *profile = reader->profile;
    if (cnt > PROFILE_MAX_ROWS || profile_memory_bytes(profile) > reader->max_bytes) {
        return false;
    }
    if (cnt <= reader->row_capacity) {
        return true;
    }
    uint64_t expected = expected_rows(reader, cnt);
    uint64_t capacity = expected >= cnt ? expected : cnt + cnt / 2;
    expect_rows(profile, capacity);
    if (!profile_resize_rows(profile, capacity)) {
        return false;
    }
    big_memory_advise(profile->time_ns, capacity * sizeof *profile->time_ns);
    big_memory_advise(profile->stack, capacity * sizeof *profile->stack);
    reader->row_capacity = capacity;
    return true;
}

// --- sections -----------------------------------------------------------------

static bool all_within(const int64_t *values, uint32_t cnt, int64_t min, int64_t max)
{
    bool ok = true;
    for (uint32_t i = 0; i < cnt; i++) {
        ok &= values[i] >= min && values[i] <= max;
    }
    return ok;
}

static struct capture_rows rows_of(const struct capture_reader *reader, uint32_t cnt)
{
    return (struct capture_rows){cnt, reader->room.threads, NULL};
}

static bool read_threads(struct capture_reader *reader, struct byte_cursor *cursor, uint32_t cnt)
{
    struct profile_dimension *threads = &reader->profile->dimensions[PROFILE_TID];
    struct capture_rows rows = rows_of(reader, cnt);
    return capture_column_decode(&reader->codes, cursor, &rows, reader->room.threads) &&
           all_within(reader->room.threads, cnt, 0, threads->value_cnt - 1);
}

// Appends a column whose numbers are from 0 to `max`.
static bool read_column(struct capture_reader *reader, struct capture_threads *threads,
                        struct byte_cursor *cursor, int64_t max, uint32_t cnt,
                        struct profile_column *column)
{
    int64_t *values = reader->room.values;
    struct capture_rows rows = rows_of(reader, cnt);
    int64_t same = 0;
    if (capture_column_take_same(cursor, &same)) {
        return !cursor->is_bad && same >= 0 && same <= max &&
               profile_column_append_same(column, same, cnt);
    }
    return capture_column_decode(threads, cursor, &rows, values) &&
           profile_column_append(column, values, cnt) && column->min >= 0 && column->max <= max;
}

static bool read_periods(struct capture_reader *reader, struct byte_cursor *cursor, uint32_t cnt)
{
    struct profile *profile = reader->profile;
    struct capture_rows rows = rows_of(reader, cnt);
    rows.others = (const int64_t *)(profile->time_ns + profile->row_cnt);
    return capture_column_decode(&reader->periods, cursor, &rows, reader->room.values) &&
           profile_column_append(&profile->period, reader->room.values, cnt);
}

static bool read_times(struct capture_reader *reader, struct byte_cursor *cursor, uint32_t cnt)
{
    struct profile *profile = reader->profile;
    struct capture_rows rows = rows_of(reader, cnt);
    int64_t *values = reader->room.values;
    if (!capture_column_decode(&reader->stacks, cursor, &rows, values)) { // knows no threads
        return false;
    }
    memcpy(profile->time_ns + profile->row_cnt, values, cnt * sizeof *values);
    if (!capture_column_decode(&reader->stacks, cursor, &rows, values)) {
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < cnt; i++) {
        ok &= (uint64_t)values[i] < profile->dictionary.node_cnt;
        profile->stack[profile->row_cnt + i] = (stack_id)values[i];
    }
    return ok && read_periods(reader, cursor, cnt);
}

static bool read_dimensions(struct capture_reader *reader, struct byte_cursor *cursor, uint32_t cnt)
{
    struct profile *profile = reader->profile;
    if (byte_cursor_varint(cursor) != profile->dimension_cnt) {
        return false;
    }
    bool ok =
        profile_column_append(&profile->dimensions[PROFILE_TID].codes, reader->room.threads, cnt);
    for (uint32_t i = 0; i < profile->dimension_cnt && ok; i++) {
        struct profile_dimension *dimension = &profile->dimensions[i];
        if (i != PROFILE_TID) {
            ok = read_column(reader, &reader->dimensions[i], cursor, dimension->value_cnt - 1, cnt,
                             &dimension->codes);
        }
    }
    return ok;
}

// --- presence -----------------------------------------------------------------

static bool add_presence(struct capture_reader *reader, uint32_t metric, uint8_t kind,
                         const unsigned char *bits, uint32_t cnt)
{
    struct profile_metric *of = &reader->profile->metrics[metric];
    uint64_t first = reader->profile->row_cnt;
    if (kind == CAPTURE_PRESENT_EVERYWHERE && of->present == NULL && of->present_cnt == first) {
        of->present_cnt += cnt;
        return true;
    }
    uint64_t *present = profile_metric_presence(of, first + cnt, &reader->present_words[metric]);
    if (present == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < cnt && kind != CAPTURE_PRESENT_NOWHERE; i++) {
        uint64_t bit = bits == NULL ? 1 : bits[i / 8] >> i % 8 & 1;
        present[(first + i) / 64] |= bit << (first + i) % 64;
        of->present_cnt += bit;
    }
    return true;
}

static bool read_presence(struct capture_reader *reader, struct byte_cursor *cursor, uint32_t cnt)
{
    if (byte_cursor_varint(cursor) != reader->profile->metric_cnt) {
        return false;
    }
    for (uint32_t i = 0; i < reader->profile->metric_cnt; i++) {
        uint8_t kind = byte_cursor_u8(cursor);
        const unsigned char *bits = NULL;
        if (kind == CAPTURE_PRESENT_BITS) {
            bits = byte_cursor_take(cursor, (cnt + 7) / 8);
        }
        if (cursor->is_bad || kind >= PRESENCE_KINDS || !add_presence(reader, i, kind, bits, cnt)) {
            return false;
        }
    }
    return true;
}

// --- chunks -------------------------------------------------------------------

// Metrics forget when they are loaded.
static bool forget_threads(struct capture_reader *reader)
{
    capture_threads_forget(&reader->codes);
    capture_threads_forget(&reader->stacks);
    capture_threads_forget(&reader->periods);
    for (int i = 0; i < PROFILE_MAX_DIMENSIONS; i++) {
        capture_threads_forget(&reader->dimensions[i]);
    }
    return capture_metrics_forget(&reader->metrics);
}

static bool read_rows(struct capture_reader *reader, uint32_t flags, struct byte_cursor *cursor)
{
    struct profile *profile = reader->profile;
    uint64_t cnt = byte_cursor_varint(cursor);
    if (cnt == 0 || cnt > CAPTURE_MAX_ROWS || reader->chunk_rows > 0 ||
        profile->dimension_cnt < PROFILE_FIXED_DIMENSION_CNT ||
        !reserve_rows(reader, profile->row_cnt + cnt) ||
        !capture_room_reserve(&reader->room, (uint32_t)cnt)) {
        return false;
    }
    if ((flags & CAPTURE_ROWS_ANEW) != 0 && !forget_threads(reader)) {
        return false;
    }
    bool ok = read_threads(reader, cursor, (uint32_t)cnt) &&
              read_times(reader, cursor, (uint32_t)cnt) &&
              read_dimensions(reader, cursor, (uint32_t)cnt) &&
              read_presence(reader, cursor, (uint32_t)cnt);
    reader->chunk_rows = ok ? (uint32_t)cnt : 0;
    return ok;
}

static bool read_section(struct capture_reader *reader, const struct capture_section_head *head,
                         const unsigned char *stored)
{
    if (head->kind == CAPTURE_SECTION_METRICS) {
        return reader->chunk_rows > 0 &&
               capture_metrics_keep(&reader->metrics, head, stored, reader->profile->row_cnt,
                                    reader->chunk_rows);
    }
    if (head->kind != CAPTURE_SECTION_NAMES && head->kind != CAPTURE_SECTION_ROWS) {
        return true; // of a later version
    }
    const unsigned char *plain = capture_room_unpack(&reader->room, head, stored);
    if (plain == NULL) {
        return false;
    }
    struct byte_cursor cursor = byte_cursor_of(plain, head->plain_bytes);
    reader->name_bytes += head->kind == CAPTURE_SECTION_NAMES ? head->stored_bytes : 0;
    return head->kind == CAPTURE_SECTION_NAMES ? capture_names_read(reader->profile, &cursor)
                                               : read_rows(reader, head->about, &cursor);
}

static bool read_sections(struct capture_reader *reader, struct byte_cursor *chunk)
{
    while (byte_cursor_left(chunk) > 0) {
        struct capture_section_head head;
        const unsigned char *bytes = byte_cursor_take(chunk, sizeof head);
        if (bytes == NULL) {
            return false;
        }
        memcpy(&head, bytes, sizeof head);
        const unsigned char *stored = byte_cursor_take(chunk, head.stored_bytes);
        if (stored == NULL || !read_section(reader, &head, stored)) {
            return false;
        }
    }
    return true;
}

// What a chunk that is damaged inside has left.
static void trim(struct capture_reader *reader, uint32_t section_cnt)
{
    struct profile *profile = reader->profile;
    reader->metrics.section_cnt = section_cnt;
    profile_trim_columns(profile);
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        struct profile_metric *metric = &profile->metrics[i];
        uint64_t cnt = 0;
        for (uint64_t row = 0; row < profile->row_cnt && metric->present != NULL; row++) {
            cnt += metric->present[row / 64] >> row % 64 & 1;
        }
        metric->present_cnt = metric->present != NULL                  ? cnt
                              : metric->present_cnt < profile->row_cnt ? metric->present_cnt
                                                                       : profile->row_cnt;
    }
}

// A dimension that a chunk adds behind its rows lacks them.
static bool has_all_codes(const struct profile *profile, uint64_t row_cnt)
{
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        if (profile->dimensions[i].codes.cnt != row_cnt) {
            return false;
        }
    }
    return true;
}

static bool read_chunk(struct capture_reader *reader, uint32_t kind, struct byte_cursor *chunk)
{
    if (kind != CAPTURE_CHUNK_ROWS && kind != CAPTURE_CHUNK_END) {
        return true;
    }
    uint32_t section_cnt = reader->metrics.section_cnt;
    reader->chunk_rows = 0;
    if (!read_sections(reader, chunk) ||
        !has_all_codes(reader->profile, reader->profile->row_cnt + reader->chunk_rows)) {
        trim(reader, section_cnt);
        return false;
    }
    reader->profile->row_cnt += reader->chunk_rows;
    reader->has_end = kind == CAPTURE_CHUNK_END;
    return true;
}

// The next whole chunk; false at the end, or where it is cut or damaged.
static bool next_chunk(struct byte_cursor *file, uint32_t *kind, struct byte_cursor *chunk)
{
    uint32_t head[4];
    const unsigned char *bytes = byte_cursor_take(file, sizeof head);
    if (bytes == NULL) {
        return false;
    }
    memcpy(head, bytes, sizeof head);
    if (crc32c(head, 3 * sizeof head[0]) != head[3] || head[1] > CAPTURE_MAX_BYTES) {
        return false;
    }
    bytes = byte_cursor_take(file, head[1]);
    if (bytes == NULL || crc32c(bytes, head[1]) != head[2]) {
        return false;
    }
    *kind = head[0];
    *chunk = byte_cursor_of(bytes, head[1]);
    return true;
}

// Metrics that came without rows are in none.
static bool finish_presence(struct capture_reader *reader)
{
    struct profile *profile = reader->profile;
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        struct profile_metric *metric = &profile->metrics[i];
        if (metric->present == NULL && metric->present_cnt != profile->row_cnt &&
            profile_metric_presence(metric, profile->row_cnt, &reader->present_words[i]) == NULL) {
            return false;
        }
    }
    return true;
}

// Whether every row's source is there.
static bool has_all_sources(const struct profile *profile)
{
    const struct profile_dimension *dimension = &profile->dimensions[PROFILE_SOURCE];
    for (uint32_t code = 1; code < dimension->value_cnt; code++) {
        if (dimension->values[code] < 0 || dimension->values[code] >= profile->source_cnt) {
            return false;
        }
    }
    return profile->source_cnt > 0;
}

static void read_chunks(struct capture_reader *reader)
{
    struct byte_cursor file =
        byte_cursor_of(reader->bytes + CAPTURE_HEAD_BYTES, reader->len - CAPTURE_HEAD_BYTES);
    struct byte_cursor chunk;
    uint32_t kind = 0;
    bool ok = true;
    while (ok && byte_cursor_left(&file) > 0) {
        ok = next_chunk(&file, &kind, &chunk);
        reader->done_bytes = (size_t)(file.at - reader->bytes);
        ok = ok && read_chunk(reader, kind, &chunk);
    }
    struct profile *profile = reader->profile;
    profile->stats.malformed_cnt += !ok;
    if (!reader->has_end && profile->source_cnt > 0) {
        profile->sources[profile->source_cnt - 1].is_incomplete = true;
    }
}

// --- metric columns, when they are asked for ------------------------------------

// Both forms of a metric are one piece of work.
static bool load(void *context, struct profile *profile, uint32_t metric, enum profile_form form,
                 struct error *err)
{
    (void)form;
    for (int i = 0; i < PROFILE_FORM_CNT; i++) {
        profile_column_clear(&profile->metrics[metric].columns[i]);
        profile->metrics[metric].columns[i].expected_cnt = profile->row_cnt;
    }
    struct capture_reader *reader = context;
    if (!capture_metrics_load(&reader->metrics, &reader->room, profile, metric)) {
        return error_set(err, ERROR_BAD_INPUT,
                         "the capture is damaged inside a chunk: a metric cannot be read");
    }
    for (int i = 0; i < PROFILE_FORM_CNT; i++) {
        (void)__atomic_fetch_or(&profile->loaded[i], 1ULL << metric, __ATOMIC_RELEASE);
    }
    return true;
}

// --- the file -----------------------------------------------------------------

bool capture_reader_knows(const void *bytes, size_t len)
{
    return len >= CAPTURE_HEAD_BYTES && memcmp(bytes, CAPTURE_MAGIC, 8) == 0;
}

static bool is_sorted(const struct profile *profile)
{
    for (uint64_t i = 1; i < profile->row_cnt; i++) {
        if (profile->time_ns[i] < profile->time_ns[i - 1]) {
            return false;
        }
    }
    return true;
}

// Sorting moves whole rows, so that all must be there.
static bool sort(struct profile *profile, struct error *err)
{
    if (is_sorted(profile)) {
        return true;
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        if (profile_metric_column(profile, i, PROFILE_VALUE, err) == NULL) {
            return false;
        }
    }
    profile->loader.destroy(profile->loader.context);
    profile->loader = (struct profile_loader){0};
    return profile_sort(profile) ||
           error_set(err, ERROR_NO_MEMORY, "no memory to sort the capture by time");
}

static bool check_head(const unsigned char *bytes, size_t len, struct error *err)
{
    uint32_t version = 0;
    if (!capture_reader_knows(bytes, len)) {
        return error_set(err, ERROR_BAD_INPUT, "no capture file of flame_prof");
    }
    memcpy(&version, bytes + 8, sizeof version);
    return version == CAPTURE_VERSION ||
           error_set(err, ERROR_UNSUPPORTED,
                     "a capture of version %u, this flame_prof reads %d: use the one that wrote it",
                     version, CAPTURE_VERSION);
}

struct profile *capture_reader_take(void *bytes, size_t len, size_t max_bytes, struct error *err)
{
    struct capture_reader *reader = calloc(1, sizeof *reader);
    max_bytes = max_bytes == 0 ? DEFAULT_MAX_BYTES : max_bytes;
    struct profile *profile = check_head(bytes, len, err) ? profile_create(max_bytes) : NULL;
    if (reader == NULL || profile == NULL) {
        if (err != NULL && err->code == ERROR_NONE) {
            (void)error_set(err, ERROR_NO_MEMORY, "out of memory");
        }
        free(bytes);
        free(reader);
        profile_destroy(profile);
        return NULL;
    }
    reader->bytes = bytes;
    reader->len = len;
    reader->max_bytes = max_bytes;
    reader->profile = profile;
    profile->loader = (struct profile_loader){load, destroy, reader};
    read_chunks(reader);
    if (profile->dimension_cnt < PROFILE_FIXED_DIMENSION_CNT || !has_all_sources(profile) ||
        !finish_presence(reader) || !sort(profile, err)) {
        if (err != NULL && err->code == ERROR_NONE) {
            (void)error_set(err, ERROR_BAD_INPUT, "a capture without a whole chunk");
        }
        profile_destroy(profile);
        return NULL;
    }
    return profile;
}

struct profile *capture_reader_open(const char *path, size_t max_bytes, struct error *err)
{
    size_t len = 0;
    struct error why = {0};
    unsigned char *bytes = file_bytes_read(path, &len, err);
    if (bytes == NULL) {
        return NULL;
    }
    struct profile *profile = capture_reader_take(bytes, len, max_bytes, &why);
    if (profile == NULL && err != NULL) {
        *err = why;
        (void)error_context(err, "%s", path);
    }
    return profile;
}
