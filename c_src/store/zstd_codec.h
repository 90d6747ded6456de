// SPDX-License-Identifier: Apache-2.0
// zstd. Two implementations, chosen by the build: zstd_linked.c (the command) and
// zstd_dlopen.c (the NIF, which must build without zstd: it opens libzstd.so.1 when
// first asked, and does without where there is none). A compressor is one thread's, the
// rest any thread's.
#ifndef FLAME_PROF_STORE_ZSTD_CODEC_H
#define FLAME_PROF_STORE_ZSTD_CODEC_H

#include <stdbool.h>
#include <stddef.h>

enum { ZSTD_CODEC_LEVEL = 1, ZSTD_CODEC_SHORT_BYTES = 32 << 10 };

// 0 = as the level has it.
struct zstd_codec_effort {
    int hash_log;
    int min_match;
    int target_length; // > 0: what has no match is skipped ever faster ...
    int literals;      // ... 1: and still gets an entropy code
};

// Short ones, as an engine writes them, get a table of matches that stays in the innermost
// cache: a fifth less time than with the level's own, 0.7 % more bytes. Short numbers
// gain little by matches, much by the entropy code: two fifths less time, 5 % more bytes.
static inline struct zstd_codec_effort zstd_codec_effort(size_t len, bool is_numbers)
{
    if (len > ZSTD_CODEC_SHORT_BYTES) {
        return (struct zstd_codec_effort){0};
    }
    return is_numbers ? (struct zstd_codec_effort){8, 7, 8, 1}
                      : (struct zstd_codec_effort){.hash_log = 10};
}

// One that compresses; NULL where there is no zstd, or no memory.
struct zstd_codec;
struct zstd_codec *zstd_codec_create(void);
void zstd_codec_destroy(struct zstd_codec *codec);

// What `len` bytes need at most.
size_t zstd_codec_bound(size_t len);

// The compressed length; 0 when it failed or did not fit. `is_numbers`: of columns, not
// of names.
size_t zstd_codec_compress(struct zstd_codec *codec, bool is_numbers, const void *bytes, size_t len,
                           void *out, size_t out_bytes);

// True when exactly `out_bytes` came out.
bool zstd_codec_decompress(const void *bytes, size_t len, void *out, size_t out_bytes);

#endif
