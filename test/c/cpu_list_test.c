// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cpu_list.h"

#include "test.h"

static struct cpu_list list;

TEST(single_cpus_and_ranges)
{
    CHECK(cpu_list_parse(&list, "0-3,8,10-11\n"));
    CHECK_UINT(cpu_list_count(&list), 7);
    CHECK(cpu_list_has(&list, 0));
    CHECK(cpu_list_has(&list, 3));
    CHECK(!cpu_list_has(&list, 4));
    CHECK(cpu_list_has(&list, 8));
    CHECK(cpu_list_has(&list, 11));
    CHECK(!cpu_list_has(&list, 12));
}

TEST(one_cpu)
{
    CHECK(cpu_list_parse(&list, "0"));
    CHECK_UINT(cpu_list_count(&list), 1);
}

TEST(the_last_cpu_there_is_room_for)
{
    CHECK(cpu_list_parse(&list, "8191"));
    CHECK(cpu_list_has(&list, 8191));
    CHECK(!cpu_list_parse(&list, "8192"));
    CHECK(!cpu_list_has(&list, 100000));
}

TEST(nonsense_leaves_it_empty)
{
    static const char *const WRONG[] = {"",     "\n", "-1", "1-",  "3-1",
                                        "1,,2", "1,", "x",  "1 2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!cpu_list_parse(&list, WRONG[i]));
        CHECK_UINT(cpu_list_count(&list), 0);
    }
}

TEST(this_machine_has_a_cpu)
{
    struct error err = {0};
    CHECK(cpu_list_read_online(&list, &err));
    CHECK(cpu_list_count(&list) > 0);
}
