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
    struct file_lines *lines; // NULL unless they or inlined functions are told
    struct demangler demangler;
};

struct file_names *file_names_create(const struct file_names_options *options,
                                     struct name_unpacker *unpacker, struct name_scratch *scratch,
                                     struct mapped_files *seen)
{
    struct file_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->options = *options;
    names->scratch = scratch;
    names->seen = seen;
    names->files = elf_cache_create(options->max_symbol_bytes, unpacker);
    bool reads_dwarf = options->tells_lines || options->tells_inlined;
    struct file_lines_options lines = {options->tells_lines, options->tells_inlined};
    names->lines = reads_dwarf ? file_lines_create(&lines) : NULL;
    if (names->files == NULL || (reads_dwarf && names->lines == NULL)) {
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
    int fd = process_files_open(process_pid_here(process), path);
    return fd >= 0 ? fd : process_files_open_here(text_of(path), 0);
}

static elf_cache_id open_file(struct file_names *names, const struct process *process,
                              const struct process_mapping *mapping, struct text path)
{
    struct process *context = (struct process *)(uintptr_t)process; // only read
    struct elf_debug_opener opener = {.open = open_debug_file, .context = context};
    int fd = process_files_open_mapping(process_pid_here(process), mapping, path);
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

// False where it was tried a moment ago.
static bool open_mapped(struct file_names *names, const struct process *process,
                        struct process_mapping *mapping, uint64_t now_ns)
{
    if (mapping->tag_ns != 0 && now_ns - mapping->tag_ns <= OPEN_AGAIN_NS) {
        return false;
    }
    struct text path = process_maps_path(&process->maps, mapping);
    mapping->tag_ns = now_ns;
    mapping->tag = open_file(names, process, mapping, path);
    return true;
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
    if (result == ELF_CACHE_DROPPED && open_mapped(names, process, mapping, now_ns)) {
        result = elf_cache_name(names->files, mapping->tag, offset, name, function);
    }
    return result;
}

uint64_t file_names_file(struct file_names *names, const struct process *process,
                         struct process_mapping *mapping, uint64_t now_ns)
{
    if (names->lines != NULL) {
        return 0;
    }
    if (mapping->tag == 0) {
        (void)open_mapped(names, process, mapping, now_ns);
    }
    return mapping->tag;
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
    if (!names->options.keeps_mangled) {
        (void)demangler_demangle(&names->demangler, &name);
    }
    return name_scratch_copy(names->scratch, name);
}

static struct elf_debug_opener debug_opener(const struct process *process)
{
    struct process *context = (struct process *)(uintptr_t)process; // only read
    return (struct elf_debug_opener){.open = open_debug_file, .context = context};
}

static bool place_of(const struct file_names *names, const struct process_mapping *mapping,
                     uint64_t address, struct file_place *place)
{
    uint64_t offset = address - mapping->start + mapping->offset;
    place->id = mapping->tag;
    place->mapping = mapping;
    return elf_cache_address(names->files, mapping->tag, offset, &place->address);
}

// Takes the place of the mapped file's name.
static void add_line(struct file_names *names, const struct process *process,
                     const struct process_mapping *mapping, uint64_t address, struct frame *frame)
{
    struct text file;
    struct elf_debug_opener opener = debug_opener(process);
    struct file_place place = {.process = process, .opener = &opener};
    if (names->options.tells_lines && place_of(names, mapping, address, &place) &&
        file_lines_find(names->lines, &place, &file, &frame->line)) {
        frame->file = name_scratch_copy(names->scratch, file);
    }
}

// The line found is that of the innermost; the others are where they call.
static void share_lines(struct file_names *names, struct file_place *place,
                        const struct inlined_call *calls, uint32_t cnt, struct frame *frame,
                        struct frame *inlined)
{
    struct text file;
    uint32_t line = 0;
    if (frame->line == 0) {
        return; // none was found
    }
    inlined[0].line = frame->line;
    for (uint32_t i = 1; i < cnt; i++) {
        inlined[i].line = calls[i - 1].call_line;
    }
    frame->line = calls[cnt - 1].call_line;
    place->address = calls[cnt - 1].function;
    if (file_lines_find(names->lines, place, &file, &line)) {
        frame->file = name_scratch_copy(names->scratch, file);
    }
}

uint32_t file_names_inlined(struct file_names *names, const struct process *process,
                            const struct process_mapping *mapping, uint64_t address,
                            struct frame *frame, struct frame *inlined, uint32_t max)
{
    struct inlined_call calls[FILE_NAMES_MAX_INLINED];
    struct elf_debug_opener opener = debug_opener(process);
    struct file_place place = {.process = process, .opener = &opener};
    if (!names->options.tells_inlined || !place_of(names, mapping, address, &place)) {
        return 0;
    }
    max = max < FILE_NAMES_MAX_INLINED ? max : FILE_NAMES_MAX_INLINED;
    uint32_t cnt = file_lines_inlined(names->lines, &place, calls, max);
    for (uint32_t i = 0; i < cnt; i++) {
        inlined[i] = (struct frame){
            .address = frame->address,
            .name = file_names_readable(names, calls[i].name),
            .file = TEXT("inlined"),
        };
    }
    if (cnt > 0) {
        share_lines(names, &place, calls, cnt, frame, inlined);
    }
    return cnt;
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
