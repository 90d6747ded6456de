// SPDX-License-Identifier: Apache-2.0
#include "store/capture_column.h"

#include <string.h>

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
    return memcmp(values, values + 1, (cnt - 1) * sizeof *values) == 0;
}

// --- numbers as tokens: 0 is what was expected -----------------------------------

// Of one column; where those stand that are not 0 is noted on the way.
struct tokens {
    uint64_t *all;
    uint32_t *told; // rows
    uint32_t told_cnt;
};

static inline void take(struct tokens *tokens, uint32_t row, uint64_t token)
{
    tokens->all[row] = token;
    tokens->told[tokens->told_cnt] = row; // stays if it counts
    tokens->told_cnt += token != 0;
}

static void plain_tokens(const int64_t *values, uint32_t cnt, struct tokens *tokens)
{
    for (uint32_t i = 0; i < cnt; i++) {
        take(tokens, i, zigzag(values[i]));
    }
}

static void step_tokens(const int64_t *values, uint32_t cnt, struct tokens *tokens)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        take(tokens, i, zigzag(difference(values[i], before)));
        before = values[i];
    }
}

// The thread's last number, where this column told the threads `told`.
static inline int64_t last_of(struct capture_threads *threads, const struct capture_rows *rows,
                              const struct capture_chain *chain, const int64_t *told, uint32_t row)
{
    int32_t before = chain->before[row];
    if (before >= 0) {
        return told[before];
    }
    return before == CAPTURE_CHAIN_NOTHING
               ? 0
               : capture_thread_last(capture_threads_slot(threads, rows->codes[row]),
                                     rows->codes[row]);
}

static void learn_last(struct capture_threads *threads, const struct capture_rows *rows,
                       const struct capture_chain *chain, const int64_t *told)
{
    for (uint32_t i = 0; i < chain->last_cnt; i++) {
        uint32_t row = chain->lasts[i];
        int64_t code = rows->codes[row];
        capture_thread_learn(capture_threads_slot(threads, code), code, told[row]);
    }
}

static void own_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                       const struct capture_chain *chain, const int64_t *values,
                       struct tokens *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        bool is_same = last_of(threads, rows, chain, values, i) == values[i];
        take(tokens, i, is_same ? 0 : zigzag(values[i]) + 1);
    }
    learn_last(threads, rows, chain, values);
}

// Of codes themselves.
static void next_tokens(struct capture_threads *threads, const int64_t *values, uint32_t cnt,
                        struct tokens *tokens)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, before);
        bool is_same = capture_thread_last(slot, before) == values[i];
        take(tokens, i, is_same ? 0 : zigzag(values[i]) + 1);
        capture_thread_learn(slot, before, values[i]);
        before = values[i];
    }
}

static void gained_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                          const struct capture_chain *chain, const int64_t *values,
                          struct tokens *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        int64_t last = last_of(threads, rows, chain, values, i);
        take(tokens, i, zigzag(difference(difference(values[i], last), rows->others[i])));
    }
    learn_last(threads, rows, chain, values);
}

static void elapsed_tokens(struct capture_threads *threads, const struct capture_rows *rows,
                           const struct capture_chain *chain, const int64_t *values,
                           struct tokens *tokens)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        int64_t last = last_of(threads, rows, chain, rows->others, i);
        take(tokens, i, zigzag(difference(values[i], difference(rows->others[i], last))));
    }
    learn_last(threads, rows, chain, rows->others);
}

// --- tokens as bytes --------------------------------------------------------------

static unsigned char *put_all(const struct tokens *tokens, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, tokens->all[i]);
    }
    return out;
}

// Those that are not 0, behind how many zeros stand in front of each.
static unsigned char *put_few(const struct tokens *tokens, unsigned char *out)
{
    uint32_t next = 0;
    out = put(out, tokens->told_cnt);
    for (uint32_t i = 0; i < tokens->told_cnt; i++) {
        out = put(out, tokens->told[i] - next);
        next = tokens->told[i] + 1;
    }
    for (uint32_t i = 0; i < tokens->told_cnt; i++) {
        out = put(out, tokens->all[tokens->told[i]]);
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
                        const struct capture_rows *rows, const struct capture_chain *chain,
                        const int64_t *values, struct tokens *tokens)
{
    switch (encoding) {
    case CAPTURE_STEPS:
        step_tokens(values, rows->cnt, tokens);
        break;
    case CAPTURE_OWN:
        own_tokens(threads, rows, chain, values, tokens);
        break;
    case CAPTURE_NEXT:
        next_tokens(threads, values, rows->cnt, tokens);
        break;
    case CAPTURE_GAINED:
        gained_tokens(threads, rows, chain, values, tokens);
        break;
    case CAPTURE_ELAPSED:
        elapsed_tokens(threads, rows, chain, values, tokens);
        break;
    default:
        plain_tokens(values, rows->cnt, tokens);
        break;
    }
}

size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const struct capture_rows *rows, const int64_t *values,
                             const struct capture_scratch *scratch, unsigned char *out)
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
    struct tokens tokens = {scratch->tokens, scratch->rows, 0};
    make_tokens(threads, encoding, rows, scratch->chain, values, &tokens);
    bool is_few = tokens.told_cnt < rows->cnt / 2;
    out[0] = (unsigned char)(encoding | (is_few ? CAPTURE_FEW : 0));
    unsigned char *end = is_few ? put_few(&tokens, out + 1) : put_all(&tokens, rows->cnt, out + 1);
    return (size_t)(end - out);
}
