// SPDX-License-Identifier: Apache-2.0
// Profiles for the tests of query/: a small one that is known, a large one that is
// random but the same each time.
#ifndef FLAME_PROF_TEST_QUERY_PROFILE_H
#define FLAME_PROF_TEST_QUERY_PROFILE_H

#include "model/profile_builder.h"

#include "test.h"

struct query_row {
    uint64_t time_ns;
    int64_t period;
    const char *status;
    const char *registered; // NULL = none
    int64_t tid;
    const char *stack; // "root;...;leaf", a frame may end in :LINE
    int64_t memory;
    int64_t delta;
    bool lacks_metric;
};

static inline stack_id query_stack(struct profile *profile, const char *frames)
{
    stack_id stack = 0;
    while (*frames != '\0') {
        size_t len = strcspn(frames, ";");
        const char *line = memchr(frames, '@', len);
        size_t name_len = line == NULL ? len : (size_t)(line - frames);
        struct profile_frame frame = {
            .name = string_table_intern(profile->dictionary.strings,
                                        (struct text){frames, (uint32_t)name_len}),
            .file = string_table_intern(profile->dictionary.strings, TEXT("x.erl")),
            .line = line == NULL ? 0 : (uint32_t)atoi(line + 1),
        };
        stack = profile_dictionary_stack(&profile->dictionary, stack,
                                         profile_dictionary_frame(&profile->dictionary, &frame));
        frames += len + (frames[len] == ';' ? 1 : 0);
    }
    return stack;
}

static inline struct profile *query_profile(const struct query_row *rows, uint32_t cnt)
{
    struct error err = {0};
    struct profile_builder *builder = profile_builder_create(NULL);
    struct profile *profile = profile_builder_profile(builder);
    int registered =
        profile_builder_dimension(builder, TEXT("registered"), PROFILE_DIMENSION_TEXT, true);
    int metric = profile_builder_metric(builder, TEXT("erlang_memory"), TEXT("bytes"));
    for (uint32_t i = 0; i < cnt; i++) {
        const struct query_row *row = &rows[i];
        profile_builder_begin_row(builder, row->time_ns, query_stack(profile, row->stack),
                                  row->period);
        profile_builder_set_code(
            builder, PROFILE_STATUS,
            profile_builder_text(builder, PROFILE_STATUS, text_of(row->status)));
        profile_builder_set_code(builder, PROFILE_TID,
                                 profile_builder_number(builder, PROFILE_TID, row->tid));
        if (row->registered != NULL) {
            profile_builder_set_code(
                builder, (uint32_t)registered,
                profile_builder_text(builder, (uint32_t)registered, text_of(row->registered)));
        }
        if (!row->lacks_metric) {
            profile_builder_set_metric(builder, (uint32_t)metric, row->memory, row->delta);
        }
        profile_builder_end_row(builder);
    }
    profile = profile_builder_finish(builder, &err);
    CHECK(profile != NULL);
    return profile;
}

enum { QUERY_S = 1000000000, QUERY_MS = 1000000 };

// Five samples over two seconds.
static const struct query_row QUERY_ROWS[] = {
    {10ULL * QUERY_S + 5 * QUERY_MS, 10, "running", "shop", 7, "init;a;lists:map/2@5", 100, 4,
     false},
    {10ULL * QUERY_S + 15 * QUERY_MS, 10, "waiting", NULL, 8, "init;b", 300, -7, false},
    {10ULL * QUERY_S + 25 * QUERY_MS, 10, "running", "shop", 7, "init;a;lists:map/2@9", 110, 10,
     false},
    {11ULL * QUERY_S + 999 * QUERY_MS, 20, "running", NULL, 9, "init;a;a", 0, 0, true},
    {12ULL * QUERY_S, 5, "gc", NULL, 9, "", 50, -50, false},
};

enum { QUERY_ROW_CNT = sizeof QUERY_ROWS / sizeof QUERY_ROWS[0] };

static inline struct profile *small_profile(void)
{
    return query_profile(QUERY_ROWS, QUERY_ROW_CNT);
}

static inline uint64_t query_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// `rows` is filled, too, so that a test can do the sums in its own way.
static inline struct profile *random_profile(struct query_row *rows, uint32_t cnt)
{
    static const char *const STATUS[] = {"running", "waiting", "runnable", "gc"};
    static const char *const NAMES[] = {NULL, "shop", "ledger", "stock"};
    static const char *const STACKS[] = {
        "init;a;b;c", "init;a;b@1;c@2", "init;a;b@2", "init;d;a;b;a", "other", "", "init;d@4;e;f",
    };
    uint64_t state = 88172645463325252ULL;
    uint64_t time_ns = 77ULL * QUERY_S + 123456789;
    for (uint32_t i = 0; i < cnt; i++) {
        time_ns += query_random(&state) % (3 * QUERY_MS);
        rows[i] = (struct query_row){
            .time_ns = time_ns,
            .period = (int64_t)(query_random(&state) % 1000),
            .status = STATUS[query_random(&state) % 4],
            .registered = NAMES[query_random(&state) % 4],
            .tid = (int64_t)(query_random(&state) % 50),
            .stack = STACKS[query_random(&state) % 7],
            .memory = (int64_t)(query_random(&state) % 100000),
            .delta = (int64_t)(query_random(&state) % 2001) - 1000,
            .lacks_metric = query_random(&state) % 10 == 0,
        };
    }
    return query_profile(rows, cnt);
}

#endif
