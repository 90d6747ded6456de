// SPDX-License-Identifier: Apache-2.0
// The set of sampled processes against a naive model of it.
#include "capture/beam/target_set.h"

#include "test.h"

enum { MAX_TARGETS = 40, IDS = 120, OPERATIONS = 60000 };

// What is known of one id.
struct model_target {
    bool here;
    bool explicit_one;
    bool chosen;
    int status_filter;
    uint64_t joined_ns;
};

static struct model_target model[IDS];
static struct target_set set;
static uint64_t random_state;

static uint64_t id_of(unsigned i)
{
    return (uint64_t)i << 36 | 3; // many share low bits, as pids do
}

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(random_state >> 33) % limit;
}

static uint32_t model_cnt(void)
{
    uint32_t cnt = 0;
    for (unsigned i = 0; i < IDS; i++) {
        cnt += model[i].here;
    }
    return cnt;
}

static bool model_join(unsigned i, enum target_origin origin, int status_filter, uint64_t now_ns)
{
    if (!model[i].here && model_cnt() == MAX_TARGETS) {
        return false;
    }
    if (!model[i].here) {
        model[i] = (struct model_target){
            .here = true, .status_filter = status_filter, .joined_ns = now_ns};
    }
    if (origin == TARGET_EXPLICIT) {
        model[i].explicit_one = true;
        model[i].status_filter = status_filter;
    }
    return true;
}

static void model_release(unsigned i)
{
    if (model[i].here && model[i].chosen) {
        model[i].explicit_one = false;
    } else {
        model[i].here = false;
    }
}

static void model_choose(const unsigned *chosen, uint32_t cnt, int status_filter, uint64_t now_ns)
{
    for (unsigned i = 0; i < IDS; i++) {
        model[i].chosen = false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        model[chosen[i]].chosen = model[chosen[i]].here;
    }
    for (unsigned i = 0; i < IDS; i++) {
        model[i].here = model[i].here && (model[i].explicit_one || model[i].chosen);
    }
    for (uint32_t i = 0; i < cnt; i++) {
        model[chosen[i]].chosen = model_join(chosen[i], TARGET_AUTO, status_filter, now_ns);
    }
}

static void check_model(void)
{
    CHECK_UINT(set.cnt, model_cnt());
    for (unsigned i = 0; i < IDS; i++) {
        const struct target *target = target_set_find(&set, id_of(i));
        CHECK_INT(target != NULL, model[i].here);
        if (target != NULL) {
            CHECK_UINT(target->id, id_of(i));
            CHECK_INT(target->origin == TARGET_EXPLICIT, model[i].explicit_one);
            CHECK_INT(target->chosen, model[i].chosen);
            CHECK_INT(target->status_filter, model[i].status_filter);
            CHECK_UINT(target->last_ns, model[i].joined_ns); // its history stays its own
        }
    }
}

// Every one is seen once before one is seen again.
static void check_turns(void)
{
    bool seen[IDS] = {false};
    uint32_t cnt = set.cnt;
    for (uint32_t i = 0; i < cnt; i++) {
        const struct target *target = target_set_next(&set);
        CHECK(target != NULL);
        unsigned number = (unsigned)(target->id >> 36);
        CHECK(!seen[number]);
        seen[number] = true;
    }
    CHECK(cnt > 0 || target_set_next(&set) == NULL);
}

static void choose_some(uint64_t now_ns)
{
    unsigned chosen[IDS];
    uint64_t ids[IDS];
    uint32_t cnt = random_below(MAX_TARGETS + 10);
    unsigned first = random_below(IDS);
    unsigned step = 1 + random_below(IDS - 1) / 2 * 2;
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        unsigned number = (first + i * step) % IDS;
        bool twice = false;
        for (uint32_t k = 0; k < distinct; k++) {
            twice = twice || chosen[k] == number;
        }
        if (!twice) {
            chosen[distinct] = number;
            ids[distinct++] = id_of(number);
        }
    }
    int filter = (int)random_below(4) - 1;
    target_set_choose(&set, ids, distinct, filter, now_ns);
    model_choose(chosen, distinct, filter, now_ns);
}

TEST(thousands_of_operations_agree_with_the_model)
{
    CHECK(target_set_init(&set, MAX_TARGETS));
    memset(model, 0, sizeof model);
    uint64_t refused = 0;
    for (uint64_t now_ns = 1; now_ns <= OPERATIONS; now_ns++) {
        unsigned i = random_below(IDS);
        int filter = (int)random_below(4) - 1;
        enum target_origin origin = random_below(2) == 0 ? TARGET_AUTO : TARGET_EXPLICIT;
        bool joined;
        switch (random_below(8)) {
        case 0:
            target_set_leave(&set, id_of(i));
            model[i].here = false;
            break;
        case 1:
        case 2:
            target_set_release(&set, id_of(i));
            model_release(i);
            break;
        case 3:
            choose_some(now_ns);
            refused = set.refused_cnt;
            break;
        default:
            joined = model_join(i, origin, filter, now_ns);
            CHECK_INT(target_set_join(&set, id_of(i), origin, filter, now_ns) != NULL, joined);
            refused += !joined;
            CHECK_UINT(set.refused_cnt, refused);
        }
        if (!model[i].here) {
            model[i] = (struct model_target){0};
        }
        for (unsigned k = 0; k < IDS; k++) { // those that left are forgotten
            if (!model[k].here) {
                model[k] = (struct model_target){0};
            }
        }
        check_model();
        check_turns();
    }
    CHECK(refused > 0);
    target_set_deinit(&set);
    target_set_deinit(&set);
}

TEST(those_who_are_chosen_again_keep_their_history)
{
    const uint64_t first[] = {id_of(1), id_of(2), id_of(3)};
    const uint64_t second[] = {id_of(4), id_of(2)};
    CHECK(target_set_init(&set, 3));
    target_set_choose(&set, first, 3, TARGET_ANY_STATUS, 10);
    target_set_find(&set, id_of(2))->values[0] = 77;
    target_set_choose(&set, second, 2, TARGET_ANY_STATUS, 20);
    CHECK_UINT(set.cnt, 2);
    CHECK_INT(target_set_find(&set, id_of(2))->values[0], 77);
    CHECK_UINT(target_set_find(&set, id_of(2))->last_ns, 10);
    CHECK_UINT(target_set_find(&set, id_of(4))->last_ns, 20);
    CHECK(target_set_find(&set, id_of(1)) == NULL);
    target_set_deinit(&set);
}

TEST(explicit_ones_are_never_pushed_out)
{
    uint64_t ids[10];
    CHECK(target_set_init(&set, 4));
    for (unsigned i = 0; i < 10; i++) {
        ids[i] = id_of(10 + i);
    }
    CHECK(target_set_join(&set, id_of(1), TARGET_EXPLICIT, PROCESS_RUNNING, 1) != NULL);
    target_set_choose(&set, ids, 10, TARGET_ANY_STATUS, 2);
    CHECK_UINT(set.cnt, 4);
    CHECK_UINT(set.refused_cnt, 7);
    CHECK(target_set_find(&set, id_of(1)) != NULL);
    CHECK(target_set_join(&set, id_of(2), TARGET_EXPLICIT, TARGET_ANY_STATUS, 3) == NULL);
    target_set_choose(&set, ids, 0, TARGET_ANY_STATUS, 4);
    CHECK_UINT(set.cnt, 1);
    target_set_deinit(&set);
}
