// SPDX-License-Identifier: Apache-2.0
#include "nif/session_options.h"

#include "nif/bif_nif.h"
#include "nif/layout_nif.h"
#include "nif/nif_term.h"
#include "nif/probe_nif.h"
#include "sinks/capture_sink.h"
#include "sinks/perf_script_sink.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Names and stacks of a capture, in the memory of a node that has 64 MiB for all of us.
enum { MAX_HELD_BYTES = 16 << 20 };

static bool get_u64(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret,
                    struct error *err)
{
    return nif_get_u64(env, map, key, value_ret) ||
           error_set(err, ERROR_BAD_ARGUMENT, "option %s: missing or not a number", key);
}

static bool get_u32(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint32_t *value_ret,
                    struct error *err)
{
    uint64_t value = 0;
    if (!get_u64(env, map, key, &value, err)) {
        return false;
    }
    *value_ret = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return true;
}

int session_options_status_filter(ErlNifEnv *env, ERL_NIF_TERM status)
{
    for (int i = 0; i < PROCESS_STATUS_CNT; i++) {
        const char *name = process_status_name((enum process_status)i);
        if (enif_is_identical(status, nif_atom(env, name))) {
            return i;
        }
    }
    return TARGET_ANY_STATUS;
}

static uint32_t get_excluded(ErlNifEnv *env, ERL_NIF_TERM config, uint64_t *excluded)
{
    ERL_NIF_TERM list;
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    if (!enif_get_map_value(env, config, nif_atom(env, "excluded"), &list)) {
        return 0;
    }
    while (cnt < SELECTOR_MAX_EXCLUDED && enif_get_list_cell(env, list, &head, &list)) {
        cnt += nif_immediate(env, head, &excluded[cnt]);
    }
    return cnt;
}

static bool get_goal(ErlNifEnv *env, ERL_NIF_TERM term, struct selection_goal *goal)
{
    const ERL_NIF_TERM *pair;
    int arity;
    char name[32];
    return enif_get_tuple(env, term, &arity, &pair) && arity == 2 &&
           enif_get_atom(env, pair[0], name, sizeof name, ERL_NIF_LATIN1) > 0 &&
           selection_criterion_named(name, &goal->criterion) &&
           enif_get_uint(env, pair[1], &goal->top_cnt) && goal->top_cnt > 0;
}

// [{Criterion :: atom(), Count :: pos_integer()}], each criterion once.
static bool get_goals(ErlNifEnv *env, ERL_NIF_TERM config, struct walker_options *options,
                      struct error *err)
{
    ERL_NIF_TERM list;
    ERL_NIF_TERM head;
    bool ok = enif_get_map_value(env, config, nif_atom(env, "goals"), &list);
    while (ok && enif_get_list_cell(env, list, &head, &list)) {
        ok = options->goal_cnt < SELECTOR_MAX_GOALS &&
             get_goal(env, head, &options->goals[options->goal_cnt]);
        options->goal_cnt += ok;
    }
    return ok || error_set(err, ERROR_BAD_ARGUMENT, "option auto_select: not understood");
}

static bool get_walker_options(ErlNifEnv *env, ERL_NIF_TERM config, struct walker_options *options,
                               struct error *err)
{
    ERL_NIF_TERM reader;
    ERL_NIF_TERM status;
    uint64_t ring_bytes = 0;
    if (!enif_get_map_value(env, config, nif_atom(env, "reader"), &reader) ||
        !probe_nif_reader_kind(env, reader, &options->reader)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "option reader: unknown");
    }
    if (enif_get_map_value(env, config, nif_atom(env, "auto_status"), &status)) {
        options->auto_status_filter = session_options_status_filter(env, status);
    }
    bool ok = get_u64(env, config, "sample_interval_ns", &options->sample_interval_ns, err) &&
              get_u64(env, config, "process_interval_ns", &options->process_interval_ns, err) &&
              get_u64(env, config, "select_interval_ns", &options->select_interval_ns, err) &&
              get_goals(env, config, options, err) &&
              get_u32(env, config, "max_targets", &options->max_targets, err) &&
              get_u32(env, config, "max_frames", &options->max_frames, err) &&
              get_u64(env, config, "ring_bytes", &ring_bytes, err);
    options->ring_bytes = ring_bytes;
    return ok;
}

// [atom()], the first is the outermost frame.
static bool get_categories(ErlNifEnv *env, ERL_NIF_TERM config,
                           struct process_category_order *order, struct error *err)
{
    ERL_NIF_TERM list;
    ERL_NIF_TERM head;
    char name[64];
    *order = (struct process_category_order){0};
    if (!enif_get_map_value(env, config, nif_atom(env, "categories"), &list)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "option categories: missing");
    }
    while (enif_get_list_cell(env, list, &head, &list)) {
        if (order->cnt == PROCESS_CATEGORY_CNT ||
            enif_get_atom(env, head, name, sizeof name, ERL_NIF_LATIN1) <= 0 ||
            !process_category_parse(name, &order->categories[order->cnt])) {
            return error_set(err, ERROR_BAD_ARGUMENT, "option categories: unknown");
        }
        order->cnt++;
    }
    return true;
}

static bool get_cpu_method(ErlNifEnv *env, ERL_NIF_TERM config, enum cpu_method *method,
                           struct error *err)
{
    static const char *const NAMES[] = {[CPU_METHOD_AUTO] = "auto",
                                        [CPU_METHOD_SIGNAL] = "signal",
                                        [CPU_METHOD_FOREIGN] = "foreign"};
    ERL_NIF_TERM term;
    bool there = enif_get_map_value(env, config, nif_atom(env, "cpu_method"), &term);
    for (size_t i = 0; there && i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (enif_is_identical(term, nif_atom(env, NAMES[i]))) {
            *method = (enum cpu_method)i;
            return true;
        }
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "option cpu_sampling: method: unknown");
}

// Other registers than the JIT's only where they are to be refused:
// #{Role :: atom() => RegisterNumber}.
static bool get_roles(ErlNifEnv *env, ERL_NIF_TERM config, struct register_roles *roles,
                      struct error *err)
{
    ERL_NIF_TERM map;
    *roles = REGISTER_ROLES_KNOWN;
    if (!enif_get_map_value(env, config, nif_atom(env, "register_roles"), &map)) {
        return true;
    }
    for (int i = 0; i < REGISTER_ROLE_CNT; i++) {
        uint64_t number = 0;
        const char *name = register_role_name((enum register_role)i);
        if (nif_get_u64(env, map, name, &number)) {
            roles->number[i] = (uint8_t)number;
        }
        if (number >= CPU_REGISTER_CNT) {
            return error_set(err, ERROR_BAD_ARGUMENT, "option register_roles: no such register");
        }
    }
    return true;
}

// [atom()], as the option `metrics` calls them.
static bool get_metrics(ErlNifEnv *env, ERL_NIF_TERM config, uint64_t *ids, struct error *err)
{
    ERL_NIF_TERM list;
    ERL_NIF_TERM head;
    char name[64];
    *ids = 0;
    if (!enif_get_map_value(env, config, nif_atom(env, "metrics"), &list)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "option metrics: missing");
    }
    while (enif_get_list_cell(env, list, &head, &list)) {
        if (enif_get_atom(env, head, name, sizeof name, ERL_NIF_LATIN1) <= 0 ||
            !metric_choice_parse(name, ids)) {
            return error_set(err, ERROR_BAD_ARGUMENT, "option metrics: unknown");
        }
    }
    return true;
}

static bool get_cpu_options(ErlNifEnv *env, ERL_NIF_TERM config, const struct otp_layout *layout,
                            struct beam_recording_options *options, struct error *err)
{
    struct cpu_recording_options *cpu = &options->cpu;
    uint64_t ring_bytes = 0;
    uint64_t keep_bytes = 0;
    bool ok =
        get_u32(env, config, "cpu_rate_hz", &cpu->sampler.rate_hz, err) &&
        get_u64(env, config, "cpu_ring_bytes", &ring_bytes, err) &&
        get_u64(env, config, "cpu_keep_bytes", &keep_bytes, err) &&
        get_u32(env, config, "schedulers", &cpu->scheduler_cnt[SCHEDULER_NORMAL], err) &&
        get_u32(env, config, "dirty_cpu_schedulers", &cpu->scheduler_cnt[SCHEDULER_DIRTY_CPU],
                err) &&
        get_u32(env, config, "dirty_io_schedulers", &cpu->scheduler_cnt[SCHEDULER_DIRTY_IO], err);
    ok = ok && get_cpu_method(env, config, &cpu->sampler.method, err) &&
         get_roles(env, config, &cpu->sampler.roles, err) &&
         get_categories(env, config, &cpu->categories, err) &&
         get_metrics(env, config, &cpu->metrics, err);
    (void)nif_get_text(env, config, "node", cpu->node, sizeof cpu->node);
    cpu->sampler.ring_bytes = ring_bytes;
    cpu->keep_bytes = keep_bytes;
    cpu->sampler.reader = options->walker.reader;
    cpu->flatten_recursive = options->flatten_recursive;
    cpu->max_frames = options->walker.max_frames;
    cpu->caller = layout_nif_caller(env, layout);
    return ok;
}

// Without them BIFs are named by their C functions.
static void get_bifs(ErlNifEnv *env, ERL_NIF_TERM config, struct session_options *all)
{
    ERL_NIF_TERM list;
    all->options.cpu.bifs = all->bifs;
    if (enif_get_map_value(env, config, nif_atom(env, "bifs"), &list)) {
        all->options.cpu.bif_cnt = bif_nif_names(env, list, all->bifs);
    }
}

static bool get_output_options(ErlNifEnv *env, ERL_NIF_TERM config,
                               struct session_output_texts *texts,
                               struct recording_options *options, struct error *err)
{
    bool gzip = false;
    bool capture = false;
    if (!nif_get_text(env, config, "directory", texts->directory, sizeof texts->directory) ||
        !nif_get_text(env, config, "stem", texts->stem, sizeof texts->stem) ||
        !nif_get_text(env, config, "cpu_stem", texts->cpu_stem, sizeof texts->cpu_stem)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "option basename: not a path");
    }
    (void)nif_get_bool(env, config, "gzip", &gzip);
    (void)nif_get_bool(env, config, "capture", &capture);
    options->sink = capture ? &CAPTURE_SINK : &PERF_SCRIPT_SINK;
    options->max_held_bytes = MAX_HELD_BYTES;
    options->files = (struct file_series_options){
        .directory = texts->directory,
        .stem = texts->stem,
        .suffix = options->sink->suffix,
        .naming = FILE_NAMING_SERIES,
        .compression = gzip ? FILE_COMPRESSION_GZIP : FILE_COMPRESSION_NONE,
    };
    return get_u32(env, config, "max_files", &options->files.max_files, err) &&
           get_u64(env, config, "max_file_ns", &options->max_file_ns, err) &&
           get_u64(env, config, "max_file_bytes", &options->max_file_bytes, err);
}

static bool get_field(ErlNifEnv *env, ERL_NIF_TERM term, struct session_field *field)
{
    const ERL_NIF_TERM *pair;
    int arity;
    ErlNifBinary key;
    ErlNifBinary value;
    if (!enif_get_tuple(env, term, &arity, &pair) || arity != 2 ||
        !enif_inspect_iolist_as_binary(env, pair[0], &key) ||
        !enif_inspect_iolist_as_binary(env, pair[1], &value)) {
        return false;
    }
    (void)snprintf(field->key, sizeof field->key, "%.*s", (int)key.size, (const char *)key.data);
    (void)snprintf(field->value, sizeof field->value, "%.*s", (int)value.size,
                   (const char *)value.data);
    return true;
}

// The header's facts that only Erlang knows: [{Key :: binary(), Value :: binary()}].
uint32_t session_options_fields(ErlNifEnv *env, ERL_NIF_TERM list, struct session_field *fields,
                                uint32_t max_cnt)
{
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    while (cnt < max_cnt && enif_get_list_cell(env, list, &head, &list)) {
        cnt += get_field(env, head, &fields[cnt]);
    }
    return cnt;
}

static void set_session_fields(ErlNifEnv *env, ERL_NIF_TERM config, struct session *session)
{
    struct session_field fields[SESSION_MAX_FIELDS];
    ERL_NIF_TERM list;
    if (!enif_get_map_value(env, config, nif_atom(env, "header"), &list)) {
        return;
    }
    uint32_t cnt = session_options_fields(env, list, fields, SESSION_MAX_FIELDS);
    for (uint32_t i = 0; i < cnt; i++) {
        (void)session_set(session, fields[i].key, "%s", fields[i].value);
    }
}

bool session_options_get(ErlNifEnv *env, ERL_NIF_TERM layout, ERL_NIF_TERM config,
                         struct session_options *all, struct error *err)
{
    struct beam_recording_options *options = &all->options;
    uint64_t code_bytes = 0;
    options->walker.auto_status_filter = TARGET_ANY_STATUS;
    options->walker.excluded = all->excluded;
    options->walker.excluded_cnt = get_excluded(env, config, all->excluded);
    get_bifs(env, config, all);
    (void)nif_get_bool(env, config, "flatten_recursive", &options->flatten_recursive);
    bool ok = layout_nif_read(env, layout, &all->layout, err) &&
              vm_memory_open(&all->memory, err) &&
              get_walker_options(env, config, &options->walker, err) &&
              get_cpu_options(env, config, &all->layout, options, err) &&
              get_output_options(env, config, &all->texts, &options->output, err) &&
              get_u64(env, config, "code_bytes", &code_bytes, err) &&
              get_u64(env, config, "keep_ns", &options->keep_ns, err);
    options->code_map_max_bytes = code_bytes;
    options->cpu_stem = all->texts.cpu_stem;
    session_init_beam(&all->session);
    (void)session_set(&all->session, "os_pid", "%d", getpid());
    set_session_fields(env, config, &all->session);
    return ok;
}
