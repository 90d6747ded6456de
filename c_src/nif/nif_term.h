// SPDX-License-Identifier: Apache-2.0
// Terms in, terms out: option maps to C values, errors to {error, {Code, Detail}}.
// Only on threads that own the environment they pass.
#ifndef FLAME_PROF_NIF_NIF_TERM_H
#define FLAME_PROF_NIF_NIF_TERM_H

#include "base/error.h"
#include "base/text.h"

#include <erl_nif.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

ERL_NIF_TERM nif_atom(ErlNifEnv *env, const char *name);
ERL_NIF_TERM nif_binary(ErlNifEnv *env, struct text text);
ERL_NIF_TERM nif_u64(ErlNifEnv *env, uint64_t value);
ERL_NIF_TERM nif_bool(ErlNifEnv *env, bool value);
ERL_NIF_TERM nif_ok(ErlNifEnv *env, ERL_NIF_TERM value);

// {error, {Code :: atom(), Detail :: binary()}}
ERL_NIF_TERM nif_error(ErlNifEnv *env, const struct error *err);

// Puts key => value; keys are atoms.
void nif_put(ErlNifEnv *env, ERL_NIF_TERM *map, const char *key, ERL_NIF_TERM value);

// False when the key is missing or of another type.
bool nif_get_u64(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret);
bool nif_get_bool(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, bool *value_ret);
// NUL-terminated UTF-8 of a binary or a flat string.
bool nif_get_text(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, char *text, size_t text_bytes);
bool nif_term_u64(ErlNifEnv *env, ERL_NIF_TERM term, uint64_t *value_ret);

// The bits of an immediate term (atom, local pid, small integer): those alone
// stand for themselves in the VM's memory.
bool nif_immediate(ErlNifEnv *env, ERL_NIF_TERM term, uint64_t *bits_ret);

#endif
