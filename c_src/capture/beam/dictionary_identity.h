// SPDX-License-Identifier: Apache-2.0
// Who a process is, by its dictionary: proc_lib keeps there what it was started to do
// ('$initial_call': every proc_lib process begins in proc_lib:init_p), by whom
// ('$ancestors') and, from OTP 27 on, what it calls itself ('$process_label').
// Bounded reads of terms, each of them safe.
#ifndef FLAME_PROF_CAPTURE_BEAM_DICTIONARY_IDENTITY_H
#define FLAME_PROF_CAPTURE_BEAM_DICTIONARY_IDENTITY_H

#include "capture/beam/otp_layout.h"
#include "capture/beam/word_reader.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PROCESS_LABEL_WORDS = 16,
    PROCESS_ANCESTORS = 4,
    IDENTITY_MAX_SLOTS = 256,
    IDENTITY_MAX_CHAIN = 8,
};

// All zero: nothing known.
struct dictionary_identity {
    uint64_t initial[3];                   // module and function atoms, arity; 0 = not there
    uint64_t ancestors[PROCESS_ANCESTORS]; // pid or atom terms, the parent first; 0 = no more
    uint32_t label_cnt;                    // words of `label`, 0 = none
    uint64_t label[PROCESS_LABEL_WORDS];   // as term_copy has it
};

// Looks through the dictionary at `dictionary`: at most IDENTITY_MAX_SLOTS slots and
// `max_entries` entries. The caller sees to it that the process does not change
// meanwhile. Async-signal-safe.
void dictionary_identity_read(const struct word_reader *reader, const struct otp_layout *layout,
                              uint64_t dictionary, uint32_t max_entries,
                              struct dictionary_identity *identity_ret);

#endif
