// SPDX-License-Identifier: Apache-2.0
#include "store/capture_writer.h"

#include "base/crc32c.h"
#include "store/capture_column.h"
#include "store/capture_format.h"
#include "store/capture_names.h"
#include "store/zstd_codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    GROUP_BYTES = 16 << 10, // metric columns are compressed together up to this
    WORTH_BYTES = 64,       // shorter ones are not compressed
};

struct capture_writer {
    struct capture_names_mark names;
    struct capture_names_mark committed;
    struct capture_threads codes; // what each column knows
    struct capture_threads stacks;
    struct capture_threads periods;
    struct capture_threads dimensions[PROFILE_MAX_DIMENSIONS];
    struct capture_threads metrics[PROFILE_MAX_METRICS];
    bool is_anew; // the next chunk: they know nothing
    struct zstd_codec *codec;
    struct byte_buffer plain;
    int64_t *values[3];         // threads, values, gains or times
    struct capture_chain chain; // of the present chunk's rows
    struct capture_scratch scratch;
    unsigned char *encoded;
    char *squeezed;
    size_t squeezed_bytes;
    uint32_t row_capacity;
};

// --- life ---------------------------------------------------------------------

struct capture_writer *capture_writer_create(void)
{
    struct capture_writer *writer = calloc(1, sizeof *writer);
    if (writer != NULL) {
        byte_buffer_init(&writer->plain, CAPTURE_MAX_PLAIN);
        writer->codec = zstd_codec_create(); // does without
        writer->scratch.chain = &writer->chain;
    }
    return writer;
}

static void each_threads(struct capture_writer *writer, void (*act)(struct capture_threads *))
{
    act(&writer->codes);
    act(&writer->stacks);
    act(&writer->periods);
    for (int i = 0; i < PROFILE_MAX_DIMENSIONS; i++) {
        act(&writer->dimensions[i]);
    }
    for (int i = 0; i < PROFILE_MAX_METRICS; i++) {
        act(&writer->metrics[i]);
    }
}

void capture_writer_destroy(struct capture_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    each_threads(writer, capture_threads_deinit);
    zstd_codec_destroy(writer->codec);
    byte_buffer_deinit(&writer->plain);
    for (int i = 0; i < 3; i++) {
        free(writer->values[i]);
    }
    capture_chain_deinit(&writer->chain);
    free(writer->scratch.tokens);
    free(writer->scratch.rows);
    free(writer->encoded);
    free(writer->squeezed);
    free(writer);
}

static bool reserve_rows(struct capture_writer *writer, uint32_t cnt)
{
    if (cnt <= writer->row_capacity) {
        return true;
    }
    bool ok = true;
    writer->row_capacity = 0;
    for (int i = 0; i < 3; i++) {
        free(writer->values[i]);
        writer->values[i] = malloc(cnt * sizeof *writer->values[i]);
        ok = ok && writer->values[i] != NULL;
    }
    struct capture_scratch *scratch = &writer->scratch;
    free(scratch->tokens);
    free(scratch->rows);
    free(writer->encoded);
    scratch->tokens = malloc(cnt * sizeof *scratch->tokens);
    scratch->rows = malloc(cnt * sizeof *scratch->rows);
    writer->encoded = malloc(capture_column_bound(cnt));
    ok = ok && scratch->tokens != NULL && scratch->rows != NULL && writer->encoded != NULL;
    writer->row_capacity = ok ? cnt : 0;
    return writer->row_capacity > 0;
}

// --- sections and chunks ------------------------------------------------------

static bool reserve_squeezed(struct capture_writer *writer, size_t bytes)
{
    if (bytes <= writer->squeezed_bytes) {
        return true;
    }
    char *squeezed = realloc(writer->squeezed, bytes);
    if (squeezed == NULL) {
        return false;
    }
    writer->squeezed = squeezed;
    writer->squeezed_bytes = bytes;
    return true;
}

// What is in `plain` becomes a section.
static bool append_section(struct capture_writer *writer, enum capture_section kind, uint32_t about,
                           struct byte_buffer *out)
{
    const struct byte_buffer *plain = &writer->plain;
    struct capture_section_head head = {
        .kind = (uint8_t)kind, .about = about, .plain_bytes = (uint32_t)plain->len};
    const char *stored = plain->bytes;
    head.stored_bytes = head.plain_bytes;
    if (plain->len >= WORTH_BYTES && writer->codec != NULL &&
        reserve_squeezed(writer, zstd_codec_bound(plain->len))) {
        size_t len = zstd_codec_compress(writer->codec, kind != CAPTURE_SECTION_NAMES, plain->bytes,
                                         plain->len, writer->squeezed, writer->squeezed_bytes);
        if (len > 0 && len < plain->len) {
            head.codec = CAPTURE_ZSTD;
            head.stored_bytes = (uint32_t)len;
            stored = writer->squeezed;
        }
    }
    return !plain->overflowed && byte_buffer_append(out, &head, sizeof head) &&
           byte_buffer_append(out, stored, head.stored_bytes);
}

static size_t begin_chunk(struct byte_buffer *out)
{
    static const char HEAD[CAPTURE_CHUNK_BYTES];
    (void)byte_buffer_append(out, HEAD, sizeof HEAD);
    return out->len;
}

static bool end_chunk(struct byte_buffer *out, size_t begin, enum capture_chunk kind)
{
    if (out->overflowed || out->len - begin > CAPTURE_MAX_BYTES) {
        return false;
    }
    uint32_t head[4] = {kind, (uint32_t)(out->len - begin)};
    head[2] = crc32c(out->bytes + begin, out->len - begin);
    head[3] = crc32c(head, 3 * sizeof head[0]);
    memcpy(out->bytes + begin - sizeof head, head, sizeof head);
    return true;
}

// --- columns ------------------------------------------------------------------

// `others`: values[2] has what the encoding asks for. Returns the bytes in `encoded`.
static size_t encode(struct capture_writer *writer, struct capture_threads *threads,
                     enum capture_encoding encoding, const int64_t *values, uint32_t cnt)
{
    struct capture_rows rows = {cnt, writer->values[0], writer->values[2]};
    return capture_column_encode(threads, encoding, &rows, values, &writer->scratch,
                                 writer->encoded);
}

static bool append_column(struct capture_writer *writer, struct capture_threads *threads,
                          enum capture_encoding encoding, const int64_t *values, uint32_t cnt)
{
    size_t len = encode(writer, threads, encoding, values, cnt);
    return len > 0 && byte_buffer_append(&writer->plain, writer->encoded, len);
}

static bool append_number(struct byte_buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        if (!byte_buffer_append_char(out, (char)(value | 0x80))) {
            return false;
        }
    }
    return byte_buffer_append_char(out, (char)value);
}

// Those of a wall clock are the time since the thread's row before, to the nanosecond;
// those of a timer are all alike.
static bool append_periods(struct capture_writer *writer, const struct profile *batch, uint32_t cnt)
{
    int64_t *values = writer->values[1];
    uint32_t alike = 0;
    profile_column_read(&batch->period, 0, cnt, values);
    for (uint32_t i = 1; i < cnt; i++) {
        alike += values[i] == values[i - 1];
    }
    return append_column(writer, &writer->periods, alike < cnt / 2 ? CAPTURE_ELAPSED : CAPTURE_OWN,
                         values, cnt);
}

static bool append_times(struct capture_writer *writer, const struct profile *batch, uint32_t cnt)
{
    int64_t *values = writer->values[1];
    memcpy(writer->values[2], batch->time_ns, cnt * sizeof *batch->time_ns);
    bool ok =
        append_column(writer, &writer->codes, CAPTURE_STEPS, writer->values[2], cnt); // knows none
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = batch->stack[i];
    }
    return ok && append_column(writer, &writer->stacks, CAPTURE_OWN, values, cnt) &&
           append_periods(writer, batch, cnt);
}

static bool append_presence(struct capture_writer *writer, const struct profile *batch,
                            uint32_t cnt)
{
    bool ok = append_number(&writer->plain, batch->metric_cnt);
    for (uint32_t i = 0; i < batch->metric_cnt && ok; i++) {
        const struct profile_metric *metric = &batch->metrics[i];
        enum capture_presence presence = metric->present_cnt == 0  ? CAPTURE_PRESENT_NOWHERE
                                         : metric->present == NULL ? CAPTURE_PRESENT_EVERYWHERE
                                                                   : CAPTURE_PRESENT_BITS;
        ok = byte_buffer_append_char(&writer->plain, (char)presence) &&
             (presence != CAPTURE_PRESENT_BITS ||
              byte_buffer_append(&writer->plain, metric->present, (cnt + 7) / 8));
    }
    return ok;
}

static bool append_codes(struct capture_writer *writer, const struct profile_column *codes,
                         uint32_t dimension, uint32_t cnt)
{
    if (codes->width == 0) {
        size_t len = capture_column_encode_same(codes->min, writer->encoded);
        return byte_buffer_append(&writer->plain, writer->encoded, len);
    }
    profile_column_read(codes, 0, cnt, writer->values[1]);
    return append_column(writer, &writer->dimensions[dimension], CAPTURE_OWN, writer->values[1],
                         cnt);
}

// The threads come first: the others are told by them.
static bool append_rows(struct capture_writer *writer, const struct profile *batch, uint32_t cnt,
                        struct byte_buffer *out)
{
    byte_buffer_clear(&writer->plain);
    bool ok = append_number(&writer->plain, cnt) &&
              append_column(writer, &writer->codes, CAPTURE_NEXT, writer->values[0], cnt) &&
              append_times(writer, batch, cnt) &&
              append_number(&writer->plain, batch->dimension_cnt);
    for (uint32_t i = 0; i < batch->dimension_cnt && ok; i++) {
        if (i != PROFILE_TID) {
            ok = append_codes(writer, &batch->dimensions[i].codes, i, cnt);
        }
    }
    return ok && append_presence(writer, batch, cnt) &&
           append_section(writer, CAPTURE_SECTION_ROWS, writer->is_anew ? CAPTURE_ROWS_ANEW : 0,
                          out);
}

// --- metrics ------------------------------------------------------------------

static bool append_entry(struct capture_writer *writer, uint32_t metric, unsigned form,
                         const void *bytes, size_t len)
{
    return append_number(&writer->plain, metric) &&
           byte_buffer_append_char(&writer->plain, (char)form) &&
           append_number(&writer->plain, len) && byte_buffer_append(&writer->plain, bytes, len);
}

static bool append_form(struct capture_writer *writer, uint32_t idx, unsigned form,
                        enum capture_encoding encoding, const int64_t *values, uint32_t cnt)
{
    size_t len = encode(writer, &writer->metrics[idx], encoding, values, cnt);
    return len > 0 && append_entry(writer, idx, form, writer->encoded, len);
}

static bool append_metric(struct capture_writer *writer, const struct profile *batch, uint32_t idx,
                          uint32_t cnt)
{
    const struct profile_metric *metric = &batch->metrics[idx];
    if (metric->present_cnt == 0) {
        return true;
    }
    profile_column_read(&metric->columns[PROFILE_DELTA], 0, cnt, writer->values[2]);
    bool ok = append_form(writer, idx, PROFILE_DELTA, CAPTURE_PLAIN, writer->values[2], cnt);
    profile_column_read(&metric->columns[PROFILE_VALUE], 0, cnt, writer->values[1]);
    return ok &&
           append_form(writer, idx, PROFILE_VALUE, metric->has_delta ? CAPTURE_GAINED : CAPTURE_OWN,
                       writer->values[1], cnt);
}

static bool append_metrics(struct capture_writer *writer, const struct profile *batch, uint32_t cnt,
                           struct byte_buffer *out)
{
    bool ok = true;
    uint32_t first = 0;
    byte_buffer_clear(&writer->plain);
    for (uint32_t i = 0; i < batch->metric_cnt && ok; i++) {
        ok = append_metric(writer, batch, i, cnt);
        bool is_last = i + 1 == batch->metric_cnt;
        if (ok && (writer->plain.len >= GROUP_BYTES || (is_last && writer->plain.len > 0))) {
            ok = append_section(writer, CAPTURE_SECTION_METRICS, first | (i + 1) << 16, out);
            first = i + 1;
            byte_buffer_clear(&writer->plain);
        }
    }
    return ok;
}

// --- the file -----------------------------------------------------------------

bool capture_writer_begin(struct capture_writer *writer, struct byte_buffer *out)
{
    char head[CAPTURE_HEAD_BYTES] = CAPTURE_MAGIC;
    uint32_t version = CAPTURE_VERSION;
    memcpy(head + 8, &version, sizeof version);
    memset(&writer->names, 0, sizeof writer->names);
    memset(&writer->committed, 0, sizeof writer->committed);
    writer->is_anew = true;
    return byte_buffer_append(out, head, sizeof head);
}

static bool append_names(struct capture_writer *writer, const struct profile *profile,
                         struct byte_buffer *out)
{
    byte_buffer_clear(&writer->plain);
    return capture_names_write(profile, &writer->names, &writer->plain) &&
           (writer->plain.len == 0 || append_section(writer, CAPTURE_SECTION_NAMES, 0, out));
}

static bool append_samples(struct capture_writer *writer, const struct profile *batch, uint32_t cnt,
                           struct byte_buffer *out)
{
    if (!reserve_rows(writer, cnt)) {
        return false;
    }
    if (writer->is_anew) {
        each_threads(writer, capture_threads_forget);
    }
    profile_column_read(&batch->dimensions[PROFILE_TID].codes, 0, cnt, writer->values[0]);
    bool ok = capture_chain_make(&writer->chain, writer->values[0], cnt) &&
              append_rows(writer, batch, cnt, out) && append_metrics(writer, batch, cnt, out);
    writer->is_anew = !ok;
    return ok;
}

bool capture_writer_batch(struct capture_writer *writer, const struct profile *batch,
                          struct byte_buffer *out)
{
    if (batch->row_cnt > CAPTURE_MAX_ROWS) {
        return false;
    }
    uint32_t cnt = (uint32_t)batch->row_cnt;
    size_t begin = begin_chunk(out);
    bool ok = !out->overflowed && append_names(writer, batch, out);
    if (ok && cnt > 0) {
        ok = append_samples(writer, batch, cnt, out);
    }
    if (ok && out->len == begin) { // nothing new
        byte_buffer_truncate(out, begin - CAPTURE_CHUNK_BYTES);
        return true;
    }
    return ok && end_chunk(out, begin, CAPTURE_CHUNK_ROWS);
}

bool capture_writer_end(struct capture_writer *writer, const struct profile *profile,
                        struct byte_buffer *out)
{
    size_t begin = begin_chunk(out);
    return !out->overflowed && append_names(writer, profile, out) &&
           end_chunk(out, begin, CAPTURE_CHUNK_END);
}

void capture_writer_commit(struct capture_writer *writer)
{
    writer->committed = writer->names;
}

void capture_writer_roll_back(struct capture_writer *writer)
{
    writer->names = writer->committed;
    writer->is_anew = true;
}
