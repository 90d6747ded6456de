// SPDX-License-Identifier: Apache-2.0
// Samples into files: what is written, lost and counted adds up, whatever the disk
// does.
#include "sinks/recording.h"

#include "base/log.h"
#include "child_process.h"
#include "file_tree.h"
#include "sinks/perf_script_sink.h"

#include <inttypes.h>
#include <sys/mount.h>
#include <sys/resource.h>

static const char *const METRICS[] = {"one", "two"};
static struct session session = {
    .event_name = "beam-wall", .metric_names = METRICS, .metric_cnt = 2};
static struct loss_counters losses;
static struct recording recording;
static char dir[256];
static uint64_t next_time_ns;

static struct recording_options options_for(const char *name)
{
    memset(&losses, 0, sizeof losses);
    next_time_ns = 1000000000;
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    return (struct recording_options){
        .files = {
            .directory = dir, .stem = "prof", .suffix = ".perf", .naming = FILE_NAMING_SERIES}};
}

static void open_recording(const struct recording_options *options)
{
    struct error err = {0};
    if (!recording_open(&recording, &session, &losses, options, &err)) {
        TEST_FAIL("open: %s", err.detail);
    }
}

static struct sample sample_of(const struct metric_value *metrics, uint64_t period_ns)
{
    next_time_ns += 9000000;
    return (struct sample){.time_ns = next_time_ns,
                           .period_ns = period_ns,
                           .category = TEXT("waiting"),
                           .metrics = metrics};
}

static void write_samples(int cnt)
{
    for (int i = 0; i < cnt; i++) {
        const struct metric_value metrics[] = {{i, 1}, {1000 - i, -2}};
        struct sample sample = sample_of(metrics, 9000000 + (uint64_t)i);
        recording_write(&recording, &sample);
    }
}

static void close_recording(const char *reason)
{
    struct error err = {0};
    if (!recording_close(&recording, reason, &err)) {
        TEST_FAIL("close: %s", err.detail);
    }
}

// ---- files as a reader adds them up -------------------------------------------------

struct sums {
    uint64_t files;
    uint64_t samples;
    uint64_t period_ns;
    int64_t values[2];
    int64_t deltas[2];
    uint64_t lost; // of the footers' loss lines
    char last_end[64];
};

static bool is_sample(const char *line)
{
    return *line != '#' && *line != '\t' && *line != '\n';
}

static void add_samples(const char *text, struct sums *sums)
{
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (!is_sample(line)) {
            continue;
        }
        int64_t value[2];
        int64_t delta[2];
        uint64_t period;
        const char *at = strstr(line, "metric_one: ");
        CHECK(at != NULL);
        CHECK_INT(sscanf(at,
                         "metric_one: %" SCNd64 ", %" SCNd64 "\tmetric_two: %" SCNd64 ", %" SCNd64
                         "\tperiod: %" SCNu64 " beam-wall:",
                         &value[0], &delta[0], &value[1], &delta[1], &period),
                  5);
        sums->samples++;
        sums->period_ns += period;
        for (int i = 0; i < 2; i++) {
            sums->values[i] += value[i];
            sums->deltas[i] += delta[i];
        }
    }
}

static uint64_t footer_number(const char *text, const char *key)
{
    char line[64];
    snprintf(line, sizeof line, "\n# %s: ", key);
    const char *at = strstr(text, line);
    if (at == NULL) {
        TEST_FAIL("no %s in the footer", key);
    }
    return strtoull(at + strlen(line), NULL, 10);
}

// Its footer says what its samples add up to.
static void check_file(const char *text, struct sums *sums)
{
    struct sums own = {0};
    CHECK_INT(strncmp(text, "# ========\n# flame_prof: ", 25), 0);
    add_samples(text, &own);
    CHECK_UINT(footer_number(text, "samples"), own.samples);
    CHECK_UINT(footer_number(text, "period_total_ns"), own.period_ns);
    for (int i = 0; i < 2; i++) {
        char line[128];
        snprintf(line, sizeof line, "\n# total %s: %" PRId64 ", %" PRId64 "\n", METRICS[i],
                 own.values[i], own.deltas[i]);
        CHECK_HAS(text, line);
        sums->values[i] += own.values[i];
        sums->deltas[i] += own.deltas[i];
    }
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "loss %s", loss_reason_name((enum loss_reason)i));
        sums->lost += footer_number(text, key);
    }
    const char *end = strstr(text, "\n# end: ") + 8;
    snprintf(sums->last_end, sizeof sums->last_end, "%.*s", (int)strcspn(end, "\n"), end);
    CHECK(own.samples > 0);
    sums->files++;
    sums->samples += own.samples;
    sums->period_ns += own.period_ns;
}

static struct sums check_files(void)
{
    static struct file_names names;
    struct sums sums = {0};
    list_files(dir, &names);
    for (unsigned i = 0; i < names.cnt; i++) {
        if (names.names[i][0] == '.') {
            TEST_FAIL("%s was left behind", names.names[i]);
        }
        if (strstr(names.names[i], ".gz") != NULL) {
            char *text = gunzipped(dir, names.names[i], 0);
            static char copy[FILE_TEXT_MAX];
            strcpy(copy, text);
            free(text);
            check_file(copy, &sums);
        } else {
            check_file(file_text(dir, names.names[i]), &sums);
        }
    }
    return sums;
}

// ---- rotation ------------------------------------------------------------------------

TEST(one_file_holds_all_and_adds_up)
{
    struct recording_options options = options_for("one");
    open_recording(&options);
    write_samples(1000);
    recording_tick(&recording);
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 1);
    CHECK_UINT(sums.samples, 1000);
    CHECK_STR(sums.last_end, "complete");
    CHECK_UINT(recording.sample_cnt, 1000);
    CHECK(recording_close(&recording, "again", NULL));
}

TEST(files_end_by_size)
{
    struct recording_options options = options_for("size");
    options.max_file_bytes = 4096;
    open_recording(&options);
    for (int i = 0; i < 50; i++) {
        write_samples(10);
        recording_tick(&recording);
    }
    write_samples(1);
    close_recording("stopped");
    struct sums sums = check_files();
    CHECK(sums.files > 5);
    CHECK_UINT(sums.samples, 501);
    CHECK_STR(sums.last_end, "stopped");
    CHECK_UINT(recording.files.finished_cnt, sums.files);
}

static uint64_t held(const void *state)
{
    (void)state;
    return recording.summary.sample_cnt * 1000; // as names of a file would
}

static void *no_state(void)
{
    return &recording;
}

static void keep_it(void *state)
{
    (void)state;
}

TEST(files_of_a_series_end_by_what_the_sink_holds_of_them)
{
    for (int naming = FILE_NAMING_SINGLE; naming <= FILE_NAMING_SERIES; naming++) {
        struct sink sink = PERF_SCRIPT_SINK;
        sink.create = no_state;
        sink.destroy = keep_it;
        sink.held_bytes = held;
        struct recording_options options =
            options_for(naming == FILE_NAMING_SERIES ? "held" : "held_single");
        options.files.naming = (enum file_naming)naming;
        options.sink = &sink;
        options.max_held_bytes = 100 * 1000;
        open_recording(&options);
        for (int i = 0; i < 50; i++) {
            write_samples(10);
            CHECK(recording_memory_bytes(&recording) >= recording.summary.sample_cnt * 1000);
            recording_tick(&recording);
        }
        close_recording("stopped");
        struct sums sums = check_files();
        CHECK_UINT(sums.files, naming == FILE_NAMING_SERIES ? 5 : 1);
        CHECK_UINT(sums.samples, 500);
    }
}

// The clock is the recording's: its beginning is moved into the past.
TEST(files_end_by_time)
{
    struct recording_options options = options_for("time");
    options.max_file_ns = 60ULL * CLOCK_NS_PER_S;
    open_recording(&options);
    write_samples(3);
    recording_tick(&recording);
    CHECK_UINT(recording.files.finished_cnt, 0);
    recording.file_begin_ns -= options.max_file_ns;
    recording_tick(&recording);
    CHECK_UINT(recording.files.finished_cnt, 1);
    write_samples(4);
    close_recording("complete");
    CHECK_UINT(check_files().samples, 7);
}

TEST(no_file_ends_before_its_second_sample)
{
    struct recording_options options = options_for("two");
    options.max_file_ns = 1;
    options.max_file_bytes = 1;
    open_recording(&options);
    for (int i = 0; i < 100; i++) {
        recording_tick(&recording);
        write_samples(1);
        recording_tick(&recording);
    }
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 50);
    CHECK_UINT(sums.samples, 100);
}

TEST(only_so_many_files_are_kept)
{
    struct recording_options options = options_for("count");
    options.max_file_bytes = 1;
    options.files.max_files = 3;
    open_recording(&options);
    for (int i = 0; i < 20; i++) {
        write_samples(2);
        recording_tick(&recording);
    }
    close_recording("complete"); // the 21st is empty
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 3);
    CHECK_UINT(sums.samples, 6);
    CHECK_UINT(recording.files.finished_cnt, 20);
}

TEST(a_recording_without_samples_leaves_no_file)
{
    struct recording_options options = options_for("none");
    open_recording(&options);
    recording_tick(&recording);
    close_recording("complete");
    CHECK_UINT(check_files().files, 0);
}

TEST(gzip_files_add_up)
{
    struct recording_options options = options_for("gzip");
    options.files.compression = FILE_COMPRESSION_GZIP;
    options.max_file_bytes = 20000;
    options.sync_ns = 1;
    open_recording(&options);
    for (int i = 0; i < 100; i++) {
        write_samples(7);
        recording_tick(&recording);
    }
    close_recording("complete");
    struct sums sums = check_files();
    CHECK(sums.files > 2);
    CHECK_UINT(sums.samples, 700);
}

TEST(samples_reach_the_disk_when_a_sync_is_due)
{
    struct recording_options options = options_for("sync");
    options.sync_ns = 1;
    open_recording(&options);
    write_samples(5);
    CHECK_UINT(recording.files.file_bytes, 0);
    recording_tick(&recording);
    CHECK(recording.files.file_bytes > 0);
    CHECK_UINT(recording.synced.sample_cnt, 5);
    // And without a tick, when there is much.
    uint64_t before = recording.files.file_bytes;
    write_samples(10000);
    CHECK(recording.files.file_bytes > before);
    close_recording("complete");
    CHECK_UINT(check_files().samples, 5 + 10000);
}

// ---- losses ---------------------------------------------------------------------------

TEST(losses_are_told_in_the_file_they_fell_into)
{
    struct recording_options options = options_for("losses");
    options.max_file_bytes = 1;
    open_recording(&options);
    uint64_t added = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        loss_add(&losses, LOSS_CHANGED, i);
        loss_add(&losses, LOSS_MISSED_TICK, 10);
        added += i + 10;
        write_samples(2);
        recording_tick(&recording);
    }
    loss_add(&losses, LOSS_RING_FULL, 3);
    added += 3;
    write_samples(1);
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 6);
    CHECK_UINT(sums.lost, added);
}

TEST(a_sample_too_large_for_memory_is_counted)
{
    static char name[9 << 20];
    struct recording_options options = options_for("large");
    memset(name, '+', sizeof name); // three bytes each, when written
    const struct frame frame = {.name = {name, sizeof name}};
    const struct metric_value metrics[] = {{0, 0}, {0, 0}};
    struct sample sample = sample_of(metrics, 1);
    sample.frames = &frame;
    sample.frame_cnt = 1;
    open_recording(&options);
    write_samples(1);
    recording_write(&recording, &sample);
    write_samples(1);
    CHECK_UINT(losses.lost[LOSS_NO_MEMORY], 1);
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.samples, 2);
    CHECK_UINT(sums.lost, 1);
}

TEST(totals_of_garbage_wrap)
{
    struct recording_options options = options_for("garbage");
    const struct metric_value metrics[] = {{INT64_MAX, INT64_MIN}, {INT64_MIN, INT64_MAX}};
    open_recording(&options);
    for (int i = 0; i < 4; i++) {
        struct sample sample = sample_of(metrics, UINT64_MAX);
        recording_write(&recording, &sample);
    }
    close_recording("complete");
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    CHECK_HAS(file_text(dir, names.names[0]), "\n# total one: -4, 0\n");
}

// ---- disks -----------------------------------------------------------------------------

static void open_in_a_forbidden_directory(void)
{
    struct recording_options options = options_for("forbidden");
    struct error err = {0};
    CHECK(mkdir(dir, 0555) == 0);
    CHECK(chmod(test_dir(), 0755) == 0);
    CHECK(getuid() != 0 || setuid(65534) == 0);
    CHECK(!recording_open(&recording, &session, &losses, &options, &err));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK_HAS(err.detail, dir);
    CHECK(recording_close(&recording, "never opened", NULL) || true);
}

TEST(an_unwritable_directory_refuses_the_start)
{
    (void)test_dir();
    CHECK_CHILD_PASSES(open_in_a_forbidden_directory);
}

// Everything written so far is in finished files, or counted as lost.
static void check_accounts(const struct sums *sums, uint64_t written)
{
    uint64_t lost = losses.lost[LOSS_WRITE_FAILED];
    CHECK_UINT(sums->samples + lost, written);
    CHECK_UINT(recording.sample_cnt, sums->samples);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void retry_now(void)
{
    recording.failed_ns -= RECORDING_RETRY_NS;
    recording_tick(&recording);
}

static enum file_compression compression_in_child;
static enum file_naming naming_in_child = FILE_NAMING_SERIES;

// 100 reach the disk, 200 do not, 50 come while nothing can be written, 30 after
// there is room again.
static void live_through_a_full_disk(void)
{
    bool gzip = compression_in_child == FILE_COMPRESSION_GZIP;
    bool single = naming_in_child == FILE_NAMING_SINGLE;
    struct recording_options options = options_for(single ? "full_single"
                                                   : gzip ? "full_gzip"
                                                          : "full");
    options.files.compression = compression_in_child;
    options.files.naming = naming_in_child;
    options.sync_ns = 1;
    open_recording(&options);
    write_samples(100);
    recording_tick(&recording);
    limit_file_size(recording.files.file_bytes + 1500); // the footer still fits
    write_samples(200);
    recording_tick(&recording);
    CHECK_INT(recording.state, RECORDING_FAILED);
    CHECK_INT(recording.last_error.sys_errno, EFBIG);
    CHECK_HAS(recording.last_error.detail, dir);
    CHECK_UINT(losses.lost[LOSS_WRITE_FAILED], 200);
    write_samples(50);
    limit_file_size(10);
    retry_now();
    CHECK_INT(recording.state, RECORDING_FAILED);
    limit_file_size(RLIM_INFINITY);
    recording_tick(&recording); // too early
    CHECK_INT(recording.state, RECORDING_FAILED);
    retry_now();
    CHECK_INT(recording.state, RECORDING_WRITING);
    write_samples(30);
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 2);
    CHECK_UINT(losses.lost[LOSS_WRITE_FAILED], 250);
    CHECK_UINT(sums.lost, 250);
    check_accounts(&sums, 380);
}

TEST(a_full_disk_costs_what_was_not_written_and_is_told)
{
    (void)test_dir();
    compression_in_child = FILE_COMPRESSION_NONE;
    CHECK_CHILD_PASSES(live_through_a_full_disk);
    compression_in_child = FILE_COMPRESSION_GZIP;
    CHECK_CHILD_PASSES(live_through_a_full_disk);
}

// What was finished when the disk was full is not replaced by what came after.
TEST(a_full_disk_makes_two_of_a_single_file)
{
    (void)test_dir();
    compression_in_child = FILE_COMPRESSION_NONE;
    naming_in_child = FILE_NAMING_SINGLE;
    CHECK_CHILD_PASSES(live_through_a_full_disk);
}

// Nothing of the file is on disk when it is to be rotated.
static void rotate_on_a_full_disk(void)
{
    struct recording_options options = options_for("rotate_full");
    options.max_file_bytes = 1;
    options.sync_ns = 3600ULL * CLOCK_NS_PER_S;
    open_recording(&options);
    write_samples(10);
    limit_file_size(10);
    recording_tick(&recording);
    CHECK_INT(recording.state, RECORDING_FAILED);
    CHECK_UINT(losses.lost[LOSS_WRITE_FAILED], 10);
    CHECK(!recording_close(&recording, "complete", NULL));
    struct sums sums = check_files(); // no empty file among them
    CHECK_UINT(sums.files, 0);
    check_accounts(&sums, 10);
}

TEST(a_full_disk_leaves_no_empty_file)
{
    (void)test_dir();
    CHECK_CHILD_PASSES(rotate_on_a_full_disk);
}

static void close_on_a_full_disk(void)
{
    struct recording_options options = options_for("close_full");
    struct error err = {0};
    options.sync_ns = 3600ULL * CLOCK_NS_PER_S;
    open_recording(&options);
    write_samples(10);
    limit_file_size(10);
    CHECK(!recording_close(&recording, "complete", &err));
    CHECK_INT(err.sys_errno == EFBIG || err.code == ERROR_OS, 1);
    CHECK(err.detail[0] != '\0');
    struct sums sums = check_files();
    CHECK_UINT(sums.files, 0);
    check_accounts(&sums, 10);
}

TEST(a_full_disk_at_the_end_is_an_error)
{
    (void)test_dir();
    CHECK_CHILD_PASSES(close_on_a_full_disk);
}

static void fill_a_small_disk(void)
{
    struct recording_options options = options_for("tmpfs");
    CHECK(mkdir(dir, 0700) == 0);
    if (mount("none", dir, "tmpfs", 0, "size=64k") != 0) {
        _exit(77);
    }
    options.sync_ns = 1;
    options.max_file_bytes = 16384;
    open_recording(&options);
    uint64_t written = 0;
    while (recording.state == RECORDING_WRITING && written < 100000) {
        write_samples(20);
        written += 20;
        recording_tick(&recording);
    }
    enum error_code code = recording.last_error.code;
    int sys_errno = recording.last_error.sys_errno;
    write_samples(7);
    written += 7;
    struct file_names names;
    list_files(dir, &names);
    static char full[FILE_SERIES_NAME_BYTES];
    snprintf(full, sizeof full, "%s", names.cnt > 0 ? names.names[0] : "");
    uint64_t removed = 0;
    if (names.cnt > 0) { // somebody makes room
        removed = footer_number(file_text(dir, full), "samples");
        remove_file(dir, full);
    }
    retry_now();
    bool writing = recording.state == RECORDING_WRITING;
    write_samples(5);
    written += 5;
    bool closed = recording_close(&recording, "complete", NULL);
    uint64_t on_disk = 0;
    list_files(dir, &names);
    bool hidden = false;
    for (unsigned i = 0; i < names.cnt; i++) {
        struct sums sums = {0};
        hidden = hidden || names.names[i][0] == '.';
        add_samples(file_text(dir, names.names[i]), &sums);
        on_disk += sums.samples;
    }
    (void)umount2(dir, MNT_DETACH);
    CHECK_INT(code, ERROR_NO_SPACE);
    CHECK_INT(sys_errno, ENOSPC);
    CHECK(writing && closed && !hidden);
    CHECK_UINT(on_disk + removed + losses.lost[LOSS_WRITE_FAILED], written);
}

TEST(no_space_left_on_device)
{
    (void)test_dir();
    int status = child_run(fill_a_small_disk);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        TEST_SKIP("a tmpfs cannot be mounted here (not root)");
    }
    CHECK_INT(status, 0);
}

TEST(a_directory_that_vanished_is_counted)
{
    struct recording_options options = options_for("vanish");
    struct error err = {0};
    options.sync_ns = 1;
    open_recording(&options);
    write_samples(100);
    recording_tick(&recording); // on disk, so to say
    remove_tree(dir);
    write_samples(11);
    CHECK(!recording_close(&recording, "complete", &err));
    CHECK_HAS(err.detail, dir);
    CHECK_HAS(err.detail, "No such file or directory");
    struct sums sums = {0};
    check_accounts(&sums, 111);
}

TEST(a_directory_that_vanished_and_came_back_is_used_again)
{
    struct recording_options options = options_for("come_back");
    options.sync_ns = 1;
    options.max_file_bytes = 1;
    open_recording(&options);
    write_samples(10);
    remove_tree(dir);
    recording_tick(&recording);
    CHECK_INT(recording.state, RECORDING_FAILED);
    write_samples(4);
    retry_now(); // made again, as at the start
    CHECK_INT(recording.state, RECORDING_WRITING);
    write_samples(6);
    close_recording("complete");
    struct sums sums = check_files();
    CHECK_UINT(sums.samples, 6);
    check_accounts(&sums, 20);
}

// ---- what is logged ---------------------------------------------------------------------

static unsigned log_cnt;

static void count_line(void *context, enum log_level level, const char *line)
{
    (void)context;
    log_cnt += level == LOG_LEVEL_ERROR && strstr(line, "samples lost") != NULL &&
               strchr(line, '\n') == NULL;
}

static void fail_many_times(void)
{
    struct recording_options options = options_for("log");
    options.sync_ns = 1;
    log_set_sink(count_line, NULL, LOG_LEVEL_ERROR);
    open_recording(&options);
    limit_file_size(10);
    write_samples(1);
    for (int i = 0; i < 20; i++) {
        recording_tick(&recording);
        retry_now();
        write_samples(1);
    }
    CHECK_UINT(log_cnt, 1); // told once, not at every retry
    CHECK(!recording_close(&recording, "complete", NULL));
}

TEST(a_failure_is_logged_once)
{
    (void)test_dir();
    CHECK_CHILD_PASSES(fail_many_times);
}
