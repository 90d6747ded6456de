// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_files.h"

#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[128];

static const char *make_file(const char *name, const char *content)
{
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    (void)fputs(content, file);
    (void)fclose(file);
    return path;
}

TEST(a_file_is_opened_in_the_process_root)
{
    int fd = process_files_open((uint32_t)getpid(), make_file("plain", "hello"));
    char byte = 0;
    CHECK(fd >= 0);
    CHECK_INT(read(fd, &byte, 1), 1);
    CHECK_INT(byte, 'h');
    CHECK_INT(close(fd), 0);
}

TEST(only_regular_files_are_opened)
{
    CHECK_INT(process_files_open((uint32_t)getpid(), test_dir()), -1);
    CHECK_INT(process_files_open((uint32_t)getpid(), "/dev/null"), -1);
    (void)snprintf(path, sizeof path, "%s/fifo", test_dir());
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(process_files_open((uint32_t)getpid(), path), -1); // and does not hang
    CHECK_INT(process_files_open((uint32_t)getpid(), "/no/such/file"), -1);
    CHECK_INT(process_files_open(0x7ffffff0, "/etc/passwd"), -1);
}

TEST(the_inode_must_be_the_wanted_one)
{
    struct stat status;
    struct text text = text_of(make_file("inode", "x"));
    CHECK_INT(stat(path, &status), 0);
    int fd = process_files_open_here(text, status.st_ino);
    CHECK(fd >= 0);
    CHECK_INT(close(fd), 0);
    CHECK_INT(process_files_open_here(text, status.st_ino + 1), -1);
    CHECK_INT(process_files_open_here(TEXT(""), 0), -1);
}

TEST(own_mapping_is_opened)
{
    struct process_maps maps = {0};
    struct stat status;
    CHECK_INT(process_maps_read(&maps, (uint32_t)getpid()), PROCESS_MAPS_CHANGED);
    struct process_mapping *mapping =
        process_maps_find(&maps, (uint64_t)(uintptr_t)&own_mapping_is_opened);
    CHECK(mapping != NULL);
    int fd =
        process_files_open_mapping((uint32_t)getpid(), mapping, process_maps_path(&maps, mapping));
    CHECK(fd >= 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_UINT(status.st_ino, mapping->inode);
    CHECK_INT(close(fd), 0);
    process_maps_deinit(&maps);
}

TEST(of_a_process_that_is_gone_only_our_own_root_is_asked)
{
    struct process_file_identity identity;
    struct stat status;
    struct text text = text_of(make_file("gone", "x"));
    CHECK_INT(stat(path, &status), 0);
    struct process_mapping mapping = {.inode = status.st_ino};
    CHECK_INT(process_files_open(0, path), -1);
    CHECK_INT(process_files_open_mapping(0, &mapping, text), -1);
    CHECK(process_files_identify(0, &mapping, text, &identity));
    CHECK_UINT(identity.inode, status.st_ino);
    mapping.inode++;
    CHECK(!process_files_identify(0, &mapping, text, &identity));
    CHECK_INT(process_files_open_here(TEXT("gone"), 0), -1); // not in the current folder
}

TEST(own_identity)
{
    uint32_t pid = 0;
    uint32_t uid = 77;
    CHECK(process_files_inner_pid((uint32_t)getpid(), &pid));
    CHECK_UINT(pid, getpid());
    CHECK(process_files_owner((uint32_t)getpid(), &uid));
    CHECK_UINT(uid, geteuid());
    CHECK(!process_files_inner_pid(0x7ffffff0, &pid));
    CHECK(!process_files_owner(0x7ffffff0, &uid));
}
