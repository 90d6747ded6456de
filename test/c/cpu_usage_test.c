// SPDX-License-Identifier: Apache-2.0
// CPU time by process: added up, fading, and bounded however many processes there are.
#include "capture/beam/cpu_usage.h"

#include "test.h"

static struct cpu_usage usage;
static struct cpu_usage_view view;

TEST(time_adds_up_and_fades)
{
    cpu_usage_init(&usage);
    cpu_usage_add(&usage, 0x53, 1000);
    cpu_usage_add(&usage, 0x63, 5000);
    cpu_usage_add(&usage, 0x53, 3000);
    cpu_usage_take(&usage, &view);
    CHECK_UINT(cpu_usage_of(&view, 0x53), 4000);
    CHECK_UINT(cpu_usage_of(&view, 0x63), 5000);
    CHECK_UINT(cpu_usage_of(&view, 0x73), 0);
    cpu_usage_add(&usage, 0x53, 1000);
    CHECK_UINT(cpu_usage_of(&view, 0x53), 4000); // a copy
    cpu_usage_take(&usage, &view);
    CHECK_UINT(cpu_usage_of(&view, 0x53), 3000);
    CHECK_UINT(cpu_usage_of(&view, 0x63), 2500);
    cpu_usage_deinit(&usage);
}

TEST(who_works_most_stays_among_very_many)
{
    cpu_usage_init(&usage);
    for (uint64_t i = 0; i < 100000; i++) {
        cpu_usage_add(&usage, 0x1000003 + i * 16, 10);
        cpu_usage_add(&usage, 0x53, 10);
    }
    cpu_usage_take(&usage, &view);
    CHECK_UINT(cpu_usage_of(&view, 0x53), 1000000);
    cpu_usage_deinit(&usage);
}
