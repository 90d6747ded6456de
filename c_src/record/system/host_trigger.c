// SPDX-License-Identifier: Apache-2.0
#include "record/system/host_trigger.h"

bool host_trigger_look(struct host_trigger *trigger, double value, uint64_t now_ns)
{
    if (value <= trigger->limit) {
        trigger->since_ns = 0;
        trigger->is_served = false;
        trigger->is_refused = false;
        return false;
    }
    trigger->since_ns = trigger->since_ns == 0 ? now_ns : trigger->since_ns;
    return !trigger->is_served && now_ns - trigger->since_ns >= trigger->hold_ns;
}
