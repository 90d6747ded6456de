// SPDX-License-Identifier: Apache-2.0
// Why a sample is missing, or less than whole. Every way out of a hot path
// bumps one counter; the counters travel with the data (file footer, info/0).
#ifndef FLAME_PROF_MODEL_LOSS_H
#define FLAME_PROF_MODEL_LOSS_H

#include <stdatomic.h>
#include <stdint.h>

// Samples that were due and are not in the output. Append only.
#define LOSS_REASONS(X)                                                                            \
    X(LOSS_CHANGED, "changed_while_read") /* BEAM: moved between the two reads, every retry */     \
    X(LOSS_UNREADABLE, "unreadable")      /* BEAM: memory went away under the read */              \
    X(LOSS_IMPLAUSIBLE, "implausible")    /* fields contradict each other */                       \
    X(LOSS_RING_FULL, "ring_full")        /* writer too slow or stuck */                           \
    X(LOSS_MISSED_TICK, "missed_tick")    /* the sampling thread woke too late: whole ticks */     \
    X(LOSS_WRITE_FAILED, "write_failed")  /* disk full or gone */                                  \
    X(LOSS_LATE, "late")                  /* system: arrived after newer samples were written */   \
    X(LOSS_THROTTLED, "throttled")        /* system: the kernel skipped ticks */                   \
    X(LOSS_NO_MEMORY, "no_memory")        /* a bounded table or buffer was full */                 \
    X(LOSS_LIMITED, "rate_limited")       /* system: more per second than it may cost */

enum loss_reason {
#define LOSS_ENUM(id, name) id,
    LOSS_REASONS(LOSS_ENUM)
#undef LOSS_ENUM
        LOSS_REASON_CNT
};

// Samples that are in the output with something missing. Append only.
#define DEGRADED_REASONS(X)                                                                        \
    X(DEGRADED_STACK_TRUNCATED, "stack_truncated") /* deeper than the limit: both ends kept */     \
    X(DEGRADED_STACK_PARTIAL, "stack_partial")     /* running: as of its last switch or C call */  \
    X(DEGRADED_STACK_MISSING, "stack_missing")     /* GC, exiting, unreadable */                   \
    X(DEGRADED_NAME_UNKNOWN, "name_unknown")       /* an address or atom without a name */

enum degraded_reason {
#define DEGRADED_ENUM(id, name) id,
    DEGRADED_REASONS(DEGRADED_ENUM)
#undef DEGRADED_ENUM
        DEGRADED_REASON_CNT
};

// Since the session began. Any thread may add and read; relaxed.
struct loss_counters {
    _Atomic uint64_t lost[LOSS_REASON_CNT];
    _Atomic uint64_t degraded[DEGRADED_REASON_CNT];
    _Atomic uint64_t ticks_expected;
    _Atomic uint64_t ticks_taken;
};

// A plain copy, for differences between two moments.
struct loss_snapshot {
    uint64_t lost[LOSS_REASON_CNT];
    uint64_t degraded[DEGRADED_REASON_CNT];
    uint64_t ticks_expected;
    uint64_t ticks_taken;
};

static inline void loss_add(struct loss_counters *losses, enum loss_reason reason, uint64_t cnt)
{
    atomic_fetch_add_explicit(&losses->lost[reason], cnt, memory_order_relaxed);
}

static inline void degraded_add(struct loss_counters *losses, enum degraded_reason reason)
{
    atomic_fetch_add_explicit(&losses->degraded[reason], 1, memory_order_relaxed);
}

struct loss_snapshot loss_counters_read(const struct loss_counters *losses);

// Static, never NULL.
const char *loss_reason_name(enum loss_reason reason);
const char *degraded_reason_name(enum degraded_reason reason);

#endif
