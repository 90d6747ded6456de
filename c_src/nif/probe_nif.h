// SPDX-License-Identifier: Apache-2.0
// What calibration needs (src/flame_prof_calibration.erl): safe reads, the search
// for the process table and the code list. A probe is a resource of the process that made it.
#ifndef FLAME_PROF_NIF_PROBE_NIF_H
#define FLAME_PROF_NIF_PROBE_NIF_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/process_snapshot.h"
#include "capture/beam/vm_memory.h"
#include "symbols/beam/code_map.h"

#include <erl_nif.h>
#include <stdbool.h>

bool probe_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags);

ERL_NIF_TERM probe_nif_self_address(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_term_bits(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_open(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_close(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_read(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_find_table(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_load_code(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_code_changed(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_code_list(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM probe_nif_locate(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// "auto", "guarded_load", "process_vm_readv"; false for anything else.
bool probe_nif_reader_kind(ErlNifEnv *env, ERL_NIF_TERM atom, enum reader_kind *kind_ret);

// What the probe reads with, borrowed from it; false where the term is no probe.
bool probe_nif_memory(ErlNifEnv *env, ERL_NIF_TERM term, const struct vm_memory **memory_ret,
                      struct memory_reader **reader_ret);

// Room for one process, borrowed from the probe; NULL where the term is none.
struct process_snapshot *probe_nif_room(ErlNifEnv *env, ERL_NIF_TERM term);

// The code that load_code has read, borrowed from the probe; NULL where the term is
// no probe or has read none.
const struct code_map *probe_nif_code(ErlNifEnv *env, ERL_NIF_TERM term);

#endif
