// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/vdso.h"

#include "symbols/system/elf_symbols.h"

#include <string.h>
#include <sys/auxv.h>

// Sections lie behind the segments; the image ends with its section headers.
static size_t image_bytes(const unsigned char *image)
{
    Elf64_Ehdr header;
    memcpy(&header, image, sizeof header);
    return (size_t)(header.e_shoff + (uint64_t)header.e_shnum * header.e_shentsize);
}

bool vdso_load(struct symbol_table *table)
{
    const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    struct elf_file file = {0};
    if (image == NULL || !elf_file_open_memory(&file, image, image_bytes(image), NULL)) {
        return false;
    }
    bool ok = elf_symbols_load(table, &file, TEXT(""), NULL) != ELF_SYMBOLS_NONE;
    elf_file_close(&file);
    return ok;
}
