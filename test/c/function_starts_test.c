// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/function_starts.h"

#include "elf_image.h"
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>

enum { TEXT_AT = ELF_IMAGE_TEXT_ADDRESS, FRAMES_AT = 0x402000, CIE_BYTES = 20, FDE_BYTES = 20 };

static struct function_starts starts;

struct frames {
    unsigned char bytes[256];
    size_t len;
};

static void add_word(struct frames *frames, uint32_t word)
{
    memcpy(frames->bytes + frames->len, &word, sizeof word);
    frames->len += sizeof word;
}

static void begin(struct frames *frames)
{
    static const unsigned char REST[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0};
    frames->len = 0;
    add_word(frames, sizeof REST + 4);
    add_word(frames, 0);
    memcpy(frames->bytes + frames->len, REST, sizeof REST);
    frames->len += sizeof REST;
}

static void add(struct frames *frames, uint64_t start, uint32_t len)
{
    add_word(frames, FDE_BYTES - 4);
    add_word(frames, (uint32_t)frames->len); // back to the CIE, at 0
    add_word(frames, (uint32_t)(start - FRAMES_AT - frames->len));
    add_word(frames, len);
    add_word(frames, 0);
}

static bool load(const struct frames *frames)
{
    static struct elf_image image;
    struct elf_file file = {0};
    elf_image_begin(&image);
    uint32_t index = elf_image_add(&image, ".eh_frame", SHT_PROGBITS, frames->bytes, frames->len);
    image.sections[index].sh_addr = FRAMES_AT;
    elf_image_end(&image);
    function_starts_deinit(&starts);
    CHECK(elf_file_open_memory(&file, image.bytes, image.len, NULL));
    bool ok = function_starts_load(&starts, &file);
    elf_file_close(&file);
    return ok;
}

static uint64_t start_of(uint64_t address)
{
    uint64_t start = 0;
    return function_starts_find(&starts, address, &start) ? start : 0;
}

TEST(an_address_belongs_to_the_function_that_holds_it)
{
    struct frames frames;
    begin(&frames);
    add(&frames, TEXT_AT + 0x100, 0x20);
    add(&frames, TEXT_AT, 0x10);
    CHECK(load(&frames));
    CHECK_UINT(starts.cnt, 2);
    CHECK_UINT(start_of(TEXT_AT), TEXT_AT);
    CHECK_UINT(start_of(TEXT_AT + 0xf), TEXT_AT);
    CHECK_UINT(start_of(TEXT_AT + 0x10), 0); // a gap is nobody's
    CHECK_UINT(start_of(TEXT_AT + 0x11f), TEXT_AT + 0x100);
    CHECK_UINT(start_of(TEXT_AT + 0x120), 0);
    CHECK_UINT(start_of(TEXT_AT - 1), 0);
    CHECK_UINT(start_of(0), 0);
    CHECK_UINT(start_of(UINT64_MAX), 0);
    CHECK_UINT(function_starts_memory_bytes(&starts), 16);
    function_starts_deinit(&starts);
    CHECK_UINT(start_of(TEXT_AT), 0);
}

TEST(what_a_symbol_names_need_not_be_kept)
{
    struct frames frames = {.len = 0};
    struct symbol_table table;
    begin(&frames);
    add(&frames, TEXT_AT, 16);
    add(&frames, TEXT_AT + 16, 16);
    add(&frames, TEXT_AT + 32, 16);
    CHECK(load(&frames));
    symbol_table_init(&table, 1 << 20);
    CHECK(symbol_table_add(&table, TEXT_AT, 16, SYMBOL_EXACT, 0, TEXT("whole")));
    CHECK(symbol_table_add(&table, TEXT_AT + 16, 8, SYMBOL_EXACT, 0, TEXT("a part")));
    symbol_table_finish(&table);
    function_starts_drop_named(&starts, &table);
    CHECK_UINT(start_of(TEXT_AT + 4), 0);
    CHECK_UINT(start_of(TEXT_AT + 28), TEXT_AT + 16);
    CHECK_UINT(start_of(TEXT_AT + 40), TEXT_AT + 32);
    CHECK_UINT(function_starts_memory_bytes(&starts), 16);
    symbol_table_deinit(&table);
    function_starts_deinit(&starts);
}

TEST(without_frames_there_are_none)
{
    struct frames frames = {.len = 0};
    CHECK(!load(&frames));
    begin(&frames);
    CHECK(!load(&frames)); // no function in it
    frames = (struct frames){.bytes = "no call frame information", .len = 25};
    CHECK(!load(&frames));
    CHECK_UINT(starts.cnt, 0);
    function_starts_deinit(&starts);
}

TEST(own_functions_have_their_starts)
{
    struct elf_file file = {0};
    Dl_info info;
    uint64_t start = 0;
    uint64_t address = (uint64_t)(uintptr_t)own_functions_have_their_starts;
    CHECK(dladdr((void *)(uintptr_t)address, &info) != 0);
    uint64_t base = (uint64_t)(uintptr_t)info.dli_fbase;
    CHECK(elf_file_open(&file, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), NULL));
    CHECK(function_starts_load(&starts, &file));
    bool is_relocated = file.segments[0].p_vaddr < 0x10000;
    CHECK(function_starts_find(&starts, address + 5 - (is_relocated ? base : 0), &start));
    CHECK_UINT(start + (is_relocated ? base : 0), address);
    elf_file_close(&file);
    function_starts_deinit(&starts);
}
