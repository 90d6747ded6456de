// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/aux_work.h"

#include <string.h>

enum {
    CALL = 0xE8, // followed by the distance from the next instruction
    JUMP = 0xE9,
    BRANCH_BYTES = 5,
};

// Called by handle_aux_work, or by what it was split into, and by nobody else.
static const char *const JOBS[] = {"erts_alloc_handle_delayed_dealloc", "erts_check_async_ready",
                                   "erts_async_ready_clean", "erts_handle_yielded_ets_all_request"};

// Called by the scheduler's loop as well; they end in a jump to what is static.
static const char *const PROGRESS[] = {"erts_thr_progress_update",
                                       "erts_thr_progress_leader_update"};

// Called by the scheduler's loop and not by aux work: who calls both is both.
static const char *const LOOP[] = {"erts_check_io", "erts_bump_timers"};

static void add(struct aux_work *aux, uint64_t function)
{
    if (function != 0 && !aux_work_has(aux, function) && aux->cnt < AUX_WORK_MAX) {
        aux->functions[aux->cnt++] = function;
    }
}

// The first instruction of that form at or after `from`, and where it leads to. False
// when there is none.
static bool next_branch(const struct native_text *text, unsigned char form, size_t *from,
                        uint64_t *target_ret)
{
    size_t end = text->len < BRANCH_BYTES ? 0 : text->len - BRANCH_BYTES + 1;
    const unsigned char *found =
        *from < end ? memchr(text->bytes + *from, form, end - *from) : NULL;
    if (found == NULL) {
        return false;
    }
    int32_t distance;
    memcpy(&distance, found + 1, sizeof distance);
    *from = (size_t)(found - text->bytes);
    *target_ret = text->address + *from + BRANCH_BYTES + (uint64_t)(int64_t)distance;
    return true;
}

static void add_callers(struct aux_work *aux, struct native_code *native,
                        const struct native_text *text, uint64_t callee)
{
    uint64_t target;
    for (size_t at = 0; next_branch(text, CALL, &at, &target); at++) {
        struct native_location location;
        if (target == callee && native_code_find(native, text->address + at, &location)) {
            add(aux, location.function_start);
        }
    }
}

static void add_job(struct aux_work *aux, struct native_code *native,
                    const struct native_text *text, const char *name)
{
    uint64_t start;
    uint64_t end;
    if (native_code_program_function(native, name, &start, &end)) {
        add(aux, start);
        add_callers(aux, native, text, start);
    }
}

static void add_progress(struct aux_work *aux, struct native_code *native,
                         const struct native_text *text, const char *name)
{
    uint64_t start;
    uint64_t end;
    uint64_t target;
    if (!native_code_program_function(native, name, &start, &end) || start < text->address ||
        end - text->address > text->len) {
        return;
    }
    add(aux, start);
    const struct native_text function = {text->bytes + (start - text->address), end - start, start};
    for (size_t at = 0; next_branch(&function, JUMP, &at, &target); at++) {
        if ((target < start || target >= end) && native_code_is_function(native, target)) {
            add(aux, target);
        }
    }
}

static void drop(struct aux_work *aux, const struct aux_work *others)
{
    uint32_t kept_cnt = 0;
    for (uint32_t i = 0; i < aux->cnt; i++) {
        if (!aux_work_has(others, aux->functions[i])) {
            aux->functions[kept_cnt++] = aux->functions[i];
        }
    }
    aux->cnt = kept_cnt;
}

// Where the compiler made one function of the loop and its jobs, that one tells nothing.
static void drop_loop(struct aux_work *aux, struct native_code *native,
                      const struct native_text *text)
{
    struct aux_work loop = {.cnt = 0};
    for (size_t i = 0; i < sizeof LOOP / sizeof LOOP[0]; i++) {
        add_job(&loop, native, text, LOOP[i]);
    }
    drop(aux, &loop);
}

void aux_work_find(struct aux_work *aux, struct native_code *native)
{
    struct native_text text;
    aux->cnt = 0;
    if (!native_code_program(native, &text)) {
        return;
    }
    for (size_t i = 0; i < sizeof JOBS / sizeof JOBS[0]; i++) {
        add_job(aux, native, &text, JOBS[i]);
    }
    for (size_t i = 0; i < sizeof PROGRESS / sizeof PROGRESS[0]; i++) {
        add_progress(aux, native, &text, PROGRESS[i]);
    }
    drop_loop(aux, native, &text);
}

bool aux_work_has(const struct aux_work *aux, uint64_t function_start)
{
    for (uint32_t i = 0; i < aux->cnt; i++) {
        if (aux->functions[i] == function_start) {
            return function_start != 0;
        }
    }
    return false;
}
