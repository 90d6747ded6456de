// SPDX-License-Identifier: Apache-2.0
#include "query/filter_probe.h"

#include <stdlib.h>
#include <string.h>

// What is known of a name.
enum answer { UNASKED, REFUSED, ACCEPTED };

static bool out_of_memory(struct error *err)
{
    return error_set(err, ERROR_NO_MEMORY, "filter: out of memory");
}

// --- single values; what is negated is so for all rows of a block at once ----------

static bool is_negated(enum filter_operator op)
{
    return op == FILTER_NOT_EQUAL || op == FILTER_NOT_MATCHES;
}

static bool text_fits(const struct filter_test *test, struct text text)
{
    return test->value.pattern != NULL ? pattern_matches(test->value.pattern, text)
                                       : text_equal(text, test->value.text);
}

// The numbers that pass, as a closed range; false when none can.
static bool bounds_of(const struct filter_test *test, int64_t *min, int64_t *max)
{
    const struct filter_value *value = &test->value;
    *min = INT64_MIN;
    *max = INT64_MAX;
    switch (test->op) {
    case FILTER_LESS:
        *max = value->number;
        return !__builtin_sub_overflow(value->number, 1, max);
    case FILTER_LESS_EQUAL:
        *max = value->number;
        return true;
    case FILTER_GREATER:
        return !__builtin_add_overflow(value->number, 1, min);
    case FILTER_GREATER_EQUAL:
        *min = value->number;
        return true;
    default:
        *min = value->number;
        *max = value->number;
        if (value->is_range) {
            *max = value->end == INT64_MAX ? INT64_MAX : value->end - 1;
        }
        return *min <= *max;
    }
}

// --- tables: one answer per name, frame, stack or code ------------------------------

// Many frames have one name.
static void mark_frames(const struct filter_probe *probe, const struct filter_test *test,
                        uint8_t *names, uint8_t *frames)
{
    const struct profile_dictionary *dictionary = &probe->profile->dictionary;
    frames[0] = 0;
    for (uint32_t i = 1; i < dictionary->frame_cnt; i++) {
        const struct profile_frame *frame = &dictionary->frames[i];
        string_id id = probe->field.kind == FILTER_FIELD_FILE ? frame->file : frame->name;
        if (names[id] == UNASKED) {
            names[id] = text_fits(test, profile_text(probe->profile, id)) ? ACCEPTED : REFUSED;
        }
        frames[i] = names[id] == ACCEPTED;
    }
}

// Node 0 is the empty stack, and parents come first.
static void mark_stacks(const struct filter_probe *probe, const uint8_t *frames)
{
    const struct profile_node *nodes = probe->profile->dictionary.nodes;
    uint8_t *accepts = probe->accepts;
    accepts[0] = 0;
    for (uint32_t i = 1; i < probe->profile->dictionary.node_cnt; i++) {
        uint8_t fits = frames[nodes[i].frame];
        if (probe->field.kind == FILTER_FIELD_LEAF) {
            accepts[i] = fits;
        } else if (probe->field.kind == FILTER_FIELD_ROOT) {
            accepts[i] = nodes[i].parent == 0 ? fits : accepts[nodes[i].parent];
        } else {
            accepts[i] = fits | accepts[nodes[i].parent];
        }
    }
}

static bool prepare_stacks(struct filter_probe *probe, const struct filter_test *test)
{
    const struct profile_dictionary *dictionary = &probe->profile->dictionary;
    uint8_t *names = calloc(1, (size_t)string_table_count(dictionary->strings) + 1);
    uint8_t *frames = malloc((size_t)dictionary->frame_cnt + 1);
    probe->accepts = malloc((size_t)dictionary->node_cnt + 1);
    bool ok = names != NULL && frames != NULL && probe->accepts != NULL;
    if (ok) {
        mark_frames(probe, test, names, frames);
        mark_stacks(probe, frames);
    }
    free(names);
    free(frames);
    return ok;
}

static bool prepare_codes(struct filter_probe *probe, const struct filter_test *test)
{
    const struct profile_dimension *dimension = &probe->profile->dimensions[probe->field.dimension];
    probe->accepts = malloc((size_t)dimension->value_cnt + 1);
    if (probe->accepts == NULL) {
        return false;
    }
    probe->accepts[0] = 0;
    for (uint32_t code = 1; code < dimension->value_cnt; code++) {
        int64_t value = dimension->values[code];
        probe->accepts[code] =
            dimension->kind == PROFILE_DIMENSION_NUMBER
                ? probe->has_bounds && value >= probe->min && value <= probe->max
                : text_fits(test, profile_text(probe->profile, (string_id)value));
    }
    return true;
}

bool filter_probe_init(struct filter_probe *probe, const struct profile *profile,
                       const struct filter *filter, const struct filter_node *node,
                       struct error *err)
{
    const struct filter_test *test = &node->test;
    *probe = (struct filter_probe){.profile = profile, .is_negated = is_negated(test->op)};
    if (!filter_field_resolve(profile, filter, node, &probe->field, err)) {
        return false;
    }
    probe->has_bounds = bounds_of(test, &probe->min, &probe->max);
    switch (probe->field.kind) {
    case FILTER_FIELD_PROCESS:
        probe->field.dimension = PROFILE_TID;
        return prepare_codes(probe, test) || out_of_memory(err);
    case FILTER_FIELD_DIMENSION:
        return prepare_codes(probe, test) || out_of_memory(err);
    case FILTER_FIELD_TIME:
        return true;
    case FILTER_FIELD_WEIGHT:
        return weight_open(profile, probe->field.weight, &probe->reader, err);
    default:
        return prepare_stacks(probe, test) || out_of_memory(err);
    }
}

void filter_probe_deinit(struct filter_probe *probe)
{
    free(probe->accepts);
    probe->accepts = NULL;
}

// --- rows -----------------------------------------------------------------------

static void look_up_stacks(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                           uint8_t *restrict mask)
{
    const stack_id *stack = probe->profile->stack + first;
    const uint8_t *accepts = probe->accepts;
    for (uint32_t i = 0; i < cnt; i++) {
        mask[i] = accepts[stack[i]];
    }
}

// Codes are not negative.
static void look_up_codes(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                          uint8_t *restrict mask)
{
    const struct profile_column *column = &probe->profile->dimensions[probe->field.dimension].codes;
    const uint8_t *accepts = probe->accepts;
    switch (column->width) {
    case 0:
        memset(mask, accepts[column->min], cnt);
        break;
    case 1:
        for (uint32_t i = 0; i < cnt; i++) {
            mask[i] = accepts[((const uint8_t *)column->rows)[first + i]];
        }
        break;
    case 2:
        for (uint32_t i = 0; i < cnt; i++) {
            mask[i] = accepts[((const uint16_t *)column->rows)[first + i]];
        }
        break;
    default:
        for (uint32_t i = 0; i < cnt; i++) {
            mask[i] = accepts[profile_column_at(column, first + i)];
        }
        break;
    }
}

// An Erlang process is a row that has a process status or a scheduler state.
static void look_up_processes(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                              uint8_t *mask)
{
    look_up_codes(probe, first, cnt, mask);
    for (uint32_t i = 0; i < cnt; i++) {
        if (mask[i] != 0) {
            mask[i] = profile_code(probe->profile, PROFILE_STATUS, first + i) != 0 ||
                      profile_code(probe->profile, PROFILE_STATE, first + i) != 0;
        }
    }
}

static void compare_times(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                          uint8_t *restrict mask)
{
    const uint64_t *time_ns = probe->profile->time_ns + first;
    uint64_t begin_ns = probe->profile->time_ns[0];
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t offset = (int64_t)(time_ns[i] - begin_ns);
        mask[i] = offset >= probe->min && offset <= probe->max;
    }
}

// As narrow as the column is; bounds beyond its width are met by all or none.
#define COMPARE_AS(type, type_min, type_max)                                                       \
    static void compare_##type(const struct filter_probe *probe, uint64_t first, uint32_t cnt,     \
                               uint8_t *restrict mask)                                             \
    {                                                                                              \
        const type *rows = (const type *)probe->reader.column->rows + first;                       \
        if (probe->min > (type_max) || probe->max < (type_min)) {                                  \
            memset(mask, 0, cnt);                                                                  \
            return;                                                                                \
        }                                                                                          \
        type min = probe->min < (type_min) ? (type_min) : (type)probe->min;                        \
        type max = probe->max > (type_max) ? (type_max) : (type)probe->max;                        \
        for (uint32_t i = 0; i < cnt; i++) {                                                       \
            mask[i] = (uint8_t)((rows[i] >= min) & (rows[i] <= max));                              \
        }                                                                                          \
    }

COMPARE_AS(int8_t, INT8_MIN, INT8_MAX)
COMPARE_AS(int16_t, INT16_MIN, INT16_MAX)
COMPARE_AS(int32_t, INT32_MIN, INT32_MAX)
COMPARE_AS(int64_t, INT64_MIN, INT64_MAX)

static void keep_present(const struct weight_reader *reader, uint64_t first, uint32_t cnt,
                         uint8_t *mask)
{
    for (uint32_t i = 0; i < cnt && reader->metric != NULL; i++) {
        mask[i] &= profile_metric_present(reader->metric, first + i);
    }
}

// The forms that a filter knows are columns as they are.
static void compare_weights(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                            uint8_t *mask)
{
    const struct profile_column *column = probe->reader.column;
    switch (column->width) {
    case 0:
        memset(mask, column->min >= probe->min && column->min <= probe->max, cnt);
        break;
    case 1:
        compare_int8_t(probe, first, cnt, mask);
        break;
    case 2:
        compare_int16_t(probe, first, cnt, mask);
        break;
    case 4:
        compare_int32_t(probe, first, cnt, mask);
        break;
    default:
        compare_int64_t(probe, first, cnt, mask);
        break;
    }
    keep_present(&probe->reader, first, cnt, mask);
}

static void compare_numbers(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                            uint8_t *mask)
{
    if (!probe->has_bounds) {
        memset(mask, 0, cnt);
    } else if (probe->field.kind == FILTER_FIELD_TIME) {
        compare_times(probe, first, cnt, mask);
    } else {
        compare_weights(probe, first, cnt, mask);
    }
}

void filter_probe_rows(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                       uint8_t *mask)
{
    switch (probe->field.kind) {
    case FILTER_FIELD_DIMENSION:
        look_up_codes(probe, first, cnt, mask);
        break;
    case FILTER_FIELD_PROCESS:
        look_up_processes(probe, first, cnt, mask);
        break;
    case FILTER_FIELD_TIME:
    case FILTER_FIELD_WEIGHT:
        compare_numbers(probe, first, cnt, mask);
        break;
    default:
        look_up_stacks(probe, first, cnt, mask);
        break;
    }
    for (uint32_t i = 0; probe->is_negated && i < cnt; i++) {
        mask[i] ^= 1;
    }
}
