// SPDX-License-Identifier: Apache-2.0
// Group leaders to applications: found whatever the order they were told in, bounded.
#include "record/beam/application_table.h"

#include "test.h"

static struct application_table table;

TEST(each_is_found_by_its_master)
{
    const struct application told[] = {{900, 1}, {20, 2}, {500, 3}};
    application_table_init(&table);
    CHECK_UINT(application_table_find(&table, 900), 0);
    application_table_set(&table, told, 3);
    CHECK_UINT(application_table_find(&table, 900), 1);
    CHECK_UINT(application_table_find(&table, 20), 2);
    CHECK_UINT(application_table_find(&table, 500), 3);
    CHECK_UINT(application_table_find(&table, 21), 0);
    CHECK_UINT(application_table_find(&table, 0), 0);
    application_table_set(&table, told, 1); // all that run now
    CHECK_UINT(application_table_find(&table, 20), 0);
    application_table_set(&table, NULL, 0);
    CHECK_UINT(application_table_find(&table, 900), 0);
    application_table_deinit(&table);
}

TEST(no_more_are_kept_than_there_is_room_for)
{
    static struct application told[APPLICATION_TABLE_MAX + 10];
    for (uint64_t i = 0; i < APPLICATION_TABLE_MAX + 10; i++) {
        told[i] = (struct application){i + 1, i + 1001};
    }
    application_table_init(&table);
    application_table_set(&table, told, APPLICATION_TABLE_MAX + 10);
    CHECK_UINT(application_table_find(&table, APPLICATION_TABLE_MAX), APPLICATION_TABLE_MAX + 1000);
    CHECK_UINT(application_table_find(&table, APPLICATION_TABLE_MAX + 1), 0);
    application_table_deinit(&table);
}
