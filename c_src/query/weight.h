// SPDX-License-Identifier: Apache-2.0
// What a sample counts for: one, its period, or a metric in one of its forms.
// Sums of weights are 64 bits and wrap around like the counters they sum. Any thread.
#ifndef FLAME_PROF_QUERY_WEIGHT_H
#define FLAME_PROF_QUERY_WEIGHT_H

#include "base/error.h"
#include "model/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum weight_form {
    WEIGHT_SAMPLES,  // 1
    WEIGHT_PERIOD,   // what the sample stands for, usually nanoseconds
    WEIGHT_VALUE,    // of the metric
    WEIGHT_DELTA,    // change of the metric; may be negative
    WEIGHT_INCREASE, // the change where it is positive, else 0
    WEIGHT_DECREASE, // minus the change where it is negative, else 0
    WEIGHT_FORM_CNT
};

struct weight {
    enum weight_form form;
    uint32_t metric; // of the last four
};

// A name: "samples", "period", METRIC, and METRIC_delta, METRIC_inc, METRIC_dec or
// delta(METRIC), inc(METRIC), dec(METRIC). False, with the names that there are.
bool weight_parse(const struct profile *profile, struct text name, struct weight *weight,
                  struct error *err);

// The period where the profile has one, else its first metric where that has no deltas
// (the count of a folded stack), else the number of samples.
struct weight weight_default(const struct profile *profile);

// "samples", "period", "erlang_memory", "erlang_memory_delta", ..._inc, ..._dec.
enum { WEIGHT_NAME_BYTES = 256 };
const char *weight_name(const struct profile *profile, struct weight weight,
                        char name[WEIGHT_NAME_BYTES]);

// "nanoseconds", "bytes", "words", "count", "" where unknown. Borrowed.
struct text weight_unit(const struct profile *profile, struct weight weight);

// --- reading ------------------------------------------------------------------

struct weight_reader {
    enum weight_form form;
    const struct profile_column *column; // NULL: every row is 1
    const struct profile_metric *metric; // NULL: every row has it
};

// False, with the reason, when a column could not be loaded.
bool weight_open(const struct profile *profile, struct weight weight, struct weight_reader *reader,
                 struct error *err);

enum { WEIGHT_BLOCK_ROWS = 2048 }; // stay in the first cache

// The weights of `cnt` rows; 0 for those that lack the metric.
void weight_read(const struct weight_reader *reader, uint64_t first, uint32_t cnt,
                 int64_t *weights);

// Whether a row has this weight at all.
static inline bool weight_is_present(const struct weight_reader *reader, uint64_t row)
{
    return reader->metric == NULL || profile_metric_present(reader->metric, row);
}

// Whether any row could have a negative one.
bool weight_may_be_negative(const struct weight_reader *reader);

static inline int64_t weight_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

#endif
