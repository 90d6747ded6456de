// SPDX-License-Identifier: Apache-2.0
// What becomes of a process between looks: collections, growth, waiting.
#include "capture/beam/process_progress.h"

#include "capture/beam/stack_words.h"
#include "test.h"

enum { RUNNING_FLAG = 0x8000 };
#define MS 1000000ULL

static struct process_progress progress;
static struct process_snapshot snapshot;
static struct metric_value metrics[BEAM_METRIC_ALL_CNT];
static uint64_t now_ns;

static void begin(void)
{
    memset(&progress, 0, sizeof progress);
    memset(&snapshot, 0, sizeof snapshot);
    now_ns = 5000 * MS;
    snapshot.sizes_known = true;
    snapshot.status = PROCESS_WAITING;
    snapshot.values[BEAM_METRIC_REDUCTIONS] = 100;
    snapshot.values[BEAM_METRIC_TOTAL_HEAP_SIZE] = 233;
}

static void look_after(uint64_t ms)
{
    now_ns += ms * MS;
    process_progress_look(&progress, &snapshot, 7, 3, now_ns, metrics);
}

static void check(int metric, int64_t value, int64_t delta)
{
    CHECK_INT(metrics[metric].value, value);
    CHECK_INT(metrics[metric].delta, delta);
}

TEST(the_first_look_has_no_deltas)
{
    begin();
    look_after(0);
    check(BEAM_METRIC_MAJOR_GCS, 0, 0);
    check(BEAM_METRIC_HEAP_GROWTH, 0, 0);
    check(BEAM_METRIC_STACK_DEPTH, 7, 0);
    check(BEAM_METRIC_SINCE_SCHEDULED, 0, 0);
    check(BEAM_METRIC_RUNNABLE_WAIT, 0, 0);
    check(BEAM_METRIC_RUN_QUEUE_LEN, 3, 0);
}

TEST(a_process_that_makes_no_reductions_has_not_run)
{
    begin();
    look_after(0);
    look_after(10);
    check(BEAM_METRIC_SINCE_SCHEDULED, 10000, 10000);
    look_after(5);
    check(BEAM_METRIC_SINCE_SCHEDULED, 15000, 5000);
    check(BEAM_METRIC_RUNNABLE_WAIT, 0, 0);
    snapshot.values[BEAM_METRIC_REDUCTIONS]++;
    look_after(5);
    check(BEAM_METRIC_SINCE_SCHEDULED, 0, -15000);
    look_after(20);
    snapshot.state_flags = RUNNING_FLAG; // for long, without having been switched out
    look_after(20);
    check(BEAM_METRIC_SINCE_SCHEDULED, 0, -20000);
}

TEST(waiting_for_a_scheduler_is_summed_by_its_deltas)
{
    begin();
    look_after(0);
    snapshot.status = PROCESS_RUNNABLE;
    look_after(10);
    check(BEAM_METRIC_RUNNABLE_WAIT, 0, 0); // since when is not known
    look_after(10);
    check(BEAM_METRIC_RUNNABLE_WAIT, 10000, 10000);
    look_after(4);
    check(BEAM_METRIC_RUNNABLE_WAIT, 14000, 4000);
    snapshot.values[BEAM_METRIC_REDUCTIONS] += 4000; // had its turn, waits again
    look_after(4);
    check(BEAM_METRIC_RUNNABLE_WAIT, 0, 0);
    look_after(6);
    check(BEAM_METRIC_RUNNABLE_WAIT, 6000, 6000);
    snapshot.status = PROCESS_WAITING;
    look_after(6);
    check(BEAM_METRIC_RUNNABLE_WAIT, 0, 0);
}

TEST(whole_collections_are_seen_by_what_they_leave)
{
    begin();
    snapshot.values[BEAM_METRIC_MINOR_GCS] = 5;
    look_after(0);
    snapshot.values[BEAM_METRIC_MINOR_GCS] = 9;
    snapshot.old_heap = 0x1000; // the first old heap is a minor collection's
    look_after(1);
    check(BEAM_METRIC_MAJOR_GCS, 0, 0);
    snapshot.values[BEAM_METRIC_MINOR_GCS] = 0;
    snapshot.old_heap = 0;
    look_after(1);
    check(BEAM_METRIC_MAJOR_GCS, 1, 1);
    snapshot.values[BEAM_METRIC_MINOR_GCS] = 3;
    snapshot.old_heap = 0x2000;
    look_after(1);
    check(BEAM_METRIC_MAJOR_GCS, 1, 0);
    snapshot.old_heap = 0x3000; // and as many minor ones since
    look_after(1);
    check(BEAM_METRIC_MAJOR_GCS, 2, 1);
}

TEST(growth_is_since_the_first_look)
{
    begin();
    look_after(0);
    snapshot.values[BEAM_METRIC_TOTAL_HEAP_SIZE] = 1233;
    look_after(1);
    check(BEAM_METRIC_HEAP_GROWTH, 1000, 1000);
    snapshot.sizes_known = false;
    snapshot.values[BEAM_METRIC_TOTAL_HEAP_SIZE] = 0;
    look_after(1);
    check(BEAM_METRIC_HEAP_GROWTH, 1000, 0); // as last known
    snapshot.sizes_known = true;
    snapshot.values[BEAM_METRIC_TOTAL_HEAP_SIZE] = 100;
    look_after(1);
    check(BEAM_METRIC_HEAP_GROWTH, -133, -1133);
}

TEST(a_depth_that_is_not_known_stays)
{
    begin();
    look_after(0);
    process_progress_look(&progress, &snapshot, -1, 3, now_ns, metrics);
    check(BEAM_METRIC_STACK_DEPTH, 7, 0);
}

TEST(a_deep_stack_is_taken_to_go_on_as_it_begins)
{
    const uint64_t words[] = {0x7F0000001000, 15, 0x7F0000001004, 0x7F0000001008, 0, 0x1003};
    CHECK_INT(stack_words_depth(words, 6, 0), 4);
    CHECK_INT(stack_words_depth(words, 6, 60), 34);
    CHECK_INT(stack_words_depth(words, 0, 60), 1);
    CHECK_INT(stack_words_depth(words, 6, UINT64_MAX), 4); // nonsense
}

TEST(any_values_are_survived)
{
    uint64_t random = 11;
    begin();
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < BEAM_METRIC_CNT; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            snapshot.values[i] = (int64_t)(random << (random >> 60));
        }
        snapshot.old_heap = random;
        snapshot.sizes_known = random >> 63;
        snapshot.status = (enum process_status)(random % PROCESS_STATUS_CNT);
        look_after(1);
        CHECK(metrics[BEAM_METRIC_RUNNABLE_WAIT].delta >= 0);
    }
}
