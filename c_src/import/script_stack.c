// SPDX-License-Identifier: Apache-2.0
#include "import/script_stack.h"

#include "base/byte_buffer.h"
#include "import/hash_memo.h"
#include "import/input_trouble.h"
#include "import/script_event.h"
#include "model/category_frame.h"
#include "store/perf_script_line.h"
#include "store/perf_script_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_BLOCKS = 1 << 20, // remembered; then all are forgotten, and learnt anew
    MAX_LINES = 1 << 20,
    MAX_NAME_BYTES = 1 << 20,
    MIN_BARE_ADDRESS = 4, // digits of an address with nothing but a name behind it
};

// A block, as it is remembered.
struct block {
    stack_id stack;
    uint32_t line_cnt;
    uint32_t first_code;
    uint16_t code_cnt;
    uint16_t malformed_cnt;
};

// One frame of the block that is being read. It has an id, or may be a category.
struct pending_frame {
    frame_id id;
    uint64_t address;
    struct text name;
    struct text file;
};

struct script_stack_reader {
    struct profile_builder *builder;
    struct script_notes *notes;
    struct profile_input_stats *stats;
    struct hash_memo block_ids;
    struct hash_memo line_ids; // of frames that are no categories
    struct block *blocks;
    uint32_t block_cnt;
    uint32_t block_capacity;
    struct script_stack_code *codes;
    uint32_t code_cnt;
    uint32_t code_capacity;
    struct byte_buffer name;
    struct script_event event;
    uint32_t frame_cnt;
    struct pending_frame frames[SCRIPT_STACK_MAX_FRAMES]; // leaf first
    struct script_stack_code found[SCRIPT_STACK_MAX_CODES];
    uint32_t found_cnt;
};

struct script_stack_reader *script_stack_reader_create(struct profile_builder *builder,
                                                       struct script_notes *notes)
{
    struct script_stack_reader *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->builder = builder;
        reader->notes = notes;
        reader->stats = &profile_builder_profile(builder)->stats;
        reader->block_ids.max_cnt = MAX_BLOCKS;
        reader->line_ids.max_cnt = MAX_LINES;
        byte_buffer_init(&reader->name, MAX_NAME_BYTES);
    }
    return reader;
}

void script_stack_reader_destroy(struct script_stack_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    hash_memo_deinit(&reader->block_ids);
    hash_memo_deinit(&reader->line_ids);
    byte_buffer_deinit(&reader->name);
    free(reader->blocks);
    free(reader->codes);
    free(reader);
}

// --- names --------------------------------------------------------------------

static string_id plain(struct script_stack_reader *reader, struct text shown)
{
    return profile_builder_string(reader->builder, perf_script_text_plain(&reader->name, shown));
}

// `HEXADDR` or `HEXADDR NAME`, of `perf script -F ip,sym` without the file.
static bool parse_bare_frame(struct text line, struct perf_script_frame *frame)
{
    uint32_t at = 0;
    uint64_t address = 0;
    while (at < line.len && (line.bytes[at] == ' ' || line.bytes[at] == '\t')) {
        at++;
    }
    uint32_t begin = at;
    for (; at < line.len && at - begin < 17; at++) {
        char c = line.bytes[at];
        char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            address = address << 4 | (uint64_t)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            address = address << 4 | (uint64_t)(lower - 'a' + 10);
        } else {
            break;
        }
    }
    bool ends = at == line.len || line.bytes[at] == ' ' || line.bytes[at] == '\t';
    if (!ends || at - begin < MIN_BARE_ADDRESS || at - begin > 16) {
        return false;
    }
    struct text name = {line.bytes + at, line.len - at};
    while (name.len > 0 && (name.bytes[0] == ' ' || name.bytes[0] == '\t')) {
        name.bytes++;
        name.len--;
    }
    const char *offset = name.len == 0 ? NULL : memmem(name.bytes, name.len, "+0x", 3);
    if (offset != NULL && offset > name.bytes) {
        name.len = (uint32_t)(offset - name.bytes);
    }
    *frame = (struct perf_script_frame){
        .address = address, .name = name.len == 0 ? TEXT("[unknown]") : name, .file = TEXT("")};
    return true;
}

// --- lines --------------------------------------------------------------------

static frame_id intern(struct script_stack_reader *reader, const struct perf_script_frame *frame)
{
    struct profile_frame made = {
        .address = frame->address,
        .name = plain(reader, frame->name),
        .file = plain(reader, frame->file),
        .line = frame->line,
    };
    return profile_dictionary_frame(&profile_builder_profile(reader->builder)->dictionary, &made);
}

static void push(struct script_stack_reader *reader, struct pending_frame frame)
{
    if (reader->frame_cnt == SCRIPT_STACK_MAX_FRAMES) {
        reader->stats->dropped_cnt++;
        return;
    }
    reader->frames[reader->frame_cnt++] = frame;
}

static bool take_line(struct script_stack_reader *reader, struct text line)
{
    struct perf_script_frame frame;
    struct hash_key key = hash_key_of(line.bytes, line.len);
    frame_id id = 0;
    if (hash_memo_find(&reader->line_ids, key, &id)) {
        push(reader, (struct pending_frame){.id = id});
        return true;
    }
    if (!perf_script_line_frame(line, &frame) && !parse_bare_frame(line, &frame)) {
        return false;
    }
    if (frame.line == 0 && category_frame_possible(frame.name)) {
        push(reader, (struct pending_frame){0, frame.address, frame.name, frame.file});
        return true;
    }
    id = intern(reader, &frame);
    if (!hash_memo_add(&reader->line_ids, key, id)) {
        hash_memo_clear(&reader->line_ids);
    }
    push(reader, (struct pending_frame){.id = id});
    return true;
}

// --- from frames to a stack ---------------------------------------------------

static bool take_number(struct text text, int64_t *number)
{
    bool is_negative = text.len > 0 && text.bytes[0] == '-';
    uint64_t sum = 0;
    for (uint32_t i = is_negative; i < text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.bytes[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum)) {
            return false;
        }
    }
    *number = (int64_t)(is_negative ? 0 - sum : sum);
    return text.len > is_negative;
}

// False when the value is none of its dimension.
static bool code_of(struct script_stack_reader *reader, uint32_t dimension, struct text value,
                    struct script_stack_code *code)
{
    int64_t number = 0;
    code->dimension = dimension;
    if (profile_builder_profile(reader->builder)->dimensions[dimension].kind ==
        PROFILE_DIMENSION_TEXT) {
        code->code = profile_builder_text(reader->builder, dimension, value);
        return true;
    }
    bool is_label = dimension >= PROFILE_FIXED_DIMENSION_CNT;
    if (!is_label || !take_number(value, &number)) {
        return false;
    }
    code->code = profile_builder_number(reader->builder, dimension, number);
    return true;
}

// Takes the categories that stand outermost from the frames.
static void take_categories(struct script_stack_reader *reader)
{
    struct category category;
    reader->found_cnt = 0;
    while (reader->frame_cnt > 0 && reader->found_cnt < SCRIPT_STACK_MAX_CODES) {
        const struct pending_frame *frame = &reader->frames[reader->frame_cnt - 1];
        if (frame->id != 0 || !category_frame_parse(frame->name, frame->file, &category)) {
            return;
        }
        int dimension = script_notes_dimension(reader->notes, category.kind);
        struct text value = perf_script_text_plain(&reader->name, category.value);
        if (dimension == PROFILE_NONE ||
            !code_of(reader, (uint32_t)dimension, value, &reader->found[reader->found_cnt])) {
            return;
        }
        reader->found_cnt++;
        reader->frame_cnt--;
    }
}

static stack_id take_stack(struct script_stack_reader *reader)
{
    struct profile_dictionary *dictionary = &profile_builder_profile(reader->builder)->dictionary;
    stack_id stack = 0;
    take_categories(reader);
    for (uint32_t i = reader->frame_cnt; i > 0; i--) {
        const struct pending_frame *frame = &reader->frames[i - 1];
        frame_id id = frame->id;
        if (id == 0 && frame->name.len > 0) {
            struct perf_script_frame code = {
                .address = frame->address, .name = frame->name, .file = frame->file};
            id = intern(reader, &code);
        }
        stack = profile_dictionary_stack(dictionary, stack, id);
    }
    return stack;
}

// --- blocks -------------------------------------------------------------------

static bool reserve_block(struct script_stack_reader *reader)
{
    if (reader->block_cnt < reader->block_capacity) {
        return true;
    }
    uint32_t capacity = reader->block_cnt < 1024 ? 1024 : reader->block_cnt * 2;
    struct block *blocks = realloc(reader->blocks, capacity * sizeof *blocks);
    if (blocks == NULL) {
        return false;
    }
    reader->blocks = blocks;
    reader->block_capacity = capacity;
    return true;
}

static bool reserve_codes(struct script_stack_reader *reader)
{
    uint32_t cnt = reader->code_cnt + reader->found_cnt;
    if (cnt <= reader->code_capacity) {
        return true;
    }
    uint32_t capacity = cnt < 1024 ? 1024 : cnt * 2;
    struct script_stack_code *codes = realloc(reader->codes, capacity * sizeof *codes);
    if (codes == NULL) {
        return false;
    }
    reader->codes = codes;
    reader->code_capacity = capacity;
    return true;
}

static void remember(struct script_stack_reader *reader, struct hash_key key, struct block block)
{
    if (reader->block_cnt == MAX_BLOCKS) {
        hash_memo_clear(&reader->block_ids);
        reader->block_cnt = reader->code_cnt = 0;
    }
    if (!reserve_block(reader) || !reserve_codes(reader) ||
        !hash_memo_add(&reader->block_ids, key, reader->block_cnt)) {
        return;
    }
    block.first_code = reader->code_cnt;
    block.code_cnt = (uint16_t)reader->found_cnt;
    if (reader->found_cnt > 0) {
        memcpy(reader->codes + reader->code_cnt, reader->found,
               reader->found_cnt * sizeof *reader->found);
    }
    reader->code_cnt += reader->found_cnt;
    reader->blocks[reader->block_cnt++] = block;
}

static bool is_blank_line(struct text line)
{
    uint32_t at = 0;
    while (at < line.len && (line.bytes[at] == ' ' || line.bytes[at] == '\t')) {
        at++;
    }
    return at == line.len;
}

// Where an event line stands, or `end`.
static const char *read_lines(struct script_stack_reader *reader, const char *begin,
                              const char *end)
{
    for (const char *at = begin; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline == NULL ? end : newline;
        struct text line = {at, (uint32_t)(line_end - at)};
        if (*at == ' ' && script_event_parse(line, &reader->event)) {
            return at;
        }
        reader->stats->line_cnt++;
        if (!is_blank_line(line) && !take_line(reader, line)) {
            input_trouble_add(reader->stats, line);
        }
        at = newline == NULL ? end : newline + 1;
    }
    return end;
}

const char *script_stack_reader_block(struct script_stack_reader *reader, const char *begin,
                                      const char *end, struct script_stack *stack)
{
    struct hash_key key = hash_key_of(begin, (size_t)(end - begin));
    uint32_t known = 0;
    if (hash_memo_find(&reader->block_ids, key, &known)) {
        const struct block *block = &reader->blocks[known];
        reader->stats->line_cnt += block->line_cnt;
        reader->stats->malformed_cnt += block->malformed_cnt;
        const struct script_stack_code *codes =
            block->code_cnt == 0 ? NULL : reader->codes + block->first_code;
        *stack = (struct script_stack){block->stack, block->code_cnt, codes};
        return end;
    }
    uint64_t line_cnt = reader->stats->line_cnt;
    uint64_t malformed_cnt = reader->stats->malformed_cnt;
    reader->frame_cnt = 0;
    const char *behind = read_lines(reader, begin, end);
    *stack = (struct script_stack){.stack = take_stack(reader)};
    stack->code_cnt = reader->found_cnt;
    stack->codes = reader->found;
    line_cnt = reader->stats->line_cnt - line_cnt;
    malformed_cnt = reader->stats->malformed_cnt - malformed_cnt;
    if (behind == end && malformed_cnt <= UINT16_MAX) {
        remember(reader, key,
                 (struct block){.stack = stack->stack,
                                .line_cnt = (uint32_t)line_cnt,
                                .malformed_cnt = (uint16_t)malformed_cnt});
    }
    return behind;
}

void script_stack_reader_line(struct script_stack_reader *reader, struct text line,
                              struct script_stack *stack)
{
    struct perf_script_frame frame;
    reader->frame_cnt = 0;
    if (perf_script_line_frame(line, &frame) || parse_bare_frame(line, &frame)) {
        (void)take_line(reader, line);
    }
    *stack = (struct script_stack){.stack = take_stack(reader)};
    stack->code_cnt = reader->found_cnt;
    stack->codes = reader->found;
}
