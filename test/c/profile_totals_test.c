// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_facts.h"
#include "cli/profile_totals.h"

#include "test.h"

static struct profile_totals totals;
static struct top_options options;

static struct perf_script_frame frame(const char *name, const char *file)
{
    return (struct perf_script_frame){.name = text_of(name), .file = text_of(file)};
}

static struct perf_script_event event_of(const struct perf_script_frame *frames, uint32_t cnt)
{
    return (struct perf_script_event){
        .category = TEXT("running"),
        .process = TEXT("42/43"),
        .pid = 42,
        .tid = 43,
        .time_ns = 1000000000,
        .has_period = PERF_SCRIPT_HAS_PERIOD,
        .period = 10,
        .event_name = TEXT("cpu-clock"),
        .frames = frames,
        .frame_cnt = cnt,
    };
}

static void begin(void)
{
    profile_totals_deinit(&totals);
    options = (struct top_options){.shows = {true, true, true, true}, .max_rows = 10};
    CHECK(profile_totals_init(&totals, &options));
}

static const struct profile_row *row(enum top_key key, const char *name)
{
    static struct profile_row zero;
    uint32_t cnt = 0;
    const struct profile_row *rows = profile_table_sorted(totals.tables[key], &cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        if (text_equal(rows[i].key, text_of(name))) {
            return &rows[i];
        }
    }
    return &zero;
}

TEST(self_and_total_of_functions)
{
    struct perf_script_frame frames[] = {frame("leaf", "/bin/x"), frame("mid", "/bin/x"),
                                         frame("main", "/bin/x")};
    begin();
    struct perf_script_event event = event_of(frames, 3);
    profile_totals_add(&totals, &event);
    event = event_of(frames + 1, 2);
    profile_totals_add(&totals, &event);
    CHECK_INT(row(TOP_KEY_FUNCTION, "leaf  x")->self, 10);
    CHECK_INT(row(TOP_KEY_FUNCTION, "mid  x")->self, 10);
    CHECK_INT(row(TOP_KEY_FUNCTION, "mid  x")->total, 20);
    CHECK_INT(row(TOP_KEY_FUNCTION, "main  x")->self, 0);
    CHECK_INT(row(TOP_KEY_FUNCTION, "main  x")->total, 20);
    CHECK_INT(totals.weight, 20);
    CHECK_INT(row(TOP_KEY_PROCESS, "42")->self, 20);
    CHECK_INT(row(TOP_KEY_THREAD, "42/43")->self, 20);
    CHECK_INT(row(TOP_KEY_CATEGORY, "running")->self, 20);
}

TEST(recursion_counts_once)
{
    struct perf_script_frame frames[] = {frame("f", "x"), frame("f", "x"), frame("f", "x")};
    begin();
    struct perf_script_event event = event_of(frames, 3);
    profile_totals_add(&totals, &event);
    CHECK_INT(row(TOP_KEY_FUNCTION, "f  x")->total, 10);
    CHECK_INT(row(TOP_KEY_FUNCTION, "f  x")->self, 10);
}

TEST(erlang_processes_have_names_and_are_no_functions)
{
    struct perf_script_frame frames[] = {frame("lists:map/2", "lists.erl"),
                                         frame("{registered my_server}", "process"),
                                         frame("{my_server:init/1}", "my_server.erl")};
    begin();
    struct perf_script_event event = event_of(frames, 3);
    event.event_name = TEXT("beam-wall");
    profile_totals_add(&totals, &event);
    CHECK_UINT(row(TOP_KEY_FUNCTION, "{my_server:init/1}  my_server.erl")->sample_cnt, 0);
    const struct profile_row *process = row(TOP_KEY_PROCESS, "42/43");
    CHECK_INT(process->self, 10);
    CHECK(text_equal(process->label, TEXT("my_server")));
}

TEST(the_2021_initial_call_is_a_name)
{
    struct perf_script_frame frames[] = {frame("gen_server:loop/7", "gen_server.erl"),
                                         frame("(wl:init/1)", "wl.erl")};
    begin();
    struct perf_script_event event = event_of(frames, 2);
    event.process = TEXT("0.151.0");
    event.has_period = PERF_SCRIPT_NO_PERIOD;
    profile_totals_add(&totals, &event);
    CHECK(text_equal(row(TOP_KEY_PROCESS, "0.151.0")->label, TEXT("wl:init/1")));
    CHECK_INT(row(TOP_KEY_PROCESS, "0.151.0")->self, 1); // no period: a sample is 1
}

TEST(a_metric_as_weight)
{
    struct perf_script_metric metric = {TEXT("m"), 100, -7};
    begin();
    options.weight = TOP_WEIGHT_METRIC_DELTA;
    options.metric = "m";
    struct perf_script_event event = event_of(NULL, 0);
    profile_totals_add(&totals, &event); // does not have it
    event.metrics = &metric;
    event.metric_cnt = 1;
    profile_totals_add(&totals, &event);
    CHECK_UINT(totals.no_metric_cnt, 1);
    CHECK_UINT(totals.event_cnt, 1);
    CHECK_INT(totals.weight, -7);
    CHECK_UINT(totals.magnitude, 7);
    CHECK_INT(row(TOP_KEY_FUNCTION, "[no stack]")->self, -7);
}

TEST(other_categories_are_left_out)
{
    begin();
    options.category = "waiting";
    struct perf_script_event event = event_of(NULL, 0);
    profile_totals_add(&totals, &event);
    CHECK_UINT(totals.event_cnt, 0);
    profile_totals_deinit(&totals);
}

// --- facts --------------------------------------------------------------------

static void add_at(struct profile_facts *facts, uint64_t time_ms)
{
    struct perf_script_metric metric = {TEXT("m"), 5, -1};
    struct perf_script_event event = event_of(NULL, 0);
    event.time_ns = time_ms * 1000000;
    event.metrics = &metric;
    event.metric_cnt = 1;
    profile_facts_add(facts, &event);
}

TEST(gaps_and_empty_buckets)
{
    struct profile_facts *facts = profile_facts_create();
    add_at(facts, 1000);
    add_at(facts, 1019); // the same bucket of 20 ms
    add_at(facts, 1100); // 1020, 1040, 1060, 1080 are empty
    add_at(facts, 1090); // out of order: 1080 is not
    CHECK_UINT(facts->largest_gap_ns, 81000000);
    CHECK_UINT(facts->out_of_order_cnt, 1);
    struct profile_buckets buckets = profile_facts_buckets(facts);
    CHECK(buckets.is_known);
    CHECK_UINT(buckets.cnt, 6);
    CHECK_UINT(buckets.empty_cnt, 3);
    CHECK_UINT(facts->metric_cnt, 1);
    CHECK_INT(facts->metrics[0].value, 20);
    CHECK_INT(facts->metrics[0].delta, -4);
    CHECK_UINT(facts->period_total, 40);
    CHECK_UINT(facts->event_kinds[0].cnt, 4);
    profile_facts_destroy(facts);
}

TEST(times_far_apart_do_not_take_all_memory)
{
    struct profile_facts *facts = profile_facts_create();
    add_at(facts, 1000);
    add_at(facts, 4000000000000);
    CHECK(!profile_facts_buckets(facts).is_known);
    CHECK_UINT(facts->event_cnt, 2);
    profile_facts_destroy(facts);
    profile_facts_destroy(NULL);
}
