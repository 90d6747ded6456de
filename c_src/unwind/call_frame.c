// SPDX-License-Identifier: Apache-2.0
#include "unwind/call_frame.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SECTION_BYTES = 64 << 20, MAX_FUNCTIONS = 1 << 20 };
enum { DIGIT_BITS = 11, DIGIT_MASK = (1 << DIGIT_BITS) - 1 };

// ---- the table ----------------------------------------------------------------------

static bool make_room(struct call_frame_table *table, uint32_t *capacity)
{
    if (table->function_cnt < *capacity) {
        return true;
    }
    uint32_t next = *capacity == 0 ? 64 : *capacity * 2;
    struct call_frame_function *larger = realloc(table->functions, next * sizeof *table->functions);
    if (larger == NULL) {
        return false;
    }
    table->functions = larger;
    *capacity = next;
    return true;
}

// Appends each FDE; a length of 0 ends the section.
static bool add_functions(struct call_frame_table *table)
{
    struct cfi_fde fde = {0};
    size_t at = 0;
    uint32_t capacity = 0;
    while (at + 8 <= table->section.len && table->function_cnt < MAX_FUNCTIONS) {
        size_t next;
        struct cfi_cursor cursor = cfi_open_entry(&table->section, at, &next);
        if (!cursor.ok) {
            break; // the end, or what lies behind it
        }
        uint64_t id = cfi_take_bytes(&cursor, 4);
        if (id != 0 && cfi_parse_fde(&table->section, at, &fde)) {
            if (!make_room(table, &capacity)) {
                return false;
            }
            table->functions[table->function_cnt++] =
                (struct call_frame_function){fde.start, fde.end, (uint32_t)at};
        }
        at = next;
    }
    return table->function_cnt > 0;
}

// Into `to`, by DIGIT_BITS of what the addresses are above `base`.
static void sort_by_digit(const struct call_frame_function *from, struct call_frame_function *to,
                          uint32_t cnt, uint64_t base, unsigned shift)
{
    uint32_t places[1 << DIGIT_BITS] = {0};
    uint32_t sum = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        places[(from[i].start - base) >> shift & DIGIT_MASK]++;
    }
    for (uint32_t digit = 0; digit <= DIGIT_MASK; digit++) {
        uint32_t digit_cnt = places[digit];
        places[digit] = sum;
        sum += digit_cnt;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        to[places[(from[i].start - base) >> shift & DIGIT_MASK]++] = from[i];
    }
}

// Functions of one object are near each other: two or three rounds.
static bool sort_by_start(struct call_frame_table *table)
{
    struct call_frame_function *from = table->functions;
    struct call_frame_function *to = malloc(table->function_cnt * sizeof *to);
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (uint32_t i = 0; i < table->function_cnt; i++) {
        low = from[i].start < low ? from[i].start : low;
        high = from[i].start > high ? from[i].start : high;
    }
    for (unsigned shift = 0; to != NULL && shift < 64 && (high - low) >> shift != 0;
         shift += DIGIT_BITS) {
        struct call_frame_function *sorted = to;
        sort_by_digit(from, to, table->function_cnt, low, shift);
        to = from;
        from = sorted;
    }
    table->functions = from;
    free(to);
    return to != NULL;
}

static bool is_sorted(const struct call_frame_table *table)
{
    for (uint32_t i = 1; i < table->function_cnt; i++) {
        if (table->functions[i].start < table->functions[i - 1].start) {
            return false;
        }
    }
    return true;
}

// ---- the index of the file ------------------------------------------------------------

// .eh_frame_hdr: version 1, the encodings of where .eh_frame is, of how many functions
// there are and of their table, as all linkers write them.
struct index_head {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frames;
    uint32_t function_cnt;
};

// Both are from where the header is.
struct index_row {
    int32_t start;
    int32_t entry;
};

static bool open_index(const struct cfi_section *header, struct index_head *head)
{
    static const uint8_t KNOWN[] = {1, 0x1B, 0x03, 0x3B};
    if (header->bytes == NULL || header->len < sizeof *head) {
        return false;
    }
    memcpy(head, header->bytes, sizeof *head);
    return memcmp(head, KNOWN, sizeof KNOWN) == 0 && head->function_cnt > 0 &&
           head->function_cnt <= MAX_FUNCTIONS &&
           head->function_cnt <= (header->len - sizeof *head) / sizeof(struct index_row);
}

// False when it is not in the section, or not behind the one before.
static bool add_indexed(struct call_frame_table *table, const struct cfi_section *header,
                        uint32_t number)
{
    struct index_row row;
    struct call_frame_function *function = &table->functions[number];
    memcpy(&row, header->bytes + sizeof(struct index_head) + number * sizeof row, sizeof row);
    uint64_t entry = header->address + (uint64_t)(int64_t)row.entry - table->section.address;
    *function = (struct call_frame_function){
        .start = header->address + (uint64_t)(int64_t)row.start,
        .entry = (uint32_t)entry,
    };
    if (number > 0) {
        function[-1].end = function->start;
    }
    return entry < table->section.len && (number == 0 || function->start >= function[-1].start);
}

static bool add_functions_by_index(struct call_frame_table *table, const struct cfi_section *header)
{
    struct index_head head;
    struct cfi_fde last = {0};
    if (!open_index(header, &head)) {
        return false;
    }
    table->functions = malloc(head.function_cnt * sizeof *table->functions);
    if (table->functions == NULL) {
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < head.function_cnt && ok; i++) {
        ok = add_indexed(table, header, i);
    }
    struct call_frame_function *function = &table->functions[head.function_cnt - 1];
    if (!ok || !cfi_parse_fde(&table->section, function->entry, &last) ||
        last.start != function->start) {
        free(table->functions);
        table->functions = NULL;
        return false;
    }
    function->end = last.end;
    table->function_cnt = head.function_cnt;
    return true;
}

// ---- tables of sections ---------------------------------------------------------------

bool call_frame_table_take_indexed(struct call_frame_table *table, void *bytes_take, size_t len,
                                   uint64_t address, const struct cfi_section *header)
{
    *table = (struct call_frame_table){
        .section = {.bytes = bytes_take, .len = len, .address = address},
    };
    bool ok =
        bytes_take != NULL && len <= MAX_SECTION_BYTES && add_functions_by_index(table, header);
    return ok || call_frame_table_take(table, bytes_take, len, address);
}

bool call_frame_table_take(struct call_frame_table *table, void *bytes_take, size_t len,
                           uint64_t address)
{
    *table = (struct call_frame_table){
        .section = {.bytes = bytes_take, .len = len, .address = address},
    };
    if (bytes_take == NULL || len > MAX_SECTION_BYTES || !add_functions(table) ||
        (!is_sorted(table) && !sort_by_start(table))) {
        call_frame_table_deinit(table);
        return false;
    }
    return true;
}

bool call_frame_table_init(struct call_frame_table *table, const void *bytes, size_t len,
                           uint64_t address)
{
    unsigned char *copy = len > 0 && len <= MAX_SECTION_BYTES ? malloc(len) : NULL;
    if (copy == NULL) {
        *table = (struct call_frame_table){0};
        return false;
    }
    memcpy(copy, bytes, len);
    return call_frame_table_take(table, copy, len, address);
}

// As crti.o and crtn.o of the C library have it:
//     [f3 0f 1e fa  endbr64]  48 83 ec 08  sub $8,%rsp ... 48 83 c4 08  add $8,%rsp  c3  ret
void call_frame_table_add_stub(struct call_frame_table *table, const void *code, size_t len,
                               uint64_t address)
{
    static const unsigned char ENDBR[] = {0xF3, 0x0F, 0x1E, 0xFA};
    static const unsigned char HEAD[] = {0x48, 0x83, 0xEC, 8};
    static const unsigned char TAIL[] = {0x48, 0x83, 0xC4, 8, 0xC3};
    const unsigned char *bytes = code;
    size_t at = len >= sizeof ENDBR && memcmp(bytes, ENDBR, sizeof ENDBR) == 0 ? sizeof ENDBR : 0;
    bool is_stub = len >= at + sizeof HEAD + sizeof TAIL && len <= UINT64_MAX - address &&
                   memcmp(bytes + at, HEAD, sizeof HEAD) == 0 &&
                   memcmp(bytes + len - sizeof TAIL, TAIL, sizeof TAIL) == 0;
    uint64_t behind = table->stub_cnt == 0 ? 0 : table->stubs[table->stub_cnt - 1].end;
    if (is_stub && address >= behind && table->stub_cnt < CALL_FRAME_MAX_STUBS) {
        table->stubs[table->stub_cnt++] =
            (struct call_frame_stub){address, address + at + sizeof HEAD, address + len};
    }
}

void call_frame_table_deinit(struct call_frame_table *table)
{
    free((void *)table->section.bytes);
    free(table->functions);
    *table = (struct call_frame_table){0};
}

void call_frame_table_add_go(struct call_frame_table *table, const struct go_table *go)
{
    table->go_start = go_table_start(go);
    table->go_end = go_table_end(go);
    table->go = table->go_start != 0 && table->go_start < table->go_end ? go : NULL;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t call_frame_table_start(const struct call_frame_table *table)
{
    uint64_t start = UINT64_MAX;
    if (table->function_cnt > 0) {
        start = table->functions[0].start;
    }
    if (table->stub_cnt > 0) {
        start = lower(start, table->stubs[0].start);
    }
    if (table->go != NULL) {
        start = lower(start, table->go_start);
    }
    return start == UINT64_MAX ? 0 : start;
}

uint64_t call_frame_table_end(const struct call_frame_table *table)
{
    uint64_t end = table->stub_cnt == 0 ? 0 : table->stubs[table->stub_cnt - 1].end;
    if (table->go != NULL && table->go_end > end) {
        end = table->go_end;
    }
    for (uint32_t i = 0; i < table->function_cnt; i++) {
        end = table->functions[i].end > end ? table->functions[i].end : end;
    }
    return end;
}

const struct call_frame_function *call_frame_find(const struct call_frame_table *table, uint64_t pc)
{
    uint32_t low = 0;
    uint32_t high = table->function_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->functions[middle].start <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct call_frame_function *function = low > 0 ? &table->functions[low - 1] : NULL;
    return function != NULL && pc < function->end ? function : NULL;
}

// ---- one step -----------------------------------------------------------------------------

static bool find_cfa(const struct cfi_section *section, const struct cfi_row *row,
                     const struct frame_memory *memory, const struct frame_registers *registers,
                     uint64_t *cfa_ret)
{
    if (row->cfa_is_expression) {
        return cfi_evaluate(section, row->cfa_expression, registers, memory, NULL, cfa_ret);
    }
    if (row->cfa_register >= FRAME_REGISTER_CNT) {
        return false;
    }
    *cfa_ret = registers->values[row->cfa_register] + (uint64_t)row->cfa_offset;
    return true;
}

static bool apply_rule(const struct cfi_section *section, const struct cfi_rule *rule, uint64_t cfa,
                       const struct frame_memory *memory, const struct frame_registers *registers,
                       uint64_t *value)
{
    uint64_t address = cfa + (uint64_t)rule->offset;
    switch (rule->kind) {
    case CFI_RULE_SAME:
    case CFI_RULE_UNDEFINED:
        return true;
    case CFI_RULE_AT_CFA:
        return memory->read(memory->context, address, value);
    case CFI_RULE_REGISTER:
        *value = rule->offset >= 0 && rule->offset < FRAME_REGISTER_CNT
                     ? registers->values[rule->offset]
                     : *value;
        return rule->offset >= 0 && rule->offset < FRAME_REGISTER_CNT;
    case CFI_RULE_EXPRESSION:
        return cfi_evaluate(section, rule->expression, registers, memory, &cfa, &address) &&
               memory->read(memory->context, address, value);
    case CFI_RULE_IS_CFA:
        *value = address;
        return true;
    case CFI_RULE_IS_EXPRESSION:
        return cfi_evaluate(section, rule->expression, registers, memory, &cfa, value);
    }
    return false;
}

enum call_frame_step call_frame_unwind(const struct call_frame_table *table, uint64_t pc,
                                       const struct frame_memory *memory,
                                       struct frame_registers *registers, bool *is_signal_ret)
{
    const struct cfi_section *section = &table->section;
    const struct call_frame_function *function = call_frame_find(table, pc);
    struct cfi_fde fde = {0};
    struct cfi_row row;
    uint64_t cfa = 0;
    if (function == NULL || !cfi_parse_fde(section, function->entry, &fde) ||
        !cfi_find_row(section, &fde, pc, &row)) {
        return CALL_FRAME_UNKNOWN;
    }
    if (row.rules[FRAME_REGISTER_RIP].kind == CFI_RULE_UNDEFINED) {
        return CALL_FRAME_OUTERMOST;
    }
    if (!find_cfa(section, &row, memory, registers, &cfa)) {
        return CALL_FRAME_UNKNOWN;
    }
    // Where a rule leads below the stack pointer the register was popped again (an
    // epilogue) and holds what was saved. The return address never does.
    uint64_t rsp = registers->values[FRAME_REGISTER_RSP];
    struct frame_registers caller = *registers;
    caller.values[FRAME_REGISTER_RSP] = cfa;
    for (int i = 0; i < FRAME_REGISTER_CNT; i++) {
        const struct cfi_rule *rule = &row.rules[i];
        bool is_popped = rule->kind == CFI_RULE_AT_CFA && i != FRAME_REGISTER_RIP &&
                         cfa + (uint64_t)rule->offset < rsp;
        if (!is_popped && !apply_rule(section, rule, cfa, memory, registers, &caller.values[i])) {
            return CALL_FRAME_UNKNOWN;
        }
    }
    *registers = caller;
    *is_signal_ret = fde.cie.is_signal;
    return CALL_FRAME_CALLER;
}
