// SPDX-License-Identifier: Apache-2.0
#include "store/capture_column.h"

#include <string.h>

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static unsigned char *put_long(unsigned char *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (unsigned char)value;
    return out;
}

// How long the next one is cannot be foretold: of up to four bytes, all four are written,
// which whatever follows writes over. There is room (capture_column_bound()).
static inline unsigned char *put(unsigned char *out, uint64_t value)
{
    if (value >= 1U << 28) {
        return put_long(out, value);
    }
    uint32_t low = (uint32_t)value;
    uint32_t bytes = (low & 0x7F) | (low & 0x3F80) << 1 | (low & 0x1FC000) << 2 | low >> 21 << 24;
    uint32_t more = ((low > 0x7F) + (low > 0x3FFF) + (uint32_t)(low > 0x1FFFFF));
    bytes |= 0x808080U & ((1U << more * 8) - 1);
    memcpy(out, &bytes, sizeof bytes);
    return out + more + 1;
}

// Sums wrap.
static inline int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static bool all_same(const int64_t *values, uint32_t cnt)
{
    return memcmp(values, values + 1, (cnt - 1) * sizeof *values) == 0;
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
    tokens[0] = zigzag(values[0]);
    for (uint32_t i = 1; i < cnt; i++) {
        tokens[i] = zigzag(difference(values[i], values[i - 1]));
    }
}

// What tells the threads apart, of the rows of one chunk.
struct telling {
    struct capture_threads *threads;
    const struct capture_rows *rows;
    const struct capture_chain *chain;
};

// The thread's last number, where the chunk has none before.
static int64_t last_of_first(const struct telling *telling, struct capture_chain_first first)
{
    int64_t code = telling->rows->codes[first.row];
    return first.asks_slot ? capture_thread_last(capture_threads_slot(telling->threads, code), code)
                           : 0;
}

static void learn_last(const struct telling *telling, const int64_t *told)
{
    const struct capture_chain *chain = telling->chain;
    for (uint32_t i = 0; i < chain->last_cnt; i++) {
        uint32_t row = chain->lasts[i];
        int64_t code = telling->rows->codes[row];
        capture_thread_learn(capture_threads_slot(telling->threads, code), code, told[row]);
    }
}

static inline uint64_t own_token(int64_t value, int64_t last)
{
    return value == last ? 0 : zigzag(value) + 1;
}

static void own_tokens(const struct telling *telling, const int64_t *values, uint64_t *tokens)
{
    const struct capture_chain *chain = telling->chain;
    for (uint32_t i = 0; i < telling->rows->cnt; i++) {
        tokens[i] = own_token(values[i], values[chain->before[i]]);
    }
    for (uint32_t i = 0; i < chain->first_cnt; i++) {
        struct capture_chain_first first = chain->firsts[i];
        tokens[first.row] = own_token(values[first.row], last_of_first(telling, first));
    }
    learn_last(telling, values);
}

// Of codes themselves.
static void next_tokens(struct capture_threads *threads, const int64_t *values, uint32_t cnt,
                        uint64_t *tokens)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, before);
        tokens[i] = own_token(values[i], capture_thread_last(slot, before));
        capture_thread_learn(slot, before, values[i]);
        before = values[i];
    }
}

static inline uint64_t gained_token(int64_t value, int64_t last, int64_t gain)
{
    return zigzag(difference(difference(value, last), gain));
}

static void gained_tokens(const struct telling *telling, const int64_t *values, uint64_t *tokens)
{
    const struct capture_chain *chain = telling->chain;
    const int64_t *gains = telling->rows->others;
    for (uint32_t i = 0; i < telling->rows->cnt; i++) {
        tokens[i] = gained_token(values[i], values[chain->before[i]], gains[i]);
    }
    for (uint32_t i = 0; i < chain->first_cnt; i++) {
        struct capture_chain_first first = chain->firsts[i];
        int64_t last = last_of_first(telling, first);
        tokens[first.row] = gained_token(values[first.row], last, gains[first.row]);
    }
    learn_last(telling, values);
}

static void elapsed_tokens(const struct telling *telling, const int64_t *values, uint64_t *tokens)
{
    const struct capture_chain *chain = telling->chain;
    const int64_t *times = telling->rows->others;
    for (uint32_t i = 0; i < telling->rows->cnt; i++) {
        int64_t elapsed = difference(times[i], times[chain->before[i]]);
        tokens[i] = zigzag(difference(values[i], elapsed));
    }
    for (uint32_t i = 0; i < chain->first_cnt; i++) {
        struct capture_chain_first first = chain->firsts[i];
        int64_t elapsed = difference(times[first.row], last_of_first(telling, first));
        tokens[first.row] = zigzag(difference(values[first.row], elapsed));
    }
    learn_last(telling, times);
}

// --- tokens as bytes --------------------------------------------------------------

// Where those stand that are not 0; returns how many there are.
static uint32_t find_told(const uint64_t *tokens, uint32_t cnt, uint32_t *told)
{
    enum { STRIDE = 4 };
    uint32_t told_cnt = 0;
    for (uint32_t begin = 0; begin < cnt; begin += STRIDE) {
        uint32_t end = cnt - begin < STRIDE ? cnt : begin + STRIDE;
        const uint64_t *at = tokens + begin;
        if (end - begin == STRIDE && (at[0] | at[1] | at[2] | at[3]) == 0) {
            continue;
        }
        for (uint32_t i = begin; i < end; i++) {
            told[told_cnt] = i; // stays if it counts
            told_cnt += tokens[i] != 0;
        }
    }
    return told_cnt;
}

static unsigned char *put_all(const uint64_t *tokens, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, tokens[i]);
    }
    return out;
}

// Those that are not 0, behind how many zeros stand in front of each.
static unsigned char *put_few(const uint64_t *tokens, const uint32_t *told, uint32_t told_cnt,
                              unsigned char *out)
{
    uint32_t next = 0;
    out = put(out, told_cnt);
    for (uint32_t i = 0; i < told_cnt; i++) {
        out = put(out, told[i] - next);
        next = told[i] + 1;
    }
    for (uint32_t i = 0; i < told_cnt; i++) {
        out = put(out, tokens[told[i]]);
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

static void make_tokens(const struct telling *telling, enum capture_encoding encoding,
                        const int64_t *values, uint64_t *tokens)
{
    uint32_t cnt = telling->rows->cnt;
    switch (encoding) {
    case CAPTURE_STEPS:
        step_tokens(values, cnt, tokens);
        break;
    case CAPTURE_OWN:
        own_tokens(telling, values, tokens);
        break;
    case CAPTURE_NEXT:
        next_tokens(telling->threads, values, cnt, tokens);
        break;
    case CAPTURE_GAINED:
        gained_tokens(telling, values, tokens);
        break;
    case CAPTURE_ELAPSED:
        elapsed_tokens(telling, values, tokens);
        break;
    default:
        plain_tokens(values, cnt, tokens);
        break;
    }
}

size_t capture_column_encode_same(int64_t value, unsigned char *out)
{
    out[0] = CAPTURE_SAME;
    return (size_t)(put(out + 1, zigzag(value)) - out);
}

size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const struct capture_rows *rows, const int64_t *values,
                             const struct capture_scratch *scratch, unsigned char *out)
{
    if (all_same(values, rows->cnt)) {
        return capture_column_encode_same(values[0], out);
    }
    if (encoding == CAPTURE_OWN && has_lowest(values, rows->cnt)) {
        encoding = CAPTURE_PLAIN;
    }
    if (!capture_threads_reserve(threads)) {
        return 0;
    }
    const struct telling telling = {threads, rows, scratch->chain};
    make_tokens(&telling, encoding, values, scratch->tokens);
    uint32_t told_cnt = find_told(scratch->tokens, rows->cnt, scratch->rows);
    bool is_few = told_cnt < rows->cnt / 2;
    out[0] = (unsigned char)(encoding | (is_few ? CAPTURE_FEW : 0));
    unsigned char *end = is_few ? put_few(scratch->tokens, scratch->rows, told_cnt, out + 1)
                                : put_all(scratch->tokens, rows->cnt, out + 1);
    return (size_t)(end - out);
}
