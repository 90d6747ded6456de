// SPDX-License-Identifier: Apache-2.0
// Files in directories of everybody: whole or not there, never somebody else's.
#include "store/public_file.h"

#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[128];
static struct error err;

static void begin(const char *name, mode_t mode)
{
    snprintf(directory, sizeof directory, "%s/%s", test_dir(), name);
    CHECK_INT(mkdir(directory, 0755), 0);
    CHECK_INT(chmod(directory, mode), 0);
    err = (struct error){0};
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static const char *content_of(const char *name)
{
    static char bytes[64];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, bytes, sizeof bytes - 1);
    bytes[got < 0 ? 0 : got] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0 ? "(none)" : bytes;
}

static void put_there(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");
    CHECK(file != NULL);
    (void)fputs(content, file);
    (void)fclose(file);
}

static bool replace(const char *name, const char *content)
{
    return public_file_replace(directory, name, content, strlen(content), &err);
}

TEST(a_file_is_replaced_whole_and_readable_by_all)
{
    begin("replaced", 01777);
    mode_t before = umask(077);
    CHECK(replace("perf-1.map", "old\n"));
    (void)umask(before);
    int reader = open(path_of("perf-1.map"), O_RDONLY | O_CLOEXEC);
    CHECK(replace("perf-1.map", "new\n"));
    CHECK_STR(content_of("perf-1.map"), "new\n");
    CHECK_STR(content_of(".perf-1.map.part"), "(none)");
    struct stat status;
    CHECK_INT(fstat(reader, &status), 0); // who has it open keeps the old one
    CHECK_INT(status.st_nlink, 0);
    CHECK_INT(status.st_mode & 07777, 0644);
    (void)close(reader);
    CHECK(public_file_remove(directory, "perf-1.map", &err));
    CHECK_STR(content_of("perf-1.map"), "(none)");
    CHECK(public_file_remove(directory, "perf-1.map", &err));
}

TEST(a_link_is_not_followed)
{
    begin("linked", 01777);
    put_there("victim", "precious");
    CHECK_INT(symlink("victim", path_of("perf-1.map")), 0);
    CHECK(!replace("perf-1.map", "map"));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK(!public_file_remove(directory, "perf-1.map", &err));
    CHECK_STR(content_of("victim"), "precious");
    CHECK_INT(symlink("victim", path_of(".perf-2.map.part")), 0);
    CHECK(!replace("perf-2.map", "map"));
    CHECK_STR(content_of("victim"), "precious");
    CHECK_STR(content_of("perf-2.map"), "(none)");
}

TEST(what_is_left_of_an_earlier_try_goes)
{
    begin("leftover", 01777);
    put_there(".perf-1.map.part", "half");
    CHECK(replace("perf-1.map", "whole"));
    CHECK_STR(content_of("perf-1.map"), "whole");
    CHECK_STR(content_of(".perf-1.map.part"), "(none)");
}

TEST(a_file_of_somebody_else_stays)
{
    if (geteuid() != 0) {
        TEST_SKIP("only root can give a file away");
    }
    begin("foreign", 01777);
    put_there("perf-1.map", "theirs");
    CHECK_INT(chown(path_of("perf-1.map"), 65534, 65534), 0);
    CHECK(!replace("perf-1.map", "ours"));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK(strstr(err.detail, "65534") != NULL);
    CHECK(!public_file_remove(directory, "perf-1.map", &err));
    CHECK_STR(content_of("perf-1.map"), "theirs");
}

TEST(directories_and_names_that_will_not_do)
{
    begin("open_to_all", 0777);
    CHECK(!replace("perf-1.map", "x"));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    begin("ours", 0755);
    CHECK(replace("perf-1.map", "x"));
    CHECK_INT(mkdir(path_of("perf-2.map"), 0755), 0);
    CHECK(!replace("perf-2.map", "x"));
    CHECK(!replace("../perf-1.map", "x"));
    CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
    CHECK(!replace("..", "x"));
    CHECK(!replace("", "x"));
    snprintf(directory, sizeof directory, "%s/none", test_dir());
    CHECK(!replace("perf-1.map", "x"));
    CHECK_INT(err.code, ERROR_OS);
}
