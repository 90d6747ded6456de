// SPDX-License-Identifier: Apache-2.0
// pprof's profile.proto, not compressed (the command compresses where a file's name
// ends in .gz): one value per weight, one sample per stack and set of categories, which
// are labels. The time within the profile is not in it.
#include "export/export_format.h"
#include "export/pprof_tables.h"
#include "export/weight_list.h"
#include "query/sample_groups.h"

#include <stdlib.h>

enum {
    SAMPLES_MAX_BYTES = 1 << 30,
    // ValueType
    TYPE_TYPE = 1,
    TYPE_UNIT = 2,
    // Sample
    SAMPLE_LOCATIONS = 1,
    SAMPLE_VALUES = 2,
    SAMPLE_LABELS = 3,
    // Label
    LABEL_KEY = 1,
    LABEL_TEXT = 2,
    LABEL_NUMBER = 3,
};

struct pprof {
    const struct profile *profile;
    struct weight_list weights;
    uint32_t dimensions[CATEGORY_GROUPS_MAX_LEVELS];
    uint32_t dimension_cnt;
    struct sample_groups groups;
    struct pprof_tables tables;
    int64_t *sums; // [weight * groups.cnt + group]: those of one weight stay in the cache
    struct byte_buffer samples;
    struct byte_buffer sample;
    struct byte_buffer list; // locations, values, a label
};

static bool sum_weights(struct pprof *pprof, struct error *err)
{
    uint32_t cnt = pprof->weights.cnt;
    pprof->sums = malloc(((size_t)pprof->groups.cnt * cnt + 1) * sizeof *pprof->sums);
    bool ok = pprof->sums != NULL || error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    for (uint32_t i = 0; ok && i < cnt; i++) {
        ok = sample_groups_sum(&pprof->groups, pprof->weights.weights[i],
                               pprof->sums + (size_t)i * pprof->groups.cnt, 1, err);
    }
    return ok;
}

static void write_types(struct pprof *pprof)
{
    char name[WEIGHT_NAME_BYTES];
    for (uint32_t i = 0; i < pprof->weights.cnt; i++) {
        struct weight weight = pprof->weights.weights[i];
        const char *type = weight_list_name(pprof->profile, weight, name);
        struct text unit = weight_unit(pprof->profile, weight);
        proto_number(&pprof->list, TYPE_TYPE,
                     proto_strings_text(&pprof->tables.strings, text_of(type)));
        proto_number(
            &pprof->list, TYPE_UNIT,
            proto_strings_text(&pprof->tables.strings, unit.len > 0 ? unit : TEXT("count")));
        proto_submessage(&pprof->samples, PPROF_SAMPLE_TYPE, &pprof->list);
    }
}

static void write_locations(struct pprof *pprof, stack_id stack)
{
    const struct profile_node *nodes = pprof->profile->dictionary.nodes;
    uint32_t depth = 0;
    for (stack_id at = stack; at != 0; at = nodes[at].parent) {
        depth++;
    }
    char *to = byte_buffer_reserve(&pprof->list, (size_t)depth * PROTO_VARINT_MAX_BYTES);
    if (to == NULL || depth == 0) {
        return;
    }
    for (stack_id at = stack; at != 0; at = nodes[at].parent) {
        to = proto_put_varint(to, pprof_tables_location(&pprof->tables, nodes[at].frame));
    }
    byte_buffer_commit(&pprof->list, to);
    proto_submessage(&pprof->sample, SAMPLE_LOCATIONS, &pprof->list);
}

static void write_label(struct pprof *pprof, uint32_t idx, uint32_t code)
{
    const struct profile_dimension *dimension = &pprof->profile->dimensions[idx];
    if (code == 0) {
        return;
    }
    proto_number(&pprof->list, LABEL_KEY,
                 proto_strings_id(&pprof->tables.strings, dimension->name));
    if (dimension->kind == PROFILE_DIMENSION_TEXT) {
        proto_number(&pprof->list, LABEL_TEXT,
                     proto_strings_id(&pprof->tables.strings, (string_id)dimension->values[code]));
    } else {
        proto_number(&pprof->list, LABEL_NUMBER, (uint64_t)dimension->values[code]);
    }
    proto_submessage(&pprof->sample, SAMPLE_LABELS, &pprof->list);
}

static void write_values(struct pprof *pprof, uint32_t group)
{
    char *at =
        byte_buffer_reserve(&pprof->list, (size_t)pprof->weights.cnt * PROTO_VARINT_MAX_BYTES);
    if (at == NULL) {
        return;
    }
    for (uint32_t i = 0; i < pprof->weights.cnt; i++) {
        at = proto_put_varint(at, (uint64_t)pprof->sums[(size_t)i * pprof->groups.cnt + group]);
    }
    byte_buffer_commit(&pprof->list, at);
    proto_submessage(&pprof->sample, SAMPLE_VALUES, &pprof->list);
}

static void write_sample(struct pprof *pprof, uint32_t group)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    write_locations(pprof, pprof->groups.groups[group].stack);
    write_values(pprof, group);
    category_groups_codes(&pprof->groups.categories, pprof->groups.groups[group].category, codes);
    for (uint32_t i = 0; i < pprof->dimension_cnt; i++) {
        write_label(pprof, pprof->dimensions[i], codes[i]);
    }
    proto_submessage(&pprof->samples, PPROF_SAMPLE, &pprof->sample);
}

static void write_facts(struct pprof *pprof, const struct selection *selection)
{
    uint64_t first_ns;
    uint64_t last_ns;
    char name[WEIGHT_NAME_BYTES];
    struct weight weight = weight_default(pprof->profile);
    selection_times(selection, &first_ns, &last_ns);
    proto_number(&pprof->samples, PPROF_TIME_NANOS, profile_unix_ns(pprof->profile, first_ns));
    proto_number(&pprof->samples, PPROF_DURATION_NANOS, last_ns - first_ns);
    proto_number(&pprof->samples, PPROF_DEFAULT_TYPE,
                 proto_strings_text(&pprof->tables.strings,
                                    text_of(weight_list_name(pprof->profile, weight, name))));
}

static bool write_all(struct pprof *pprof, const struct byte_output *output, struct error *err)
{
    write_types(pprof);
    for (uint32_t i = 0; i < pprof->groups.cnt; i++) {
        write_sample(pprof, i);
    }
    write_facts(pprof, pprof->groups.selection);
    if (pprof->samples.overflowed || pprof->tables.out.overflowed) {
        return error_set(err, ERROR_NO_MEMORY,
                         "export: over 1 GiB of pprof; take less with --from, --to or --filter");
    }
    return byte_output_write(output, pprof->samples.bytes, pprof->samples.len, err) &&
           byte_output_write(output, pprof->tables.out.bytes, pprof->tables.out.len, err);
}

bool export_pprof(const struct export_request *request, const struct byte_output *output,
                  struct error *err)
{
    struct pprof *pprof = calloc(1, sizeof *pprof);
    if (pprof == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    pprof->profile = request->selection->profile;
    weight_list_init(&pprof->weights, request);
    pprof->dimension_cnt = sample_groups_labels(pprof->profile, pprof->dimensions);
    byte_buffer_init(&pprof->samples, SAMPLES_MAX_BYTES);
    byte_buffer_init(&pprof->sample, SAMPLES_MAX_BYTES);
    byte_buffer_init(&pprof->list, SAMPLES_MAX_BYTES);
    bool has_tables = pprof_tables_init(&pprof->tables, pprof->profile) ||
                      error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    bool ok = has_tables &&
              sample_groups_init(&pprof->groups, request->selection, pprof->dimensions,
                                 pprof->dimension_cnt, err) &&
              sum_weights(pprof, err) && write_all(pprof, output, err);
    sample_groups_deinit(&pprof->groups);
    pprof_tables_deinit(&pprof->tables);
    byte_buffer_deinit(&pprof->samples);
    byte_buffer_deinit(&pprof->sample);
    byte_buffer_deinit(&pprof->list);
    free(pprof->sums);
    free(pprof);
    return ok;
}
