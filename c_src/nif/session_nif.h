// SPDX-License-Identifier: Apache-2.0
// A running capture as a resource: kept alive by its own writer thread until the
// last file is finished, told to stop when its owner process dies.
#ifndef FLAME_PROF_NIF_SESSION_NIF_H
#define FLAME_PROF_NIF_SESSION_NIF_H

#include <erl_nif.h>
#include <stdbool.h>

bool session_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags);

// Count of the captures whose threads are still running; a library with any is
// not replaced. Lives as long as the emulator: the library is never unloaded.
_Atomic unsigned *session_nif_running(void);

// The capture that a session's term stands for; NULL for any other term. Borrowed for
// the call.
struct beam_recording *session_nif_recording(ErlNifEnv *env, ERL_NIF_TERM term);

ERL_NIF_TERM session_nif_start(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_watch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_unwatch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_exclude(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_set_counts(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_stretch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_dump(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_selected(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_status(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM session_nif_stop(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
