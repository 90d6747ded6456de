// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_facts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BUCKET_BYTES = 8 << 20 }; // two weeks at 20 ms
#define BUCKET_NS 20000000ULL

// One bit per 20 ms since one hour before the first event.
struct profile_bucket_set {
    uint64_t first_bucket;
    uint8_t *bits;
    size_t bytes;
    bool is_too_long;
};

struct profile_facts *profile_facts_create(void)
{
    struct profile_facts *facts = calloc(1, sizeof *facts);
    if (facts != NULL) {
        facts->buckets = calloc(1, sizeof *facts->buckets);
    }
    if (facts != NULL && facts->buckets == NULL) {
        free(facts);
        return NULL;
    }
    return facts;
}

void profile_facts_destroy(struct profile_facts *facts)
{
    if (facts != NULL) {
        free(facts->buckets->bits);
        free(facts->buckets);
    }
    free(facts);
}

// --- buckets ------------------------------------------------------------------

static bool make_room(struct profile_bucket_set *set, uint64_t byte)
{
    if (byte < set->bytes) {
        return true;
    }
    size_t bytes = set->bytes == 0 ? 65536 : set->bytes;
    while (bytes <= byte && bytes < MAX_BUCKET_BYTES) {
        bytes *= 2;
    }
    uint8_t *bits = byte >= bytes ? NULL : realloc(set->bits, bytes);
    if (bits == NULL) {
        return false;
    }
    memset(bits + set->bytes, 0, bytes - set->bytes);
    set->bits = bits;
    set->bytes = bytes;
    return true;
}

static void mark(struct profile_bucket_set *set, uint64_t time_ns)
{
    static const uint64_t BEFORE_FIRST = 180000;
    uint64_t bucket = time_ns / BUCKET_NS;
    if (set->bits == NULL) {
        set->first_bucket = bucket < BEFORE_FIRST ? 0 : bucket - BEFORE_FIRST;
    }
    uint64_t at = bucket - set->first_bucket;
    if (bucket < set->first_bucket || !make_room(set, at / 8) || set->bits == NULL) {
        set->is_too_long = true;
        return;
    }
    set->bits[at / 8] |= (uint8_t)(1U << (at % 8));
}

struct profile_buckets profile_facts_buckets(const struct profile_facts *facts)
{
    const struct profile_bucket_set *set = facts->buckets;
    struct profile_buckets buckets = {.is_known = !set->is_too_long && facts->event_cnt > 0};
    uint64_t full = 0;
    for (size_t i = 0; buckets.is_known && i < set->bytes; i++) {
        full += (uint64_t)__builtin_popcount(set->bits[i]);
    }
    buckets.cnt = facts->last_ns / BUCKET_NS - facts->first_ns / BUCKET_NS + 1;
    buckets.empty_cnt = buckets.cnt - full;
    return buckets;
}

// --- sums ---------------------------------------------------------------------

static void add_time(struct profile_facts *facts, uint64_t time_ns)
{
    mark(facts->buckets, time_ns);
    if (facts->event_cnt == 0) {
        facts->first_ns = facts->last_ns = time_ns;
    } else if (time_ns < facts->last_ns) {
        facts->out_of_order_cnt++;
        facts->first_ns = time_ns < facts->first_ns ? time_ns : facts->first_ns;
    } else {
        uint64_t gap_ns = time_ns - facts->last_ns;
        facts->largest_gap_ns = gap_ns > facts->largest_gap_ns ? gap_ns : facts->largest_gap_ns;
        facts->last_ns = time_ns;
    }
}

static bool is_named(const char *name, struct text text)
{
    return strlen(name) == text.len && memcmp(name, text.bytes, text.len) == 0;
}

static bool copy_name(char name[PROFILE_FACTS_NAME_BYTES], struct text text)
{
    if (text.len >= PROFILE_FACTS_NAME_BYTES || memchr(text.bytes, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(name, text.bytes, text.len);
    name[text.len] = '\0';
    return true;
}

// Metrics come in the same order on every line, so that `i` mostly hits.
static struct profile_metric_sum *sum_of(struct profile_facts *facts, struct text name, uint32_t i)
{
    if (i < facts->metric_cnt && is_named(facts->metrics[i].name, name)) {
        return &facts->metrics[i];
    }
    for (uint32_t k = 0; k < facts->metric_cnt; k++) {
        if (is_named(facts->metrics[k].name, name)) {
            return &facts->metrics[k];
        }
    }
    if (facts->metric_cnt == PERF_SCRIPT_MAX_METRICS ||
        !copy_name(facts->metrics[facts->metric_cnt].name, name)) {
        return NULL;
    }
    return &facts->metrics[facts->metric_cnt++];
}

static int64_t wrapping_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void add_metrics(struct profile_facts *facts, const struct perf_script_event *event)
{
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        struct profile_metric_sum *sum = sum_of(facts, event->metrics[i].name, i);
        if (sum == NULL) {
            facts->dropped_cnt++;
            continue;
        }
        sum->value = wrapping_sum(sum->value, event->metrics[i].value);
        sum->delta = wrapping_sum(sum->delta, event->metrics[i].delta);
    }
}

static void count_kind(struct profile_facts *facts, struct text name)
{
    for (uint32_t i = 0; i < facts->event_kind_cnt; i++) {
        if (is_named(facts->event_kinds[i].name, name)) {
            facts->event_kinds[i].cnt++;
            return;
        }
    }
    if (facts->event_kind_cnt == PROFILE_FACTS_MAX_EVENT_KINDS ||
        !copy_name(facts->event_kinds[facts->event_kind_cnt].name, name)) {
        facts->dropped_cnt++;
        return;
    }
    facts->event_kinds[facts->event_kind_cnt++].cnt = 1;
}

void profile_facts_add(struct profile_facts *facts, const struct perf_script_event *event)
{
    add_time(facts, event->time_ns);
    add_metrics(facts, event);
    count_kind(facts, event->event_name);
    facts->event_cnt++;
    if (event->has_period == PERF_SCRIPT_HAS_PERIOD) {
        facts->with_period_cnt++;
        facts->period_total += event->period;
    }
}
