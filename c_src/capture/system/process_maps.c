// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_maps.h"

#include "capture/system/maps_query.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// --- lines --------------------------------------------------------------------

static struct text without_deleted(struct text path)
{
    static const struct text MARK = {" (deleted)", 10};
    if (path.len > MARK.len && text_ends_with(path, MARK)) {
        path.len -= MARK.len;
    }
    return path;
}

// Memory files are what a JIT writes its code to; they have no symbols of their own.
static bool is_memory_file(struct text path)
{
    return text_begins_with(path, TEXT("/memfd:")) || text_begins_with(path, TEXT("/dev/zero")) ||
           text_begins_with(path, TEXT("/SYSV")) || text_begins_with(path, TEXT("//anon")) ||
           text_begins_with(path, TEXT("/dev/shm/")) ||
           text_begins_with(path, TEXT("/anon_hugepage"));
}

static enum process_mapping_kind kind_of(struct text path)
{
    if (path.len == 0 || is_memory_file(path) || text_equal(path, TEXT("[heap]")) ||
        text_begins_with(path, TEXT("[anon")) || text_begins_with(path, TEXT("[stack"))) {
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

// sscanf() would be most of what reading mappings costs.
static bool take_number(const char **at, unsigned base, uint64_t *value)
{
    const char *begin = *at;
    uint64_t sum = 0;
    for (; *at - begin < 20; (*at)++) {
        unsigned digit = (unsigned char)**at - (unsigned)'0';
        unsigned letter = ((unsigned char)**at | 0x20U) - (unsigned)'a';
        digit = digit < 10 ? digit : letter < 6 ? letter + 10 : base;
        if (digit >= base) {
            break;
        }
        sum = sum * base + digit;
    }
    *value = sum;
    return *at > begin;
}

static bool take_hex(const char **at, char separator, uint64_t *value)
{
    bool ok = take_number(at, 16, value) && **at == separator;
    *at += ok ? 1 : 0;
    return ok;
}

// START-END RIGHTS; only what is executable interests.
static bool take_range(const char **at, struct process_mapping *mapping)
{
    if (!take_hex(at, '-', &mapping->start) || !take_hex(at, ' ', &mapping->end) ||
        strnlen(*at, 5) < 5 || (*at)[2] != 'x' || (*at)[4] != ' ') {
        return false;
    }
    *at += 5;
    return mapping->start < mapping->end;
}

// OFFSET MAJOR:MINOR INODE
static bool take_place(const char **at, struct process_mapping *mapping)
{
    uint64_t dev_major = 0;
    uint64_t dev_minor = 0;
    bool ok = take_hex(at, ' ', &mapping->offset) && take_hex(at, ':', &dev_major) &&
              take_hex(at, ' ', &dev_minor) && take_number(at, 10, &mapping->inode);
    mapping->dev_major = (uint32_t)dev_major;
    mapping->dev_minor = (uint32_t)dev_minor;
    return ok;
}

void process_maps_append(struct process_maps *maps, const struct process_mapping *mapping,
                         struct text path)
{
    struct process_mapping added = *mapping;
    path = without_deleted(path);
    added.kind = kind_of(path);
    bool in_order = maps->cnt == 0 || added.start >= maps->mappings[maps->cnt - 1].end;
    if (!in_order || !add(maps, &added, path)) {
        maps->refused++;
    }
}

void process_maps_add_line(struct process_maps *maps, const char *line)
{
    struct process_mapping mapping = {0};
    const char *at = line;
    if (!take_range(&at, &mapping) || !take_place(&at, &mapping)) {
        return;
    }
    at += strspn(at, " ");
    process_maps_append(maps, &mapping, (struct text){at, (uint32_t)strcspn(at, "\n")});
}

// --- one by one ---------------------------------------------------------------

static void remove_overlapping(struct process_maps *maps, const struct process_mapping *mapping)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < maps->cnt; i++) {
        const struct process_mapping *old = &maps->mappings[i];
        if (old->end <= mapping->start || old->start >= mapping->end) {
            maps->mappings[kept++] = *old;
        }
    }
    maps->cnt = kept;
}

void process_maps_insert(struct process_maps *maps, const struct process_mapping *mapping,
                         struct text path)
{
    struct process_mapping added = *mapping;
    path = without_deleted(path);
    added.kind = kind_of(path);
    remove_overlapping(maps, mapping);
    if (!add(maps, &added, path)) {
        maps->refused++;
        return;
    }
    added = maps->mappings[maps->cnt - 1];
    uint32_t at = maps->cnt - 1;
    for (; at > 0 && maps->mappings[at - 1].start > added.start; at--) {
        maps->mappings[at] = maps->mappings[at - 1];
    }
    maps->mappings[at] = added;
}

bool process_maps_copy(struct process_maps *maps, const struct process_maps *from)
{
    *maps = (struct process_maps){0};
    for (uint32_t i = 0; i < from->cnt; i++) {
        struct process_mapping mapping = from->mappings[i];
        mapping.tag = 0;
        mapping.tag_ns = 0;
        if (!add(maps, &mapping, process_maps_path(from, &from->mappings[i]))) {
            process_maps_deinit(maps);
            return false;
        }
    }
    return true;
}

enum { KERNEL_PIECE_BYTES = 4096, LONG_LINE_BYTES = 512 };

// --- the whole ----------------------------------------------------------------

static bool is_same(const struct process_maps *a, const struct process_maps *b)
{
    if (a->cnt != b->cnt) {
        return false;
    }
    for (uint32_t i = 0; i < a->cnt; i++) {
        const struct process_mapping *x = &a->mappings[i];
        const struct process_mapping *y = &b->mappings[i];
        if (x->start != y->start || x->end != y->end || x->offset != y->offset ||
            x->inode != y->inode) {
            return false;
        }
    }
    return true;
}

// The kernel gives a page at a time. Of a process that ends between two the rest is missing.
static bool is_whole(FILE *file, size_t bytes)
{
    bool was_one_piece = bytes <= KERNEL_PIECE_BYTES - LONG_LINE_BYTES;
    return was_one_piece || (fseek(file, 0, SEEK_SET) == 0 && fgetc(file) != EOF);
}

static bool read_lines(struct process_maps *maps, FILE *file)
{
    char piece[KERNEL_PIECE_BYTES];
    char *line = NULL;
    size_t line_bytes = 0;
    size_t bytes = 0;
    ssize_t len = 0;
    (void)setvbuf(file, piece, _IOFBF, sizeof piece); // stdio's own would be smaller
    while ((len = getline(&line, &line_bytes, file)) > 0) {
        process_maps_add_line(maps, line);
        bytes += (size_t)len;
    }
    bool ok = is_whole(file, bytes);
    free(line);
    return ok;
}

// Closes it.
static bool read_text(struct process_maps *maps, int fd)
{
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        (void)close(fd);
        return false;
    }
    process_maps_deinit(maps);
    bool ok = read_lines(maps, file);
    (void)fclose(file);
    return ok;
}

static bool read_all(struct process_maps *maps, uint32_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%u/maps", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    enum maps_query_result asked = maps_query_read(fd, maps);
    if (asked == MAPS_QUERY_REFUSED) {
        return read_text(maps, fd) && maps->cnt > 0;
    }
    (void)close(fd);
    return asked == MAPS_QUERY_WHOLE && maps->cnt > 0; // a zombie and a kernel thread have none
}

// Of a thousand processes that are remembered each has its own.
static void give_back_spare(struct process_maps *maps)
{
    void *mappings =
        maps->cnt == 0 ? NULL : realloc(maps->mappings, maps->cnt * sizeof *maps->mappings);
    if (mappings != NULL) {
        maps->mappings = mappings;
        maps->capacity = maps->cnt;
    }
    char *paths = maps->path_bytes == 0 ? NULL : realloc(maps->paths, maps->path_bytes);
    if (paths != NULL) {
        maps->paths = paths;
        maps->path_capacity = maps->path_bytes;
    }
}

enum process_maps_result process_maps_replace(struct process_maps *maps, struct process_maps *now)
{
    if (is_same(maps, now)) {
        process_maps_deinit(now);
        return PROCESS_MAPS_SAME;
    }
    process_maps_deinit(maps);
    *maps = *now;
    *now = (struct process_maps){0};
    give_back_spare(maps);
    return PROCESS_MAPS_CHANGED;
}

enum process_maps_result process_maps_read(struct process_maps *maps, uint32_t pid)
{
    struct process_maps now = {0};
    if (!read_all(&now, pid)) {
        process_maps_deinit(&now);
        return PROCESS_MAPS_GONE;
    }
    return process_maps_replace(maps, &now);
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
