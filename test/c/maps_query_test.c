// SPDX-License-Identifier: Apache-2.0
#include "capture/system/maps_query.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct process_maps asked;
static struct process_maps read_back;

static void *map_code(int fd)
{
    int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, flags, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static void *map_deleted(void)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/a deleted one", test_dir());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0 && unlink(path) == 0);
    void *at = map_code(fd);
    (void)close(fd);
    return at;
}

// What the kernel's text says; "[vsyscall]" is nobody's mapping.
static void read_text(void)
{
    char line[8192];
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file != NULL);
    process_maps_deinit(&read_back);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "[vsyscall]") == NULL) {
            process_maps_add_line(&read_back, line);
        }
    }
    (void)fclose(file);
}

static enum maps_query_result ask(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    process_maps_deinit(&asked);
    enum maps_query_result result = maps_query_read(fd, &asked);
    (void)close(fd);
    return result;
}

static void check_same(const struct process_mapping *a, const struct process_mapping *b)
{
    struct text path = process_maps_path(&asked, a);
    CHECK_UINT(a->start, b->start);
    CHECK_UINT(a->end, b->end);
    CHECK_UINT(a->offset, b->offset);
    CHECK_UINT(a->inode, b->inode);
    CHECK_UINT(a->dev_major, b->dev_major);
    CHECK_UINT(a->dev_minor, b->dev_minor);
    CHECK_INT(a->kind, b->kind);
    CHECK(text_equal(path, process_maps_path(&read_back, b)));
}

TEST(it_says_what_the_text_says)
{
    void *anonymous = map_code(-1);
    void *deleted = map_deleted();
    enum maps_query_result result = ask("/proc/self/maps");
    if (result == MAPS_QUERY_REFUSED) {
        TEST_SKIP("this kernel is older than Linux 6.11");
    }
    CHECK_INT(result, MAPS_QUERY_WHOLE);
    read_text();
    CHECK(asked.cnt > 3);
    CHECK_UINT(asked.cnt, read_back.cnt);
    for (uint32_t i = 0; i < asked.cnt; i++) {
        check_same(&asked.mappings[i], &read_back.mappings[i]);
    }
    CHECK_INT(process_maps_find(&asked, (uintptr_t)anonymous)->kind, PROCESS_MAPPING_ANONYMOUS);
    CHECK_INT(process_maps_find(&asked, (uintptr_t)deleted)->kind, PROCESS_MAPPING_FILE);
}

TEST(a_process_that_ends_meanwhile_is_gone)
{
    char path[64];
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)child);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    enum maps_query_result before = maps_query_read(fd, &asked);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    enum maps_query_result after = maps_query_read(fd, &asked);
    (void)close(fd);
    if (before == MAPS_QUERY_REFUSED) {
        TEST_SKIP("this kernel is older than Linux 6.11");
    }
    CHECK_INT(before, MAPS_QUERY_WHOLE);
    CHECK_INT(after, MAPS_QUERY_GONE);
}

TEST(what_is_no_list_of_mappings_is_refused)
{
    CHECK_INT(ask("/dev/null"), MAPS_QUERY_REFUSED);
    CHECK_INT(ask("/nowhere"), MAPS_QUERY_REFUSED);
    process_maps_deinit(&asked);
    process_maps_deinit(&read_back);
}
