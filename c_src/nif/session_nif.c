// SPDX-License-Identifier: Apache-2.0
#include "nif/session_nif.h"

#include "base/clock.h"
#include "nif/nif_term.h"
#include "nif/probe_nif.h"
#include "record/beam/beam_recording.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_EXCLUDED = SELECTOR_MAX_EXCLUDED, ATOM_INDEX_SHIFT = 6 };

// The recording is set once, before the term is handed out, and cleared never:
// the destructor runs after on_done gave back the writer's reference.
struct session_resource {
    struct beam_recording *recording;
    _Atomic uint64_t atom_cnt; // atoms the VM is known to have
    ErlNifMonitor owner_monitor;
};

static ErlNifResourceType *session_type;
static _Atomic unsigned running_cnt;

static void session_destructor(ErlNifEnv *env, void *object)
{
    (void)env;
    beam_recording_destroy(((struct session_resource *)object)->recording);
}

static void session_owner_down(ErlNifEnv *env, void *object, ErlNifPid *pid, ErlNifMonitor *monitor)
{
    (void)env;
    (void)pid;
    (void)monitor;
    struct session_resource *session = object;
    if (session->recording != NULL) {
        beam_recording_request_stop(session->recording, "owner process died");
    }
}

bool session_nif_load(ErlNifEnv *env, ErlNifResourceFlags flags)
{
    ErlNifResourceTypeInit init = {.dtor = session_destructor, .down = session_owner_down};
    session_type = enif_open_resource_type_x(env, "flame_prof_session", &init, flags, NULL);
    return session_type != NULL;
}

_Atomic unsigned *session_nif_running(void)
{
    return &running_cnt;
}

// ---- texts of terms, on the writer's thread ------------------------------------------

// Latin-1 letters above 127 become two bytes.
static size_t utf8_from_latin1(const char *latin1, size_t len, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 2 <= text_bytes; i++) {
        unsigned char c = (unsigned char)latin1[i];
        if (c < 0x80) {
            text[used++] = (char)c;
        } else {
            text[used++] = (char)(0xC0 | (c >> 6));
            text[used++] = (char)(0x80 | (c & 0x3F));
        }
    }
    return used;
}

static size_t without_quotes(char *text, size_t len)
{
    if (len < 2 || text[0] != '\'' || text[len - 1] != '\'') {
        return len;
    }
    memmove(text, text + 1, len - 2);
    return len - 2;
}

// Atoms are numbered in the order they were made: below the count the VM reported
// the table has them. Above it, a word that only looks like an atom would lead
// outside the table.
static size_t atom_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    struct session_resource *session = context;
    char latin1[256];
    if ((term & 0x3F) != 0x0B || term >> ATOM_INDEX_SHIFT >= atomic_load(&session->atom_cnt)) {
        return 0;
    }
    int len = enif_get_atom(NULL, (ERL_NIF_TERM)term, latin1, sizeof latin1, ERL_NIF_LATIN1);
    if (len > 0) {
        return utf8_from_latin1(latin1, (size_t)len - 1, text, text_bytes);
    }
    // Not Latin-1: printed as a quoted atom.
    int printed = enif_snprintf(text, text_bytes, "%T", (ERL_NIF_TERM)term);
    return printed > 0 && (size_t)printed < text_bytes ? without_quotes(text, (size_t)printed) : 0;
}

static uint32_t process_number(void *context, uint64_t pid_term)
{
    (void)context;
    char text[64];
    if (enif_snprintf(text, sizeof text, "%T", (ERL_NIF_TERM)pid_term) <= 0) {
        return 0;
    }
    const char *number = strchr(text, '.');
    return text[0] == '<' && number != NULL ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
}

// ---- options --------------------------------------------------------------------------

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

static int status_filter_of(ErlNifEnv *env, ERL_NIF_TERM status)
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
    while (cnt < MAX_EXCLUDED && enif_get_list_cell(env, list, &head, &list)) {
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
        options->auto_status_filter = status_filter_of(env, status);
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

// This process's struct, by its slot: in a dirty NIF the environment has a shadow.
static uint64_t caller_address(ErlNifEnv *env, const struct otp_layout *layout)
{
    ErlNifPid self;
    uint64_t id = enif_self(env, &self) == NULL ? 0 : (uint64_t)enif_make_pid(env, &self);
    uint64_t slot = otp_layout_slot(layout, id);
    const volatile uint64_t *table = (const volatile uint64_t *)(uintptr_t)
                                         layout->table_address; // NOLINT(performance-no-int-to-ptr)
    return id != 0 && slot < layout->slot_cnt ? table[slot] : 0;
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

static bool get_cpu_options(ErlNifEnv *env, ERL_NIF_TERM config, const struct otp_layout *layout,
                            struct beam_recording_options *options, struct error *err)
{
    struct cpu_recording_options *cpu = &options->cpu;
    uint64_t ring_bytes = 0;
    bool ok =
        get_u32(env, config, "cpu_rate_hz", &cpu->sampler.rate_hz, err) &&
        get_u64(env, config, "cpu_ring_bytes", &ring_bytes, err) &&
        get_u32(env, config, "schedulers", &cpu->scheduler_cnt[SCHEDULER_NORMAL], err) &&
        get_u32(env, config, "dirty_cpu_schedulers", &cpu->scheduler_cnt[SCHEDULER_DIRTY_CPU],
                err) &&
        get_u32(env, config, "dirty_io_schedulers", &cpu->scheduler_cnt[SCHEDULER_DIRTY_IO], err);
    ok = ok && get_categories(env, config, &cpu->categories, err);
    (void)nif_get_text(env, config, "node", cpu->node, sizeof cpu->node);
    cpu->sampler.ring_bytes = ring_bytes;
    cpu->sampler.reader = options->walker.reader;
    cpu->flatten_recursive = options->flatten_recursive;
    cpu->max_frames = options->walker.max_frames;
    cpu->caller = caller_address(env, layout);
    cpu->first_bif[0] = (uint64_t)nif_atom(env, "erlang");
    cpu->first_bif[1] = (uint64_t)nif_atom(env, "abs");
    return ok;
}

struct output_texts {
    char directory[FILE_SERIES_PATH_BYTES];
    char stem[FILE_SERIES_NAME_BYTES];
    char cpu_stem[FILE_SERIES_NAME_BYTES];
};

static bool get_output_options(ErlNifEnv *env, ERL_NIF_TERM config, struct output_texts *texts,
                               struct recording_options *options, struct error *err)
{
    bool gzip = false;
    if (!nif_get_text(env, config, "directory", texts->directory, sizeof texts->directory) ||
        !nif_get_text(env, config, "stem", texts->stem, sizeof texts->stem) ||
        !nif_get_text(env, config, "cpu_stem", texts->cpu_stem, sizeof texts->cpu_stem)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "option basename: not a path");
    }
    (void)nif_get_bool(env, config, "gzip", &gzip);
    options->files = (struct file_series_options){
        .directory = texts->directory,
        .stem = texts->stem,
        .suffix = ".perf",
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
static uint32_t get_fields(ErlNifEnv *env, ERL_NIF_TERM list, struct session_field *fields,
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
    uint32_t cnt = get_fields(env, list, fields, SESSION_MAX_FIELDS);
    for (uint32_t i = 0; i < cnt; i++) {
        (void)session_set(session, fields[i].key, "%s", fields[i].value);
    }
}

// ---- life ------------------------------------------------------------------------------

static void on_done(void *context)
{
    atomic_fetch_sub(&running_cnt, 1);
    enif_release_resource(context);
}

struct start_arguments {
    struct otp_layout layout;
    struct vm_memory memory;
    struct session session;
    struct beam_recording_options options;
    struct output_texts texts;
    uint64_t excluded[MAX_EXCLUDED];
};

static bool get_arguments(ErlNifEnv *env, ERL_NIF_TERM layout, ERL_NIF_TERM config,
                          struct start_arguments *arguments, struct error *err)
{
    struct beam_recording_options *options = &arguments->options;
    uint64_t code_bytes = 0;
    options->walker.auto_status_filter = TARGET_ANY_STATUS;
    options->walker.excluded = arguments->excluded;
    options->walker.excluded_cnt = get_excluded(env, config, arguments->excluded);
    (void)nif_get_bool(env, config, "flatten_recursive", &options->flatten_recursive);
    bool ok = probe_nif_layout(env, layout, &arguments->layout, err) &&
              vm_memory_open(&arguments->memory, err) &&
              get_walker_options(env, config, &options->walker, err) &&
              get_cpu_options(env, config, &arguments->layout, options, err) &&
              get_output_options(env, config, &arguments->texts, &options->output, err) &&
              get_u64(env, config, "code_bytes", &code_bytes, err) &&
              get_u64(env, config, "keep_ns", &options->keep_ns, err);
    options->code_map_max_bytes = code_bytes;
    options->cpu_stem = arguments->texts.cpu_stem;
    session_init_beam(&arguments->session);
    (void)session_set(&arguments->session, "os_pid", "%d", getpid());
    set_session_fields(env, config, &arguments->session);
    return ok;
}

// The writer's thread holds one reference from before it starts until on_done.
static bool start_session(ErlNifEnv *env, struct session_resource *session,
                          struct start_arguments *arguments, struct error *err)
{
    struct term_texts texts = {session, atom_text, process_number};
    arguments->options.on_done = on_done;
    arguments->options.on_done_context = session;
    enif_keep_resource(session);
    atomic_fetch_add(&running_cnt, 1);
    session->recording =
        beam_recording_start(&arguments->layout, &arguments->memory, &arguments->session, &texts,
                             &arguments->options, err);
    if (session->recording == NULL) {
        on_done(session);
        return false;
    }
    ErlNifPid owner;
    if (enif_self(env, &owner) == NULL ||
        enif_monitor_process(env, session, &owner, &session->owner_monitor) != 0) {
        beam_recording_request_stop(session->recording, "owner process died");
    }
    return true;
}

ERL_NIF_TERM session_nif_start(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct error err = {0};
    uint64_t atom_cnt;
    struct start_arguments *arguments = calloc(1, sizeof *arguments);
    if (arguments == NULL || !nif_term_u64(env, argv[2], &atom_cnt)) {
        free(arguments);
        return enif_make_badarg(env);
    }
    struct session_resource *session = enif_alloc_resource(session_type, sizeof *session);
    memset(session, 0, sizeof *session);
    atomic_store(&session->atom_cnt, atom_cnt);
    ERL_NIF_TERM term = enif_make_resource(env, session);
    bool ok = get_arguments(env, argv[0], argv[1], arguments, &err) &&
              start_session(env, session, arguments, &err);
    enif_release_resource(session);
    free(arguments);
    return ok ? nif_ok(env, term) : nif_error(env, &err);
}

static bool get_session(ErlNifEnv *env, ERL_NIF_TERM term, struct session_resource **session_ret)
{
    void *object;
    if (!enif_get_resource(env, term, session_type, &object) ||
        ((struct session_resource *)object)->recording == NULL) {
        return false;
    }
    *session_ret = object;
    return true;
}

static ERL_NIF_TERM command(ErlNifEnv *env, ERL_NIF_TERM session_term, struct walker_command wanted)
{
    struct session_resource *session;
    if (!get_session(env, session_term, &session)) {
        return enif_make_badarg(env);
    }
    return nif_atom(env, beam_recording_command(session->recording, wanted) ? "ok" : "full");
}

ERL_NIF_TERM session_nif_watch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    uint64_t id;
    if (!nif_immediate(env, argv[1], &id) || !enif_is_pid(env, argv[1])) {
        return enif_make_badarg(env);
    }
    return command(env, argv[0],
                   (struct walker_command){WALKER_WATCH, id, status_filter_of(env, argv[2])});
}

static ERL_NIF_TERM plain_command(ErlNifEnv *env, const ERL_NIF_TERM argv[],
                                  enum walker_command_kind kind)
{
    uint64_t id;
    if (!nif_immediate(env, argv[1], &id) || !enif_is_pid(env, argv[1])) {
        return enif_make_badarg(env);
    }
    return command(env, argv[0], (struct walker_command){kind, id, TARGET_ANY_STATUS});
}

ERL_NIF_TERM session_nif_unwatch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    return plain_command(env, argv, WALKER_UNWATCH);
}

ERL_NIF_TERM session_nif_exclude(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    return plain_command(env, argv, WALKER_EXCLUDE);
}

ERL_NIF_TERM session_nif_set_counts(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    uint64_t atom_cnt;
    uint64_t process_cnt;
    if (!get_session(env, argv[0], &session) || !nif_term_u64(env, argv[1], &atom_cnt) ||
        !nif_term_u64(env, argv[2], &process_cnt)) {
        return enif_make_badarg(env);
    }
    atomic_store(&session->atom_cnt, atom_cnt);
    beam_recording_expect(session->recording, process_cnt);
    return nif_atom(env, "ok");
}

// stretch(Session, Percent, Note) -> ok
ERL_NIF_TERM session_nif_stretch(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    ErlNifBinary note;
    uint64_t percent;
    char text[RECORDING_NOTE_BYTES];
    if (!get_session(env, argv[0], &session) || !nif_term_u64(env, argv[1], &percent) ||
        !enif_inspect_binary(env, argv[2], &note)) {
        return enif_make_badarg(env);
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)note.size, (const char *)note.data);
    beam_recording_stretch(session->recording,
                           percent < UINT32_MAX ? (uint32_t)percent : UINT32_MAX, text);
    return nif_atom(env, "ok");
}

// dump(Session, AfterNs, [{Key, Value}]) -> ok | busy
ERL_NIF_TERM session_nif_dump(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    struct dump_request request;
    if (!get_session(env, argv[0], &session) || !nif_term_u64(env, argv[1], &request.after_ns) ||
        !enif_is_list(env, argv[2])) {
        return enif_make_badarg(env);
    }
    request.field_cnt = get_fields(env, argv[2], request.fields, DUMP_MAX_FIELDS);
    return nif_atom(env, beam_recording_dump(session->recording, &request) ? "ok" : "busy");
}

enum { MAX_SELECTED = 100000 };

// A local pid is an immediate: its bits are the term.
ERL_NIF_TERM session_nif_selected(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    uint64_t *ids = malloc(MAX_SELECTED * sizeof *ids);
    if (ids == NULL || !get_session(env, argv[0], &session)) {
        free(ids);
        return enif_make_badarg(env);
    }
    ERL_NIF_TERM list = enif_make_list(env, 0);
    uint32_t cnt = beam_recording_chosen(session->recording, ids, MAX_SELECTED);
    for (uint32_t i = cnt; i > 0; i--) {
        list = enif_make_list_cell(env, (ERL_NIF_TERM)ids[i - 1], list);
    }
    free(ids);
    return list;
}

// ---- status ------------------------------------------------------------------------------

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

static ERL_NIF_TERM dump_term(ErlNifEnv *env, const struct dump_status *dump)
{
    static const char *const RESULTS[] = {[DUMP_NONE] = "none",
                                          [DUMP_WRITTEN] = "written",
                                          [DUMP_EMPTY] = "empty",
                                          [DUMP_FAILED] = "failed"};
    ERL_NIF_TERM map = enif_make_new_map(env);
    nif_put(env, &map, "asked", nif_u64(env, dump->asked_cnt));
    nif_put(env, &map, "done", nif_u64(env, dump->done_cnt));
    nif_put(env, &map, "result", nif_atom(env, RESULTS[dump->result]));
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
    };
    ERL_NIF_TERM map = enif_make_new_map(env);
    if (status->cpu_err.code != ERROR_NONE) {
        nif_put(env, &map, "off", nif_binary(env, text_of(status->cpu_err.detail)));
        return map;
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        nif_put(env, &map, NUMBERS[i].key, nif_u64(env, NUMBERS[i].value));
    }
    nif_put(env, &map, "last_error", last_error_term(env, &cpu->last_error));
    nif_put(env, &map, "file",
            cpu->current_file[0] != '\0' ? path_term(env, status, cpu->current_file)
            : cpu->last_file[0] != '\0'  ? path_term(env, status, cpu->last_file)
                                         : nif_atom(env, "undefined"));
    return map;
}

static ERL_NIF_TERM status_term(ErlNifEnv *env, const struct beam_recording_status *status)
{
    const struct {
        const char *key;
        uint64_t value;
    } NUMBERS[] = {
        {"files_finished", status->finished_file_cnt},
        {"samples", status->sample_cnt},
        {"bytes", status->bytes},
        {"cpu_ns", status->walker_cpu_ns + status->writer_cpu_ns + status->cpu.handler_total_ns},
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
    nif_put(env, &map, "dump", dump_term(env, &status->dump));
    nif_put(env, &map, "losses", losses_term(env, &status->losses));
    nif_put(env, &map, "degraded", degraded_term(env, &status->losses));
    nif_put(env, &map, "cpu", cpu_term(env, status));
    return map;
}

ERL_NIF_TERM session_nif_status(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    struct beam_recording_status *status = malloc(sizeof *status);
    if (status == NULL || !get_session(env, argv[0], &session)) {
        free(status);
        return enif_make_badarg(env);
    }
    beam_recording_status(session->recording, status);
    ERL_NIF_TERM term = status_term(env, status);
    free(status);
    return term;
}

ERL_NIF_TERM session_nif_stop(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct session_resource *session;
    ErlNifBinary end;
    uint64_t timeout_ms;
    char reason[192];
    if (!get_session(env, argv[0], &session) || !nif_term_u64(env, argv[1], &timeout_ms) ||
        !enif_inspect_binary(env, argv[2], &end)) {
        return enif_make_badarg(env);
    }
    (void)snprintf(reason, sizeof reason, "%.*s", (int)end.size, (const char *)end.data);
    beam_recording_request_stop(session->recording, reason);
    uint64_t deadline_ns = clock_monotonic_ns() + timeout_ms * CLOCK_NS_PER_MS;
    bool done = beam_recording_wait(session->recording, deadline_ns);
    return nif_atom(env, done ? "done" : "timeout");
}
