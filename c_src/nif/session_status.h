// SPDX-License-Identifier: Apache-2.0
// The figures of a capture as the map that flame_prof_nif:status/1 returns.
#ifndef FLAME_PROF_NIF_SESSION_STATUS_H
#define FLAME_PROF_NIF_SESSION_STATUS_H

#include "record/beam/beam_recording.h"

#include <erl_nif.h>

ERL_NIF_TERM session_status_term(ErlNifEnv *env, const struct beam_recording_status *status);

#endif
