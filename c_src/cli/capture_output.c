// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_output.h"

#include "cli/profile_source.h"
#include "query/selection_copy.h"
#include "store/capture_file.h"

struct stream {
    struct capture_file *file;
    struct profile_builder *builder;
    uint64_t row_cnt;
};

static bool take_batch(void *context, struct profile *batch, struct error *err)
{
    struct stream *stream = context;
    stream->row_cnt += batch->row_cnt;
    return capture_file_batch(stream->file, batch, err);
}

static bool open_stream(struct stream *stream, const char *path, struct error *err)
{
    struct profile_builder_options options = {.batch = take_batch, .batch_context = stream};
    stream->file = capture_file_create(path, err);
    if (stream->file == NULL) {
        return false;
    }
    stream->builder = profile_builder_create(&options);
    return stream->builder != NULL || error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
}

static void close_stream(struct stream *stream)
{
    profile_builder_destroy(stream->builder);
    capture_file_destroy(stream->file);
}

static bool finish(struct stream *stream, uint64_t *bytes_ret, struct error *err)
{
    return profile_builder_flush(stream->builder, err) &&
           capture_file_finish(stream->file, profile_builder_profile(stream->builder), bytes_ret,
                               err);
}

bool capture_output_write(const struct selection *selection, const char *path, uint64_t *bytes_ret,
                          struct error *err)
{
    struct stream stream = {.row_cnt = 0};
    bool ok = open_stream(&stream, path, err) && selection_copy(selection, stream.builder, err) &&
              finish(&stream, bytes_ret, err);
    close_stream(&stream);
    return ok;
}

bool capture_output_stream(const char *from, const char *path, uint64_t *rows_ret,
                           uint64_t *bytes_ret, struct error *err)
{
    struct stream stream = {.row_cnt = 0};
    bool ok = open_stream(&stream, path, err) && profile_source_import(stream.builder, from, err) &&
              finish(&stream, bytes_ret, err);
    *rows_ret = stream.row_cnt;
    close_stream(&stream);
    return ok;
}
