// SPDX-License-Identifier: Apache-2.0
#include "model/metric_unit.h"

#include <stddef.h>

static const struct {
    const char *end; // of the name
    const char *unit;
} UNITS[] = {
    {"_ns", "nanoseconds"},
    {"_us", "microseconds"},
    {"_bytes", "bytes"},
    {"_memory", "bytes"},
    {"_size", "words"}, // heaps, stack, virtual heaps, as process_info/2
                        // gives them
    {"_words", "words"},
    {"_growth", "words"},
    {"_depth", "count"},
    {"_reductions", "count"},
    {"_len", "count"},
    {"_gcs", "count"},
    {"_switches", "count"},
    {"_faults", "count"},
};

struct text metric_unit(struct text name)
{
    struct text erlang = TEXT("erlang_");
    struct text native = TEXT("native_");
    if (name.len < 8 || (memcmp(name.bytes, erlang.bytes, erlang.len) != 0 &&
                         memcmp(name.bytes, native.bytes, native.len) != 0)) {
        return TEXT("");
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        struct text end = text_of(UNITS[i].end);
        if (name.len > end.len &&
            memcmp(name.bytes + name.len - end.len, end.bytes, end.len) == 0) {
            return text_of(UNITS[i].unit);
        }
    }
    return TEXT("");
}
