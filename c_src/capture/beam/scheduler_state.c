// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/scheduler_state.h"

static const char *const NAMES[] = {
#define STATE_NAME(id, name) [id] = (name),
    SCHEDULER_STATES(STATE_NAME)
#undef STATE_NAME
};

const char *scheduler_state_name(enum scheduler_state state)
{
    return (unsigned)state < SCHEDULER_STATE_CNT ? NAMES[state] : "unknown";
}
