// SPDX-License-Identifier: Apache-2.0
#include "query/event_selection.h"

#include "query/weight.h"

#include <stdlib.h>

static void take_block(struct selection *selection, const struct selection *of, uint64_t first,
                       uint32_t cnt, uint32_t code)
{
    int64_t codes[WEIGHT_BLOCK_ROWS];
    profile_column_read(&of->profile->dimensions[PROFILE_EVENT].codes, first, cnt, codes);
    for (uint32_t i = 0; i < cnt; i++) {
        bool is_in = codes[i] == code && selection_has(of, first + i);
        selection->mask[first + i - selection->first] = is_in;
        selection->row_cnt += is_in;
    }
}

bool event_selection_init(struct selection *selection, const struct selection *of, uint32_t code,
                          struct error *err)
{
    *selection = (struct selection){.profile = of->profile, .first = of->first, .end = of->end};
    selection->mask = malloc(of->end - of->first + 1);
    if (selection->mask == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "samples of one event: out of memory");
    }
    for (uint64_t at = of->first; at < of->end; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = of->end - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        take_block(selection, of, at, cnt, code);
    }
    return true;
}
