// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// O_NONBLOCK: a fifo put where a file is expected must not stop us.
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, PATH_BYTES = 4096 };

static int regular_or_close(int fd, uint64_t inode)
{
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (inode == 0 || status.st_ino == inode)) {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static int open_at(int root_fd, const char *path, uint64_t resolve, uint64_t inode)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
    return regular_or_close((int)syscall(SYS_openat2, root_fd, path, &how, sizeof how), inode);
}

static int open_in_root_of(uint32_t pid, const char *path, uint64_t inode)
{
    char root[32];
    (void)snprintf(root, sizeof root, "/proc/%u/root", pid);
    int root_fd = pid == 0 ? -1 : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0) {
        return -1;
    }
    int fd = open_at(root_fd, path, RESOLVE_IN_ROOT, inode);
    (void)close(root_fd);
    return fd;
}

// Absolute, or it would be taken for one of our own folder.
static bool terminate(struct text path, char terminated[PATH_BYTES])
{
    if (path.len == 0 || path.len >= PATH_BYTES || path.bytes[0] != '/') {
        return false;
    }
    memcpy(terminated, path.bytes, path.len);
    terminated[path.len] = '\0';
    return true;
}

int process_files_open(uint32_t pid, const char *path)
{
    return open_in_root_of(pid, path, 0);
}

int process_files_open_here(struct text path, uint64_t inode)
{
    char terminated[PATH_BYTES];
    return terminate(path, terminated) ? open_at(AT_FDCWD, terminated, 0, inode) : -1;
}

static void name_mapping(uint32_t pid, const struct process_mapping *mapping, char *name,
                         size_t name_bytes)
{
    (void)snprintf(name, name_bytes, "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, pid, mapping->start,
                   mapping->end);
}

bool process_files_identify(uint32_t pid, const struct process_mapping *mapping, struct text path,
                            struct process_file_identity *identity)
{
    char name[96];
    struct stat status;
    name_mapping(pid, mapping, name, sizeof name);
    if (pid == 0 || stat(name, &status) != 0) {
        int fd = process_files_open_mapping(pid, mapping, path);
        fd = fd >= 0 ? fd : process_files_open_here(path, mapping->inode);
        bool ok = fd >= 0 && fstat(fd, &status) == 0;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (!ok) {
            return false;
        }
    }
    *identity = (struct process_file_identity){
        .dev = status.st_dev,
        .inode = status.st_ino,
        .size = (uint64_t)status.st_size,
        .changed_s = status.st_ctim.tv_sec,
        .changed_ns = status.st_ctim.tv_nsec,
    };
    return S_ISREG(status.st_mode);
}

int process_files_open_mapping(uint32_t pid, const struct process_mapping *mapping,
                               struct text path)
{
    char name[96];
    char terminated[PATH_BYTES];
    if (pid == 0) {
        return -1;
    }
    name_mapping(pid, mapping, name, sizeof name);
    int fd = regular_or_close(open(name, OPEN_FLAGS), 0);
    if (fd >= 0 || !terminate(path, terminated)) {
        return fd;
    }
    return open_in_root_of(pid, terminated, mapping->inode);
}

int process_files_open_program(uint32_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%u/exe", pid);
    return regular_or_close(open(path, OPEN_FLAGS), 0);
}

static bool status_field(uint32_t pid, const char *key, char *value, size_t value_bytes)
{
    char path[32];
    char line[256];
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            (void)snprintf(value, value_bytes, "%s", line + strlen(key));
            found = true;
        }
    }
    (void)fclose(file);
    return found;
}

bool process_files_inner_pid(uint32_t pid, uint32_t *inner_pid)
{
    char value[256];
    if (!status_field(pid, "NSpid:", value, sizeof value)) {
        return false;
    }
    const char *last = strrchr(value, '\t');
    *inner_pid = last == NULL ? pid : (uint32_t)strtoul(last + 1, NULL, 10);
    return *inner_pid != 0;
}

bool process_files_owner(uint32_t pid, uint32_t *uid)
{
    char value[256];
    if (!status_field(pid, "Uid:", value, sizeof value)) {
        return false;
    }
    char *rest = value;
    (void)strtoul(rest, &rest, 10); // the real one; files are made by the effective one
    *uid = (uint32_t)strtoul(rest, NULL, 10);
    return true;
}

bool process_files_is_trusted(int fd, uint32_t pid)
{
    struct stat status;
    uint32_t uid = 0;
    return fstat(fd, &status) == 0 && process_files_owner(pid, &uid) &&
           (status.st_uid == uid || status.st_uid == 0);
}

// Counted behind the name, which may hold blanks and parentheses.
bool process_files_start_ticks(uint32_t pid, uint64_t *ticks)
{
    enum { FIRST_BEHIND_NAME = 3, START = 22 };
    char path[32];
    char line[1024];
    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    bool was_read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    const char *at = was_read ? strrchr(line, ')') : NULL;
    for (int field = FIRST_BEHIND_NAME; field <= START && at != NULL; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at != NULL) {
        *ticks = strtoull(at + 1, NULL, 10);
    }
    return at != NULL;
}
