// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/process_status.h"

#define STATE_FLAG(n) (1U << (6 + (n)))

enum state_flag {
    STATE_FREE = STATE_FLAG(4),
    STATE_EXITING = STATE_FLAG(5),
    STATE_ACTIVE = STATE_FLAG(7),
    STATE_RUNNING = STATE_FLAG(9),
    STATE_SUSPENDED = STATE_FLAG(10),
    STATE_GC = STATE_FLAG(11),
    STATE_ACTIVE_SYS = STATE_FLAG(14),
    STATE_RUNNING_SYS = STATE_FLAG(15),
    STATE_DIRTY_ACTIVE_SYS = STATE_FLAG(22),
    STATE_DIRTY_RUNNING = STATE_FLAG(23),
    STATE_DIRTY_RUNNING_SYS = STATE_FLAG(24),
};

static const char *const STATUS_NAMES[] = {
#define STATUS_NAME(id, name) [id] = (name),
    PROCESS_STATUSES(STATUS_NAME)
#undef STATUS_NAME
};

bool process_is_running(uint32_t state_flags)
{
    return (state_flags & (STATE_RUNNING | STATE_RUNNING_SYS | STATE_DIRTY_RUNNING |
                           STATE_DIRTY_RUNNING_SYS)) != 0;
}

bool process_is_dirty(uint32_t state_flags)
{
    return (state_flags & (STATE_DIRTY_RUNNING | STATE_DIRTY_RUNNING_SYS)) != 0;
}

enum process_status process_status_of(uint32_t state_flags)
{
    if ((state_flags & STATE_FREE) != 0) {
        return PROCESS_FREE;
    }
    if ((state_flags & STATE_EXITING) != 0) {
        return PROCESS_EXITING;
    }
    if ((state_flags & STATE_GC) != 0) {
        return PROCESS_GARBAGE_COLLECTING;
    }
    if ((state_flags & STATE_SUSPENDED) != 0) {
        return PROCESS_SUSPENDED;
    }
    if (process_is_running(state_flags)) {
        return PROCESS_RUNNING;
    }
    bool active = (state_flags & (STATE_ACTIVE | STATE_ACTIVE_SYS | STATE_DIRTY_ACTIVE_SYS)) != 0;
    return active ? PROCESS_RUNNABLE : PROCESS_WAITING;
}

const char *process_status_name(enum process_status status)
{
    return (unsigned)status < PROCESS_STATUS_CNT ? STATUS_NAMES[status] : "unknown";
}
