// SPDX-License-Identifier: Apache-2.0
// The symbol tables of ELF files, with the bounds of their functions where not all
// have names: one per file however many processes map it under whatever path, the
// least recently used dropped beyond a limit. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_ELF_CACHE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_ELF_CACHE_H

#include "symbols/system/elf_symbols.h"

#include <stddef.h>
#include <stdint.h>

enum { ELF_CACHE_MAX_FILES = 2048 };

// A file in the cache; 0 is none. Stays unique after the file was dropped.
typedef uint64_t elf_cache_id;

enum elf_cache_result {
    ELF_CACHE_NAMED,
    ELF_CACHE_FUNCTION, // it has no name, but where it begins is known
    ELF_CACHE_UNNAMED,  // the file is known, but nothing about this place
    ELF_CACHE_DROPPED,  // open it again
};

struct elf_cache;

enum { ELF_CACHE_MIN_BYTES = 8 << 20 };

// `max_bytes` bounds the tables of all files together. Names are kept compressed for
// `unpacker`, which is borrowed; NULL: as they are. NULL when out of memory.
struct elf_cache *elf_cache_create(size_t max_bytes, struct name_unpacker *unpacker);
void elf_cache_destroy(struct elf_cache *cache);

// The file behind a descriptor, which becomes the cache's own. Loads its symbols
// unless they are there. A file that is no ELF file gets an id, too: its places
// are unnamed. 0 when the file cannot be looked at.
elf_cache_id elf_cache_open(struct elf_cache *cache, int fd_take, struct text path,
                            const struct elf_debug_opener *opener);

// A file that is in the cache, by what /proc/PID/maps says of it, for processes
// that are gone. 0 when there is none.
elf_cache_id elf_cache_by_inode(struct elf_cache *cache, uint32_t dev_major, uint32_t dev_minor,
                                uint64_t inode);

// The function at an offset of the file: its name, valid until the unpacker is asked for
// another or elf_cache_trim, or
// (ELF_CACHE_FUNCTION) the address it begins at, as the file counts.
enum elf_cache_result elf_cache_name(struct elf_cache *cache, elf_cache_id id, uint64_t offset,
                                     struct text *name, uint64_t *function);

// What the file calls the byte at `offset`. False when no segment loads it, or the file
// was dropped.
bool elf_cache_address(struct elf_cache *cache, elf_cache_id id, uint64_t offset,
                       uint64_t *address);

// len = 0 where it has none, or was dropped.
struct elf_build_id elf_cache_build_id(struct elf_cache *cache, elf_cache_id id);

// Drops what exceeds the limit. Call between two samples.
void elf_cache_trim(struct elf_cache *cache);
// The limit is half of what is held from now on, but not less than ELF_CACHE_MIN_BYTES:
// files that are read again and again cost more than they take. Between two samples.
void elf_cache_shrink(struct elf_cache *cache);

uint32_t elf_cache_count(const struct elf_cache *cache);
size_t elf_cache_memory_bytes(const struct elf_cache *cache);

#endif
