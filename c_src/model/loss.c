// SPDX-License-Identifier: Apache-2.0
#include "model/loss.h"

static const char *const LOSS_NAMES[] = {
#define LOSS_NAME(id, name) [id] = (name),
    LOSS_REASONS(LOSS_NAME)
#undef LOSS_NAME
};

static const char *const DEGRADED_NAMES[] = {
#define DEGRADED_NAME(id, name) [id] = (name),
    DEGRADED_REASONS(DEGRADED_NAME)
#undef DEGRADED_NAME
};

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct loss_snapshot loss_counters_read(const struct loss_counters *losses)
{
    struct loss_snapshot snapshot = {
        .ticks_expected = load(&losses->ticks_expected),
        .ticks_taken = load(&losses->ticks_taken),
    };
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        snapshot.lost[i] = load(&losses->lost[i]);
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        snapshot.degraded[i] = load(&losses->degraded[i]);
    }
    return snapshot;
}

const char *loss_reason_name(enum loss_reason reason)
{
    return (unsigned)reason < LOSS_REASON_CNT ? LOSS_NAMES[reason] : "unknown";
}

const char *degraded_reason_name(enum degraded_reason reason)
{
    return (unsigned)reason < DEGRADED_REASON_CNT ? DEGRADED_NAMES[reason] : "unknown";
}
