// SPDX-License-Identifier: Apache-2.0
// Finds the separate debug file of a stripped ELF file, where gdb looks for it:
// /usr/lib/debug/.build-id/xx/yyyy.debug, then what .gnu_debuglink names beside
// the file, in .debug/ and under /usr/lib/debug. A debug file of another build
// is refused (build id, else the link's checksum).
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_ELF_DEBUG_FILE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_ELF_DEBUG_FILE_H

#include "symbols/system/elf_symbols.h"

// `debug` is then the caller's to close.
bool elf_debug_file_open(struct elf_file *debug, const struct elf_file *stripped, struct text path,
                         const struct elf_debug_opener *opener);

#endif
