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
    // By the number's highest bit: how many bytes follow the first, and their marks.
    static const uint8_t MORE[28] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1,
                                     2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3};
    static const uint32_t MARKS[4] = {0, 0x80, 0x8080, 0x808080};
    if (value >= 1U << 28) {
        return put_long(out, value);
    }
    uint32_t bytes = (uint32_t)value;
    uint32_t more = MORE[31 ^ __builtin_clz(bytes | 1)];
    bytes += (bytes & 0xFFFC000) * 3; // its halves of 14 bits into 16 each
    bytes += bytes & 0x3F803F80;      // then the halves' of 7 into 8
    bytes |= MARKS[more];
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

static inline uint64_t own_token(int64_t value, int64_t last)
{
    return value == last ? 0 : zigzag(value) + 1;
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

// --- tokens by what the threads had -----------------------------------------------

// What tells the threads apart, of the rows of one chunk.
struct telling {
    struct capture_threads *threads;
    const struct capture_rows *rows;
    const struct capture_chain *chain;
};

// The tokens other than 0, and their rows; there is room for one of each row.
struct told {
    uint32_t *rows;
    uint64_t *tokens;
    uint32_t cnt;
};

static inline void tell(struct told *told, uint32_t row, uint64_t token)
{
    told->rows[told->cnt] = row; // stays if it counts
    told->tokens[told->cnt] = token;
    told->cnt += token != 0;
}

// The thread's last number, where the chunk has none before.
static inline int64_t last_of_first(const struct telling *telling, struct capture_chain_first first)
{
    int64_t code = telling->rows->codes[first.row];
    return first.asks_slot ? capture_thread_last(capture_threads_slot(telling->threads, code), code)
                           : 0;
}

static void learn_last(const struct telling *telling, const int64_t *lasts)
{
    const struct capture_chain *chain = telling->chain;
    for (uint32_t i = 0; i < chain->last_cnt; i++) {
        uint32_t row = chain->lasts[i];
        int64_t code = telling->rows->codes[row];
        capture_thread_learn(capture_threads_slot(telling->threads, code), code, lasts[row]);
    }
}

// How far a number is from the one expected: 0 is that. `other` is the gain, or the time.
static inline int64_t miss_of(enum capture_encoding encoding, int64_t value, int64_t last,
                              int64_t other)
{
    switch (encoding) {
    case CAPTURE_GAINED:
        return difference(difference(value, last), other);
    case CAPTURE_ELAPSED:
        return difference(value, difference(other, last));
    default:
        return value ^ last;
    }
}

static inline uint64_t token_of(enum capture_encoding encoding, int64_t value, int64_t last,
                                int64_t other)
{
    return encoding == CAPTURE_OWN ? own_token(value, last)
                                   : zigzag(miss_of(encoding, value, last, other));
}

// A column that is told by what the thread's row before has in `lasts`.
struct thread_column {
    enum capture_encoding encoding;
    const int64_t *values;
    const int64_t *lasts;
    const int64_t *others;
};

// A block that has some of the chunk's firsts, the next of which is `first`. Returns the one
// behind them.
static inline uint32_t tell_firsts(const struct telling *telling, struct thread_column column,
                                   uint32_t begin, uint32_t first, struct told *told)
{
    const uint32_t *before = telling->chain->before;
    uint32_t left = telling->rows->cnt - begin;
    uint32_t end = begin + (left < CAPTURE_CHAIN_BLOCK ? left : CAPTURE_CHAIN_BLOCK);
    for (uint32_t i = begin; i < end; i++) {
        bool is_first = before[i] == i;
        int64_t last = is_first ? last_of_first(telling, telling->chain->firsts[first])
                                : column.lasts[before[i]];
        tell(told, i, token_of(column.encoding, column.values[i], last, column.others[i]));
        first += is_first;
    }
    return first;
}

// Most numbers are as expected: those are passed by in blocks. Inlined for each encoding.
static inline __attribute__((always_inline)) void tell_column(const struct telling *telling,
                                                              struct thread_column column,
                                                              struct told *told)
{
    const uint32_t *before = telling->chain->before;
    uint32_t cnt = telling->rows->cnt;
    uint32_t first = 0;
    for (uint32_t begin = 0; begin < cnt; begin += CAPTURE_CHAIN_BLOCK) {
        if (telling->chain->with_first[begin / CAPTURE_CHAIN_BLOCK] ||
            cnt - begin < CAPTURE_CHAIN_BLOCK) {
            first = tell_firsts(telling, column, begin, first, told);
            continue;
        }
        int64_t misses = 0;
        for (uint32_t i = begin; i < begin + CAPTURE_CHAIN_BLOCK; i++) {
            misses |= miss_of(column.encoding, column.values[i], column.lasts[before[i]],
                              column.others[i]);
        }
        for (uint32_t i = begin; i < begin + CAPTURE_CHAIN_BLOCK && misses != 0; i++) {
            tell(told, i,
                 token_of(column.encoding, column.values[i], column.lasts[before[i]],
                          column.others[i]));
        }
    }
    learn_last(telling, column.lasts);
}

static void tell_own(const struct telling *telling, const int64_t *values, struct told *told)
{
    tell_column(telling, (struct thread_column){CAPTURE_OWN, values, values, values}, told);
}

static void tell_gained(const struct telling *telling, const int64_t *values, struct told *told)
{
    const int64_t *gains = telling->rows->others;
    tell_column(telling, (struct thread_column){CAPTURE_GAINED, values, values, gains}, told);
}

static void tell_elapsed(const struct telling *telling, const int64_t *values, struct told *told)
{
    const int64_t *times = telling->rows->others;
    tell_column(telling, (struct thread_column){CAPTURE_ELAPSED, values, times, times}, told);
}

// --- tokens as bytes --------------------------------------------------------------

static unsigned char *put_all(const uint64_t *tokens, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        out = put(out, tokens[i]);
    }
    return out;
}

// Those that are not 0, behind how many zeros stand in front of each.
static unsigned char *put_few(const struct told *told, unsigned char *out)
{
    uint32_t next = 0;
    out = put(out, told->cnt);
    for (uint32_t i = 0; i < told->cnt; i++) {
        uint32_t zeros = told->rows[i] - next;
        next = told->rows[i] + 1;
        if (zeros < 0x80) { // nearly always
            *out++ = (unsigned char)zeros;
        } else {
            out = put(out, zeros);
        }
    }
    return put_all(told->tokens, told->cnt, out);
}

// In place, from the last.
static void spread(const struct told *told, uint32_t cnt)
{
    uint32_t end = cnt;
    for (uint32_t i = told->cnt; i > 0; i--) {
        uint32_t row = told->rows[i - 1];
        uint64_t token = told->tokens[i - 1];
        memset(told->tokens + row + 1, 0, (end - row - 1) * sizeof token);
        told->tokens[row] = token;
        end = row;
    }
    memset(told->tokens, 0, end * sizeof *told->tokens);
}

static bool is_few(const struct told *told, uint32_t cnt)
{
    return told->cnt < cnt / 2;
}

// Of every row.
static unsigned char *put_tokens(struct told *told, uint32_t cnt, unsigned char *out)
{
    for (uint32_t i = 0; i < cnt; i++) {
        told->rows[told->cnt] = i; // stays if it counts
        told->cnt += told->tokens[i] != 0;
    }
    if (!is_few(told, cnt)) {
        return put_all(told->tokens, cnt, out);
    }
    for (uint32_t i = 0; i < told->cnt; i++) {
        told->tokens[i] = told->tokens[told->rows[i]];
    }
    return put_few(told, out);
}

static unsigned char *put_told(const struct told *told, uint32_t cnt, unsigned char *out)
{
    if (is_few(told, cnt)) {
        return put_few(told, out);
    }
    spread(told, cnt);
    return put_all(told->tokens, cnt, out);
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

static unsigned char *put_column(const struct telling *telling, enum capture_encoding encoding,
                                 const int64_t *values, struct told *told, unsigned char *out)
{
    uint32_t cnt = telling->rows->cnt;
    switch (encoding) {
    case CAPTURE_OWN:
        tell_own(telling, values, told);
        return put_told(told, cnt, out);
    case CAPTURE_GAINED:
        tell_gained(telling, values, told);
        return put_told(told, cnt, out);
    case CAPTURE_ELAPSED:
        tell_elapsed(telling, values, told);
        return put_told(told, cnt, out);
    case CAPTURE_STEPS:
        step_tokens(values, cnt, told->tokens);
        break;
    case CAPTURE_NEXT:
        next_tokens(telling->threads, values, cnt, told->tokens);
        break;
    default:
        plain_tokens(values, cnt, told->tokens);
        break;
    }
    return put_tokens(told, cnt, out);
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
    struct told told = {scratch->rows, scratch->tokens, 0};
    const unsigned char *end = put_column(&telling, encoding, values, &told, out + 1);
    out[0] = (unsigned char)(encoding | (is_few(&told, rows->cnt) ? CAPTURE_FEW : 0));
    return (size_t)(end - out);
}
