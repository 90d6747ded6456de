// SPDX-License-Identifier: Apache-2.0
#include "model/profile_parts.h"

#include <stdlib.h>
#include <string.h>

enum { GATHER_ROWS = 1024 };

struct timed_row {
    uint64_t time_ns;
    uint32_t row;
};

static bool is_sorted(const struct profile *profile)
{
    for (uint64_t i = 1; i < profile->row_cnt; i++) {
        if (profile->time_ns[i] < profile->time_ns[i - 1]) {
            return false;
        }
    }
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct timed_row *a = left;
    const struct timed_row *b = right;
    if (a->time_ns != b->time_ns) {
        return a->time_ns < b->time_ns ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

// The rows in the order of time; NULL when out of memory.
static uint32_t *sorted_rows(const struct profile *profile)
{
    struct timed_row *timed = calloc(profile->row_cnt, sizeof *timed);
    uint32_t *rows = calloc(profile->row_cnt, sizeof *rows);
    if (timed == NULL || rows == NULL) {
        free(timed);
        free(rows);
        return NULL;
    }
    for (uint64_t i = 0; i < profile->row_cnt; i++) {
        timed[i] = (struct timed_row){profile->time_ns[i], (uint32_t)i};
    }
    qsort(timed, profile->row_cnt, sizeof *timed, compare);
    for (uint64_t i = 0; i < profile->row_cnt; i++) {
        rows[i] = timed[i].row;
    }
    free(timed);
    return rows;
}

static bool sort_column(struct profile_column *column, const uint32_t *rows)
{
    if (column->width == 0 || column->cnt == 0) {
        return true;
    }
    struct profile_column sorted = {0};
    int64_t values[GATHER_ROWS];
    bool ok = true;
    for (uint64_t at = 0; at < column->cnt && ok; at += GATHER_ROWS) {
        uint64_t left = column->cnt - at;
        uint32_t cnt = left < GATHER_ROWS ? (uint32_t)left : GATHER_ROWS;
        profile_column_gather(column, rows + at, cnt, values);
        ok = profile_column_append(&sorted, values, cnt);
    }
    if (!ok) {
        profile_column_deinit(&sorted);
        return false;
    }
    profile_column_deinit(column);
    *column = sorted;
    return true;
}

static bool sort_presence(struct profile *profile, struct profile_metric *metric,
                          const uint32_t *rows)
{
    if (metric->present == NULL) {
        return true;
    }
    uint64_t *sorted = calloc(profile->row_cnt / 64 + 1, sizeof *sorted);
    if (sorted == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < profile->row_cnt; i++) {
        if (profile_metric_present(metric, rows[i])) {
            sorted[i / 64] |= 1ULL << i % 64;
        }
    }
    free((void *)metric->present);
    metric->present = sorted;
    return true;
}

static bool sort_fixed(struct profile *profile, const uint32_t *rows)
{
    uint64_t *time_ns = malloc(profile->row_cnt * sizeof *time_ns);
    stack_id *stack = malloc(profile->row_cnt * sizeof *stack);
    if (time_ns == NULL || stack == NULL) {
        free(time_ns);
        free(stack);
        return false;
    }
    for (uint64_t i = 0; i < profile->row_cnt; i++) {
        time_ns[i] = profile->time_ns[rows[i]];
        stack[i] = profile->stack[rows[i]];
    }
    free(profile->time_ns);
    free(profile->stack);
    profile->time_ns = time_ns;
    profile->stack = stack;
    return sort_column(&profile->period, rows);
}

static bool sort_metrics(struct profile *profile, const uint32_t *rows)
{
    bool ok = true;
    for (uint32_t i = 0; i < profile->metric_cnt && ok; i++) {
        struct profile_metric *metric = &profile->metrics[i];
        ok = sort_presence(profile, metric, rows);
        for (int form = 0; form < PROFILE_FORM_CNT && ok; form++) {
            ok = sort_column(&metric->columns[form], rows);
        }
    }
    return ok;
}

bool profile_sort(struct profile *profile)
{
    if (is_sorted(profile)) {
        return true;
    }
    uint32_t *rows = sorted_rows(profile);
    bool ok = rows != NULL && sort_fixed(profile, rows) && sort_metrics(profile, rows);
    for (uint32_t i = 0; i < profile->dimension_cnt && ok; i++) {
        ok = sort_column(&profile->dimensions[i].codes, rows);
    }
    free(rows);
    return ok;
}
