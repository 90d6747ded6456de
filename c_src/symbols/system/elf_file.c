// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAMES_BYTES = 1 << 20, MAX_NOTE_BYTES = 1 << 16 };

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OWN_BYTE_ORDER = ELFDATA2LSB };
#else
enum { OWN_BYTE_ORDER = ELFDATA2MSB };
#endif

// --- bytes --------------------------------------------------------------------

static bool holds(const struct elf_file *file, uint64_t offset, uint64_t len)
{
    return offset <= file->size && len <= file->size - offset;
}

static bool read_all(int fd, uint64_t offset, char *to, size_t len)
{
    while (len > 0) {
        ssize_t got = pread(fd, to, len, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        to += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

bool elf_file_read(const struct elf_file *file, uint64_t offset, void *to, size_t len)
{
    if (!holds(file, offset, len)) {
        return false;
    }
    if (file->memory != NULL) {
        memcpy(to, file->memory + offset, len);
        return true;
    }
    return read_all(file->fd, offset, to, len);
}

static void *load(const struct elf_file *file, uint64_t offset, uint64_t len, size_t max_bytes)
{
    if (len > max_bytes || !holds(file, offset, len)) {
        return NULL;
    }
    char *bytes = malloc((size_t)len + 1);
    if (bytes == NULL || !elf_file_read(file, offset, bytes, (size_t)len)) {
        free(bytes);
        return NULL;
    }
    bytes[len] = '\0';
    return bytes;
}

// --- opening ------------------------------------------------------------------

static bool check_header(const Elf64_Ehdr *header, struct error *err)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return error_set(err, ERROR_BAD_INPUT, "not an ELF file");
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != OWN_BYTE_ORDER) {
        return error_set(err, ERROR_UNSUPPORTED, "not a 64-bit ELF file of this byte order");
    }
    return true;
}

static bool load_segments(struct elf_file *file, const Elf64_Ehdr *header, struct error *err)
{
    uint32_t cnt = header->e_phnum;
    if (cnt == 0) {
        return true;
    }
    if (cnt > ELF_FILE_MAX_SEGMENTS || header->e_phentsize != sizeof(Elf64_Phdr)) {
        return error_set(err, ERROR_BAD_INPUT, "%u program headers of %u bytes", cnt,
                         header->e_phentsize);
    }
    file->segments = load(file, header->e_phoff, cnt * sizeof(Elf64_Phdr), SIZE_MAX);
    file->segment_cnt = file->segments == NULL ? 0 : cnt;
    return file->segments != NULL ||
           error_set(err, ERROR_BAD_INPUT, "program headers outside the file");
}

// Section 0 holds the count when it does not fit the header (gABI, e_shnum).
static uint64_t section_count(const struct elf_file *file, const Elf64_Ehdr *header)
{
    Elf64_Shdr first;
    if (header->e_shnum != 0 || header->e_shoff == 0) {
        return header->e_shnum;
    }
    return elf_file_read(file, header->e_shoff, &first, sizeof first) ? first.sh_size : 0;
}

static void load_section_names(struct elf_file *file, uint32_t index)
{
    if (index == SHN_XINDEX) {
        index = file->sections[0].sh_link;
    }
    if (index < file->section_cnt) {
        file->section_names = elf_file_load_section(file, &file->sections[index], MAX_NAMES_BYTES,
                                                    &file->section_names_bytes);
    }
}

static bool load_sections(struct elf_file *file, const Elf64_Ehdr *header, struct error *err)
{
    uint64_t cnt = section_count(file, header);
    if (cnt == 0) {
        return true;
    }
    if (cnt > ELF_FILE_MAX_SECTIONS || header->e_shentsize != sizeof(Elf64_Shdr)) {
        return error_set(err, ERROR_BAD_INPUT, "%llu section headers of %u bytes",
                         (unsigned long long)cnt, header->e_shentsize);
    }
    file->sections = load(file, header->e_shoff, cnt * sizeof(Elf64_Shdr), SIZE_MAX);
    if (file->sections == NULL) {
        return error_set(err, ERROR_BAD_INPUT, "section headers outside the file");
    }
    file->section_cnt = (uint32_t)cnt;
    load_section_names(file, header->e_shstrndx);
    return true;
}

static bool parse(struct elf_file *file, struct error *err)
{
    Elf64_Ehdr header;
    if (!elf_file_read(file, 0, &header, sizeof header)) {
        return error_set(err, ERROR_BAD_INPUT, "too short for an ELF file");
    }
    file->machine = header.e_machine;
    return check_header(&header, err) && load_segments(file, &header, err) &&
           load_sections(file, &header, err);
}

bool elf_file_open(struct elf_file *file, int fd_take, struct error *err)
{
    struct stat status;
    *file = (struct elf_file){.fd = fd_take, .is_open = true};
    if (fstat(fd_take, &status) != 0) {
        int sys_errno = errno;
        elf_file_close(file);
        return error_os(err, sys_errno, "stat");
    }
    file->size = (uint64_t)status.st_size;
    if (parse(file, err)) {
        return true;
    }
    elf_file_close(file);
    return false;
}

bool elf_file_open_memory(struct elf_file *file, const void *memory, size_t len, struct error *err)
{
    *file = (struct elf_file){.fd = -1, .memory = memory, .size = len, .is_open = true};
    if (parse(file, err)) {
        return true;
    }
    elf_file_close(file);
    return false;
}

void elf_file_close(struct elf_file *file)
{
    if (file->is_open && file->fd >= 0) {
        (void)close(file->fd);
    }
    free(file->segments);
    free(file->sections);
    free(file->section_names);
    *file = (struct elf_file){.fd = -1};
}

// --- sections and segments ----------------------------------------------------

const Elf64_Shdr *elf_file_section(const struct elf_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->section_cnt && file->section_names != NULL; i++) {
        uint32_t at = file->sections[i].sh_name;
        if (at < file->section_names_bytes && strcmp(file->section_names + at, name) == 0) {
            return &file->sections[i];
        }
    }
    return NULL;
}

const Elf64_Shdr *elf_file_section_of_type(const struct elf_file *file, uint32_t type)
{
    for (uint32_t i = 0; i < file->section_cnt; i++) {
        if (file->sections[i].sh_type == type) {
            return &file->sections[i];
        }
    }
    return NULL;
}

char *elf_file_load_section(const struct elf_file *file, const Elf64_Shdr *section,
                            size_t max_bytes, size_t *len)
{
    if (section->sh_type == SHT_NOBITS || (section->sh_flags & SHF_COMPRESSED) != 0) {
        return NULL;
    }
    char *bytes = load(file, section->sh_offset, section->sh_size, max_bytes);
    if (bytes != NULL) {
        *len = (size_t)section->sh_size;
    }
    return bytes;
}

static bool loads_offset(const Elf64_Phdr *segment, uint64_t offset)
{
    return segment->p_type == PT_LOAD && offset >= segment->p_offset &&
           offset - segment->p_offset < segment->p_filesz;
}

bool elf_file_address_of_offset(const Elf64_Phdr *segments, uint32_t segment_cnt, uint64_t offset,
                                uint64_t *address)
{
    const Elf64_Phdr *found = NULL;
    for (uint32_t i = 0; i < segment_cnt; i++) {
        bool better = found == NULL || (segments[i].p_flags & PF_X) != 0;
        if (loads_offset(&segments[i], offset) && better) {
            found = &segments[i];
        }
    }
    if (found == NULL) {
        return false;
    }
    *address = offset - found->p_offset + found->p_vaddr;
    return true;
}

// --- build id -----------------------------------------------------------------

static uint64_t aligned4(uint64_t len)
{
    return (len + 3) & ~3ULL;
}

static bool is_build_id(const Elf64_Nhdr *note, const char *name)
{
    return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
           note->n_descsz > 0 && note->n_descsz <= ELF_FILE_MAX_BUILD_ID_BYTES;
}

static struct elf_build_id find_build_id(const char *notes, size_t len)
{
    struct elf_build_id id = {.len = 0};
    size_t at = 0;
    Elf64_Nhdr note;
    while (len - at >= sizeof note) {
        memcpy(&note, notes + at, sizeof note);
        uint64_t name_at = at + sizeof note;
        uint64_t content_at = name_at + aligned4(note.n_namesz);
        uint64_t next = content_at + aligned4(note.n_descsz);
        if (content_at + note.n_descsz > len) {
            break;
        }
        if (is_build_id(&note, notes + name_at)) {
            id.len = note.n_descsz;
            memcpy(id.bytes, notes + content_at, id.len);
            break;
        }
        if (next > len) {
            break;
        }
        at = (size_t)next;
    }
    return id;
}

struct elf_build_id elf_file_build_id(const struct elf_file *file)
{
    struct elf_build_id id = {.len = 0};
    for (uint32_t i = 0; i < file->section_cnt && id.len == 0; i++) {
        size_t len = 0;
        char *notes = file->sections[i].sh_type == SHT_NOTE
                          ? elf_file_load_section(file, &file->sections[i], MAX_NOTE_BYTES, &len)
                          : NULL;
        if (notes != NULL) {
            id = find_build_id(notes, len);
        }
        free(notes);
    }
    for (uint32_t i = 0; i < file->segment_cnt && id.len == 0; i++) {
        const Elf64_Phdr *segment = &file->segments[i];
        char *notes = segment->p_type == PT_NOTE
                          ? load(file, segment->p_offset, segment->p_filesz, MAX_NOTE_BYTES)
                          : NULL;
        if (notes != NULL) {
            id = find_build_id(notes, (size_t)segment->p_filesz);
        }
        free(notes);
    }
    return id;
}
