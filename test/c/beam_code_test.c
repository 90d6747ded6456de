// SPDX-License-Identifier: Apache-2.0
// A list of JIT code as a BEAM has it, in this very process.
#include "record/system/beam_code.h"

#include "record/system/beam_process.h"
#include "test.h"

#include <unistd.h>

struct entry {
    uint64_t next, prev, symfile, symfile_bytes;
};

// A module's symbol file (symbols/beam/gdb_symfile.h) with one function.
struct symfile {
    uint32_t header, padding;
    uint64_t base;
    uint32_t range_cnt, code_bytes;
    uint16_t name_bytes;
    char rest[126];
};

static struct {
    uint64_t before[3];
    struct {
        uint32_t version, action;
        uint64_t relevant, first;
    } descriptor;
    struct entry entries[3];
    struct symfile symfiles[3];
} vm __attribute__((aligned(8)));

static void put_module(int at, uint64_t base, const char *name)
{
    struct symfile *symfile = &vm.symfiles[at];
    char *range = (char *)symfile + 32 + 8;
    uint16_t name_bytes = (uint16_t)(strlen(name) + 1);
    memset(symfile, 0, sizeof *symfile);
    symfile->header = 1;
    symfile->base = base;
    symfile->range_cnt = 1;
    symfile->code_bytes = 0x100;
    symfile->name_bytes = 8;
    memcpy(range, &(uint32_t[]){0, 0x100, 0}, 12);
    memcpy(range + 12, &name_bytes, 2);
    memcpy(range + 14, name, name_bytes);
    vm.entries[at].symfile = (uint64_t)(uintptr_t)symfile;
    vm.entries[at].symfile_bytes = sizeof *symfile;
}

static void link_entries(int cnt)
{
    for (int i = 0; i < cnt; i++) {
        vm.entries[i].prev = i == 0 ? 0 : (uint64_t)(uintptr_t)&vm.entries[i - 1];
        vm.entries[i].next = i == cnt - 1 ? 0 : (uint64_t)(uintptr_t)&vm.entries[i + 1];
    }
}

static bool open_told(struct beam_code *code, const void *told)
{
    Elf64_Phdr data = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W,
        .p_vaddr = (uint64_t)(uintptr_t)&vm - 0x1000,
        .p_memsz = sizeof vm,
    };
    struct elf_file program = {.segments = &data, .segment_cnt = 1};
    return beam_code_init(code, (uint32_t)getpid(), (uint64_t)(uintptr_t)told, &program, 0x1000,
                          1 << 20, NULL);
}

static bool open_code(struct beam_code *code)
{
    return open_told(code, NULL);
}

static void check_name(struct beam_code *code, uint64_t address, const char *name)
{
    struct code_location location;
    beam_code_want(code, address);
    CHECK(code_map_find(code->map, address, code->generation, &location));
    CHECK(text_equal(location.name, text_of(name)));
}

TEST(the_list_is_found_and_followed)
{
    struct beam_code code;
    memset(&vm, 0, sizeof vm);
    put_module(1, 0x10000, "lists:map/2");
    put_module(2, 0x20000, "maps:fold/3");
    link_entries(3);
    put_module(0, 0x30000, "queue:in/2");
    vm.entries[1].prev = 8;
    vm.descriptor.version = 1;
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[0];
    CHECK(!open_code(&code)); // the successor does not point back
    link_entries(3);
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[0];
    CHECK(open_code(&code));
    CHECK(beam_code_refresh(&code));
    CHECK_UINT(code.generation, 1);
    check_name(&code, 0x10010, "lists:map/2");
    check_name(&code, 0x30010, "queue:in/2");
    CHECK(beam_code_refresh(&code));
    CHECK_UINT(code.generation, 1); // nothing was loaded
    beam_code_deinit(&code);
}

TEST(a_module_is_read_when_a_place_in_it_is_wanted)
{
    struct beam_code code;
    struct code_location location;
    memset(&vm, 0, sizeof vm);
    put_module(1, 0x10000, "lists:map/2");
    put_module(2, 0x20000, "maps:fold/3");
    link_entries(3);
    vm.entries[1].prev = 0;
    vm.descriptor.version = 1;
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[1];
    CHECK(open_code(&code));
    CHECK(beam_code_refresh(&code));
    CHECK_UINT(code_map_read_cnt(code.map), 0);
    CHECK(!code_map_find(code.map, 0x10010, 1, &location));
    check_name(&code, 0x10010, "lists:map/2");
    beam_code_want(&code, 0x10020);
    beam_code_want(&code, 0x50000); // no code is there
    CHECK_UINT(code_map_read_cnt(code.map), 1);
    // Loaded since, and in place of what was never read: the list is walked first.
    put_module(2, 0x20000, "maps:filter/2");
    put_module(0, 0x30000, "queue:in/2");
    link_entries(3);
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[0];
    check_name(&code, 0x20010, "maps:filter/2");
    CHECK_UINT(code.generation, 2);
    check_name(&code, 0x30010, "queue:in/2");
    check_name(&code, 0x10010, "lists:map/2");
    // A module that was read, with other functions in its place.
    put_module(1, 0x10000, "lists:sum/1");
    vm.entries[1].prev = 0;
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[1];
    CHECK(beam_code_refresh(&code));
    check_name(&code, 0x10010, "lists:sum/1");
    CHECK(code_map_find(code.map, 0x10010, 2, &location));
    CHECK(text_equal(location.name, TEXT("lists:map/2"))); // as it was then
    beam_code_deinit(&code);
}

TEST(a_list_that_is_told_is_not_looked_for)
{
    struct beam_code code;
    memset(&vm, 0, sizeof vm);
    put_module(0, 0x10000, "lists:map/2");
    put_module(1, 0x20000, "maps:fold/3");
    link_entries(2);
    vm.descriptor.version = 1;
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[0];
    CHECK(open_told(&code, &vm.descriptor));
    CHECK(code.is_told);
    CHECK(beam_code_refresh(&code));
    check_name(&code, 0x10010, "lists:map/2");
    beam_code_deinit(&code);
    CHECK(open_told(&code, &vm.entries[0])); // where there is none
    CHECK(!code.is_told);
    CHECK_UINT(code.descriptor, (uint64_t)(uintptr_t)&vm.descriptor);
    beam_code_deinit(&code);
}

TEST(a_list_that_leads_round_ends)
{
    struct beam_code code;
    memset(&vm, 0, sizeof vm);
    put_module(0, 0x10000, "lists:map/2");
    put_module(1, 0x20000, "maps:fold/3");
    link_entries(2);
    vm.entries[1].next = (uint64_t)(uintptr_t)&vm.entries[0];
    vm.descriptor.version = 1;
    vm.descriptor.first = (uint64_t)(uintptr_t)&vm.entries[0];
    CHECK(open_code(&code));
    CHECK(!beam_code_refresh(&code));
    CHECK_UINT(code.generation, 0);
    beam_code_deinit(&code);
    beam_code_deinit(&code);
}

TEST(pids_have_the_number_that_the_shell_prints)
{
    const struct beam_pid_encoding otp25 = {.is_rotated = false, .table_bits = 18};
    const struct beam_pid_encoding otp27 = {.is_rotated = true, .table_bits = 20};
    CHECK_UINT(beam_process_number(&otp25, 0x278000004f3), 79);
    CHECK_UINT(beam_process_number(&otp27, 0x2903), 82);
    CHECK_UINT(beam_process_number(&otp27, 0x2983), 83);
    CHECK_UINT(beam_process_number(&otp27, 0x2913), 82 + (1 << 17)); // the second round
}
