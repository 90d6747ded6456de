// SPDX-License-Identifier: Apache-2.0
// What goes through a port, by pipes.
#include "cli/port_frame.h"

#include <unistd.h>

#include "test.h"

static struct error err;
static struct port_request request;

static bool ask(const char *bytes, size_t len, size_t said_len)
{
    int ends[2];
    const char head[] = {0, 0, (char)(said_len >> 8), (char)said_len};
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], head, sizeof head) == (ssize_t)sizeof head);
    CHECK(write(ends[1], bytes, len) == (ssize_t)len);
    CHECK(close(ends[1]) == 0);
    err = (struct error){0};
    bool ok = port_request_read(&request, ends[0], &err);
    (void)close(ends[0]);
    return ok;
}

TEST(a_request_is_limits_and_a_command_line)
{
    static const char WORDS[] = "100\0"
                                "200\0"
                                "export\0"
                                "--format\0"
                                "\0"
                                "x y.perf";
    CHECK(ask(WORDS, sizeof WORDS, sizeof WORDS));
    CHECK_UINT(request.max_memory_bytes, 100);
    CHECK_UINT(request.max_result_bytes, 200);
    CHECK_INT(request.argc, 4);
    CHECK_STR(request.argv[0], "export");
    CHECK_STR(request.argv[2], "");
    CHECK_STR(request.argv[3], "x y.perf");
    CHECK(request.argv[4] == NULL);
    port_request_deinit(&request);
}

TEST(what_is_no_request_is_refused)
{
    CHECK(!ask("1\0002\0x", 5, 9));
    CHECK_HAS(err.detail, "ends early");
    port_request_deinit(&request);
    CHECK(!ask("1\0", 2, 2));
    port_request_deinit(&request);
    CHECK(!ask("", 0, 0));
    port_request_deinit(&request);
    CHECK(!ask("many\0002\0x", 8, 8));
    CHECK_HAS(err.detail, "another version");
    port_request_deinit(&request);
    static const char UNENDED[] = {'1', 0, '2', 0, 'x'};
    CHECK(ask(UNENDED, sizeof UNENDED, sizeof UNENDED));
    CHECK_STR(request.argv[0], "x");
    port_request_deinit(&request);
}

TEST(too_many_words_are_refused)
{
    static char words[40000];
    static const char BEGIN[] = "1\0002\0";
    memcpy(words, BEGIN, sizeof BEGIN - 1);
    CHECK(!ask(words, sizeof words, sizeof words));
    CHECK_HAS(err.detail, "files at once");
    port_request_deinit(&request);
}

TEST(a_result_comes_in_frames_up_to_its_limit)
{
    int ends[2];
    char got[64];
    struct port_output port;
    CHECK(pipe(ends) == 0);
    port_output_init(&port, ends[1], 5);
    CHECK(byte_output_write(&port.output, "abc", 3, &err));
    CHECK(!byte_output_write(&port.output, "def", 3, &err));
    CHECK_HAS(err.detail, "max_bytes (5)");
    CHECK(port_send_done(ends[1], &err));
    port_send_error(ends[1], "limit", "too much");
    CHECK_INT(read(ends[0], got, sizeof got), 8 + 5 + 19);
    CHECK(memcmp(got, "\0\0\0\4dabc\0\0\0\1o\0\0\0\17elimit\0too much", 32) == 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
