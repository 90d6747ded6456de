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

size_t zstd_codec_compress(struct zstd_codec *codec, const void *bytes, size_t len, void *out,
                           size_t out_bytes)
{
    (void)ZSTD_CCtx_setParameter((ZSTD_CCtx *)codec, ZSTD_c_hashLog, zstd_codec_hash_log(len));
    size_t got = ZSTD_compress2((ZSTD_CCtx *)codec, out, out_bytes, bytes, len);
    return ZSTD_isError(got) ? 0 : got;
}

bool zstd_codec_decompress(const void *bytes, size_t len, void *out, size_t out_bytes)
{
    size_t got = ZSTD_decompress(out, out_bytes, bytes, len);
    return !ZSTD_isError(got) && got == out_bytes;
}
