// SPDX-License-Identifier: Apache-2.0
#include "query/heatmap.h"

#include "query_profile.h"

enum { ROWS = 20000 };

static struct query_row rows[ROWS];
static struct error err;
static const struct weight DELTA = {WEIGHT_DELTA, 0};

static struct heatmap make(const struct profile *profile, const char *source,
                           struct heatmap_options options)
{
    struct selection selection;
    struct heatmap heatmap;
    struct filter *filter = source == NULL ? NULL : filter_create(text_of(source), NULL, &err);
    CHECK(selection_init(&selection, profile, NULL, filter, &err));
    CHECK(heatmap_init(&heatmap, &selection, &options, &err));
    selection_deinit(&selection);
    filter_destroy(filter);
    return heatmap;
}

TEST(cells_of_a_known_profile)
{
    struct profile *profile = small_profile();
    struct heatmap heatmap = make(profile, NULL, (struct heatmap_options){.weight = DELTA});
    CHECK_UINT(heatmap.begin_ns, 10ULL * QUERY_S);
    CHECK_UINT(heatmap.row_cnt, 50);
    CHECK_UINT(heatmap.column_cnt, 3);
    CHECK_INT(heatmap.sums[0], -3);
    CHECK_UINT(heatmap.counts[0], 2);
    CHECK_INT(heatmap.sums[1], 10);
    // The only sample there lacks the metric: null, not zero.
    CHECK_UINT(heatmap.counts[99], 0);
    CHECK_INT(heatmap.sums[100], -50);
    CHECK_INT(heatmap.min, -50);
    CHECK_INT(heatmap.max, 10);
    CHECK_INT(heatmap.total, -43);
    heatmap_deinit(&heatmap);
    heatmap = make(profile, NULL, (struct heatmap_options){.weight = {WEIGHT_SAMPLES, 0}});
    CHECK_UINT(heatmap.counts[99], 1);
    CHECK_INT(heatmap.total, 5);
    heatmap_deinit(&heatmap);
    profile_destroy(profile);
}

static int64_t brute(const struct query_row *row, enum weight_form form)
{
    switch (form) {
    case WEIGHT_SAMPLES:
        return 1;
    case WEIGHT_PERIOD:
        return row->period;
    case WEIGHT_VALUE:
        return row->memory;
    case WEIGHT_DELTA:
        return row->delta;
    case WEIGHT_INCREASE:
        return row->delta > 0 ? row->delta : 0;
    default:
        return row->delta < 0 ? -row->delta : 0;
    }
}

static void compare(const struct heatmap *heatmap, enum weight_form form, const char *status)
{
    size_t cnt = (size_t)heatmap->column_cnt * heatmap->row_cnt;
    int64_t *sums = calloc(cnt, sizeof *sums);
    uint64_t *counts = calloc(cnt, sizeof *counts);
    for (uint32_t i = 0; i < ROWS; i++) {
        bool has_weight = form <= WEIGHT_PERIOD || !rows[i].lacks_metric;
        if (!has_weight || (status != NULL && strcmp(rows[i].status, status) != 0)) {
            continue;
        }
        uint64_t offset = rows[i].time_ns - heatmap->begin_ns;
        uint64_t cell = (uint64_t)((unsigned __int128)(offset % heatmap->column_ns) *
                                   heatmap->row_cnt / heatmap->column_ns) +
                        offset / heatmap->column_ns * heatmap->row_cnt;
        CHECK(cell < cnt);
        sums[cell] += brute(&rows[i], form);
        counts[cell]++;
    }
    CHECK_MEM(heatmap->sums, sums, cnt * sizeof *sums);
    CHECK_MEM(heatmap->counts, counts, cnt * sizeof *counts);
    free(sums);
    free(counts);
}

TEST(all_forms_and_grids_are_exact)
{
    static const struct {
        uint32_t row_cnt;
        uint64_t column_ns;
    } GRIDS[] = {{50, QUERY_S}, {49, QUERY_S}, {7, 333333333}, {1, 10ULL * QUERY_S}, {3, 777777}};
    struct profile *profile = random_profile(rows, ROWS);
    for (int form = 0; form < WEIGHT_FORM_CNT; form++) {
        for (size_t i = 0; i < sizeof GRIDS / sizeof GRIDS[0] - (form > 0 ? 1 : 0); i++) {
            struct heatmap_options options = {
                {(enum weight_form)form, 0}, GRIDS[i].row_cnt, GRIDS[i].column_ns};
            struct heatmap heatmap = make(profile, NULL, options);
            compare(&heatmap, (enum weight_form)form, NULL);
            heatmap_deinit(&heatmap);
            heatmap = make(profile, "status=gc", options);
            compare(&heatmap, (enum weight_form)form, "gc");
            heatmap_deinit(&heatmap);
        }
    }
    profile_destroy(profile);
}

TEST(nothing_selected_and_too_many_cells)
{
    struct profile *profile = small_profile();
    struct selection selection;
    struct selection_range range = {.from_ns = 5ULL * QUERY_S, .to_ns = UINT64_MAX};
    struct heatmap heatmap;
    struct heatmap_options options = {.weight = DELTA};
    CHECK(selection_init(&selection, profile, &range, NULL, &err));
    CHECK(heatmap_init(&heatmap, &selection, &options, &err));
    CHECK_UINT(heatmap.column_cnt, 0);
    heatmap_deinit(&heatmap);
    range = (struct selection_range){15 * QUERY_MS, UINT64_MAX};
    CHECK(selection_init(&selection, profile, &range, NULL, &err));
    CHECK_UINT(selection.row_cnt, 3);
    options = (struct heatmap_options){DELTA, 1000, 1000};
    CHECK(!heatmap_init(&heatmap, &selection, &options, &err));
    CHECK_HAS(err.detail, "too many");
    heatmap_deinit(&heatmap);
    profile_destroy(profile);
}
