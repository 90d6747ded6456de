// SPDX-License-Identifier: Apache-2.0
#include "store/gzip_stream.h"

#include "test.h"

#include <zlib.h>

static struct byte_buffer out;
static struct error err;

// Inflates all members of `out`; returns the text, static.
static const char *inflated(void)
{
    static char text[1 << 20];
    z_stream z = {.next_in = (Bytef *)out.bytes, .avail_in = (uInt)out.len};
    size_t len = 0;
    CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
    while (z.avail_in > 0) {
        z.next_out = (Bytef *)text + len;
        z.avail_out = (uInt)(sizeof text - 1 - len);
        int status = inflate(&z, Z_NO_FLUSH);
        len = sizeof text - 1 - z.avail_out;
        if (status == Z_STREAM_END) {
            CHECK_INT(inflateReset(&z), Z_OK);
        } else if (status != Z_OK) {
            (void)inflateEnd(&z);
            return "(broken)";
        }
    }
    (void)inflateEnd(&z);
    text[len] = '\0';
    return text;
}

static void begin(void)
{
    byte_buffer_deinit(&out);
    byte_buffer_init(&out, 1 << 20);
}

TEST(members_one_after_the_other)
{
    struct gzip_stream *stream = gzip_stream_create(&err);
    begin();
    CHECK(stream != NULL);
    CHECK(gzip_stream_write(stream, "one ", 4, &out, &err));
    CHECK(gzip_stream_write(stream, "and ", 4, &out, &err));
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK_STR(inflated(), "one and ");
    CHECK(gzip_stream_write(stream, "two", 3, &out, &err));
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK_STR(inflated(), "one and two");
    gzip_stream_destroy(stream);
}

TEST(an_empty_member_is_nothing)
{
    struct gzip_stream *stream = gzip_stream_create(&err);
    begin();
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK(gzip_stream_write(stream, "", 0, &out, &err));
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK_UINT(out.len, 0);
    gzip_stream_destroy(stream);
}

TEST(a_reset_forgets_what_was_not_ended)
{
    struct gzip_stream *stream = gzip_stream_create(&err);
    begin();
    CHECK(gzip_stream_write(stream, "forgotten", 9, &out, &err));
    gzip_stream_reset(stream);
    byte_buffer_clear(&out);
    CHECK(gzip_stream_write(stream, "kept", 4, &out, &err));
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK_STR(inflated(), "kept");
    gzip_stream_destroy(stream);
}

TEST(much_text)
{
    static char text[300000];
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        text[i] = (char)('a' + i * i % 23);
    }
    struct gzip_stream *stream = gzip_stream_create(&err);
    begin();
    CHECK(gzip_stream_write(stream, text, sizeof text - 1, &out, &err));
    CHECK(gzip_stream_end_member(stream, &out, &err));
    CHECK_STR(inflated(), text);
    gzip_stream_destroy(stream);
}

TEST(a_full_buffer_is_an_error)
{
    struct gzip_stream *stream = gzip_stream_create(&err);
    byte_buffer_deinit(&out);
    byte_buffer_init(&out, 4);
    CHECK(gzip_stream_write(stream, "x", 1, &out, &err) == false ||
          gzip_stream_end_member(stream, &out, &err) == false);
    CHECK_INT(err.code, ERROR_NO_MEMORY);
    gzip_stream_destroy(stream);
    gzip_stream_destroy(NULL);
    byte_buffer_deinit(&out);
}
