// SPDX-License-Identifier: Apache-2.0
#include "cli/text_input.h"

#include "test.h"

#include <unistd.h>
#include <zlib.h>

static char path[128];
static struct error err;

static struct text_input *open_content(const char *content, size_t len, const char *mode)
{
    (void)snprintf(path, sizeof path, "%s/input", test_dir());
    gzFile file = gzopen(path, mode); // "wT" writes it as it is
    CHECK(file != NULL);
    CHECK_INT(gzwrite(file, content, (unsigned)len), len);
    CHECK_INT(gzclose(file), Z_OK);
    return text_input_open(path, &err);
}

static void check_line(struct text_input *input, const char *wanted)
{
    struct text line;
    CHECK_INT(text_input_next(input, &line, &err), TEXT_INPUT_LINE);
    CHECK(text_equal(line, text_of(wanted)));
}

static void check_end(struct text_input *input)
{
    struct text line;
    CHECK_INT(text_input_next(input, &line, &err), TEXT_INPUT_END);
    CHECK_INT(text_input_next(input, &line, &err), TEXT_INPUT_END);
    text_input_close(input);
}

TEST(plain_lines)
{
    struct text_input *input = open_content("one\n\nthree", 10, "wT");
    check_line(input, "one");
    check_line(input, "");
    check_line(input, "three");
    check_end(input);
}

TEST(gzip_lines)
{
    struct text_input *input = open_content("one\ntwo\n", 8, "w");
    check_line(input, "one");
    check_line(input, "two");
    check_end(input);
}

TEST(an_empty_file)
{
    check_end(open_content("", 0, "wT"));
}

TEST(a_line_beyond_the_limit_is_skipped)
{
    static char content[TEXT_INPUT_MAX_LINE_BYTES * 2 + 100];
    memset(content, 'x', sizeof content);
    memcpy(content, "first\n", 6);
    memcpy(content + sizeof content - 6, "\nlast\n", 6);
    struct text line;
    struct text_input *input = open_content(content, sizeof content, "wT");
    check_line(input, "first");
    CHECK_INT(text_input_next(input, &line, &err), TEXT_INPUT_TOO_LONG);
    check_line(input, "last");
    check_end(input);
}

TEST(a_gzip_file_that_breaks_off_gives_what_it_has)
{
    char content[20000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof content; i++) {
        seed = seed * 1103515245 + 12345;
        content[i] = (char)(i % 97 == 0 ? '\n' : 'a' + seed / 65536 % 26);
    }
    text_input_close(open_content(content, sizeof content, "w"));
    FILE *file = fopen(path, "r+");
    CHECK(file != NULL);
    CHECK_INT(ftruncate(fileno(file), 3000), 0);
    (void)fclose(file);
    struct text_input *input = text_input_open(path, &err);
    struct text line;
    enum text_input_result result = TEXT_INPUT_LINE;
    while (result == TEXT_INPUT_LINE) {
        result = text_input_next(input, &line, &err);
    }
    CHECK_INT(result, TEXT_INPUT_BROKEN);
    CHECK_HAS(err.detail, "ends early");
    text_input_close(input);
}

TEST(what_is_not_there_or_no_file_is_an_error)
{
    CHECK(text_input_open("/no/such/file", &err) == NULL);
    CHECK_HAS(err.detail, "/no/such/file: No such file");
    CHECK(text_input_open(test_dir(), &err) == NULL);
    CHECK_HAS(err.detail, "a directory");
    text_input_close(NULL);
}
