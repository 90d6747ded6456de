// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_record.h"

#include <asm/perf_regs.h>

enum { MAX_REGISTERS = 8 };

// Registers come in the order of their numbers.
static const struct {
    unsigned number;
    size_t at; // in struct perf_record_registers
} REGISTERS[] = {
#define REGISTER(number, name)                                                                     \
    {                                                                                              \
        number, offsetof(struct perf_record_registers, name)                                       \
    }
#if defined(__x86_64__)
    REGISTER(PERF_REG_X86_AX, rax),  REGISTER(PERF_REG_X86_BX, rbx),
    REGISTER(PERF_REG_X86_BP, fp),   REGISTER(PERF_REG_X86_SP, sp),
    REGISTER(PERF_REG_X86_IP, pc),   REGISTER(PERF_REG_X86_R10, r10),
    REGISTER(PERF_REG_X86_R11, r11), REGISTER(PERF_REG_X86_R13, r13),
#elif defined(__aarch64__)
    REGISTER(PERF_REG_ARM64_X29, fp),
    REGISTER(PERF_REG_ARM64_SP, sp),
    REGISTER(PERF_REG_ARM64_PC, pc),
#else
#error "which registers has this machine?"
#endif
#undef REGISTER
};
enum { REGISTER_CNT = sizeof REGISTERS / sizeof REGISTERS[0] };
_Static_assert((int)REGISTER_CNT <= (int)MAX_REGISTERS, "registers of one record");

uint64_t perf_record_register_mask(void)
{
    uint64_t mask = 0;
    for (int i = 0; i < REGISTER_CNT; i++) {
        mask |= 1ULL << REGISTERS[i].number;
    }
    return mask;
}

// What is left of a record, as words.
struct words {
    const uint64_t *at;
    size_t cnt;
};

static bool take(struct words *words, size_t cnt, const uint64_t **taken)
{
    if (cnt > words->cnt) {
        return false;
    }
    *taken = words->at;
    words->at += cnt;
    words->cnt -= cnt;
    return true;
}

static bool take_word(struct words *words, uint64_t *word)
{
    const uint64_t *at = NULL;
    if (!take(words, 1, &at)) {
        return false;
    }
    *word = *at;
    return true;
}

static bool take_head(struct words *words, struct perf_record *parsed)
{
    uint64_t ids = 0;
    uint64_t cpu = 0;
    if (!take_word(words, &ids) || !take_word(words, &parsed->time_ns) || !take_word(words, &cpu)) {
        return false;
    }
    parsed->pid = (uint32_t)ids;
    parsed->tid = (uint32_t)(ids >> 32);
    parsed->cpu = (uint32_t)cpu;
    return true;
}

// A mark says that the kernel's part begins, and another one where it ends.
static bool take_callchain(struct words *words, struct perf_record *parsed)
{
    uint64_t cnt = 0;
    const uint64_t *chain = NULL;
    if (!take_word(words, &cnt) || !take(words, cnt, &chain)) {
        return false;
    }
    if (cnt == 0 || chain[0] != (uint64_t)PERF_CONTEXT_KERNEL) {
        return true;
    }
    parsed->kernel = chain + 1;
    while (parsed->kernel_cnt < cnt - 1 &&
           chain[1 + parsed->kernel_cnt] < (uint64_t)PERF_CONTEXT_MAX) {
        parsed->kernel_cnt++;
    }
    return true;
}

static bool take_registers(struct words *words, struct perf_record *parsed)
{
    uint64_t abi = 0;
    const uint64_t *values = NULL;
    if (!take_word(words, &abi) || abi > PERF_RECORD_ABI_64) {
        return false;
    }
    parsed->abi = (enum perf_record_abi)abi;
    if (abi == PERF_RECORD_ABI_NONE) {
        return true;
    }
    if (!take(words, REGISTER_CNT, &values)) {
        return false;
    }
    for (int i = 0; i < REGISTER_CNT; i++) {
        *(uint64_t *)((char *)&parsed->registers + REGISTERS[i].at) = values[i];
    }
    return true;
}

// As much as was asked for, then how much of it is there.
static bool take_stack(struct words *words, struct perf_record *parsed)
{
    uint64_t room = 0;
    uint64_t used = 0;
    if (!take_word(words, &room)) {
        return false;
    }
    if (room == 0) {
        return true;
    }
    if (room % 8 != 0 || !take(words, room / 8, &parsed->stack) || !take_word(words, &used) ||
        used > room) {
        return false;
    }
    parsed->stack_bytes = (uint32_t)used & ~7U;
    return true;
}

bool perf_record_parse(const void *record, size_t len, bool has_callchain,
                       struct perf_record *parsed)
{
    const struct perf_event_header *header = record;
    *parsed = (struct perf_record){0};
    if (len < sizeof *header || header->type != PERF_RECORD_SAMPLE || header->size > len ||
        header->size < sizeof *header) {
        return false;
    }
    struct words words = {(const uint64_t *)record + 1, (header->size - sizeof *header) / 8};
    return take_head(&words, parsed) && (!has_callchain || take_callchain(&words, parsed)) &&
           take_registers(&words, parsed) && take_stack(&words, parsed);
}

// sample_id_all puts the thread, the time and the CPU behind what is no sample.
size_t perf_record_time_offset(const struct perf_event_header *header)
{
    if (header->type == PERF_RECORD_SAMPLE) {
        return sizeof *header + 8;
    }
    return header->size >= sizeof *header + 24 ? (size_t)header->size - 16 : 0;
}
