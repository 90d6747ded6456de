// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/vm_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct mapping {
    struct vm_range range;
    bool writable;
    const char *path; // "" for anonymous memory
};

static bool parse_mapping(char *line, struct mapping *mapping)
{
    char permissions[8];
    int path_at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &mapping->range.start,
               &mapping->range.end, permissions, &path_at) < 3) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    mapping->writable = permissions[1] == 'w';
    mapping->path = path_at > 0 ? line + path_at : "";
    return true;
}

static void add_range(struct vm_memory *memory, struct vm_range range)
{
    if (memory->range_cnt < VM_MEMORY_MAX_RANGES) {
        memory->ranges[memory->range_cnt++] = range;
    }
}

// .bss is the anonymous mapping that begins where the file's data ends.
static bool follows(const struct vm_memory *memory, const struct mapping *mapping)
{
    return memory->range_cnt > 0 && mapping->path[0] == '\0' &&
           memory->ranges[memory->range_cnt - 1].end == mapping->range.start;
}

bool vm_memory_open(struct vm_memory *memory, struct error *err)
{
    *memory = (struct vm_memory){0};
    char executable[PATH_MAX] = "";
    if (readlink("/proc/self/exe", executable, sizeof executable - 1) < 0) {
        return error_os(err, errno, "emulator memory: readlink /proc/self/exe");
    }
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return error_os(err, errno, "emulator memory: open /proc/self/maps");
    }
    char line[PATH_MAX + 128];
    struct mapping mapping;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (parse_mapping(line, &mapping) && mapping.writable &&
            (strcmp(mapping.path, executable) == 0 || follows(memory, &mapping))) {
            add_range(memory, mapping.range);
        }
    }
    (void)fclose(maps);
    return memory->range_cnt > 0 ||
           error_set(err, ERROR_LAYOUT, "emulator memory: %s has no writable mapping", executable);
}

bool vm_memory_contains(const struct vm_memory *memory, uint64_t address)
{
    for (size_t i = 0; i < memory->range_cnt; i++) {
        if (address >= memory->ranges[i].start && address < memory->ranges[i].end) {
            return true;
        }
    }
    return false;
}

enum { FIND_CHUNK_WORDS = 512 };

static uint64_t find_in_range(struct vm_range range, struct memory_reader *reader,
                              bool (*accept)(void *context, uint64_t address, uint64_t word),
                              void *context)
{
    uint64_t words[FIND_CHUNK_WORDS];
    for (uint64_t at = range.start; at < range.end; at += sizeof words) {
        uint64_t left = (range.end - at) / 8;
        uint32_t cnt = left < FIND_CHUNK_WORDS ? (uint32_t)left : FIND_CHUNK_WORDS;
        if (!memory_reader_words(reader, at, words, cnt)) {
            continue;
        }
        for (uint32_t i = 0; i < cnt; i++) {
            if (accept(context, at + i * 8ULL, words[i])) {
                return at + i * 8ULL;
            }
        }
    }
    return 0;
}

uint64_t vm_memory_find(const struct vm_memory *memory, struct memory_reader *reader,
                        bool (*accept)(void *context, uint64_t address, uint64_t word),
                        void *context)
{
    uint64_t found = 0;
    for (size_t i = 0; i < memory->range_cnt && found == 0; i++) {
        found = find_in_range(memory->ranges[i], reader, accept, context);
    }
    return found;
}
