// SPDX-License-Identifier: Apache-2.0
// What an engine hands over comes out of the capture: stacks without their categories,
// which are columns, every metric, head and foot.
#include "sinks/capture_sink.h"
#include "sinks/recording.h"
#include "store/capture_reader.h"

#include "test.h"

static struct loss_counters losses;

static void open_recording(struct recording *recording, const struct session *session,
                           const char *dir)
{
    struct error err = {0};
    struct recording_options options = {.sink = &CAPTURE_SINK,
                                        .files = {.directory = dir,
                                                  .stem = "x",
                                                  .suffix = CAPTURE_SINK.suffix,
                                                  .naming = FILE_NAMING_SINGLE}};
    if (!recording_open(recording, session, &losses, &options, &err)) {
        TEST_FAIL("%s", err.detail);
    }
}

// Names are written into the same memory again and again, as tables of symbols do: with the
// number of a new table each time, or with none.
static void write_samples(struct recording *recording, uint32_t cnt)
{
    static char names[3][32];
    struct metric_value metrics[METRIC_MAX_CNT] = {{0}};
    for (uint32_t i = 0; i < cnt; i++) {
        (void)snprintf(names[0], sizeof names[0], "m:leaf_%u/1", i % 11);
        (void)snprintf(names[1], sizeof names[1], "{registered name_%u}", i % 7);
        (void)snprintf(names[2], sizeof names[2], "{m:init_%u/1}", i % 3);
        uint32_t texts = i % 2 == 0 ? 0 : i + 2;
        struct frame frames[] = {
            {.address = 16,
             .name = text_of(names[0]),
             .line = i % 5,
             .texts = texts,
             .file = TEXT("m.erl")},
            {.address = 32, .name = TEXT("m:root/0"), .texts = 1, .file = TEXT("m.erl")},
            {.name = text_of(names[1]), .texts = texts, .file = TEXT("process")},
            {.name = text_of(names[2]), .file = TEXT("m.erl")},
        };
        metrics[0] = (struct metric_value){i * 10, 10};
        metrics[2] = (struct metric_value){-(int64_t)i, -1};
        struct sample sample = {.time_ns = 1000 + i,
                                .period_ns = 7,
                                .cpu = i % 2,
                                .pid = 42,
                                .tid = i % 13,
                                .category = i % 4 == 0 ? TEXT("running") : TEXT("waiting"),
                                .frames = frames,
                                .frame_cnt = i % 9 == 0 ? 0 : 4,
                                .metrics = metrics};
        recording_write(recording, &sample);
        if (i % 1000 == 999) {
            recording->synced_ns = 0;
            recording_tick(recording);
        }
    }
}

static struct profile *read_back(const char *dir, const char *name)
{
    struct error err = {0};
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    struct profile *profile = capture_reader_open(path, 0, &err);
    if (profile == NULL) {
        TEST_FAIL("%s", err.detail);
    }
    return profile;
}

static void check_code(const struct profile *profile, const char *dimension, uint64_t row,
                       const char *wanted)
{
    char digits[PROFILE_DIGITS_BYTES];
    char text[64];
    int found = profile_find_dimension(profile, text_of(dimension));
    CHECK(found != PROFILE_NONE);
    struct text got = profile_code_text(profile, (uint32_t)found,
                                        profile_code(profile, (uint32_t)found, row), digits);
    (void)snprintf(text, sizeof text, "%.*s", (int)got.len, got.bytes);
    CHECK_STR(text, wanted);
}

static void check_row(const struct profile *profile, uint64_t row)
{
    char wanted[64];
    bool has_stack = row % 9 != 0;
    const struct profile_node *leaf = &profile->dictionary.nodes[profile->stack[row]];
    CHECK_UINT(profile->time_ns[row], 1000 + row);
    if (has_stack) {
        const struct profile_frame *frame = &profile->dictionary.frames[leaf->frame];
        (void)snprintf(wanted, sizeof wanted, "m:leaf_%u/1", (unsigned)(row % 11));
        CHECK(text_equal(profile_text(profile, frame->name), text_of(wanted)));
        CHECK_UINT(frame->line, row % 5);
        CHECK_UINT(profile->dictionary.nodes[leaf->parent].parent, 0);
    }
    (void)snprintf(wanted, sizeof wanted, "name_%u", (unsigned)(row % 7));
    check_code(profile, "registered", row, has_stack ? wanted : "");
    (void)snprintf(wanted, sizeof wanted, "m:init_%u/1", (unsigned)(row % 3));
    check_code(profile, "initial_call", row, has_stack ? wanted : "");
    (void)snprintf(wanted, sizeof wanted, "%u", (unsigned)(row % 13));
    check_code(profile, "tid", row, wanted);
    check_code(profile, "status", row, row % 4 == 0 ? "running" : "waiting");
    check_code(profile, "event", row, "beam-wall");
    CHECK_INT(profile_column_at(&profile->period, row), 7);
}

TEST(what_an_engine_hands_over_comes_back)
{
    struct session session;
    struct recording recording;
    session_init_beam(&session);
    open_recording(&recording, &session, test_dir());
    write_samples(&recording, 3500);
    recording_note(&recording, "governor", "slower");
    CHECK(recording_close(&recording, "complete", NULL));
    struct profile *profile = read_back(test_dir(), "x.fpc");
    CHECK_UINT(profile->row_cnt, 3500);
    CHECK_UINT(profile->metric_cnt, BEAM_METRIC_CNT);
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        check_row(profile, row);
    }
    const struct profile_column *column = profile_metric_column(profile, 2, PROFILE_VALUE, NULL);
    CHECK_INT(profile_column_at(column, 3499), -3499);
    CHECK(text_equal(profile_fact(profile, 0, TEXT("samples")), TEXT("3500")));
    CHECK(text_equal(profile_fact(profile, 0, TEXT("governor")), TEXT("slower")));
    CHECK(text_equal(profile_fact(profile, 0, TEXT("engine")), TEXT("beam")));
    CHECK_UINT(profile->sources[0].anchor.unix_ns, session.anchor.unix_ns);
    CHECK(!profile->sources[0].is_incomplete);
    profile_destroy(profile);
}

TEST(what_is_being_written_is_read_up_to_its_last_chunk)
{
    struct session session;
    struct recording recording;
    session_init_beam(&session);
    open_recording(&recording, &session, test_dir());
    write_samples(&recording, 2500); // a chunk each 1000
    struct profile *profile = read_back(test_dir(), ".x.fpc.part");
    CHECK_UINT(profile->row_cnt, 2000);
    CHECK(profile->sources[0].is_incomplete);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    check_row(profile, 1999);
    profile_destroy(profile);
    write_samples(&recording, 500);
    CHECK(recording_close(&recording, "complete", NULL));
    profile = read_back(test_dir(), "x.fpc");
    CHECK_UINT(profile->row_cnt, 3000);
    CHECK(!profile->sources[0].is_incomplete);
    profile_destroy(profile);
}

TEST(names_of_a_chunk_that_was_lost_are_told_again)
{
    struct session session;
    struct byte_buffer out;
    session_init_beam(&session);
    struct file_summary summary = {.end_reason = "complete"};
    byte_buffer_init(&out, 1 << 24);
    void *state = CAPTURE_SINK.create();
    CHECK(CAPTURE_SINK.begin(state, &out, &session));
    CAPTURE_SINK.synced(state, true);
    size_t before = out.len;
    struct metric_value metrics[METRIC_MAX_CNT] = {{0}};
    struct frame frame = {.name = TEXT("m:f/0"), .file = TEXT("m.erl")};
    struct sample sample = {.category = TEXT("running"), .frames = &frame, .frame_cnt = 1};
    sample.metrics = metrics;
    CHECK(CAPTURE_SINK.sample(state, &out, &session, &sample));
    CHECK(CAPTURE_SINK.flush(state, &out));
    byte_buffer_truncate(&out, before); // did not reach the file
    CAPTURE_SINK.synced(state, false);
    CHECK(CAPTURE_SINK.sample(state, &out, &session, &sample));
    CHECK(CAPTURE_SINK.flush(state, &out));
    CHECK(CAPTURE_SINK.end(state, &out, &session, &summary));
    CAPTURE_SINK.destroy(state);
    unsigned char *bytes = malloc(out.len);
    memcpy(bytes, out.bytes, out.len);
    struct profile *profile = capture_reader_take(bytes, out.len, 0, NULL);
    byte_buffer_deinit(&out);
    CHECK_UINT(profile->row_cnt, 1);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    profile_destroy(profile);
}
