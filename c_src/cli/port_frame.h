// SPDX-License-Identifier: Apache-2.0
// What an Erlang port and its program say to each other (src/flame_prof_port.erl):
// frames of four bytes of length, highest first, as {packet, 4} has them. One request
// comes: words, each ended by a NUL byte, the first two the limits, then a command line.
// Answers begin with a letter: `d` more of the result, then one of `o` done, or
// `e CODE NUL DETAIL` an error. One owner, one thread.
#ifndef FLAME_PROF_CLI_PORT_FRAME_H
#define FLAME_PROF_CLI_PORT_FRAME_H

#include "base/byte_output.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { PORT_MAX_REQUEST_BYTES = 4 << 20, PORT_MAX_WORDS = 16384, PORT_FRAME_BYTES = 64 << 10 };

struct port_request {
    uint64_t max_memory_bytes;
    uint64_t max_result_bytes;
    int argc; // argv[0] is the command
    char **argv;
    char *bytes; // what argv points to
};

// False, with the reason; _deinit is harmless either way.
bool port_request_read(struct port_request *request, int fd, struct error *err);
void port_request_deinit(struct port_request *request);

// The result on its way, in frames of at most PORT_FRAME_BYTES.
struct port_output {
    struct byte_output output;
    int fd;
    uint64_t max_bytes;
    uint64_t sent_bytes;
};

void port_output_init(struct port_output *port, int fd, uint64_t max_bytes);

// The last frame.
bool port_send_done(int fd, struct error *err);
void port_send_error(int fd, const char *code, const char *detail);

#endif
