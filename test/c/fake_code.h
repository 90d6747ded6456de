// SPDX-License-Identifier: Apache-2.0
// Symbol files and the list of them, as the VM makes them for GDB
// (symbols/beam/gdb_symfile.h, capture/beam/jit_code_list.h).
//
//     struct fake_symfile file;
//     fake_symfile_begin(&file, 0x7f0000000000, 4096, "lists");
//     fake_symfile_range(&file, 0, 64, "lists:map/2", 1);
//     fake_symfile_line(&file, 16, 1559, "lists.erl");
#ifndef FLAME_PROF_TEST_FAKE_CODE_H
#define FLAME_PROF_TEST_FAKE_CODE_H

#include "test.h"

enum { FAKE_SYMFILE_MAX = 1 << 16 };

struct fake_symfile {
    unsigned char bytes[FAKE_SYMFILE_MAX];
    size_t len;
};

static inline void fake_put(struct fake_symfile *file, size_t at, uint64_t value, size_t bytes)
{
    memcpy(file->bytes + at, &value, bytes);
}

// The writer adds sizeof(struct) and the length of the name, which begins before
// the structure's end.
static inline void fake_put_name(struct fake_symfile *file, size_t name_offset, size_t struct_bytes,
                                 const char *name)
{
    size_t len = strlen(name) + 1;
    CHECK(file->len + struct_bytes + len <= FAKE_SYMFILE_MAX);
    fake_put(file, file->len + name_offset - 2, len, 2);
    memcpy(file->bytes + file->len + name_offset, name, len);
    file->len += struct_bytes + len;
}

static inline void fake_symfile_begin(struct fake_symfile *file, uint64_t base, uint32_t code_bytes,
                                      const char *module)
{
    memset(file, 0, sizeof *file);
    fake_put(file, 0, 1, 4);
    fake_put(file, 8, base, 8);
    fake_put(file, 20, code_bytes, 4);
    fake_put_name(file, 26, 32, module);
}

// Its `line_cnt` lines must follow.
static inline void fake_symfile_range(struct fake_symfile *file, uint32_t start, uint32_t end,
                                      const char *name, uint32_t line_cnt)
{
    uint32_t range_cnt;
    memcpy(&range_cnt, file->bytes + 16, 4);
    fake_put(file, 16, range_cnt + 1, 4);
    fake_put(file, file->len, start, 4);
    fake_put(file, file->len + 4, end, 4);
    fake_put(file, file->len + 8, line_cnt, 4);
    fake_put_name(file, 14, 16, name);
}

static inline void fake_symfile_line(struct fake_symfile *file, uint32_t start, uint32_t line,
                                     const char *source)
{
    fake_put(file, file->len, start, 4);
    fake_put(file, file->len + 4, line, 4);
    fake_put_name(file, 10, 12, source);
}

// ---- the list -------------------------------------------------------------------

enum { FAKE_CODE_MAX = 64 };

struct fake_code_entry {
    uint64_t next;
    uint64_t prev;
    uint64_t symfile;
    uint64_t symfile_bytes;
};

// Zeroed, then fake_code_list_init.
struct fake_code_list {
    uint64_t descriptor[3]; // u32 version, u32 action; relevant entry; first entry
    struct fake_code_entry entries[FAKE_CODE_MAX];
    uint32_t cnt;
};

static inline uint64_t fake_place(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

__attribute__((noinline, no_sanitize("thread"))) static void fake_store(uint64_t *at,
                                                                        uint64_t value)
{
    *(volatile uint64_t *)at = value;
}

static inline void fake_code_list_init(struct fake_code_list *list)
{
    list->descriptor[0] = 1;
}

// In front of the others, as the VM does. `symfile` stays the caller's.
static inline struct fake_code_entry *fake_code_list_add(struct fake_code_list *list,
                                                         const void *symfile, uint64_t bytes)
{
    CHECK(list->cnt < FAKE_CODE_MAX);
    struct fake_code_entry *entry = &list->entries[list->cnt++];
    uint64_t first = list->descriptor[2];
    *entry = (struct fake_code_entry){first, 0, fake_place(symfile), bytes};
    if (first != 0) {
        fake_store(&((struct fake_code_entry *)(uintptr_t)first)->prev, fake_place(entry));
    }
    fake_store(&list->descriptor[2], fake_place(entry));
    return entry;
}

#endif
