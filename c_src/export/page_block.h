// SPDX-License-Identifier: Apache-2.0
// Bytes inside an HTML page: a <script> element that is no script, of what was written
// to it, deflated (zlib's format), seven bits a character. Pure ASCII, without NUL, CR
// and "<", so that nothing in it can end the element or mean anything else, whatever
// the page is served as. One owner, one thread. The first failure stays: page_block_end
// tells.
#ifndef FLAME_PROF_EXPORT_PAGE_BLOCK_H
#define FLAME_PROF_EXPORT_PAGE_BLOCK_H

#include "base/byte_output.h"
#include "base/text.h"
#include "store/zlib_stream.h"

#include <stdint.h>

struct page_block;

// NULL, with the reason. `output` and `err` are borrowed.
struct page_block *page_block_create(const struct byte_output *output, struct error *err);
void page_block_destroy(struct page_block *block);

// Outside of elements: as it is.
void page_block_plain(struct page_block *block, struct text text);

// `id` is ours and harmless.
void page_block_begin(struct page_block *block, const char *id, enum zlib_effort effort);
void page_block_write(struct page_block *block, const void *bytes, size_t len);
// False when anything failed so far.
bool page_block_end(struct page_block *block);

// Whether nothing failed so far.
bool page_block_is_ok(const struct page_block *block);

// What `len` bytes deflate to, to choose among ways to write them; SIZE_MAX when that
// failed.
size_t page_block_try(const void *bytes, size_t len, enum zlib_effort effort);

#endif
