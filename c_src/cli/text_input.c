// SPDX-License-Identifier: Apache-2.0
#include "cli/text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { INFLATE_BYTES = 128 << 10 };

struct text_input {
    gzFile file; // reads plain text, too
    char path[256];
    size_t begin; // of what is not yet handed out
    size_t end;
    bool at_end;
    bool is_skipping; // within a line that is too long
    char bytes[TEXT_INPUT_MAX_LINE_BYTES];
};

static int open_path(const char *path, struct error *err)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return dup(STDIN_FILENO);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_os(err, errno, "%s", path);
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)error_set(err, ERROR_BAD_ARGUMENT, "%s: a directory, give a .perf or .perf.gz file",
                        path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

struct text_input *text_input_open(const char *path, struct error *err)
{
    int fd = open_path(path, err);
    if (fd < 0) {
        return NULL;
    }
    struct text_input *input = calloc(1, sizeof *input);
    gzFile file = input == NULL ? NULL : gzdopen(fd, "r");
    if (file == NULL) {
        free(input);
        (void)close(fd);
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    (void)gzbuffer(file, INFLATE_BYTES);
    input->file = file;
    (void)snprintf(input->path, sizeof input->path, "%s", path);
    return input;
}

void text_input_close(struct text_input *input)
{
    if (input != NULL) {
        (void)gzclose_r(input->file);
    }
    free(input);
}

static bool fill(struct text_input *input, struct error *err)
{
    memmove(input->bytes, input->bytes + input->begin, input->end - input->begin);
    input->end -= input->begin;
    input->begin = 0;
    int got = gzread(input->file, input->bytes + input->end,
                     (unsigned)(sizeof input->bytes - input->end));
    if (got > 0) {
        input->end += (size_t)got;
        return true;
    }
    int status = Z_OK;
    const char *message = gzerror(input->file, &status);
    input->at_end = true;
    if (status == Z_OK || status == Z_STREAM_END) {
        return true;
    }
    return error_set(err, ERROR_BAD_INPUT, "%s: %s", input->path,
                     status == Z_BUF_ERROR ? "the compressed file ends early" : message);
}

static enum text_input_result end_of_input(struct text_input *input, struct text *line)
{
    size_t len = input->end - input->begin;
    if (len == 0 || input->is_skipping) {
        enum text_input_result result = input->is_skipping ? TEXT_INPUT_TOO_LONG : TEXT_INPUT_END;
        input->begin = input->end;
        input->is_skipping = false;
        return result;
    }
    *line = (struct text){input->bytes + input->begin, (uint32_t)len};
    input->begin = input->end;
    return TEXT_INPUT_LINE;
}

enum text_input_result text_input_next(struct text_input *input, struct text *line,
                                       struct error *err)
{
    for (;;) {
        const char *begin = input->bytes + input->begin;
        const char *newline = memchr(begin, '\n', input->end - input->begin);
        if (newline != NULL) {
            *line = (struct text){begin, (uint32_t)(newline - begin)};
            input->begin += (size_t)(newline - begin) + 1;
            if (!input->is_skipping) {
                return TEXT_INPUT_LINE;
            }
            input->is_skipping = false;
            return TEXT_INPUT_TOO_LONG;
        }
        if (input->at_end) {
            return end_of_input(input, line);
        }
        if (input->end - input->begin == sizeof input->bytes) {
            input->is_skipping = true;
            input->begin = input->end;
        }
        if (!fill(input, err)) {
            return TEXT_INPUT_BROKEN;
        }
    }
}
