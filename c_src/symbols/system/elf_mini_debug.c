// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_mini_debug.h"

#include <lzma.h>
#include <stdlib.h>

enum {
    MAX_DECODER_BYTES = 64 << 20, // for the dictionary, which is 8 MB at xz -6
    FIRST_BYTES = 256 << 10,
};

// Room to go on; false at the limit.
static bool grow(struct elf_mini_debug *debug, lzma_stream *stream, size_t *capacity)
{
    size_t larger = *capacity == 0 ? FIRST_BYTES : *capacity * 2;
    unsigned char *bytes = larger > ELF_MINI_DEBUG_MAX_BYTES ? NULL : realloc(debug->bytes, larger);
    if (bytes == NULL) {
        return false;
    }
    debug->bytes = bytes;
    stream->next_out = bytes + stream->total_out;
    stream->avail_out = larger - (size_t)stream->total_out;
    *capacity = larger;
    return true;
}

static bool unpack(struct elf_mini_debug *debug, const char *packed, size_t packed_len, size_t *len)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_ret result = lzma_stream_decoder(&stream, MAX_DECODER_BYTES, 0);
    size_t capacity = 0;
    stream.next_in = (const uint8_t *)packed;
    stream.avail_in = packed_len;
    while (result == LZMA_OK && (stream.avail_out > 0 || grow(debug, &stream, &capacity))) {
        result = lzma_code(&stream, LZMA_FINISH);
    }
    *len = (size_t)stream.total_out;
    lzma_end(&stream);
    return result == LZMA_STREAM_END;
}

bool elf_mini_debug_open(struct elf_mini_debug *debug, const struct elf_file *stripped)
{
    size_t packed_len = 0;
    size_t len = 0;
    const Elf64_Shdr *section = elf_file_section(stripped, ".gnu_debugdata");
    *debug = (struct elf_mini_debug){.bytes = NULL};
    char *packed = section == NULL
                       ? NULL
                       : elf_file_load_section(stripped, section, ELF_MINI_DEBUG_MAX_PACKED_BYTES,
                                               &packed_len);
    bool ok = packed != NULL && unpack(debug, packed, packed_len, &len) &&
              elf_file_open_memory(&debug->file, debug->bytes, len, NULL);
    free(packed);
    if (!ok) {
        elf_mini_debug_close(debug);
    }
    return ok;
}

void elf_mini_debug_close(struct elf_mini_debug *debug)
{
    elf_file_close(&debug->file);
    free(debug->bytes);
    debug->bytes = NULL;
}
