// SPDX-License-Identifier: Apache-2.0
// Mini debuginfo: a small ELF file with a .symtab, packed by xz into the section
// .gnu_debugdata of a stripped one. It names the functions that .dynsym does not.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_ELF_MINI_DEBUG_H
#define FLAME_PROF_SYMBOLS_SYSTEM_ELF_MINI_DEBUG_H

#include "symbols/system/elf_file.h"

enum {
    ELF_MINI_DEBUG_MAX_PACKED_BYTES = 16 << 20,
    ELF_MINI_DEBUG_MAX_BYTES = 64 << 20, // unpacked
};

// Memory and the file in it. A zeroed struct is closed.
struct elf_mini_debug {
    struct elf_file file;
    unsigned char *bytes;
};

// False when `stripped` has none, or one that is malformed or too large. Takes at
// most 64 MB beside the unpacked bytes.
bool elf_mini_debug_open(struct elf_mini_debug *debug, const struct elf_file *stripped);
// Harmless twice and on a zeroed struct.
void elf_mini_debug_close(struct elf_mini_debug *debug);

#endif
