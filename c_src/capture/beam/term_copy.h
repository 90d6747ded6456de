// SPDX-License-Identifier: Apache-2.0
// A term of a foreign heap as a few words of our own, cut where it is too large:
// atoms, small integers and pids as they are, tuples, lists and short binaries by
// what they hold. Everything else is told by that it is something else. Reads are
// bounded by the number of words.
#ifndef FLAME_PROF_CAPTURE_BEAM_TERM_COPY_H
#define FLAME_PROF_CAPTURE_BEAM_TERM_COPY_H

#include "capture/beam/term.h"
#include "capture/beam/word_reader.h"

#include <stdbool.h>
#include <stdint.h>

// A word of a copy is an immediate term, or one of these with a number above it: no
// term's low two bits are 0.
enum term_copy_head {
    TERM_COPY_TUPLE = 1 << 2, // as many elements follow
    TERM_COPY_LIST = 2 << 2,  // as many elements follow; of a longer list the first
    TERM_COPY_BYTES = 3 << 2, // as many bytes follow, in whole words
    TERM_COPY_OTHER = 4 << 2, // a float, a map, a large integer, ...
    TERM_COPY_CUT = 5 << 2,   // the rest is left out
};

enum { TERM_COPY_HEAD_MASK = 0xFF, TERM_COPY_COUNT_SHIFT = 8 };

// At most `max_cnt` words into `words`; how many. At least one. `binaries_in_bits`: as
// OTP 27 has them.
uint32_t term_copy(const struct word_reader *reader, bool binaries_in_bits, uint64_t term,
                   uint64_t *words, uint32_t max_cnt);

#endif
