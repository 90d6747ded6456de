// SPDX-License-Identifier: Apache-2.0
// OTLP profiles (v1development of protocol 1.10), a message ProfilesData, which is what
// /v1development/profiles takes, too: a Profile per weight over one dictionary, the one
// of samples with their times. Categories are attributes. Not compressed (the command
// compresses where a file's name ends in .gz).
#include "base/version.h"
#include "export/export_format.h"
#include "export/otlp_tables.h"
#include "export/weight_list.h"
#include "query/sample_groups.h"

#include <endian.h>
#include <stdlib.h>

enum {
    MAX_BYTES = 1 << 30,
    // ProfilesData, ResourceProfiles, ScopeProfiles
    DATA_RESOURCES = 1,
    DATA_DICTIONARY = 2,
    RESOURCE_RESOURCE = 1,
    RESOURCE_SCOPES = 2,
    SCOPE_SCOPE = 1,
    SCOPE_PROFILES = 2,
    // Resource, InstrumentationScope, KeyValue
    ATTRIBUTES = 1,
    INSTRUMENTATION_NAME = 1,
    INSTRUMENTATION_VERSION = 2,
    PAIR_KEY = 1,
    PAIR_VALUE = 2,
    // Profile
    ONE_TYPE = 1,
    ONE_SAMPLES = 2,
    ONE_TIME = 3,
    ONE_DURATION = 4,
    // ValueType
    TYPE_TYPE = 1,
    TYPE_UNIT = 2,
    // Sample
    SAMPLE_STACK = 1,
    SAMPLE_ATTRIBUTES = 2,
    SAMPLE_VALUES = 4,
    SAMPLE_TIMES = 5,
};

struct otlp {
    const struct selection *selection;
    const struct profile *profile;
    struct weight_list weights;
    uint32_t dimensions[CATEGORY_GROUPS_MAX_LEVELS];
    uint32_t dimension_cnt;
    struct sample_groups groups;
    struct otlp_tables tables;
    int64_t *sums;
    size_t *heads;           // by group: where its stack and attributes end in `head`
    struct byte_buffer head; // of the samples of all groups
    uint64_t *first_time;    // by group: where its times begin in `times`
    uint64_t *times;         // NULL = no clock is known
    struct byte_buffer list;
    struct byte_buffer profiles; // the message ScopeProfiles
    struct byte_buffer one;      // a Profile
};

// --- what all weights share ---------------------------------------------------

static void make_head(struct otlp *otlp, uint32_t group)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    const struct sample_group *of = &otlp->groups.groups[group];
    proto_number(&otlp->head, SAMPLE_STACK, otlp_tables_stack(&otlp->tables, of->stack));
    category_groups_codes(&otlp->groups.categories, of->category, codes);
    for (uint32_t i = 0; i < otlp->dimension_cnt; i++) {
        if (codes[i] != 0) {
            proto_varint(&otlp->list,
                         otlp_tables_attribute(&otlp->tables, otlp->dimensions[i], codes[i]));
        }
    }
    if (otlp->list.len > 0) {
        proto_submessage(&otlp->head, SAMPLE_ATTRIBUTES, &otlp->list);
    }
    otlp->heads[group + 1] = otlp->head.len;
}

// Times in the order of groups, those of a group ascending.
static bool sort_times(struct otlp *otlp)
{
    const struct selection *selection = otlp->selection;
    const uint32_t *of_row = otlp->groups.of_row;
    uint64_t cnt = selection->end - selection->first;
    otlp->first_time = calloc((size_t)otlp->groups.cnt + 2, sizeof *otlp->first_time);
    otlp->times = malloc((selection->row_cnt + 1) * sizeof *otlp->times);
    if (otlp->first_time == NULL || otlp->times == NULL) {
        return false;
    }
    uint64_t *next = otlp->first_time + 1; // one behind, so that it ends up in its place
    for (uint64_t i = 0; i < cnt; i++) {
        if (of_row[i] != SAMPLE_GROUP_NONE) {
            next[of_row[i] + 1]++;
        }
    }
    for (uint32_t g = 1; g <= otlp->groups.cnt; g++) {
        next[g] += next[g - 1];
    }
    for (uint64_t i = 0; i < cnt; i++) {
        if (of_row[i] != SAMPLE_GROUP_NONE) {
            uint64_t time_ns = otlp->profile->time_ns[selection->first + i];
            otlp->times[next[of_row[i]]++] = profile_unix_ns(otlp->profile, time_ns);
        }
    }
    return true;
}

static bool prepare(struct otlp *otlp, struct error *err)
{
    otlp->sums = malloc(((size_t)otlp->groups.cnt + 1) * sizeof *otlp->sums);
    otlp->heads = calloc((size_t)otlp->groups.cnt + 1, sizeof *otlp->heads);
    bool has_clock = otlp->profile->row_cnt > 0 &&
                     profile_unix_ns(otlp->profile, otlp->profile->time_ns[0]) != 0;
    if (otlp->sums == NULL || otlp->heads == NULL || (has_clock && !sort_times(otlp))) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    for (uint32_t i = 0; i < otlp->groups.cnt; i++) {
        make_head(otlp, i);
    }
    return true;
}

// --- profiles -----------------------------------------------------------------

static void put_fixed64s(struct byte_buffer *out, const uint64_t *values, uint64_t cnt)
{
    char *at = byte_buffer_reserve(out, cnt * sizeof *values);
    if (at != NULL) {
        for (uint64_t i = 0; i < cnt; i++, at += sizeof *values) {
            uint64_t little = htole64(values[i]);
            memcpy(at, &little, sizeof little);
        }
        byte_buffer_commit(out, at);
    }
}

static void open_sample(struct otlp *otlp, uint32_t group, size_t rest)
{
    size_t begin = otlp->heads[group];
    size_t len = otlp->heads[group + 1] - begin;
    proto_open(&otlp->one, ONE_SAMPLES, len + rest);
    (void)byte_buffer_append(&otlp->one, otlp->head.bytes + begin, len);
}

static size_t field_len(size_t content)
{
    return 1 + proto_varint_len(content) + content;
}

static void write_sum(struct otlp *otlp, uint32_t group)
{
    uint64_t sum = (uint64_t)otlp->sums[group];
    size_t len = proto_varint_len(sum);
    open_sample(otlp, group, field_len(len));
    proto_open(&otlp->one, SAMPLE_VALUES, len);
    proto_varint(&otlp->one, sum);
}

// A value of 1 for each time: readers that add up values need not know of times.
static void write_times(struct otlp *otlp, uint32_t group)
{
    uint64_t first = otlp->first_time[group];
    uint64_t cnt = otlp->first_time[group + 1] - first;
    open_sample(otlp, group, field_len(cnt) + field_len(cnt * sizeof(uint64_t)));
    proto_open(&otlp->one, SAMPLE_VALUES, cnt);
    char *ones = byte_buffer_reserve(&otlp->one, cnt);
    if (ones != NULL) {
        memset(ones, 1, cnt);
        byte_buffer_commit(&otlp->one, ones + cnt);
    }
    proto_open(&otlp->one, SAMPLE_TIMES, cnt * sizeof(uint64_t));
    put_fixed64s(&otlp->one, otlp->times + first, cnt);
}

static void write_type(struct otlp *otlp, struct weight weight)
{
    char name[WEIGHT_NAME_BYTES];
    const char *type = weight_list_name(otlp->profile, weight, name);
    struct text unit = weight_unit(otlp->profile, weight);
    struct proto_strings *strings = &otlp->tables.strings;
    proto_number(&otlp->list, TYPE_TYPE, proto_strings_text(strings, text_of(type)));
    proto_number(&otlp->list, TYPE_UNIT,
                 proto_strings_text(strings, unit.len > 0 ? unit : TEXT("count")));
    proto_submessage(&otlp->one, ONE_TYPE, &otlp->list);
}

static bool write_profile(struct otlp *otlp, struct weight weight, struct error *err)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    if (!sample_groups_sum(&otlp->groups, weight, otlp->sums, 1, err)) {
        return false;
    }
    selection_times(otlp->selection, &first_ns, &last_ns);
    write_type(otlp, weight);
    bool has_times = weight.form == WEIGHT_SAMPLES && otlp->times != NULL;
    for (uint32_t i = 0; i < otlp->groups.cnt; i++) {
        if (has_times) {
            write_times(otlp, i);
        } else if (otlp->sums[i] != 0) {
            write_sum(otlp, i);
        }
    }
    proto_fixed64(&otlp->one, ONE_TIME, profile_unix_ns(otlp->profile, first_ns));
    proto_number(&otlp->one, ONE_DURATION, last_ns - first_ns);
    proto_submessage(&otlp->profiles, SCOPE_PROFILES, &otlp->one);
    return true;
}

// --- the message --------------------------------------------------------------

static void put_pair(struct otlp *otlp, const char *key, const char *fact)
{
    struct text value = profile_fact(otlp->profile, 0, text_of(fact));
    if (value.len > 0) {
        proto_text(&otlp->one, PAIR_KEY, text_of(key));
        otlp_tables_text_value(&otlp->tables, &otlp->one, PAIR_VALUE, value);
        proto_submessage(&otlp->list, ATTRIBUTES, &otlp->one);
    }
}

// The message Resource, into `list`.
static void make_resource(struct otlp *otlp)
{
    put_pair(otlp, "service.name", "node");
    put_pair(otlp, "host.name", "hostname");
    put_pair(otlp, "os.description", "os_release");
    put_pair(otlp, "process.runtime.version", "otp");
    put_pair(otlp, "beam.node", "node");
}

static void write_scope(struct otlp *otlp)
{
    proto_text(&otlp->list, INSTRUMENTATION_NAME, TEXT("flame_prof"));
    proto_text(&otlp->list, INSTRUMENTATION_VERSION, TEXT(FLAME_PROF_VERSION));
    proto_submessage(&otlp->profiles, SCOPE_SCOPE, &otlp->list);
}

static bool write_message(struct otlp *otlp, const struct byte_output *output, struct error *err)
{
    make_resource(otlp);
    // Of what is not in memory yet only the lengths are needed.
    size_t resource = field_len(otlp->list.len);
    proto_open(&otlp->one, DATA_RESOURCES, resource + field_len(otlp->profiles.len));
    proto_submessage(&otlp->one, RESOURCE_RESOURCE, &otlp->list);
    proto_open(&otlp->one, RESOURCE_SCOPES, otlp->profiles.len);
    proto_open(&otlp->list, DATA_DICTIONARY, otlp->tables.out.len);
    if (otlp->one.overflowed || otlp->profiles.overflowed || otlp->head.overflowed ||
        otlp->tables.out.overflowed) {
        return error_set(err, ERROR_NO_MEMORY,
                         "export: over 1 GiB of OTLP; take less with --from, --to or --filter");
    }
    return byte_output_write(output, otlp->one.bytes, otlp->one.len, err) &&
           byte_output_write(output, otlp->profiles.bytes, otlp->profiles.len, err) &&
           byte_output_write(output, otlp->list.bytes, otlp->list.len, err) &&
           byte_output_write(output, otlp->tables.out.bytes, otlp->tables.out.len, err);
}

static bool write_all(struct otlp *otlp, const struct byte_output *output, struct error *err)
{
    if (!prepare(otlp, err)) {
        return false;
    }
    write_scope(otlp);
    for (uint32_t i = 0; i < otlp->weights.cnt; i++) {
        if (!write_profile(otlp, otlp->weights.weights[i], err)) {
            return false;
        }
    }
    return write_message(otlp, output, err);
}

bool export_otlp(const struct export_request *request, const struct byte_output *output,
                 struct error *err)
{
    struct otlp *otlp = calloc(1, sizeof *otlp);
    if (otlp == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    otlp->selection = request->selection;
    otlp->profile = request->selection->profile;
    weight_list_init(&otlp->weights, request);
    otlp->dimension_cnt = sample_groups_labels(otlp->profile, otlp->dimensions);
    byte_buffer_init(&otlp->head, MAX_BYTES);
    byte_buffer_init(&otlp->list, MAX_BYTES);
    byte_buffer_init(&otlp->profiles, MAX_BYTES);
    byte_buffer_init(&otlp->one, MAX_BYTES);
    bool has_tables = otlp_tables_init(&otlp->tables, otlp->profile) ||
                      error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    bool ok = has_tables &&
              sample_groups_init(&otlp->groups, request->selection, otlp->dimensions,
                                 otlp->dimension_cnt, err) &&
              write_all(otlp, output, err);
    sample_groups_deinit(&otlp->groups);
    otlp_tables_deinit(&otlp->tables);
    byte_buffer_deinit(&otlp->head);
    byte_buffer_deinit(&otlp->list);
    byte_buffer_deinit(&otlp->profiles);
    byte_buffer_deinit(&otlp->one);
    free(otlp->sums);
    free(otlp->heads);
    free(otlp->first_time);
    free(otlp->times);
    free(otlp);
    return ok;
}
