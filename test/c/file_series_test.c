// SPDX-License-Identifier: Apache-2.0
// Output files: hidden until complete, whole up to the last sync whatever
// happens, and nobody else's files are touched.
#include "store/file_series.h"

#include "child_process.h"
#include "file_tree.h"

#include <sys/resource.h>

static char dir[256];

static struct file_series_options options_for(const char *name)
{
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    return (struct file_series_options){
        .directory = dir, .stem = "prof", .suffix = ".perf", .naming = FILE_NAMING_SERIES};
}

static void open_series(struct file_series *series, const struct file_series_options *options)
{
    struct error err = {0};
    if (!file_series_open(series, options, &err)) {
        TEST_FAIL("open: %s", err.detail);
    }
}

static void write_text(struct file_series *series, const char *text)
{
    struct error err = {0};
    if (!file_series_write(series, text, strlen(text), &err)) {
        TEST_FAIL("write: %s", err.detail);
    }
}

static void write_file(struct file_series *series, const char *text)
{
    CHECK(file_series_begin_file(series, NULL));
    write_text(series, text);
    CHECK(file_series_finish_file(series, NULL));
}

// ---- names ------------------------------------------------------------------------

TEST(a_file_is_hidden_until_it_is_complete)
{
    struct file_series_options options = options_for("hidden");
    struct file_series series;
    struct file_names names;
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    write_text(&series, "one\n");
    CHECK(file_series_sync(&series, NULL));
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    CHECK_INT(names.names[0][0], '.');
    CHECK_HAS(names.names[0], ".part");
    CHECK(file_series_finish_file(&series, NULL));
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    CHECK_STR(names.names[0], series.finished_name);
    CHECK_STR(file_text(dir, names.names[0]), "one\n");
    CHECK(file_series_finish_file(&series, NULL)); // nothing is open
    CHECK_UINT(series.finished_cnt, 1);
    file_series_close(&series);
    file_series_close(&series);
}

TEST(names_say_when_who_and_which)
{
    struct file_series_options options = options_for("names");
    struct file_series series;
    struct file_names names;
    open_series(&series, &options);
    for (int i = 0; i < 3; i++) {
        write_file(&series, "x");
    }
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 3);
    for (unsigned i = 0; i < 3; i++) {
        int date = 0;
        int time = 0;
        int pid = 0;
        unsigned number = 0;
        int end = 0;
        CHECK_INT(sscanf(names.names[i], "prof-%8dT%6dZ-%d-%4u.perf%n", &date, &time, &pid, &number,
                         &end),
                  4);
        CHECK_INT(pid, getpid());
        CHECK_UINT(number, i + 1);
        CHECK_INT(names.names[i][end], '\0');
        CHECK_UINT(strspn(names.names[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789._-"),
                   strlen(names.names[i]));
    }
    char path[FILE_SERIES_PATH_BYTES];
    file_series_path(&series, path, sizeof path);
    CHECK_HAS(path, names.names[2]);
    file_series_close(&series);
}

TEST(a_single_file_is_replaced)
{
    struct file_series_options options = options_for("single");
    struct file_series series;
    struct file_names names;
    options.naming = FILE_NAMING_SINGLE;
    options.max_files = 1;
    for (int i = 0; i < 2; i++) {
        open_series(&series, &options);
        write_file(&series, i == 0 ? "first, longer" : "second");
        file_series_close(&series);
        list_files(dir, &names);
        CHECK_UINT(names.cnt, 1);
        CHECK_STR(names.names[0], "prof.perf");
        CHECK_STR(file_text(dir, "prof.perf"), i == 0 ? "first, longer" : "second");
    }
}

TEST(bad_names_are_refused)
{
    static const char *const STEMS[] = {"",   ".hidden", "a/b",      "a b",
                                        "..", "a\n",     "\xC3\xA4", "a:b"};
    struct file_series_options options = options_for("bad_names");
    struct file_series series;
    for (size_t i = 0; i < sizeof STEMS / sizeof STEMS[0]; i++) {
        struct error err = {0};
        options.stem = STEMS[i];
        CHECK(!file_series_open(&series, &options, &err));
        CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
    }
    char longer[400];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    options.stem = longer;
    CHECK(!file_series_open(&series, &options, NULL));
    options.stem = "prof";
    options.directory = "";
    CHECK(!file_series_open(&series, &options, NULL));
    static char deep[FILE_SERIES_PATH_BYTES + 10];
    memset(deep, 'd', sizeof deep - 1);
    options.directory = deep;
    CHECK(!file_series_open(&series, &options, NULL));
}

TEST(the_longest_stem_still_gives_whole_names)
{
    struct file_series_options options = options_for("long_stem");
    struct file_series series;
    char stem[FILE_SERIES_NAME_BYTES];
    for (size_t len = 150; len < sizeof stem - 1; len++) {
        memset(stem, 's', len);
        stem[len] = '\0';
        options.stem = stem;
        options.max_files = 1;
        if (!file_series_open(&series, &options, NULL)) {
            CHECK(len > 160);
            continue;
        }
        write_file(&series, "x");
        write_file(&series, "y");
        struct file_names names;
        list_files(dir, &names);
        file_series_close(&series);
        // Cut or not, the files of this series are known again and pruned.
        CHECK_UINT(names.cnt, 1);
        CHECK_HAS(names.names[0], ".perf");
        remove_file(dir, names.names[0]);
    }
}

// ---- pruning ------------------------------------------------------------------------

TEST(only_our_finished_files_are_pruned_oldest_first)
{
    static const char *const OTHERS[] = {
        "prof-notes.perf",
        "prof.perf",
        "prof-20200101T000000Z-1-0001.txt",
        "other-20200101T000000Z-1-0001.perf",
        "prof2-20200101T000000Z-1-0001.perf",
        ".prof-20200101T000000Z-1-0001.perf.part",
        "prof-20200101T000000Z",
        "README",
        "prof-20200101T000000Z.perf",
        "prof-2020-01T000000Z-a-report-of-mine.perf",
        "prof-20200101T000000Z-my-notes.perf",
    };
    static const char *const OURS[] = {
        "prof-20200101T000000Z-1-0001.perf",
        "prof-20200101T000000Z-1-0002.perf",
        "prof-20210101T000000Z-1-0001.perf.gz",
    };
    struct file_series_options options = options_for("prune");
    struct file_series series;
    options.max_files = 2;
    open_series(&series, &options);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        make_file(dir, OTHERS[i], "mine");
    }
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++) {
        make_file(dir, OURS[i], "old");
    }
    write_file(&series, "new");
    CHECK(!file_exists(dir, OURS[0]));
    CHECK(!file_exists(dir, OURS[1]));
    CHECK(file_exists(dir, OURS[2]));
    CHECK(file_exists(dir, series.finished_name));
    for (int i = 0; i < 5; i++) {
        write_file(&series, "newer");
    }
    CHECK(!file_exists(dir, OURS[2]));
    file_series_close(&series);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        if (!file_exists(dir, OTHERS[i])) {
            TEST_FAIL("%s is not ours, and gone", OTHERS[i]);
        }
    }
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, sizeof OTHERS / sizeof OTHERS[0] + 2);
}

TEST(without_a_limit_nothing_is_pruned)
{
    struct file_series_options options = options_for("keep");
    struct file_series series;
    struct file_names names;
    open_series(&series, &options);
    for (int i = 0; i < 20; i++) {
        write_file(&series, "x");
    }
    file_series_close(&series);
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 20);
}

// More files than the sequence's four digits: names must still sort by age.
TEST(pruning_goes_on_past_ten_thousand_files)
{
    struct file_series_options options = options_for("sequence");
    struct file_series series;
    options.max_files = 2;
    open_series(&series, &options);
    series.sequence = 9997;
    char last[FILE_SERIES_NAME_BYTES];
    for (int i = 0; i < 6; i++) {
        write_file(&series, "x");
        snprintf(last, sizeof last, "%s", series.finished_name);
        CHECK(file_exists(dir, last)); // the newest is never the one that goes
    }
    file_series_close(&series);
}

// ---- directories ----------------------------------------------------------------------

TEST(directories_are_made)
{
    struct file_series_options options = options_for("a/b/c");
    struct file_series series;
    open_series(&series, &options);
    write_file(&series, "x");
    CHECK(file_exists(dir, series.finished_name));
    file_series_close(&series);
}

static void open_in_a_forbidden_directory(void)
{
    struct file_series_options options = options_for("forbidden");
    struct file_series series;
    struct error err = {0};
    CHECK(mkdir(dir, 0555) == 0);
    CHECK(chmod(test_dir(), 0755) == 0);
    CHECK(getuid() != 0 || setuid(65534) == 0);
    CHECK(!file_series_open(&series, &options, &err));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK_HAS(err.detail, dir);
    CHECK_HAS(err.detail, "not writable");
    snprintf(dir, sizeof dir, "%s/forbidden/below", test_dir());
    CHECK(!file_series_open(&series, &options, &err));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
}

TEST(an_unwritable_directory_is_told_at_start)
{
    (void)test_dir();
    CHECK_CHILD_PASSES(open_in_a_forbidden_directory);
}

TEST(a_file_in_place_of_the_directory_is_told)
{
    struct file_series_options options = options_for("plain");
    struct file_series series;
    struct error err = {0};
    make_file(test_dir(), "plain", "x");
    CHECK(!file_series_open(&series, &options, &err));
    CHECK_HAS(err.detail, "plain");
    CHECK_HAS(err.detail, "Not a directory");
}

TEST(a_directory_that_vanished_is_an_error_and_made_again)
{
    struct file_series_options options = options_for("vanish");
    struct file_series series;
    struct error err = {0};
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    write_text(&series, "x");
    remove_tree(dir);
    CHECK(!file_series_finish_file(&series, &err));
    CHECK_HAS(err.detail, "rename");
    CHECK_UINT(series.finished_cnt, 0);
    CHECK_STR(series.finished_name, "");
    write_file(&series, "y");
    CHECK_STR(file_text(dir, series.finished_name), "y");
    remove_tree(dir);
    make_file(test_dir(), "vanish", "in its place");
    for (int i = 0; i < 3; i++) {
        memset(&err, 0, sizeof err);
        CHECK(!file_series_begin_file(&series, &err));
        CHECK_HAS(err.detail, "Not a directory");
    }
    remove_file(test_dir(), "vanish");
    write_file(&series, "z");
    CHECK_STR(file_text(dir, series.finished_name), "z");
    file_series_close(&series);
}

// Links that somebody planted are not followed.
TEST(a_planted_link_is_not_written_through)
{
    struct file_series_options options = options_for("link");
    struct file_series series;
    char target[300];
    char link[300];
    options.naming = FILE_NAMING_SINGLE;
    open_series(&series, &options);
    make_file(test_dir(), "victim", "precious");
    snprintf(target, sizeof target, "%s/victim", test_dir());
    snprintf(link, sizeof link, "%s/.prof.perf.part", dir);
    CHECK(symlink(target, link) == 0);
    CHECK(!file_series_begin_file(&series, NULL));
    file_series_close(&series);
    CHECK_STR(file_text(test_dir(), "victim"), "precious");
}

// ---- gzip -----------------------------------------------------------------------------

static const char *long_text(unsigned seed)
{
    static char text[3 << 20];
    uint64_t random = seed;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        text[i] = (char)('a' + (random >> 40) % (i % 7000 < 3500 ? 2 : 26));
    }
    return text;
}

TEST(gzip_files_unpack_to_what_was_written)
{
    struct file_series_options options = options_for("gzip");
    struct file_series series;
    options.compression = FILE_COMPRESSION_GZIP;
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    CHECK_HAS(series.name, ".perf.gz");
    const char *text = long_text(1); // more than one chunk
    write_text(&series, "head\n");
    CHECK(file_series_sync(&series, NULL));
    CHECK(file_series_sync(&series, NULL)); // nothing new: no empty member
    uint64_t synced = series.synced_bytes;
    CHECK(file_series_sync(&series, NULL));
    CHECK_UINT(series.synced_bytes, synced);
    write_text(&series, text);
    CHECK(file_series_finish_file(&series, NULL));
    CHECK_UINT(series.total_bytes, file_size(dir, series.finished_name));
    char *whole = gunzipped(dir, series.finished_name, 0);
    bool same = strncmp(whole, "head\n", 5) == 0 && strcmp(whole + 5, text) == 0;
    free(whole);
    CHECK(same);
    file_series_close(&series);
}

TEST(a_gzip_file_cut_at_any_sync_is_valid)
{
    struct file_series_options options = options_for("gzip_cut");
    struct file_series series;
    enum { SYNCS = 12 };
    uint64_t cuts[SYNCS];
    char wanted[SYNCS * 64] = "";
    size_t lengths[SYNCS];
    options.compression = FILE_COMPRESSION_GZIP;
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    for (int i = 0; i < SYNCS; i++) {
        char line[32];
        snprintf(line, sizeof line, "sample %d\n", i * 7919);
        write_text(&series, line);
        strcat(wanted, line);
        CHECK(file_series_sync(&series, NULL));
        cuts[i] = series.synced_bytes;
        lengths[i] = strlen(wanted);
    }
    write_text(&series, "lost\n");
    char hidden[FILE_SERIES_NAME_BYTES + 8];
    snprintf(hidden, sizeof hidden, ".%s.part", series.name);
    for (int i = SYNCS - 1; i >= 0; i--) {
        char *text = gunzipped(dir, hidden, cuts[i]);
        bool same = strlen(text) == lengths[i] && strncmp(text, wanted, lengths[i]) == 0;
        free(text);
        CHECK(same);
    }
    file_series_close(&series);
}

TEST(a_suffix_that_says_gz_is_not_doubled)
{
    struct file_series_options options = options_for("gz_suffix");
    struct file_series series;
    options.compression = FILE_COMPRESSION_GZIP;
    options.suffix = ".perf.gz";
    options.naming = FILE_NAMING_SINGLE;
    open_series(&series, &options);
    write_file(&series, "x");
    CHECK_STR(series.finished_name, "prof.perf.gz");
    file_series_close(&series);
}

TEST(a_discarded_gzip_file_leaves_nothing_for_the_next)
{
    struct file_series_options options = options_for("gzip_discard");
    struct file_series series;
    options.compression = FILE_COMPRESSION_GZIP;
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    write_text(&series, "unwanted");
    file_series_discard_file(&series);
    write_file(&series, "wanted");
    char *text = gunzipped(dir, series.finished_name, 0);
    bool same = strcmp(text, "wanted") == 0;
    free(text);
    CHECK(same);
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1);
    file_series_close(&series);
}

// ---- a full disk ------------------------------------------------------------------------

static enum file_compression compression_in_child;

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void fill_the_disk(void)
{
    bool gzip = compression_in_child == FILE_COMPRESSION_GZIP;
    struct file_series_options options = options_for(gzip ? "full_gzip" : "full");
    struct file_series series;
    struct error err = {0};
    options.compression = compression_in_child;
    open_series(&series, &options);
    CHECK(file_series_begin_file(&series, NULL));
    write_text(&series, "kept\n");
    CHECK(file_series_sync(&series, NULL));
    uint64_t synced = series.synced_bytes;
    limit_file_size(4096);
    CHECK(!file_series_write(&series, long_text(2), 2 << 20, &err));
    CHECK_INT(err.sys_errno, EFBIG);
    CHECK_HAS(err.detail, series.name);
    CHECK_UINT(series.file_bytes, synced); // cut back
    limit_file_size(RLIM_INFINITY);
    write_text(&series, "after\n"); // there is room again
    CHECK(file_series_finish_file(&series, &err));
    if (gzip) {
        char *text = gunzipped(dir, series.finished_name, 0);
        CHECK_STR(text, "kept\nafter\n");
        free(text);
    } else {
        CHECK_STR(file_text(dir, series.finished_name), "kept\nafter\n");
    }
    file_series_close(&series);
}

TEST(a_failed_write_cuts_the_file_back_to_its_last_sync)
{
    (void)test_dir();
    compression_in_child = FILE_COMPRESSION_NONE;
    CHECK_CHILD_PASSES(fill_the_disk);
    compression_in_child = FILE_COMPRESSION_GZIP;
    CHECK_CHILD_PASSES(fill_the_disk);
}

// ---- a spool that is bounded, and left behind ----------------------------------------

TEST(the_oldest_go_when_all_are_too_large_together)
{
    struct file_series_options options = options_for("spool");
    struct file_series series;
    struct file_names names;
    options.max_total_bytes = 10;
    open_series(&series, &options);
    write_file(&series, "1111\n");
    write_file(&series, "2222\n");
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 2); // ten bytes
    write_file(&series, "3333\n");
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 2);
    CHECK_STR(file_text(dir, names.names[0]), "2222\n");
    write_file(&series, "larger than all of the spool\n");
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 1); // the newest stays whatever its size
    CHECK_HAS(file_text(dir, names.names[0]), "larger");
    file_series_close(&series);
}

static void leave(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(what_a_killed_writer_left_is_finished_by_the_next)
{
    struct file_series_options options = options_for("left");
    struct file_series series;
    struct file_series other;
    struct file_names names;
    open_series(&other, &options); // alive, and writing
    CHECK(file_series_begin_file(&other, NULL));
    leave(".prof-20200101T000000Z-1-0001.perf.part", "left\n");
    leave(".prof-20200101T000000Z-1-0002.perf.part", "");
    leave(".prof-notes.perf.part", "mine\n");
    leave(".else-20200101T000000Z-1-0001.perf.part", "theirs\n");
    options.adopts_leftovers = true;
    open_series(&series, &options);
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 4); // the empty one is gone
    CHECK_STR(names.names[0], ".else-20200101T000000Z-1-0001.perf.part");
    CHECK_HAS(names.names[1], ".part"); // the live one
    CHECK_STR(names.names[2], ".prof-notes.perf.part");
    CHECK_STR(names.names[3], "prof-20200101T000000Z-1-0001.perf");
    CHECK_STR(file_text(dir, names.names[3]), "left\n");
    file_series_close(&series);
    CHECK(file_series_finish_file(&other, NULL));
    file_series_close(&other);
}

TEST(a_finished_file_is_not_replaced_by_what_was_left)
{
    struct file_series_options options = options_for("twice");
    struct file_series series;
    struct file_names names;
    open_series(&series, &options);
    file_series_close(&series);
    leave("prof-20200101T000000Z-1-0001.perf", "whole\n");
    leave(".prof-20200101T000000Z-1-0001.perf.part", "left\n");
    options.adopts_leftovers = true;
    open_series(&series, &options);
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 2);
    CHECK_STR(file_text(dir, names.names[1]), "whole\n");
    file_series_close(&series);
}
