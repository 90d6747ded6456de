// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: a part of what the handler on a scheduler's thread reads.
#include "capture/beam/term_memory.h"

#include <stddef.h>

bool term_memory_boxed(const struct word_reader *reader, uint64_t term, uint64_t *words,
                       uint32_t word_cnt, uint64_t *address_ret)
{
    uint64_t address = term_pointer(term);
    if (!term_is_boxed(term) || !word_reader_read(reader, address, words, word_cnt)) {
        return false;
    }
    // No header looks like a boxed term.
    if (term_is_boxed(words[0])) {
        address = term_pointer(words[0]);
        if (!word_reader_read(reader, address, words, word_cnt)) {
            return false;
        }
    }
    if (address_ret != NULL) {
        *address_ret = address;
    }
    return true;
}

bool term_memory_cons(const struct word_reader *reader, uint64_t term, uint64_t cell[2])
{
    if (!term_is_cons(term) || !word_reader_read(reader, term_pointer(term), cell, 2)) {
        return false;
    }
    // No element is 0.
    return cell[0] != 0 ||
           (term_is_cons(cell[1]) && word_reader_read(reader, term_pointer(cell[1]), cell, 2));
}
