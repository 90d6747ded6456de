// SPDX-License-Identifier: Apache-2.0
#include "nif/ranking_nif.h"

#include "capture/beam/top_selector.h"
#include "nif/layout_nif.h"
#include "nif/nif_term.h"

#include <stdatomic.h>
#include <string.h>

enum { MAX_RANKED = 1000 };

struct ranking_resource {
    struct memory_reader reader;
    struct otp_layout layout;
    struct top_selector selector;
    atomic_bool busy;
    bool open;
};

static ErlNifResourceType *ranking_type;

static void ranking_destructor(ErlNifEnv *env, void *object)
{
    (void)env;
    struct ranking_resource *ranking = object;
    if (ranking->open) {
        top_selector_deinit(&ranking->selector);
        memory_reader_close(&ranking->reader);
    }
}

bool ranking_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags)
{
    ranking_type =
        enif_open_resource_type(env, NULL, "flame_prof_ranking", ranking_destructor, flags, NULL);
    return ranking_type != NULL;
}

static bool open_ranking(struct ranking_resource *ranking, struct selection_goal goal,
                         struct error *err)
{
    if (!memory_reader_open(&ranking->reader, READER_AUTO, err)) {
        return false;
    }
    if (!top_selector_init(&ranking->selector, &ranking->layout, &goal, 1, NULL)) {
        memory_reader_close(&ranking->reader);
        return error_set(err, ERROR_NO_MEMORY, "ranking: out of memory");
    }
    ranking->open = true;
    return true;
}

static bool get_goal(ErlNifEnv *env, const ERL_NIF_TERM argv[], struct selection_goal *goal)
{
    uint64_t top_cnt;
    char name[64];
    if (enif_get_atom(env, argv[1], name, sizeof name, ERL_NIF_LATIN1) <= 0 ||
        !selection_criterion_named(name, &goal->criterion) ||
        !nif_term_u64(env, argv[2], &top_cnt) || top_cnt == 0 || top_cnt > MAX_RANKED) {
        return false;
    }
    goal->top_cnt = (uint32_t)top_cnt;
    return true;
}

// (Layout, Criterion, Count, Excluded) -> {ok, Ranking} | {error, _}
ERL_NIF_TERM ranking_nif_open(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct selection_goal goal;
    struct error err = {0};
    if (!get_goal(env, argv, &goal)) {
        return enif_make_badarg(env);
    }
    struct ranking_resource *ranking = enif_alloc_resource(ranking_type, sizeof *ranking);
    memset(ranking, 0, sizeof *ranking);
    ERL_NIF_TERM term = enif_make_resource(env, ranking);
    enif_release_resource(ranking);
    if (!layout_nif_read(env, argv[0], &ranking->layout, &err) ||
        !open_ranking(ranking, goal, &err)) {
        return nif_error(env, &err);
    }
    ERL_NIF_TERM head;
    ERL_NIF_TERM list = argv[3];
    uint64_t id;
    while (enif_get_list_cell(env, list, &head, &list)) {
        if (nif_immediate(env, head, &id)) {
            top_selector_exclude(&ranking->selector, id);
        }
    }
    return nif_ok(env, term);
}

// A local pid is an immediate: its bits are the term.
static ERL_NIF_TERM ranked_term(ErlNifEnv *env, const struct top_selector *selector)
{
    ERL_NIF_TERM list = enif_make_list(env, 0);
    // A complete pass leaves the places as they were, with one goal all of them.
    for (uint32_t i = 0; i < selector->result_cnt; i++) {
        const struct ranked_process *process = &selector->rankings[0].heap[i];
        ERL_NIF_TERM pair =
            enif_make_tuple2(env, (ERL_NIF_TERM)process->id, nif_u64(env, process->figure));
        list = enif_make_list_cell(env, pair, list);
    }
    return list;
}

// {ProcessCount, [{Pid, Figure}]} | {error, _}
ERL_NIF_TERM ranking_nif_pass(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    void *object;
    if (!enif_get_resource(env, argv[0], ranking_type, &object)) {
        return enif_make_badarg(env);
    }
    struct ranking_resource *ranking = object;
    if (!ranking->open || atomic_exchange(&ranking->busy, true)) {
        return enif_make_badarg(env);
    }
    ERL_NIF_TERM result;
    if (memory_reader_check(&ranking->reader)) {
        (void)top_selector_step(&ranking->selector, &ranking->reader, UINT64_MAX);
        result = enif_make_tuple2(env, nif_u64(env, ranking->selector.processes_cnt),
                                  ranked_term(env, &ranking->selector));
    } else {
        struct error err;
        (void)error_set(&err, ERROR_UNSUPPORTED, "another library took SIGSEGV");
        result = nif_error(env, &err);
    }
    atomic_store(&ranking->busy, false);
    return result;
}
