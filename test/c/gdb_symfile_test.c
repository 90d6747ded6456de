// SPDX-License-Identifier: Apache-2.0
// The VM's symbol files, whole and cut at every byte.
#include "symbols/beam/gdb_symfile.h"

#include "fake_code.h"

static struct fake_symfile file;

static void make_file(void)
{
    fake_symfile_begin(&file, 0x7F1234560000, 4096, "lists");
    fake_symfile_range(&file, 0, 64, "lists::codeHeader", 0);
    fake_symfile_range(&file, 64, 200, "lists:map/2", 2);
    fake_symfile_line(&file, 64, 1558, "lists.erl");
    fake_symfile_line(&file, 100, 1559, "lists.erl");
    fake_symfile_range(&file, 200, 4096, "lists:reverse/1", 1);
    fake_symfile_line(&file, 210, 1, "");
}

static bool text_is(struct text text, const char *wanted)
{
    return text_equal(text, text_of(wanted));
}

TEST(a_module_is_read_part_by_part)
{
    struct gdb_symfile symfile;
    struct gdb_range range;
    struct gdb_line line;
    make_file();
    CHECK(gdb_symfile_open(&symfile, file.bytes, file.len));
    CHECK_UINT(symfile.base, 0x7F1234560000);
    CHECK_UINT(symfile.code_bytes, 4096);
    CHECK_UINT(symfile.range_cnt, 3);
    CHECK(gdb_symfile_range(&symfile, &range));
    CHECK(text_is(range.name, "lists::codeHeader"));
    CHECK_UINT(range.line_cnt, 0);
    CHECK(gdb_symfile_range(&symfile, &range));
    CHECK(text_is(range.name, "lists:map/2"));
    CHECK_UINT(range.start, 64);
    CHECK_UINT(range.end, 200);
    CHECK_UINT(range.line_cnt, 2);
    CHECK(gdb_symfile_line(&symfile, &line));
    CHECK_UINT(line.start, 64);
    CHECK_UINT(line.line, 1558);
    CHECK(text_is(line.file, "lists.erl"));
    CHECK(gdb_symfile_line(&symfile, &line));
    CHECK_UINT(line.line, 1559);
    CHECK(gdb_symfile_range(&symfile, &range));
    CHECK(text_is(range.name, "lists:reverse/1"));
    CHECK(gdb_symfile_line(&symfile, &line));
    CHECK(text_is(line.file, ""));
    CHECK(!gdb_symfile_range(&symfile, &range));
    CHECK(!gdb_symfile_line(&symfile, &line));
}

TEST(a_file_may_end_inside_the_padding_of_its_last_name)
{
    struct gdb_symfile symfile;
    struct gdb_range range;
    make_file();
    file.len = 0;
    fake_symfile_begin(&file, 1, 2, "m");
    fake_symfile_range(&file, 3, 4, "m:f/0", 0);
    for (size_t cut = 0; cut <= 2; cut++) {
        CHECK(gdb_symfile_open(&symfile, file.bytes, file.len - cut));
        CHECK(gdb_symfile_range(&symfile, &range));
        CHECK(text_is(range.name, "m:f/0"));
        CHECK(!gdb_symfile_range(&symfile, &range));
    }
    CHECK(gdb_symfile_open(&symfile, file.bytes, file.len - 3));
    CHECK(!gdb_symfile_range(&symfile, &range));
}

TEST(other_files_are_refused)
{
    struct gdb_symfile symfile;
    make_file();
    fake_put(&file, 0, 0, 4); // the emulator's own
    CHECK(!gdb_symfile_open(&symfile, file.bytes, file.len));
    fake_put(&file, 0, 2, 4);
    CHECK(!gdb_symfile_open(&symfile, file.bytes, file.len));
    fake_put(&file, 0, 1, 4);
    fake_put(&file, 24, 65535, 2); // a name longer than the file
    CHECK(!gdb_symfile_open(&symfile, file.bytes, file.len));
    CHECK(!gdb_symfile_open(&symfile, file.bytes, 0));
}

// In memory of its own size, so that a sanitizer sees the first byte too many.
static unsigned read_all(const unsigned char *bytes, size_t len)
{
    unsigned char *copy = malloc(len + 1);
    struct gdb_symfile symfile;
    struct gdb_range range;
    struct gdb_line line;
    unsigned parts = 0;
    uint64_t sum = 0;
    memcpy(copy, bytes, len);
    unsigned char *exact = realloc(copy, len == 0 ? 1 : len);
    if (gdb_symfile_open(&symfile, exact, len)) {
        parts = 1;
        while (parts < 1000 && gdb_symfile_range(&symfile, &range)) {
            parts++;
            for (uint32_t i = 0; i < range.name.len; i++) {
                sum += (unsigned char)range.name.bytes[i];
            }
            for (uint32_t i = 0; i < range.line_cnt && gdb_symfile_line(&symfile, &line); i++) {
                parts++;
                sum += line.file.len == 0 ? 0 : (unsigned char)line.file.bytes[line.file.len - 1];
            }
        }
    }
    free(exact);
    return parts + (sum == UINT64_MAX);
}

TEST(cut_at_any_byte_it_has_fewer_parts)
{
    make_file();
    unsigned all = read_all(file.bytes, file.len);
    unsigned last = 0;
    CHECK_UINT(all, 1 + 3 + 3);
    for (size_t len = 0; len <= file.len; len++) {
        unsigned parts = read_all(file.bytes, len);
        CHECK(parts >= last);
        last = parts;
    }
    CHECK_UINT(last, all);
}

TEST(any_byte_may_hold_anything)
{
    make_file();
    for (size_t at = 0; at < file.len; at++) {
        unsigned char good = file.bytes[at];
        for (int value = 0; value < 256; value++) {
            file.bytes[at] = (unsigned char)value;
            (void)read_all(file.bytes, file.len);
        }
        file.bytes[at] = good;
    }
}
