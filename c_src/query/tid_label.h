// SPDX-License-Identifier: Apache-2.0
// Who a thread or an Erlang process is, by what its samples say: its registered name,
// else its initial call, else the name of the thread. One owner.
#ifndef FLAME_PROF_QUERY_TID_LABEL_H
#define FLAME_PROF_QUERY_TID_LABEL_H

#include "base/error.h"
#include "query/selection.h"

#include <stdbool.h>
#include <stdint.h>

struct tid_label {
    uint32_t dimension;
    uint32_t code; // 0 = nothing is known
};

struct tid_labels {
    const struct profile *profile; // borrowed
    struct tid_label *of_tid;      // by code of PROFILE_TID
};

// False, with the reason; _deinit is harmless either way.
bool tid_labels_init(struct tid_labels *labels, const struct selection *selection,
                     struct error *err);
void tid_labels_deinit(struct tid_labels *labels);

// Empty where nothing is known. Borrowed.
struct text tid_labels_text(const struct tid_labels *labels, uint32_t tid_code,
                            char digits[PROFILE_DIGITS_BYTES]);

#endif
