// SPDX-License-Identifier: Apache-2.0
// Call frame information that was made up: each rule, and lies.
#include "unwind/call_frame.h"

#include "test.h"

enum { CODE = 0x10000, CODE_BYTES = 0x100 };
#define SECTION 0x800000ULL

static unsigned char section[512];
static size_t len;
static struct call_frame_table table;
static struct frame_registers registers;
static uint64_t stack[64]; // at 0x5000
static bool is_signal;

static bool read_stack(void *context, uint64_t address, uint64_t *word_ret)
{
    (void)context;
    if (address < 0x5000 || address >= 0x5000 + sizeof stack || address % 8 != 0) {
        return false;
    }
    *word_ret = stack[(address - 0x5000) / 8];
    return true;
}

static const struct frame_memory MEMORY = {NULL, read_stack};

static void put(const void *bytes, size_t cnt)
{
    memcpy(section + len, bytes, cnt);
    len += cnt;
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof value);
}

static void put_entry_begin(size_t *begin)
{
    *begin = len;
    put_u32(0);
}

static void put_entry_end(size_t begin)
{
    while ((len - begin) % 8 != 4) {
        section[len++] = 0; // nop
    }
    uint32_t entry_len = (uint32_t)(len - begin - 4);
    memcpy(section + begin, &entry_len, sizeof entry_len);
}

// One CIE as gcc writes it: CFA = rsp + 8, return address at CFA - 8; one function.
static void make(const char *augmentation, const unsigned char *program, size_t program_len)
{
    size_t begin;
    memset(section, 0, sizeof section);
    len = 0;
    put_entry_begin(&begin);
    put_u32(0);
    section[len++] = 1;
    put(augmentation, strlen(augmentation) + 1);
    const unsigned char rest[] = {1, 0x78, 16, 1, 0x00, 0x0C, 7, 8, 0x90, 1};
    put(rest, sizeof rest); // alignments 1 and -8, column 16, absolute pointers
    put_entry_end(begin);
    put_entry_begin(&begin);
    put_u32((uint32_t)len);
    const uint64_t range[] = {CODE, CODE_BYTES};
    put(range, sizeof range);
    section[len++] = 0; // augmentation data
    put(program, program_len);
    put_entry_end(begin);
    put_u32(0);
    memset(&registers, 0, sizeof registers);
    registers.values[FRAME_REGISTER_RSP] = 0x5000;
    for (unsigned i = 0; i < 64; i++) {
        stack[i] = 0x1000 + i;
    }
}

static enum call_frame_step step(uint64_t offset)
{
    CHECK(call_frame_table_init(&table, section, len, SECTION));
    enum call_frame_step result =
        call_frame_unwind(&table, CODE + offset, &MEMORY, &registers, &is_signal);
    call_frame_table_deinit(&table);
    return result;
}

TEST(rows_follow_the_program)
{
    // push rbp; mov rbp, rsp; ...; pop rbp
    const unsigned char program[] = {0x41, 0x0E, 16,   0x86, 2,  // +1: CFA rsp+16, rbp at CFA-16
                                     0x43, 0x0D, 6,              // +4: CFA by rbp
                                     0x02, 0x50, 0x0C, 7,    8}; // +0x54: as at the start
    make("zR", program, sizeof program);
    CHECK_INT(step(0), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1000);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5008);
    make("zR", program, sizeof program);
    CHECK_INT(step(1), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RBP], 0x1000);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1001);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5010);
    make("zR", program, sizeof program);
    registers.values[FRAME_REGISTER_RBP] = 0x5040;
    CHECK_INT(step(4), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1009);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5050);
    make("zR", program, sizeof program);
    CHECK_INT(step(0x53), CALL_FRAME_UNKNOWN); // rbp leads nowhere
    CHECK_INT(step(0x54), CALL_FRAME_CALLER);
    CHECK(!is_signal);
}

TEST(what_was_popped_is_in_its_register)
{
    const unsigned char program[] = {0x0E, 16, 0x83, 2, 0x41, 0x0E, 8}; // +1: popped, rule stays
    make("zR", program, sizeof program);
    registers.values[FRAME_REGISTER_RBX] = 0x77;
    CHECK_INT(step(1), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RBX], 0x77);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1000);
}

TEST(states_are_remembered_and_restored)
{
    const unsigned char program[] = {0x0A, 0x0E, 32, 0x41, 0x0B, 0x41, 0xC3};
    make("zR", program, sizeof program);
    CHECK_INT(step(0), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5020);
    make("zR", program, sizeof program);
    CHECK_INT(step(1), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5008);
    const unsigned char unbalanced[] = {0x0B};
    make("zR", unbalanced, sizeof unbalanced);
    CHECK_INT(step(0), CALL_FRAME_UNKNOWN);
}

// So that what a callee reads before it writes is not nought by luck.
static __attribute__((noinline)) void soil_the_stack(void)
{
    volatile unsigned char soil[16 << 10];
    for (size_t i = 0; i < sizeof soil; i++) {
        soil[i] = 0x5A;
    }
}

TEST(a_restore_in_the_common_entry_leads_to_the_empty_row)
{
    make("zR", (const unsigned char[]){0x00}, 1);
    section[22] = 0xC3; // the first nop of the common entry's end: restore rbx
    registers.values[FRAME_REGISTER_RBX] = 0x77;
    soil_the_stack();
    CHECK_INT(step(0), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RBX], 0x77);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1000);
}

TEST(expressions_say_where_the_frame_is)
{
    // The PLT's: rsp + 8 + ((rip & 15) >= 11) * 8
    const unsigned char plt[] = {0x0F, 11,   0x77, 8,    0x80, 0,   0x3F,
                                 0x1A, 0x3B, 0x2A, 0x33, 0x24, 0x22};
    make("zR", plt, sizeof plt);
    registers.values[FRAME_REGISTER_RIP] = 0x10004;
    CHECK_INT(step(4), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5008);
    make("zR", plt, sizeof plt);
    registers.values[FRAME_REGISTER_RIP] = 0x1000B;
    CHECK_INT(step(11), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5010);
    // A signal frame's: the CFA is a word on the stack, rip lies where an expression says.
    const unsigned char trampoline[] = {0x0F, 3, 0x77, 16, 0x06, 0x10, 16, 2, 0x77, 24};
    make("zRS", trampoline, sizeof trampoline);
    stack[2] = 0x5100;
    CHECK_INT(step(0), CALL_FRAME_CALLER);
    CHECK_UINT(registers.values[FRAME_REGISTER_RSP], 0x5100);
    CHECK_UINT(registers.values[FRAME_REGISTER_RIP], 0x1003);
    CHECK(is_signal);
}

TEST(the_outermost_frame_says_so)
{
    const unsigned char program[] = {0x07, 16};
    make("zR", program, sizeof program);
    CHECK_INT(step(0), CALL_FRAME_OUTERMOST);
}

TEST(code_without_information_is_unknown)
{
    const unsigned char program[] = {0};
    make("zR", program, sizeof program);
    CHECK_INT(step(CODE_BYTES), CALL_FRAME_UNKNOWN);
    const unsigned char foreign[] = {0x3F}; // an instruction that nobody defined
    make("zR", foreign, sizeof foreign);
    CHECK_INT(step(0), CALL_FRAME_UNKNOWN);
    registers.values[FRAME_REGISTER_RSP] = 0x9000; // a stack that is not there
    make("zR", program, sizeof program);
    registers.values[FRAME_REGISTER_RSP] = 0x9000;
    CHECK_INT(step(0), CALL_FRAME_UNKNOWN);
}

// Whatever a byte says, nothing outside is read (the sanitizers look) and it ends.
TEST(any_byte_may_lie)
{
    const unsigned char program[] = {0x41, 0x0E, 16, 0x86, 2, 0x0F, 3, 0x77, 16, 0x06, 0x0A, 0x0B};
    make("zR", program, sizeof program);
    size_t whole = len;
    for (size_t at = 0; at < whole; at++) {
        for (unsigned value = 0; value < 256; value += 5) {
            make("zR", program, sizeof program);
            section[at] = (unsigned char)value;
            unsigned char *copy = malloc(whole);
            memcpy(copy, section, whole);
            if (call_frame_table_init(&table, copy, whole, SECTION)) {
                for (uint64_t pc = CODE; pc < CODE + 4; pc++) {
                    (void)call_frame_unwind(&table, pc, &MEMORY, &registers, &is_signal);
                }
                call_frame_table_deinit(&table);
            }
            free(copy);
        }
    }
    for (size_t cut = 0; cut < whole; cut++) {
        make("zR", program, sizeof program);
        if (call_frame_table_init(&table, section, cut, SECTION)) {
            call_frame_table_deinit(&table);
        }
    }
}
