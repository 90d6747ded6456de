// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_cache.h"

#include "base/log.h"
#include "symbols/system/function_starts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// What makes a file this file: an inode number alone is reused within a second
// by programs that are built, run and deleted.
struct file_identity {
    uint64_t dev;
    uint64_t inode;
    uint64_t size;
    int64_t changed_s;
    int64_t changed_ns;
};

struct entry {
    struct file_identity identity;
    Elf64_Phdr *segments; // those that are loaded from the file
    uint32_t segment_cnt;
    struct symbol_table table;
    struct function_starts starts; // where the table does not name all
    struct elf_build_id build_id;
    uint64_t used_at; // 0 = free
    uint32_t generation;
};

struct elf_cache {
    struct entry *entries;          // ELF_CACHE_MAX_FILES
    struct name_unpacker *unpacker; // borrowed, or NULL
    size_t max_bytes;
    size_t bytes; // of all tables
    uint64_t uses;
    uint32_t cnt;
    uint32_t generations;
};

struct elf_cache *elf_cache_create(size_t max_bytes, struct name_unpacker *unpacker)
{
    struct elf_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    cache->max_bytes = max_bytes;
    cache->unpacker = unpacker;
    cache->entries = calloc(ELF_CACHE_MAX_FILES, sizeof *cache->entries);
    if (cache->entries == NULL) {
        free(cache);
        return NULL;
    }
    return cache;
}

static size_t bytes_of(const struct entry *entry)
{
    return symbol_table_memory_bytes(&entry->table) + function_starts_memory_bytes(&entry->starts);
}

static void drop(struct elf_cache *cache, struct entry *entry)
{
    cache->bytes -= bytes_of(entry);
    symbol_table_deinit(&entry->table);
    function_starts_deinit(&entry->starts);
    free(entry->segments);
    *entry = (struct entry){.used_at = 0};
    cache->cnt--;
}

void elf_cache_destroy(struct elf_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (uint32_t i = 0; i < ELF_CACHE_MAX_FILES; i++) {
        if (cache->entries[i].used_at != 0) {
            drop(cache, &cache->entries[i]);
        }
    }
    free(cache->entries);
    free(cache);
}

static elf_cache_id id_of(const struct elf_cache *cache, const struct entry *entry)
{
    return (uint64_t)entry->generation << 32 | (uint64_t)(entry - cache->entries + 1);
}

static struct entry *entry_of(struct elf_cache *cache, elf_cache_id id)
{
    uint32_t slot = (uint32_t)id - 1;
    if (slot >= ELF_CACHE_MAX_FILES) {
        return NULL;
    }
    struct entry *entry = &cache->entries[slot];
    return entry->used_at != 0 && entry->generation == (uint32_t)(id >> 32) ? entry : NULL;
}

static struct entry *oldest(struct elf_cache *cache)
{
    struct entry *found = NULL;
    for (uint32_t i = 0; i < ELF_CACHE_MAX_FILES; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->used_at != 0 && (found == NULL || entry->used_at < found->used_at)) {
            found = entry;
        }
    }
    return found;
}

static struct entry *free_entry(struct elf_cache *cache)
{
    if (cache->cnt == ELF_CACHE_MAX_FILES) {
        drop(cache, oldest(cache));
    }
    struct entry *entry = cache->entries;
    while (entry->used_at != 0) {
        entry++;
    }
    return entry;
}

static struct file_identity identity_of(const struct stat *status)
{
    return (struct file_identity){
        .dev = status->st_dev,
        .inode = status->st_ino,
        .size = (uint64_t)status->st_size,
        .changed_s = status->st_ctim.tv_sec,
        .changed_ns = status->st_ctim.tv_nsec,
    };
}

static struct entry *find(struct elf_cache *cache, const struct file_identity *identity)
{
    for (uint32_t i = 0; i < ELF_CACHE_MAX_FILES; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->used_at != 0 && memcmp(&entry->identity, identity, sizeof *identity) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void load(struct entry *entry, struct elf_file *file, struct text path,
                 const struct elf_debug_opener *opener)
{
    static const char *const SOURCES[] = {
        [ELF_SYMBOLS_NONE] = "no symbols",
        [ELF_SYMBOLS_SYMTAB] = ".symtab",
        [ELF_SYMBOLS_DEBUG_FILE] = "its debug file",
        [ELF_SYMBOLS_MINI_DEBUG] = ".gnu_debugdata and .dynsym",
        [ELF_SYMBOLS_GO] = ".gopclntab and .dynsym",
        [ELF_SYMBOLS_DYNSYM] = ".dynsym",
    };
    enum elf_symbols_source source = elf_symbols_load(&entry->table, file, path, opener);
    bool names_all = source == ELF_SYMBOLS_SYMTAB || source == ELF_SYMBOLS_DEBUG_FILE;
    if (!names_all) {
        (void)function_starts_load(&entry->starts, file);
        function_starts_drop_named(&entry->starts, &entry->table);
    }
    entry->build_id = elf_file_build_id(file);
    entry->segments = file->segments;
    entry->segment_cnt = file->segment_cnt;
    file->segments = NULL;
    log_debug("%.*s: %u functions from %s", (int)path.len, path.bytes, entry->table.cnt,
              SOURCES[source]);
}

elf_cache_id elf_cache_open(struct elf_cache *cache, int fd_take, struct text path,
                            const struct elf_debug_opener *opener)
{
    struct stat status;
    if (fstat(fd_take, &status) != 0) {
        (void)close(fd_take);
        return 0;
    }
    struct file_identity identity = identity_of(&status);
    struct entry *entry = find(cache, &identity);
    if (entry != NULL) {
        (void)close(fd_take);
        entry->used_at = ++cache->uses;
        return id_of(cache, entry);
    }
    entry = free_entry(cache);
    *entry = (struct entry){
        .identity = identity,
        .used_at = ++cache->uses,
        .generation = ++cache->generations,
    };
    cache->cnt++;
    symbol_table_init(&entry->table, cache->max_bytes);
    entry->table.packed.unpacker = cache->unpacker;
    struct elf_file file = {0};
    if (elf_file_open(&file, fd_take, NULL)) {
        load(entry, &file, path, opener);
        elf_file_close(&file);
        cache->bytes += bytes_of(entry);
    }
    return id_of(cache, entry);
}

elf_cache_id elf_cache_by_inode(struct elf_cache *cache, uint32_t dev_major, uint32_t dev_minor,
                                uint64_t inode)
{
    const struct entry *latest = NULL;
    for (uint32_t i = 0; i < ELF_CACHE_MAX_FILES; i++) {
        const struct entry *entry = &cache->entries[i];
        if (entry->used_at != 0 && entry->identity.inode == inode &&
            entry->identity.dev == makedev(dev_major, dev_minor) &&
            (latest == NULL || entry->generation > latest->generation)) {
            latest = entry;
        }
    }
    return latest == NULL ? 0 : id_of(cache, latest);
}

enum elf_cache_result elf_cache_name(struct elf_cache *cache, elf_cache_id id, uint64_t offset,
                                     struct text *name, uint64_t *function)
{
    struct entry *entry = entry_of(cache, id);
    uint64_t address = 0;
    if (entry == NULL) {
        return ELF_CACHE_DROPPED;
    }
    entry->used_at = ++cache->uses;
    if (!elf_file_address_of_offset(entry->segments, entry->segment_cnt, offset, &address)) {
        return ELF_CACHE_UNNAMED;
    }
    const struct symbol *symbol = symbol_table_find(&entry->table, address);
    if (symbol == NULL) {
        return function_starts_find(&entry->starts, address, function) ? ELF_CACHE_FUNCTION
                                                                       : ELF_CACHE_UNNAMED;
    }
    *name = symbol_table_name(&entry->table, symbol);
    return ELF_CACHE_NAMED;
}

bool elf_cache_address(struct elf_cache *cache, elf_cache_id id, uint64_t offset, uint64_t *address)
{
    const struct entry *entry = entry_of(cache, id);
    return entry != NULL &&
           elf_file_address_of_offset(entry->segments, entry->segment_cnt, offset, address);
}

struct elf_build_id elf_cache_build_id(struct elf_cache *cache, elf_cache_id id)
{
    const struct entry *entry = entry_of(cache, id);
    return entry == NULL ? (struct elf_build_id){.len = 0} : entry->build_id;
}

void elf_cache_trim(struct elf_cache *cache)
{
    while (cache->cnt > 1 && cache->bytes > cache->max_bytes) {
        drop(cache, oldest(cache));
    }
}

void elf_cache_shrink(struct elf_cache *cache)
{
    size_t half = cache->bytes / 2;
    size_t bytes = half > ELF_CACHE_MIN_BYTES ? half : ELF_CACHE_MIN_BYTES;
    cache->max_bytes = bytes < cache->max_bytes ? bytes : cache->max_bytes;
    elf_cache_trim(cache);
}

uint32_t elf_cache_count(const struct elf_cache *cache)
{
    return cache->cnt;
}

size_t elf_cache_memory_bytes(const struct elf_cache *cache)
{
    return ELF_CACHE_MAX_FILES * sizeof *cache->entries + cache->bytes;
}
