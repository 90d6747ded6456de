// SPDX-License-Identifier: Apache-2.0
#include "nif/export_nif.h"

#include "nif/nif_term.h"
#include "nif/probe_nif.h"
#include "record/beam/code_export.h"
#include "store/public_file.h"

#include <string.h>

enum { MAP_MAX_BYTES = 64 << 20, MAX_RANGES = 1024, PATH_BYTES = 4096 };

// {ok, Text, FunctionCount} | {error, _}
ERL_NIF_TERM export_nif_perf_map(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    const struct code_map *map = probe_nif_code(env, argv[0]);
    if (map == NULL) {
        return enif_make_badarg(env);
    }
    struct byte_buffer text;
    uint32_t function_cnt = 0;
    byte_buffer_init(&text, MAP_MAX_BYTES);
    ERL_NIF_TERM result;
    if (code_export_perf_map(map, &text, &function_cnt)) {
        struct text whole = {text.bytes, (uint32_t)text.len};
        result = enif_make_tuple3(env, nif_atom(env, "ok"), nif_binary(env, whole),
                                  enif_make_uint(env, function_cnt));
    } else {
        struct error err;
        (void)error_set(&err, ERROR_LIMIT, "perf map: more than %d MiB of names",
                        MAP_MAX_BYTES >> 20);
        result = nif_error(env, &err);
    }
    byte_buffer_deinit(&text);
    return result;
}

// [{Start, End}]
ERL_NIF_TERM export_nif_code_ranges(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    const struct code_map *map = probe_nif_code(env, argv[0]);
    if (map == NULL) {
        return enif_make_badarg(env);
    }
    struct code_range ranges[MAX_RANGES];
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (size_t i = code_export_ranges(map, ranges, MAX_RANGES); i > 0; i--) {
        ERL_NIF_TERM range = enif_make_tuple2(env, nif_u64(env, ranges[i - 1].start),
                                              nif_u64(env, ranges[i - 1].end));
        list = enif_make_list_cell(env, range, list);
    }
    return list;
}

static bool get_string(ErlNifEnv *env, ERL_NIF_TERM term, char *string, size_t string_bytes)
{
    ErlNifBinary binary;
    if (!enif_inspect_binary(env, term, &binary) || binary.size >= string_bytes ||
        memchr(binary.data, 0, binary.size) != NULL) {
        return false;
    }
    memcpy(string, binary.data, binary.size);
    string[binary.size] = '\0';
    return true;
}

ERL_NIF_TERM export_nif_replace_file(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    char directory[PATH_BYTES];
    char name[PUBLIC_FILE_NAME_BYTES];
    ErlNifBinary content;
    struct error err = {0};
    if (!get_string(env, argv[0], directory, sizeof directory) ||
        !get_string(env, argv[1], name, sizeof name) ||
        !enif_inspect_iolist_as_binary(env, argv[2], &content)) {
        return enif_make_badarg(env);
    }
    return public_file_replace(directory, name, content.data, content.size, &err)
               ? nif_atom(env, "ok")
               : nif_error(env, &err);
}

ERL_NIF_TERM export_nif_remove_file(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    char directory[PATH_BYTES];
    char name[PUBLIC_FILE_NAME_BYTES];
    struct error err = {0};
    if (!get_string(env, argv[0], directory, sizeof directory) ||
        !get_string(env, argv[1], name, sizeof name)) {
        return enif_make_badarg(env);
    }
    return public_file_remove(directory, name, &err) ? nif_atom(env, "ok") : nif_error(env, &err);
}
