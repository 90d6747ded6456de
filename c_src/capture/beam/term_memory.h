// SPDX-License-Identifier: Apache-2.0
// What a term points to, also in the midst of a garbage collection: what the collector
// has moved already says where to, as the collector itself would find it.
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_gc.h (IS_MOVED_BOXED)
// Async-signal-safe.
#ifndef FLAME_PROF_CAPTURE_BEAM_TERM_MEMORY_H
#define FLAME_PROF_CAPTURE_BEAM_TERM_MEMORY_H

#include "capture/beam/term.h"
#include "capture/beam/word_reader.h"

#include <stdbool.h>
#include <stdint.h>

// The first `word_cnt` words, header included, of what `term` points to; `address_ret`
// (or NULL) is where they are. False where it is no boxed term or cannot be read.
bool term_memory_boxed(const struct word_reader *reader, uint64_t term, uint64_t *words,
                       uint32_t word_cnt, uint64_t *address_ret);

// Head and tail. False where it is no list cell or cannot be read.
bool term_memory_cons(const struct word_reader *reader, uint64_t term, uint64_t cell[2]);

#endif
