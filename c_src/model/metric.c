// SPDX-License-Identifier: Apache-2.0
#include "model/metric.h"

#include <string.h>

static const struct {
    const char *name;
    const char *option; // NULL: nobody need ask for it
    unsigned engines;
} METRICS[] = {
#define READ_ROW(id, name) [id] = {(name), NULL, METRIC_OF_BOTH},
#define FURTHER_ROW(id, name, option, engines) [id] = {(name), (option), (engines)},
    BEAM_METRICS(READ_ROW) WALKER_METRICS(FURTHER_ROW) WRITER_METRICS(FURTHER_ROW)
#undef READ_ROW
#undef FURTHER_ROW
};

bool metric_choice_parse(const char *option, uint64_t *ids)
{
    bool found = false;
    for (int id = BEAM_METRIC_CNT; id < BEAM_METRIC_ALL_CNT; id++) {
        if (strcmp(METRICS[id].option, option) == 0) {
            *ids |= 1ULL << id;
            found = true;
        }
    }
    return found;
}

void metric_choice_make(struct metric_choice *choice, uint64_t ids, unsigned engine)
{
    choice->cnt = 0;
    for (int id = 0; id < BEAM_METRIC_ALL_CNT; id++) {
        bool wanted =
            METRICS[id].option == NULL || id == BEAM_METRIC_CPU_NS || (ids & 1ULL << id) != 0;
        if (wanted && (METRICS[id].engines & engine) != 0) {
            choice->names[choice->cnt] = METRICS[id].name;
            choice->ids[choice->cnt++] = (uint8_t)id;
        }
    }
}

void metric_choice_take(const struct metric_choice *choice, const struct metric_value *all,
                        struct metric_value *chosen)
{
    for (uint32_t i = 0; i < choice->cnt; i++) {
        chosen[i] = all[choice->ids[i]];
    }
}
