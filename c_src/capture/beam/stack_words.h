// SPDX-License-Identifier: Apache-2.0
// Words of an Erlang stack. Return addresses are those with two low zero bits (is_CP,
// erl_term.h); what is none drops out when it finds no name.
#ifndef FLAME_PROF_CAPTURE_BEAM_STACK_WORDS_H
#define FLAME_PROF_CAPTURE_BEAM_STACK_WORDS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool stack_word_is_return(uint64_t word)
{
    return word > 0xFFFF && (word & 3) == 0 && word < (1ULL << 47);
}

static inline uint32_t stack_words_frames(const uint64_t *words, uint32_t cnt)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        frames += stack_word_is_return(words[i]);
    }
    return frames;
}

// Frames of the whole stack, the running function's included. Words left out are taken
// to be like those that are there.
static inline int64_t stack_words_depth(const uint64_t *words, uint32_t cnt, uint64_t omitted_words)
{
    uint64_t frames = stack_words_frames(words, cnt);
    uint64_t left_out = cnt > 0 && omitted_words < (1ULL << 32) ? omitted_words * frames / cnt : 0;
    return (int64_t)(1 + frames + left_out);
}

#endif
