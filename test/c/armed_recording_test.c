// SPDX-License-Identifier: Apache-2.0
// An armed capture: kept in memory, written when asked.
#include "recorded_vm.h"

static const struct dump_request BY_TEST = {.fields = {{.key = "trigger", .value = "on_call"}},
                                            .field_cnt = 1};

static void start_armed(struct beam_recording_options *options, uint64_t keep_ns,
                        uint32_t process_cnt)
{
    options->keep_ns = keep_ns;
    make_vm("27", process_cnt);
    start(options);
    for (uint32_t i = 0; i < process_cnt; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
}

static void dump(uint64_t after_ns)
{
    struct dump_request request = BY_TEST;
    request.after_ns = after_ns;
    uint32_t done_cnt = now()->dump.done_cnt;
    CHECK(beam_recording_dump(recording, &request));
    CHECK(!beam_recording_dump(recording, &request)); // one at a time
    WAIT_UNTIL(now()->dump.done_cnt == done_cnt + 1);
}

TEST(an_armed_capture_writes_nothing_until_asked)
{
    struct beam_recording_options options = options_for("armed");
    start_armed(&options, 600 * 1000 * MS, 10);
    WAIT_UNTIL(now()->dump.kept_bytes >= 50000);
    CHECK_UINT(status.sample_cnt, 0);
    CHECK_UINT(status.bytes, 0);
    CHECK_STR(status.current_file, "");
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_WRITTEN);
    CHECK_UINT(status.finished_file_cnt, 1);
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK(totals->samples > 100);
    CHECK_HAS(only_file(), "\n# trigger: on_call\n");
    CHECK_HAS(only_file(), "\n# dump_kept_ns: ");
    CHECK_HAS(only_file(), "\n# dump_dropped_early: 0\n");
    CHECK_HAS(only_file(), "\n# end: complete\n");
    for (int i = 1; i <= 10; i++) {
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    stop("complete");
    CHECK_UINT(status.finished_file_cnt, 1); // what was kept since is nobody's
    end();
}

TEST(an_armed_capture_that_nobody_asks_leaves_no_file)
{
    struct beam_recording_options options = options_for("disarmed");
    start_armed(&options, 50 * MS, 3);
    WAIT_UNTIL(now()->losses.ticks_taken >= 200);
    CHECK(status.dump.kept_ns < 10000 * MS); // old ones go
    stop("complete");
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0);
    CHECK_UINT(status.losses.lost[LOSS_RING_FULL], 0);
    end();
}

TEST(a_dump_reaches_back_as_far_as_asked_and_goes_on)
{
    struct beam_recording_options options = options_for("window");
    start_armed(&options, 300 * MS, 1);
    WAIT_UNTIL(now()->losses.ticks_taken >= 400);
    dump(200 * MS);
    stop("complete");
    const struct totals *totals = read_files();
    uint64_t span_ns = totals->last_ns[1] - totals->first_ns[1];
    CHECK(span_ns >= 350 * MS && span_ns <= 550 * MS);
    // The losses are of that time, as far as the history tells.
    CHECK(number_after(only_file(), "\n# ticks_taken: ") < status.losses.ticks_taken);
    end();
}

TEST(what_does_not_fit_is_dropped_oldest_first_and_told)
{
    struct beam_recording_options options = options_for("small");
    options.walker.ring_bytes = 1 << 20;
    options.walker.process_interval_ns = 1; // each at each tick: 900 kB/s
    start_armed(&options, 600 * 1000 * MS, 4);
    WAIT_UNTIL(now()->dump.early_cnt >= 500);
    CHECK(status.dump.kept_bytes <= 1 << 20);
    dump(0);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK(totals->samples > 500 && totals->samples < (1 << 20) / 300);
    CHECK(number_after(only_file(), "\n# dump_dropped_early: ") >= 500);
    CHECK(number_after(only_file(), "\n# dump_kept_ns: ") < 10000 * MS);
    end();
}

TEST(code_unloaded_since_is_named_in_a_dump)
{
    struct beam_recording_options options = options_for("unloaded");
    start_armed(&options, 600 * 1000 * MS, 1);
    WAIT_UNTIL(now()->losses.ticks_taken >= 50 && status.dump.kept_bytes > 5000);
    fake_code_list_init(&code); // all of it gone
    fake_code_list_add(&code, emulator_file, sizeof emulator_file);
    make_module(&module_files[1], CODE_BASE, "second"); // in place of the first
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    uint64_t then = now()->losses.ticks_taken;
    WAIT_UNTIL(now()->losses.ticks_taken >= then + 200);
    dump(0);
    stop("complete");
    const char *text = only_file();
    const char *second = strstr(text, "second:f250/0");
    CHECK(strstr(text, "first:f250/0") != NULL && second != NULL);
    CHECK(strstr(second, "first:f250/0") == NULL);
    end();
}

TEST(a_dump_of_nothing_leaves_no_file)
{
    struct beam_recording_options options = options_for("nothing");
    start_armed(&options, 1000 * MS, 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_EMPTY);
    stop("complete");
    CHECK_UINT(status.finished_file_cnt, 0);
    end();
}

TEST(a_dump_that_cannot_be_written_is_told_and_the_next_works)
{
    struct beam_recording_options options = options_for("no_place");
    char moved[300];
    start_armed(&options, 600 * 1000 * MS, 3);
    WAIT_UNTIL(now()->dump.kept_bytes > 5000);
    snprintf(moved, sizeof moved, "%s.moved", dir);
    CHECK(rename(dir, moved) == 0);
    FILE *in_the_way = fopen(dir, "w");
    CHECK(in_the_way != NULL && fclose(in_the_way) == 0);
    CHECK(rmdir(moved) == 0);
    dump(0);
    CHECK_INT(status.dump.result, DUMP_FAILED);
    CHECK(status.last_error.code != ERROR_NONE);
    CHECK(remove(dir) == 0);
    dump(0); // what was kept is still there
    CHECK_INT(status.dump.result, DUMP_WRITTEN);
    CHECK(read_files()->samples > 5);
    stop("complete");
    end();
}

TEST(a_stop_during_a_dump_finishes_its_file)
{
    struct beam_recording_options options = options_for("stop_dump");
    start_armed(&options, 600 * 1000 * MS, 3);
    WAIT_UNTIL(now()->dump.kept_bytes > 5000);
    struct dump_request request = BY_TEST;
    request.after_ns = 3600 * 1000 * MS;
    CHECK(beam_recording_dump(recording, &request));
    stop("owner process died");
    CHECK_HAS(only_file(), "\n# end: owner process died\n");
    CHECK(!beam_recording_dump(recording, &request));
    CHECK_UINT(read_files()->samples, status.sample_cnt);
    end();
}

TEST(only_an_armed_capture_dumps)
{
    struct beam_recording_options options = options_for("not_armed");
    make_vm("27", 1);
    start(&options);
    CHECK(!beam_recording_dump(recording, &BY_TEST));
    stop("complete");
    end();
}
