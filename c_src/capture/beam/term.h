// SPDX-License-Identifier: Apache-2.0
// Words of the VM as terms: their tags, the same in OTP 25, 27 and 29 but for binaries.
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_term.h
// Async-signal-safe.
#ifndef FLAME_PROF_CAPTURE_BEAM_TERM_H
#define FLAME_PROF_CAPTURE_BEAM_TERM_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TERM_TAG_MASK = 3, // of any term
    TERM_TAG_LIST = 1,
    TERM_TAG_BOXED = 2,
    TERM_IMMED1_MASK = 0xF,
    TERM_TAG_PID = 0x3, // of this node
    TERM_TAG_SMALL = 0xF,
    TERM_IMMED2_MASK = 0x3F,
    TERM_TAG_ATOM = 0x0B,
    TERM_NIL = 0x3B,
    TERM_HEADER_MASK = 0x3F, // of the first word of what a boxed term points to
    TERM_HEADER_TUPLE = 0,
    TERM_HEADER_BINARY_A = 0x20, // up to OTP 26 a large binary, from 27 on one on the heap
    TERM_HEADER_BINARY_B = 0x24, // up to OTP 26 one on the heap, from 27 on a part of one
    TERM_HEADER_SHIFT = 6,       // above it the number of words that follow
};

static inline bool term_is_atom(uint64_t term)
{
    return (term & TERM_IMMED2_MASK) == TERM_TAG_ATOM;
}

static inline bool term_is_pid(uint64_t term)
{
    return (term & TERM_IMMED1_MASK) == TERM_TAG_PID;
}

static inline bool term_is_small(uint64_t term)
{
    return (term & TERM_IMMED1_MASK) == TERM_TAG_SMALL;
}

static inline int64_t term_small(uint64_t term)
{
    return (int64_t)term >> 4;
}

static inline uint64_t term_pointer(uint64_t term)
{
    return term & ~7ULL;
}

static inline bool term_points(uint64_t term)
{
    return term_pointer(term) > 0xFFFF && term < (1ULL << 47);
}

static inline bool term_is_boxed(uint64_t term)
{
    return (term & TERM_TAG_MASK) == TERM_TAG_BOXED && term_points(term);
}

static inline bool term_is_cons(uint64_t term)
{
    return (term & TERM_TAG_MASK) == TERM_TAG_LIST && term_points(term);
}

#endif
