// SPDX-License-Identifier: Apache-2.0
#include "store/capture_column.h"

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

// Sums wrap.
static inline int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static bool all_same(const int64_t *values, uint32_t cnt)
{
    uint64_t differ = 0;
    for (uint32_t i = 1; i < cnt; i++) {
        differ |= (uint64_t)(values[i] ^ values[0]);
    }
    return differ == 0;
}

// --- numbers as tokens: 0 is what was expected -----------------------------------

static void plain_tokens(const int64_t *values, uint32_t cnt, uint64_t *tokens)
{
    for (uint32_t i = 0; i < cnt; i++) {
        tokens[i] = zigzag(values[i]);
    }
}

static void step_tokens(const int64_t *values, uint32_t cnt, uint64_t *tokens)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        tokens[i] = zigzag(difference(values[i], before));
        before = values[i];
    }
}

static void own_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                       const int64_t *values, uint64_t *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, rows->codes[i]);
        bool is_same = capture_thread_last(slot, rows->codes[i]) == values[i];
        tokens[i] = is_same ? 0 : zigzag(values[i]) + 1;
        capture_thread_learn(slot, rows->codes[i], values[i]);
    }
}

// Of codes themselves.
static void next_tokens(struct capture_threads *threads, const int64_t *values, uint32_t cnt,
                        uint64_t *tokens)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, before);
        bool is_same = capture_thread_last(slot, before) == values[i];
        tokens[i] = is_same ? 0 : zigzag(values[i]) + 1;
        capture_thread_learn(slot, before, values[i]);
        before = values[i];
    }
}

static void gained_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                          const int64_t *values, uint64_t *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, rows->codes[i]);
        int64_t last = capture_thread_last(slot, rows->codes[i]);
        tokens[i] = zigzag(difference(difference(values[i], last), rows->others[i]));
        capture_thread_learn(slot, rows->codes[i], values[i]);
    }
}

static void elapsed_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                           const int64_t *values, uint64_t *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, rows->codes[i]);
        int64_t last = capture_thread_last(slot, rows->codes[i]);
        tokens[i] = zigzag(difference(values[i], difference(rows->others[i], last)));
        capture_thread_learn(slot, rows->codes[i], rows->others[i]);
    }
}

// --- tokens as bytes --------------------------------------------------------------

static uint32_t count_told(const uint64_t *tokens, uint32_t cnt)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        told += tokens[i] != 0;
    }
    return told;
}

static unsigned char *put_all(const uint64_t *tokens, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, tokens[i]);
    }
    return out;
}

// Those that are not 0, behind how many zeros stand in front of each.
static unsigned char *put_few(const uint64_t *tokens, uint32_t cnt, uint32_t told,
                              unsigned char *out)
{
    uint32_t next = 0;
    out = put(out, told);
    for (uint32_t i = 0; i < cnt; i++) {
        if (tokens[i] != 0) {
            out = put(out, i - next);
            next = i + 1;
        }
    }
    for (uint32_t i = 0; i < cnt; i++) {
        if (tokens[i] != 0) {
            out = put(out, tokens[i]);
        }
    }
    return out;
}

// Its number would be one too many.
static bool has_lowest(const int64_t *values, uint32_t cnt)
{
    bool has = false;
    for (uint32_t i = 0; i < cnt; i++) {
        has |= values[i] == INT64_MIN;
    }
    return has;
}

static void make_tokens(struct capture_threads *threads, enum capture_encoding encoding,
                        const struct capture_rows *rows, const int64_t *values, uint64_t *tokens)
{
    switch (encoding) {
    case CAPTURE_STEPS:
        step_tokens(values, rows->cnt, tokens);
        break;
    case CAPTURE_OWN:
        own_tokens(threads, rows, values, tokens);
        break;
    case CAPTURE_NEXT:
        next_tokens(threads, values, rows->cnt, tokens);
        break;
    case CAPTURE_GAINED:
        gained_tokens(threads, rows, values, tokens);
        break;
    case CAPTURE_ELAPSED:
        elapsed_tokens(threads, rows, values, tokens);
        break;
    default:
        plain_tokens(values, rows->cnt, tokens);
        break;
    }
}

size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const struct capture_rows *rows, const int64_t *values,
                             uint64_t *tokens, unsigned char *out)
{
    if (all_same(values, rows->cnt)) {
        out[0] = CAPTURE_SAME;
        return (size_t)(put(out + 1, zigzag(values[0])) - out);
    }
    if (encoding == CAPTURE_OWN && has_lowest(values, rows->cnt)) {
        encoding = CAPTURE_PLAIN;
    }
    if (!capture_threads_reserve(threads)) {
        return 0;
    }
    make_tokens(threads, encoding, rows, values, tokens);
    uint32_t told = count_told(tokens, rows->cnt);
    bool is_few = told < rows->cnt / 2;
    out[0] = (unsigned char)(encoding | (is_few ? CAPTURE_FEW : 0));
    unsigned char *end =
        is_few ? put_few(tokens, rows->cnt, told, out + 1) : put_all(tokens, rows->cnt, out + 1);
    return (size_t)(end - out);
}
