// SPDX-License-Identifier: Apache-2.0
// A whole profile in memory, in columns: the narrow waist. Importers and the
// capture reader fill it (through model/profile_builder.h); queries, exports and
// the viewer read it.
//
// Rows: one per sample, 0 to row_cnt - 1, in the order of time. A row has
//   - time_ns[row], stack[row] (a node of the dictionary, 0 = no stack);
//   - a code in every dimension (0 = the row has none);
//   - a value and a delta in every metric, or none;
//   - a period.
// Nothing in a stack is a category: what stood there as `{kind value}` is in the
// dimension `kind`, from where a query puts it back as root frames in any order.
//
// Life: made by profile_builder_finish or a reader, constant from then on, freed by
// profile_destroy. Every pointer in it lives as long as the profile. Any number of
// threads may read. Columns that a reader left on disk are loaded by
// profile_metric_column, whose first call for a column locks.
//
// Hostile input was checked by whoever filled it: ids are in range, times ascend.
#ifndef FLAME_PROF_MODEL_PROFILE_H
#define FLAME_PROF_MODEL_PROFILE_H

#include "base/clock.h"
#include "base/error.h"
#include "model/profile_column.h"
#include "model/profile_dictionary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROFILE_MAX_DIMENSIONS = 48,
    PROFILE_MAX_METRICS = 64,
    PROFILE_MAX_ROWS = UINT32_MAX - 1,
    PROFILE_NONE = -1, // "there is no such dimension, metric, fact"
};

// --- dimensions ---------------------------------------------------------------

enum profile_dimension_kind {
    PROFILE_DIMENSION_TEXT,   // values are string ids
    PROFILE_DIMENSION_NUMBER, // values are numbers (pid, tid, cpu)
};

// Those that every profile has, in this order, maybe without any value.
#define PROFILE_DIMENSIONS(X)                                                                      \
    X(PROFILE_SOURCE, "source", NUMBER) /* index of profile->sources: host, engine, file */        \
    X(PROFILE_EVENT, "event", TEXT)     /* "beam-wall", "cpu-clock" */                             \
    X(PROFILE_STATUS, "status", TEXT)   /* of an Erlang process: "running", "waiting"... */        \
    X(PROFILE_STATE, "state", TEXT)     /* of a scheduler (beam-cpu): "emulator", "gc"... */       \
    X(PROFILE_COMM, "comm", TEXT)       /* name of a native thread */                              \
    X(PROFILE_PID, "pid", NUMBER)       /* OS process */                                           \
    X(PROFILE_TID, "tid", NUMBER)       /* OS thread, or N of the Erlang process <0.N.S> */        \
    X(PROFILE_CPU, "cpu", NUMBER)       /* CPU, or number of the scheduler (beam-cpu) */

enum profile_dimension_idx {
#define PROFILE_DIMENSION_ENUM(id, name, kind) id,
    PROFILE_DIMENSIONS(PROFILE_DIMENSION_ENUM)
#undef PROFILE_DIMENSION_ENUM
        PROFILE_FIXED_DIMENSION_CNT
};

// Then one for each kind of category that stood in the stacks: "registered",
// "initial_call", "memory", "mailbox", "scheduler", "node", "application", "label",
// "container", "runtime"...; and for each label of a pprof file.
struct profile_dimension {
    string_id name;
    enum profile_dimension_kind kind;
    // It stood in stacks. Those that did are in the order that puts them back: the
    // first one outermost.
    bool is_root_frame;
    uint32_t value_cnt;          // with values[0], which stands for "none"
    const int64_t *values;       // by code: string_id or number
    struct profile_column codes; // of each row; 0 = none
};

// --- metrics ------------------------------------------------------------------

enum profile_form {
    PROFILE_VALUE, // the level, as it was read
    PROFILE_DELTA, // what it gained since the same process's (thread's) previous sample
    PROFILE_FORM_CNT
};

// Rows that lack the metric have 0 in both columns, and no bit in `present`.
struct profile_metric {
    string_id name;          // "erlang_memory": without "metric_"
    string_id unit;          // "bytes", "words", "nanoseconds", "count"; 0 = unknown
    bool has_delta;          // false: only values, of an input that has no deltas
    const uint64_t *present; // a bit per row, lowest first; NULL = every row has it
    uint64_t present_cnt;    // rows that have it
    struct profile_column columns[PROFILE_FORM_CNT]; // by profile_metric_column only
};

static inline bool profile_metric_present(const struct profile_metric *metric, uint64_t row)
{
    return metric->present == NULL || (metric->present[row / 64] >> row % 64 & 1) != 0;
}

// --- where it comes from ------------------------------------------------------

// A line `# key: value`, in the order of the input.
struct profile_fact {
    string_id key; // "hostname", "loss ring_full", "total erlang_memory"
    string_id value;
    bool is_footer; // said after the first sample: sums, losses, how it ended
};

// One recording of one engine on one host.
struct profile_source {
    string_id name; // file or engine; 0 = unknown
    // Of the time column, which is the same for all sources. {0, 0} = unknown.
    struct clock_anchor anchor;
    struct profile_fact *facts;
    uint32_t fact_cnt;
    bool is_incomplete; // cut off: no footer came
};

// Object files, for exports that carry build ids.
struct profile_mapping {
    string_id file;
    string_id build_id; // hexadecimal; 0 = unknown
    uint64_t start;     // 0, 0, 0 = unknown
    uint64_t end;
    uint64_t offset;
};

// What the reader of the input had to say.
struct profile_input_stats {
    uint64_t byte_cnt;       // of text, decompressed
    uint64_t line_cnt;       // text only
    uint64_t malformed_cnt;  // lines (records) that could not be read
    uint64_t dropped_cnt;    // frames, metrics and dimensions beyond a limit
    uint64_t refused_cnt;    // rows, strings, frames, stacks that memory was not allowed for
    uint64_t unsorted_cnt;   // rows that came later than a newer one
    char malformed[200];     // the beginning of the first such line, printable
    uint64_t malformed_line; // its number, from 1; 0 = none
};

// --- sums known without the columns -------------------------------------------

// Sums of whole cells of time: cell c holds [c, c + 1) * cell_ns. Only for profiles
// whose file has them; queries fall back to the columns where it has not.
struct profile_cells {
    uint64_t cell_ns;         // 0 = there are none
    uint64_t cnt;             // cells that have samples
    const uint64_t *cell;     // ascending; numbers of cells
    const uint64_t *rows;     // samples in each
    const int64_t *periods;   // sum of the periods
    const int64_t *sums;      // [(metric * PROFILE_FORM_CNT + form) * cnt + i]
    const uint64_t *presence; // rows that have the metric: [metric * cnt + i]; NULL = all do
};

// --- the profile --------------------------------------------------------------

struct profile;

// Fills a column that is not there yet. Called under the profile's lock.
struct profile_loader {
    bool (*load)(void *context, struct profile *profile, uint32_t metric, enum profile_form form,
                 struct error *err);
    void (*destroy)(void *context);
    void *context;
};

struct profile_lock;

struct profile {
    struct profile_dictionary dictionary;
    uint64_t row_cnt;
    uint64_t *time_ns; // monotonic; the anchor leads to wall-clock time
    stack_id *stack;
    struct profile_column period; // nanoseconds where the event counts time; 0 = none
    struct profile_dimension dimensions[PROFILE_MAX_DIMENSIONS];
    uint32_t dimension_cnt; // >= PROFILE_FIXED_DIMENSION_CNT
    struct profile_metric metrics[PROFILE_MAX_METRICS];
    uint32_t metric_cnt;
    struct profile_source *sources;
    uint32_t source_cnt;
    struct profile_mapping *mappings;
    uint32_t mapping_cnt;
    struct profile_input_stats stats;
    struct profile_cells cells;
    struct profile_loader loader;      // load == NULL: all columns are there
    uint64_t loaded[PROFILE_FORM_CNT]; // a bit per metric
    struct profile_lock *lock;
};

// NULL-safe.
void profile_destroy(struct profile *profile);

// Index by name, PROFILE_NONE when there is none.
int profile_find_dimension(const struct profile *profile, struct text name);
int profile_find_metric(const struct profile *profile, struct text name);

// The column of a metric, loaded if need be. NULL, with the reason, only when a file
// could not be read. Any thread.
const struct profile_column *profile_metric_column(const struct profile *profile, uint32_t metric,
                                                   enum profile_form form, struct error *err);

// The first row at or after `time_ns`; row_cnt when there is none.
uint64_t profile_row_at(const struct profile *profile, uint64_t time_ns);

// The text of a fact of a source ("" when it has none).
struct text profile_fact(const struct profile *profile, uint32_t source, struct text key);

// Nanoseconds since 1970 of a time of the profile; 0 when no source has an anchor.
uint64_t profile_unix_ns(const struct profile *profile, uint64_t time_ns);

// Borrowed.
static inline struct text profile_text(const struct profile *profile, string_id id)
{
    return string_table_text(profile->dictionary.strings, id);
}

static inline uint32_t profile_code(const struct profile *profile, uint32_t dimension, uint64_t row)
{
    return (uint32_t)profile_column_at(&profile->dimensions[dimension].codes, row);
}

// The text of a code: a string, or a number into `digits`. Borrowed.
enum { PROFILE_DIGITS_BYTES = 24 };
struct text profile_code_text(const struct profile *profile, uint32_t dimension, uint32_t code,
                              char digits[PROFILE_DIGITS_BYTES]);

size_t profile_memory_bytes(const struct profile *profile);

#endif
