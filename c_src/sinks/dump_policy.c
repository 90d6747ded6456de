// SPDX-License-Identifier: Apache-2.0
#include "sinks/dump_policy.h"

static const char *const NAMES[] = {
#define DUMP_REFUSAL_NAME(id, name) [id] = (name),
    DUMP_REFUSALS(DUMP_REFUSAL_NAME)
#undef DUMP_REFUSAL_NAME
};

const char *dump_refusal_name(enum dump_refusal refusal)
{
    return (unsigned)refusal < DUMP_REFUSAL_CNT ? NAMES[refusal] : "unknown";
}

static bool is_refused(const struct dump_policy *policy, bool by_trigger, uint64_t now_ns,
                       enum dump_refusal *why_ret)
{
    if (policy->is_going_on) {
        *why_ret = DUMP_BUSY;
        return true;
    }
    if (!by_trigger) {
        return false;
    }
    if (policy->max != 0 && policy->by_trigger >= policy->max) {
        *why_ret = DUMP_ENOUGH;
        return true;
    }
    *why_ret = DUMP_TOO_SOON;
    return policy->last_end_ns != 0 && now_ns - policy->last_end_ns < policy->distance_ns;
}

bool dump_policy_ask(struct dump_policy *policy, bool by_trigger, bool again, uint64_t now_ns,
                     enum dump_refusal *why_ret)
{
    if (is_refused(policy, by_trigger, now_ns, why_ret)) {
        policy->suppressed[*why_ret] += again ? 0 : 1;
        return false;
    }
    policy->is_going_on = true;
    policy->is_by_trigger = by_trigger;
    *(by_trigger ? &policy->by_trigger : &policy->on_call) += 1;
    return true;
}

// Somebody's own dump keeps no trigger from making one.
void dump_policy_ended(struct dump_policy *policy, uint64_t now_ns)
{
    policy->is_going_on = false;
    policy->last_end_ns = policy->is_by_trigger ? now_ns : policy->last_end_ns;
}
