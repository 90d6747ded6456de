// SPDX-License-Identifier: Apache-2.0
#include "record/system/mapped_files.h"

#include "test.h"

static const char *next(struct mapped_files *files, uint32_t *told_cnt)
{
    const char *line = NULL;
    return mapped_files_next(files, told_cnt, &line) ? line : "-";
}

TEST(each_file_is_told_once_in_each_output_file)
{
    uint32_t first = 0;
    uint32_t second = 0;
    struct mapped_files *files = mapped_files_create(1 << 16);
    mapped_files_add(files, (const uint8_t[]){0xab, 0x01}, 2, TEXT("/usr/lib/libx.so"));
    CHECK_STR(next(files, &first), "ab01 /usr/lib/libx.so");
    CHECK_STR(next(files, &first), "-");
    mapped_files_add(files, (const uint8_t[]){0xab, 0x01}, 2, TEXT("/usr/lib/libx.so"));
    CHECK_STR(next(files, &first), "-");
    mapped_files_add(files, (const uint8_t[]){0xcd}, 1, TEXT("/usr/lib/libx.so")); // an upgrade
    mapped_files_add(files, NULL, 0, TEXT("/opt/a b"));
    CHECK_STR(next(files, &first), "cd /usr/lib/libx.so");
    CHECK_STR(next(files, &second), "ab01 /usr/lib/libx.so");
    CHECK_STR(next(files, &second), "cd /usr/lib/libx.so");
    CHECK_STR(next(files, &second), "- /opt/a b");
    CHECK_STR(next(files, &second), "-");
    CHECK_STR(next(files, &first), "- /opt/a b"); // with another one told in between
    CHECK_STR(next(files, &first), "-");
    mapped_files_destroy(files);
    mapped_files_destroy(NULL);
}

TEST(what_is_too_much_is_not_told)
{
    static char path[4096];
    uint32_t told_cnt = 0;
    struct mapped_files *files = mapped_files_create(64);
    memset(path, 'x', sizeof path - 1);
    mapped_files_add(files, NULL, 0, text_of(path));
    mapped_files_add(files, NULL, 0, TEXT(""));
    CHECK_STR(next(files, &told_cnt), "-");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(path, sizeof path, "/lib/%d", i);
        mapped_files_add(files, NULL, 0, text_of(path));
    }
    CHECK_STR(next(files, &told_cnt), "- /lib/0");
    int told = 1;
    while (strcmp(next(files, &told_cnt), "-") != 0) {
        told++;
    }
    CHECK(told > 2 && told < 16);
    mapped_files_destroy(files);
}
