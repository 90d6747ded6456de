// SPDX-License-Identifier: Apache-2.0
#include "nif/snapshot_nif.h"

#include "base/clock.h"
#include "capture/beam/dictionary_identity.h"
#include "capture/beam/process_extremes.h"
#include "capture/beam/process_snapshot.h"
#include "nif/layout_nif.h"
#include "nif/nif_term.h"
#include "nif/probe_nif.h"

#include <stdlib.h>

// What is asked: the probe reads, the layout says where.
struct request {
    const struct vm_memory *memory;
    struct memory_reader *reader;
    struct process_snapshot *snapshot; // the probe's room
    struct otp_layout layout;
};

// False with the answer, where the first two arguments are no probe or no layout.
static bool begin(ErlNifEnv *env, const ERL_NIF_TERM argv[], struct request *request,
                  ERL_NIF_TERM *refusal_ret)
{
    struct error err = {0};
    if (!probe_nif_memory(env, argv[0], &request->memory, &request->reader)) {
        *refusal_ret = enif_make_badarg(env);
        return false;
    }
    if (!layout_nif_read(env, argv[1], &request->layout, &err)) {
        *refusal_ret = nif_error(env, &err);
        return false;
    }
    request->snapshot = probe_nif_room(env, argv[0]);
    return true;
}

// ---- one process ------------------------------------------------------------------

// The third argument is its pid.
static bool begin_process(ErlNifEnv *env, const ERL_NIF_TERM argv[], struct request *request,
                          ERL_NIF_TERM *refusal_ret)
{
    uint64_t id = 0;
    if (!nif_immediate(env, argv[2], &id)) {
        *refusal_ret = enif_make_badarg(env);
        return false;
    }
    if (!begin(env, argv, request, refusal_ret)) {
        return false;
    }
    request->snapshot->id = id;
    return true;
}

static void read_identity(const struct request *request, struct dictionary_identity *identity)
{
    struct word_reader reader = memory_reader_word_reader(request->reader);
    dictionary_identity_read(&reader, &request->layout, request->snapshot->dictionary, UINT32_MAX,
                             identity);
}

static const char *snapshot_end_name(enum snapshot_end end)
{
    static const char *const NAMES[] = {
        [SNAPSHOT_WHOLE] = "whole",
        [SNAPSHOT_PARTIAL] = "partial",
        [SNAPSHOT_STATUS_ONLY] = "status_only",
        [SNAPSHOT_GONE] = "gone",
        [SNAPSHOT_CHANGED] = "changed",
        [SNAPSHOT_UNREADABLE] = "unreadable",
        [SNAPSHOT_IMPLAUSIBLE] = "implausible",
    };
    return NAMES[end];
}

static ERL_NIF_TERM stack_term(ErlNifEnv *env, const struct process_snapshot *snapshot)
{
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (uint32_t i = snapshot->leaf_cnt + snapshot->root_cnt; i > 0; i--) {
        uint64_t word = snapshot->stack[i - 1];
        if (word != 0 && (word & 3) == 0) {
            list = enif_make_list_cell(env, nif_u64(env, word), list);
        }
    }
    return list;
}

static ERL_NIF_TERM values_term(ErlNifEnv *env, const struct process_snapshot *snapshot)
{
    ERL_NIF_TERM values[BEAM_METRIC_CNT];
    for (int i = 0; i < BEAM_METRIC_CNT; i++) {
        values[i] = enif_make_int64(env, snapshot->values[i]);
    }
    return enif_make_list_from_array(env, values, BEAM_METRIC_CNT);
}

static ERL_NIF_TERM initial_term(ErlNifEnv *env, const uint64_t initial[3])
{
    return enif_make_tuple3(env, nif_u64(env, initial[0]), nif_u64(env, initial[1]),
                            nif_u64(env, initial[2]));
}

// {End, Status, NameBits, InitialBits, DictionaryInitialBits | undefined, Pc,
//  ReturnAddresses, MetricValues}
ERL_NIF_TERM snapshot_nif_take(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct request request;
    struct dictionary_identity identity = {0};
    struct error err = {0};
    ERL_NIF_TERM refusal;
    if (!begin_process(env, argv, &request, &refusal)) {
        return refusal;
    }
    if (!memory_reader_check(request.reader)) {
        (void)error_set(&err, ERROR_UNSUPPORTED, "another library took SIGSEGV");
        return nif_error(env, &err);
    }
    struct process_snapshot *snapshot = request.snapshot;
    process_snapshot_batch(request.reader, &request.layout, &snapshot, 1);
    if (snapshot->end == SNAPSHOT_WHOLE) {
        read_identity(&request, &identity);
    }
    ERL_NIF_TERM parts[] = {
        nif_atom(env, snapshot->end == SNAPSHOT_WHOLE && !snapshot->sizes_known
                          ? "unsized"
                          : snapshot_end_name(snapshot->end)),
        nif_atom(env, process_status_name(snapshot->status)),
        nif_u64(env, snapshot->name),
        initial_term(env, snapshot->initial),
        identity.initial[0] != 0 ? initial_term(env, identity.initial) : nif_atom(env, "undefined"),
        nif_u64(env, snapshot->pc),
        stack_term(env, snapshot),
        values_term(env, snapshot),
    };
    return enif_make_tuple_from_array(env, parts, sizeof parts / sizeof parts[0]);
}

static ERL_NIF_TERM words_term(ErlNifEnv *env, const uint64_t *words, uint32_t cnt)
{
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (uint32_t i = cnt; i > 0; i--) {
        list = enif_make_list_cell(env, nif_u64(env, words[i - 1]), list);
    }
    return list;
}

static ERL_NIF_TERM identity_term(ErlNifEnv *env, const struct process_snapshot *snapshot,
                                  const struct dictionary_identity *identity)
{
    ERL_NIF_TERM map = enif_make_new_map(env);
    uint32_t ancestor_cnt = 0;
    while (ancestor_cnt < PROCESS_ANCESTORS && identity->ancestors[ancestor_cnt] != 0) {
        ancestor_cnt++;
    }
    nif_put(env, &map, "group_leader", nif_u64(env, snapshot->group_leader));
    nif_put(env, &map, "parent", nif_u64(env, snapshot->parent));
    nif_put(env, &map, "initial", initial_term(env, identity->initial));
    nif_put(env, &map, "ancestors", words_term(env, identity->ancestors, ancestor_cnt));
    nif_put(env, &map, "label", words_term(env, identity->label, identity->label_cnt));
    return map;
}

ERL_NIF_TERM snapshot_nif_identity(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct request request;
    struct dictionary_identity identity;
    struct error err = {0};
    ERL_NIF_TERM refusal;
    if (!begin_process(env, argv, &request, &refusal)) {
        return refusal;
    }
    struct process_snapshot *snapshot = request.snapshot;
    snapshot->end = SNAPSHOT_UNREADABLE;
    if (memory_reader_check(request.reader)) {
        process_snapshot_batch(request.reader, &request.layout, &snapshot, 1);
    }
    if (snapshot->end > SNAPSHOT_PARTIAL) {
        (void)error_set(&err, ERROR_UNSUPPORTED, "the process could not be read now");
        return nif_error(env, &err);
    }
    read_identity(&request, &identity);
    return identity_term(env, snapshot, &identity);
}

// ---- many processes ----------------------------------------------------------------

enum { TIMED_CHUNK = 256 };

static size_t next_ids(ErlNifEnv *env, ERL_NIF_TERM *list, uint64_t *ids)
{
    ERL_NIF_TERM head;
    size_t cnt = 0;
    while (cnt < TIMED_CHUNK && enif_get_list_cell(env, *list, &head, list)) {
        ids[cnt++] = (uint64_t)head;
    }
    return cnt;
}

// Reads a chunk as the walker does; how many were whole.
static size_t read_chunk(struct memory_reader *reader, const struct otp_layout *layout,
                         struct process_snapshot *snapshots, const uint64_t *ids, size_t cnt)
{
    size_t whole = 0;
    for (size_t first = 0; first < cnt; first += SNAPSHOT_MAX_BATCH) {
        struct process_snapshot *batch[SNAPSHOT_MAX_BATCH];
        size_t n = cnt - first < SNAPSHOT_MAX_BATCH ? cnt - first : SNAPSHOT_MAX_BATCH;
        for (size_t i = 0; i < n; i++) {
            batch[i] = &snapshots[i];
            batch[i]->id = ids[first + i];
        }
        process_snapshot_batch(reader, layout, batch, n);
        for (size_t i = 0; i < n; i++) {
            whole += batch[i]->end == SNAPSHOT_WHOLE;
        }
    }
    return whole;
}

static ERL_NIF_TERM extreme_term(ErlNifEnv *env, const struct process_extreme *extreme)
{
    // A local pid is an immediate: its bits are the term.
    ERL_NIF_TERM pid = extreme->id == 0 ? nif_atom(env, "none") : (ERL_NIF_TERM)extreme->id;
    return enif_make_tuple2(env, pid, nif_u64(env, extreme->value));
}

// {CpuNs, Processes, {Pid, Messages}, {Pid, Bytes}}, or `unreadable`
ERL_NIF_TERM snapshot_nif_extremes(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct request request;
    struct process_extremes extremes;
    ERL_NIF_TERM refusal;
    if (!begin(env, argv, &request, &refusal)) {
        return refusal;
    }
    if (!memory_reader_check(request.reader)) {
        return nif_atom(env, "unreadable");
    }
    uint64_t start_ns = clock_thread_cpu_ns();
    process_extremes_find(request.reader, &request.layout, &extremes);
    return enif_make_tuple4(env, nif_u64(env, clock_thread_cpu_ns() - start_ns),
                            nif_u64(env, extremes.process_cnt), extreme_term(env, &extremes.queue),
                            extreme_term(env, &extremes.memory));
}

// For bench/: {CpuNs, Whole, Other} over a list of pids, each read once. CPU time
// of this thread, the clock read once in TIMED_CHUNK processes.
ERL_NIF_TERM snapshot_nif_time(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct request request;
    struct error err = {0};
    ERL_NIF_TERM refusal;
    if (!enif_is_list(env, argv[2])) {
        return enif_make_badarg(env);
    }
    if (!begin(env, argv, &request, &refusal)) {
        return refusal;
    }
    struct process_snapshot *snapshots = calloc(SNAPSHOT_MAX_BATCH, sizeof *snapshots);
    if (snapshots == NULL) {
        (void)error_set(&err, ERROR_NO_MEMORY, "snapshots: out of memory");
        return nif_error(env, &err);
    }
    ERL_NIF_TERM list = argv[2];
    uint64_t ids[TIMED_CHUNK];
    uint64_t read_ns = 0;
    uint64_t whole = 0;
    uint64_t total = 0;
    for (size_t cnt = next_ids(env, &list, ids); cnt > 0; cnt = next_ids(env, &list, ids)) {
        uint64_t start_ns = clock_thread_cpu_ns();
        whole += read_chunk(request.reader, &request.layout, snapshots, ids, cnt);
        read_ns += clock_thread_cpu_ns() - start_ns;
        total += cnt;
    }
    free(snapshots);
    return enif_make_tuple3(env, nif_u64(env, read_ns), nif_u64(env, whole),
                            nif_u64(env, total - whole));
}
