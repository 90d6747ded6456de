// SPDX-License-Identifier: Apache-2.0
#include "record/system/file_lines.h"

#include "base/log.h"
#include "capture/system/process_files.h"
#include "symbols/system/elf_debug_file.h"
#include "symbols/system/source_lines.h"

#include <stdlib.h>

struct slot {
    elf_cache_id id;            // 0 = free
    struct source_lines *lines; // NULL: it has none, or may not be read
    uint64_t used_at;
};

struct file_lines {
    struct slot slots[FILE_LINES_MAX_FILES];
    uint64_t uses;
    size_t bytes;      // of all tables
    size_t read_bytes; // so far
    bool is_spent;
};

struct file_lines *file_lines_create(void)
{
    return calloc(1, sizeof(struct file_lines));
}

static void drop(struct file_lines *lines, struct slot *slot)
{
    lines->bytes -= source_lines_memory_bytes(slot->lines);
    source_lines_destroy(slot->lines);
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
    int fd = process_files_open_mapping(process->pid, mapping, path);
    return fd >= 0 ? fd : process_files_open_here(path, mapping->inode);
}

static struct source_lines *read_lines(struct file_lines *lines, const struct elf_file *file)
{
    size_t read_bytes = 0;
    struct source_lines *found = source_lines_create(file, &read_bytes);
    lines->read_bytes += read_bytes;
    return found;
}

// The file itself where it has them, else its debug file.
static struct source_lines *open_lines(struct file_lines *lines, const struct process *process,
                                       const struct process_mapping *mapping,
                                       const struct elf_debug_opener *opener)
{
    struct text path = process_maps_path(&process->maps, mapping);
    struct elf_file file = {0};
    struct elf_file debug = {0};
    int fd = open_mapped(process, mapping, path);
    if (fd < 0 || !elf_file_open(&file, fd, NULL)) {
        return NULL;
    }
    struct source_lines *found = read_lines(lines, &file);
    if (found == NULL && elf_debug_file_open(&debug, &file, path, opener)) {
        found = read_lines(lines, &debug);
        elf_file_close(&debug);
    }
    elf_file_close(&file);
    return found;
}

static bool may_read(struct file_lines *lines)
{
    if (lines->read_bytes >= FILE_LINES_MAX_READ_BYTES && !lines->is_spent) {
        lines->is_spent = true;
        log_warn("--lines: %zu MB of line tables were read, that is the limit; files that come "
                 "now have no lines",
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
            if (slot != but && slot->lines != NULL &&
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

bool file_lines_find(struct file_lines *lines, elf_cache_id id, const struct process *process,
                     const struct process_mapping *mapping, const struct elf_debug_opener *opener,
                     uint64_t address, struct text *file, uint32_t *line)
{
    struct slot *slot = id == 0 ? NULL : find(lines, id);
    if (slot == NULL && (id == 0 || !may_read(lines))) {
        return false;
    }
    if (slot == NULL) {
        slot = oldest(lines);
        drop(lines, slot);
        *slot = (struct slot){.id = id, .lines = open_lines(lines, process, mapping, opener)};
        lines->bytes += source_lines_memory_bytes(slot->lines);
        shrink(lines, slot);
    }
    slot->used_at = ++lines->uses;
    return slot->lines != NULL && source_lines_find(slot->lines, address, file, line);
}

size_t file_lines_memory_bytes(const struct file_lines *lines)
{
    return sizeof *lines + lines->bytes;
}
