// SPDX-License-Identifier: Apache-2.0
#include "export/thread_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool add(struct thread_rows *rows, uint64_t key)
{
    if (rows->cnt == rows->capacity) {
        uint32_t capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
        struct thread_rows_thread *more = realloc(rows->threads, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        rows->threads = more;
        rows->capacity = capacity;
    }
    rows->threads[rows->cnt++] =
        (struct thread_rows_thread){.pid_code = (uint32_t)(key >> 32), .tid_code = (uint32_t)key};
    return true;
}

static uint64_t key_of(const struct profile *profile, uint64_t row)
{
    return (uint64_t)profile_code(profile, PROFILE_PID, row) << 32 |
           profile_code(profile, PROFILE_TID, row);
}

// Finds all threads, and counts their rows; `ids` gives their index + 1.
static bool count(struct thread_rows *rows, const struct selection *selection,
                  struct number_map *ids)
{
    for (uint64_t row = selection->first; row < selection->end; row++) {
        if (!selection_has(selection, row)) {
            continue;
        }
        uint64_t key = key_of(rows->profile, row);
        uint32_t id = number_map_find(ids, key);
        if (id == 0) {
            if (!add(rows, key) || !number_map_add(ids, key, rows->cnt)) {
                return false;
            }
            id = rows->cnt;
        }
        rows->threads[id - 1].cnt++;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct thread_rows_thread *left = a;
    const struct thread_rows_thread *right = b;
    if (left->cnt != right->cnt) {
        return left->cnt > right->cnt ? -1 : 1;
    }
    return left->first < right->first ? -1 : left->first > right->first;
}

// `place[i]`: which thread the i-th that was found has become.
static void sort(struct thread_rows *rows, uint32_t max_threads, uint32_t *place)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        rows->threads[i].first = i; // for now: the order in which they came
    }
    if (rows->cnt > 0) {
        qsort(rows->threads, rows->cnt, sizeof *rows->threads, compare);
    }
    uint64_t first = 0;
    uint32_t found_cnt = rows->cnt;
    rows->cnt = found_cnt < max_threads ? found_cnt : max_threads;
    for (uint32_t i = 0; i < found_cnt; i++) {
        uint32_t to = i < max_threads ? i : max_threads - 1;
        place[rows->threads[i].first] = to;
        if (i == to) {
            rows->threads[to].first = first;
        } else {
            rows->threads[to].cnt += rows->threads[i].cnt;
            rows->threads[to].is_rest = true;
        }
        first += rows->threads[i].cnt;
    }
}

static bool distribute(struct thread_rows *rows, const struct selection *selection,
                       const struct number_map *ids, const uint32_t *place)
{
    uint64_t *next = malloc(((size_t)rows->cnt + 1) * sizeof *next);
    rows->rows = malloc((selection->row_cnt + 1) * sizeof *rows->rows);
    bool ok = next != NULL && rows->rows != NULL;
    for (uint32_t i = 0; i < rows->cnt && ok; i++) {
        next[i] = rows->threads[i].first;
    }
    for (uint64_t row = selection->first; ok && row < selection->end; row++) {
        if (selection_has(selection, row)) {
            uint32_t id = number_map_find(ids, key_of(rows->profile, row));
            rows->rows[next[place[id - 1]]++] = row;
        }
    }
    free(next);
    return ok;
}

bool thread_rows_init(struct thread_rows *rows, const struct selection *selection,
                      uint32_t max_threads)
{
    struct number_map ids = {0};
    *rows = (struct thread_rows){.profile = selection->profile};
    bool ok = count(rows, selection, &ids);
    uint32_t *place = malloc(((size_t)rows->cnt + 1) * sizeof *place);
    ok = ok && place != NULL;
    if (ok) {
        sort(rows, max_threads, place);
        ok = distribute(rows, selection, &ids, place);
    }
    free(place);
    number_map_deinit(&ids);
    return ok;
}

void thread_rows_deinit(struct thread_rows *rows)
{
    free(rows->threads);
    free(rows->rows);
    *rows = (struct thread_rows){.profile = NULL};
}

static int64_t number_of(const struct thread_rows *rows, uint32_t dimension, uint32_t code)
{
    return code == 0 ? 0 : rows->profile->dimensions[dimension].values[code];
}

int64_t thread_rows_pid(const struct thread_rows *rows, const struct thread_rows_thread *thread)
{
    return number_of(rows, PROFILE_PID, thread->pid_code);
}

int64_t thread_rows_tid(const struct thread_rows *rows, const struct thread_rows_thread *thread)
{
    return number_of(rows, PROFILE_TID, thread->is_rest ? 0 : thread->tid_code);
}

static struct text label_of(const struct thread_rows *rows, const char *name, uint64_t row)
{
    int dimension = profile_find_dimension(rows->profile, text_of(name));
    uint32_t code =
        dimension == PROFILE_NONE ? 0 : profile_code(rows->profile, (uint32_t)dimension, row);
    if (code == 0 || rows->profile->dimensions[dimension].kind != PROFILE_DIMENSION_TEXT) {
        return TEXT("");
    }
    return profile_code_text(rows->profile, (uint32_t)dimension, code, NULL);
}

struct text thread_rows_name(const struct thread_rows *rows,
                             const struct thread_rows_thread *thread,
                             char digits[THREAD_ROWS_NAME_BYTES])
{
    static const char *const LABELS[] = {"registered", "initial_call", "comm"};
    if (thread->is_rest) {
        return TEXT("others");
    }
    // Its last sample knows best: names are given, and threads named, after their start.
    uint64_t row = rows->rows[thread->first + thread->cnt - 1];
    for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
        struct text label = label_of(rows, LABELS[i], row);
        if (label.len > 0) {
            return label;
        }
    }
    (void)snprintf(digits, THREAD_ROWS_NAME_BYTES, "%" PRId64, thread_rows_tid(rows, thread));
    return text_of(digits);
}
