// SPDX-License-Identifier: Apache-2.0
// Where this VM keeps its schedulers, for the layout file and for tests that give wrong
// offsets on purpose.
#ifndef FLAME_PROF_NIF_SCHEDULER_NIF_H
#define FLAME_PROF_NIF_SCHEDULER_NIF_H

#include <erl_nif.h>

// scheduler_offsets() -> #{Field :: atom() => Bytes}
ERL_NIF_TERM scheduler_nif_offsets(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// find_schedulers(Probe, Layout, {Normal, DirtyCpu, DirtyIo}, Offsets) ->
//     {ok, [{Kind :: atom(), Number, Address, Tid}]} | {error, ...}; Tid 0: no such thread.
// The probe must have loaded the code.
ERL_NIF_TERM scheduler_nif_find(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
