// SPDX-License-Identifier: Apache-2.0
#include "record/system/file_lines.h"

#include "base/log.h"
#include "capture/system/process_files.h"
#include "symbols/system/elf_debug_file.h"
#include "symbols/system/source_lines.h"

#include <stdlib.h>

struct slot {
    elf_cache_id id;              // 0 = free
    struct source_lines *lines;   // NULL: it has none, or may not be read
    struct inline_table *inlined; // the same
    uint64_t used_at;
};

struct file_lines {
    struct file_lines_options options;
    struct slot slots[FILE_LINES_MAX_FILES];
    uint64_t uses;
    size_t bytes;      // of all tables
    size_t read_bytes; // so far
    bool is_spent;
};

struct file_lines *file_lines_create(const struct file_lines_options *options)
{
    struct file_lines *lines = calloc(1, sizeof *lines);
    if (lines != NULL) {
        lines->options = *options;
    }
    return lines;
}

static size_t slot_bytes(const struct slot *slot)
{
    return source_lines_memory_bytes(slot->lines) + inline_table_memory_bytes(slot->inlined);
}

static void drop(struct file_lines *lines, struct slot *slot)
{
    lines->bytes -= slot_bytes(slot);
    source_lines_destroy(slot->lines);
    inline_table_destroy(slot->inlined);
    *slot = (struct slot){.id = 0};
}

void file_lines_destroy(struct file_lines *lines)
{
    for (int i = 0; lines != NULL && i < FILE_LINES_MAX_FILES; i++) {
        drop(lines, &lines->slots[i]);
    }
    free(lines);
}

static int open_mapped(const struct process *process, const struct process_mapping *mapping,
                       struct text path)
{
    int fd = process_files_open_mapping(process_pid_here(process), mapping, path);
    return fd >= 0 ? fd : process_files_open_here(path, mapping->inode);
}

// What the slot does not have yet and is wanted.
static void read_tables(struct file_lines *lines, struct slot *slot, const struct elf_file *file)
{
    size_t read_bytes = 0;
    if (lines->options.tells_lines && slot->lines == NULL) {
        slot->lines = source_lines_create(file, &read_bytes);
        lines->read_bytes += read_bytes;
    }
    if (lines->options.tells_inlined && slot->inlined == NULL) {
        read_bytes = 0;
        slot->inlined = inline_table_create(file, &read_bytes);
        lines->read_bytes += read_bytes;
    }
}

// Where there is no DWARF: that knows what is not Go, too.
static void read_go_lines(struct file_lines *lines, struct slot *slot, const struct elf_file *file)
{
    size_t read_bytes = 0;
    if (lines->options.tells_lines && slot->lines == NULL) {
        slot->lines = source_lines_create_of_go(file, &read_bytes);
        lines->read_bytes += read_bytes;
    }
}

static bool has_all(const struct file_lines *lines, const struct slot *slot)
{
    return (!lines->options.tells_lines || slot->lines != NULL) &&
           (!lines->options.tells_inlined || slot->inlined != NULL);
}

// From the file itself where it has them, else from its debug file.
static void open_tables(struct file_lines *lines, struct slot *slot, const struct file_place *place)
{
    struct text path = process_maps_path(&place->process->maps, place->mapping);
    struct elf_file file = {0};
    struct elf_file debug = {0};
    int fd = open_mapped(place->process, place->mapping, path);
    if (fd < 0 || !elf_file_open(&file, fd, NULL)) {
        return;
    }
    read_tables(lines, slot, &file);
    if (!has_all(lines, slot) && elf_debug_file_open(&debug, &file, path, place->opener)) {
        read_tables(lines, slot, &debug);
        elf_file_close(&debug);
    }
    read_go_lines(lines, slot, &file);
    elf_file_close(&file);
}

static bool may_read(struct file_lines *lines)
{
    if (lines->read_bytes >= FILE_LINES_MAX_READ_BYTES && !lines->is_spent) {
        lines->is_spent = true;
        log_warn("--lines, --inlines: %zu MB of debug sections and Go's tables were read, that is "
                 "the limit; files that come now have none",
                 lines->read_bytes >> 20);
    }
    return !lines->is_spent;
}

static struct slot *oldest(struct file_lines *lines)
{
    struct slot *found = &lines->slots[0];
    for (int i = 1; i < FILE_LINES_MAX_FILES; i++) {
        found = lines->slots[i].used_at < found->used_at ? &lines->slots[i] : found;
    }
    return found;
}

static struct slot *find(struct file_lines *lines, elf_cache_id id)
{
    for (int i = 0; i < FILE_LINES_MAX_FILES; i++) {
        if (lines->slots[i].id == id) {
            return &lines->slots[i];
        }
    }
    return NULL;
}

// Those used longest ago go until the rest fits.
static void shrink(struct file_lines *lines, const struct slot *but)
{
    while (lines->bytes > FILE_LINES_MAX_BYTES) {
        struct slot *victim = NULL;
        for (int i = 0; i < FILE_LINES_MAX_FILES; i++) {
            struct slot *slot = &lines->slots[i];
            if (slot != but && slot_bytes(slot) > 0 &&
                (victim == NULL || slot->used_at < victim->used_at)) {
                victim = slot;
            }
        }
        if (victim == NULL) {
            return;
        }
        drop(lines, victim);
    }
}

// The file's slot, read now where it is not there; NULL when it may not be.
static struct slot *slot_of(struct file_lines *lines, const struct file_place *place)
{
    struct slot *slot = place->id == 0 ? NULL : find(lines, place->id);
    if (slot == NULL && (place->id == 0 || !may_read(lines))) {
        return NULL;
    }
    if (slot == NULL) {
        slot = oldest(lines);
        drop(lines, slot);
        slot->id = place->id;
        open_tables(lines, slot, place);
        lines->bytes += slot_bytes(slot);
        shrink(lines, slot);
    }
    slot->used_at = ++lines->uses;
    return slot;
}

bool file_lines_find(struct file_lines *lines, const struct file_place *place, struct text *file,
                     uint32_t *line)
{
    const struct slot *slot = slot_of(lines, place);
    return slot != NULL && slot->lines != NULL &&
           source_lines_find(slot->lines, place->address, file, line);
}

uint32_t file_lines_inlined(struct file_lines *lines, const struct file_place *place,
                            struct inlined_call *calls, uint32_t max)
{
    const struct slot *slot = slot_of(lines, place);
    return slot == NULL || slot->inlined == NULL
               ? 0
               : inline_table_find(slot->inlined, place->address, calls, max);
}

size_t file_lines_memory_bytes(const struct file_lines *lines)
{
    return sizeof *lines + lines->bytes;
}
