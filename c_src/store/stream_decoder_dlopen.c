// SPDX-License-Identifier: Apache-2.0
// Builds without zlib and zstd, opens them at run time. The structures and calls of
// zstd are its stable ABI since 1.0
// (https://github.com/facebook/zstd/blob/v1.5.4/lib/zstd.h).
#include "store/stream_decoder.h"

#include "store/zlib_abi.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

struct zstd_in {
    const void *bytes;
    size_t len;
    size_t at;
};

struct zstd_out {
    void *bytes;
    size_t len;
    size_t at;
};

struct stream_decoder {
    enum stream_coding coding;
    void *library;
    int (*inflate_init)(struct zlib_abi_stream *stream, int window_bits, const char *version,
                        int stream_bytes);
    int (*inflate)(struct zlib_abi_stream *stream, int flush);
    int (*inflate_reset)(struct zlib_abi_stream *stream);
    int (*inflate_end)(struct zlib_abi_stream *stream);
    struct zlib_abi_stream inflater;
    void *(*zstd_create)(void);
    size_t (*zstd_decompress)(void *zstd, struct zstd_out *out, struct zstd_in *in);
    size_t (*zstd_free)(void *zstd);
    unsigned (*zstd_is_error)(size_t code);
    const char *(*zstd_error_name)(size_t code);
    void *zstd;
    bool has_begun;
};

// As POSIX wants it done: a function pointer is no object pointer.
static bool find(struct stream_decoder *decoder, const char *name, void *function_ret)
{
    *(void **)function_ret = dlsym(decoder->library, name);
    return *(void **)function_ret != NULL;
}

static bool load_zlib(struct stream_decoder *decoder)
{
    decoder->library = dlopen(ZLIB_ABI_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    return decoder->library != NULL && find(decoder, "inflateInit2_", &decoder->inflate_init) &&
           find(decoder, "inflate", &decoder->inflate) &&
           find(decoder, "inflateReset", &decoder->inflate_reset) &&
           find(decoder, "inflateEnd", &decoder->inflate_end);
}

static bool load_zstd(struct stream_decoder *decoder)
{
    decoder->library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    return decoder->library != NULL && find(decoder, "ZSTD_createDStream", &decoder->zstd_create) &&
           find(decoder, "ZSTD_decompressStream", &decoder->zstd_decompress) &&
           find(decoder, "ZSTD_freeDStream", &decoder->zstd_free) &&
           find(decoder, "ZSTD_isError", &decoder->zstd_is_error) &&
           find(decoder, "ZSTD_getErrorName", &decoder->zstd_error_name);
}

static bool begin(struct stream_decoder *decoder)
{
    if (decoder->coding == STREAM_GZIP) {
        return decoder->inflate_init(&decoder->inflater, ZLIB_ABI_GZIP_WINDOW_BITS,
                                     ZLIB_ABI_VERSION,
                                     (int)sizeof decoder->inflater) == ZLIB_ABI_OK;
    }
    decoder->zstd = decoder->zstd_create();
    return decoder->zstd != NULL;
}

static bool missing(enum stream_coding coding, struct error *err)
{
    return coding == STREAM_GZIP
               ? error_set(err, ERROR_UNSUPPORTED,
                           "gzip: libz.so.1 not found; install zlib1g, or decompress it first")
               : error_set(err, ERROR_UNSUPPORTED,
                           "zstd: libzstd.so.1 not found; install libzstd1, or decompress it "
                           "first");
}

struct stream_decoder *stream_decoder_create(enum stream_coding coding, struct error *err)
{
    struct stream_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    decoder->coding = coding;
    if (!(coding == STREAM_GZIP ? load_zlib(decoder) : load_zstd(decoder))) {
        (void)missing(coding, err);
        stream_decoder_destroy(decoder);
        return NULL;
    }
    decoder->has_begun = begin(decoder);
    if (!decoder->has_begun) {
        (void)error_set(err, ERROR_NO_MEMORY, "out of memory");
        stream_decoder_destroy(decoder);
        return NULL;
    }
    return decoder;
}

void stream_decoder_destroy(struct stream_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    if (decoder->has_begun && decoder->coding == STREAM_GZIP) {
        (void)decoder->inflate_end(&decoder->inflater);
    } else if (decoder->has_begun) {
        (void)decoder->zstd_free(decoder->zstd);
    }
    if (decoder->library != NULL) {
        (void)dlclose(decoder->library);
    }
    free(decoder);
}

static bool inflate_some(struct stream_decoder *decoder, struct stream_decoding *decoding,
                         const char **wrong)
{
    struct zlib_abi_stream *inflater = &decoder->inflater;
    size_t in_len = decoding->in_len < UINT32_MAX ? decoding->in_len : UINT32_MAX;
    inflater->next_in = (const unsigned char *)decoding->in;
    inflater->avail_in = (unsigned)in_len;
    inflater->next_out = (unsigned char *)decoding->out;
    inflater->avail_out = (unsigned)decoding->out_len;
    int status = decoder->inflate(inflater, ZLIB_ABI_NO_FLUSH);
    decoding->in += in_len - inflater->avail_in;
    decoding->in_len -= in_len - inflater->avail_in;
    decoding->got = decoding->out_len - inflater->avail_out;
    decoding->is_in_frame = status != ZLIB_ABI_STREAM_END;
    if (status == ZLIB_ABI_STREAM_END) { // another member may follow
        (void)decoder->inflate_reset(inflater);
        return true;
    }
    *wrong = inflater->message == NULL ? "bad gzip data" : inflater->message;
    return status == ZLIB_ABI_OK || status == ZLIB_ABI_BUF_ERROR;
}

static bool unzstd_some(struct stream_decoder *decoder, struct stream_decoding *decoding,
                        const char **wrong)
{
    struct zstd_in in = {decoding->in, decoding->in_len, 0};
    struct zstd_out out = {decoding->out, decoding->out_len, 0};
    size_t status = decoder->zstd_decompress(decoder->zstd, &out, &in);
    decoding->in += in.at;
    decoding->in_len -= in.at;
    decoding->got = out.at;
    decoding->is_in_frame = status != 0;
    *wrong = decoder->zstd_error_name(status);
    return decoder->zstd_is_error(status) == 0;
}

bool stream_decoder_run(struct stream_decoder *decoder, struct stream_decoding *decoding,
                        const char **wrong_ret)
{
    return decoder->coding == STREAM_GZIP ? inflate_some(decoder, decoding, wrong_ret)
                                          : unzstd_some(decoder, decoding, wrong_ret);
}
