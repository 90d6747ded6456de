// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/debug_sections.h"

#include <stdlib.h>
#include <zlib.h>

static char *unpack(const struct elf_file *file, const Elf64_Shdr *section, size_t max_bytes,
                    size_t *len)
{
    Elf64_Chdr head;
    uint64_t packed_len = section->sh_size - sizeof head;
    if (section->sh_size < sizeof head || packed_len > max_bytes ||
        !elf_file_read(file, section->sh_offset, &head, sizeof head) ||
        head.ch_type != ELFCOMPRESS_ZLIB || head.ch_size > max_bytes) {
        return NULL;
    }
    unsigned char *packed = malloc(packed_len + 1);
    char *bytes = malloc(head.ch_size + 1);
    uLongf bytes_len = head.ch_size;
    bool ok = packed != NULL && bytes != NULL &&
              elf_file_read(file, section->sh_offset + sizeof head, packed, packed_len) &&
              uncompress((Bytef *)bytes, &bytes_len, packed, packed_len) == Z_OK;
    free(packed);
    if (!ok) {
        free(bytes);
        return NULL;
    }
    *len = bytes_len;
    return bytes;
}

char *debug_section_load(const struct elf_file *file, const char *name, size_t max_bytes,
                         size_t *len)
{
    const Elf64_Shdr *section = elf_file_section(file, name);
    if (section == NULL || section->sh_type == SHT_NOBITS) {
        return NULL;
    }
    return (section->sh_flags & SHF_COMPRESSED) != 0
               ? unpack(file, section, max_bytes, len)
               : elf_file_load_section(file, section, max_bytes, len);
}

static const struct {
    const char *name;
    size_t at; // in struct debug_sections
} PARTS[] = {
    {".debug_info", offsetof(struct debug_sections, info)},
    {".debug_abbrev", offsetof(struct debug_sections, abbrev)},
    {".debug_str", offsetof(struct debug_sections, str)},
    {".debug_line_str", offsetof(struct debug_sections, line_str)},
    {".debug_str_offsets", offsetof(struct debug_sections, str_offsets)},
    {".debug_addr", offsetof(struct debug_sections, addr)},
    {".debug_ranges", offsetof(struct debug_sections, ranges)},
    {".debug_rnglists", offsetof(struct debug_sections, rnglists)},
};
enum { PART_CNT = sizeof PARTS / sizeof PARTS[0] };

static struct text *part(struct debug_sections *sections, int i)
{
    return (struct text *)((char *)sections + PARTS[i].at);
}

bool debug_sections_load(struct debug_sections *sections, const struct elf_file *file,
                         size_t max_bytes, size_t *bytes)
{
    *sections = (struct debug_sections){.info = {NULL, 0}};
    *bytes = 0;
    for (int i = 0; i < PART_CNT; i++) {
        size_t len = 0;
        char *loaded = debug_section_load(file, PARTS[i].name, max_bytes - *bytes, &len);
        *part(sections, i) = (struct text){loaded, loaded == NULL ? 0 : (uint32_t)len};
        *bytes += loaded == NULL ? 0 : len;
        if (i < 2 && loaded == NULL) { // nothing without these
            break;
        }
    }
    if (sections->info.len == 0 || sections->abbrev.len == 0) {
        debug_sections_free(sections);
        return false;
    }
    return true;
}

void debug_sections_free(struct debug_sections *sections)
{
    for (int i = 0; i < PART_CNT; i++) {
        free((char *)(uintptr_t)part(sections, i)->bytes); // ours, since loaded
    }
    *sections = (struct debug_sections){.info = {NULL, 0}};
}
