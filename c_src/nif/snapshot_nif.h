// SPDX-License-Identifier: Apache-2.0
// Processes as the walker reads them, for calibration to compare with process_info/2
// (src/flame_prof_calibration.erl). Each takes a probe and a layout map first.
#ifndef FLAME_PROF_NIF_SNAPSHOT_NIF_H
#define FLAME_PROF_NIF_SNAPSHOT_NIF_H

#include <erl_nif.h>

ERL_NIF_TERM snapshot_nif_take(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM snapshot_nif_identity(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM snapshot_nif_extremes(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM snapshot_nif_time(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
