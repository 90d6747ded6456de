// SPDX-License-Identifier: Apache-2.0
// Any bytes as a sample of a perf ring: what is told lies within them.
#include "capture/system/perf_record.h"
#include "capture/system/task_table.h"

#include <stdlib.h>
#include <string.h>

static bool is_inside(const uint64_t *words, size_t size, const uint64_t *at, size_t bytes)
{
    return at == NULL || (at >= words && bytes <= size &&
                          (size_t)((const char *)at - (const char *)words) <= size - bytes);
}

static void parse(const uint64_t *words, size_t size, bool has_callchain)
{
    struct perf_record record;
    if (perf_record_parse(words, size, has_callchain, &record) &&
        (!is_inside(words, size, record.kernel, 8 * (size_t)record.kernel_cnt) ||
         !is_inside(words, size, record.stack, record.stack_bytes))) {
        abort();
    }
}

// As much memory as there are bytes, so that one more is found.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct task_table *table;
    struct perf_event_header header;
    uint64_t *words = malloc(size == 0 ? 1 : size);
    table = table == NULL ? task_table_create() : table;
    if (words == NULL || table == NULL || size < sizeof header) {
        free(words);
        return 0;
    }
    memcpy(words, bytes, size);
    parse(words, size, true);
    parse(words, size, false);
    memcpy(&header, words, sizeof header);
    if (header.type != PERF_RECORD_SAMPLE && header.size <= size) {
        task_table_take(table, words, size);
        if (perf_record_time_offset(&header) > header.size) {
            abort();
        }
    }
    free(words);
    return 0;
}
