// SPDX-License-Identifier: Apache-2.0
// Somebody's way to read words that may vanish: a memory_reader on a thread of ours,
// the signal handler's own on a scheduler's.
#ifndef FLAME_PROF_CAPTURE_BEAM_WORD_READER_H
#define FLAME_PROF_CAPTURE_BEAM_WORD_READER_H

#include <stdbool.h>
#include <stdint.h>

struct word_reader {
    // False when they could not be read; `to` then holds garbage.
    bool (*read)(void *context, uint64_t address, void *to, uint32_t word_cnt);
    void *context;
};

static inline bool word_reader_read(const struct word_reader *reader, uint64_t address, void *to,
                                    uint32_t word_cnt)
{
    return reader->read(reader->context, address, to, word_cnt);
}

#endif
