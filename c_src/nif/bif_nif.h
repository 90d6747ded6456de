// SPDX-License-Identifier: Apache-2.0
// The VM's table of BIFs: what it must say, and tests that give wrong offsets on purpose.
#ifndef FLAME_PROF_NIF_BIF_NIF_H
#define FLAME_PROF_NIF_BIF_NIF_H

#include "capture/beam/bif_table.h"

#include <erl_nif.h>

// [{Module, Function, Arity}], at most BIF_TABLE_MAX; how many. 0 where it is no such list.
uint32_t bif_nif_names(ErlNifEnv *env, ERL_NIF_TERM list, struct bif *bifs);

// bif_offsets() -> #{Field :: atom() => Bytes}
ERL_NIF_TERM bif_nif_offsets(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// find_bifs(Probe, Names, Offsets) -> {ok, FunctionCount} | {error, ...}
ERL_NIF_TERM bif_nif_find(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
