// SPDX-License-Identifier: Apache-2.0
#include "store/zstd_codec.h"

#include <zstd.h>

// It is zstd's own, by another name.
struct zstd_codec *zstd_codec_create(void)
{
    ZSTD_CCtx *codec = ZSTD_createCCtx();
    if (codec != NULL) { // what it refuses stays as it is
        (void)ZSTD_CCtx_setParameter(codec, ZSTD_c_compressionLevel, ZSTD_CODEC_LEVEL);
    }
    return (struct zstd_codec *)codec;
}

void zstd_codec_destroy(struct zstd_codec *codec)
{
    (void)ZSTD_freeCCtx((ZSTD_CCtx *)codec);
}

size_t zstd_codec_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

static bool set(struct zstd_codec *codec, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter((ZSTD_CCtx *)codec, parameter, value));
}

size_t zstd_codec_compress(struct zstd_codec *codec, bool is_numbers, const void *bytes, size_t len,
                           void *out, size_t out_bytes)
{
    struct zstd_codec_effort effort = zstd_codec_effort(len, is_numbers);
    (void)set(codec, ZSTD_c_hashLog, effort.hash_log);
    (void)set(codec, ZSTD_c_minMatch, effort.min_match);
    bool has_literals = set(codec, ZSTD_c_experimentalParam5, effort.literals);
    (void)set(codec, ZSTD_c_targetLength, has_literals ? effort.target_length : 0);
    size_t got = ZSTD_compress2((ZSTD_CCtx *)codec, out, out_bytes, bytes, len);
    return ZSTD_isError(got) ? 0 : got;
}

bool zstd_codec_decompress(const void *bytes, size_t len, void *out, size_t out_bytes)
{
    size_t got = ZSTD_decompress(out, out_bytes, bytes, len);
    return !ZSTD_isError(got) && got == out_bytes;
}
