// SPDX-License-Identifier: Apache-2.0
#include "store/zstd_codec.h"

#include <zstd.h>

enum { LEVEL = 3 };

bool zstd_codec_available(void)
{
    return true;
}

size_t zstd_codec_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

size_t zstd_codec_compress(const void *bytes, size_t len, void *out, size_t out_bytes)
{
    size_t got = ZSTD_compress(out, out_bytes, bytes, len, LEVEL);
    return ZSTD_isError(got) ? 0 : got;
}

bool zstd_codec_decompress(const void *bytes, size_t len, void *out, size_t out_bytes)
{
    size_t got = ZSTD_decompress(out, out_bytes, bytes, len);
    return !ZSTD_isError(got) && got == out_bytes;
}
