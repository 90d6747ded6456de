// SPDX-License-Identifier: Apache-2.0
#include "nif/probe_nif.h"

#include "base/heap.h"
#include "capture/beam/jit_code_list.h"
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

ERL_NIF_TERM probe_nif_code_list(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct probe *probe;
    if (!get_probe(env, argv[0], &probe)) {
        return enif_make_badarg(env);
    }
    return nif_u64(env, probe->code_list.descriptor);
}

const struct code_map *probe_nif_code(ErlNifEnv *env, ERL_NIF_TERM term)
{
    struct probe *probe;
    return get_probe(env, term, &probe) ? probe->code : NULL;
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

struct process_snapshot *probe_nif_room(ErlNifEnv *env, ERL_NIF_TERM term)
{
    struct probe *probe;
    return get_probe(env, term, &probe) ? &probe->snapshot : NULL;
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
