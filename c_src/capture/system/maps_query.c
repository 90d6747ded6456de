// SPDX-License-Identifier: Apache-2.0
#include "capture/system/maps_query.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

// struct procmap_query; Debian 12's headers are older.
struct query {
    uint64_t size;
    uint64_t flags;
    uint64_t address;
    uint64_t start, end;
    uint64_t vma_flags;
    uint64_t page_size;
    uint64_t offset;
    uint64_t inode;
    uint32_t dev_major, dev_minor;
    uint32_t name_bytes; // room; then those used, with the NUL, 0 = no name
    uint32_t build_id_bytes;
    uint64_t name;
    uint64_t build_id;
};
_Static_assert(sizeof(struct query) == 104, "as the kernel has it");

#define QUERY _IOWR('f', 17, struct query)

enum { IS_EXECUTABLE = 0x04, COVERING_OR_NEXT = 0x10 };

static bool ask(int fd, uint64_t address, struct query *query, char *name, uint32_t name_bytes)
{
    *query = (struct query){
        .size = sizeof *query,
        .flags = IS_EXECUTABLE | COVERING_OR_NEXT,
        .address = address,
        .name_bytes = name_bytes,
        .name = (uint64_t)(uintptr_t)name,
    };
    return ioctl(fd, QUERY, query) == 0;
}

static void append(struct process_maps *maps, const struct query *query, const char *name)
{
    const struct process_mapping mapping = {
        .start = query->start,
        .end = query->end,
        .offset = query->offset,
        .inode = query->inode,
        .dev_major = query->dev_major,
        .dev_minor = query->dev_minor,
    };
    uint32_t len = query->name_bytes == 0 ? 0 : query->name_bytes - 1;
    process_maps_append(maps, &mapping, (struct text){name, len});
}

enum maps_query_result maps_query_read(int fd, struct process_maps *maps)
{
    char name[PATH_MAX];
    struct query query = {0};
    for (int i = 0; i <= PROCESS_MAPS_MAX_MAPPINGS; i++) {
        uint64_t address = query.end;
        if (!ask(fd, address, &query, name, sizeof name)) {
            break;
        }
        if (query.end <= address || query.name_bytes > sizeof name) {
            return MAPS_QUERY_REFUSED;
        }
        append(maps, &query, name);
        errno = ENOENT; // at the limit
    }
    return errno == ENOENT  ? MAPS_QUERY_WHOLE
           : errno == ESRCH ? MAPS_QUERY_GONE
                            : MAPS_QUERY_REFUSED;
}
