// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/go_image.h"

#include <stdlib.h>

enum {
    MAX_TABLE_BYTES = 128 << 20,
    MAX_RELOCATIONS = 8 << 20, // that are looked at, whichever section says it has them
    RELOCATIONS_PER_READ = 512,
    // Of moduledata, in .go.module from Go 1.26 on: the field `text`.
    MODULE_TEXT_AT = 176,
};

static const Elf64_Shdr *section_of(const struct elf_file *file)
{
    const Elf64_Shdr *section = elf_file_section(file, ".gopclntab");
    return section == NULL ? elf_file_section(file, ".data.rel.ro.gopclntab") : section;
}

// Takes what it looks at off `left`.
static bool find_addend(const struct elf_file *file, const Elf64_Shdr *section, uint64_t address,
                        uint64_t *left, uint64_t *addend)
{
    Elf64_Rela rows[RELOCATIONS_PER_READ];
    uint64_t cnt = section->sh_size / sizeof rows[0];
    cnt = cnt > *left ? *left : cnt;
    *left -= cnt;
    for (uint64_t at = 0; at < cnt; at += RELOCATIONS_PER_READ) {
        uint64_t part = cnt - at < RELOCATIONS_PER_READ ? cnt - at : RELOCATIONS_PER_READ;
        if (!elf_file_read(file, section->sh_offset + at * sizeof rows[0], rows,
                           part * sizeof rows[0])) {
            return false;
        }
        for (uint64_t i = 0; i < part; i++) {
            if (rows[i].r_offset == address && ELF64_R_SYM(rows[i].r_info) == 0) {
                *addend = (uint64_t)rows[i].r_addend;
                return true;
            }
        }
    }
    return false;
}

// What the loader would put there, where it is loaded anywhere.
static uint64_t relocated(const struct elf_file *file, uint64_t address)
{
    uint64_t addend = 0;
    uint64_t left = MAX_RELOCATIONS;
    for (uint32_t i = 0; i < file->section_cnt; i++) {
        if (file->sections[i].sh_type == SHT_RELA &&
            find_addend(file, &file->sections[i], address, &left, &addend)) {
            return addend;
        }
    }
    return 0;
}

// By the head of the table; from Go 1.26 on by the runtime's own description; else it is all
// of .text.
static uint64_t text_of_table(const struct elf_file *file, const Elf64_Shdr *section,
                              const struct go_table *table)
{
    uint64_t text = go_table_text(table);
    const Elf64_Shdr *module = elf_file_section(file, ".go.module");
    const Elf64_Shdr *code = elf_file_section(file, ".text");
    if (text == 0 && module != NULL) {
        (void)elf_file_read(file, module->sh_offset + MODULE_TEXT_AT, &text, sizeof text);
        text = text == 0 ? relocated(file, module->sh_addr + MODULE_TEXT_AT) : text;
    }
    if (text == 0 && module == NULL) {
        text = relocated(file, section->sh_addr + GO_TABLE_TEXT_AT);
    }
    return text == 0 && code != NULL ? code->sh_addr : text;
}

bool go_image_open(struct go_image *image, const struct elf_file *file)
{
    size_t len = 0;
    const Elf64_Shdr *section = section_of(file);
    *image = (struct go_image){.bytes = NULL};
    if (section == NULL || section->sh_type == SHT_NOBITS) {
        return false;
    }
    image->bytes = elf_file_load_section(file, section, MAX_TABLE_BYTES, &len);
    if (image->bytes == NULL || !go_table_open(&image->table, image->bytes, len)) {
        go_image_close(image);
        return false;
    }
    image->table.text = text_of_table(file, section, &image->table);
    return true;
}

void go_image_close(struct go_image *image)
{
    free(image->bytes);
    *image = (struct go_image){.bytes = NULL};
}
