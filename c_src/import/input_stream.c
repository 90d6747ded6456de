// SPDX-License-Identifier: Apache-2.0
#include "import/input_stream.h"

#include "store/stream_decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RAW_BYTES = 256 << 10 };

struct input_stream {
    int fd; // -1: bytes in memory
    char name[256];
    uint64_t done_bytes;
    uint64_t total_bytes;
    bool at_end;                    // of the file
    bool is_in_frame;               // of compressed data: the end would be too early
    struct stream_decoder *decoder; // NULL: plain
    const char *raw;                // not yet decoded
    size_t raw_len;
    char buffer[RAW_BYTES];
};

// --- the file -----------------------------------------------------------------

static bool read_file(struct input_stream *stream, char *bytes, size_t len, size_t *got_ret,
                      struct error *err)
{
    ssize_t got = 0;
    do {
        got = read(stream->fd, bytes, len);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return error_os(err, errno, "%s", stream->name);
    }
    stream->done_bytes += (uint64_t)got;
    stream->at_end = got == 0;
    *got_ret = (size_t)got;
    return true;
}

static bool fill(struct input_stream *stream, struct error *err)
{
    if (stream->raw_len > 0 || stream->at_end) {
        return true;
    }
    stream->raw = stream->buffer;
    return read_file(stream, stream->buffer, sizeof stream->buffer, &stream->raw_len, err);
}

static int open_path(const char *path, uint64_t *total_bytes, struct error *err)
{
    struct stat status;
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)error_os(err, errno, "%s", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    if (S_ISDIR(status.st_mode)) {
        (void)error_set(err, ERROR_BAD_ARGUMENT, "%s: a directory, give a file in it", path);
        (void)close(fd);
        return -1;
    }
    *total_bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

// --- life ---------------------------------------------------------------------

static bool begin_decoder(struct input_stream *stream, struct error *err)
{
    enum stream_coding coding = stream_coding_of(stream->raw, stream->raw_len);
    if (coding == STREAM_PLAIN) {
        return true;
    }
    stream->decoder = stream_decoder_create(coding, err);
    return stream->decoder != NULL || (err != NULL && error_context(err, "%s", stream->name));
}

static struct input_stream *create(const char *name)
{
    struct input_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL) {
        (void)snprintf(stream->name, sizeof stream->name, "%s", name);
        stream->fd = -1;
    }
    return stream;
}

static struct input_stream *begun(struct input_stream *stream, struct error *err)
{
    if (!fill(stream, err)) {
        input_stream_close(stream);
        return NULL;
    }
    if (!begin_decoder(stream, err)) {
        input_stream_close(stream);
        return NULL;
    }
    return stream;
}

struct input_stream *input_stream_open(const char *path, struct error *err)
{
    struct input_stream *stream = create(path);
    if (stream == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    stream->fd = open_path(path, &stream->total_bytes, err);
    if (stream->fd < 0) {
        free(stream);
        return NULL;
    }
    return begun(stream, err);
}

struct input_stream *input_stream_of_bytes(const void *bytes, size_t len, struct error *err)
{
    struct input_stream *stream = create("the input");
    if (stream == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "the input: out of memory");
        return NULL;
    }
    stream->raw = bytes;
    stream->raw_len = len;
    stream->at_end = true;
    stream->done_bytes = stream->total_bytes = len;
    return begun(stream, err);
}

void input_stream_close(struct input_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    stream_decoder_destroy(stream->decoder);
    if (stream->fd >= 0) {
        (void)close(stream->fd);
    }
    free(stream);
}

// --- decoding -----------------------------------------------------------------

static bool broken(const struct input_stream *stream, const char *why, struct error *err)
{
    return error_set(err, ERROR_BAD_INPUT, "%s: %s", stream->name, why);
}

static bool copy_some(struct input_stream *stream, char *bytes, size_t len, size_t *got)
{
    *got = len < stream->raw_len ? len : stream->raw_len;
    memcpy(bytes, stream->raw, *got);
    stream->raw += *got;
    stream->raw_len -= *got;
    return true;
}

static bool decode_some(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                        struct error *err)
{
    struct stream_decoding decoding = {stream->raw, stream->raw_len, bytes, len, 0, false};
    const char *wrong = NULL;
    if (stream->decoder == NULL) {
        return copy_some(stream, bytes, len, got);
    }
    bool ok = stream_decoder_run(stream->decoder, &decoding, &wrong);
    stream->raw = decoding.in;
    stream->raw_len = decoding.in_len;
    stream->is_in_frame = decoding.is_in_frame;
    *got = decoding.got;
    return ok || broken(stream, wrong, err);
}

bool input_stream_read(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                       struct error *err)
{
    len = len < UINT32_MAX ? len : UINT32_MAX;
    *got = 0;
    if (stream->decoder == NULL && stream->raw_len == 0 && !stream->at_end) {
        return read_file(stream, bytes, len, got, err); // what began it is copied
    }
    while (*got == 0) {
        if (!fill(stream, err)) {
            return false;
        }
        bool drained = stream->raw_len == 0 && stream->at_end;
        if (drained && !stream->is_in_frame) {
            return true;
        }
        if (!decode_some(stream, bytes, len, got, err)) {
            return false;
        }
        if (drained && *got == 0) {
            return broken(stream, "the compressed file ends early", err);
        }
    }
    return true;
}

bool input_stream_is_compressed(const struct input_stream *stream)
{
    return stream->decoder != NULL && stream->fd >= 0;
}

uint64_t input_stream_done_bytes(const struct input_stream *stream)
{
    return stream->done_bytes;
}

uint64_t input_stream_total_bytes(const struct input_stream *stream)
{
    return stream->total_bytes;
}
