// SPDX-License-Identifier: Apache-2.0
// Decodes a stream of gzip members or zstd frames. Two implementations, chosen by the
// build: stream_decoder_linked.c (the command) and stream_decoder_dlopen.c (what must
// build without zlib and zstd: it opens libz.so.1 or libzstd.so.1 when first asked).
// One thread per decoder.
#ifndef FLAME_PROF_STORE_STREAM_DECODER_H
#define FLAME_PROF_STORE_STREAM_DECODER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum stream_coding { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD };

struct stream_decoder;

// By its first bytes.
static inline enum stream_coding stream_coding_of(const char *bytes, size_t len)
{
    bool is_gzip = len >= 2 && memcmp(bytes, "\x1F\x8B", 2) == 0;
    bool is_zstd = len >= 4 && memcmp(bytes, "\x28\xB5\x2F\xFD", 4) == 0;
    return is_gzip ? STREAM_GZIP : is_zstd ? STREAM_ZSTD : STREAM_PLAIN;
}

// Of gzip or zstd. NULL, with the reason: memory, or the library is missing.
struct stream_decoder *stream_decoder_create(enum stream_coding coding, struct error *err);
void stream_decoder_destroy(struct stream_decoder *decoder); // NULL-safe

struct stream_decoding {
    const char *in; // what is not yet decoded; moves on
    size_t in_len;
    char *out;
    size_t out_len;
    size_t got;       // of `out`
    bool is_in_frame; // the input must not end here
};

// Decodes some, at most UINT32_MAX at once. False, with what is wrong with the data.
bool stream_decoder_run(struct stream_decoder *decoder, struct stream_decoding *decoding,
                        const char **wrong_ret);

#endif
