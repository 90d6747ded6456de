// SPDX-License-Identifier: Apache-2.0
// Which weights a format with several columns holds: the one asked for, or samples,
// period and all metrics. None is ever negative: changes are two, `X_inc` and `X_dec`,
// as readers of these formats refuse, drop or draw nonsense of negative numbers. Any
// thread.
#ifndef FLAME_PROF_EXPORT_WEIGHT_LIST_H
#define FLAME_PROF_EXPORT_WEIGHT_LIST_H

#include "export/export_format.h"

// samples, period; of each metric value, increases, decreases.
enum { WEIGHT_LIST_MAX = 2 + PROFILE_MAX_METRICS * 3 };

struct weight_list {
    struct weight weights[WEIGHT_LIST_MAX];
    uint32_t cnt;
};

void weight_list_init(struct weight_list *list, const struct export_request *request);

// For formats with one weight: it, or both signs of it.
void weight_list_one(struct weight_list *list, const struct export_request *request);

// Whether a sum of one of them, in a format of JSON numbers, is beyond what JavaScript
// programs have exact numbers for; that one is `weight`. False, with the reason, when a
// column could not be loaded.
bool weight_list_is_rounded(const struct weight_list *list, const struct selection *selection,
                            struct weight *weight, bool *is_rounded, struct error *err);

// What the period of all selected events is called: "wall", "cpu", "off_cpu"; "period"
// where they differ or are others. Static.
const char *weight_list_period_name(const struct profile *profile);

// weight_name, with that name for the period.
const char *weight_list_name(const struct profile *profile, struct weight weight,
                             char name[WEIGHT_NAME_BYTES]);

#endif
