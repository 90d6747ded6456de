// SPDX-License-Identifier: Apache-2.0
#include "nif/scheduler_nif.h"

#include "capture/beam/scheduler_table.h"
#include "capture/beam/scheduler_threads.h"
#include "nif/layout_nif.h"
#include "nif/nif_term.h"
#include "nif/probe_nif.h"

enum { MAX_THREADS = 2048 };

ERL_NIF_TERM scheduler_nif_offsets(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < SCHEDULER_FIELD_CNT; i++) {
        nif_put(env, &map, scheduler_field_name((enum scheduler_field)i),
                nif_u64(env, SCHEDULER_LAYOUT.offset[i]));
    }
    return map;
}

static bool get_offsets(ErlNifEnv *env, ERL_NIF_TERM map, struct scheduler_layout *layout)
{
    for (int i = 0; i < SCHEDULER_FIELD_CNT; i++) {
        uint64_t offset = 0;
        if (!nif_get_u64(env, map, scheduler_field_name((enum scheduler_field)i), &offset) ||
            offset > UINT16_MAX) {
            return false;
        }
        layout->offset[i] = (uint32_t)offset;
    }
    return true;
}

static bool get_counts(ErlNifEnv *env, ERL_NIF_TERM term, uint32_t wanted[SCHEDULER_KIND_CNT])
{
    const ERL_NIF_TERM *counts;
    int arity;
    if (!enif_get_tuple(env, term, &arity, &counts) || arity != SCHEDULER_KIND_CNT) {
        return false;
    }
    for (int i = 0; i < SCHEDULER_KIND_CNT; i++) {
        if (!enif_get_uint(env, counts[i], &wanted[i])) {
            return false;
        }
    }
    return true;
}

static int32_t tid_of(const struct scheduler_thread *threads, uint32_t cnt,
                      enum scheduler_kind kind, uint32_t no)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (threads[i].kind == kind && threads[i].no == no) {
            return threads[i].tid;
        }
    }
    return 0;
}

static ERL_NIF_TERM list_of(ErlNifEnv *env, const struct scheduler_table *table)
{
    struct scheduler_thread *threads = enif_alloc(MAX_THREADS * sizeof *threads);
    uint32_t cnt = scheduler_threads_list(threads, MAX_THREADS);
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (int kind = SCHEDULER_KIND_CNT - 1; kind >= 0; kind--) {
        for (uint32_t no = table->arrays[kind].cnt; no > 0; no--) {
            enum scheduler_kind of = (enum scheduler_kind)kind;
            ERL_NIF_TERM one =
                enif_make_tuple4(env, nif_atom(env, scheduler_kind_name(of)), nif_u64(env, no),
                                 nif_u64(env, scheduler_table_entry(table, of, no)),
                                 nif_u64(env, (uint64_t)tid_of(threads, cnt, of, no)));
            list = enif_make_list_cell(env, one, list);
        }
    }
    enif_free(threads);
    return list;
}

static bool is_code(const void *context, uint64_t address)
{
    return code_map_covers(context, address);
}

ERL_NIF_TERM scheduler_nif_find(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct error err = {0};
    struct otp_layout layout;
    struct scheduler_layout offsets;
    struct scheduler_table table;
    struct scheduler_search search = {
        .layout = &offsets, .is_code = is_code, .is_code_context = probe_nif_code(env, argv[0])};
    if (search.is_code_context == NULL ||
        !probe_nif_memory(env, argv[0], &search.memory, &search.reader) ||
        !get_counts(env, argv[2], search.wanted) || !get_offsets(env, argv[3], &offsets)) {
        return enif_make_badarg(env);
    }
    if (!layout_nif_read(env, argv[1], &layout, &err)) {
        return nif_error(env, &err);
    }
    search.process = layout_nif_caller(env, &layout);
    bool ok = memory_reader_check(search.reader) && scheduler_table_find(&table, &search, &err);
    return ok ? nif_ok(env, list_of(env, &table)) : nif_error(env, &err);
}
