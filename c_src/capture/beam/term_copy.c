// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: a part of what the handler on a scheduler's thread reads.
#include "capture/beam/term_copy.h"

#include "capture/beam/term_memory.h"

enum { MAX_DEPTH = 3, MAX_ELEMENTS = 16, MAX_BYTES = 64 };

struct copy {
    const struct word_reader *reader;
    bool in_bits;
    uint64_t *words;
    uint32_t cnt;
    uint32_t max_cnt;
};

static uint64_t head(enum term_copy_head kind, uint64_t cnt)
{
    return (uint64_t)kind | cnt << TERM_COPY_COUNT_SHIFT;
}

static void put(struct copy *copy, uint64_t word)
{
    copy->words[copy->cnt++] = word;
}

static void copy_term(struct copy *copy, uint64_t term, int depth);

// An element that finds no room but its own word's is cut.
static void copy_element(struct copy *copy, uint64_t term, uint32_t left, int depth)
{
    uint32_t max_cnt = copy->max_cnt;
    copy->max_cnt = max_cnt - left; // one word for each that is still to come
    copy_term(copy, term, depth);
    copy->max_cnt = max_cnt;
}

static void copy_tuple(struct copy *copy, uint64_t address, uint64_t arity, int depth)
{
    uint64_t elements[MAX_ELEMENTS];
    uint32_t room = copy->max_cnt - copy->cnt;
    if (arity > MAX_ELEMENTS || arity + 1 > room || depth == MAX_DEPTH ||
        (arity > 0 && !word_reader_read(copy->reader, address + 8, elements, (uint32_t)arity))) {
        put(copy, TERM_COPY_CUT);
        return;
    }
    put(copy, head(TERM_COPY_TUPLE, arity));
    for (uint32_t i = 0; i < arity; i++) {
        copy_element(copy, elements[i], (uint32_t)arity - i - 1, depth + 1);
    }
}

// Where the bytes of a binary are; `bytes` 0 where it is none that we know, or none.
struct binary {
    uint64_t address;
    uint64_t bytes;
};

// Up to OTP 26: ErlHeapBin {size}, bytes; ProcBin {size, next, val, bytes}.
// https://github.com/erlang/otp/blob/OTP-25.2.3/erts/emulator/beam/erl_binary.h
static struct binary binary_in_bytes(uint64_t tag, uint64_t address, const uint64_t words[4])
{
    bool on_heap = tag == TERM_HEADER_BINARY_B;
    return (struct binary){on_heap ? address + 16 : words[3], words[0]};
}

// From OTP 27 on: ErlHeapBits {size}, bits; ErlSubBits {base and flags, start, end}.
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_bits.h
static struct binary binary_in_bits(uint64_t tag, uint64_t address, const uint64_t words[4])
{
    bool on_heap = tag == TERM_HEADER_BINARY_A;
    uint64_t start = on_heap ? 0 : words[1];
    uint64_t bits = on_heap ? words[0] : words[2] - words[1];
    bool is_whole = bits % 8 == 0 && start % 8 == 0 && (on_heap || words[2] >= words[1]);
    return (struct binary){(on_heap ? address + 16 : words[0] & ~3ULL) + start / 8,
                           is_whole ? bits / 8 : 0};
}

static void copy_binary(struct copy *copy, uint64_t header, uint64_t address)
{
    uint64_t words[4] = {0};
    uint64_t arity = header >> TERM_HEADER_SHIFT;
    uint64_t tag = header & TERM_HEADER_MASK;
    uint32_t at = copy->cnt;
    if (arity < 2 ||
        !word_reader_read(copy->reader, address + 8, words, arity < 4 ? (uint32_t)arity : 4)) {
        put(copy, TERM_COPY_OTHER);
        return;
    }
    struct binary binary =
        copy->in_bits ? binary_in_bits(tag, address, words) : binary_in_bytes(tag, address, words);
    uint64_t word_cnt = (binary.bytes + 7) / 8;
    if (binary.bytes == 0 || binary.bytes > MAX_BYTES || word_cnt + 1 > copy->max_cnt - copy->cnt ||
        binary.address <= 0xFFFF ||
        !word_reader_read(copy->reader, binary.address, copy->words + at + 1, (uint32_t)word_cnt)) {
        put(copy, TERM_COPY_OTHER);
        return;
    }
    put(copy, head(TERM_COPY_BYTES, binary.bytes));
    copy->cnt += (uint32_t)word_cnt;
}

static void copy_boxed(struct copy *copy, uint64_t term, int depth)
{
    uint64_t header = 0;
    uint64_t address = 0;
    if (!term_memory_boxed(copy->reader, term, &header, 1, &address)) {
        put(copy, TERM_COPY_OTHER);
        return;
    }
    switch (header & TERM_HEADER_MASK) {
    case TERM_HEADER_TUPLE:
        copy_tuple(copy, address, header >> TERM_HEADER_SHIFT, depth);
        break;
    case TERM_HEADER_BINARY_A:
    case TERM_HEADER_BINARY_B:
        copy_binary(copy, header, address);
        break;
    default:
        put(copy, TERM_COPY_OTHER);
    }
}

// A list that is longer than its room, or improper, ends in a word that says so.
static void copy_list(struct copy *copy, uint64_t term, int depth)
{
    if (depth == MAX_DEPTH || copy->max_cnt - copy->cnt < 3) {
        put(copy, TERM_COPY_CUT);
        return;
    }
    uint32_t at = copy->cnt;
    uint64_t cnt = 0;
    put(copy, 0);
    while (term_is_cons(term) && cnt < MAX_ELEMENTS && copy->max_cnt - copy->cnt >= 2) {
        uint64_t cell[2];
        if (!term_memory_cons(copy->reader, term, cell)) {
            break;
        }
        copy_element(copy, cell[0], 1, depth + 1);
        term = cell[1];
        cnt++;
    }
    if (term != TERM_NIL) {
        put(copy, TERM_COPY_CUT);
        cnt++;
    }
    copy->words[at] = head(TERM_COPY_LIST, cnt);
}

static void copy_term(struct copy *copy, uint64_t term, int depth)
{
    if (term == TERM_NIL || term_is_atom(term) || term_is_small(term) || term_is_pid(term)) {
        put(copy, term);
    } else if (term_is_boxed(term)) {
        copy_boxed(copy, term, depth);
    } else if (term_is_cons(term)) {
        copy_list(copy, term, depth);
    } else {
        put(copy, TERM_COPY_OTHER);
    }
}

uint32_t term_copy(const struct word_reader *reader, bool binaries_in_bits, uint64_t term,
                   uint64_t *words, uint32_t max_cnt)
{
    struct copy copy = {reader, binaries_in_bits, words, 0, max_cnt};
    copy_term(&copy, term, 0);
    return copy.cnt;
}
