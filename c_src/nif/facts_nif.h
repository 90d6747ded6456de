// SPDX-License-Identifier: Apache-2.0
// What only Erlang knows of the VM, told to a running capture about once a second.
#ifndef FLAME_PROF_NIF_FACTS_NIF_H
#define FLAME_PROF_NIF_FACTS_NIF_H

#include <erl_nif.h>

// set_applications(Session, [{Master :: pid(), Name :: atom()}]) -> ok
ERL_NIF_TERM facts_nif_set_applications(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// set_run_queues(Session, [Length]) -> ok: as statistics(run_queue_lengths_all) has them
ERL_NIF_TERM facts_nif_set_run_queues(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// set_accounts(Session, [{normal | dirty_cpu | dirty_io, Number, [MicroSeconds]}]) -> ok:
// aux, check_io, emulator, gc, other, port, sleep
ERL_NIF_TERM facts_nif_set_accounts(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

// set_port_owners(Session, [{Owner :: pid(), Bytes}]) -> ok: all that have any
ERL_NIF_TERM facts_nif_set_port_owners(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

#endif
