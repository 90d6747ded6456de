// SPDX-License-Identifier: Apache-2.0
// The busiest processes of the moment for flame_prof:top/1, by the walker's
// selector, outside of any recording. A resource, used by one process at a time; it
// goes with the last reference to it.
#ifndef FLAME_PROF_NIF_RANKING_NIF_H
#define FLAME_PROF_NIF_RANKING_NIF_H

#include <erl_nif.h>
#include <stdbool.h>

bool ranking_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags);

ERL_NIF_TERM ranking_nif_open(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM ranking_nif_pass(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
