// SPDX-License-Identifier: Apache-2.0
// A 64-bit ELF file of this machine's byte order, read piece by piece: nothing
// is mapped (a file that shrinks must not kill us), nothing in it is trusted.
// One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_ELF_FILE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_ELF_FILE_H

#include "base/error.h"
#include "base/text.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_FILE_MAX_SEGMENTS = 128,
    ELF_FILE_MAX_SECTIONS = 16384,
    ELF_FILE_MAX_BUILD_ID_BYTES = 64,
};

// A zeroed struct is closed.
struct elf_file {
    int fd;                      // -1 when the file is in memory
    const unsigned char *memory; // borrowed
    uint64_t size;
    uint16_t machine; // EM_X86_64...
    Elf64_Phdr *segments;
    uint32_t segment_cnt;
    Elf64_Shdr *sections;
    uint32_t section_cnt;
    char *section_names; // NUL-terminated as a whole
    size_t section_names_bytes;
    bool is_open;
};

struct elf_build_id {
    uint8_t bytes[ELF_FILE_MAX_BUILD_ID_BYTES];
    uint32_t len; // 0 = none
};

// The descriptor becomes the file's own, also on failure.
bool elf_file_open(struct elf_file *file, int fd_take, struct error *err);
// `memory` stays the caller's and must outlive the file.
bool elf_file_open_memory(struct elf_file *file, const void *memory, size_t len, struct error *err);
// Harmless twice and on a zeroed struct.
void elf_file_close(struct elf_file *file);

// Copies `len` bytes from `offset`; false when the file does not hold them all.
bool elf_file_read(const struct elf_file *file, uint64_t offset, void *to, size_t len);

// NULL when there is none.
const Elf64_Shdr *elf_file_section(const struct elf_file *file, const char *name);
const Elf64_Shdr *elf_file_section_of_type(const struct elf_file *file, uint32_t type);

// The section's bytes plus a NUL behind them, to be freed by the caller; NULL
// when it lies outside the file, is larger than `max_bytes` or compressed.
char *elf_file_load_section(const struct elf_file *file, const Elf64_Shdr *section,
                            size_t max_bytes, size_t *len);

// The virtual address at which the byte at `offset` of the file is loaded. False
// when no segment loads it.
bool elf_file_address_of_offset(const Elf64_Phdr *segments, uint32_t segment_cnt, uint64_t offset,
                                uint64_t *address);

// len = 0 when the file has none.
struct elf_build_id elf_file_build_id(const struct elf_file *file);

#endif
