// SPDX-License-Identifier: Apache-2.0
// The initial call as proc_lib knows it: every proc_lib process begins in
// proc_lib:init_p, and keeps {M,F,A} (or an arity for A's place) under
// '$initial_call' in its dictionary. Bounded reads of terms, each of them safe.
#ifndef FLAME_PROF_CAPTURE_BEAM_INITIAL_CALL_H
#define FLAME_PROF_CAPTURE_BEAM_INITIAL_CALL_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"

#include <stdbool.h>
#include <stdint.h>

// Looks through the dictionary at `dictionary` (at most INITIAL_CALL_MAX_SLOTS
// slots). `mfa_ret`: module and function atom terms, arity as a plain number.
// The caller checks that the process did not change meanwhile.
bool initial_call_read(struct memory_reader *reader, const struct otp_layout *layout,
                       uint64_t dictionary, uint64_t mfa_ret[3]);

enum { INITIAL_CALL_MAX_SLOTS = 256, INITIAL_CALL_MAX_CHAIN = 8 };

// An atom term: immediate, low six bits 001011 (erl_term.h).
bool term_is_atom(uint64_t term);

#endif
