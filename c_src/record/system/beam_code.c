// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_code.h"

#include "capture/system/process_memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_DATA_BYTES = 16 << 20,
    MAX_ENTRIES = 65536,
    MIN_SYMFILE_BYTES = 16,
    MAX_SYMFILE_BYTES = 16 << 20,
    MAX_HEAD_BYTES = 256,
    WALK_TRIES = 4,
    WANTED = 1024, // a power of two
};

// struct jit_descriptor and jit_code_entry of the GDB interface.
struct descriptor {
    uint32_t version; // 1
    uint32_t action;  // 0 .. 2
    uint64_t relevant;
    uint64_t first;
};

struct list_entry {
    uint64_t next;
    uint64_t prev;
    uint64_t symfile;
    uint64_t symfile_bytes;
};

static bool is_pointer(uint64_t word)
{
    return word > 0xFFFF && word < 1ULL << 47 && word % 8 == 0;
}

static bool read_entry(uint32_t pid, uint64_t address, struct list_entry *entry)
{
    return is_pointer(address) && process_memory_read(pid, address, entry, sizeof *entry) &&
           is_pointer(entry->symfile) && entry->symfile_bytes >= MIN_SYMFILE_BYTES &&
           entry->symfile_bytes <= MAX_SYMFILE_BYTES;
}

// --- finding the list -----------------------------------------------------------------

// Its first entry has a symbol file of the emulator (0) or of a module (1), and the
// successor points back.
static bool is_list(uint32_t pid, const struct descriptor *descriptor)
{
    struct list_entry entry;
    struct list_entry next;
    uint32_t kind = 0;
    if (descriptor->version != 1 || descriptor->action > 2 ||
        !read_entry(pid, descriptor->first, &entry) ||
        !process_memory_read(pid, entry.symfile, &kind, sizeof kind) || kind > 1) {
        return false;
    }
    return read_entry(pid, entry.next, &next) && next.prev == descriptor->first;
}

static uint64_t find_in_data(uint32_t pid, uint64_t address, size_t bytes)
{
    unsigned char *data = malloc(bytes);
    uint64_t found = 0;
    if (data != NULL && process_memory_read(pid, address, data, bytes)) {
        for (size_t at = 0; at + sizeof(struct descriptor) <= bytes && found == 0; at += 8) {
            struct descriptor descriptor;
            memcpy(&descriptor, data + at, sizeof descriptor);
            found = is_list(pid, &descriptor) ? address + at : 0;
        }
    }
    free(data);
    return found;
}

static uint64_t find_descriptor(uint32_t pid, const struct elf_file *program, uint64_t bias)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < program->segment_cnt && found == 0; i++) {
        const Elf64_Phdr *segment = &program->segments[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0 &&
            segment->p_memsz <= MAX_DATA_BYTES) {
            uint64_t begin = (segment->p_vaddr + bias + 7) & ~7ULL;
            uint64_t end = segment->p_vaddr + bias + segment->p_memsz;
            found = begin < end ? find_in_data(pid, begin, end - begin) : 0;
        }
    }
    return found;
}

static bool is_descriptor(uint32_t pid, uint64_t address)
{
    struct descriptor descriptor;
    return is_pointer(address) &&
           process_memory_read(pid, address, &descriptor, sizeof descriptor) &&
           is_list(pid, &descriptor);
}

bool beam_code_init(struct beam_code *code, uint32_t pid, uint64_t told,
                    const struct elf_file *program, uint64_t bias, size_t max_bytes,
                    struct string_table *names)
{
    bool is_told = is_descriptor(pid, told);
    *code = (struct beam_code){
        .pid = pid,
        .descriptor = is_told ? told : find_descriptor(pid, program, bias),
        .is_told = is_told,
    };
    if (code->descriptor != 0) {
        code->map =
            names == NULL ? code_map_create(max_bytes) : code_map_create_sharing(max_bytes, names);
        code->wanted = calloc(WANTED, sizeof *code->wanted);
    }
    if (code->map == NULL || code->wanted == NULL) {
        beam_code_deinit(code);
        return false;
    }
    return true;
}

void beam_code_deinit(struct beam_code *code)
{
    code_map_destroy(code->map);
    free(code->wanted);
    *code = (struct beam_code){.map = NULL};
}

// --- walking it -----------------------------------------------------------------------

// As it is listed; NULL when it is so no more, or without memory.
static void *read_symfile(const struct beam_code *code, const struct code_key *key)
{
    struct list_entry again;
    void *symfile = malloc(key->symfile_bytes);
    if (symfile != NULL &&
        process_memory_read(code->pid, key->symfile, symfile, key->symfile_bytes) &&
        read_entry(code->pid, key->entry, &again) && again.symfile == key->symfile &&
        again.symfile_bytes == key->symfile_bytes) {
        return symfile;
    }
    free(symfile);
    return NULL;
}

static bool take_whole(struct beam_code *code, const struct code_key *key)
{
    void *symfile = read_symfile(code, key);
    if (symfile != NULL) {
        (void)code_map_add(code->map, key, symfile); // counts what it refuses
    }
    free(symfile);
    return symfile != NULL;
}

static bool take_entry(struct beam_code *code, uint64_t address, const struct list_entry *entry)
{
    const struct code_key key = {address, entry->symfile, entry->symfile_bytes};
    unsigned char head[MAX_HEAD_BYTES];
    size_t head_bytes = key.symfile_bytes < sizeof head ? key.symfile_bytes : sizeof head;
    if (code_map_has(code->map, &key)) {
        return true;
    }
    if (code_map_is_read(code->map, &key)) {
        return take_whole(code, &key);
    }
    return process_memory_read(code->pid, key.symfile, head, head_bytes) &&
           (code_map_add_unread(code->map, &key, head, head_bytes) || take_whole(code, &key));
}

static bool read_first(const struct beam_code *code, uint64_t *first)
{
    struct descriptor descriptor;
    if (!process_memory_read(code->pid, code->descriptor, &descriptor, sizeof descriptor)) {
        return false;
    }
    *first = descriptor.first;
    return true;
}

// False when it changed meanwhile.
static bool walk(struct beam_code *code, uint64_t first)
{
    uint64_t previous = 0;
    uint64_t address = first;
    uint64_t first_after = 0;
    code_map_begin(code->map, code->generation + 1);
    for (uint32_t i = 0; address != 0; i++) {
        struct list_entry entry;
        // The first entry's prev may be stale (seen on OTP 27).
        if (i == MAX_ENTRIES || !read_entry(code->pid, address, &entry) ||
            (i > 0 && entry.prev != previous) || !take_entry(code, address, &entry)) {
            return false;
        }
        previous = address;
        address = entry.next;
    }
    if (!read_first(code, &first_after) || first_after != first) {
        return false;
    }
    code_map_end(code->map);
    code->generation++;
    code->first = first;
    memset(code->wanted, 0, WANTED * sizeof *code->wanted);
    return true;
}

bool beam_code_refresh(struct beam_code *code)
{
    uint64_t first = 0;
    for (int i = 0; i < WALK_TRIES && read_first(code, &first); i++) {
        if (first == code->first || walk(code, first)) {
            return true;
        }
    }
    return false;
}

// --- what is wanted of it ---------------------------------------------------------------

// What is listed may be another's memory by now: only while the list is as it was walked.
static bool read_module(struct beam_code *code, uint64_t address, const struct code_key *key)
{
    uint64_t first = 0;
    void *symfile = read_symfile(code, key);
    bool same = symfile != NULL && read_first(code, &first) && first == code->first;
    if (same) {
        (void)code_map_read(code->map, address, symfile); // counts what it refuses
    }
    free(symfile);
    return same;
}

void beam_code_want(struct beam_code *code, uint64_t address)
{
    struct code_key key;
    uint64_t *wanted = &code->wanted[address % WANTED];
    if (*wanted == address) {
        return;
    }
    for (int i = 0; i < WALK_TRIES && code_map_unread(code->map, address, &key); i++) {
        if (read_module(code, address, &key)) {
            break;
        }
        (void)beam_code_refresh(code);
    }
    *wanted = address;
}
