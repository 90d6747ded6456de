// SPDX-License-Identifier: Apache-2.0
#include "import/import.h"

#include "import/folded_import.h"
#include "import/import_sniff.h"
#include "import/input_ahead.h"
#include "import/input_stream.h"
#include "import/pprof_import.h"
#include "import/script_import.h"
#include "import/stacks_import.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_WINDOW_BYTES = 512 << 10, // stays in the CPU's cache
    MAX_SAMPLE_BYTES = 16 << 20,
    MAX_MESSAGE_BYTES = 1 << 30, // of pprof, which is one message
};

// A reader of one format.
struct importer {
    void *(*create)(struct profile_builder *builder);
    void (*destroy)(void *importer);
    size_t (*feed)(void *importer, const char *bytes, size_t len, bool is_last);
    size_t max_window_bytes; // of what it wants at once
};

static void *create_script(struct profile_builder *builder)
{
    return script_import_create(builder);
}

static void destroy_script(void *importer)
{
    script_import_destroy(importer);
}

static size_t feed_script(void *importer, const char *bytes, size_t len, bool is_last)
{
    return script_import_feed(importer, bytes, len, is_last);
}

static void *create_folded(struct profile_builder *builder)
{
    return folded_import_create(builder);
}

static void destroy_folded(void *importer)
{
    folded_import_destroy(importer);
}

static size_t feed_folded(void *importer, const char *bytes, size_t len, bool is_last)
{
    return folded_import_feed(importer, bytes, len, is_last);
}

static void *create_stacks(struct profile_builder *builder)
{
    return stacks_import_create(builder);
}

static void destroy_stacks(void *importer)
{
    stacks_import_destroy(importer);
}

static size_t feed_stacks(void *importer, const char *bytes, size_t len, bool is_last)
{
    return stacks_import_feed(importer, bytes, len, is_last);
}

static void *create_pprof(struct profile_builder *builder)
{
    return pprof_import_create(builder);
}

static void destroy_pprof(void *importer)
{
    pprof_import_destroy(importer);
}

static size_t feed_pprof(void *importer, const char *bytes, size_t len, bool is_last)
{
    return pprof_import_feed(importer, bytes, len, is_last);
}

static const struct {
    const char *name;
    struct importer importer;
} FORMATS[IMPORT_FORMAT_CNT] = {
    [IMPORT_AUTO] = {"auto", {NULL, NULL, NULL, 0}},
    [IMPORT_PERF_SCRIPT] = {"perf-script",
                            {create_script, destroy_script, feed_script, MAX_SAMPLE_BYTES}},
    [IMPORT_FOLDED] = {"folded", {create_folded, destroy_folded, feed_folded, MAX_SAMPLE_BYTES}},
    [IMPORT_STACKS] = {"stacks", {create_stacks, destroy_stacks, feed_stacks, MAX_SAMPLE_BYTES}},
    [IMPORT_PPROF] = {"pprof", {create_pprof, destroy_pprof, feed_pprof, MAX_MESSAGE_BYTES}},
};

const char *import_format_name(enum import_format format)
{
    return format < IMPORT_FORMAT_CNT ? FORMATS[format].name : FORMATS[IMPORT_AUTO].name;
}

struct import_run {
    const struct import_options *options;
    struct profile_builder *builder;
    struct input_stream *stream;
    struct input_ahead *ahead; // of it; NULL: it is read here
    const struct importer *importer;
    void *state;
    char *window;
    size_t len;
    size_t capacity;
    bool at_end;
    bool has_cr; // lines end in CR LF
};

// --- the window ---------------------------------------------------------------

static void strip_cr(struct import_run *run, size_t from)
{
    size_t to = from;
    for (size_t at = from; at < run->len; at++) {
        run->window[to] = run->window[at];
        to += run->window[at] != '\r';
    }
    run->len = to;
}

static bool grow(struct import_run *run, struct error *err)
{
    if (run->len < run->capacity) {
        return true;
    }
    size_t capacity = run->capacity == 0 ? FIRST_WINDOW_BYTES : run->capacity * 2;
    char *window = realloc(run->window, capacity);
    if (window == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "import: out of memory");
    }
    run->window = window;
    run->capacity = capacity;
    return true;
}

static bool read_some(struct import_run *run, size_t *got, struct error *err)
{
    char *bytes = run->window + run->len;
    size_t len = run->capacity - run->len;
    return run->ahead != NULL ? input_ahead_read(run->ahead, bytes, len, got, err)
                              : input_stream_read(run->stream, bytes, len, got, err);
}

// Until the window is full, or the input at its end.
static bool fill(struct import_run *run, struct error *err)
{
    while (grow(run, err) && run->len < run->capacity) {
        size_t got = 0;
        size_t before = run->len;
        if (!read_some(run, &got, err)) {
            run->at_end = true;
            return false;
        }
        run->len += got;
        run->at_end = got == 0;
        if (run->has_cr) {
            strip_cr(run, before);
        }
        if (got == 0 || run->len == run->capacity) {
            return true;
        }
    }
    return false;
}

static uint64_t done_bytes(const struct import_run *run)
{
    return run->ahead != NULL ? input_ahead_done_bytes(run->ahead)
                              : input_stream_done_bytes(run->stream);
}

static bool report(const struct import_run *run, struct error *err)
{
    const struct import_options *options = run->options;
    return options->progress == NULL ||
           options->progress(options->progress_context, done_bytes(run),
                             input_stream_total_bytes(run->stream)) ||
           error_set(err, ERROR_LIMIT, "import: stopped");
}

// --- the run ------------------------------------------------------------------

static bool choose(struct import_run *run, struct error *err)
{
    struct text begin = {run->window, (uint32_t)(run->len < 65536 ? run->len : 65536)};
    enum import_format format = run->options->format;
    if (format == IMPORT_AUTO) {
        format = import_sniff(begin);
    }
    if (format == IMPORT_AUTO) {
        return error_set(err, ERROR_BAD_INPUT,
                         "of no format that can be read: perf script, folded stacks, bcc or "
                         "bpftrace stacks, pprof");
    }
    bool is_text = format != IMPORT_PPROF;
    run->has_cr = is_text && memmem(begin.bytes, begin.len, "\r\n", 2) != NULL;
    if (run->has_cr) {
        strip_cr(run, 0);
    }
    run->importer = &FORMATS[format].importer;
    run->state = run->importer->create(run->builder);
    return run->state != NULL || error_set(err, ERROR_NO_MEMORY, "import: out of memory");
}

// What the importer does not take stays at the front of the window.
static void feed(struct import_run *run)
{
    bool is_last = run->at_end || run->len >= run->importer->max_window_bytes;
    size_t taken = run->importer->feed(run->state, run->window, run->len, is_last);
    memmove(run->window, run->window + taken, run->len - taken);
    run->len -= taken;
}

static bool feed_all(struct import_run *run, struct error *err)
{
    bool ok = fill(run, err);
    bool is_chosen = (ok || run->len > 0) && choose(run, ok ? err : NULL);
    if (!is_chosen) {
        return false;
    }
    feed(run);
    while (ok && !run->at_end) {
        ok = fill(run, err);
        feed(run);
        ok = ok && report(run, err);
    }
    return ok;
}

static bool import_stream(struct profile_builder *builder, struct input_stream *stream,
                          const char *name, const struct import_options *options, struct error *err)
{
    static const struct import_options DEFAULTS = {IMPORT_AUTO, NULL, NULL};
    struct import_run run = {
        .options = options == NULL ? &DEFAULTS : options, .builder = builder, .stream = stream};
    (void)profile_builder_source(builder, text_of(name));
    if (input_stream_is_compressed(stream)) {
        run.ahead = input_ahead_create(stream, NULL);
    }
    bool ok = feed_all(&run, err);
    input_ahead_destroy(run.ahead);
    if (run.state != NULL) {
        run.importer->destroy(run.state);
    }
    free(run.window);
    input_stream_close(stream);
    return ok;
}

bool import_file(struct profile_builder *builder, const char *path,
                 const struct import_options *options, struct error *err)
{
    struct input_stream *stream = input_stream_open(path, err);
    if (stream == NULL) {
        return false;
    }
    struct error why = {0};
    const char *slash = strrchr(path, '/');
    if (import_stream(builder, stream, slash == NULL ? path : slash + 1, options, &why)) {
        return true;
    }
    bool is_named = strncmp(why.detail, path, strlen(path)) == 0;
    if (!is_named) {
        (void)error_context(&why, "%s", path);
    }
    if (err != NULL) {
        *err = why;
    }
    return false;
}

bool import_bytes(struct profile_builder *builder, const void *bytes, size_t len,
                  const struct import_options *options, struct error *err)
{
    struct input_stream *stream = input_stream_of_bytes(bytes, len, err);
    return stream != NULL && import_stream(builder, stream, "", options, err);
}

struct profile *import_profile(const char *path, size_t max_bytes,
                               const struct import_options *options, struct error *err)
{
    struct profile_builder_options builder_options = {.max_bytes = max_bytes};
    struct profile_builder *builder = profile_builder_create(&builder_options);
    if (builder == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    bool ok = import_file(builder, path, options, err);
    struct error full = {0};
    if (!profile_builder_flush(builder, &full) && ok && err != NULL) {
        *err = full;
    }
    if (!ok && profile_builder_profile(builder)->row_cnt == 0) {
        profile_builder_destroy(builder);
        return NULL;
    }
    return profile_builder_finish(builder, ok ? err : NULL);
}
