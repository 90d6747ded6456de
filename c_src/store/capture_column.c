// SPDX-License-Identifier: Apache-2.0
#include "store/capture_column.h"

#include <stdlib.h>

void capture_threads_deinit(struct capture_threads *threads)
{
    free(threads->threads);
    *threads = (struct capture_threads){0};
}

bool capture_threads_set(struct capture_threads *threads, const int64_t *codes, uint32_t code_cnt)
{
    threads->codes = codes;
    threads->code_cnt = code_cnt;
    if (code_cnt <= threads->capacity) {
        return true;
    }
    uint32_t capacity = code_cnt + code_cnt / 2 + 64;
    free(threads->threads);
    threads->threads = calloc(capacity, sizeof *threads->threads);
    threads->turn = 0;
    threads->capacity = threads->threads == NULL ? 0 : capacity;
    return threads->capacity > 0;
}

// All forgotten.
static void begin_turn(struct capture_threads *threads)
{
    threads->turn++;
    if (threads->turn == 0) {
        for (uint32_t i = 0; i < threads->capacity; i++) {
            threads->threads[i].turn = 0;
        }
        threads->turn = 1;
    }
}

static inline bool knows(const struct capture_threads *threads, int64_t code)
{
    return threads->threads[code].turn == threads->turn;
}

static inline int64_t last_of(const struct capture_threads *threads, int64_t code)
{
    return threads->threads[code].last;
}

static inline void learn(struct capture_threads *threads, int64_t code, int64_t value)
{
    threads->threads[code] = (struct capture_thread){value, threads->turn};
}

// --- encoding -----------------------------------------------------------------

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline unsigned char *put(unsigned char *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (unsigned char)value;
    return out;
}

static inline int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool all_same(const int64_t *values, uint32_t cnt)
{
    for (uint32_t i = 1; i < cnt; i++) {
        if (values[i] != values[0]) {
            return false;
        }
    }
    return true;
}

static unsigned char *encode_plain(const int64_t *values, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, zigzag(values[i]));
    }
    return out;
}

static unsigned char *encode_steps(const int64_t *values, uint32_t cnt, unsigned char *out)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, zigzag(difference(values[i], before)));
        before = values[i];
    }
    return out;
}

static unsigned char *encode_own(struct capture_threads *threads, const int64_t *values,
                                 uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t code = threads->codes[i];
        bool same = knows(threads, code) && last_of(threads, code) == values[i];
        out = put(out, same ? 0 : zigzag(values[i]) + 1);
        learn(threads, code, values[i]);
    }
    return out;
}

// Of codes themselves.
static unsigned char *encode_next(struct capture_threads *threads, const int64_t *values,
                                  uint32_t cnt, unsigned char *out)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        bool same = knows(threads, before) && last_of(threads, before) == values[i];
        out = put(out, same ? 0 : zigzag(values[i]) + 1);
        learn(threads, before, values[i]);
        before = values[i];
    }
    return out;
}

static unsigned char *encode_gained(struct capture_threads *threads, const int64_t *values,
                                    const int64_t *gains, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t code = threads->codes[i];
        int64_t expected = knows(threads, code) ? sum(last_of(threads, code), gains[i]) : 0;
        out = put(out, zigzag(difference(values[i], expected)));
        learn(threads, code, values[i]);
    }
    return out;
}

// Its number would be one too many.
static bool has_lowest(const int64_t *values, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (values[i] == INT64_MIN) {
            return true;
        }
    }
    return false;
}

size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const int64_t *values, const int64_t *gains, uint32_t cnt,
                             unsigned char *out)
{
    unsigned char *end = out + 1;
    begin_turn(threads);
    if (all_same(values, cnt)) {
        out[0] = CAPTURE_SAME;
        return (size_t)(put(end, zigzag(values[0])) - out);
    }
    if (encoding == CAPTURE_OWN && has_lowest(values, cnt)) {
        encoding = CAPTURE_PLAIN;
    }
    out[0] = (unsigned char)encoding;
    switch (encoding) {
    case CAPTURE_STEPS:
        end = encode_steps(values, cnt, end);
        break;
    case CAPTURE_OWN:
        end = encode_own(threads, values, cnt, end);
        break;
    case CAPTURE_NEXT:
        end = encode_next(threads, values, cnt, end);
        break;
    case CAPTURE_GAINED:
        end = encode_gained(threads, values, gains, cnt, end);
        break;
    default:
        end = encode_plain(values, cnt, end);
        break;
    }
    return (size_t)(end - out);
}

// --- decoding -----------------------------------------------------------------

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}

// Most are of one byte.
static inline uint64_t take(struct byte_cursor *cursor)
{
    if (cursor->at < cursor->end && *cursor->at < 0x80) {
        return *cursor->at++;
    }
    return byte_cursor_varint(cursor);
}

static inline int64_t take_signed(struct byte_cursor *cursor)
{
    return unzigzag(take(cursor));
}

static void decode_own(struct capture_threads *threads, struct byte_cursor *cursor, uint32_t cnt,
                       int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t code = threads->codes[i];
        uint64_t token = take(cursor);
        cursor->is_bad |= token == 0 && !knows(threads, code);
        values[i] = token == 0 ? last_of(threads, code) : unzigzag(token - 1);
        learn(threads, code, values[i]);
    }
}

static void decode_next(struct capture_threads *threads, struct byte_cursor *cursor, uint32_t cnt,
                        int64_t *values)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        uint64_t token = take(cursor);
        bool known = knows(threads, before);
        int64_t value = token == 0 ? last_of(threads, before) : unzigzag(token - 1);
        if ((token == 0 && !known) || value < 0 || value >= threads->code_cnt) {
            cursor->is_bad = true;
            value = 0;
        }
        values[i] = value;
        learn(threads, before, value);
        before = value;
    }
}

static void decode_gained(struct capture_threads *threads, struct byte_cursor *cursor,
                          const int64_t *gains, uint32_t cnt, int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t code = threads->codes[i];
        int64_t expected = knows(threads, code) ? sum(last_of(threads, code), gains[i]) : 0;
        values[i] = sum(expected, take_signed(cursor));
        learn(threads, code, values[i]);
    }
}

static void decode_steps(struct byte_cursor *cursor, uint32_t cnt, int64_t *values)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        before = sum(before, take_signed(cursor));
        values[i] = before;
    }
}

static void fill(int64_t value, uint32_t cnt, int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = value;
    }
}

bool capture_column_take_same(struct byte_cursor *cursor, int64_t *value)
{
    if (cursor->at == cursor->end || *cursor->at != CAPTURE_SAME) {
        return false;
    }
    cursor->at++;
    *value = take_signed(cursor);
    return true;
}

static void decode(struct capture_threads *threads, struct byte_cursor *cursor,
                   const int64_t *gains, uint32_t cnt, int64_t *values)
{
    switch (byte_cursor_u8(cursor)) {
    case CAPTURE_SAME:
        fill(take_signed(cursor), cnt, values);
        break;
    case CAPTURE_PLAIN:
        for (uint32_t i = 0; i < cnt; i++) {
            values[i] = take_signed(cursor);
        }
        break;
    case CAPTURE_STEPS:
        decode_steps(cursor, cnt, values);
        break;
    case CAPTURE_OWN:
        decode_own(threads, cursor, cnt, values);
        break;
    case CAPTURE_NEXT:
        decode_next(threads, cursor, cnt, values);
        break;
    case CAPTURE_GAINED:
        cursor->is_bad |= gains == NULL;
        if (gains != NULL) {
            decode_gained(threads, cursor, gains, cnt, values);
        }
        break;
    default:
        cursor->is_bad = true;
        break;
    }
}

bool capture_column_decode(struct capture_threads *threads, struct byte_cursor *cursor,
                           const int64_t *gains, uint32_t cnt, int64_t *values)
{
    struct byte_cursor local = *cursor; // stays in registers
    begin_turn(threads);
    decode(threads, &local, gains, cnt, values);
    *cursor = local;
    return !cursor->is_bad;
}
