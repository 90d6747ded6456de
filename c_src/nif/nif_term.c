// SPDX-License-Identifier: Apache-2.0
#include "nif/nif_term.h"

#include <string.h>

ERL_NIF_TERM nif_atom(ErlNifEnv *env, const char *name)
{
    return enif_make_atom(env, name);
}

ERL_NIF_TERM nif_binary(ErlNifEnv *env, struct text text)
{
    ERL_NIF_TERM term;
    unsigned char *bytes = enif_make_new_binary(env, text.len, &term);
    if (text.len > 0) {
        memcpy(bytes, text.bytes, text.len);
    }
    return term;
}

ERL_NIF_TERM nif_u64(ErlNifEnv *env, uint64_t value)
{
    return enif_make_uint64(env, value);
}

ERL_NIF_TERM nif_bool(ErlNifEnv *env, bool value)
{
    return nif_atom(env, value ? "true" : "false");
}

ERL_NIF_TERM nif_ok(ErlNifEnv *env, ERL_NIF_TERM value)
{
    return enif_make_tuple2(env, nif_atom(env, "ok"), value);
}

ERL_NIF_TERM nif_error(ErlNifEnv *env, const struct error *err)
{
    ERL_NIF_TERM reason = enif_make_tuple2(env, nif_atom(env, error_code_name(err->code)),
                                           nif_binary(env, text_of(err->detail)));
    return enif_make_tuple2(env, nif_atom(env, "error"), reason);
}

void nif_put(ErlNifEnv *env, ERL_NIF_TERM *map, const char *key, ERL_NIF_TERM value)
{
    (void)enif_make_map_put(env, *map, nif_atom(env, key), value, map);
}

bool nif_term_u64(ErlNifEnv *env, ERL_NIF_TERM term, uint64_t *value_ret)
{
    ErlNifUInt64 value;
    if (!enif_get_uint64(env, term, &value)) {
        return false;
    }
    *value_ret = value;
    return true;
}

bool nif_get_u64(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret)
{
    ERL_NIF_TERM value;
    return enif_get_map_value(env, map, nif_atom(env, key), &value) &&
           nif_term_u64(env, value, value_ret);
}

bool nif_get_bool(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, bool *value_ret)
{
    ERL_NIF_TERM value;
    if (!enif_get_map_value(env, map, nif_atom(env, key), &value)) {
        return false;
    }
    bool is_true = enif_is_identical(value, nif_atom(env, "true"));
    bool is_false = enif_is_identical(value, nif_atom(env, "false"));
    *value_ret = is_true;
    return is_true || is_false;
}

bool nif_get_text(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, char *text, size_t text_bytes)
{
    ERL_NIF_TERM value;
    ErlNifBinary binary;
    if (!enif_get_map_value(env, map, nif_atom(env, key), &value)) {
        return false;
    }
    if (enif_inspect_iolist_as_binary(env, value, &binary) && binary.size < text_bytes &&
        memchr(binary.data, 0, binary.size) == NULL) {
        memcpy(text, binary.data, binary.size);
        text[binary.size] = '\0';
        return true;
    }
    return false;
}

bool nif_immediate(ErlNifEnv *env, ERL_NIF_TERM term, uint64_t *bits_ret)
{
    ErlNifPid pid;
    ErlNifSInt64 small;
    bool immediate = enif_is_atom(env, term) || enif_get_local_pid(env, term, &pid) ||
                     (enif_get_int64(env, term, &small) && (term & 0xF) == 0xF);
    *bits_ret = (uint64_t)term;
    return immediate;
}
