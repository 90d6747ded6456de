// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_source.h"

#include "base/clock.h"
#include "cli/number_text.h"
#include "import/import.h"
#include "query/selection_copy.h"
#include "store/capture_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PROFILE_GIB = 16 };

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

bool profile_source_is_capture(const char *path)
{
    char begin[16];
    int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t len = read(fd, begin, sizeof begin);
    (void)close(fd);
    return len > 0 && capture_reader_knows(begin, (size_t)len);
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
    struct profile *profile = capture_reader_open(path, MAX_PROFILE_BYTES, err);
    bool ok = profile != NULL && selection_init(&selection, profile, NULL, NULL, err) &&
              selection_copy(&selection, builder, err);
    profile_destroy(profile);
    return ok;
}

struct profile *profile_source_open(char **paths, int cnt, struct error *err)
{
    struct profile_builder_options options = {.max_bytes = MAX_PROFILE_BYTES};
    if (cnt == 1 && profile_source_is_capture(paths[0])) {
        return capture_reader_open(paths[0], MAX_PROFILE_BYTES, err);
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
