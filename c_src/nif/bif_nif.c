// SPDX-License-Identifier: Apache-2.0
#include "nif/bif_nif.h"

#include "nif/nif_term.h"
#include "nif/probe_nif.h"
#include "symbols/beam/native_code.h"

static bool get_name(ErlNifEnv *env, ERL_NIF_TERM term, struct bif *bif)
{
    const ERL_NIF_TERM *mfa;
    int arity;
    return enif_get_tuple(env, term, &arity, &mfa) && arity == 3 && enif_is_atom(env, mfa[0]) &&
           enif_is_atom(env, mfa[1]) && nif_immediate(env, mfa[0], &bif->module) &&
           nif_immediate(env, mfa[1], &bif->function) && enif_get_uint(env, mfa[2], &bif->arity);
}

uint32_t bif_nif_names(ErlNifEnv *env, ERL_NIF_TERM list, struct bif *bifs)
{
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    while (enif_get_list_cell(env, list, &head, &list)) {
        if (cnt == BIF_TABLE_MAX || !get_name(env, head, &bifs[cnt])) {
            return 0;
        }
        cnt++;
    }
    return cnt;
}

ERL_NIF_TERM bif_nif_offsets(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < BIF_FIELD_CNT; i++) {
        nif_put(env, &map, bif_field_name((enum bif_field)i), nif_u64(env, BIF_LAYOUT.offset[i]));
    }
    return map;
}

static bool get_offsets(ErlNifEnv *env, ERL_NIF_TERM map, struct bif_layout *layout)
{
    for (int i = 0; i < BIF_FIELD_CNT; i++) {
        uint64_t offset = 0;
        if (!nif_get_u64(env, map, bif_field_name((enum bif_field)i), &offset) ||
            offset > UINT16_MAX) {
            return false;
        }
        layout->offset[i] = (uint32_t)offset;
    }
    return true;
}

static bool is_function(const void *context, uint64_t address)
{
    return native_code_is_function((struct native_code *)(uintptr_t)context, address);
}

static ERL_NIF_TERM find(ErlNifEnv *env, struct bif_search *search)
{
    struct error err = {0};
    struct bif_table table;
    if (!memory_reader_check(search->reader) || !bif_table_read(&table, search, &err)) {
        return nif_error(env, &err);
    }
    ERL_NIF_TERM found = nif_ok(env, nif_u64(env, table.cnt));
    bif_table_deinit(&table);
    return found;
}

ERL_NIF_TERM bif_nif_find(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct bif_layout layout;
    struct bif *wanted = enif_alloc(BIF_TABLE_MAX * sizeof *wanted);
    struct native_code *native = native_code_create();
    struct bif_search search = {.layout = &layout,
                                .wanted = wanted,
                                .wanted_cnt = bif_nif_names(env, argv[1], wanted),
                                .is_function = is_function,
                                .is_function_context = native};
    ERL_NIF_TERM answer;
    if (native == NULL || !probe_nif_memory(env, argv[0], &search.memory, &search.reader) ||
        !get_offsets(env, argv[2], &layout)) {
        answer = enif_make_badarg(env);
    } else {
        answer = find(env, &search);
    }
    native_code_destroy(native);
    enif_free(wanted);
    return answer;
}
