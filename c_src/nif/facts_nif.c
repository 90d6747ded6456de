// SPDX-License-Identifier: Apache-2.0
#include "nif/facts_nif.h"

#include "nif/nif_term.h"
#include "nif/session_nif.h"
#include "record/beam/beam_recording.h"

#include <stdlib.h>

enum { MAX_RUN_QUEUES = 1024 + 2 };

static bool get_application(ErlNifEnv *env, ERL_NIF_TERM term, struct application *application)
{
    const ERL_NIF_TERM *pair;
    int arity;
    return enif_get_tuple(env, term, &arity, &pair) && arity == 2 && enif_is_pid(env, pair[0]) &&
           enif_is_atom(env, pair[1]) && nif_immediate(env, pair[0], &application->master) &&
           nif_immediate(env, pair[1], &application->name);
}

ERL_NIF_TERM facts_nif_set_applications(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct beam_recording *recording = session_nif_recording(env, argv[0]);
    struct application applications[APPLICATION_TABLE_MAX];
    ERL_NIF_TERM list = argv[1];
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    if (recording == NULL || !enif_is_list(env, argv[1])) {
        return enif_make_badarg(env);
    }
    while (cnt < APPLICATION_TABLE_MAX && enif_get_list_cell(env, list, &head, &list)) {
        cnt += get_application(env, head, &applications[cnt]);
    }
    beam_recording_set_applications(recording, applications, cnt);
    return nif_atom(env, "ok");
}

static uint32_t get_numbers(ErlNifEnv *env, ERL_NIF_TERM list, int64_t *numbers, uint32_t max_cnt)
{
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    ErlNifSInt64 number;
    while (cnt < max_cnt && enif_get_list_cell(env, list, &head, &list) &&
           enif_get_int64(env, head, &number)) {
        numbers[cnt++] = number;
    }
    return cnt;
}

ERL_NIF_TERM facts_nif_set_run_queues(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    int64_t lengths[MAX_RUN_QUEUES];
    struct beam_recording *recording = session_nif_recording(env, argv[0]);
    if (recording == NULL || !enif_is_list(env, argv[1])) {
        return enif_make_badarg(env);
    }
    uint32_t cnt = get_numbers(env, argv[1], lengths, MAX_RUN_QUEUES);
    beam_recording_set_run_queues(recording, lengths, cnt);
    return nif_atom(env, "ok");
}

static bool get_kind(ErlNifEnv *env, ERL_NIF_TERM atom, enum scheduler_kind *kind_ret)
{
    for (int kind = 0; kind < SCHEDULER_KIND_CNT; kind++) {
        const char *name = scheduler_kind_name((enum scheduler_kind)kind);
        if (enif_is_identical(atom, nif_atom(env, name))) {
            *kind_ret = (enum scheduler_kind)kind;
            return true;
        }
    }
    return false;
}

static void set_account(ErlNifEnv *env, struct vm_gauges *gauges, ERL_NIF_TERM term)
{
    const ERL_NIF_TERM *triple;
    int arity;
    unsigned no;
    enum scheduler_kind kind;
    struct scheduler_account account;
    if (enif_get_tuple(env, term, &arity, &triple) && arity == 3 &&
        get_kind(env, triple[0], &kind) && enif_get_uint(env, triple[1], &no) &&
        get_numbers(env, triple[2], account.us, BEAM_METRIC_MSACC_CNT) == BEAM_METRIC_MSACC_CNT) {
        vm_gauges_set_account(gauges, kind, no, &account);
    }
}

ERL_NIF_TERM facts_nif_set_accounts(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct beam_recording *recording = session_nif_recording(env, argv[0]);
    ERL_NIF_TERM list = argv[1];
    ERL_NIF_TERM head;
    if (recording == NULL || !enif_is_list(env, argv[1])) {
        return enif_make_badarg(env);
    }
    while (enif_get_list_cell(env, list, &head, &list)) {
        set_account(env, beam_recording_gauges(recording), head);
    }
    return nif_atom(env, "ok");
}

static bool get_port_owner(ErlNifEnv *env, ERL_NIF_TERM term, struct port_owner *owner)
{
    const ERL_NIF_TERM *pair;
    int arity;
    ErlNifSInt64 bytes;
    *owner = (struct port_owner){0};
    bool ok = enif_get_tuple(env, term, &arity, &pair) && arity == 2 && enif_is_pid(env, pair[0]) &&
              nif_immediate(env, pair[0], &owner->process) && enif_get_int64(env, pair[1], &bytes);
    owner->bytes = ok ? bytes : 0;
    return ok;
}

ERL_NIF_TERM facts_nif_set_port_owners(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    struct beam_recording *recording = session_nif_recording(env, argv[0]);
    struct port_owner *owners = calloc(VM_GAUGES_MAX_PORT_OWNERS, sizeof *owners);
    ERL_NIF_TERM list = argv[1];
    ERL_NIF_TERM head;
    uint32_t cnt = 0;
    if (owners == NULL || recording == NULL || !enif_is_list(env, argv[1])) {
        free(owners);
        return enif_make_badarg(env);
    }
    while (cnt < VM_GAUGES_MAX_PORT_OWNERS && enif_get_list_cell(env, list, &head, &list)) {
        cnt += get_port_owner(env, head, &owners[cnt]);
    }
    vm_gauges_set_port_owners(beam_recording_gauges(recording), owners, cnt);
    free(owners);
    return nif_atom(env, "ok");
}
