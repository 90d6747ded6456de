// SPDX-License-Identifier: Apache-2.0
#include "cli/port_frame.h"

#include "cli/number_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 4, LIMIT_WORDS = 2 };

// --- the request ----------------------------------------------------------------

static bool read_all(int fd, char *bytes, size_t len, struct error *err)
{
    while (len > 0) {
        ssize_t got = read(fd, bytes, len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_os(err, errno, "the request");
        }
        if (got == 0) {
            return error_set(err, ERROR_BAD_INPUT, "the request ends early");
        }
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

static bool split(struct port_request *request, size_t len, struct error *err)
{
    int cnt = 0;
    char *words[LIMIT_WORDS] = {NULL};
    for (char *at = request->bytes; at < request->bytes + len; at += strlen(at) + 1) {
        if (cnt < LIMIT_WORDS) {
            words[cnt] = at;
        } else if (cnt < PORT_MAX_WORDS) {
            request->argv[request->argc++] = at;
        } else {
            return error_set(err, ERROR_LIMIT, "more than %d files at once", PORT_MAX_WORDS - 64);
        }
        cnt++;
    }
    return (request->argc > 0 &&
            number_text_parse(words[0], 1, UINT64_MAX >> 1, &request->max_memory_bytes) &&
            number_text_parse(words[1], 1, UINT64_MAX >> 1, &request->max_result_bytes)) ||
           error_set(err, ERROR_BAD_INPUT, "the request is of another version");
}

bool port_request_read(struct port_request *request, int fd, struct error *err)
{
    unsigned char head[HEAD_BYTES];
    *request = (struct port_request){.argc = 0};
    if (!read_all(fd, (char *)head, sizeof head, err)) {
        return false;
    }
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > PORT_MAX_REQUEST_BYTES) {
        return error_set(err, ERROR_LIMIT, "the request is longer than %d MiB",
                         PORT_MAX_REQUEST_BYTES >> 20);
    }
    request->bytes = calloc(len + 1, 1); // the last word is ended in any case
    request->argv = calloc(PORT_MAX_WORDS + 1, sizeof *request->argv);
    if (request->bytes == NULL || request->argv == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "the request: out of memory");
    }
    return read_all(fd, request->bytes, len, err) && split(request, len, err);
}

void port_request_deinit(struct port_request *request)
{
    free(request->argv);
    free(request->bytes);
    *request = (struct port_request){.argc = 0};
}

// --- answers --------------------------------------------------------------------

static bool write_all(int fd, const char *bytes, size_t len, struct error *err)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno != EINTR) {
            return error_os(err, errno, "the port");
        }
        bytes += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

static bool send_frame(int fd, char kind, const void *bytes, size_t len, struct error *err)
{
    uint32_t frame_len = (uint32_t)len + 1;
    const char head[HEAD_BYTES + 1] = {(char)(frame_len >> 24), (char)(frame_len >> 16),
                                       (char)(frame_len >> 8), (char)frame_len, kind};
    return write_all(fd, head, sizeof head, err) && write_all(fd, bytes, len, err);
}

static bool send_result(void *context, const void *bytes, size_t len, struct error *err)
{
    struct port_output *port = context;
    const char *at = bytes;
    if (len > port->max_bytes - port->sent_bytes) {
        return error_set(err, ERROR_LIMIT,
                         "the result is larger than max_bytes (%llu): write it to a file (output), "
                         "or ask for less of it (filter, from, to)",
                         (unsigned long long)port->max_bytes);
    }
    port->sent_bytes += len;
    while (len > 0) {
        size_t part = len < PORT_FRAME_BYTES ? len : PORT_FRAME_BYTES;
        if (!send_frame(port->fd, 'd', at, part, err)) {
            return false;
        }
        at += part;
        len -= part;
    }
    return true;
}

void port_output_init(struct port_output *port, int fd, uint64_t max_bytes)
{
    *port = (struct port_output){{send_result, port}, fd, max_bytes, 0};
}

bool port_send_done(int fd, struct error *err)
{
    return send_frame(fd, 'o', "", 0, err);
}

void port_send_error(int fd, const char *code, const char *detail)
{
    char frame[ERROR_DETAIL_BYTES + 64];
    int code_len = snprintf(frame, 64, "%s", code);
    int detail_len = snprintf(frame + code_len + 1, ERROR_DETAIL_BYTES, "%s", detail);
    (void)send_frame(fd, 'e', frame, (size_t)code_len + 1 + (size_t)detail_len, NULL);
}
