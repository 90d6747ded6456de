// SPDX-License-Identifier: Apache-2.0
#include "query/filter_match.h"

#include "query_profile.h"

enum { ROWS = 5000 }; // some blocks, the last one not full

static struct query_row rows[ROWS];
static struct error err;

// The rows of the small profile that are taken, as "1.3.."; or the complaint.
static const char *taken(const char *source)
{
    static char text[QUERY_ROW_CNT + 1];
    struct profile *profile = small_profile();
    struct filter *filter = filter_create(text_of(source), NULL, &err);
    uint8_t *mask =
        filter == NULL ? NULL : filter_match(filter, profile, 0, profile->row_cnt, &err);
    for (uint32_t i = 0; i < QUERY_ROW_CNT && mask != NULL; i++) {
        text[i] = (char)(mask[i] != 0 ? '0' + i : '.');
    }
    bool ok = mask != NULL;
    free(mask);
    filter_destroy(filter);
    profile_destroy(profile);
    return ok ? text : err.detail;
}

TEST(categories)
{
    CHECK_STR(taken("status=running"), "0.23.");
    CHECK_STR(taken("status!=running"), ".1..4");
    CHECK_STR(taken("status~/^r|gc/"), "0.234");
    CHECK_STR(taken("registered=shop"), "0.2..");
    CHECK_STR(taken("registered_name!=shop"), ".1.34");
    CHECK_STR(taken("registered~."), "0.2..");
    CHECK_STR(taken("status=nothing"), ".....");
}

TEST(numbers)
{
    CHECK_STR(taken("tid=9"), "...34");
    CHECK_STR(taken("tid>=8"), ".1.34");
    CHECK_STR(taken("tid!=9"), "012..");
    CHECK_STR(taken("pid=<0.9.0>"), "...34");
    CHECK_STR(taken("pid!=<0.9.0>"), "012..");
    CHECK_STR(taken("period<10"), "....4");
    CHECK_STR(taken("time<20ms"), "01...");
    CHECK_STR(taken("time=10ms..1.995s"), ".123.");
}

TEST(functions)
{
    CHECK_STR(taken("fn=lists:map/2"), "0.2..");
    CHECK_STR(taken("fn~/^lists:/"), "0.2..");
    CHECK_STR(taken("fn=a"), "0.23.");
    CHECK_STR(taken("leaf=a"), "...3.");
    CHECK_STR(taken("leaf!=a"), "012.4");
    CHECK_STR(taken("root=init"), "0123.");
    CHECK_STR(taken("root=a"), ".....");
    CHECK_STR(taken("file=x.erl"), "0123.");
}

TEST(metrics)
{
    CHECK_STR(taken("mem>100"), ".12..");
    CHECK_STR(taken("memory>=100"), "012..");
    CHECK_STR(taken("erlang_memory=100..301"), "012..");
    CHECK_STR(taken("delta(memory)<0"), ".1..4");
    CHECK_STR(taken("delta(memory)>=-7"), "012..");
    // Row 3 has no memory at all.
    CHECK_STR(taken("memory!=300"), "0.234");
    CHECK_STR(taken("memory<9223372036854775807"), "012.4");
}

TEST(joined)
{
    CHECK_STR(taken("status=running & mem>64 & fn~/lists/ & delta(memory)<9"), "0....");
    CHECK_STR(taken("status=gc | fn=b"), ".1..4");
    CHECK_STR(taken("!(status=gc | fn=b)"), "0.23.");
    CHECK_STR(taken("!status=gc & !fn=b & tid=9"), "...3.");
}

TEST(what_the_file_has_not_got)
{
    CHECK_HAS(taken("colour=red"), "this file has no such field");
    CHECK_HAS(taken("status=x & colour=red"), "character 12: \"colour=red\"");
    CHECK_HAS(taken("delta(status)>1"), "no such field");
    CHECK_HAS(taken("status>3"), "names have no order");
    CHECK_HAS(taken("tid~/9/"), "a number has no pattern");
    CHECK_HAS(taken("memory=much"), "compared with a number");
}

// --- many rows, one by one --------------------------------------------------------

static bool has_frame(const struct query_row *row, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = row->stack; *at != '\0'; at += strcspn(at, ";"), at += *at == ';') {
        if (strcspn(at, ";@") == len && memcmp(at, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_gc(const struct query_row *row)
{
    return strcmp(row->status, "gc") == 0;
}

static bool is_low(const struct query_row *row)
{
    return !row->lacks_metric && row->memory < 50000;
}

static bool is_falling_in_e(const struct query_row *row)
{
    return !row->lacks_metric && row->delta < 0 && has_frame(row, "e");
}

static bool is_not_at_rest(const struct query_row *row)
{
    return row->lacks_metric || row->delta != 0;
}

static bool is_some(const struct query_row *row)
{
    return !(row->tid >= 10 && row->tid < 20) &&
           (has_frame(row, "b") || (row->registered != NULL && row->period >= 500));
}

static bool is_early(const struct query_row *row)
{
    return row->time_ns - rows[0].time_ns < 1500ULL * QUERY_MS;
}

static bool is_any(const struct query_row *row)
{
    (void)row;
    return true;
}

static bool is_none(const struct query_row *row)
{
    (void)row;
    return false;
}

TEST(every_row_is_as_when_asked_alone)
{
    static const struct {
        const char *source;
        bool (*takes)(const struct query_row *row);
    } CASES[] = {
        {"status=gc", is_gc},
        {"memory<50000", is_low},
        {"fn=e & delta(memory)<0", is_falling_in_e},
        {"delta(memory)!=0", is_not_at_rest},
        {"!tid=10..20 & (fn~/^b$/ | registered~. & period>=500)", is_some},
        {"time<1500ms", is_early},
        {"period>=-9000000000 & period<9000000000", is_any},
        {"period>9000000000", is_none},
    };
    struct profile *profile = random_profile(rows, ROWS);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (uint64_t first = 0; first < ROWS; first += 2999) {
            struct filter *filter = filter_create(text_of(CASES[i].source), NULL, &err);
            uint8_t *mask = filter_match(filter, profile, first, ROWS - first, &err);
            CHECK(mask != NULL);
            for (uint64_t row = first; row < ROWS; row++) {
                CHECK_UINT(mask[row - first], CASES[i].takes(&rows[row]) ? 1 : 0);
            }
            free(mask);
            filter_destroy(filter);
        }
    }
    profile_destroy(profile);
}
