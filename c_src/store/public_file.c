// SPDX-License-Identifier: Apache-2.0
#include "store/public_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_name(const char *name)
{
    static const char ALLOWED[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len < PUBLIC_FILE_NAME_BYTES && strspn(name, ALLOWED) == len &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int open_directory(const char *directory, const char *name, struct error *err)
{
    struct stat status;
    if (!is_name(name)) {
        (void)error_set(err, ERROR_BAD_ARGUMENT, "%s: not a plain file name", name);
        return -1;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)error_os(err, errno, "directory %s: open", directory);
    } else if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
        (void)error_set(err, ERROR_NOT_PERMITTED,
                        "directory %s: others may replace files in it (chmod +t, or another one)",
                        directory);
    } else {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

// Nothing there, or a regular file of our own.
static bool check_ours(int directory_fd, const char *directory, const char *name, bool *there_ret,
                       struct error *err)
{
    struct stat status;
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        *there_ret = false;
        return errno == ENOENT || error_os(err, errno, "%s/%s", directory, name);
    }
    *there_ret = true;
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_NOT_PERMITTED,
                         "%s/%s is not a regular file; somebody put it there: remove it", directory,
                         name);
    }
    return status.st_uid == geteuid() ||
           error_set(err, ERROR_NOT_PERMITTED, "%s/%s belongs to user %u, not to us: remove it",
                     directory, name, (unsigned)status.st_uid);
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t done = written < 0 ? 0 : (size_t)written;
        bytes += done;
        len -= done;
    }
    return true;
}

// What an earlier try left behind goes; O_EXCL then proves that the file is ours.
static int create_part(int directory_fd, const char *directory, const char *part, struct error *err)
{
    bool is_there = false;
    if (!check_ours(directory_fd, directory, part, &is_there, err)) {
        return -1;
    }
    if (is_there) {
        (void)unlinkat(directory_fd, part, 0);
    }
    int fd = openat(directory_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        (void)error_os(err, errno, "%s/%s: create", directory, part);
    }
    return fd;
}

static bool fill(int fd, const void *bytes, size_t len)
{
    bool written = fchmod(fd, 0644) == 0 && write_all(fd, bytes, len);
    int kept_errno = errno;
    bool closed = close(fd) == 0;
    errno = written ? errno : kept_errno;
    return written && closed;
}

static bool replace(int directory_fd, const char *directory, const char *name, const void *bytes,
                    size_t len, struct error *err)
{
    char part[PUBLIC_FILE_NAME_BYTES + 8];
    bool is_there = false;
    (void)snprintf(part, sizeof part, ".%s.part", name);
    if (!check_ours(directory_fd, directory, name, &is_there, err)) {
        return false;
    }
    int fd = create_part(directory_fd, directory, part, err);
    if (fd < 0) {
        return false;
    }
    if (!fill(fd, bytes, len) || renameat(directory_fd, part, directory_fd, name) != 0) {
        (void)error_os(err, errno, "%s/%s: write", directory, name);
        (void)unlinkat(directory_fd, part, 0);
        return false;
    }
    return true;
}

bool public_file_replace(const char *directory, const char *name, const void *bytes, size_t len,
                         struct error *err)
{
    int directory_fd = open_directory(directory, name, err);
    if (directory_fd < 0) {
        return false;
    }
    bool ok = replace(directory_fd, directory, name, bytes, len, err);
    (void)close(directory_fd);
    return ok;
}

bool public_file_remove(const char *directory, const char *name, struct error *err)
{
    int directory_fd = open_directory(directory, name, err);
    if (directory_fd < 0) {
        return false;
    }
    bool is_there = false;
    bool ok = check_ours(directory_fd, directory, name, &is_there, err);
    if (ok && is_there && unlinkat(directory_fd, name, 0) != 0) {
        ok = error_os(err, errno, "%s/%s: remove", directory, name);
    }
    (void)close(directory_fd);
    return ok;
}
