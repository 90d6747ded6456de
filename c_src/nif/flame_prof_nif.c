// SPDX-License-Identifier: Apache-2.0
// Function table and life of the library.
#include "base/version.h"
#include "nif/bif_nif.h"
#include "nif/export_nif.h"
#include "nif/facts_nif.h"
#include "nif/layout_nif.h"
#include "nif/nif_term.h"
#include "nif/probe_nif.h"
#include "nif/ranking_nif.h"
#include "nif/scheduler_nif.h"
#include "nif/session_nif.h"
#include "nif/snapshot_nif.h"

#include <stdatomic.h>

// The Erlang module passes the same number: stubs and library of different
// builds refuse each other.
enum { FLAME_PROF_NIF_ABI = 3 };

static ErlNifFunc FUNCTIONS[] = {
    {"self_address", 1, probe_nif_self_address, 0},
    {"term_bits", 1, probe_nif_term_bits, 0},
    {"known_layout", 1, layout_nif_known, 0},
    {"open_probe", 1, probe_nif_open, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"close_probe", 1, probe_nif_close, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"read_words", 3, probe_nif_read, 0},
    {"find_table", 4, probe_nif_find_table, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"load_code", 1, probe_nif_load_code, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"code_changed", 1, probe_nif_code_changed, 0},
    {"code_list", 1, probe_nif_code_list, 0},
    {"perf_map", 1, export_nif_perf_map, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"code_ranges", 1, export_nif_code_ranges, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"replace_file", 3, export_nif_replace_file, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"remove_file", 2, export_nif_remove_file, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"bif_offsets", 0, bif_nif_offsets, 0},
    {"find_bifs", 3, bif_nif_find, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"scheduler_offsets", 0, scheduler_nif_offsets, 0},
    {"find_schedulers", 4, scheduler_nif_find, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"open_ranking", 4, ranking_nif_open, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"rank", 1, ranking_nif_pass, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"locate", 2, probe_nif_locate, 0},
    {"snapshot", 3, snapshot_nif_take, 0},
    {"identity", 3, snapshot_nif_identity, 0},
    {"extremes", 2, snapshot_nif_extremes, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"time_snapshots", 3, snapshot_nif_time, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"start", 3, session_nif_start, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"watch", 3, session_nif_watch, 0},
    {"unwatch", 2, session_nif_unwatch, 0},
    {"exclude", 2, session_nif_exclude, 0},
    {"set_counts", 3, session_nif_set_counts, 0},
    {"set_run_queues", 2, facts_nif_set_run_queues, 0},
    {"set_accounts", 2, facts_nif_set_accounts, 0},
    {"set_port_owners", 2, facts_nif_set_port_owners, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"set_applications", 2, facts_nif_set_applications, 0},
    {"stretch", 3, session_nif_stretch, 0},
    {"dump", 3, session_nif_dump, 0},
    {"selected", 1, session_nif_selected, 0},
    {"status", 1, session_nif_status, 0},
    {"stop", 3, session_nif_stop, ERL_NIF_DIRTY_JOB_IO_BOUND},
};

// A failed on_load tells where: the line that refused.
static int load_library(ErlNifEnv *env, ERL_NIF_TERM info, ErlNifResourceFlags flags)
{
    int abi;
    if (!enif_get_int(env, info, &abi) || abi != FLAME_PROF_NIF_ABI) {
        return __LINE__;
    }
    if (!probe_nif_load(env, flags)) {
        return __LINE__;
    }
    if (!session_nif_load(env, flags)) {
        return __LINE__;
    }
    if (!ranking_nif_load(env, flags)) {
        return __LINE__;
    }
    return 0;
}

static int load(ErlNifEnv *env, void **private_data, ERL_NIF_TERM info)
{
    *private_data = session_nif_running();
    return load_library(env, info, ERL_NIF_RT_CREATE);
}

// A library whose threads run is not replaced: stop the profiler first. The
// count is the old library's, which may be another file.
static int upgrade(ErlNifEnv *env, void **private_data, void **old_private_data, ERL_NIF_TERM info)
{
    if (*old_private_data == NULL || atomic_load((_Atomic unsigned *)*old_private_data) > 0) {
        return __LINE__;
    }
    *private_data = session_nif_running();
    return load_library(env, info, (ErlNifResourceFlags)(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER));
}

ERL_NIF_INIT(flame_prof_nif, FUNCTIONS, load, NULL, upgrade, NULL)
