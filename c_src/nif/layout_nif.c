// SPDX-License-Identifier: Apache-2.0
#include "nif/layout_nif.h"

#include "nif/nif_term.h"

ERL_NIF_TERM layout_nif_known(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    char release[16];
    struct otp_layout layout;
    if (enif_get_string(env, argv[0], release, sizeof release, ERL_NIF_LATIN1) <= 0) {
        return enif_make_badarg(env);
    }
    if (!otp_layout_known(release, &layout)) {
        return nif_atom(env, "undefined");
    }
    ERL_NIF_TERM map = enif_make_new_map(env);
    for (int i = 0; i < LAYOUT_FIELD_CNT; i++) {
        nif_put(env, &map, layout_field_name((enum layout_field)i),
                enif_make_int(env, layout.offset[i]));
    }
    return map;
}

static bool get_field(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret,
                      struct error *err)
{
    return nif_get_u64(env, map, key, value_ret) ||
           error_set(err, ERROR_LAYOUT, "layout: field %s was not found", key);
}

// True also where it is not there, but not where it is no number.
static bool get_optional(ErlNifEnv *env, ERL_NIF_TERM map, const char *key, uint64_t *value_ret)
{
    ERL_NIF_TERM value;
    return !enif_get_map_value(env, map, nif_atom(env, key), &value) ||
           nif_get_u64(env, map, key, value_ret);
}

static bool read_offset(ErlNifEnv *env, ERL_NIF_TERM map, enum layout_field field,
                        struct otp_layout *layout, struct error *err)
{
    const char *name = layout_field_name(field);
    uint64_t offset = UINT64_MAX;
    bool ok = field < LAYOUT_FIRST_OPTIONAL ? get_field(env, map, name, &offset, err)
                                            : get_optional(env, map, name, &offset);
    layout->offset[field] = offset < LAYOUT_MAX_PROCESS_BYTES ? (int32_t)offset : -1;
    return ok;
}

static bool read_sizes(ErlNifEnv *env, ERL_NIF_TERM map, struct otp_layout *layout,
                       struct error *err)
{
    uint64_t in_low_bits = 0;
    uint64_t in_bits = 0;
    uint64_t process_bytes = 0;
    uint64_t message_bytes = 0;
    uint64_t psd_bytes = 0;
    bool ok = get_field(env, map, "slot_in_low_bits", &in_low_bits, err) &&
              get_field(env, map, "binaries_in_bits", &in_bits, err) &&
              get_field(env, map, "process_bytes", &process_bytes, err) &&
              get_field(env, map, "message_bytes", &message_bytes, err) &&
              get_field(env, map, "psd_bytes", &psd_bytes, err) &&
              get_field(env, map, "table_address", &layout->table_address, err) &&
              get_field(env, map, "slot_cnt", &layout->slot_cnt, err);
    layout->pid_encoding = in_low_bits != 0 ? PID_SLOT_IN_LOW_BITS : PID_SLOT_IN_HIGH_WORD;
    layout->binaries_in_bits = in_bits != 0;
    layout->process_bytes = (uint32_t)process_bytes;
    layout->message_bytes = (uint32_t)message_bytes;
    layout->psd_bytes = (uint32_t)psd_bytes;
    return ok;
}

bool layout_nif_read(ErlNifEnv *env, ERL_NIF_TERM map, struct otp_layout *layout, struct error *err)
{
    *layout = (struct otp_layout){0};
    for (int i = 0; i < LAYOUT_FIELD_CNT; i++) {
        if (!read_offset(env, map, (enum layout_field)i, layout, err)) {
            return false;
        }
    }
    bool ok = read_sizes(env, map, layout, err);
    layout->initial_call_key = (uint64_t)nif_atom(env, "$initial_call");
    layout->ancestors_key = (uint64_t)nif_atom(env, "$ancestors");
    layout->label_key = (uint64_t)nif_atom(env, "$process_label");
    return ok && otp_layout_finish(layout, err);
}

// By its slot: in a dirty NIF the environment has a shadow.
uint64_t layout_nif_caller(ErlNifEnv *env, const struct otp_layout *layout)
{
    ErlNifPid self;
    uint64_t id = enif_self(env, &self) == NULL ? 0 : (uint64_t)enif_make_pid(env, &self);
    uint64_t slot = otp_layout_slot(layout, id);
    const volatile uint64_t *table = (const volatile uint64_t *)(uintptr_t)
                                         layout->table_address; // NOLINT(performance-no-int-to-ptr)
    return id != 0 && slot < layout->slot_cnt ? table[slot] : 0;
}
