// SPDX-License-Identifier: Apache-2.0
// For the command, which is linked with zlib and zstd.
#include "store/stream_decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { GZIP_WINDOW_BITS = 15 + 16 };

struct stream_decoder {
    enum stream_coding coding;
    z_stream inflater;
    ZSTD_DStream *zstd;
};

static bool begin(struct stream_decoder *decoder)
{
    if (decoder->coding == STREAM_GZIP) {
        return inflateInit2(&decoder->inflater, GZIP_WINDOW_BITS) == Z_OK;
    }
    decoder->zstd = ZSTD_createDStream();
    return decoder->zstd != NULL;
}

struct stream_decoder *stream_decoder_create(enum stream_coding coding, struct error *err)
{
    struct stream_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder != NULL) {
        decoder->coding = coding;
    }
    if (decoder == NULL || !begin(decoder)) {
        free(decoder);
        (void)error_set(err, ERROR_NO_MEMORY, "out of memory");
        return NULL;
    }
    return decoder;
}

void stream_decoder_destroy(struct stream_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    if (decoder->coding == STREAM_GZIP) {
        (void)inflateEnd(&decoder->inflater);
    }
    (void)ZSTD_freeDStream(decoder->zstd);
    free(decoder);
}

static bool inflate_some(z_stream *inflater, struct stream_decoding *decoding, const char **wrong)
{
    size_t in_len = decoding->in_len < UINT32_MAX ? decoding->in_len : UINT32_MAX;
    inflater->next_in = (z_const Bytef *)decoding->in;
    inflater->avail_in = (uInt)in_len;
    inflater->next_out = (Bytef *)decoding->out;
    inflater->avail_out = (uInt)decoding->out_len;
    int status = inflate(inflater, Z_NO_FLUSH);
    decoding->in += in_len - inflater->avail_in;
    decoding->in_len -= in_len - inflater->avail_in;
    decoding->got = decoding->out_len - inflater->avail_out;
    decoding->is_in_frame = status != Z_STREAM_END;
    if (status == Z_STREAM_END) { // another member may follow
        (void)inflateReset(inflater);
        return true;
    }
    *wrong = inflater->msg == NULL ? "bad gzip data" : inflater->msg;
    return status == Z_OK || status == Z_BUF_ERROR;
}

static bool unzstd_some(ZSTD_DStream *zstd, struct stream_decoding *decoding, const char **wrong)
{
    ZSTD_inBuffer in = {decoding->in, decoding->in_len, 0};
    ZSTD_outBuffer out = {decoding->out, decoding->out_len, 0};
    size_t status = ZSTD_decompressStream(zstd, &out, &in);
    decoding->in += in.pos;
    decoding->in_len -= in.pos;
    decoding->got = out.pos;
    decoding->is_in_frame = status != 0;
    *wrong = ZSTD_getErrorName(status);
    return !ZSTD_isError(status);
}

bool stream_decoder_run(struct stream_decoder *decoder, struct stream_decoding *decoding,
                        const char **wrong_ret)
{
    return decoder->coding == STREAM_GZIP ? inflate_some(&decoder->inflater, decoding, wrong_ret)
                                          : unzstd_some(decoder->zstd, decoding, wrong_ret);
}
