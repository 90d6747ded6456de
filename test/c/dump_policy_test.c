// SPDX-License-Identifier: Apache-2.0
#include "sinks/dump_policy.h"

#include "test.h"

static struct dump_policy policy;
static enum dump_refusal why;

TEST(one_at_a_time)
{
    policy = (struct dump_policy){.max = 10};
    CHECK(dump_policy_ask(&policy, true, false, 5, &why));
    CHECK(!dump_policy_ask(&policy, true, false, 6, &why));
    CHECK_INT(why, DUMP_BUSY);
    CHECK(!dump_policy_ask(&policy, false, false, 6, &why));
    dump_policy_ended(&policy, 7);
    CHECK(dump_policy_ask(&policy, false, false, 8, &why));
    CHECK_UINT(policy.by_trigger, 1);
    CHECK_UINT(policy.on_call, 1);
    CHECK_UINT(policy.suppressed[DUMP_BUSY], 2);
}

TEST(those_of_triggers_have_a_distance)
{
    policy = (struct dump_policy){.distance_ns = 60};
    CHECK(dump_policy_ask(&policy, true, false, 5, &why));
    dump_policy_ended(&policy, 10);
    CHECK(!dump_policy_ask(&policy, true, false, 69, &why));
    CHECK_INT(why, DUMP_TOO_SOON);
    CHECK(dump_policy_ask(&policy, false, false, 69, &why)); // somebody's own
    dump_policy_ended(&policy, 69);
    CHECK(dump_policy_ask(&policy, true, true, 70, &why));
    CHECK_UINT(policy.suppressed[DUMP_TOO_SOON], 1);
}

TEST(who_asks_again_is_counted_once)
{
    policy = (struct dump_policy){.distance_ns = 60, .last_end_ns = 10};
    CHECK(!dump_policy_ask(&policy, true, false, 20, &why));
    CHECK(!dump_policy_ask(&policy, true, true, 21, &why));
    CHECK(!dump_policy_ask(&policy, true, true, 22, &why));
    CHECK_UINT(policy.suppressed[DUMP_TOO_SOON], 1);
}

TEST(so_many_and_no_more)
{
    policy = (struct dump_policy){.max = 1};
    CHECK(dump_policy_ask(&policy, true, false, 5, &why));
    dump_policy_ended(&policy, 6);
    CHECK(!dump_policy_ask(&policy, true, false, 7, &why));
    CHECK_INT(why, DUMP_ENOUGH);
    CHECK_STR(dump_refusal_name(why), "enough");
    CHECK(dump_policy_ask(&policy, false, false, 7, &why));
}
