// SPDX-License-Identifier: Apache-2.0
#include "store/deflate_dlopen.h"

#include <dlfcn.h>
#include <stddef.h>

bool deflate_dlopen_load(struct deflate_dlopen *deflate)
{
    deflate->library = dlopen(ZLIB_ABI_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (deflate->library == NULL) {
        return false;
    }
    *(void **)&deflate->init = dlsym(deflate->library, "deflateInit2_");
    *(void **)&deflate->deflate = dlsym(deflate->library, "deflate");
    *(void **)&deflate->reset = dlsym(deflate->library, "deflateReset");
    *(void **)&deflate->end = dlsym(deflate->library, "deflateEnd");
    return deflate->init != NULL && deflate->deflate != NULL && deflate->reset != NULL &&
           deflate->end != NULL;
}

bool deflate_dlopen_begin(struct deflate_dlopen *deflate, int level, int window_bits, int mem_level,
                          int strategy)
{
    deflate->has_begun =
        deflate->init(&deflate->stream, level, DEFLATE_METHOD, window_bits, mem_level, strategy,
                      ZLIB_ABI_VERSION, (int)sizeof deflate->stream) == ZLIB_ABI_OK;
    return deflate->has_begun;
}

void deflate_dlopen_close(struct deflate_dlopen *deflate)
{
    if (deflate->has_begun) {
        (void)deflate->end(&deflate->stream);
    }
    if (deflate->library != NULL) {
        (void)dlclose(deflate->library);
    }
}
