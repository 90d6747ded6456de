// SPDX-License-Identifier: Apache-2.0
#include "nif/session_nif.h"

#include "base/clock.h"
#include "nif/nif_term.h"
#include "nif/session_options.h"
#include "nif/session_status.h"
#include "record/beam/beam_recording.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATOM_INDEX_SHIFT = 6 };

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

static size_t pid_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    int len = enif_snprintf(text, text_bytes, "%T", (ERL_NIF_TERM)term);
    return len > 0 && (size_t)len < text_bytes && text[0] == '<' ? (size_t)len : 0;
}

static uint32_t process_number(void *context, uint64_t pid_term)
{
    char text[64];
    bool is_pid = pid_text(context, pid_term, text, sizeof text) > 0;
    const char *number = is_pid ? strchr(text, '.') : NULL;
    return number != NULL ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
}

// ---- life ------------------------------------------------------------------------------

static void on_done(void *context)
{
    atomic_fetch_sub(&running_cnt, 1);
    enif_release_resource(context);
}

// The writer's thread holds one reference from before it starts until on_done.
static bool start_session(ErlNifEnv *env, struct session_resource *session,
                          struct session_options *arguments, struct error *err)
{
    struct term_texts texts = {session, atom_text, process_number, pid_text};
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
    struct session_options *arguments = calloc(1, sizeof *arguments);
    if (arguments == NULL || !nif_term_u64(env, argv[2], &atom_cnt)) {
        free(arguments);
        return enif_make_badarg(env);
    }
    struct session_resource *session = enif_alloc_resource(session_type, sizeof *session);
    memset(session, 0, sizeof *session);
    atomic_store(&session->atom_cnt, atom_cnt);
    ERL_NIF_TERM term = enif_make_resource(env, session);
    bool ok = session_options_get(env, argv[0], argv[1], arguments, &err) &&
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

struct beam_recording *session_nif_recording(ErlNifEnv *env, ERL_NIF_TERM term)
{
    struct session_resource *session;
    return get_session(env, term, &session) ? session->recording : NULL;
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
    return command(
        env, argv[0],
        (struct walker_command){WALKER_WATCH, id, session_options_status_filter(env, argv[2])});
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
    request.field_cnt = session_options_fields(env, argv[2], request.fields, DUMP_MAX_FIELDS);
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
    ERL_NIF_TERM term = session_status_term(env, status);
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
