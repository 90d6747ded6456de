// SPDX-License-Identifier: Apache-2.0
// Layouts of the VM's structs as maps, from calibration and for it.
#ifndef FLAME_PROF_NIF_LAYOUT_NIF_H
#define FLAME_PROF_NIF_LAYOUT_NIF_H

#include "base/error.h"
#include "capture/beam/otp_layout.h"

#include <erl_nif.h>
#include <stdbool.h>
#include <stdint.h>

// From a layout map (fields by name, pid_encoding, process_bytes, message_bytes,
// table_address, slot_cnt) to a checked layout.
bool layout_nif_read(ErlNifEnv *env, ERL_NIF_TERM map, struct otp_layout *layout,
                     struct error *err);

// Address of the calling process's struct, 0 when it is not in the table.
uint64_t layout_nif_caller(ErlNifEnv *env, const struct otp_layout *layout);

ERL_NIF_TERM layout_nif_known(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
