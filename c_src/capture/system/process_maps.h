// SPDX-License-Identifier: Apache-2.0
// The executable mappings of one process at one moment, as /proc/PID/maps has
// them. Bounded: what exceeds the limits is left out and counted. One thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PROCESS_MAPS_H
#define FLAME_PROF_CAPTURE_SYSTEM_PROCESS_MAPS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum process_mapping_kind {
    PROCESS_MAPPING_FILE,      // a file with a path
    PROCESS_MAPPING_ANONYMOUS, // no file, or memory files that JITs use (memfd, /dev/zero)
    PROCESS_MAPPING_VDSO,
    PROCESS_MAPPING_OTHER, // "[vsyscall]", "[uprobes]", ...
};

struct process_mapping {
    uint64_t start;
    uint64_t end;    // exclusive
    uint64_t offset; // in the file
    uint64_t inode;
    uint32_t dev_major;
    uint32_t dev_minor;
    enum process_mapping_kind kind;
    uint32_t path_at; // process_maps_path()
    uint32_t path_len;
    uint64_t tag;    // the caller's own, 0 when read
    uint64_t tag_ns; // the same
};

enum {
    PROCESS_MAPS_MAX_MAPPINGS = 8192,
    PROCESS_MAPS_MAX_PATH_BYTES = 1 << 20,
};

// A zeroed struct is empty.
struct process_maps {
    struct process_mapping *mappings; // by address
    uint32_t cnt;
    uint32_t capacity;
    uint32_t refused; // beyond the limits
    char *paths;
    uint32_t path_bytes;
    uint32_t path_capacity;
};

// Takes one line of /proc/PID/maps, without or with its newline; ignores what is
// not executable or not a mapping. Lines come by rising address.
void process_maps_add_line(struct process_maps *maps, const char *line);

// Takes one behind all others; its kind is told by the path.
void process_maps_append(struct process_maps *maps, const struct process_mapping *mapping,
                         struct text path);

// Puts one in its place, over what was there before; its kind is told by the path.
void process_maps_insert(struct process_maps *maps, const struct process_mapping *mapping,
                         struct text path);

// Makes `maps` a copy. False, and empty, when out of memory.
bool process_maps_copy(struct process_maps *maps, const struct process_maps *from);

enum process_maps_result {
    PROCESS_MAPS_CHANGED,
    PROCESS_MAPS_SAME, // as before, tags included
    PROCESS_MAPS_GONE, // nothing to read, or not ours to see; the old content stays
};

// Replaces the content by `now`, which is empty then; never GONE.
enum process_maps_result process_maps_replace(struct process_maps *maps, struct process_maps *now);

// Replaces the content by what `pid` has now.
enum process_maps_result process_maps_read(struct process_maps *maps, uint32_t pid);

// NULL when no executable mapping holds `address`. Only the tags may be changed.
struct process_mapping *process_maps_find(const struct process_maps *maps, uint64_t address);

// As the process sees it, "" when there is none; " (deleted)" is cut off.
// Valid until the maps change.
struct text process_maps_path(const struct process_maps *maps,
                              const struct process_mapping *mapping);

size_t process_maps_memory_bytes(const struct process_maps *maps);

// Harmless twice and on a zeroed struct.
void process_maps_deinit(struct process_maps *maps);

#endif
