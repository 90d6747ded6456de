// SPDX-License-Identifier: Apache-2.0
#include "model/profile.h"

#include "model/profile_parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct profile_lock {
    pthread_mutex_t mutex;
};

// --- life ---------------------------------------------------------------------

struct profile *profile_create(size_t max_bytes)
{
    struct profile *profile = calloc(1, sizeof *profile);
    if (profile == NULL) {
        return NULL;
    }
    profile->lock = calloc(1, sizeof *profile->lock);
    if (profile->lock == NULL || !profile_dictionary_init(&profile->dictionary, max_bytes)) {
        free(profile->lock);
        free(profile);
        return NULL;
    }
    (void)pthread_mutex_init(&profile->lock->mutex, NULL);
    return profile;
}

static void free_metric(struct profile_metric *metric)
{
    free((void *)metric->present);
    for (int form = 0; form < PROFILE_FORM_CNT; form++) {
        profile_column_deinit(&metric->columns[form]);
    }
}

static void free_cells(struct profile_cells *cells)
{
    free((void *)cells->cell);
    free((void *)cells->rows);
    free((void *)cells->periods);
    free((void *)cells->sums);
    free((void *)cells->presence);
}

void profile_destroy(struct profile *profile)
{
    if (profile == NULL) {
        return;
    }
    if (profile->loader.destroy != NULL) {
        profile->loader.destroy(profile->loader.context);
    }
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        free((void *)profile->dimensions[i].values);
        profile_column_deinit(&profile->dimensions[i].codes);
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        free_metric(&profile->metrics[i]);
    }
    for (uint32_t i = 0; i < profile->source_cnt; i++) {
        free(profile->sources[i].facts);
    }
    free_cells(&profile->cells);
    free(profile->sources);
    free(profile->mappings);
    free(profile->time_ns);
    free(profile->stack);
    profile_column_deinit(&profile->period);
    profile_dictionary_deinit(&profile->dictionary);
    (void)pthread_mutex_destroy(&profile->lock->mutex);
    free(profile->lock);
    free(profile);
}

// --- finding ------------------------------------------------------------------

int profile_find_dimension(const struct profile *profile, struct text name)
{
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        if (text_equal(profile_text(profile, profile->dimensions[i].name), name)) {
            return (int)i;
        }
    }
    return PROFILE_NONE;
}

int profile_find_metric(const struct profile *profile, struct text name)
{
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        if (text_equal(profile_text(profile, profile->metrics[i].name), name)) {
            return (int)i;
        }
    }
    return PROFILE_NONE;
}

uint64_t profile_row_at(const struct profile *profile, uint64_t time_ns)
{
    uint64_t low = 0;
    uint64_t high = profile->row_cnt;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (profile->time_ns[middle] < time_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct text profile_fact(const struct profile *profile, uint32_t source, struct text key)
{
    const struct profile_source *of = &profile->sources[source];
    for (uint32_t i = 0; i < of->fact_cnt; i++) {
        if (text_equal(profile_text(profile, of->facts[i].key), key)) {
            return profile_text(profile, of->facts[i].value);
        }
    }
    return TEXT("");
}

uint64_t profile_unix_ns(const struct profile *profile, uint64_t time_ns)
{
    for (uint32_t i = 0; i < profile->source_cnt; i++) {
        const struct clock_anchor *anchor = &profile->sources[i].anchor;
        if (anchor->unix_ns != 0) {
            return anchor->unix_ns + (time_ns - anchor->monotonic_ns);
        }
    }
    return 0;
}

struct text profile_code_text(const struct profile *profile, uint32_t dimension, uint32_t code,
                              char digits[PROFILE_DIGITS_BYTES])
{
    const struct profile_dimension *of = &profile->dimensions[dimension];
    if (code == 0 || code >= of->value_cnt) {
        return TEXT("");
    }
    if (of->kind == PROFILE_DIMENSION_TEXT) {
        return profile_text(profile, (string_id)of->values[code]);
    }
    int len = snprintf(digits, PROFILE_DIGITS_BYTES, "%" PRId64, of->values[code]);
    return (struct text){digits, (uint32_t)len};
}

// --- columns ------------------------------------------------------------------

static bool is_loaded(const struct profile *profile, uint32_t metric, enum profile_form form)
{
    uint64_t bits = __atomic_load_n(&profile->loaded[form], __ATOMIC_ACQUIRE);
    return (bits >> metric & 1) != 0;
}

static bool load(struct profile *profile, uint32_t metric, enum profile_form form,
                 struct error *err)
{
    (void)pthread_mutex_lock(&profile->lock->mutex);
    bool ok = is_loaded(profile, metric, form) ||
              profile->loader.load(profile->loader.context, profile, metric, form, err);
    if (ok) {
        (void)__atomic_fetch_or(&profile->loaded[form], 1ULL << metric, __ATOMIC_RELEASE);
    }
    (void)pthread_mutex_unlock(&profile->lock->mutex);
    return ok;
}

const struct profile_column *profile_metric_column(const struct profile *profile, uint32_t metric,
                                                   enum profile_form form, struct error *err)
{
    // Constant to its readers: what is loaded was there all along.
    struct profile *mutable = (struct profile *)profile;
    if (profile->loader.load != NULL && !is_loaded(profile, metric, form) &&
        !load(mutable, metric, form, err)) {
        return NULL;
    }
    return &profile->metrics[metric].columns[form];
}

static size_t metric_bytes(const struct profile *profile, const struct profile_metric *metric)
{
    size_t bytes = metric->present == NULL ? 0 : profile->row_cnt / 8;
    for (int form = 0; form < PROFILE_FORM_CNT; form++) {
        bytes += profile_column_memory_bytes(&metric->columns[form]);
    }
    return bytes;
}

size_t profile_memory_bytes(const struct profile *profile)
{
    size_t bytes = sizeof *profile + profile_dictionary_memory_bytes(&profile->dictionary) +
                   profile->row_cnt * (sizeof *profile->time_ns + sizeof *profile->stack) +
                   profile_column_memory_bytes(&profile->period);
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        const struct profile_dimension *dimension = &profile->dimensions[i];
        bytes += profile_column_memory_bytes(&dimension->codes) +
                 dimension->value_cnt * sizeof *dimension->values;
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        bytes += metric_bytes(profile, &profile->metrics[i]);
    }
    return bytes;
}
