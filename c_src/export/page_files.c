// SPDX-License-Identifier: Apache-2.0
#include "export/page_files.h"

// The files between two symbols; paths are from the project's root, where make runs.
#define FILE_BYTES(path) ".incbin \"web/page/" path "\"\n"
#define LABEL(symbol) ".hidden " #symbol "\n.global " #symbol "\n" #symbol ":\n"

// One page in the order of its parts.
__asm__(".pushsection .rodata\n" LABEL(page_files_begin)
        // clang-format off
        FILE_BYTES("head.html")
        ".ascii \"<style>\\n\"\n"
        FILE_BYTES("page.css")
        ".ascii \"</style>\\n\"\n"
        FILE_BYTES("body.html")
        LABEL(page_files_data)
        ".ascii \"<script>\\n\"\n"
        FILE_BYTES("data.js")
        FILE_BYTES("profile.js")
        FILE_BYTES("palette.js")
        FILE_BYTES("number.js")
        FILE_BYTES("heatmap.js")
        FILE_BYTES("flame.js")
        FILE_BYTES("table.js")
        FILE_BYTES("page.js")
        ".ascii \"</script>\\n\"\n"
        LABEL(page_files_end)
        // clang-format on
        ".popsection\n");

extern const char page_files_begin[];
extern const char page_files_data[];
extern const char page_files_end[];

struct text page_files_head(void)
{
    return (struct text){page_files_begin, (uint32_t)(page_files_data - page_files_begin)};
}

struct text page_files_scripts(void)
{
    return (struct text){page_files_data, (uint32_t)(page_files_end - page_files_data)};
}
