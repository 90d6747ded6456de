// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/jit_code_list.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTOR_FIRST = 16, WALK_TRIES = 32, MIN_SYMFILE_BYTES = 16 };

// struct jit_code_entry of the GDB interface.
struct raw_entry {
    uint64_t next;
    uint64_t prev;
    uint64_t symfile;
    uint64_t symfile_bytes;
};

static bool is_pointer(uint64_t word)
{
    return word > 0xFFFF && word < (1ULL << 47) && word % 8 == 0;
}

static bool read_entry(struct memory_reader *reader, uint64_t address, struct raw_entry *entry)
{
    return is_pointer(address) && memory_reader_words(reader, address, entry, sizeof *entry / 8) &&
           is_pointer(entry->symfile) && entry->symfile_bytes >= MIN_SYMFILE_BYTES &&
           entry->symfile_bytes <= JIT_CODE_MAX_SYMFILE_BYTES;
}

struct descriptor_search {
    struct memory_reader *reader;
};

// {u32 version 1, u32 action 0..2; relevant; first}: first leads to an entry
// whose symfile begins with 0 (emulator) or 1 (module), and whose successor
// points back.
static bool is_descriptor(void *context, uint64_t address, uint64_t word)
{
    struct memory_reader *reader = ((struct descriptor_search *)context)->reader;
    uint64_t first = 0;
    struct raw_entry entry;
    struct raw_entry next;
    uint64_t kind = 0;
    if ((word & 0xFFFFFFFF) != 1 || word >> 32 > 2 ||
        !memory_reader_words(reader, address + DESCRIPTOR_FIRST, &first, 1) ||
        !read_entry(reader, first, &entry) ||
        !memory_reader_words(reader, entry.symfile, &kind, 1) || (uint32_t)kind > 1) {
        return false;
    }
    return read_entry(reader, entry.next, &next) && next.prev == first;
}

bool jit_code_list_find(struct jit_code_list *list, const struct vm_memory *memory,
                        struct memory_reader *reader, struct error *err)
{
    struct descriptor_search search = {reader};
    uint64_t word = 0;
    uint64_t symbol = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "__jit_debug_descriptor");
    // Another JIT in the process may own the global symbol.
    bool exported = vm_memory_contains(memory, symbol) &&
                    memory_reader_words(reader, symbol, &word, 1) &&
                    is_descriptor(&search, symbol, word);
    *list = (struct jit_code_list){
        .descriptor = exported ? symbol : vm_memory_find(memory, reader, is_descriptor, &search)};
    return list->descriptor != 0 ||
           error_set(err, ERROR_UNSUPPORTED,
                     "no list of JIT code in this emulator (is it built with the JIT?)");
}

static bool read_first(const struct jit_code_list *list, struct memory_reader *reader,
                       uint64_t *first)
{
    return memory_reader_words(reader, list->descriptor + DESCRIPTOR_FIRST, first, 1);
}

bool jit_code_list_changed(const struct jit_code_list *list, struct memory_reader *reader)
{
    uint64_t first = 0;
    return read_first(list, reader, &first) && first != list->first;
}

// The last word is read on its own, ending with the file, so that nothing
// behind it is touched.
static void *copy_symfile(struct memory_reader *reader, const struct raw_entry *entry)
{
    char *copy = malloc(entry->symfile_bytes);
    uint64_t whole = entry->symfile_bytes / 8;
    uint64_t tail = entry->symfile_bytes - 8;
    uint64_t last = 0;
    if (copy == NULL || !memory_reader_words(reader, entry->symfile, copy, (uint32_t)whole) ||
        !memory_reader_words(reader, entry->symfile + tail, &last, 1)) {
        free(copy);
        return NULL;
    }
    memcpy(copy + tail, &last, sizeof last);
    return copy;
}

static bool take_entry(struct memory_reader *reader, const struct jit_code_visitor *visitor,
                       uint64_t address, const struct raw_entry *entry)
{
    struct jit_code_entry name = {address, entry->symfile, entry->symfile_bytes};
    if (!visitor->wants(visitor->context, &name)) {
        return true;
    }
    void *symfile = copy_symfile(reader, entry);
    struct raw_entry again;
    bool same = symfile != NULL && read_entry(reader, address, &again) &&
                again.symfile == entry->symfile && again.symfile_bytes == entry->symfile_bytes;
    if (same) {
        visitor->take(visitor->context, &name, symfile);
    }
    free(symfile);
    return same;
}

static bool walk_once(struct jit_code_list *list, struct memory_reader *reader,
                      const struct jit_code_visitor *visitor)
{
    uint64_t first = 0;
    uint64_t first_after = 0;
    if (!read_first(list, reader, &first)) {
        return false;
    }
    visitor->begin(visitor->context);
    uint64_t previous = 0;
    uint64_t address = first;
    for (uint32_t i = 0; address != 0; i++) {
        struct raw_entry entry;
        // The first entry's prev may be stale (seen on OTP 27).
        if (i == JIT_CODE_MAX_ENTRIES || !read_entry(reader, address, &entry) ||
            (i > 0 && entry.prev != previous) || !take_entry(reader, visitor, address, &entry)) {
            return false;
        }
        previous = address;
        address = entry.next;
    }
    if (!read_first(list, reader, &first_after) || first_after != first) {
        return false;
    }
    list->first = first;
    return true;
}

bool jit_code_list_walk(struct jit_code_list *list, struct memory_reader *reader,
                        const struct jit_code_visitor *visitor)
{
    for (int i = 0; i < WALK_TRIES; i++) {
        if (walk_once(list, reader, visitor)) {
            return true;
        }
    }
    return false;
}
