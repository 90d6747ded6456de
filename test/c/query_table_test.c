// SPDX-License-Identifier: Apache-2.0
#include "query/query_table.h"

#include "query_profile.h"

enum { ROWS = 5000 };

static struct query_row rows[ROWS];
static struct error err;

static const struct table_row *find(const struct profile *profile, const struct query_table *table,
                                    const char *name)
{
    for (uint32_t i = 0; i < table->row_cnt; i++) {
        frame_id frame = table->rows[i].id;
        struct text text = profile_text(profile, profile->dictionary.frames[frame].name);
        if (text_equal(text, text_of(name))) {
            return &table->rows[i];
        }
    }
    TEST_FAIL("no row %s", name);
}

TEST(functions_with_recursion_counted_once)
{
    struct profile *profile = small_profile();
    struct selection selection;
    struct query_table table;
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(query_table_functions(&table, &selection, (struct weight){WEIGHT_PERIOD, 0}, &err));
    CHECK_INT(find(profile, &table, "init")->total, 50);
    CHECK_INT(find(profile, &table, "init")->self, 0);
    CHECK_UINT(find(profile, &table, "init")->row_cnt, 4);
    // a calls a: its total counts the sample once.
    CHECK_INT(find(profile, &table, "a")->total, 40);
    CHECK_INT(find(profile, &table, "a")->self, 20);
    // Two lines are one function.
    CHECK_INT(find(profile, &table, "lists:map/2")->self, 20);
    CHECK_INT(find(profile, &table, "")->self, 5);
    CHECK_INT(table.total, 55);
    CHECK_INT(table.rows[0].self, 20);
    query_table_deinit(&table);
    profile_destroy(profile);
}

TEST(values_of_a_dimension)
{
    struct profile *profile = small_profile();
    struct selection selection;
    struct query_table table;
    char digits[PROFILE_DIGITS_BYTES];
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(query_table_dimension(&table, &selection, (struct weight){WEIGHT_DELTA, 0},
                                PROFILE_STATUS, &err));
    CHECK_UINT(table.row_cnt, 3);
    CHECK_INT(table.rows[0].self, -50);
    CHECK(text_equal(profile_code_text(profile, PROFILE_STATUS, table.rows[0].id, digits),
                     TEXT("gc")));
    CHECK_INT(table.rows[1].self, 14);
    CHECK_INT(table.rows[2].self, -7);
    CHECK_INT(table.total, -43);
    CHECK_UINT(table.magnitude, 71);
    CHECK_UINT(table.lacking_cnt, 1);
    query_table_deinit(&table);
    profile_destroy(profile);
}

TEST(sums_of_many_rows)
{
    struct profile *profile = random_profile(rows, ROWS);
    struct selection selection;
    struct query_table table;
    int64_t self = 0;
    int64_t period = 0;
    int64_t with_a = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        period += rows[i].period;
        with_a += strstr(rows[i].stack, ";a") != NULL ? rows[i].period : 0;
    }
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(query_table_functions(&table, &selection, (struct weight){WEIGHT_PERIOD, 0}, &err));
    for (uint32_t i = 0; i < table.row_cnt; i++) {
        self += table.rows[i].self;
    }
    CHECK_INT(self, period);
    CHECK_INT(table.total, period);
    CHECK_INT(find(profile, &table, "a")->total, with_a);
    query_table_deinit(&table);
    profile_destroy(profile);
}
