// SPDX-License-Identifier: Apache-2.0
// Any bytes as perf-script text, read to its sums and tables.
#include "cli/profile_facts.h"
#include "cli/profile_totals.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct run {
    struct profile_facts *facts;
    struct profile_totals totals;
};

static void on_event(void *context, const struct perf_script_event *event)
{
    struct run *run = context;
    profile_facts_add(run->facts, event);
    profile_totals_add(&run->totals, event);
}

static void on_field(void *context, struct text key, struct text value)
{
    (void)context;
    if (key.len > 1000000 || value.len > 1000000) {
        abort();
    }
}

static void read_lines(struct run *run, const char *bytes, size_t len)
{
    struct perf_script_handler handler = {on_event, on_field, run};
    struct perf_script_reader *reader = perf_script_reader_create(&handler);
    for (size_t at = 0; at < len;) {
        const char *newline = memchr(bytes + at, '\n', len - at);
        size_t end = newline == NULL ? len : (size_t)(newline - bytes);
        perf_script_reader_line(reader, (struct text){bytes + at, (uint32_t)(end - at)});
        at = end + 1;
    }
    perf_script_reader_finish(reader);
    perf_script_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct top_options OPTIONS = {.shows = {true, true, true, true}};
    struct run run = {.facts = profile_facts_create()};
    uint32_t cnt = 0;
    if (profile_totals_init(&run.totals, &OPTIONS)) {
        read_lines(&run, (const char *)bytes, len);
        (void)profile_facts_buckets(run.facts);
        (void)profile_table_sorted(run.totals.tables[TOP_KEY_FUNCTION], &cnt);
    }
    profile_totals_deinit(&run.totals);
    profile_facts_destroy(run.facts);
    return 0;
}
