// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_source.h"

#include "base/byte_buffer.h"
#include "base/clock.h"
#include "cli/number_text.h"
#include "import/import.h"
#include "query/selection_copy.h"
#include "store/capture_format.h"
#include "store/capture_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PROFILE_GIB = 16, READ_BYTES = 1 << 20, MAX_WAITS = 100, WAIT_US = 10000 };

#define MAX_PROFILE_BYTES ((size_t)MAX_PROFILE_GIB << 30)
#define FIRST_SHOWN_NS (2ULL * CLOCK_NS_PER_S)
#define SHOW_EVERY_NS (CLOCK_NS_PER_S / 4)

// --- progress -----------------------------------------------------------------

struct progress {
    const char *path;
    uint64_t began_ns;
    uint64_t shown_ns;
    bool is_visible;
};

static bool show_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *progress = context;
    char done[NUMBER_TEXT_BYTES];
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t elapsed_ns = now_ns - progress->began_ns;
    if (elapsed_ns < FIRST_SHOWN_NS || now_ns - progress->shown_ns < SHOW_EVERY_NS ||
        isatty(STDERR_FILENO) == 0) {
        return true;
    }
    progress->shown_ns = now_ns;
    progress->is_visible = true;
    (void)fprintf(stderr, "\r\033[K%s: %s read", progress->path,
                  number_text_bytes(done_bytes, done));
    if (total_bytes > 0 && done_bytes > 0 && done_bytes <= total_bytes) {
        double left_s =
            (double)elapsed_ns / 1e9 * (double)(total_bytes - done_bytes) / (double)done_bytes;
        (void)fprintf(stderr, ", %.0f %%, %.0f s to go",
                      100.0 * (double)done_bytes / (double)total_bytes, left_s);
    }
    (void)fflush(stderr);
    return true;
}

// --- files --------------------------------------------------------------------

// What a pipe begins with, which stays in it. Waits for the first bytes.
static ssize_t peek_pipe(int fd, char *begin, size_t len)
{
    int copy[2];
    ssize_t got = -1;
    if (pipe2(copy, O_CLOEXEC) == 0) {
        got = tee(fd, copy[1], len, 0);
        got = got > 0 ? read(copy[0], begin, (size_t)got) : got;
        (void)close(copy[0]);
        (void)close(copy[1]);
    }
    return got;
}

static ssize_t peek(const char *path, char *begin, size_t len)
{
    if (strcmp(path, "-") == 0) {
        off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
        return at < 0 ? peek_pipe(STDIN_FILENO, begin, len) : pread(STDIN_FILENO, begin, len, at);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, begin, len);
    if (fd >= 0) {
        (void)close(fd);
    }
    return got;
}

static bool may_become_capture(const char *begin, ssize_t len)
{
    size_t magic_len = sizeof CAPTURE_MAGIC - 1;
    return len > 0 && len < CAPTURE_HEAD_BYTES &&
           memcmp(begin, CAPTURE_MAGIC, (size_t)len < magic_len ? (size_t)len : magic_len) == 0;
}

bool profile_source_is_capture(const char *path)
{
    char begin[CAPTURE_HEAD_BYTES];
    ssize_t len = peek(path, begin, sizeof begin);
    // A pipe may have less so far.
    for (int i = 0; i < MAX_WAITS && may_become_capture(begin, len); i++) {
        (void)usleep(WAIT_US);
        len = peek(path, begin, sizeof begin);
    }
    return len > 0 && capture_reader_knows(begin, (size_t)len);
}

// All that comes; NULL, with the reason.
static char *read_standard_input(size_t *len_ret, struct error *err)
{
    struct byte_buffer bytes;
    ssize_t got = 1;
    byte_buffer_init(&bytes, MAX_PROFILE_BYTES);
    while (got > 0) {
        char *room = byte_buffer_reserve(&bytes, READ_BYTES);
        got = room == NULL ? -1 : read(STDIN_FILENO, room, READ_BYTES);
        if (room == NULL || (got < 0 && errno != EINTR)) {
            (void)(room == NULL ? error_set(err, ERROR_NO_MEMORY, "-: too large, or out of memory")
                                : error_os(err, errno, "-"));
            byte_buffer_deinit(&bytes);
            return NULL;
        }
        byte_buffer_commit(&bytes, room + (got > 0 ? got : 0));
        got = got < 0 ? 1 : got;
    }
    *len_ret = bytes.len;
    return bytes.bytes;
}

static struct profile *open_capture(const char *path, struct error *err)
{
    if (strcmp(path, "-") != 0) {
        return capture_reader_open(path, MAX_PROFILE_BYTES, err);
    }
    size_t len = 0;
    char *bytes = read_standard_input(&len, err);
    return bytes == NULL ? NULL : capture_reader_take(bytes, len, MAX_PROFILE_BYTES, err);
}

bool profile_source_import(struct profile_builder *builder, const char *path, struct error *err)
{
    struct progress progress = {.path = path, .began_ns = clock_monotonic_ns()};
    struct import_options options = {.progress = show_progress, .progress_context = &progress};
    uint64_t before = profile_builder_profile(builder)->stats.line_cnt;
    bool ok = import_file(builder, path, &options, err);
    if (progress.is_visible) {
        (void)fputs("\r\033[K", stderr);
    }
    // What came before the break is good, and shown.
    if (!ok && profile_builder_profile(builder)->stats.line_cnt > before) {
        (void)fprintf(stderr, "flameprof: %s (what came before is taken)\n", err->detail);
        return true;
    }
    return ok;
}

static bool add_capture(struct profile_builder *builder, const char *path, struct error *err)
{
    struct selection selection;
    struct profile *profile = open_capture(path, err);
    bool ok = profile != NULL && selection_init(&selection, profile, NULL, NULL, err) &&
              selection_copy(&selection, builder, err);
    profile_destroy(profile);
    return ok;
}

struct profile *profile_source_open(char **paths, int cnt, struct error *err)
{
    struct profile_builder_options options = {.max_bytes = MAX_PROFILE_BYTES};
    if (cnt == 1 && profile_source_is_capture(paths[0])) {
        return open_capture(paths[0], err);
    }
    struct profile_builder *builder = profile_builder_create(&options);
    if (builder == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", paths[0]);
        return NULL;
    }
    for (int i = 0; i < cnt; i++) {
        bool ok = profile_source_is_capture(paths[i])
                      ? add_capture(builder, paths[i], err)
                      : profile_source_import(builder, paths[i], err);
        if (!ok) {
            profile_builder_destroy(builder);
            return NULL;
        }
    }
    return profile_builder_finish(builder, err);
}
