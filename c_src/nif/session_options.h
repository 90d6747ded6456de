// SPDX-License-Identifier: Apache-2.0
// What Erlang asks a capture to do (flame_prof_walker:native/1), as C values. Only on
// the thread that owns the environment.
#ifndef FLAME_PROF_NIF_SESSION_OPTIONS_H
#define FLAME_PROF_NIF_SESSION_OPTIONS_H

#include "base/error.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/vm_memory.h"
#include "model/session.h"
#include "record/beam/beam_recording.h"

#include <erl_nif.h>
#include <stdbool.h>
#include <stdint.h>

struct session_output_texts {
    char directory[FILE_SERIES_PATH_BYTES];
    char stem[FILE_SERIES_NAME_BYTES];
    char cpu_stem[FILE_SERIES_NAME_BYTES];
};

// `options` points into `texts`, `excluded` and `bifs`: not to be moved. Zeroed by the caller.
struct session_options {
    struct otp_layout layout;
    struct vm_memory memory;
    struct session session;
    struct beam_recording_options options;
    struct session_output_texts texts;
    uint64_t excluded[SELECTOR_MAX_EXCLUDED];
    struct bif bifs[BIF_TABLE_MAX];
};

// False with the option and what is wrong with it.
bool session_options_get(ErlNifEnv *env, ERL_NIF_TERM layout, ERL_NIF_TERM config,
                         struct session_options *all, struct error *err);

// An enum process_status, or TARGET_ANY_STATUS for an atom that is none.
int session_options_status_filter(ErlNifEnv *env, ERL_NIF_TERM status);

// The header's facts that only Erlang knows: [{Key :: iodata(), Value :: iodata()}]. At
// most `max_cnt`; how many.
uint32_t session_options_fields(ErlNifEnv *env, ERL_NIF_TERM list, struct session_field *fields,
                                uint32_t max_cnt);

#endif
