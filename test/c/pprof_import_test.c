// SPDX-License-Identifier: Apache-2.0
// pprof messages become rows with all their values, labels and lines; what refers to
// nothing is counted.
#include "base/byte_buffer.h"
#include "import/import.h"

#include "test.h"

struct message {
    struct byte_buffer bytes;
};

static void put_varint(struct byte_buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        CHECK(byte_buffer_append_char(out, (char)(value | 0x80)));
    }
    CHECK(byte_buffer_append_char(out, (char)value));
}

static void put_number(struct byte_buffer *out, unsigned field, uint64_t value)
{
    put_varint(out, field << 3);
    put_varint(out, value);
}

static void put_bytes(struct byte_buffer *out, unsigned field, const void *bytes, size_t len)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, len);
    CHECK(len == 0 || byte_buffer_append(out, bytes, len));
}

// A message of numbers: pairs of field and value, up to a field 0.
static void put_message(struct byte_buffer *out, unsigned field, const uint64_t *pairs)
{
    struct byte_buffer inner;
    byte_buffer_init(&inner, 1 << 16);
    for (; pairs[0] != 0; pairs += 2) {
        put_number(&inner, (unsigned)pairs[0], pairs[1]);
    }
    put_bytes(out, field, inner.bytes, inner.len);
    byte_buffer_deinit(&inner);
}
#define NUMBERS(...)                                                                               \
    (const uint64_t[])                                                                             \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }

static void put_strings(struct byte_buffer *out)
{
    static const char *const STRINGS[] = {"",       "samples", "count", "cpu",    "nanoseconds",
                                          "main",   "m:f/1",   "m.erl", "/bin/x", "abcd",
                                          "status", "running", "pid",   "line"};
    for (size_t i = 0; i < sizeof STRINGS / sizeof *STRINGS; i++) {
        put_bytes(out, 6, STRINGS[i], strlen(STRINGS[i]));
    }
}

// Location 7: m:f/1 inlined into main; 9: an address of /bin/x.
static void put_places(struct byte_buffer *out)
{
    struct byte_buffer location;
    byte_buffer_init(&location, 1 << 16);
    put_number(&location, 1, 7);
    put_message(&location, 4, NUMBERS(1, 2, 2, 33));
    put_message(&location, 4, NUMBERS(1, 1, 2, 44));
    put_bytes(out, 4, location.bytes, location.len);
    byte_buffer_deinit(&location);
    put_message(out, 4, NUMBERS(1, 9, 2, 5, 3, 4096));
    put_message(out, 3, NUMBERS(1, 5, 2, 4096, 3, 8192, 5, 8, 6, 9));
    put_message(out, 5, NUMBERS(1, 1, 2, 5));
    put_message(out, 5, NUMBERS(1, 2, 2, 6, 4, 7));
}

static void put_sample(struct byte_buffer *out, uint64_t leaf, uint64_t root, uint64_t value)
{
    struct byte_buffer sample;
    char packed[2] = {(char)leaf, (char)root};
    byte_buffer_init(&sample, 1 << 16);
    put_bytes(&sample, 1, packed, 2);
    put_number(&sample, 2, 1);
    put_number(&sample, 2, value);
    put_message(&sample, 3, NUMBERS(1, 10, 2, 11));
    put_message(&sample, 3, NUMBERS(1, 12, 3, 42));
    put_bytes(out, 2, sample.bytes, sample.len);
    byte_buffer_deinit(&sample);
}

static void write_message(struct byte_buffer *out)
{
    byte_buffer_init(out, 1 << 20);
    put_message(out, 1, NUMBERS(1, 1, 2, 2));
    put_message(out, 1, NUMBERS(1, 3, 2, 4));
    put_sample(out, 7, 9, 1000);
    put_sample(out, 7, 8, 1000); // 8 is nowhere
    put_sample(out, 9, 7, (uint64_t)-5);
    put_places(out);
    put_strings(out);
    put_number(out, 9, 1700000000000000000);
}

static struct text name_of(const struct profile *profile, stack_id stack)
{
    const struct profile_dictionary *names = &profile->dictionary;
    return profile_text(profile, names->frames[names->nodes[stack].frame].name);
}

TEST(samples_come_with_values_labels_and_lines)
{
    struct byte_buffer bytes;
    struct error err = {0};
    write_message(&bytes);
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(import_bytes(builder, bytes.bytes, bytes.len, NULL, &err));
    struct profile *profile = profile_builder_finish(builder, NULL);
    CHECK_UINT(profile->row_cnt, 2);
    CHECK_UINT(profile->stats.malformed_cnt, 1);
    CHECK_UINT(profile->metric_cnt, 2);
    CHECK(text_equal(profile_text(profile, profile->metrics[1].unit), TEXT("nanoseconds")));
    CHECK_INT(profile_column_at(&profile->metrics[1].columns[PROFILE_VALUE], 1), -5);
    stack_id leaf = profile->stack[0];
    stack_id caller = profile->dictionary.nodes[leaf].parent;
    stack_id root = profile->dictionary.nodes[caller].parent;
    CHECK(text_equal(name_of(profile, leaf), TEXT("m:f/1")));
    CHECK(text_equal(name_of(profile, caller), TEXT("main")));
    CHECK(text_equal(name_of(profile, root), TEXT("[unknown]")));
    CHECK_UINT(profile->dictionary.frames[profile->dictionary.nodes[leaf].frame].line, 33);
    CHECK_INT(profile->dictionary.frames[profile->dictionary.nodes[leaf].frame].kind,
              PROFILE_FRAME_BEAM);
    CHECK(text_equal(profile_text(profile, profile->mappings[0].build_id), TEXT("abcd")));
    char digits[PROFILE_DIGITS_BYTES];
    CHECK(text_equal(profile_code_text(profile, PROFILE_STATUS,
                                       profile_code(profile, PROFILE_STATUS, 0), digits),
                     TEXT("running")));
    CHECK_INT(profile->dimensions[PROFILE_PID].values[profile_code(profile, PROFILE_PID, 1)], 42);
    CHECK_UINT(profile_unix_ns(profile, profile->time_ns[0]), 1700000000000000000);
    profile_destroy(profile);
    byte_buffer_deinit(&bytes);
}

TEST(a_message_that_is_cut_is_never_more_than_an_error)
{
    struct byte_buffer bytes;
    struct import_options options = {.format = IMPORT_PPROF};
    write_message(&bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        struct profile_builder *builder = profile_builder_create(NULL);
        char *part = malloc(len + 1);
        memcpy(part, bytes.bytes, len);
        (void)import_bytes(builder, part, len, &options, NULL);
        free(part);
        profile_builder_destroy(builder);
    }
    byte_buffer_deinit(&bytes);
}
