// SPDX-License-Identifier: Apache-2.0
// The parts of a profile grow without losing what is in them.
#include "model/profile_parts.h"

#include "model/value_index.h"
#include "test.h"

TEST(where_all_had_a_metric_bits_say_so_from_the_first_that_lacks_it)
{
    struct profile_metric metric = {.present_cnt = 130}; // without bits: everywhere
    uint64_t word_cnt = 0;
    uint64_t *present = profile_metric_presence(&metric, 140, &word_cnt);
    CHECK(present != NULL && word_cnt >= 3);
    for (uint64_t row = 0; row < 140; row++) {
        CHECK_INT(profile_metric_present(&metric, row), row < 130);
    }
    present[139 / 64] |= 1ULL << 139 % 64;
    present = profile_metric_presence(&metric, 100000, &word_cnt);
    CHECK(present != NULL);
    for (uint64_t row = 0; row < 100000; row++) {
        CHECK_INT(profile_metric_present(&metric, row), row < 130 || row == 139);
    }
    free((void *)metric.present);
}

TEST(a_metric_that_came_late_was_nowhere)
{
    struct profile_metric metric = {.present_cnt = 0};
    uint64_t word_cnt = 0;
    CHECK(profile_metric_presence(&metric, 64, &word_cnt) != NULL);
    for (uint64_t row = 0; row < 64; row++) {
        CHECK(!profile_metric_present(&metric, row));
    }
    free((void *)metric.present);
}

TEST(sources_facts_and_mappings_stay_as_more_come)
{
    struct profile *profile = profile_create(1 << 20);
    CHECK(profile != NULL);
    for (uint32_t i = 0; i < 100; i++) {
        struct profile_source *source = profile_add_source(profile);
        CHECK(source != NULL);
        source->name = i + 1;
        struct profile_mapping mapping = {.start = i, .end = i + 1};
        CHECK(profile_add_mapping(profile, &mapping));
        CHECK(profile_add_fact(&profile->sources[0], (struct profile_fact){.key = i + 1}));
    }
    CHECK_UINT(profile->source_cnt, 100);
    CHECK_UINT(profile->mapping_cnt, 100);
    CHECK_UINT(profile->sources[0].fact_cnt, 100);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_UINT(profile->sources[i].name, i + 1);
        CHECK_UINT(profile->mappings[i].start, i);
        CHECK_UINT(profile->sources[0].facts[i].key, i + 1);
    }
    profile_destroy(profile);
}

TEST(fixed_dimensions_have_names_and_end)
{
    for (uint32_t i = 0; i < PROFILE_FIXED_DIMENSION_CNT; i++) {
        CHECK(profile_fixed_dimension(i)->name.len > 0);
    }
    CHECK(profile_fixed_dimension(PROFILE_FIXED_DIMENSION_CNT) == NULL);
}

TEST(a_value_has_one_code_and_the_limit_is_kept)
{
    struct value_index index = {.capacity = 0};
    struct profile_dimension dimension = {.value_cnt = 1};
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 31; i++) { // with the first, room for 32
            CHECK_UINT(value_index_code(&index, &dimension, 1000 + i, 32 * 8), i + 1);
            CHECK_UINT(value_index_code(&index, &dimension, 1000 + i, 32 * 8), i + 1);
        }
    }
    CHECK_UINT(value_index_code(&index, &dimension, 7, 32 * 8), 0);
    CHECK_UINT(dimension.value_cnt, 32);
    CHECK_INT(dimension.values[31], 1030);
    value_index_deinit(&index);
    free((void *)dimension.values);
}
