// SPDX-License-Identifier: Apache-2.0
// Texts that are made up while a sample is named. Never grown, so that they stay in
// place until it begins anew. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_NAME_SCRATCH_H
#define FLAME_PROF_RECORD_SYSTEM_NAME_SCRATCH_H

#include "base/text.h"

enum { NAME_SCRATCH_BYTES = 64 << 10 };

// A zeroed struct is empty.
struct name_scratch {
    uint32_t used;
    char bytes[NAME_SCRATCH_BYTES];
};

// Forgets all texts.
void name_scratch_clear(struct name_scratch *scratch);

// The text, or `otherwise`, a literal, when there is no room left.
struct text name_scratch_format(struct name_scratch *scratch, struct text otherwise,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));

// A copy of `text`; `text` itself, which may go, when there is no room left.
struct text name_scratch_copy(struct name_scratch *scratch, struct text text);

#endif
