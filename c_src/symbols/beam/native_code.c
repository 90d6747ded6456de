// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/native_code.h"

#include "base/clock.h"
#include "base/string_table.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_OBJECTS = 256,
    MAX_SYMBOLS = 1 << 19,
    MAX_FILE_BYTES = 512 << 20,
    NAMES_MAX_BYTES = 32 << 20,
    REFRESH_NS = 1000 * CLOCK_NS_PER_MS,
};

struct symbol {
    uint64_t start;
    uint64_t end;
    uint32_t name; // string_id
};

struct object {
    uint64_t start; // of its executable mappings
    uint64_t end;
    bool is_program; // the executable itself, with one such mapping
    uint64_t bias;
    uint32_t file; // string_id
    char path[256];
    bool symbols_read;
    struct symbol *symbols; // by start
    uint32_t symbol_cnt;
    struct call_frame_table frames;
};

struct native_code {
    struct string_table *strings;
    struct object *objects[MAX_OBJECTS]; // never removed: an unloaded one is replaced by overlap
    uint32_t object_cnt;
    uint64_t refreshed_ns;
};

struct native_code *native_code_create(void)
{
    struct native_code *code = calloc(1, sizeof *code);
    if (code == NULL) {
        return NULL;
    }
    code->strings = string_table_create(NAMES_MAX_BYTES);
    if (code->strings == NULL) {
        free(code);
        return NULL;
    }
    return code;
}

static void object_destroy(struct object *object)
{
    call_frame_table_deinit(&object->frames);
    free(object->symbols);
    free(object);
}

void native_code_destroy(struct native_code *code)
{
    if (code == NULL) {
        return;
    }
    for (uint32_t i = 0; i < code->object_cnt; i++) {
        object_destroy(code->objects[i]);
    }
    string_table_destroy(code->strings);
    free(code);
}

// ---- objects -----------------------------------------------------------------------

static struct text base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return text_of(slash == NULL ? path : slash + 1);
}

struct segments {
    uint64_t start; // executable
    uint64_t end;
    uint32_t cnt;    // of those
    uint64_t header; // .eh_frame_hdr
    uint64_t header_segment_end;
};

static struct segments segments_of(const struct dl_phdr_info *info)
{
    struct segments found = {.start = UINT64_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_GNU_EH_FRAME) {
            found.header = start;
        } else if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
            found.start = start < found.start ? start : found.start;
            found.end = start + segment->p_memsz > found.end ? start + segment->p_memsz : found.end;
            found.cnt++;
        }
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && found.header >= start &&
            found.header < start + segment->p_filesz) {
            found.header_segment_end = start + segment->p_filesz;
        }
    }
    return found;
}

// .eh_frame_hdr: version 1, the encoding of the pointer to .eh_frame (in practice
// pcrel sdata4), two more encodings, the pointer. The section ends with a zero or
// its segment.
static void read_frames(struct object *object, const struct segments *segments)
{
    if (segments->header == 0 || segments->header_segment_end < segments->header + 8) {
        return;
    }
    const unsigned char *header =
        (const unsigned char *)(uintptr_t)segments->header; // NOLINT(performance-no-int-to-ptr)
    int32_t distance;
    memcpy(&distance, header + 4, sizeof distance);
    uint64_t section = segments->header + 4 + (uint64_t)(int64_t)distance;
    if (header[0] != 1 || header[1] != 0x1B || section <= segments->header ||
        section >= segments->header_segment_end) {
        return;
    }
    (void)call_frame_table_init(
        &object->frames, (const void *)(uintptr_t)section, // NOLINT(performance-no-int-to-ptr)
        segments->header_segment_end - section, section);
}

static bool is_known(const struct native_code *code, const struct segments *segments)
{
    for (uint32_t i = 0; i < code->object_cnt; i++) {
        if (code->objects[i]->start == segments->start && code->objects[i]->end == segments->end) {
            return true;
        }
    }
    return false;
}

static void drop_overlapping(struct native_code *code, const struct segments *segments)
{
    for (uint32_t i = code->object_cnt; i > 0; i--) {
        struct object *object = code->objects[i - 1];
        if (object->start < segments->end && segments->start < object->end) {
            object_destroy(object);
            code->objects[i - 1] = code->objects[--code->object_cnt];
        }
    }
}

// Called under the loader's lock: nothing is unloaded meanwhile.
static int on_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    struct native_code *code = context;
    struct segments segments = segments_of(info);
    if (segments.end == 0 || is_known(code, &segments)) {
        return 0;
    }
    drop_overlapping(code, &segments);
    struct object *object = code->object_cnt < MAX_OBJECTS ? calloc(1, sizeof *object) : NULL;
    if (object == NULL) {
        return 0;
    }
    object->start = segments.start;
    object->end = segments.end;
    object->bias = info->dlpi_addr;
    bool is_executable = info->dlpi_name == NULL || info->dlpi_name[0] == '\0';
    ssize_t len = -1;
    // The vDSO has no name either, where there is one.
    object->is_program = is_executable && code->object_cnt == 0 && segments.cnt == 1;
    if (is_executable) {
        len = readlink("/proc/self/exe", object->path, sizeof object->path - 1);
        object->path[len > 0 ? len : 0] = '\0';
    } else {
        (void)snprintf(object->path, sizeof object->path, "%s", info->dlpi_name);
    }
    object->file = string_table_intern(code->strings, base_name(object->path));
    read_frames(object, &segments);
    code->objects[code->object_cnt++] = object;
    return 0;
}

static struct object *find_object(struct native_code *code, uint64_t pc)
{
    for (uint32_t i = 0; i < code->object_cnt; i++) {
        if (pc >= code->objects[i]->start && pc < code->objects[i]->end) {
            return code->objects[i];
        }
    }
    return NULL;
}

static void refresh(struct native_code *code)
{
    code->refreshed_ns = clock_monotonic_ns();
    (void)dl_iterate_phdr(on_object, code);
}

// Libraries come and go; an address in none asks for another look, but not all the time.
static struct object *object_of(struct native_code *code, uint64_t pc)
{
    struct object *object = find_object(code, pc);
    if (object != NULL || clock_monotonic_ns() - code->refreshed_ns < REFRESH_NS) {
        return object;
    }
    refresh(code);
    return find_object(code, pc);
}

// dl_iterate_phdr begins with it.
static struct object *program_of(struct native_code *code)
{
    if (code->object_cnt == 0) {
        refresh(code);
    }
    for (uint32_t i = 0; i < code->object_cnt; i++) {
        if (code->objects[i]->is_program) {
            return code->objects[i];
        }
    }
    return NULL;
}

// ---- symbols -------------------------------------------------------------------------

struct elf_view {
    const unsigned char *bytes;
    size_t len;
};

static bool inside(const struct elf_view *view, uint64_t at, uint64_t len)
{
    return at <= view->len && len <= view->len - at;
}

static bool section_at(const struct elf_view *view, const Elf64_Ehdr *header, uint32_t index,
                       Elf64_Shdr *section_ret)
{
    uint64_t at = header->e_shoff + (uint64_t)index * sizeof *section_ret;
    if (index >= header->e_shnum || header->e_shentsize != sizeof *section_ret ||
        !inside(view, at, sizeof *section_ret)) {
        return false;
    }
    memcpy(section_ret, view->bytes + at, sizeof *section_ret);
    return section_ret->sh_type == SHT_NOBITS ||
           inside(view, section_ret->sh_offset, section_ret->sh_size);
}

// `_Z17beam_jit_call_bifP7process...`: a plain C++ function, of which OTP exports some.
static struct text plain_name(struct text name)
{
    uint32_t len = 0;
    uint32_t at = 2;
    if (name.len < 4 || name.bytes[0] != '_' || name.bytes[1] != 'Z') {
        return name;
    }
    for (; at < name.len && name.bytes[at] >= '0' && name.bytes[at] <= '9' && len < 1000; at++) {
        len = len * 10 + (uint32_t)(name.bytes[at] - '0');
    }
    return len > 0 && len <= name.len - at ? (struct text){name.bytes + at, len} : name;
}

static void add_symbol(struct native_code *code, struct object *object, const struct elf_view *view,
                       const Elf64_Shdr *names, const Elf64_Sym *symbol)
{
    int type = ELF64_ST_TYPE(symbol->st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
        symbol->st_size == 0 || symbol->st_name >= names->sh_size) {
        return;
    }
    const char *name = (const char *)view->bytes + names->sh_offset + symbol->st_name;
    size_t max = names->sh_size - symbol->st_name;
    struct text text = {name, (uint32_t)strnlen(name, max < 512 ? max : 512)};
    object->symbols[object->symbol_cnt++] = (struct symbol){
        object->bias + symbol->st_value, object->bias + symbol->st_value + symbol->st_size,
        string_table_intern(code->strings, plain_name(text))};
}

static int by_start(const void *a, const void *b)
{
    uint64_t left = ((const struct symbol *)a)->start;
    uint64_t right = ((const struct symbol *)b)->start;
    return left < right ? -1 : left > right;
}

static bool read_table(struct native_code *code, struct object *object, const struct elf_view *view,
                       const Elf64_Ehdr *header, uint32_t type)
{
    Elf64_Shdr table;
    Elf64_Shdr names;
    for (uint32_t i = 0; section_at(view, header, i, &table); i++) {
        uint64_t cnt = table.sh_size / sizeof(Elf64_Sym);
        if (table.sh_type != type || cnt == 0 || cnt > MAX_SYMBOLS ||
            !section_at(view, header, table.sh_link, &names)) {
            continue;
        }
        object->symbols = calloc(cnt, sizeof *object->symbols);
        if (object->symbols == NULL) {
            return false;
        }
        for (uint64_t k = 0; k < cnt; k++) {
            Elf64_Sym symbol;
            memcpy(&symbol, view->bytes + table.sh_offset + k * sizeof symbol, sizeof symbol);
            add_symbol(code, object, view, &names, &symbol);
        }
        qsort(object->symbols, object->symbol_cnt, sizeof *object->symbols, by_start);
        return true;
    }
    return false;
}

static void parse_file(struct native_code *code, struct object *object, const struct elf_view *view)
{
    Elf64_Ehdr header;
    if (!inside(view, 0, sizeof header)) {
        return;
    }
    memcpy(&header, view->bytes, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return;
    }
    if (!read_table(code, object, view, &header, SHT_SYMTAB)) {
        (void)read_table(code, object, view, &header, SHT_DYNSYM);
    }
}

// Read once, into private memory: a file that is cut short under a mapping would
// kill the VM.
static void read_symbols(struct native_code *code, struct object *object)
{
    object->symbols_read = true;
    int fd = open(object->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0) {
        return;
    }
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
                   status.st_size <= MAX_FILE_BYTES;
    unsigned char *bytes = regular ? malloc((size_t)status.st_size) : NULL;
    size_t len = 0;
    ssize_t got = 1;
    while (bytes != NULL && len < (size_t)status.st_size && got > 0) {
        got = read(fd, bytes + len, (size_t)status.st_size - len);
        len += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    if (bytes != NULL) {
        struct elf_view view = {bytes, len};
        parse_file(code, object, &view);
    }
    free(bytes);
}

static const struct symbol *find_symbol(const struct object *object, uint64_t pc)
{
    uint32_t low = 0;
    uint32_t high = object->symbol_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (object->symbols[middle].start <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct symbol *symbol = low > 0 ? &object->symbols[low - 1] : NULL;
    return symbol != NULL && pc < symbol->end ? symbol : NULL;
}

bool native_code_program(struct native_code *code, struct native_text *text_ret)
{
    const struct object *program = program_of(code);
    if (program != NULL) {
        *text_ret = (struct native_text){
            (const unsigned char *)(uintptr_t)program->start, // NOLINT(performance-no-int-to-ptr)
            program->end - program->start, program->start};
    }
    return program != NULL;
}

bool native_code_program_function(struct native_code *code, const char *name, uint64_t *start_ret,
                                  uint64_t *end_ret)
{
    struct object *program = program_of(code);
    if (program != NULL && !program->symbols_read) {
        read_symbols(code, program);
    }
    for (uint32_t i = 0; program != NULL && i < program->symbol_cnt; i++) {
        const struct symbol *symbol = &program->symbols[i];
        if (text_equal(string_table_text(code->strings, symbol->name), text_of(name))) {
            *start_ret = symbol->start;
            *end_ret = symbol->end;
            return true;
        }
    }
    return false;
}

bool native_code_is_function(struct native_code *code, uint64_t address)
{
    struct object *object = object_of(code, address);
    const struct call_frame_function *function =
        object == NULL ? NULL : call_frame_find(&object->frames, address);
    return function != NULL && function->start == address;
}

bool native_code_find(struct native_code *code, uint64_t pc, struct native_location *location_ret)
{
    struct object *object = object_of(code, pc);
    if (object == NULL) {
        return false;
    }
    if (!object->symbols_read) {
        read_symbols(code, object);
    }
    const struct symbol *symbol = find_symbol(object, pc);
    const struct call_frame_function *function = call_frame_find(&object->frames, pc);
    uint64_t start = symbol != NULL ? symbol->start : function != NULL ? function->start : 0;
    char text[32];
    (void)snprintf(text, sizeof text, "fn_0x%llx", (unsigned long long)(start - object->bias));
    string_id name = symbol != NULL ? symbol->name
                     : start != 0   ? string_table_intern(code->strings, text_of(text))
                                    : string_table_intern(code->strings, TEXT("[unknown]"));
    *location_ret = (struct native_location){
        .name = string_table_text(code->strings, name),
        .file = string_table_text(code->strings, object->file),
        .function_start = start,
        .is_named = symbol != NULL,
    };
    return true;
}

enum call_frame_step native_code_unwind(struct native_code *code, uint64_t pc,
                                        const struct frame_memory *memory,
                                        struct frame_registers *registers, bool *is_signal_ret)
{
    struct object *object = object_of(code, pc);
    return object == NULL
               ? CALL_FRAME_UNKNOWN
               : call_frame_unwind(&object->frames, pc, memory, registers, is_signal_ret);
}
