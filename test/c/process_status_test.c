// SPDX-License-Identifier: Apache-2.0
// The status that process_info/2 would give, for every combination of state flags.
#include "capture/beam/process_status.h"

#include "fake_vm.h"

enum { OTHER_FLAGS = 0x80, ACTIVE_SYS = 0x100000, RUNNING_SYS = 0x200000 };
enum { DIRTY_ACTIVE_SYS = 1 << 28, DIRTY_RUNNING = 1 << 29, DIRTY_RUNNING_SYS = 1 << 30 };

// In the order of erts_process_state2status: the first that is set decides.
static enum process_status wanted_of(uint32_t flags)
{
    static const struct {
        uint32_t flags;
        enum process_status status;
    } ORDER[] = {
        {FAKE_FREE, PROCESS_FREE},
        {FAKE_EXITING, PROCESS_EXITING},
        {FAKE_COLLECTING, PROCESS_GARBAGE_COLLECTING},
        {FAKE_SUSPENDED, PROCESS_SUSPENDED},
        {FAKE_RUNNING | RUNNING_SYS | DIRTY_RUNNING | DIRTY_RUNNING_SYS, PROCESS_RUNNING},
        {FAKE_RUNNABLE | ACTIVE_SYS | DIRTY_ACTIVE_SYS, PROCESS_RUNNABLE},
    };
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
        if ((flags & ORDER[i].flags) != 0) {
            return ORDER[i].status;
        }
    }
    return PROCESS_WAITING;
}

TEST(every_combination_of_flags_has_its_status)
{
    static const uint32_t FLAGS[] = {FAKE_FREE,      FAKE_EXITING,     FAKE_COLLECTING,
                                     FAKE_SUSPENDED, FAKE_RUNNING,     FAKE_RUNNABLE,
                                     OTHER_FLAGS,    ACTIVE_SYS,       RUNNING_SYS,
                                     DIRTY_RUNNING,  DIRTY_ACTIVE_SYS, DIRTY_RUNNING_SYS};
    enum { CNT = sizeof FLAGS / sizeof FLAGS[0] };
    for (uint32_t set = 0; set < 1U << CNT; set++) {
        uint32_t flags = 0;
        for (uint32_t i = 0; i < CNT; i++) {
            flags |= (set >> i & 1) != 0 ? FLAGS[i] : 0;
        }
        CHECK_INT(process_status_of(flags), wanted_of(flags));
        uint32_t dirty = DIRTY_RUNNING | DIRTY_RUNNING_SYS;
        CHECK_INT(process_is_dirty(flags), (flags & dirty) != 0);
        CHECK_INT(process_is_running(flags), (flags & (dirty | FAKE_RUNNING | RUNNING_SYS)) != 0);
    }
}

TEST(each_status_has_its_name)
{
    CHECK_STR(process_status_name(PROCESS_WAITING), "waiting");
    CHECK_STR(process_status_name(PROCESS_GARBAGE_COLLECTING), "garbage_collecting");
    CHECK_STR(process_status_name(PROCESS_STATUS_CNT), "unknown");
    CHECK_STR(process_status_name((enum process_status) - 1), "unknown");
    for (int i = 0; i < PROCESS_STATUS_CNT; i++) { // a category holds no digit and no blank
        const char *name = process_status_name((enum process_status)i);
        CHECK_UINT(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
    }
}
