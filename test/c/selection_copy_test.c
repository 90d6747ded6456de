// SPDX-License-Identifier: Apache-2.0
#include "query/selection_copy.h"

#include "query_profile.h"

enum { ROWS = 3000 };

static struct query_row rows[ROWS];
static struct error err;

static struct profile *copy_of(const struct profile *from, const char *source)
{
    struct selection selection;
    struct filter *filter = source == NULL ? NULL : filter_create(text_of(source), NULL, &err);
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(selection_init(&selection, from, NULL, filter, &err));
    CHECK(selection_copy(&selection, builder, &err));
    selection_deinit(&selection);
    filter_destroy(filter);
    return profile_builder_finish(builder, &err);
}

static void check_row(const struct profile *a, uint64_t i, const struct profile *b, uint64_t j)
{
    char digits[2][PROFILE_DIGITS_BYTES];
    const struct profile_dictionary *left = &a->dictionary;
    const struct profile_dictionary *right = &b->dictionary;
    stack_id x = a->stack[i];
    stack_id y = b->stack[j];
    CHECK_UINT(a->time_ns[i], b->time_ns[j]);
    CHECK_INT(profile_column_at(&a->period, i), profile_column_at(&b->period, j));
    for (; x != 0 && y != 0; x = left->nodes[x].parent, y = right->nodes[y].parent) {
        const struct profile_frame *f = &left->frames[left->nodes[x].frame];
        const struct profile_frame *g = &right->frames[right->nodes[y].frame];
        CHECK(text_equal(profile_text(a, f->name), profile_text(b, g->name)));
        CHECK_UINT(f->line, g->line);
        CHECK_INT(f->kind, g->kind);
    }
    CHECK_UINT(x, y);
    for (uint32_t d = 0; d < a->dimension_cnt; d++) {
        int to = profile_find_dimension(b, profile_text(a, a->dimensions[d].name));
        CHECK(to != PROFILE_NONE);
        struct text f = profile_code_text(a, d, profile_code(a, d, i), digits[0]);
        struct text g =
            profile_code_text(b, (uint32_t)to, profile_code(b, (uint32_t)to, j), digits[1]);
        CHECK(text_equal(f, g));
    }
    CHECK(profile_metric_present(&a->metrics[0], i) == profile_metric_present(&b->metrics[0], j));
    for (int form = 0; form < PROFILE_FORM_CNT; form++) {
        CHECK_INT(profile_column_at(&a->metrics[0].columns[form], i),
                  profile_column_at(&b->metrics[0].columns[form], j));
    }
}

TEST(a_copy_is_the_same)
{
    struct profile *from = random_profile(rows, ROWS);
    struct profile *to = copy_of(from, NULL);
    CHECK_UINT(to->row_cnt, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        check_row(from, i, to, i);
    }
    int registered = profile_find_dimension(to, TEXT("registered"));
    CHECK(to->dimensions[registered].is_root_frame);
    profile_destroy(to);
    profile_destroy(from);
}

TEST(a_part_has_its_rows)
{
    struct profile *from = random_profile(rows, ROWS);
    struct profile *to = copy_of(from, "status=gc");
    uint64_t at = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].status, "gc") == 0) {
            check_row(from, i, to, at++);
        }
    }
    CHECK_UINT(to->row_cnt, at);
    profile_destroy(to);
    profile_destroy(from);
}

TEST(two_profiles_are_two_sources_on_one_axis)
{
    struct profile *from = small_profile();
    struct profile_builder *builder = profile_builder_create(NULL);
    struct selection selection;
    CHECK(selection_init(&selection, from, NULL, NULL, &err));
    CHECK(selection_copy(&selection, builder, &err));
    CHECK(selection_copy(&selection, builder, &err));
    struct profile *to = profile_builder_finish(builder, &err);
    CHECK_UINT(to->row_cnt, 2 * QUERY_ROW_CNT);
    CHECK_UINT(to->source_cnt, 2);
    CHECK_UINT(to->time_ns[0], to->time_ns[1]);
    const struct profile_dimension *sources = &to->dimensions[PROFILE_SOURCE];
    CHECK_INT(sources->values[profile_code(to, PROFILE_SOURCE, 0)] +
                  sources->values[profile_code(to, PROFILE_SOURCE, 1)],
              1);
    profile_destroy(to);
    profile_destroy(from);
}
