// SPDX-License-Identifier: Apache-2.0
#include "record/system/thread_counters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// A set-associative table: a thread has its place in one of a few slots, the
// one used longest ago is given away. No chains, no rehashing, no surprises.
enum { SLOTS_PER_SET = 8 };

struct slot {
    uint32_t tid;
    uint64_t thread_start_ns; // 0 = free; tells a reused thread id
    uint64_t used_ns;
    int64_t values[SYSTEM_METRIC_CNT];
    int64_t weight; // of all its samples
};

struct thread_counters {
    uint32_t set_cnt; // a power of two
    struct slot *slots;
};

struct thread_counters *thread_counters_create(uint32_t max_threads)
{
    struct thread_counters *counters = calloc(1, sizeof *counters);
    if (counters == NULL) {
        return NULL;
    }
    counters->set_cnt = 1;
    while (counters->set_cnt * SLOTS_PER_SET < max_threads) {
        counters->set_cnt *= 2;
    }
    counters->slots = calloc((size_t)counters->set_cnt * SLOTS_PER_SET, sizeof *counters->slots);
    if (counters->slots == NULL) {
        free(counters);
        return NULL;
    }
    return counters;
}

void thread_counters_destroy(struct thread_counters *counters)
{
    if (counters != NULL) {
        free(counters->slots);
    }
    free(counters);
}

// Threads that were started one after the other are neighbours: a few pages hold those of today.
static struct slot *set_of(const struct thread_counters *counters, uint32_t tid)
{
    return &counters->slots[(size_t)(tid & (counters->set_cnt - 1)) * SLOTS_PER_SET];
}

static bool is_of(const struct slot *slot, const struct system_sample *sample)
{
    return slot->tid == sample->tid && slot->thread_start_ns == sample->thread_start_ns;
}

// The thread's slot, or the one to give it; `is_new` says which.
static struct slot *slot_of(const struct thread_counters *counters,
                            const struct system_sample *sample, bool *is_new)
{
    struct slot *set = set_of(counters, sample->tid);
    struct slot *oldest = set;
    *is_new = false;
    for (int i = 0; i < SLOTS_PER_SET; i++) {
        if (is_of(&set[i], sample)) {
            return &set[i];
        }
        oldest = set[i].used_ns < oldest->used_ns ? &set[i] : oldest;
        if (oldest->used_ns == 0) {
            break; // nor has anybody had those behind it
        }
    }
    *is_new = true;
    return oldest;
}

void thread_counters_take(struct thread_counters *counters, const struct system_sample *sample,
                          struct metric_value metrics[THREAD_METRIC_CNT])
{
    const int64_t now[SYSTEM_METRIC_CNT] = {
        [SYSTEM_METRIC_CPU_NS] = (int64_t)sample->cpu_ns,
        [SYSTEM_METRIC_VOLUNTARY_SWITCHES] = (int64_t)sample->voluntary_switches,
        [SYSTEM_METRIC_INVOLUNTARY_SWITCHES] = (int64_t)sample->involuntary_switches,
        [SYSTEM_METRIC_MINOR_FAULTS] = (int64_t)sample->minor_faults,
        [SYSTEM_METRIC_MAJOR_FAULTS] = (int64_t)sample->major_faults,
    };
    bool is_new = false;
    struct slot *slot = slot_of(counters, sample, &is_new);
    for (int i = 0; i < SYSTEM_METRIC_CNT; i++) {
        metrics[i].value = now[i];
        metrics[i].delta = is_new ? 0 : now[i] - slot->values[i];
    }
    int64_t weight = (int64_t)sample->weight;
    if (sample->event == SYSTEM_EVENT_CPU_CLOCK) {
        metrics[SYSTEM_METRIC_CPU_NS].delta = weight;
    }
    slot->weight = is_new ? weight : slot->weight + weight;
    metrics[THREAD_METRIC_WEIGHT] = (struct metric_value){slot->weight, weight};
    slot->tid = sample->tid;
    slot->thread_start_ns = sample->thread_start_ns;
    slot->used_ns = sample->time_ns;
    memcpy(slot->values, now, sizeof now);
}
