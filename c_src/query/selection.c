// SPDX-License-Identifier: Apache-2.0
#include "query/selection.h"

#include "query/filter_match.h"
#include "query/row_mask.h"

#include <stdlib.h>

static uint64_t absolute(uint64_t begin_ns, uint64_t offset_ns)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(begin_ns, offset_ns, &sum) ? UINT64_MAX : sum;
}

static void take_range(struct selection *selection, const struct selection_range *range)
{
    const struct profile *profile = selection->profile;
    selection->first = 0;
    selection->end = profile->row_cnt;
    if (range == NULL || profile->row_cnt == 0) {
        return;
    }
    uint64_t begin_ns = profile->time_ns[0];
    selection->first = profile_row_at(profile, absolute(begin_ns, range->from_ns));
    if (range->to_ns != UINT64_MAX) {
        selection->end = profile_row_at(profile, absolute(begin_ns, range->to_ns));
    }
    if (selection->end < selection->first) {
        selection->end = selection->first;
    }
}

bool selection_init(struct selection *selection, const struct profile *profile,
                    const struct selection_range *range, const struct filter *filter,
                    struct error *err)
{
    *selection = (struct selection){.profile = profile};
    take_range(selection, range);
    uint64_t cnt = selection->end - selection->first;
    selection->row_cnt = cnt;
    if (filter == NULL) {
        return true;
    }
    selection->mask = filter_match(filter, profile, selection->first, cnt, err);
    if (selection->mask == NULL) {
        return false;
    }
    selection->row_cnt = row_mask_count(selection->mask, cnt);
    return true;
}

void selection_deinit(struct selection *selection)
{
    free(selection->mask);
    *selection = (struct selection){.profile = NULL};
}

void selection_times(const struct selection *selection, uint64_t *first_ns, uint64_t *last_ns)
{
    uint64_t first = selection->first;
    uint64_t end = selection->end;
    *first_ns = *last_ns = 0;
    if (selection->row_cnt == 0) {
        return;
    }
    while (!selection_has(selection, first)) {
        first++;
    }
    while (!selection_has(selection, end - 1)) {
        end--;
    }
    *first_ns = selection->profile->time_ns[first];
    *last_ns = selection->profile->time_ns[end - 1];
}
