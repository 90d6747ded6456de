// SPDX-License-Identifier: Apache-2.0
// The grammar of single lines of perf-script text. Pure functions; texts point
// into the line. Any thread.
#ifndef FLAME_PROF_STORE_PERF_SCRIPT_LINE_H
#define FLAME_PROF_STORE_PERF_SCRIPT_LINE_H

#include "store/perf_script_reader.h"

// An event line; `metrics` takes at most PERF_SCRIPT_MAX_METRICS, `dropped`
// grows by those beyond. `rest` is what stands behind the event's name (a frame,
// for `perf script` without call chains). False when it is no event line.
bool perf_script_line_event(struct text line, struct perf_script_event *event,
                            struct perf_script_metric *metrics, uint64_t *dropped,
                            struct text *rest);

// `HEXADDR NAME (FILE)`, blanks in front. False when it is no frame.
bool perf_script_line_frame(struct text line, struct perf_script_frame *frame);

// `# key: value`. False when it is another comment.
bool perf_script_line_field(struct text line, struct text *key, struct text *value);

#endif
