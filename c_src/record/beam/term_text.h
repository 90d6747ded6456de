// SPDX-License-Identifier: Apache-2.0
// The text of a copied term (capture/beam/term_copy.h), as a person would write it:
// `worker`, `{conn,7}`, `queue of shop`; what was cut is `..`.
#ifndef FLAME_PROF_RECORD_BEAM_TERM_TEXT_H
#define FLAME_PROF_RECORD_BEAM_TERM_TEXT_H

#include <stddef.h>
#include <stdint.h>

// Texts of atoms and pids, read by whoever owns the VM's tables (nif/).
struct term_texts {
    void *context;
    // UTF-8 of an atom term into `text`; its length, 0 when it is not (yet) known.
    size_t (*atom)(void *context, uint64_t term, char *text, size_t text_bytes);
    // N of <0.N.S>; 0 when it cannot be told.
    uint32_t (*process_number)(void *context, uint64_t pid_term);
    // <0.N.S>; as `atom`.
    size_t (*pid)(void *context, uint64_t term, char *text, size_t text_bytes);
};

// Length of the text, which is cut at `text_bytes`; 0 where an atom has none (yet). The
// words may hold anything.
size_t term_text(const struct term_texts *texts, const uint64_t *words, uint32_t word_cnt,
                 char *text, size_t text_bytes);

#endif
