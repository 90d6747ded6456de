// SPDX-License-Identifier: Apache-2.0
#include "query/tid_label.h"

#include "query/weight.h"

#include <stdlib.h>

static void take_block(struct tid_labels *labels, const struct selection *selection, uint64_t first,
                       uint32_t cnt, uint32_t dimension)
{
    const struct profile *profile = selection->profile;
    int64_t tids[WEIGHT_BLOCK_ROWS];
    int64_t codes[WEIGHT_BLOCK_ROWS];
    profile_column_read(&profile->dimensions[PROFILE_TID].codes, first, cnt, tids);
    profile_column_read(&profile->dimensions[dimension].codes, first, cnt, codes);
    for (uint32_t i = 0; i < cnt; i++) {
        struct tid_label *label = &labels->of_tid[tids[i]];
        if (codes[i] != 0 && label->code == 0 && selection_has(selection, first + i)) {
            *label = (struct tid_label){dimension, (uint32_t)codes[i]};
        }
    }
}

static void take_dimension(struct tid_labels *labels, const struct selection *selection,
                           uint32_t dimension)
{
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = selection->end - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        take_block(labels, selection, at, cnt, dimension);
    }
}

bool tid_labels_init(struct tid_labels *labels, const struct selection *selection,
                     struct error *err)
{
    static const char *const NAMES[] = {"registered", "initial_call", "comm"};
    const struct profile *profile = selection->profile;
    *labels = (struct tid_labels){.profile = profile};
    labels->of_tid =
        calloc((size_t)profile->dimensions[PROFILE_TID].value_cnt + 1, sizeof *labels->of_tid);
    if (labels->of_tid == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "names of processes: out of memory");
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        int dimension = profile_find_dimension(profile, text_of(NAMES[i]));
        if (dimension != PROFILE_NONE && profile->dimensions[dimension].value_cnt > 1) {
            take_dimension(labels, selection, (uint32_t)dimension);
        }
    }
    return true;
}

void tid_labels_deinit(struct tid_labels *labels)
{
    free(labels->of_tid);
    *labels = (struct tid_labels){.of_tid = NULL};
}

struct text tid_labels_text(const struct tid_labels *labels, uint32_t tid_code,
                            char digits[PROFILE_DIGITS_BYTES])
{
    const struct tid_label *label = &labels->of_tid[tid_code];
    return label->code == 0
               ? TEXT("")
               : profile_code_text(labels->profile, label->dimension, label->code, digits);
}
