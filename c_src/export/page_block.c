// SPDX-License-Identifier: Apache-2.0
#include "export/page_block.h"

#include <limits.h>
#include <stdlib.h>

enum {
    PIECE_BYTES = 64 << 10,
    // A piece in sevenths, every character escaped, and what was left before.
    TEXT_BYTES = PIECE_BYTES * 8 / 7 * 2 + 16,
    ESCAPE = 0x7f,
};

struct page_block {
    const struct byte_output *output;
    struct error *err;
    bool has_failed;
    struct zlib_stream *ways[ZLIB_EFFORT_FULL + 1];
    struct zlib_stream *zlib; // that of the present element
    uint32_t bits;            // not yet written, the latest lowest
    uint32_t bit_cnt;
    unsigned char piece[PIECE_BYTES];
    char text[TEXT_BYTES];
};

struct page_block *page_block_create(const struct byte_output *output, struct error *err)
{
    struct page_block *block = calloc(1, sizeof *block);
    if (block == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "export: out of memory");
        return NULL;
    }
    block->ways[ZLIB_EFFORT_RUNS] = zlib_stream_create(ZLIB_EFFORT_RUNS, err);
    block->ways[ZLIB_EFFORT_FULL] = zlib_stream_create(ZLIB_EFFORT_FULL, err);
    if (block->ways[ZLIB_EFFORT_RUNS] == NULL || block->ways[ZLIB_EFFORT_FULL] == NULL) {
        page_block_destroy(block);
        return NULL;
    }
    block->output = output;
    block->err = err;
    return block;
}

void page_block_destroy(struct page_block *block)
{
    if (block != NULL) {
        zlib_stream_destroy(block->ways[ZLIB_EFFORT_RUNS]);
        zlib_stream_destroy(block->ways[ZLIB_EFFORT_FULL]);
    }
    free(block);
}

void page_block_plain(struct page_block *block, struct text text)
{
    block->has_failed =
        block->has_failed || !byte_output_write(block->output, text.bytes, text.len, block->err);
}

// --- seven bits a character -----------------------------------------------------

static char *put_character(char *at, uint32_t seven)
{
    switch (seven) {
    case 0:
        *at++ = ESCAPE;
        *at++ = 'a';
        return at;
    case '\r':
        *at++ = ESCAPE;
        *at++ = 'b';
        return at;
    case '<':
        *at++ = ESCAPE;
        *at++ = 'c';
        return at;
    case ESCAPE:
        *at++ = ESCAPE;
        *at++ = 'd';
        return at;
    default:
        *at++ = (char)seven;
        return at;
    }
}

static void write_text(struct page_block *block, const unsigned char *bytes, size_t len)
{
    char *at = block->text;
    for (size_t i = 0; i < len; i++) {
        block->bits = block->bits << 8 | bytes[i];
        block->bit_cnt += 8;
        while (block->bit_cnt >= 7) {
            block->bit_cnt -= 7;
            at = put_character(at, block->bits >> block->bit_cnt & 0x7f);
        }
    }
    page_block_plain(block, (struct text){block->text, (uint32_t)(at - block->text)});
}

static void flush_bits(struct page_block *block)
{
    if (block->bit_cnt > 0) {
        char *end = put_character(block->text, block->bits << (7 - block->bit_cnt) & 0x7f);
        page_block_plain(block, (struct text){block->text, (uint32_t)(end - block->text)});
    }
    block->bits = 0;
    block->bit_cnt = 0;
}

// --- elements -------------------------------------------------------------------

void page_block_begin(struct page_block *block, const char *id, enum zlib_effort effort)
{
    block->zlib = block->ways[effort];
    page_block_plain(block, TEXT("<script type=\"text/plain\" id=\""));
    page_block_plain(block, text_of(id));
    page_block_plain(block, TEXT("\">"));
}

static void deflate_some(struct page_block *block, bool is_end)
{
    size_t got = 0;
    do {
        got = zlib_stream_output(block->zlib, block->piece, PIECE_BYTES, is_end);
        write_text(block, block->piece, got);
    } while (got == PIECE_BYTES && !block->has_failed);
}

void page_block_write(struct page_block *block, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    while (len > 0 && !block->has_failed) {
        size_t part = len < UINT_MAX ? len : UINT_MAX;
        zlib_stream_input(block->zlib, at, part);
        deflate_some(block, false);
        at += part;
        len -= part;
    }
}

bool page_block_end(struct page_block *block)
{
    zlib_stream_input(block->zlib, "", 0);
    deflate_some(block, true);
    zlib_stream_reset(block->zlib);
    flush_bits(block);
    page_block_plain(block, TEXT("</script>\n"));
    return !block->has_failed;
}

bool page_block_is_ok(const struct page_block *block)
{
    return !block->has_failed;
}

size_t page_block_try(const void *bytes, size_t len, enum zlib_effort effort)
{
    unsigned char piece[4096];
    struct zlib_stream *zlib = len <= UINT_MAX ? zlib_stream_create(effort, NULL) : NULL;
    size_t packed_len = 0;
    size_t got = 0;
    if (zlib == NULL) {
        return SIZE_MAX;
    }
    zlib_stream_input(zlib, bytes, len);
    do {
        got = zlib_stream_output(zlib, piece, sizeof piece, true);
        packed_len += got;
    } while (got == sizeof piece);
    zlib_stream_destroy(zlib);
    return packed_len;
}
