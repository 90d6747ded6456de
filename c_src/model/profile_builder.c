// SPDX-License-Identifier: Apache-2.0
#include "model/profile_builder.h"

#include "model/metric_unit.h"
#include "model/profile_parts.h"
#include "model/value_index.h"

#include <stdlib.h>
#include <string.h>

enum {
    STAGE_ROWS = 1024,             // gathered wide, then stored narrow
    STAGE_STRIDE = STAGE_ROWS + 8, // rows of neighbours are not in one set of the cache
    DEFAULT_BATCH_ROWS = 65536,
    MAX_FACTS = 4096,
    MAX_SOURCES = 65535,
    MAX_MAPPINGS = 65536,
};
#define DEFAULT_MAX_BYTES (2ULL << 30)
#define SAME_CLOCK_NS ((int64_t)CLOCK_NS_PER_MS)

struct stage_column {
    int64_t rows[STAGE_STRIDE];
};

struct stage_metric {
    struct stage_column forms[PROFILE_FORM_CNT];
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
    uint64_t present_words[PROFILE_MAX_METRICS]; // room
    uint64_t time_ns[STAGE_ROWS];
    stack_id stack[STAGE_ROWS];
    int64_t period[STAGE_ROWS];
    uint64_t present[STAGE_ROWS]; // a bit per metric
    uint64_t with_delta;          // metrics of which this is known
    struct stage_column *codes[PROFILE_MAX_DIMENSIONS];
    struct stage_metric *metrics[PROFILE_MAX_METRICS];
};

// --- life ---------------------------------------------------------------------

static bool add_fixed_dimensions(struct profile_builder *builder)
{
    for (uint32_t i = 0; i < PROFILE_FIXED_DIMENSION_CNT; i++) {
        const struct profile_fixed_dimension *fixed = profile_fixed_dimension(i);
        if (profile_builder_dimension(builder, fixed->name, fixed->kind, false) != (int)i) {
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
    if (builder->profile == NULL || profile_add_source(builder->profile) == NULL ||
        !add_fixed_dimensions(builder)) {
        profile_builder_destroy(builder);
        return NULL;
    }
    builder->source_code = profile_builder_number(builder, PROFILE_SOURCE, 0);
    return builder;
}

void profile_builder_destroy(struct profile_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    for (uint32_t i = 0; i < PROFILE_MAX_DIMENSIONS; i++) {
        value_index_deinit(&builder->indexes[i]);
        free(builder->codes[i]);
    }
    for (uint32_t i = 0; i < PROFILE_MAX_METRICS; i++) {
        free(builder->metrics[i]);
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
    if (profile->source_cnt == MAX_SOURCES || profile_add_source(profile) == NULL) {
        profile->stats.dropped_cnt++; // its rows go to the last one
        return;
    }
    builder->source = profile->source_cnt - 1;
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
    if (source->fact_cnt == MAX_FACTS) {
        builder->profile->stats.dropped_cnt++;
        return;
    }
    struct profile_fact fact = {
        .key = profile_builder_string(builder, key),
        .value = profile_builder_string(builder, value),
        .is_footer = builder->source_has_rows,
    };
    builder->profile->stats.dropped_cnt += !profile_add_fact(source, fact);
}

void profile_builder_mapping(struct profile_builder *builder, const struct profile_mapping *mapping)
{
    struct profile *profile = builder->profile;
    if (profile->mapping_cnt == MAX_MAPPINGS || !profile_add_mapping(profile, mapping)) {
        profile->stats.dropped_cnt++;
    }
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

uint32_t profile_builder_number(struct profile_builder *builder, uint32_t dimension, int64_t value)
{
    struct profile *profile = builder->profile;
    uint32_t code = value_index_code(&builder->indexes[dimension], &profile->dimensions[dimension],
                                     value, builder->options.max_bytes / 16);
    profile->stats.refused_cnt += code == 0;
    return code;
}

uint32_t profile_builder_text(struct profile_builder *builder, uint32_t dimension,
                              struct text value)
{
    string_id id = profile_builder_string(builder, value);
    return id == 0 ? 0 : profile_builder_number(builder, dimension, id);
}

// --- metrics ------------------------------------------------------------------

int profile_builder_metric(struct profile_builder *builder, struct text name, struct text unit)
{
    struct profile *profile = builder->profile;
    int found = profile_find_metric(profile, name);
    if (found != PROFILE_NONE) {
        return found;
    }
    uint32_t idx = profile->metric_cnt;
    bool fits = idx < PROFILE_MAX_METRICS && name.len > 0;
    if (fits) {
        builder->metrics[idx] = calloc(1, sizeof *builder->metrics[idx]);
        fits = builder->metrics[idx] != NULL;
    }
    struct profile_metric *metric = &profile->metrics[idx < PROFILE_MAX_METRICS ? idx : 0];
    if (fits) {
        *metric = (struct profile_metric){
            .name = profile_builder_string(builder, name),
            .unit = profile_builder_string(builder, unit.len > 0 ? unit : metric_unit(name)),
        };
        fits = profile->row_cnt == 0 ||
               profile_metric_presence(metric, profile->row_cnt, &builder->present_words[idx]);
    }
    if (!fits) {
        profile->stats.dropped_cnt++;
        return PROFILE_NONE;
    }
    (void)profile_metric_skip(metric, profile->row_cnt); // needs no memory
    profile->metric_cnt++;
    return (int)idx;
}

// --- rows ---------------------------------------------------------------------

void profile_builder_begin_row(struct profile_builder *builder, uint64_t time_ns, stack_id stack,
                               int64_t period)
{
    static const uint32_t NONE[PROFILE_MAX_DIMENSIONS];
    profile_builder_begin_coded_row(builder, time_ns, stack, period, NONE);
}

void profile_builder_begin_coded_row(struct profile_builder *builder, uint64_t time_ns,
                                     stack_id stack, int64_t period, const uint32_t *codes)
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
        builder->codes[i]->rows[at] = codes[i];
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
    builder->metrics[metric]->forms[PROFILE_VALUE].rows[at] = value;
    builder->metrics[metric]->forms[PROFILE_DELTA].rows[at] = delta;
    builder->present[at] |= 1ULL << metric;
    builder->profile->metrics[metric].has_delta = true;
}

void profile_builder_set_value(struct profile_builder *builder, uint32_t metric, int64_t value)
{
    uint32_t at = builder->staged_cnt;
    builder->metrics[metric]->forms[PROFILE_VALUE].rows[at] = value;
    builder->metrics[metric]->forms[PROFILE_DELTA].rows[at] = 0;
    builder->present[at] |= 1ULL << metric;
}

void profile_builder_set_metrics(struct profile_builder *builder, uint32_t cnt, const int *metrics,
                                 const struct metric_value *values)
{
    uint32_t at = builder->staged_cnt;
    uint64_t present = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        if (metrics[i] != PROFILE_NONE) {
            struct stage_metric *stage = builder->metrics[metrics[i]];
            stage->forms[PROFILE_VALUE].rows[at] = values[i].value;
            stage->forms[PROFILE_DELTA].rows[at] = values[i].delta;
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
        builder->metrics[metric]->forms[PROFILE_VALUE].rows[at] = 0;
        builder->metrics[metric]->forms[PROFILE_DELTA].rows[at] = 0;
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
    bool ok = profile_resize_rows(profile, capacity);
    builder->row_capacity = ok ? capacity : builder->row_capacity;
    return ok;
}

// Of the staged rows.
struct staged_presence {
    uint64_t all; // metrics that every row has
    uint64_t any;
};

static struct staged_presence staged_presence(const struct profile_builder *builder)
{
    struct staged_presence presence = {UINT64_MAX, 0};
    for (uint32_t i = 0; i < builder->staged_cnt; i++) {
        presence.all &= builder->present[i];
        presence.any |= builder->present[i];
    }
    return presence;
}

static uint32_t count_present(const struct profile_builder *builder,
                              const struct staged_presence *presence, uint32_t idx)
{
    if ((presence->all >> idx & 1) == (presence->any >> idx & 1)) {
        return (presence->all >> idx & 1) != 0 ? builder->staged_cnt : 0;
    }
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < builder->staged_cnt; i++) {
        cnt += (uint32_t)(builder->present[i] >> idx & 1);
    }
    return cnt;
}

static bool append_presence(struct profile_builder *builder, const struct staged_presence *presence,
                            uint32_t idx)
{
    struct profile_metric *metric = &builder->profile->metrics[idx];
    uint64_t before = builder->profile->row_cnt;
    uint32_t cnt = count_present(builder, presence, idx);
    uint64_t *present = NULL;
    if (metric->present != NULL || cnt != builder->staged_cnt) {
        present = profile_metric_presence(metric, before + builder->staged_cnt,
                                          &builder->present_words[idx]);
        if (present == NULL) {
            return false;
        }
    }
    metric->present_cnt += cnt;
    for (uint32_t i = 0; i < builder->staged_cnt && present != NULL; i++) {
        uint64_t row = before + i;
        present[row / 64] |= (builder->present[i] >> idx & 1) << row % 64;
    }
    return true;
}

static bool append_metric(struct profile_builder *builder, const struct staged_presence *presence,
                          uint32_t idx)
{
    struct profile_metric *metric = &builder->profile->metrics[idx];
    bool ok = append_presence(builder, presence, idx);
    for (int form = 0; form < PROFILE_FORM_CNT && ok; form++) {
        ok = profile_column_append(&metric->columns[form], builder->metrics[idx]->forms[form].rows,
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
    struct staged_presence presence = staged_presence(builder);
    for (uint32_t i = 0; i < profile->metric_cnt && ok; i++) {
        ok = append_metric(builder, &presence, i);
    }
    return ok;
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
        profile_trim_columns(builder->profile); // one that could not grow left others longer
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
