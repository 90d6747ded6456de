// SPDX-License-Identifier: Apache-2.0
#include "model/profile_builder.h"

#include "model/metric_unit.h"
#include "model/profile_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    STAGE_ROWS = 1024, // gathered wide, then stored narrow
    DEFAULT_BATCH_ROWS = 65536,
    MAX_FACTS = 4096,
    MAX_SOURCES = 65535,
    MAX_MAPPINGS = 65536,
};
#define DEFAULT_MAX_BYTES (2ULL << 30)
#define SAME_CLOCK_NS ((int64_t)CLOCK_NS_PER_MS)

struct stage_column {
    int64_t rows[STAGE_ROWS];
};

// What a dimension needs while it grows.
struct value_index {
    struct number_map codes;
    uint32_t capacity;
    int64_t last_value;
    uint32_t last_code; // 0 = none yet
};

struct profile_builder {
    struct profile_builder_options options;
    struct profile *profile;
    uint64_t row_capacity;
    uint32_t staged_cnt;
    bool is_full;
    struct error failure; // of the batch function
    bool source_has_rows;
    bool source_is_named;
    uint32_t source;
    uint32_t source_code;
    uint64_t last_ns;
    int64_t shift_ns;         // added to the times of the present source
    struct clock_anchor base; // of the first source that has one
    struct value_index indexes[PROFILE_MAX_DIMENSIONS];
    uint64_t present_capacity[PROFILE_MAX_METRICS]; // words
    uint64_t time_ns[STAGE_ROWS];
    stack_id stack[STAGE_ROWS];
    int64_t period[STAGE_ROWS];
    uint64_t present[STAGE_ROWS]; // a bit per metric
    uint64_t with_delta;          // metrics of which this is known
    struct stage_column *codes[PROFILE_MAX_DIMENSIONS];
    struct stage_column *metrics[PROFILE_MAX_METRICS][PROFILE_FORM_CNT];
};

// --- life ---------------------------------------------------------------------

static bool add_fixed_dimensions(struct profile_builder *builder)
{
    static const struct {
        struct text name;
        enum profile_dimension_kind kind;
    } FIXED[] = {
#define FIXED_DIMENSION(id, name, kind) {TEXT(name), PROFILE_DIMENSION_##kind},
        PROFILE_DIMENSIONS(FIXED_DIMENSION)
#undef FIXED_DIMENSION
    };
    for (uint32_t i = 0; i < PROFILE_FIXED_DIMENSION_CNT; i++) {
        if (profile_builder_dimension(builder, FIXED[i].name, FIXED[i].kind, false) != (int)i) {
            return false;
        }
    }
    return true;
}

struct profile_builder *profile_builder_create(const struct profile_builder_options *options)
{
    struct profile_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL) {
        return NULL;
    }
    builder->options = options == NULL ? (struct profile_builder_options){0} : *options;
    if (builder->options.max_bytes == 0) {
        builder->options.max_bytes = DEFAULT_MAX_BYTES;
    }
    if (builder->options.batch_rows == 0) {
        builder->options.batch_rows = DEFAULT_BATCH_ROWS;
    }
    builder->profile = profile_create(builder->options.max_bytes / 2);
    if (builder->profile != NULL) {
        builder->profile->sources = calloc(1, sizeof *builder->profile->sources);
    }
    if (builder->profile == NULL || builder->profile->sources == NULL ||
        !add_fixed_dimensions(builder)) {
        profile_builder_destroy(builder);
        return NULL;
    }
    builder->profile->source_cnt = 1;
    builder->source_code = profile_builder_number(builder, PROFILE_SOURCE, 0);
    return builder;
}

void profile_builder_destroy(struct profile_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    for (uint32_t i = 0; i < PROFILE_MAX_DIMENSIONS; i++) {
        number_map_deinit(&builder->indexes[i].codes);
        free(builder->codes[i]);
    }
    for (uint32_t i = 0; i < PROFILE_MAX_METRICS; i++) {
        free(builder->metrics[i][PROFILE_VALUE]);
        free(builder->metrics[i][PROFILE_DELTA]);
    }
    profile_destroy(builder->profile);
    free(builder);
}

struct profile *profile_builder_profile(struct profile_builder *builder)
{
    return builder->profile;
}

// --- sources ------------------------------------------------------------------

string_id profile_builder_string(struct profile_builder *builder, struct text text)
{
    string_id id = string_table_intern(builder->profile->dictionary.strings, text);
    if (id == 0 && text.len > 0) {
        builder->profile->stats.refused_cnt++;
    }
    return id;
}

static void add_source(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    struct profile_source *sources = NULL;
    if (profile->source_cnt < MAX_SOURCES) {
        sources = realloc(profile->sources, (profile->source_cnt + 1) * sizeof *sources);
    }
    if (sources == NULL) { // its rows go to the last one
        profile->stats.dropped_cnt++;
        return;
    }
    profile->sources = sources;
    builder->source = profile->source_cnt++;
    sources[builder->source] = (struct profile_source){0};
    builder->source_code = profile_builder_number(builder, PROFILE_SOURCE, builder->source);
    builder->source_has_rows = false;
    builder->shift_ns = 0;
}

uint32_t profile_builder_source(struct profile_builder *builder, struct text name)
{
    if (builder->source_is_named) {
        add_source(builder);
    }
    builder->source_is_named = true;
    builder->profile->sources[builder->source].name = profile_builder_string(builder, name);
    return builder->source;
}

static uint64_t number_of(struct text text)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < text.len && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
        value = value * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    return value;
}

// How far wall clock and time axis are apart.
static int64_t offset_of(struct clock_anchor anchor)
{
    return (int64_t)(anchor.unix_ns - anchor.monotonic_ns);
}

void profile_builder_anchor(struct profile_builder *builder, struct clock_anchor anchor)
{
    struct profile_source *source = &builder->profile->sources[builder->source];
    source->anchor = anchor;
    if (anchor.unix_ns == 0 || anchor.monotonic_ns == 0) {
        return;
    }
    if (builder->base.unix_ns == 0) {
        builder->base = anchor;
    }
    int64_t shift_ns = offset_of(anchor) - offset_of(builder->base);
    // One host's anchors differ by as much as it takes to read two clocks.
    bool is_same_clock = shift_ns > -SAME_CLOCK_NS && shift_ns < SAME_CLOCK_NS;
    builder->shift_ns = is_same_clock ? 0 : shift_ns;
    source->anchor.monotonic_ns += (uint64_t)builder->shift_ns;
}

// Facts that mean something to the profile itself.
static void heed_fact(struct profile_builder *builder, struct text key, struct text value)
{
    struct profile_source *source = &builder->profile->sources[builder->source];
    struct clock_anchor anchor = source->anchor;
    if (text_equal(key, TEXT("clock_anchor_monotonic_ns"))) {
        anchor.monotonic_ns = number_of(value);
        profile_builder_anchor(builder, anchor);
    } else if (text_equal(key, TEXT("clock_anchor_unix_ns"))) {
        anchor.unix_ns = number_of(value);
        profile_builder_anchor(builder, anchor);
    } else if (text_equal(key, TEXT("flame_prof"))) {
        source->is_incomplete = true; // until its end comes
    } else if (text_equal(key, TEXT("end"))) {
        source->is_incomplete = false;
    }
}

void profile_builder_fact(struct profile_builder *builder, struct text key, struct text value)
{
    heed_fact(builder, key, value);
    struct profile_source *source = &builder->profile->sources[builder->source];
    if (source->fact_cnt == source->fact_capacity) {
        uint32_t capacity = source->fact_capacity == 0 ? 32 : source->fact_capacity * 2;
        struct profile_fact *facts = NULL;
        if (capacity <= MAX_FACTS) {
            facts = realloc(source->facts, capacity * sizeof *facts);
        }
        if (facts == NULL) {
            builder->profile->stats.dropped_cnt++;
            return;
        }
        source->facts = facts;
        source->fact_capacity = capacity;
    }
    source->facts[source->fact_cnt++] = (struct profile_fact){
        .key = profile_builder_string(builder, key),
        .value = profile_builder_string(builder, value),
        .is_footer = builder->source_has_rows,
    };
}

void profile_builder_mapping(struct profile_builder *builder, const struct profile_mapping *mapping)
{
    struct profile *profile = builder->profile;
    uint32_t cnt = profile->mapping_cnt;
    struct profile_mapping *grown = profile->mappings;
    if ((cnt & (cnt - 1)) == 0) { // full at each power of two
        size_t capacity = cnt == 0 ? 1 : (size_t)cnt * 2;
        grown = cnt < MAX_MAPPINGS ? realloc(grown, capacity * sizeof *grown) : NULL;
    }
    if (grown == NULL) {
        profile->stats.dropped_cnt++;
        return;
    }
    profile->mappings = grown;
    profile->mappings[profile->mapping_cnt++] = *mapping;
}

// --- dimensions ---------------------------------------------------------------

int profile_builder_dimension(struct profile_builder *builder, struct text name,
                              enum profile_dimension_kind kind, bool is_root_frame)
{
    struct profile *profile = builder->profile;
    int found = profile_find_dimension(profile, name);
    if (found != PROFILE_NONE) {
        profile->dimensions[found].is_root_frame |= is_root_frame;
        return found;
    }
    uint32_t idx = profile->dimension_cnt;
    struct stage_column *codes = idx < PROFILE_MAX_DIMENSIONS ? calloc(1, sizeof *codes) : NULL;
    if (codes == NULL) {
        profile->stats.dropped_cnt++;
        return PROFILE_NONE;
    }
    struct profile_dimension *dimension = &profile->dimensions[idx];
    *dimension = (struct profile_dimension){
        .name = profile_builder_string(builder, name),
        .kind = kind,
        .is_root_frame = is_root_frame,
        .value_cnt = 1,
    };
    (void)profile_column_append_same(&dimension->codes, 0, profile->row_cnt); // needs no memory
    builder->codes[idx] = codes;
    profile->dimension_cnt++;
    return (int)idx;
}

static bool reserve_value(struct profile_builder *builder, struct profile_dimension *dimension,
                          struct value_index *index)
{
    if (dimension->value_cnt < index->capacity) {
        return true;
    }
    uint32_t capacity = index->capacity == 0 ? 16 : index->capacity * 2;
    int64_t *values = NULL;
    if (capacity < INT32_MAX / 2 && capacity * sizeof *values <= builder->options.max_bytes / 16) {
        values = realloc((void *)dimension->values, capacity * sizeof *values);
    }
    if (values == NULL) {
        return false;
    }
    values[0] = 0;
    dimension->values = values;
    index->capacity = capacity;
    return true;
}

static uint32_t add_value(struct profile_builder *builder, uint32_t dimension, int64_t value)
{
    struct profile_dimension *of = &builder->profile->dimensions[dimension];
    struct value_index *index = &builder->indexes[dimension];
    uint32_t code = of->value_cnt;
    if (!reserve_value(builder, of, index) ||
        !number_map_add(&index->codes, (uint64_t)value, code)) {
        builder->profile->stats.refused_cnt++;
        return 0;
    }
    ((int64_t *)of->values)[code] = value;
    of->value_cnt++;
    return code;
}

uint32_t profile_builder_number(struct profile_builder *builder, uint32_t dimension, int64_t value)
{
    struct value_index *index = &builder->indexes[dimension];
    if (index->last_code != 0 && index->last_value == value) {
        return index->last_code;
    }
    uint32_t code = number_map_find(&index->codes, (uint64_t)value);
    if (code == 0) {
        code = add_value(builder, dimension, value);
    }
    index->last_value = value;
    index->last_code = code;
    return code;
}

uint32_t profile_builder_text(struct profile_builder *builder, uint32_t dimension,
                              struct text value)
{
    string_id id = profile_builder_string(builder, value);
    return id == 0 ? 0 : profile_builder_number(builder, dimension, id);
}

// --- metrics ------------------------------------------------------------------

static bool reserve_presence(struct profile_builder *builder, uint32_t idx, uint64_t row_cnt)
{
    struct profile_metric *metric = &builder->profile->metrics[idx];
    uint64_t have = metric->present == NULL ? 0 : builder->present_capacity[idx];
    uint64_t want = row_cnt / 64 + 1;
    if (want <= have) {
        return true;
    }
    want += want / 2;
    uint64_t *present = realloc((void *)metric->present, want * sizeof *present);
    if (present == NULL) {
        return false;
    }
    memset(present + have, 0, (want - have) * sizeof *present);
    metric->present = present;
    builder->present_capacity[idx] = want;
    return true;
}

int profile_builder_metric(struct profile_builder *builder, struct text name, struct text unit)
{
    struct profile *profile = builder->profile;
    int found = profile_find_metric(profile, name);
    if (found != PROFILE_NONE) {
        return found;
    }
    uint32_t idx = profile->metric_cnt;
    bool fits = idx < PROFILE_MAX_METRICS && name.len > 0;
    for (int form = 0; form < PROFILE_FORM_CNT && fits; form++) {
        builder->metrics[idx][form] = calloc(1, sizeof **builder->metrics[idx]);
        fits = builder->metrics[idx][form] != NULL;
    }
    struct profile_metric *metric = &profile->metrics[idx < PROFILE_MAX_METRICS ? idx : 0];
    if (fits) {
        *metric = (struct profile_metric){
            .name = profile_builder_string(builder, name),
            .unit = profile_builder_string(builder, unit.len > 0 ? unit : metric_unit(name)),
        };
        fits = profile->row_cnt == 0 || reserve_presence(builder, idx, profile->row_cnt);
    }
    if (!fits) {
        profile->stats.dropped_cnt++;
        return PROFILE_NONE;
    }
    (void)profile_column_append_same(&metric->columns[PROFILE_VALUE], 0, profile->row_cnt);
    (void)profile_column_append_same(&metric->columns[PROFILE_DELTA], 0, profile->row_cnt);
    profile->metric_cnt++;
    return (int)idx;
}

// --- rows ---------------------------------------------------------------------

void profile_builder_begin_row(struct profile_builder *builder, uint64_t time_ns, stack_id stack,
                               int64_t period)
{
    struct profile *profile = builder->profile;
    uint32_t at = builder->staged_cnt;
    time_ns += (uint64_t)builder->shift_ns;
    profile->stats.unsorted_cnt += time_ns < builder->last_ns;
    builder->last_ns = time_ns > builder->last_ns ? time_ns : builder->last_ns;
    builder->time_ns[at] = time_ns;
    builder->stack[at] = stack;
    builder->period[at] = period;
    builder->present[at] = 0;
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        builder->codes[i]->rows[at] = 0;
    }
    builder->codes[PROFILE_SOURCE]->rows[at] = builder->source_code;
}

void profile_builder_set_code(struct profile_builder *builder, uint32_t dimension, uint32_t code)
{
    builder->codes[dimension]->rows[builder->staged_cnt] = code;
}

void profile_builder_set_metric(struct profile_builder *builder, uint32_t metric, int64_t value,
                                int64_t delta)
{
    uint32_t at = builder->staged_cnt;
    builder->metrics[metric][PROFILE_VALUE]->rows[at] = value;
    builder->metrics[metric][PROFILE_DELTA]->rows[at] = delta;
    builder->present[at] |= 1ULL << metric;
    builder->profile->metrics[metric].has_delta = true;
}

void profile_builder_set_value(struct profile_builder *builder, uint32_t metric, int64_t value)
{
    uint32_t at = builder->staged_cnt;
    builder->metrics[metric][PROFILE_VALUE]->rows[at] = value;
    builder->metrics[metric][PROFILE_DELTA]->rows[at] = 0;
    builder->present[at] |= 1ULL << metric;
}

void profile_builder_set_metrics(struct profile_builder *builder, uint32_t cnt, const int *metrics,
                                 const struct metric_value *values)
{
    uint32_t at = builder->staged_cnt;
    uint64_t present = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        if (metrics[i] != PROFILE_NONE) {
            builder->metrics[metrics[i]][PROFILE_VALUE]->rows[at] = values[i].value;
            builder->metrics[metrics[i]][PROFILE_DELTA]->rows[at] = values[i].delta;
            present |= 1ULL << metrics[i];
        }
    }
    builder->present[at] |= present;
    for (uint64_t left = present & ~builder->with_delta; left != 0; left &= left - 1) {
        builder->profile->metrics[__builtin_ctzll(left)].has_delta = true;
    }
    builder->with_delta |= present;
}

static void zero_missing(struct profile_builder *builder)
{
    uint32_t at = builder->staged_cnt;
    uint32_t cnt = builder->profile->metric_cnt;
    uint64_t all = cnt == 64 ? UINT64_MAX : (1ULL << cnt) - 1;
    for (uint64_t left = all & ~builder->present[at]; left != 0; left &= left - 1) {
        int metric = __builtin_ctzll(left);
        builder->metrics[metric][PROFILE_VALUE]->rows[at] = 0;
        builder->metrics[metric][PROFILE_DELTA]->rows[at] = 0;
    }
}

// --- from the stage to the columns --------------------------------------------

static bool reserve_rows(struct profile_builder *builder, uint64_t cnt)
{
    struct profile *profile = builder->profile;
    if (cnt <= builder->row_capacity) {
        return true;
    }
    if (cnt > PROFILE_MAX_ROWS || profile_memory_bytes(profile) > builder->options.max_bytes) {
        return false;
    }
    uint64_t capacity = cnt + cnt / 4;
    uint64_t *time_ns = realloc(profile->time_ns, capacity * sizeof *time_ns);
    if (time_ns == NULL) {
        return false;
    }
    profile->time_ns = time_ns;
    stack_id *stack = realloc(profile->stack, capacity * sizeof *stack);
    if (stack == NULL) {
        return false;
    }
    profile->stack = stack;
    builder->row_capacity = capacity;
    return true;
}

static void set_all(uint64_t *present, uint64_t cnt)
{
    memset(present, 0xFF, cnt / 64 * sizeof *present);
    if (cnt % 64 != 0) {
        present[cnt / 64] |= (1ULL << cnt % 64) - 1;
    }
}

static bool append_presence(struct profile_builder *builder, uint32_t idx)
{
    struct profile_metric *metric = &builder->profile->metrics[idx];
    uint64_t before = builder->profile->row_cnt;
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < builder->staged_cnt; i++) {
        cnt += (uint32_t)(builder->present[i] >> idx & 1);
    }
    bool was_everywhere = metric->present == NULL;
    metric->present_cnt += cnt;
    if (was_everywhere && cnt == builder->staged_cnt) {
        return true;
    }
    if (!reserve_presence(builder, idx, before + builder->staged_cnt)) {
        return false;
    }
    uint64_t *present = (uint64_t *)metric->present;
    assert(present != NULL);
    if (was_everywhere) {
        set_all(present, before);
    }
    for (uint32_t i = 0; i < builder->staged_cnt; i++) {
        uint64_t row = before + i;
        present[row / 64] |= (builder->present[i] >> idx & 1) << row % 64;
    }
    return true;
}

static bool append_metric(struct profile_builder *builder, uint32_t idx)
{
    struct profile_metric *metric = &builder->profile->metrics[idx];
    bool ok = append_presence(builder, idx);
    for (int form = 0; form < PROFILE_FORM_CNT && ok; form++) {
        ok = profile_column_append(&metric->columns[form], builder->metrics[idx][form]->rows,
                                   builder->staged_cnt);
    }
    return ok;
}

static bool append_columns(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    uint32_t cnt = builder->staged_cnt;
    if (!reserve_rows(builder, profile->row_cnt + cnt)) {
        return false;
    }
    memcpy(profile->time_ns + profile->row_cnt, builder->time_ns, cnt * sizeof *builder->time_ns);
    memcpy(profile->stack + profile->row_cnt, builder->stack, cnt * sizeof *builder->stack);
    bool ok = profile_column_append(&profile->period, builder->period, cnt);
    for (uint32_t i = 0; i < profile->dimension_cnt && ok; i++) {
        ok = profile_column_append(&profile->dimensions[i].codes, builder->codes[i]->rows, cnt);
    }
    for (uint32_t i = 0; i < profile->metric_cnt && ok; i++) {
        ok = append_metric(builder, i);
    }
    return ok;
}

// A column that could not grow leaves those before it longer.
static void trim_columns(struct profile *profile)
{
    profile->period.cnt = profile->row_cnt;
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        profile->dimensions[i].codes.cnt = profile->row_cnt;
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        profile->metrics[i].columns[PROFILE_VALUE].cnt = profile->row_cnt;
        profile->metrics[i].columns[PROFILE_DELTA].cnt = profile->row_cnt;
    }
}

static bool store_staged(struct profile_builder *builder)
{
    if (builder->is_full || builder->staged_cnt == 0) {
        builder->profile->stats.refused_cnt += builder->staged_cnt;
        builder->staged_cnt = 0;
        return !builder->is_full;
    }
    builder->is_full = !append_columns(builder);
    if (builder->is_full) {
        builder->profile->stats.refused_cnt += builder->staged_cnt;
        trim_columns(builder->profile);
    } else {
        builder->profile->row_cnt += builder->staged_cnt;
    }
    builder->staged_cnt = 0;
    return !builder->is_full;
}

static void clear_rows(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    profile->row_cnt = 0;
    profile_column_clear(&profile->period);
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        profile_column_clear(&profile->dimensions[i].codes);
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        struct profile_metric *metric = &profile->metrics[i];
        free((void *)metric->present);
        metric->present = NULL;
        metric->present_cnt = 0;
        profile_column_clear(&metric->columns[PROFILE_VALUE]);
        profile_column_clear(&metric->columns[PROFILE_DELTA]);
    }
}

static bool tell_failure(const struct profile_builder *builder, struct error *err)
{
    if (builder->failure.code == ERROR_NONE) {
        return error_set(err, ERROR_LIMIT,
                         "the profile is larger than its memory limit of %zu MiB: give more "
                         "memory, or a part of the input",
                         builder->options.max_bytes >> 20);
    }
    if (err != NULL) {
        *err = builder->failure;
    }
    return false;
}

bool profile_builder_flush(struct profile_builder *builder, struct error *err)
{
    if (!store_staged(builder)) {
        return tell_failure(builder, err);
    }
    if (builder->options.batch == NULL) {
        return true;
    }
    builder->is_full = !builder->options.batch(builder->options.batch_context, builder->profile,
                                               &builder->failure);
    clear_rows(builder);
    return !builder->is_full || tell_failure(builder, err);
}

void profile_builder_end_row(struct profile_builder *builder)
{
    zero_missing(builder);
    builder->staged_cnt++;
    builder->source_has_rows = true;
    if (builder->staged_cnt < STAGE_ROWS || !store_staged(builder)) {
        return;
    }
    if (builder->options.batch != NULL &&
        builder->profile->row_cnt >= builder->options.batch_rows) {
        (void)profile_builder_flush(builder, NULL);
    }
}

// --- the end ------------------------------------------------------------------

static void trim_memory(struct profile *profile)
{
    profile_column_trim(&profile->period);
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        profile_column_trim(&profile->dimensions[i].codes);
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        profile_column_trim(&profile->metrics[i].columns[PROFILE_VALUE]);
        profile_column_trim(&profile->metrics[i].columns[PROFILE_DELTA]);
    }
}

struct profile *profile_builder_finish(struct profile_builder *builder, struct error *err)
{
    struct profile *profile = NULL;
    (void)store_staged(builder); // what did not fit is counted
    if (profile_sort(builder->profile)) {
        profile = builder->profile;
        builder->profile = NULL;
        trim_memory(profile);
    } else {
        (void)error_set(err, ERROR_NO_MEMORY, "the profile: no memory to sort it by time");
    }
    profile_builder_destroy(builder);
    return profile;
}
