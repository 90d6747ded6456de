// SPDX-License-Identifier: Apache-2.0
#include "record/system/file_names.h"

#include "base/clock.h"
#include "capture/system/process_files.h"
#include "record/system/file_lines.h"
#include "symbols/system/demangler.h"
#include "symbols/system/elf_cache.h"

#include <inttypes.h>
#include <stdlib.h>

#define OPEN_AGAIN_NS (1ULL * CLOCK_NS_PER_S)

struct file_names {
    struct file_names_options options;
    struct name_scratch *scratch;
    struct mapped_files *seen;
    struct elf_cache *files;
    struct file_lines *lines; // NULL unless they are told
    struct demangler demangler;
};

struct file_names *file_names_create(const struct file_names_options *options,
                                     struct name_scratch *scratch, struct mapped_files *seen)
{
    struct file_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->options = *options;
    names->scratch = scratch;
    names->seen = seen;
    names->files = elf_cache_create(options->max_symbol_bytes);
    names->lines = options->tells_lines ? file_lines_create() : NULL;
    if (names->files == NULL || (options->tells_lines && names->lines == NULL)) {
        file_names_destroy(names);
        return NULL;
    }
    return names;
}

void file_names_destroy(struct file_names *names)
{
    if (names != NULL) {
        file_lines_destroy(names->lines);
        elf_cache_destroy(names->files);
    }
    free(names);
}

// --- files --------------------------------------------------------------------

static int open_debug_file(void *context, const char *path)
{
    const struct process *process = context;
    int fd = process_files_open(process->pid, path);
    return fd >= 0 ? fd : process_files_open_here(text_of(path), 0);
}

static elf_cache_id open_file(struct file_names *names, const struct process *process,
                              const struct process_mapping *mapping, struct text path)
{
    struct process *context = (struct process *)(uintptr_t)process; // only read
    struct elf_debug_opener opener = {.open = open_debug_file, .context = context};
    int fd = process_files_open_mapping(process->pid, mapping, path);
    if (fd < 0) {
        elf_cache_id known = elf_cache_by_inode(names->files, mapping->dev_major,
                                                mapping->dev_minor, mapping->inode);
        if (known != 0) {
            return known;
        }
        fd = process_files_open_here(path, mapping->inode); // ours often has the same file
    }
    elf_cache_id id = fd < 0 ? 0 : elf_cache_open(names->files, fd, path, &opener);
    if (id != 0) {
        struct elf_build_id build_id = elf_cache_build_id(names->files, id);
        mapped_files_add(names->seen, build_id.bytes, build_id.len, path);
    }
    return id;
}

static enum elf_cache_result look_up(struct file_names *names, const struct process *process,
                                     struct process_mapping *mapping, uint64_t address,
                                     uint64_t now_ns, struct text *name, uint64_t *function)
{
    uint64_t offset = address - mapping->start + mapping->offset;
    enum elf_cache_result result = ELF_CACHE_DROPPED;
    if (mapping->tag != 0) {
        result = elf_cache_name(names->files, mapping->tag, offset, name, function);
    }
    bool may_open = mapping->tag_ns == 0 || now_ns - mapping->tag_ns > OPEN_AGAIN_NS;
    if (result == ELF_CACHE_DROPPED && may_open) {
        struct text path = process_maps_path(&process->maps, mapping);
        mapping->tag_ns = now_ns;
        mapping->tag = open_file(names, process, mapping, path);
        result = elf_cache_name(names->files, mapping->tag, offset, name, function);
    }
    return result;
}

// --- names --------------------------------------------------------------------

struct text file_names_basename(struct text path)
{
    const char *slash = path.len == 0 ? NULL : memrchr(path.bytes, '/', path.len);
    if (slash == NULL) {
        return path;
    }
    uint32_t skipped = (uint32_t)(slash - path.bytes) + 1;
    return (struct text){slash + 1, path.len - skipped};
}

struct text file_names_readable(struct file_names *names, struct text name)
{
    if (names->options.keeps_mangled || !demangler_demangle(&names->demangler, &name)) {
        return name;
    }
    return name_scratch_copy(names->scratch, name);
}

// Takes the place of the mapped file's name.
static void add_line(struct file_names *names, const struct process *process,
                     const struct process_mapping *mapping, uint64_t address, struct frame *frame)
{
    uint64_t place = 0;
    struct text file;
    uint64_t offset = address - mapping->start + mapping->offset;
    struct process *context = (struct process *)(uintptr_t)process; // only read
    struct elf_debug_opener opener = {.open = open_debug_file, .context = context};
    if (names->lines != NULL && elf_cache_address(names->files, mapping->tag, offset, &place) &&
        file_lines_find(names->lines, mapping->tag, process, mapping, &opener, place, &file,
                        &frame->line)) {
        frame->file = name_scratch_copy(names->scratch, file);
    }
}

bool file_names_find(struct file_names *names, const struct process *process,
                     struct process_mapping *mapping, uint64_t address, uint64_t now_ns,
                     struct frame *frame)
{
    uint64_t function = 0;
    enum elf_cache_result result =
        look_up(names, process, mapping, address, now_ns, &frame->name, &function);
    if (result == ELF_CACHE_NAMED) {
        frame->name = file_names_readable(names, frame->name);
        add_line(names, process, mapping, address, frame);
        return true;
    }
    struct text file = file_names_basename(process_maps_path(&process->maps, mapping));
    if (result == ELF_CACHE_FUNCTION) {
        frame->name = name_scratch_format(names->scratch, TEXT("[unknown]"), "[%.*s+0x%" PRIx64 "]",
                                          (int)file.len, file.bytes, function);
    } else {
        frame->name = name_scratch_format(names->scratch, TEXT("[unknown]"), "[%.*s]",
                                          (int)file.len, file.bytes);
    }
    return false;
}

void file_names_trim(struct file_names *names)
{
    elf_cache_trim(names->files);
}

void file_names_shrink(struct file_names *names)
{
    elf_cache_shrink(names->files);
}

uint32_t file_names_count(const struct file_names *names)
{
    return elf_cache_count(names->files);
}

size_t file_names_memory_bytes(const struct file_names *names)
{
    return sizeof *names + elf_cache_memory_bytes(names->files) +
           (names->lines == NULL ? 0 : file_lines_memory_bytes(names->lines));
}
