// SPDX-License-Identifier: Apache-2.0
// perf-script text, written piece by piece: what docs/perf-script-format.md says, for
// recordings and exports alike; store/perf_script_line.h reads it back. The appenders
// return false, and may have appended a part, when the buffer refuses. Any thread.
#ifndef FLAME_PROF_STORE_PERF_SCRIPT_TEXT_H
#define FLAME_PROF_STORE_PERF_SCRIPT_TEXT_H

#include "base/byte_buffer.h"
#include "store/perf_script_reader.h"

// The event line. `process` as it is, or where that is empty pid and tid; times in
// microseconds, or nanoseconds where one is not whole. Names of metrics must be escaped
// already; frames are not written.
bool perf_script_text_event(struct byte_buffer *out, const struct perf_script_event *event);

// The line of a frame.
bool perf_script_text_frame(struct byte_buffer *out, const struct perf_script_frame *frame);

// The first line of a file, by which Firefox Profiler knows it (src/profile-logic/import/
// linux-perf.js, isPerfScriptFormat).
bool perf_script_text_begin(struct byte_buffer *out);

// `# key: value`.
bool perf_script_text_field(struct byte_buffer *out, struct text key, struct text value);

// A frame's name, and a metric's, with the escapes of the format.
bool perf_script_text_name(struct byte_buffer *out, struct text name);
bool perf_script_text_metric_name(struct byte_buffer *out, struct text name);

// The first word of an event line as it shows `category`, and whether that is what it is.
bool perf_script_text_category(struct byte_buffer *out, struct text category);
bool perf_script_text_shows(struct text category);

// The name that was escaped so, as far as escapes tell. Borrowed: of `name`, or of
// `scratch`, which is cleared.
struct text perf_script_text_plain(struct byte_buffer *scratch, struct text name);

#endif
