// SPDX-License-Identifier: Apache-2.0
// A capture gives back what was written, bit for bit; cut anywhere it gives its whole
// chunks; what it does not know it skips, and damage is never more than an error.
#include "base/crc32c.h"
#include "model/profile_builder.h"
#include "store/capture_column.h"
#include "store/capture_file.h"
#include "store/capture_format.h"
#include "store/capture_reader.h"
#include "store/capture_writer.h"

#include "test.h"

enum { ROWS = 5000, BATCH_ROWS = 1024, COLUMN_ROWS = 250 };

struct image {
    struct capture_writer *writer;
    struct byte_buffer bytes;
    size_t chunk_ends[16];
    uint32_t chunk_cnt;
};

static bool take_batch(void *context, struct profile *batch, struct error *err)
{
    struct image *image = context;
    (void)err;
    bool ok = capture_writer_batch(image->writer, batch, &image->bytes);
    image->chunk_ends[image->chunk_cnt++] = image->bytes.len;
    return ok;
}

static int64_t value_of(int64_t row, int metric)
{
    return metric == 0 ? row * row * 7919 % 1000003 - 500000
                       : (metric == 1 ? row / 100 : INT64_MIN + row * 3);
}

// Threads take turns; stacks and names grow as it goes; one metric comes late, one is
// in every third row.
static void build(struct profile_builder *builder, uint32_t row_cnt, bool is_unsorted)
{
    struct profile_dictionary *names = &profile_builder_profile(builder)->dictionary;
    stack_id stack = 0;
    profile_builder_fact(builder, TEXT("flame_prof"), TEXT("1"));
    profile_builder_fact(builder, TEXT("hostname"), TEXT("a host"));
    int metrics[3] = {profile_builder_metric(builder, TEXT("a"), TEXT("bytes")), PROFILE_NONE,
                      profile_builder_metric(builder, TEXT("c"), TEXT(""))};
    for (int64_t i = 0; i < row_cnt; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m:f%d/1", (int)(i % 700));
        struct profile_frame frame = {.name = profile_builder_string(builder, text_of(name)),
                                      .file = profile_builder_string(builder, TEXT("m.erl")),
                                      .line = (uint32_t)(i % 3)};
        stack = profile_dictionary_stack(names, i % 5 == 0 ? 0 : stack,
                                         profile_dictionary_frame(names, &frame));
        if (i == 2000) {
            metrics[1] = profile_builder_metric(builder, TEXT("b"), TEXT(""));
            (void)profile_builder_source(builder, TEXT("first"));
            (void)profile_builder_source(builder, TEXT("second"));
            (void)profile_builder_dimension(builder, TEXT("label"), PROFILE_DIMENSION_TEXT, true);
        }
        int64_t at = is_unsorted ? i ^ 1 : i;
        profile_builder_begin_row(builder, (uint64_t)(1000000 + at * 997), stack, i % 2 * 5);
        profile_builder_set_code(builder, PROFILE_TID,
                                 profile_builder_number(builder, PROFILE_TID, i % 37));
        if (i >= 2000 && i % 2 == 0) {
            uint32_t label = PROFILE_FIXED_DIMENSION_CNT;
            profile_builder_set_code(builder, label,
                                     profile_builder_text(builder, label, text_of(name)));
        }
        profile_builder_set_metric(builder, (uint32_t)metrics[0], value_of(i, 0), i % 9 - 4);
        if (metrics[1] != PROFILE_NONE) {
            profile_builder_set_metric(builder, (uint32_t)metrics[1], value_of(i, 1), 0);
        }
        if (i % 3 == 0) {
            profile_builder_set_value(builder, (uint32_t)metrics[2], value_of(i, 2));
        }
        profile_builder_end_row(builder);
    }
    profile_builder_fact(builder, TEXT("end"), TEXT("complete"));
}

static void write_image(struct image *image, bool is_unsorted)
{
    *image = (struct image){.writer = capture_writer_create()};
    byte_buffer_init(&image->bytes, CAPTURE_MAX_BYTES);
    struct profile_builder_options options = {
        .batch = take_batch, .batch_context = image, .batch_rows = BATCH_ROWS};
    struct profile_builder *builder = profile_builder_create(&options);
    CHECK(capture_writer_begin(image->writer, &image->bytes));
    build(builder, ROWS, is_unsorted);
    CHECK(profile_builder_flush(builder, NULL));
    CHECK(capture_writer_end(image->writer, profile_builder_profile(builder), &image->bytes));
    profile_builder_destroy(builder);
}

static void free_image(struct image *image)
{
    capture_writer_destroy(image->writer);
    byte_buffer_deinit(&image->bytes);
}

static struct profile *read_part(const struct image *image, size_t len, struct error *err)
{
    unsigned char *copy = malloc(len + 1);
    memcpy(copy, image->bytes.bytes, len);
    return capture_reader_take(copy, len, 0, err);
}

static void check_same_metrics(const struct profile *got, const struct profile *wanted)
{
    struct error err = {0};
    CHECK_UINT(got->metric_cnt, wanted->metric_cnt);
    for (uint32_t i = 0; i < got->metric_cnt; i++) {
        CHECK(text_equal(profile_text(got, got->metrics[i].name),
                         profile_text(wanted, wanted->metrics[i].name)));
        CHECK_INT(got->metrics[i].has_delta, wanted->metrics[i].has_delta);
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            const struct profile_column *a =
                profile_metric_column(got, i, (enum profile_form)form, &err);
            const struct profile_column *b =
                profile_metric_column(wanted, i, (enum profile_form)form, &err);
            CHECK_STR(err.detail, "");
            CHECK_UINT(a->cnt, got->row_cnt);
            for (uint64_t row = 0; row < got->row_cnt; row++) {
                CHECK_INT(profile_column_at(a, row), profile_column_at(b, row));
                CHECK_INT(profile_metric_present(&got->metrics[i], row),
                          profile_metric_present(&wanted->metrics[i], row));
            }
        }
    }
}

// The rows that `got` has are the first ones of `wanted`.
static void check_same(const struct profile *got, const struct profile *wanted)
{
    CHECK(got->row_cnt <= wanted->row_cnt);
    CHECK(got->dictionary.node_cnt <= wanted->dictionary.node_cnt);
    for (uint64_t row = 0; row < got->row_cnt; row++) {
        CHECK_UINT(got->time_ns[row], wanted->time_ns[row]);
        CHECK_UINT(got->stack[row], wanted->stack[row]);
        CHECK_INT(profile_column_at(&got->period, row), profile_column_at(&wanted->period, row));
        for (uint32_t i = 0; i < got->dimension_cnt; i++) {
            char digits[2][PROFILE_DIGITS_BYTES];
            CHECK(
                text_equal(profile_code_text(got, i, profile_code(got, i, row), digits[0]),
                           profile_code_text(wanted, i, profile_code(wanted, i, row), digits[1])));
        }
    }
    for (uint32_t i = 1; i < got->dictionary.frame_cnt; i++) {
        CHECK(text_equal(profile_text(got, got->dictionary.frames[i].name),
                         profile_text(wanted, wanted->dictionary.frames[i].name)));
        CHECK_INT(got->dictionary.frames[i].kind, wanted->dictionary.frames[i].kind);
        CHECK_UINT(got->dictionary.frames[i].line, wanted->dictionary.frames[i].line);
    }
}

static struct profile *built(bool is_unsorted)
{
    struct profile_builder *builder = profile_builder_create(NULL);
    build(builder, ROWS, is_unsorted);
    return profile_builder_finish(builder, NULL);
}

TEST(crc_of_the_books)
{
    CHECK_UINT(crc32c("123456789", 9), 0xE3069283U);
    CHECK_UINT(crc32c("", 0), 0);
    unsigned char bytes[100];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37 + 11);
        CHECK_UINT(crc32c(bytes + i % 7, i - i % 7), crc32c_portable(bytes + i % 7, i - i % 7));
    }
}

// Twice, as in two chunks: what the threads had at the end of the first is known.
static void check_column(enum capture_encoding encoding, const struct capture_rows *rows,
                         const int64_t *values)
{
    struct capture_threads out = {0};
    struct capture_threads in = {0};
    uint64_t tokens[COLUMN_ROWS];
    uint32_t told[COLUMN_ROWS];
    struct capture_chain chain = {0};
    CHECK(capture_chain_make(&chain, rows->codes, rows->cnt));
    struct capture_scratch scratch = {tokens, told, &chain};
    unsigned char bytes[21 + 10 * COLUMN_ROWS];
    int64_t back[COLUMN_ROWS];
    for (int i = 0; i < 2; i++) {
        size_t len = capture_column_encode(&out, encoding, rows, values, &scratch, bytes);
        CHECK(len > 0 && len <= capture_column_bound(rows->cnt));
        struct byte_cursor cursor = byte_cursor_of(bytes, len);
        CHECK(capture_column_decode(&in, &cursor, rows, back));
        CHECK_MEM(back, values, rows->cnt * sizeof *back);
        CHECK_UINT(byte_cursor_left(&cursor), 0);
        struct capture_threads other = {0};
        cursor = byte_cursor_of(bytes, len - 1);
        CHECK(!capture_column_decode(&other, &cursor, rows, back));
        capture_threads_deinit(&other);
    }
    capture_chain_deinit(&chain);
    capture_threads_deinit(&out);
    capture_threads_deinit(&in);
}

TEST(columns_come_back_in_every_encoding)
{
    // 3 and 3 + CAPTURE_SLOTS push each other out.
    static const int64_t CODES[] = {0, 1, 2, 1, 2, 0, 3, 3 + CAPTURE_SLOTS, 3, 2};
    static const int64_t VALUES[] = {INT64_MIN, INT64_MAX, 0, -1, 1, 5, 5, 5, 300, -70000};
    static const int64_t FEW[] = {0, 0, 0, 0, 0, INT64_MAX, 0, 0, 0, -7};
    static const int64_t OTHERS[] = {1, 2, 3, INT64_MIN, INT64_MAX, 0, 0, 0, 7, 8};
    struct capture_rows rows = {10, CODES, OTHERS};
    for (int encoding = CAPTURE_PLAIN; encoding <= CAPTURE_ELAPSED; encoding++) {
        bool is_next = encoding == CAPTURE_NEXT;
        check_column((enum capture_encoding)encoding, &rows, is_next ? CODES : VALUES);
        check_column((enum capture_encoding)encoding, &rows, is_next ? CODES : FEW);
    }
}

// As expected but for one row in `every`; threads come and go, some share a slot.
static void check_long_column(enum capture_encoding encoding, uint32_t every, uint32_t thread_cnt)
{
    int64_t codes[COLUMN_ROWS];
    int64_t values[COLUMN_ROWS];
    int64_t others[COLUMN_ROWS];
    uint64_t last[COLUMN_ROWS] = {0}; // sums wrap
    for (uint32_t i = 0; i < COLUMN_ROWS; i++) {
        uint32_t thread = (i * 7 + i / 60) % thread_cnt;
        codes[i] = thread % 3 == 0 ? thread + CAPTURE_SLOTS : thread;
        others[i] = encoding == CAPTURE_ELAPSED ? i * 1000 : i % 50;
        uint64_t other = (uint64_t)others[i];
        uint64_t expected = encoding == CAPTURE_ELAPSED  ? other - last[thread]
                            : encoding == CAPTURE_GAINED ? last[thread] + other
                                                         : last[thread];
        values[i] = (int64_t)(expected + (i % every == 0 ? 1ULL << i % 64 : 0));
        last[thread] = encoding == CAPTURE_ELAPSED ? other : (uint64_t)values[i];
    }
    struct capture_rows rows = {COLUMN_ROWS, codes, others};
    for (uint32_t cnt = COLUMN_ROWS; cnt > COLUMN_ROWS - 10; cnt--) {
        rows.cnt = cnt;
        check_column(encoding, &rows, values);
    }
}

TEST(long_columns_come_back_whatever_is_as_expected)
{
    static const enum capture_encoding ENCODINGS[] = {CAPTURE_PLAIN, CAPTURE_STEPS, CAPTURE_OWN,
                                                      CAPTURE_GAINED, CAPTURE_ELAPSED};
    for (uint32_t i = 0; i < sizeof ENCODINGS / sizeof ENCODINGS[0]; i++) {
        for (uint32_t every = 1; every < 40; every += 3) {
            check_long_column(ENCODINGS[i], every, 1);
            check_long_column(ENCODINGS[i], every, 5);
            check_long_column(ENCODINGS[i], every, 90);
        }
    }
}

static bool decodes(const char *bytes, size_t len)
{
    static const int64_t CODES[4] = {0};
    struct capture_rows rows = {4, CODES, NULL};
    struct capture_threads threads = {0};
    int64_t back[4];
    struct byte_cursor cursor = byte_cursor_of(bytes, len);
    bool ok = capture_column_decode(&threads, &cursor, &rows, back);
    capture_threads_deinit(&threads);
    return ok;
}

TEST(columns_that_are_none_are_refused)
{
    CHECK(decodes("\x11\2\0\2\2\4", 6));
    CHECK(!decodes("\x11\2\0\3\2\4", 6));              // beyond the last row
    CHECK(!decodes("\x11\5\0\0\0\0\0\2\2\2\2\2", 12)); // more than there are
    CHECK(!decodes("\x11\1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\2", 13));
    CHECK(!decodes("\5\0\0\0\0", 5)); // gained, but there are no gains
    CHECK(!decodes("\7\0\0\0\0", 5));
    CHECK(!decodes("\x10\0", 2));
}

TEST(what_was_written_comes_back)
{
    for (int is_unsorted = 0; is_unsorted < 2; is_unsorted++) {
        struct error err = {0};
        struct image image;
        write_image(&image, is_unsorted != 0);
        struct profile *got = read_part(&image, image.bytes.len, &err);
        CHECK_STR(err.detail, "");
        struct profile *wanted = built(is_unsorted != 0);
        CHECK_UINT(got->row_cnt, ROWS);
        CHECK_UINT(got->source_cnt, 2);
        CHECK(!got->sources[1].is_incomplete);
        CHECK(text_equal(profile_fact(got, 0, TEXT("hostname")), TEXT("a host")));
        check_same(got, wanted);
        check_same_metrics(got, wanted);
        CHECK_UINT(got->stats.malformed_cnt, 0);
        profile_destroy(wanted);
        profile_destroy(got);
        free_image(&image);
    }
}

enum { LEVELS = 12, LEVEL_ROWS = 6000, LEVEL_BATCH = 1500 };

// Levels that a thread keeps from chunk to chunk, in several sections a chunk; in one
// chunk nobody has any.
static struct profile *levels(const struct profile_builder_options *options)
{
    struct profile_builder *builder = profile_builder_create(options);
    int metrics[LEVELS];
    int64_t level[37] = {0};
    for (int m = 0; m < LEVELS; m++) {
        char name[8];
        (void)snprintf(name, sizeof name, "m%d", m);
        metrics[m] = profile_builder_metric(builder, text_of(name), TEXT(""));
    }
    for (int64_t i = 0; i < LEVEL_ROWS; i++) {
        int64_t thread = i % 37;
        int64_t delta = i % 5 == 0 ? 0 : i * 7919 % 100003;
        bool has = i / LEVEL_BATCH != 2;
        level[thread] += has ? delta : 0;
        profile_builder_begin_row(builder, (uint64_t)i * 1000, 0, 37000);
        profile_builder_set_code(builder, PROFILE_TID,
                                 profile_builder_number(builder, PROFILE_TID, thread));
        for (int m = 0; m < LEVELS && has; m++) {
            profile_builder_set_metric(builder, (uint32_t)metrics[m], level[thread] + m, delta);
        }
        profile_builder_end_row(builder);
        if (options != NULL && i % LEVEL_BATCH == LEVEL_BATCH - 1) {
            CHECK(profile_builder_flush(builder, NULL));
        }
    }
    if (options == NULL) {
        return profile_builder_finish(builder, NULL);
    }
    struct image *image = options->batch_context;
    CHECK(capture_writer_end(image->writer, profile_builder_profile(builder), &image->bytes));
    profile_builder_destroy(builder);
    return NULL;
}

// The writer forgets in front of chunk `lost`, as behind one that did not reach the file.
static bool take_levels(void *context, struct profile *batch, struct error *err)
{
    struct image *image = context;
    capture_writer_commit(image->writer);
    if (image->chunk_cnt == 2) {
        capture_writer_roll_back(image->writer);
    }
    return take_batch(context, batch, err);
}

TEST(levels_go_on_from_chunk_to_chunk)
{
    bool (*const TAKE[])(void *, struct profile *, struct error *) = {take_batch, take_levels};
    struct profile *wanted = levels(NULL);
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        struct image image = {.writer = capture_writer_create()};
        struct profile_builder_options options = {.batch = TAKE[i], .batch_context = &image};
        byte_buffer_init(&image.bytes, CAPTURE_MAX_BYTES);
        CHECK(capture_writer_begin(image.writer, &image.bytes));
        (void)levels(&options);
        struct profile *got = read_part(&image, image.bytes.len, &err);
        CHECK_STR(err.detail, "");
        CHECK_UINT(got->row_cnt, LEVEL_ROWS);
        check_same(got, wanted);
        check_same_metrics(got, wanted);
        profile_destroy(got);
        free_image(&image);
    }
    profile_destroy(wanted);
}

TEST(cut_at_every_byte_of_its_last_chunk_it_has_the_others)
{
    struct image image;
    write_image(&image, false);
    struct profile *wanted = built(false);
    size_t begin = image.chunk_ends[image.chunk_cnt - 2];
    uint64_t rows = (uint64_t)(image.chunk_cnt - 1) * BATCH_ROWS;
    CHECK(image.chunk_ends[image.chunk_cnt - 1] - begin > 1000);
    for (size_t len = begin; len < image.chunk_ends[image.chunk_cnt - 1]; len++) {
        struct error err = {0};
        struct profile *got = read_part(&image, len, &err);
        CHECK_STR(err.detail, "");
        CHECK_UINT(got->row_cnt, rows);
        CHECK(got->sources[got->source_cnt - 1].is_incomplete);
        CHECK_UINT(got->stats.malformed_cnt, len == begin ? 0 : 1);
        if (len % 997 == 0) {
            check_same(got, wanted);
        }
        profile_destroy(got);
    }
    profile_destroy(wanted);
    free_image(&image);
}

TEST(a_flipped_bit_ends_it_in_front_of_its_chunk)
{
    struct image image;
    write_image(&image, false);
    for (size_t at = CAPTURE_HEAD_BYTES; at < image.bytes.len; at += 41) {
        struct error err = {0};
        image.bytes.bytes[at] ^= 16;
        struct profile *got = read_part(&image, image.bytes.len, &err);
        image.bytes.bytes[at] ^= 16;
        uint32_t whole = 0;
        while (whole < image.chunk_cnt && image.chunk_ends[whole] <= at) {
            whole++;
        }
        if (got == NULL) {
            CHECK_UINT(whole, 0);
            continue;
        }
        CHECK_UINT(got->row_cnt, whole == image.chunk_cnt ? ROWS : whole * BATCH_ROWS);
        CHECK_UINT(got->stats.malformed_cnt, 1);
        profile_destroy(got);
    }
    free_image(&image);
}

TEST(chunks_of_later_versions_are_skipped)
{
    struct image image;
    struct error err = {0};
    write_image(&image, false);
    struct byte_buffer later;
    byte_buffer_init(&later, CAPTURE_MAX_BYTES);
    CHECK(byte_buffer_append(&later, image.bytes.bytes, image.chunk_ends[1]));
    uint32_t head[4] = {77, 3, crc32c("abc", 3)};
    head[3] = crc32c(head, 12);
    CHECK(byte_buffer_append(&later, head, sizeof head));
    CHECK(byte_buffer_append(&later, "abc", 3));
    CHECK(byte_buffer_append(&later, image.bytes.bytes + image.chunk_ends[1],
                             image.bytes.len - image.chunk_ends[1]));
    byte_buffer_deinit(&image.bytes);
    image.bytes = later;
    struct profile *got = read_part(&image, image.bytes.len, &err);
    CHECK_UINT(got->row_cnt, ROWS);
    CHECK_UINT(got->stats.malformed_cnt, 0);
    profile_destroy(got);
    for (char version = 1; version <= 3; version += 2) {
        image.bytes.bytes[8] = version;
        CHECK(read_part(&image, image.bytes.len, &err) == NULL);
        CHECK_HAS(err.detail, version == 1 ? "version 1" : "version 3");
    }
    free_image(&image);
}

TEST(a_chunk_that_did_not_reach_the_file_is_told_again)
{
    struct error err = {0};
    struct image image = {.writer = capture_writer_create()};
    byte_buffer_init(&image.bytes, CAPTURE_MAX_BYTES);
    struct profile_builder *builder = profile_builder_create(NULL);
    build(builder, 100, false);
    CHECK(profile_builder_flush(builder, NULL));
    struct profile *profile = profile_builder_profile(builder);
    CHECK(capture_writer_begin(image.writer, &image.bytes));
    capture_writer_commit(image.writer);
    size_t before = image.bytes.len;
    CHECK(capture_writer_batch(image.writer, profile, &image.bytes));
    size_t len = image.bytes.len;
    byte_buffer_truncate(&image.bytes, before);
    capture_writer_roll_back(image.writer);
    CHECK(capture_writer_batch(image.writer, profile, &image.bytes));
    CHECK_UINT(image.bytes.len, len);
    struct profile *got = read_part(&image, image.bytes.len, &err);
    CHECK_UINT(got->row_cnt, 100);
    profile_destroy(got);
    profile_builder_destroy(builder);
    free_image(&image);
}

TEST(files_appear_when_they_are_whole)
{
    struct error err = {0};
    char path[256];
    uint64_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/x.fpc", test_dir());
    struct capture_file *file = capture_file_create(path, &err);
    struct profile_builder_options options = {
        .batch = capture_file_batch, .batch_context = file, .batch_rows = BATCH_ROWS};
    struct profile_builder *builder = profile_builder_create(&options);
    build(builder, ROWS, false);
    CHECK(capture_reader_open(path, 0, &err) == NULL);
    CHECK_HAS(err.detail, "x.fpc");
    CHECK(profile_builder_flush(builder, NULL));
    CHECK(capture_file_finish(file, profile_builder_profile(builder), &bytes, NULL));
    capture_file_destroy(file);
    profile_builder_destroy(builder);
    struct profile *got = capture_reader_open(path, 0, NULL);
    CHECK_UINT(got->row_cnt, ROWS);
    profile_destroy(got);
    CHECK(capture_file_create("/nonexistent/x.fpc", &err) == NULL);
}

TEST(what_is_no_capture_is_refused)
{
    struct error err = {0};
    CHECK(capture_reader_take(calloc(1, 100), 100, 0, &err) == NULL);
    CHECK_HAS(err.detail, "no capture");
    struct image image;
    write_image(&image, false);
    for (size_t len = 0; len < image.chunk_ends[0]; len += 7) {
        CHECK(read_part(&image, len, NULL) == NULL);
    }
    free_image(&image);
}
