// SPDX-License-Identifier: Apache-2.0
// Which dumps a flight recorder writes: one at a time, those of triggers not too often and
// not too many, those asked for by somebody always. What is not written is counted by its
// reason. Plain data; time is passed in.
#ifndef FLAME_PROF_SINKS_DUMP_POLICY_H
#define FLAME_PROF_SINKS_DUMP_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define DUMP_REFUSALS(X)                                                                           \
    X(DUMP_BUSY, "busy")         /* one is being written */                                        \
    X(DUMP_TOO_SOON, "too_soon") /* after the last one */                                          \
    X(DUMP_ENOUGH, "enough")     /* as many as there may be */

enum dump_refusal {
#define DUMP_REFUSAL_ENUM(id, name) id,
    DUMP_REFUSALS(DUMP_REFUSAL_ENUM)
#undef DUMP_REFUSAL_ENUM
        DUMP_REFUSAL_CNT
};

struct dump_policy {
    uint32_t max;         // by triggers; 0 = no limit
    uint64_t distance_ns; // from the end of one by a trigger to the next
    bool is_going_on;
    bool is_by_trigger;
    uint32_t by_trigger; // begun so far
    uint32_t on_call;
    uint64_t last_end_ns; // of one by a trigger; 0 = none yet
    uint64_t suppressed[DUMP_REFUSAL_CNT];
};

// True: it may begin, and has begun. False, with the reason, otherwise; who asks again for
// the same says so, that it is counted once.
bool dump_policy_ask(struct dump_policy *policy, bool by_trigger, bool again, uint64_t now_ns,
                     enum dump_refusal *why_ret);

// That which goes on is over.
void dump_policy_ended(struct dump_policy *policy, uint64_t now_ns);

// "busy", ...; static.
const char *dump_refusal_name(enum dump_refusal refusal);

#endif
