// SPDX-License-Identifier: Apache-2.0
#include "import/input_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { RAW_BYTES = 256 << 10 };

enum coding { CODING_PLAIN, CODING_GZIP, CODING_ZSTD };

struct input_stream {
    int fd; // -1: bytes in memory
    char name[256];
    enum coding coding;
    uint64_t done_bytes;
    uint64_t total_bytes;
    bool at_end;      // of the file
    bool is_in_frame; // of compressed data: the end would be too early
    z_stream inflater;
    ZSTD_DStream *zstd;
    const char *raw; // not yet decoded
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

static bool begin_decoder(struct input_stream *stream)
{
    static const unsigned char GZIP[] = {0x1F, 0x8B};
    static const unsigned char ZSTD[] = {0x28, 0xB5, 0x2F, 0xFD};
    if (stream->raw_len >= sizeof GZIP && memcmp(stream->raw, GZIP, sizeof GZIP) == 0) {
        stream->coding = CODING_GZIP;
        return inflateInit2(&stream->inflater, 15 + 16) == Z_OK;
    }
    if (stream->raw_len >= sizeof ZSTD && memcmp(stream->raw, ZSTD, sizeof ZSTD) == 0) {
        stream->coding = CODING_ZSTD;
        stream->zstd = ZSTD_createDStream();
        return stream->zstd != NULL;
    }
    return true;
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
    if (!begin_decoder(stream)) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", stream->name);
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
    if (stream->coding == CODING_GZIP) {
        (void)inflateEnd(&stream->inflater);
    }
    (void)ZSTD_freeDStream(stream->zstd);
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

static bool inflate_some(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                         struct error *err)
{
    z_stream *inflater = &stream->inflater;
    inflater->next_in = (Bytef *)stream->raw;
    inflater->avail_in = (uInt)stream->raw_len;
    inflater->next_out = (Bytef *)bytes;
    inflater->avail_out = (uInt)len;
    int status = inflate(inflater, Z_NO_FLUSH);
    stream->raw += stream->raw_len - inflater->avail_in;
    stream->raw_len = inflater->avail_in;
    *got = len - inflater->avail_out;
    stream->is_in_frame = status != Z_STREAM_END;
    if (status == Z_STREAM_END) { // another member may follow
        (void)inflateReset(inflater);
        return true;
    }
    return status == Z_OK || status == Z_BUF_ERROR ||
           broken(stream, inflater->msg == NULL ? "bad gzip data" : inflater->msg, err);
}

static bool unzstd_some(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                        struct error *err)
{
    ZSTD_inBuffer in = {stream->raw, stream->raw_len, 0};
    ZSTD_outBuffer out = {bytes, len, 0};
    size_t status = ZSTD_decompressStream(stream->zstd, &out, &in);
    stream->raw += in.pos;
    stream->raw_len -= in.pos;
    *got = out.pos;
    stream->is_in_frame = status != 0;
    return !ZSTD_isError(status) || broken(stream, ZSTD_getErrorName(status), err);
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
    switch (stream->coding) {
    case CODING_GZIP:
        return inflate_some(stream, bytes, len, got, err);
    case CODING_ZSTD:
        return unzstd_some(stream, bytes, len, got, err);
    default:
        return copy_some(stream, bytes, len, got);
    }
}

bool input_stream_read(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                       struct error *err)
{
    len = len < UINT32_MAX ? len : UINT32_MAX;
    *got = 0;
    if (stream->coding == CODING_PLAIN && stream->raw_len == 0 && !stream->at_end) {
        return read_file(stream, bytes, len, got, err); // what began it is copied
    }
    while (*got == 0) {
        if (!fill(stream, err)) {
            return false;
        }
        bool drained = stream->raw_len == 0 && stream->at_end;
        if (drained && (stream->coding == CODING_PLAIN || !stream->is_in_frame)) {
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
    return stream->coding != CODING_PLAIN && stream->fd >= 0;
}

uint64_t input_stream_done_bytes(const struct input_stream *stream)
{
    return stream->done_bytes;
}

uint64_t input_stream_total_bytes(const struct input_stream *stream)
{
    return stream->total_bytes;
}
