// SPDX-License-Identifier: Apache-2.0
#include "query/flame_diff.h"

#include "query_profile.h"

static struct error err;

static const struct query_row LATER[] = {
    {1ULL * QUERY_S, 40, "running", "shop", 7, "init;a;new", 1, 1, false},
    {2ULL * QUERY_S, 70, "running", "shop", 7, "init;b", 1, 1, false},
};

static struct flame_graph graph_of(const struct profile *profile)
{
    struct selection selection;
    struct flame_graph graph;
    struct flame_options options = {.weight = {WEIGHT_PERIOD, 0}};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(flame_graph_init(&graph, &selection, &options, &err));
    selection_deinit(&selection);
    return graph;
}

static const struct flame_diff_node *find(const struct flame_diff *diff, const char *name)
{
    for (uint32_t i = 0; i < diff->node_cnt; i++) {
        CHECK(i == 0 || diff->nodes[i].parent < i);
        if (text_equal(string_table_text(diff->strings, diff->nodes[i].text), text_of(name))) {
            return &diff->nodes[i];
        }
    }
    TEST_FAIL("no node %s", name);
}

TEST(two_profiles_by_name)
{
    struct profile *small = small_profile();
    struct profile *later = query_profile(LATER, 2);
    struct flame_graph before = graph_of(small);
    struct flame_graph after = graph_of(later);
    struct flame_diff_side sides[] = {{&before, 2ULL * QUERY_S}, {&after, 1ULL * QUERY_S}};
    struct flame_diff diff;
    CHECK(flame_diff_init(&diff, sides, FLAME_DIFF_TIME, &err));
    CHECK_INT(find(&diff, "all")->total[FLAME_BEFORE], 55);
    CHECK_INT(find(&diff, "all")->total[FLAME_AFTER], 110);
    CHECK_INT(find(&diff, "b")->self[FLAME_BEFORE], 10);
    CHECK_INT(find(&diff, "b")->self[FLAME_AFTER], 70);
    CHECK_INT(find(&diff, "new")->self[FLAME_BEFORE], 0);
    CHECK_INT(find(&diff, "new")->self[FLAME_AFTER], 40);
    CHECK_INT(find(&diff, "lists:map/2")->total[FLAME_AFTER], 0);
    // 10 in two seconds are 5 in one.
    CHECK(flame_diff_change(&diff, find(&diff, "b")) == 65.0);
    flame_diff_deinit(&diff);
    CHECK(flame_diff_init(&diff, sides, FLAME_DIFF_TOTAL, &err));
    CHECK(flame_diff_change(&diff, find(&diff, "b")) == 50.0);
    CHECK(flame_diff_change(&diff, find(&diff, "all")) == 0.0);
    flame_diff_deinit(&diff);
    sides[0].duration_ns = 0;
    CHECK(!flame_diff_init(&diff, sides, FLAME_DIFF_TIME, &err));
    CHECK_HAS(err.detail, "first side has no duration");
    flame_diff_deinit(&diff);
    flame_graph_deinit(&before);
    flame_graph_deinit(&after);
    profile_destroy(small);
    profile_destroy(later);
}
