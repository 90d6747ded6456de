// SPDX-License-Identifier: Apache-2.0
// Which metrics a sample carries: the fork's whatever is asked for, the others by name.
#include "model/metric.h"

#include "test.h"

static struct metric_choice choice;

static bool has(const char *name)
{
    for (uint32_t i = 0; i < choice.cnt; i++) {
        if (strcmp(choice.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

TEST(without_a_wish_they_are_those_of_the_fork)
{
    metric_choice_make(&choice, 0, METRIC_OF_WALKER);
    CHECK_UINT(choice.cnt, BEAM_METRIC_CNT);
    CHECK_UINT(choice.cnt, 16);
    CHECK_STR(choice.names[0], "erlang_reductions");
    CHECK_STR(choice.names[15], "erlang_minor_gcs");
    metric_choice_make(&choice, 0, METRIC_OF_CPU_SAMPLER);
    CHECK_UINT(choice.cnt, 17);
    CHECK_STR(choice.names[16], "erlang_cpu_ns");
}

TEST(each_engine_takes_its_own_of_those_asked_for)
{
    uint64_t ids = 0;
    CHECK(metric_choice_parse("runnable_wait", &ids));
    CHECK(metric_choice_parse("run_queue_len", &ids));
    CHECK(metric_choice_parse("msacc", &ids));
    metric_choice_make(&choice, ids, METRIC_OF_WALKER);
    CHECK_UINT(choice.cnt, 16 + 2);
    CHECK(has("erlang_runnable_wait_us") && has("erlang_run_queue_len"));
    CHECK(!has("erlang_msacc_gc_us") && !has("erlang_cpu_ns"));
    metric_choice_make(&choice, ids, METRIC_OF_CPU_SAMPLER);
    CHECK_UINT(choice.cnt, 17 + 1 + 7);
    CHECK(has("erlang_msacc_gc_us") && has("erlang_run_queue_len"));
    CHECK(!has("erlang_runnable_wait_us"));
}

TEST(what_nobody_knows_is_told)
{
    uint64_t ids = 5;
    CHECK(!metric_choice_parse("", &ids));
    CHECK(!metric_choice_parse("erlang_run_queue_len", &ids));
    CHECK(!metric_choice_parse("colour", &ids));
    CHECK_UINT(ids, 5);
}

TEST(all_of_them_fit)
{
    metric_choice_make(&choice, UINT64_MAX, METRIC_OF_BOTH);
    CHECK_UINT(choice.cnt, BEAM_METRIC_ALL_CNT);
    for (uint32_t i = 0; i < choice.cnt; i++) {
        CHECK(strncmp(choice.names[i], "erlang_", 7) == 0);
        for (uint32_t k = 0; k < i; k++) {
            CHECK(strcmp(choice.names[i], choice.names[k]) != 0);
        }
    }
}

TEST(those_chosen_are_taken_in_order)
{
    struct metric_value all[BEAM_METRIC_ALL_CNT];
    struct metric_value chosen[METRIC_MAX_CNT];
    uint64_t ids = 0;
    for (int i = 0; i < BEAM_METRIC_ALL_CNT; i++) {
        all[i] = (struct metric_value){i, -i};
    }
    CHECK(metric_choice_parse("stack_depth", &ids));
    metric_choice_make(&choice, ids, METRIC_OF_WALKER);
    metric_choice_take(&choice, all, chosen);
    CHECK_INT(chosen[15].value, 15);
    CHECK_INT(chosen[16].value, BEAM_METRIC_STACK_DEPTH);
    CHECK_INT(chosen[16].delta, -BEAM_METRIC_STACK_DEPTH);
}
