// SPDX-License-Identifier: Apache-2.0
// Builds small ELF files in memory, for the tests of their readers.
#ifndef FLAME_PROF_TEST_ELF_IMAGE_H
#define FLAME_PROF_TEST_ELF_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ELF_IMAGE_MAX_SECTIONS = 12, ELF_IMAGE_BYTES = 16384 };

struct elf_image {
    unsigned char bytes[ELF_IMAGE_BYTES];
    size_t len;
    Elf64_Shdr sections[ELF_IMAGE_MAX_SECTIONS];
    uint16_t section_cnt;
    char names[512];
    uint32_t names_len;
    Elf64_Phdr segment; // one, that loads everything at 0x400000
};

enum { ELF_IMAGE_TEXT_ADDRESS = 0x401000, ELF_IMAGE_TEXT_BYTES = 0x1000 };

static inline uint32_t elf_image_add(struct elf_image *image, const char *name, uint32_t type,
                                     const void *bytes, size_t len)
{
    uint32_t index = image->section_cnt++;
    image->len = (image->len + 7) & ~(size_t)7;
    image->sections[index] = (Elf64_Shdr){
        .sh_name = image->names_len,
        .sh_type = type,
        .sh_offset = image->len,
        .sh_size = len,
    };
    strcpy(image->names + image->names_len, name);
    image->names_len += (uint32_t)strlen(name) + 1;
    if (len > 0) {
        memcpy(image->bytes + image->len, bytes, len);
    }
    image->len += len;
    return index;
}

// Section 1 is .text: no bytes in the file, but an address and a size.
static inline void elf_image_begin(struct elf_image *image)
{
    memset(image, 0, sizeof *image);
    image->len = sizeof(Elf64_Ehdr);
    (void)elf_image_add(image, "", SHT_NULL, NULL, 0);
    uint32_t text = elf_image_add(image, ".text", SHT_NOBITS, NULL, 0);
    image->sections[text].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    image->sections[text].sh_addr = ELF_IMAGE_TEXT_ADDRESS;
    image->sections[text].sh_size = ELF_IMAGE_TEXT_BYTES;
}

static inline void elf_image_add_symbols(struct elf_image *image, uint32_t type,
                                         const Elf64_Sym *symbols, size_t cnt, const char *strings,
                                         size_t strings_len)
{
    uint32_t index = elf_image_add(image, type == SHT_SYMTAB ? ".symtab" : ".dynsym", type, symbols,
                                   cnt * sizeof *symbols);
    image->sections[index].sh_entsize = sizeof *symbols;
    image->sections[index].sh_link = index + 1;
    (void)elf_image_add(image, type == SHT_SYMTAB ? ".strtab" : ".dynstr", SHT_STRTAB, strings,
                        strings_len);
}

static inline void elf_image_add_build_id(struct elf_image *image, const char *id)
{
    struct {
        Elf64_Nhdr note;
        char name[4];
        char id[20];
    } build_id = {{4, 20, NT_GNU_BUILD_ID}, "GNU", ""};
    memcpy(build_id.id, id, strlen(id));
    (void)elf_image_add(image, ".note.gnu.build-id", SHT_NOTE, &build_id, sizeof build_id);
}

// Writes the headers; nothing can be added afterwards.
static inline void elf_image_end(struct elf_image *image)
{
    uint32_t names = elf_image_add(image, ".shstrtab", SHT_STRTAB, NULL, 0);
    image->sections[names].sh_size = image->names_len;
    memcpy(image->bytes + image->len, image->names, image->names_len);
    image->len += image->names_len;
    image->segment = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_vaddr = 0x400000,
        .p_filesz = 0x3000,
        .p_memsz = 0x3000,
    };
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = image->section_cnt,
        .e_shstrndx = (uint16_t)names,
    };
    image->len = (image->len + 7) & ~(size_t)7;
    header.e_phoff = image->len;
    memcpy(image->bytes + image->len, &image->segment, sizeof image->segment);
    image->len += sizeof image->segment;
    header.e_shoff = image->len;
    memcpy(image->bytes + image->len, image->sections,
           image->section_cnt * sizeof image->sections[0]);
    image->len += image->section_cnt * sizeof image->sections[0];
    memcpy(image->bytes, &header, sizeof header);
}

static inline Elf64_Sym elf_image_function(uint32_t name, uint64_t address, uint64_t size)
{
    return (Elf64_Sym){
        .st_name = name,
        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
        .st_shndx = 1,
        .st_value = address,
        .st_size = size,
    };
}

static inline int elf_image_write(const struct elf_image *image, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(image->bytes, image->len, 1, file) != 1) {
        return -1;
    }
    return fclose(file);
}

#endif
