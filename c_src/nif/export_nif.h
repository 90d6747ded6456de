// SPDX-License-Identifier: Apache-2.0
// What other programs are told about this VM (src/flame_prof_perf_map.erl): names
// and places of its code, from a probe that has loaded it, as files that appear
// whole.
#ifndef FLAME_PROF_NIF_EXPORT_NIF_H
#define FLAME_PROF_NIF_EXPORT_NIF_H

#include <erl_nif.h>

ERL_NIF_TERM export_nif_perf_map(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM export_nif_code_ranges(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM export_nif_replace_file(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM export_nif_remove_file(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
