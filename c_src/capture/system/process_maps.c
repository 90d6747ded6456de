// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_maps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- lines --------------------------------------------------------------------

static bool starts_with(struct text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.bytes, prefix, len) == 0;
}

static struct text without_deleted(struct text path)
{
    static const struct text MARK = {" (deleted)", 10};
    if (path.len > MARK.len &&
        memcmp(path.bytes + path.len - MARK.len, MARK.bytes, MARK.len) == 0) {
        path.len -= MARK.len;
    }
    return path;
}

// Memory files are what a JIT writes its code to; they have no symbols of their own.
static bool is_memory_file(struct text path)
{
    return starts_with(path, "/memfd:") || starts_with(path, "/dev/zero") ||
           starts_with(path, "/SYSV") || starts_with(path, "//anon") ||
           starts_with(path, "/dev/shm/") || starts_with(path, "/anon_hugepage");
}

static enum process_mapping_kind kind_of(struct text path)
{
    if (path.len == 0 || is_memory_file(path) || text_equal(path, TEXT("[heap]")) ||
        starts_with(path, "[anon") || starts_with(path, "[stack")) {
        return PROCESS_MAPPING_ANONYMOUS;
    }
    if (text_equal(path, TEXT("[vdso]"))) {
        return PROCESS_MAPPING_VDSO;
    }
    return path.bytes[0] == '/' ? PROCESS_MAPPING_FILE : PROCESS_MAPPING_OTHER;
}

static bool grow(void **array, uint32_t *capacity, uint32_t needed, uint32_t max, size_t item_bytes)
{
    if (needed <= *capacity) {
        return true;
    }
    uint32_t next = *capacity == 0 ? 32 : *capacity * 2;
    next = next < needed ? needed : next;
    next = next > max ? max : next;
    void *larger = needed > max ? NULL : realloc(*array, next * item_bytes);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *capacity = next;
    return true;
}

static bool add(struct process_maps *maps, struct process_mapping *mapping, struct text path)
{
    if (!grow((void **)&maps->mappings, &maps->capacity, maps->cnt + 1, PROCESS_MAPS_MAX_MAPPINGS,
              sizeof *maps->mappings) ||
        !grow((void **)&maps->paths, &maps->path_capacity, maps->path_bytes + path.len,
              PROCESS_MAPS_MAX_PATH_BYTES, 1)) {
        return false;
    }
    if (path.len > 0) {
        memcpy(maps->paths + maps->path_bytes, path.bytes, path.len);
    }
    mapping->path_at = maps->path_bytes;
    mapping->path_len = path.len;
    maps->path_bytes += path.len;
    maps->mappings[maps->cnt++] = *mapping;
    return true;
}

void process_maps_add_line(struct process_maps *maps, const char *line)
{
    struct process_mapping mapping = {0};
    char rights[5] = "";
    int path_at = -1;
    int fields = sscanf(
        line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 " %n",
        &mapping.start, &mapping.end, rights, &mapping.offset, &mapping.dev_major,
        &mapping.dev_minor, &mapping.inode, &path_at);
    if (fields != 7 || strchr(rights, 'x') == NULL || mapping.start >= mapping.end) {
        return;
    }
    bool in_order = maps->cnt == 0 || mapping.start >= maps->mappings[maps->cnt - 1].end;
    const char *path_bytes = path_at < 0 ? "" : line + path_at;
    struct text path = {path_bytes, (uint32_t)strcspn(path_bytes, "\n")};
    path = without_deleted(path);
    mapping.kind = kind_of(path);
    if (!in_order || !add(maps, &mapping, path)) {
        maps->refused++;
    }
}

// --- the whole ----------------------------------------------------------------

bool process_maps_read(struct process_maps *maps, uint32_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    struct process_maps now = {0};
    char *line = NULL;
    size_t line_bytes = 0;
    while (getline(&line, &line_bytes, file) > 0) {
        process_maps_add_line(&now, line);
    }
    free(line);
    (void)fclose(file);
    if (now.cnt == 0) { // a zombie or a kernel thread
        process_maps_deinit(&now);
        return false;
    }
    process_maps_deinit(maps);
    *maps = now;
    return true;
}

struct process_mapping *process_maps_find(const struct process_maps *maps, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = maps->cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct process_mapping *mapping = &maps->mappings[middle];
        if (address < mapping->start) {
            high = middle;
        } else if (address >= mapping->end) {
            low = middle + 1;
        } else {
            return mapping;
        }
    }
    return NULL;
}

struct text process_maps_path(const struct process_maps *maps,
                              const struct process_mapping *mapping)
{
    if (mapping->path_len == 0) {
        return TEXT("");
    }
    return (struct text){maps->paths + mapping->path_at, mapping->path_len};
}

size_t process_maps_memory_bytes(const struct process_maps *maps)
{
    return maps->capacity * sizeof *maps->mappings + maps->path_capacity;
}

void process_maps_deinit(struct process_maps *maps)
{
    free(maps->mappings);
    free(maps->paths);
    *maps = (struct process_maps){0};
}
