// SPDX-License-Identifier: Apache-2.0
#include "record/system/unwind_image.h"

#include <stdlib.h>

enum { MAX_FRAMES_BYTES = 64 << 20, MAX_STUB_BYTES = 64, PAGE_MASK = 4095 };

// NULL when it is not there or too long.
static void *load_bytes(const struct elf_file *file, uint64_t offset, uint64_t len)
{
    void *bytes = len == 0 || len > MAX_FRAMES_BYTES ? NULL : malloc(len);
    if (bytes != NULL && !elf_file_read(file, offset, bytes, len)) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static const Elf64_Phdr *index_of(const struct elf_file *file)
{
    for (uint32_t i = 0; i < file->segment_cnt; i++) {
        if (file->segments[i].p_type == PT_GNU_EH_FRAME) {
            return &file->segments[i];
        }
    }
    return NULL;
}

static bool load(const struct elf_file *file, uint64_t offset, uint64_t len, uint64_t address,
                 struct call_frame_table *table)
{
    void *bytes = load_bytes(file, offset, len);
    const Elf64_Phdr *index = bytes == NULL ? NULL : index_of(file);
    if (bytes == NULL) {
        return false;
    }
    struct cfi_section header = {.bytes = NULL};
    if (index != NULL) {
        header = (struct cfi_section){load_bytes(file, index->p_offset, index->p_filesz),
                                      index->p_filesz, index->p_vaddr};
    }
    bool ok = call_frame_table_take_indexed(table, bytes, len, address, &header);
    free((void *)header.bytes);
    return ok;
}

static const Elf64_Phdr *segment_of(const struct elf_file *file, uint64_t address)
{
    for (uint32_t i = 0; i < file->segment_cnt; i++) {
        const Elf64_Phdr *segment = &file->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz) {
            return segment;
        }
    }
    return NULL;
}

// .eh_frame_hdr: version 1, three encodings, then where .eh_frame is; as linkers
// write it, 32 bits from here. How long that is it does not say.
static bool load_by_header(const struct elf_file *file, const Elf64_Phdr *header,
                           struct call_frame_table *table)
{
    struct {
        uint8_t version, frame_encoding, count_encoding, table_encoding;
        int32_t frames;
    } head;
    if (!elf_file_read(file, header->p_offset, &head, sizeof head) || head.version != 1 ||
        head.frame_encoding != 0x1B) {
        return false;
    }
    uint64_t address = header->p_vaddr + 4 + (uint64_t)(int64_t)head.frames;
    const Elf64_Phdr *segment = segment_of(file, address);
    if (segment == NULL) {
        return false;
    }
    uint64_t into = address - segment->p_vaddr;
    return load(file, segment->p_offset + into, segment->p_filesz - into, address, table);
}

static bool load_frames(const struct elf_file *file, struct call_frame_table *table)
{
    const Elf64_Shdr *section = elf_file_section(file, ".eh_frame");
    if (section != NULL && section->sh_type != SHT_NOBITS) {
        return load(file, section->sh_offset, section->sh_size, section->sh_addr, table);
    }
    const Elf64_Phdr *index = index_of(file);
    return index != NULL && load_by_header(file, index, table);
}

static void add_stub(const struct elf_file *file, const char *name, struct call_frame_table *table)
{
    unsigned char code[MAX_STUB_BYTES];
    const Elf64_Shdr *section = elf_file_section(file, name);
    if (section != NULL && section->sh_type == SHT_PROGBITS && section->sh_size <= sizeof code &&
        elf_file_read(file, section->sh_offset, code, section->sh_size)) {
        call_frame_table_add_stub(table, code, section->sh_size, section->sh_addr);
    }
}

bool unwind_image_frames(const struct elf_file *file, struct call_frame_table *table)
{
    if (!load_frames(file, table)) {
        return false;
    }
    add_stub(file, ".init", table);
    add_stub(file, ".fini", table);
    return true;
}

bool unwind_image_open(struct unwind_image *image, const struct elf_file *file)
{
    *image = (struct unwind_image){.frames = {.function_cnt = 0}};
    bool has_frames = unwind_image_frames(file, &image->frames);
    bool is_go = file->machine == EM_X86_64 && go_image_open(&image->go, file);
    if (is_go) {
        call_frame_table_add_go(&image->frames, &image->go.table);
    }
    return has_frames || is_go;
}

void unwind_image_close(struct unwind_image *image)
{
    call_frame_table_deinit(&image->frames);
    go_image_close(&image->go);
}

// A mapping begins at a page; its segment may begin inside that page.
bool unwind_image_address(const Elf64_Phdr *segments, uint32_t segment_cnt, uint64_t offset,
                          uint64_t *address)
{
    for (uint32_t i = 0; i < segment_cnt; i++) {
        const Elf64_Phdr *segment = &segments[i];
        uint64_t first = segment->p_offset & ~(uint64_t)PAGE_MASK;
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 && offset >= first &&
            offset - first < segment->p_filesz + (segment->p_offset - first)) {
            *address = segment->p_vaddr + (offset - segment->p_offset);
            return true;
        }
    }
    return false;
}
