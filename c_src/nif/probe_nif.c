// SPDX-License-Identifier: Apache-2.0
#include "nif/probe_nif.h"

#include "base/clock.h"
#include "base/heap.h"
#include "capture/beam/dictionary_identity.h"
#include "capture/beam/jit_code_list.h"
#include "capture/beam/process_extremes.h"
#include "capture/beam/process_snapshot.h"
#include "capture/beam/process_table.h"
#include "nif/nif_term.h"
#include "symbols/beam/code_map.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_MAX_BYTES = 256 << 20, READ_MAX_WORDS = 65536, MAX_KNOWN = 64 };

struct probe {
    struct memory_reader reader;
    struct vm_memory memory;
    struct jit_code_list code_list;
    struct code_map *code;
    struct process_snapshot snapshot;
    bool open;
};

static ErlNifResourceType *probe_type;

static void close_probe(struct probe *probe)
{
    if (probe->open) {
        memory_reader_close(&probe->reader);
        code_map_destroy(probe->code);
        probe->code = NULL;
        probe->open = false;
    }
}

static void probe_destructor(ErlNifEnv *env, void *object)
{
    (void)env;
    close_probe(object);
}

bool probe_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags)
{
    probe_type =
        enif_open_resource_type(env, NULL, "flame_prof_probe", probe_destructor, flags, NULL);
    return probe_type != NULL;
}

static bool get_probe(ErlNifEnv *env, ERL_NIF_TERM term, struct probe **probe_ret)
{
    void *object;
    if (!enif_get_resource(env, term, probe_type, &object) || !((struct probe *)object)->open) {
        return false;
    }
    *probe_ret = object;
    return true;
}

// ---- terms ----------------------------------------------------------------------

// The caller's struct process: the second word of the environment in OTP 25, 27
// and 29 (struct enif_environment_t, erts/emulator/beam/global.h). The first
// word of what it points to must then be the caller's pid; anything else is
// refused.
ERL_NIF_TERM probe_nif_self_address(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    if (!get_probe(env, argv[0], &probe)) {
        return enif_make_badarg(env);
    }
    ErlNifPid self;
    uint64_t environment[2];
    uint64_t id = 0;
    if (enif_self(env, &self) == NULL ||
        !memory_reader_words(&probe->reader, (uint64_t)(uintptr_t)env, environment, 2) ||
        !memory_reader_words(&probe->reader, environment[1], &id, 1) ||
        id != (uint64_t)enif_make_pid(env, &self)) {
        return nif_atom(env, "undefined");
    }
    return nif_u64(env, environment[1]);
}

ERL_NIF_TERM probe_nif_term_bits(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    uint64_t bits;
    return nif_immediate(env, argv[0], &bits) ? nif_u64(env, bits) : enif_make_badarg(env);
}

ERL_NIF_TERM probe_nif_known_layout(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    char release[16];
    struct otp_layout layout;
    if (enif_get_string(env, argv[0], release, sizeof release, ERL_NIF_LATIN1) <= 0) {
        return enif_make_badarg(env);
    }
    if (!otp_layout_known(release, &layout)) {
        return nif_atom(env, "undefined");
    }
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < LAYOUT_FIELD_CNT; i++) {
        nif_put(env, &map, layout_field_name((enum layout_field)i),
                enif_make_int(env, layout.offset[i]));
    }
    return map;
}

static bool get_field(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret,
                      struct error *err)
{
    return nif_get_u64(env, map, key, value_ret) ||
           error_set(err, ERROR_LAYOUT, "layout: field %s was not found", key);
}

// True also where it is not there, but not where it is no number.
static bool get_optional(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret)
{
    ERL_NIF_TERM value;
    return !enif_get_map_value(env, map, nif_atom(env, key), &value) ||
           nif_get_u64(env, map, key, value_ret);
}

bool probe_nif_layout(ErlNifEnv *env, ERL_NIF_TERM map, struct otp_layout *layout,
                      struct error *err)
{
    *layout = (struct otp_layout){0};
    for (int i = 0; i < LAYOUT_FIELD_CNT; i++) {
        uint64_t offset = UINT64_MAX;
        bool found =
            i < LAYOUT_FIRST_OPTIONAL
                ? get_field(env, map, layout_field_name((enum layout_field)i), &offset, err)
                : get_optional(env, map, layout_field_name((enum layout_field)i), &offset);
        if (!found) {
            return false;
        }
        layout->offset[i] = offset < LAYOUT_MAX_PROCESS_BYTES ? (int32_t)offset : -1;
    }
    uint64_t in_low_bits = 0;
    uint64_t in_bits = 0;
    uint64_t process_bytes = 0;
    uint64_t message_bytes = 0;
    uint64_t psd_bytes = 0;
    bool ok = get_field(env, map, "slot_in_low_bits", &in_low_bits, err) &&
              get_field(env, map, "binaries_in_bits", &in_bits, err) &&
              get_field(env, map, "process_bytes", &process_bytes, err) &&
              get_field(env, map, "message_bytes", &message_bytes, err) &&
              get_field(env, map, "psd_bytes", &psd_bytes, err) &&
              get_field(env, map, "table_address", &layout->table_address, err) &&
              get_field(env, map, "slot_cnt", &layout->slot_cnt, err);
    layout->pid_encoding = in_low_bits != 0 ? PID_SLOT_IN_LOW_BITS : PID_SLOT_IN_HIGH_WORD;
    layout->binaries_in_bits = in_bits != 0;
    layout->process_bytes = (uint32_t)process_bytes;
    layout->message_bytes = (uint32_t)message_bytes;
    layout->psd_bytes = (uint32_t)psd_bytes;
    layout->initial_call_key = (uint64_t)nif_atom(env, "$initial_call");
    layout->ancestors_key = (uint64_t)nif_atom(env, "$ancestors");
    layout->label_key = (uint64_t)nif_atom(env, "$process_label");
    return ok && otp_layout_finish(layout, err);
}

bool probe_nif_reader_kind(ErlNifEnv *env, ERL_NIF_TERM atom, enum reader_kind *kind_ret)
{
    static const struct {
        const char *name;
        enum reader_kind kind;
    } KINDS[] = {
        {"auto", READER_AUTO},
        {"guarded_load", READER_GUARDED_LOAD},
        {"process_vm_readv", READER_PROCESS_VM_READV},
    };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (enif_is_identical(atom, nif_atom(env, KINDS[i].name))) {
            *kind_ret = KINDS[i].kind;
            return true;
        }
    }
    return false;
}

// ---- probe ----------------------------------------------------------------------

ERL_NIF_TERM probe_nif_open(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    enum reader_kind kind;
    struct error err = {0};
    if (!probe_nif_reader_kind(env, argv[0], &kind)) {
        return enif_make_badarg(env);
    }
    struct probe *probe = enif_alloc_resource(probe_type, sizeof *probe);
    memset(probe, 0, sizeof *probe);
    ERL_NIF_TERM term = enif_make_resource(env, probe);
    enif_release_resource(probe);
    if (!vm_memory_open(&probe->memory, &err) || !memory_reader_open(&probe->reader, kind, &err)) {
        return nif_error(env, &err);
    }
    probe->open = true;
    return nif_ok(env, term);
}

ERL_NIF_TERM probe_nif_close(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    if (get_probe(env, argv[0], &probe)) {
        close_probe(probe);
        heap_give_back();
    }
    return nif_atom(env, "ok");
}

ERL_NIF_TERM probe_nif_read(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    uint64_t address;
    uint64_t word_cnt;
    if (!get_probe(env, argv[0], &probe) || !nif_term_u64(env, argv[1], &address) ||
        !nif_term_u64(env, argv[2], &word_cnt) || word_cnt > READ_MAX_WORDS) {
        return enif_make_badarg(env);
    }
    ERL_NIF_TERM term;
    unsigned char *bytes = enif_make_new_binary(env, word_cnt * 8, &term);
    bool ok = memory_reader_check(&probe->reader) &&
              memory_reader_words(&probe->reader, address, bytes, (uint32_t)word_cnt);
    return ok ? term : nif_atom(env, "undefined");
}

static bool get_known(ErlNifEnv *env, ERL_NIF_TERM list, struct known_process *known, size_t *cnt)
{
    ERL_NIF_TERM head;
    *cnt = 0;
    while (*cnt < MAX_KNOWN && enif_get_list_cell(env, list, &head, &list)) {
        const ERL_NIF_TERM *pair;
        int arity;
        if (!enif_get_tuple(env, head, &arity, &pair) || arity != 2 ||
            !nif_term_u64(env, pair[0], &known[*cnt].id) ||
            !nif_term_u64(env, pair[1], &known[*cnt].address)) {
            return false;
        }
        (*cnt)++;
    }
    return true;
}

ERL_NIF_TERM probe_nif_find_table(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct known_process known[MAX_KNOWN];
    size_t known_cnt;
    uint64_t in_low_bits;
    uint64_t slot_cnt;
    if (!get_probe(env, argv[0], &probe) || !nif_term_u64(env, argv[1], &in_low_bits) ||
        !nif_term_u64(env, argv[2], &slot_cnt) || !get_known(env, argv[3], known, &known_cnt)) {
        return enif_make_badarg(env);
    }
    struct otp_layout layout = {
        .pid_encoding = in_low_bits != 0 ? PID_SLOT_IN_LOW_BITS : PID_SLOT_IN_HIGH_WORD,
        .slot_cnt = slot_cnt,
    };
    struct error err = {0};
    return process_table_find(&layout, &probe->memory, &probe->reader, known, known_cnt, &err)
               ? nif_ok(env, nif_u64(env, layout.table_address))
               : nif_error(env, &err);
}

// ---- code -----------------------------------------------------------------------

static void on_begin(void *context)
{
    code_map_begin(context, 0);
}

static bool on_wants(void *context, const struct jit_code_entry *entry)
{
    struct code_key key = {entry->address, entry->symfile, entry->symfile_bytes};
    return !code_map_has(context, &key);
}

static void on_take(void *context, const struct jit_code_entry *entry, const void *symfile)
{
    struct code_key key = {entry->address, entry->symfile, entry->symfile_bytes};
    (void)code_map_add(context, &key, symfile);
}

ERL_NIF_TERM probe_nif_load_code(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct error err = {0};
    if (!get_probe(env, argv[0], &probe)) {
        return enif_make_badarg(env);
    }
    if (probe->code == NULL) {
        probe->code = code_map_create(CODE_MAX_BYTES);
    }
    const struct jit_code_visitor visitor = {probe->code, on_begin, on_wants, on_take};
    if (probe->code == NULL) {
        (void)error_set(&err, ERROR_NO_MEMORY, "code map: out of memory");
        return nif_error(env, &err);
    }
    if (probe->code_list.descriptor == 0 &&
        !jit_code_list_find(&probe->code_list, &probe->memory, &probe->reader, &err)) {
        return nif_error(env, &err);
    }
    if (!jit_code_list_walk(&probe->code_list, &probe->reader, &visitor)) {
        (void)error_set(&err, ERROR_LAYOUT, "the emulator's list of code did not hold still");
        return nif_error(env, &err);
    }
    code_map_end(probe->code);
    return nif_ok(env, nif_u64(env, code_map_module_cnt(probe->code)));
}

// Was code loaded since load_code? Not where nothing may be read at the moment.
ERL_NIF_TERM probe_nif_code_changed(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    if (!get_probe(env, argv[0], &probe) || probe->code == NULL) {
        return enif_make_badarg(env);
    }
    return nif_bool(env, memory_reader_check(&probe->reader) &&
                             jit_code_list_changed(&probe->code_list, &probe->reader));
}

const struct code_map *probe_nif_code(ErlNifEnv *env, ERL_NIF_TERM term)
{
    struct probe *probe;
    return get_probe(env, term, &probe) ? probe->code : NULL;
}

// By its slot: in a dirty NIF the environment has a shadow.
uint64_t probe_nif_caller(ErlNifEnv *env, const struct otp_layout *layout)
{
    ErlNifPid self;
    uint64_t id = enif_self(env, &self) == NULL ? 0 : (uint64_t)enif_make_pid(env, &self);
    uint64_t slot = otp_layout_slot(layout, id);
    const volatile uint64_t *table = (const volatile uint64_t *)(uintptr_t)
                                         layout->table_address; // NOLINT(performance-no-int-to-ptr)
    return id != 0 && slot < layout->slot_cnt ? table[slot] : 0;
}

bool probe_nif_memory(ErlNifEnv *env, ERL_NIF_TERM term, const struct vm_memory **memory_ret,
                      struct memory_reader **reader_ret)
{
    struct probe *probe;
    if (!get_probe(env, term, &probe)) {
        return false;
    }
    *memory_ret = &probe->memory;
    *reader_ret = &probe->reader;
    return true;
}

// {Name, File, Line, IsStub} | undefined
ERL_NIF_TERM probe_nif_locate(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    uint64_t address;
    struct code_location location;
    if (!get_probe(env, argv[0], &probe) || !nif_term_u64(env, argv[1], &address)) {
        return enif_make_badarg(env);
    }
    if (probe->code == NULL || !code_map_find(probe->code, address, 0, &location)) {
        return nif_atom(env, "undefined");
    }
    return enif_make_tuple4(env, nif_binary(env, location.name), nif_binary(env, location.file),
                            enif_make_uint(env, location.line), nif_bool(env, location.is_stub));
}

// ---- one process ------------------------------------------------------------------

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
ERL_NIF_TERM probe_nif_snapshot(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct otp_layout layout;
    struct error err = {0};
    uint64_t id;
    if (!get_probe(env, argv[0], &probe) || !nif_immediate(env, argv[2], &id)) {
        return enif_make_badarg(env);
    }
    if (!probe_nif_layout(env, argv[1], &layout, &err)) {
        return nif_error(env, &err);
    }
    struct process_snapshot *snapshot = &probe->snapshot;
    struct dictionary_identity identity = {0};
    struct word_reader reader = memory_reader_word_reader(&probe->reader);
    snapshot->id = id;
    if (!memory_reader_check(&probe->reader)) {
        (void)error_set(&err, ERROR_UNSUPPORTED, "another library took SIGSEGV");
        return nif_error(env, &err);
    }
    process_snapshot_batch(&probe->reader, &layout, &snapshot, 1);
    if (snapshot->end == SNAPSHOT_WHOLE) {
        dictionary_identity_read(&reader, &layout, snapshot->dictionary, UINT32_MAX, &identity);
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

ERL_NIF_TERM probe_nif_identity(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct otp_layout layout;
    struct dictionary_identity identity;
    struct error err = {0};
    uint64_t id;
    if (!get_probe(env, argv[0], &probe) || !nif_immediate(env, argv[2], &id)) {
        return enif_make_badarg(env);
    }
    if (!probe_nif_layout(env, argv[1], &layout, &err)) {
        return nif_error(env, &err);
    }
    struct word_reader reader = memory_reader_word_reader(&probe->reader);
    struct process_snapshot *snapshot = &probe->snapshot;
    snapshot->id = id;
    snapshot->end = SNAPSHOT_UNREADABLE;
    if (memory_reader_check(&probe->reader)) {
        process_snapshot_batch(&probe->reader, &layout, &snapshot, 1);
    }
    if (snapshot->end > SNAPSHOT_PARTIAL) {
        (void)error_set(&err, ERROR_UNSUPPORTED, "the process could not be read now");
        return nif_error(env, &err);
    }
    dictionary_identity_read(&reader, &layout, snapshot->dictionary, UINT32_MAX, &identity);
    return identity_term(env, snapshot, &identity);
}

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
ERL_NIF_TERM probe_nif_extremes(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct otp_layout layout;
    struct process_extremes extremes;
    struct error err = {0};
    if (!get_probe(env, argv[0], &probe)) {
        return enif_make_badarg(env);
    }
    if (!probe_nif_layout(env, argv[1], &layout, &err)) {
        return nif_error(env, &err);
    }
    if (!memory_reader_check(&probe->reader)) {
        return nif_atom(env, "unreadable");
    }
    uint64_t start_ns = clock_thread_cpu_ns();
    process_extremes_find(&probe->reader, &layout, &extremes);
    return enif_make_tuple4(env, nif_u64(env, clock_thread_cpu_ns() - start_ns),
                            nif_u64(env, extremes.process_cnt), extreme_term(env, &extremes.queue),
                            extreme_term(env, &extremes.memory));
}

// For bench/: {CpuNs, Whole, Other} over a list of pids, each read once. CPU time
// of this thread, the clock read once in TIMED_CHUNK processes.
ERL_NIF_TERM probe_nif_time_snapshots(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    struct otp_layout layout;
    struct error err = {0};
    if (!get_probe(env, argv[0], &probe) || !enif_is_list(env, argv[2])) {
        return enif_make_badarg(env);
    }
    if (!probe_nif_layout(env, argv[1], &layout, &err)) {
        return nif_error(env, &err);
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
        whole += read_chunk(&probe->reader, &layout, snapshots, ids, cnt);
        read_ns += clock_thread_cpu_ns() - start_ns;
        total += cnt;
    }
    free(snapshots);
    return enif_make_tuple3(env, nif_u64(env, read_ns), nif_u64(env, whole),
                            nif_u64(env, total - whole));
}
