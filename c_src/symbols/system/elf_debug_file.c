// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_debug_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAX_PATH_BYTES = 4096,
    MAX_LINK_BYTES = 4096,
    MAX_CHECKED_BYTES = 256 << 20, // the checksum means reading all of the file
    CHECK_BYTES_PER_READ = 1 << 16,
};

#define DEBUG_ROOT "/usr/lib/debug"

static bool open_elf(struct elf_file *debug, const char *path,
                     const struct elf_debug_opener *opener)
{
    int fd = opener->open(opener->context, path);
    return fd >= 0 && elf_file_open(debug, fd, NULL);
}

static bool same_build(const struct elf_file *debug, const struct elf_build_id *id)
{
    struct elf_build_id other = elf_file_build_id(debug);
    return other.len == id->len && memcmp(other.bytes, id->bytes, id->len) == 0;
}

// --- by build id --------------------------------------------------------------

static bool open_by_build_id(struct elf_file *debug, const struct elf_build_id *id,
                             const struct elf_debug_opener *opener)
{
    char path[sizeof DEBUG_ROOT + 32 + 2 * (size_t)ELF_FILE_MAX_BUILD_ID_BYTES];
    if (id->len < 2) {
        return false;
    }
    int at = snprintf(path, sizeof path, DEBUG_ROOT "/.build-id/%02x/", id->bytes[0]);
    for (uint32_t i = 1; i < id->len; i++) {
        at += snprintf(path + at, sizeof path - (size_t)at, "%02x", id->bytes[i]);
    }
    (void)snprintf(path + at, sizeof path - (size_t)at, ".debug");
    if (!open_elf(debug, path, opener)) {
        return false;
    }
    if (same_build(debug, id)) {
        return true;
    }
    elf_file_close(debug);
    return false;
}

// --- by .gnu_debuglink --------------------------------------------------------

struct debug_link {
    char name[256];
    uint32_t checksum;
};

static bool read_link(const struct elf_file *stripped, struct debug_link *link)
{
    size_t len = 0;
    const Elf64_Shdr *section = elf_file_section(stripped, ".gnu_debuglink");
    char *bytes =
        section == NULL ? NULL : elf_file_load_section(stripped, section, MAX_LINK_BYTES, &len);
    if (bytes == NULL) {
        return false;
    }
    size_t name_len = strlen(bytes); // a NUL stands behind the section
    size_t checksum_at = (name_len + 4) & ~(size_t)3;
    bool ok = name_len > 0 && name_len < sizeof link->name && strchr(bytes, '/') == NULL &&
              checksum_at + sizeof link->checksum <= len;
    if (ok) {
        memcpy(link->name, bytes, name_len + 1);
        memcpy(&link->checksum, bytes + checksum_at, sizeof link->checksum);
    }
    free(bytes);
    return ok;
}

static bool has_checksum(const struct elf_file *debug, uint32_t checksum)
{
    unsigned char bytes[CHECK_BYTES_PER_READ];
    uLong sum = crc32(0, NULL, 0);
    if (debug->size > MAX_CHECKED_BYTES) {
        return false;
    }
    for (uint64_t at = 0; at < debug->size; at += sizeof bytes) {
        uint64_t left = debug->size - at;
        size_t part = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!elf_file_read(debug, at, bytes, part)) {
            return false;
        }
        sum = crc32(sum, bytes, (uInt)part);
    }
    return sum == checksum;
}

static bool belongs(const struct elf_file *debug, const struct elf_build_id *id, uint32_t checksum)
{
    return id->len > 0 && elf_file_build_id(debug).len > 0 ? same_build(debug, id)
                                                           : has_checksum(debug, checksum);
}

static bool open_by_link(struct elf_file *debug, const struct elf_file *stripped,
                         const struct elf_build_id *id, struct text path,
                         const struct elf_debug_opener *opener)
{
    static const char *const PLACES[] = {"%.*s/%s", "%.*s/.debug/%s", DEBUG_ROOT "%.*s/%s"};
    struct debug_link link;
    char candidate[MAX_PATH_BYTES];
    const char *slash = path.len == 0 ? NULL : memrchr(path.bytes, '/', path.len);
    if (slash == NULL || !read_link(stripped, &link)) {
        return false;
    }
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        int len = snprintf(candidate, sizeof candidate, PLACES[i], (int)(slash - path.bytes),
                           path.bytes, link.name);
        if (len >= (int)sizeof candidate || !open_elf(debug, candidate, opener)) {
            continue;
        }
        if (belongs(debug, id, link.checksum)) {
            return true;
        }
        elf_file_close(debug);
    }
    return false;
}

bool elf_debug_file_open(struct elf_file *debug, const struct elf_file *stripped, struct text path,
                         const struct elf_debug_opener *opener)
{
    struct elf_build_id id = elf_file_build_id(stripped);
    return open_by_build_id(debug, &id, opener) || open_by_link(debug, stripped, &id, path, opener);
}
