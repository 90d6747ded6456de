// SPDX-License-Identifier: Apache-2.0
#include "store/zstd_codec.h"

#include <dlfcn.h>
#include <pthread.h>

// Of <zstd.h>, which is not there.
enum {
    PARAMETER_LEVEL = 100,
    PARAMETER_HASH_LOG = 102,
    PARAMETER_MIN_MATCH = 105,
    PARAMETER_TARGET_LENGTH = 106,
    PARAMETER_LITERALS = 1002, // one of those it calls experimental
};

static struct {
    size_t (*bound)(size_t len);
    void *(*create)(void);
    size_t (*destroy)(void *codec);
    size_t (*set)(void *codec, int parameter, int value);
    size_t (*compress)(void *codec, void *out, size_t out_bytes, const void *bytes, size_t len);
    size_t (*decompress)(void *out, size_t out_bytes, const void *bytes, size_t len);
    unsigned (*is_error)(size_t code);
    bool is_there;
} zstd;

static pthread_once_t zstd_once = PTHREAD_ONCE_INIT;

static void open_zstd(void)
{
    void *library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL); // stays open
    if (library == NULL) {
        return;
    }
    // As POSIX wants it done: a function pointer is no object pointer.
    *(void **)&zstd.bound = dlsym(library, "ZSTD_compressBound");
    *(void **)&zstd.create = dlsym(library, "ZSTD_createCCtx");
    *(void **)&zstd.destroy = dlsym(library, "ZSTD_freeCCtx");
    *(void **)&zstd.set = dlsym(library, "ZSTD_CCtx_setParameter");
    *(void **)&zstd.compress = dlsym(library, "ZSTD_compress2");
    *(void **)&zstd.decompress = dlsym(library, "ZSTD_decompress");
    *(void **)&zstd.is_error = dlsym(library, "ZSTD_isError");
    zstd.is_there = zstd.bound != NULL && zstd.create != NULL && zstd.destroy != NULL &&
                    zstd.set != NULL && zstd.compress != NULL && zstd.decompress != NULL &&
                    zstd.is_error != NULL;
}

static bool is_available(void)
{
    (void)pthread_once(&zstd_once, open_zstd);
    return zstd.is_there;
}

// It is zstd's own, by another name.
struct zstd_codec *zstd_codec_create(void)
{
    void *codec = is_available() ? zstd.create() : NULL;
    if (codec != NULL) { // what it refuses stays as it is
        (void)zstd.set(codec, PARAMETER_LEVEL, ZSTD_CODEC_LEVEL);
    }
    return codec;
}

void zstd_codec_destroy(struct zstd_codec *codec)
{
    if (codec != NULL) { // then it is available
        (void)zstd.destroy(codec);
    }
}

size_t zstd_codec_bound(size_t len)
{
    return is_available() ? zstd.bound(len) : 0;
}

static bool set(struct zstd_codec *codec, int parameter, int value)
{
    return zstd.is_error(zstd.set(codec, parameter, value)) == 0;
}

size_t zstd_codec_compress(struct zstd_codec *codec, bool is_numbers, const void *bytes, size_t len,
                           void *out, size_t out_bytes)
{
    struct zstd_codec_effort effort = zstd_codec_effort(len, is_numbers);
    (void)set(codec, PARAMETER_HASH_LOG, effort.hash_log);
    (void)set(codec, PARAMETER_MIN_MATCH, effort.min_match);
    bool has_literals = set(codec, PARAMETER_LITERALS, effort.literals);
    (void)set(codec, PARAMETER_TARGET_LENGTH, has_literals ? effort.target_length : 0);
    size_t got = zstd.compress(codec, out, out_bytes, bytes, len);
    return zstd.is_error(got) != 0 ? 0 : got;
}

bool zstd_codec_decompress(const void *bytes, size_t len, void *out, size_t out_bytes)
{
    if (!is_available()) {
        return false;
    }
    size_t got = zstd.decompress(out, out_bytes, bytes, len);
    return zstd.is_error(got) == 0 && got == out_bytes;
}
