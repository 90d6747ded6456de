// SPDX-License-Identifier: Apache-2.0
#include "nif/session_status.h"

#include "base/clock.h"
#include "nif/nif_term.h"

#include <stdio.h>

static ERL_NIF_TERM path_term(ErlNifEnv *env, const struct beam_recording_status *status,
                              const char *name)
{
    char path[FILE_SERIES_PATH_BYTES + FILE_SERIES_NAME_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", status->directory, name);
    return nif_binary(env, text_of(path));
}

static ERL_NIF_TERM files_term(ErlNifEnv *env, const struct beam_recording_status *status)
{
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (uint32_t i = status->kept_file_cnt; i > 0; i--) {
        list = enif_make_list_cell(env, path_term(env, status, status->files[i - 1]), list);
    }
    return list;
}

static ERL_NIF_TERM losses_term(ErlNifEnv *env, const struct loss_snapshot *losses)
{
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        nif_put(env, &map, loss_reason_name((enum loss_reason)i), nif_u64(env, losses->lost[i]));
    }
    return map;
}

static ERL_NIF_TERM degraded_term(ErlNifEnv *env, const struct loss_snapshot *losses)
{
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        nif_put(env, &map, degraded_reason_name((enum degraded_reason)i),
                nif_u64(env, losses->degraded[i]));
    }
    return map;
}

static ERL_NIF_TERM dump_term(ErlNifEnv *env, const struct beam_recording_status *status)
{
    const struct dump_status *dump = &status->dump;
    static const char *const RESULTS[] = {[DUMP_NONE] = "none",
                                          [DUMP_WRITTEN] = "written",
                                          [DUMP_EMPTY] = "empty",
                                          [DUMP_FAILED] = "failed"};
    ERL_NIF_TERM map = enif_make_new_map(env);
    nif_put(env, &map, "asked", nif_u64(env, dump->asked_cnt));
    nif_put(env, &map, "done", nif_u64(env, dump->done_cnt));
    nif_put(env, &map, "result", nif_atom(env, RESULTS[dump->result]));
    nif_put(env, &map, "cpu_result", nif_atom(env, RESULTS[status->cpu.dump_result]));
    nif_put(env, &map, "kept_ms", nif_u64(env, dump->kept_ns / CLOCK_NS_PER_MS));
    nif_put(env, &map, "kept_bytes", nif_u64(env, dump->kept_bytes));
    nif_put(env, &map, "dropped_early", nif_u64(env, dump->early_cnt));
    return map;
}

static ERL_NIF_TERM last_error_term(ErlNifEnv *env, const struct error *err)
{
    return err->code == ERROR_NONE ? nif_atom(env, "undefined")
                                   : nif_binary(env, text_of(err->detail));
}

static ERL_NIF_TERM cpu_term(ErlNifEnv *env, const struct beam_recording_status *status)
{
    const struct cpu_recording_status *cpu = &status->cpu;
    const struct {
        const char *key;
        uint64_t value;
    } NUMBERS[] = {
        {"schedulers", cpu->scheduler_cnt},
        {"samples", cpu->sample_cnt},
        {"cpu_ns", cpu->cpu_ns},
        {"ring_full", cpu->lost_cnt},
        {"write_failed", cpu->write_failed_cnt},
        {"stack_incomplete", cpu->incomplete_cnt},
        {"register_mismatches", cpu->mismatch_cnt},
        {"handler_median_ns", cpu->handler_median_ns},
        {"files_finished", cpu->finished_file_cnt},
        {"kept_ms", cpu->kept_ns / CLOCK_NS_PER_MS},
        {"kept_bytes", cpu->kept_bytes},
        {"dropped_early", cpu->early_cnt},
    };
    ERL_NIF_TERM map = enif_make_new_map(env);
    if (status->cpu_err.code != ERROR_NONE) {
        nif_put(env, &map, "off", nif_binary(env, text_of(status->cpu_err.detail)));
        return map;
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        nif_put(env, &map, NUMBERS[i].key, nif_u64(env, NUMBERS[i].value));
    }
    nif_put(env, &map, "method",
            nif_atom(env, cpu->method == CPU_METHOD_FOREIGN ? "foreign" : "signal"));
    nif_put(env, &map, "approximate", nif_bool(env, cpu->method == CPU_METHOD_FOREIGN));
    if (cpu->refused.code != ERROR_NONE) {
        nif_put(env, &map, "method_reason", nif_binary(env, text_of(cpu->refused.detail)));
    }
    nif_put(env, &map, "last_error", last_error_term(env, &cpu->last_error));
    nif_put(env, &map, "file",
            cpu->current_file[0] != '\0' ? path_term(env, status, cpu->current_file)
            : cpu->last_file[0] != '\0'  ? path_term(env, status, cpu->last_file)
                                         : nif_atom(env, "undefined"));
    return map;
}

ERL_NIF_TERM session_status_term(ErlNifEnv *env, const struct beam_recording_status *status)
{
    const struct {
        const char *key;
        uint64_t value;
    } NUMBERS[] = {
        {"files_finished", status->finished_file_cnt},
        {"samples", status->sample_cnt},
        {"bytes", status->bytes},
        {"cpu_ns", status->walker_cpu_ns + status->writer_cpu_ns + status->cpu.handler_total_ns +
                       status->cpu.thread_ns},
        {"memory_bytes", status->memory_bytes},
        {"modules", status->module_cnt},
        {"selected", status->target_cnt},
        {"explicit", status->explicit_cnt},
        {"processes_seen", status->process_cnt},
        {"select_pass_ns", status->select_pass_ns},
        {"select_passes", status->select_pass_cnt},
        {"targets_refused", status->refused_target_cnt},
        {"max_late_ns", status->max_late_ns},
        {"process_interval_ns", status->process_interval_ns},
        {"sample_interval_ns", status->sample_interval_ns},
        {"reading_stops", status->reading_stops},
        {"ticks_expected", status->losses.ticks_expected},
        {"ticks_taken", status->losses.ticks_taken},
    };
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        nif_put(env, &map, NUMBERS[i].key, nif_u64(env, NUMBERS[i].value));
    }
    nif_put(env, &map, "done", nif_bool(env, status->done));
    nif_put(env, &map, "failing", nif_bool(env, status->failing));
    nif_put(env, &map, "last_error", last_error_term(env, &status->last_error));
    nif_put(env, &map, "files", files_term(env, status));
    nif_put(env, &map, "current_file",
            status->current_file[0] == '\0' ? nif_atom(env, "undefined")
                                            : path_term(env, status, status->current_file));
    nif_put(env, &map, "reader", nif_atom(env, status->reader));
    nif_put(env, &map, "dump", dump_term(env, status));
    nif_put(env, &map, "losses", losses_term(env, &status->losses));
    nif_put(env, &map, "degraded", degraded_term(env, &status->losses));
    nif_put(env, &map, "cpu", cpu_term(env, status));
    return map;
}
