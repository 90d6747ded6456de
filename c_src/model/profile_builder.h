// SPDX-License-Identifier: Apache-2.0
// Makes a profile row by row. In memory: append, then profile_builder_finish. As a
// stream, in bounded memory: `batch` takes the rows whenever there are `batch_rows` of
// them, in the order they came, and the builder forgets them; ids, dimensions and
// metrics stay and only grow, so that a writer adds what is new to its file.
//
// A row:
//     profile_builder_begin_row(builder, time_ns, stack, period);
//     profile_builder_set_code(builder, PROFILE_PID,
//                              profile_builder_number(builder, PROFILE_PID, 42));
//     profile_builder_set_metric(builder, metric, value, delta);
//     profile_builder_end_row(builder);
//
// What memory or a limit refuses is counted in profile->stats, never fatal. One
// owner, one thread.
#ifndef FLAME_PROF_MODEL_PROFILE_BUILDER_H
#define FLAME_PROF_MODEL_PROFILE_BUILDER_H

#include "model/metric.h"
#include "model/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Takes the rows of `batch`, which it may only read; the next batch has others. False
// ends the stream: the builder refuses (and counts) every further row.
typedef bool (*profile_batch_fn)(void *context, struct profile *batch, struct error *err);

struct profile_builder_options {
    size_t max_bytes;       // of dictionary and rows together; 0 = 2 GiB
    profile_batch_fn batch; // NULL = all rows stay in memory
    void *batch_context;
    uint32_t batch_rows; // 0 = 65,536
};

struct profile_builder;

// NULL when out of memory. `options` NULL = defaults.
struct profile_builder *profile_builder_create(const struct profile_builder_options *options);
void profile_builder_destroy(struct profile_builder *builder);

// What is built so far; of a stream the rows not yet handed over. Its rows are right
// after profile_builder_flush only; its dictionary, dimensions and metrics always.
struct profile *profile_builder_profile(struct profile_builder *builder);

// --- ids; 0 where a limit refused ---------------------------------------------

string_id profile_builder_string(struct profile_builder *builder, struct text text);

// A source: the rows that follow, up to the next one, are its own. There is one, with
// index 0, from the beginning; the first call names it, further calls add. Returns the
// index.
uint32_t profile_builder_source(struct profile_builder *builder, struct text name);

// The clock of the present source, before its rows: their times are moved onto the axis
// of the first source that has one, by what the wall clocks say.
void profile_builder_anchor(struct profile_builder *builder, struct clock_anchor anchor);

// A fact of the present source. Knows
// `clock_anchor_*` (see above) and `end`.
void profile_builder_fact(struct profile_builder *builder, struct text key, struct text value);

// Object files.
void profile_builder_mapping(struct profile_builder *builder,
                             const struct profile_mapping *mapping);

// Index of a dimension, made if need be; PROFILE_NONE when there are too many. A
// dimension that stood in stacks once `is_root_frame`.
int profile_builder_dimension(struct profile_builder *builder, struct text name,
                              enum profile_dimension_kind kind, bool is_root_frame);

// The code of a value.
uint32_t profile_builder_text(struct profile_builder *builder, uint32_t dimension,
                              struct text value);
uint32_t profile_builder_number(struct profile_builder *builder, uint32_t dimension, int64_t value);

// Index of a metric, made if need be; PROFILE_NONE when there are too many. An empty
// unit is found from the name where that is one of ours.
int profile_builder_metric(struct profile_builder *builder, struct text name, struct text unit);

// --- rows ---------------------------------------------------------------------

void profile_builder_begin_row(struct profile_builder *builder, uint64_t time_ns, stack_id stack,
                               int64_t period);
// The same, with the row's codes in all dimensions; the source's is the present source.
void profile_builder_begin_coded_row(struct profile_builder *builder, uint64_t time_ns,
                                     stack_id stack, int64_t period, const uint32_t *codes);
void profile_builder_set_code(struct profile_builder *builder, uint32_t dimension, uint32_t code);
void profile_builder_set_metric(struct profile_builder *builder, uint32_t metric, int64_t value,
                                int64_t delta);
// Several at once; PROFILE_NONE stands for none.
void profile_builder_set_metrics(struct profile_builder *builder, uint32_t cnt, const int *metrics,
                                 const struct metric_value *values);
// The metric has no deltas: not in this input.
void profile_builder_set_value(struct profile_builder *builder, uint32_t metric, int64_t value);
void profile_builder_end_row(struct profile_builder *builder);

// --- the end ------------------------------------------------------------------

// Puts the rows so far into the profile's columns; of a stream, hands them over (also
// when there are none: facts may have come). False when they did not fit, or the batch
// function failed (each time, from then on).
bool profile_builder_flush(struct profile_builder *builder, struct error *err);

// The profile, sorted by time, now the caller's; the builder is gone in any case. NULL,
// with the reason, when out of memory. Not for streams.
struct profile *profile_builder_finish(struct profile_builder *builder, struct error *err);

#endif
