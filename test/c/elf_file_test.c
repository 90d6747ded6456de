// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_file.h"

#include "elf_image.h"
#include "test.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

static struct elf_image image;
static struct elf_file file;
static struct error err;

static bool open_image(void)
{
    elf_file_close(&file);
    return elf_file_open_memory(&file, image.bytes, image.len, &err);
}

static void make_plain(void)
{
    elf_image_begin(&image);
    elf_image_add_build_id(&image, "0123456789");
    elf_image_end(&image);
}

static void patch_header(size_t offset, uint64_t value, size_t bytes)
{
    memcpy(image.bytes + offset, &value, bytes);
}

#define PATCH(field, value)                                                                        \
    patch_header(offsetof(Elf64_Ehdr, field), value, sizeof(((Elf64_Ehdr *)0)->field))

TEST(sections_are_found_by_name_and_type)
{
    make_plain();
    CHECK(open_image());
    CHECK(elf_file_section(&file, ".text") != NULL);
    CHECK(elf_file_section(&file, ".nothing") == NULL);
    CHECK(elf_file_section_of_type(&file, SHT_NOTE) != NULL);
    CHECK(elf_file_section_of_type(&file, SHT_SYMTAB) == NULL);
}

TEST(the_build_id_is_read)
{
    make_plain();
    CHECK(open_image());
    struct elf_build_id id = elf_file_build_id(&file);
    CHECK_UINT(id.len, 20);
    CHECK_MEM(id.bytes, "0123456789\0\0\0\0\0\0\0\0\0\0", 20);
}

TEST(offsets_become_addresses)
{
    uint64_t address = 0;
    make_plain();
    CHECK(open_image());
    CHECK(elf_file_address_of_offset(file.segments, file.segment_cnt, 0x1234, &address));
    CHECK_UINT(address, 0x401234);
    CHECK(!elf_file_address_of_offset(file.segments, file.segment_cnt, 0x3000, &address));
    CHECK(!elf_file_address_of_offset(file.segments, file.segment_cnt, UINT64_MAX, &address));
}

TEST(other_files_are_refused)
{
    make_plain();
    PATCH(e_ident[EI_CLASS], ELFCLASS32);
    CHECK(!open_image());
    CHECK_INT(err.code, ERROR_UNSUPPORTED);
    CHECK(!elf_file_open_memory(&file, "#!/bin/sh\n", 10, &err));
    CHECK(!elf_file_open_memory(&file, "", 0, &err));
    memset(image.bytes, 'x', sizeof image.bytes);
    CHECK(!open_image());
    CHECK_INT(err.code, ERROR_BAD_INPUT);
}

TEST(headers_that_point_outside_are_refused)
{
    make_plain();
    PATCH(e_shoff, UINT64_MAX - 8);
    CHECK(!open_image());
    make_plain();
    PATCH(e_shoff, image.len - 8);
    CHECK(!open_image());
    make_plain();
    PATCH(e_phoff, image.len);
    CHECK(!open_image());
    make_plain();
    PATCH(e_shentsize, 1);
    CHECK(!open_image());
    make_plain();
    PATCH(e_shnum, 0xfff0);
    CHECK(!open_image());
    make_plain();
    PATCH(e_phnum, 0xffff);
    CHECK(!open_image());
}

TEST(section_names_that_are_wrong_do_no_harm)
{
    make_plain();
    PATCH(e_shstrndx, 0xfffe);
    CHECK(open_image());
    CHECK(elf_file_section(&file, ".text") == NULL);
    make_plain();
    PATCH(e_shstrndx, SHN_XINDEX);
    CHECK(open_image());
    make_plain();
    PATCH(e_shnum, 0); // then section 0 has the count: 0 here
    CHECK(open_image());
    CHECK_UINT(file.section_cnt, 0);
}

TEST(sections_are_loaded_within_the_file_and_the_limit)
{
    size_t len = 0;
    make_plain();
    CHECK(open_image());
    const Elf64_Shdr *note = elf_file_section_of_type(&file, SHT_NOTE);
    char *bytes = elf_file_load_section(&file, note, 1000, &len);
    CHECK(bytes != NULL);
    CHECK_UINT(len, note->sh_size);
    CHECK_INT(bytes[len], '\0');
    free(bytes);
    CHECK(elf_file_load_section(&file, note, 3, &len) == NULL);
    Elf64_Shdr outside = *note;
    outside.sh_offset = UINT64_MAX - 2;
    CHECK(elf_file_load_section(&file, &outside, 1000, &len) == NULL);
    outside = *note;
    outside.sh_flags = SHF_COMPRESSED;
    CHECK(elf_file_load_section(&file, &outside, 1000, &len) == NULL);
}

TEST(cut_off_anywhere_it_does_no_harm)
{
    make_plain();
    for (size_t len = image.len; len > 0; len--) {
        elf_file_close(&file);
        (void)elf_file_open_memory(&file, image.bytes, len, NULL);
        (void)elf_file_build_id(&file);
    }
}

TEST(own_file_is_read_through_a_descriptor)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    elf_file_close(&file);
    CHECK(elf_file_open(&file, fd, &err));
    CHECK(elf_file_section(&file, ".text") != NULL);
    elf_file_close(&file);
    CHECK_INT(close(fd), -1); // it was the file's own
    elf_file_close(&file);
}
