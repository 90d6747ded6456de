// SPDX-License-Identifier: Apache-2.0
#include "import/stacks_import.h"

#include "import/input_trouble.h"
#include "import/line_count.h"
#include "import/line_feed.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FRAMES = 4096 };

struct stacks_import {
    struct profile_builder *builder;
    struct profile_input_stats *stats;
    int samples;
    bool in_map; // of bpftrace: until `]: COUNT`
    uint32_t comm_code;
    uint32_t pid_code;
    uint32_t frame_cnt;
    frame_id frames[MAX_FRAMES]; // leaf first
};

struct stacks_import *stacks_import_create(struct profile_builder *builder)
{
    struct stacks_import *import = calloc(1, sizeof *import);
    if (import != NULL) {
        import->builder = builder;
        import->stats = &profile_builder_profile(builder)->stats;
        import->samples = profile_builder_metric(builder, TEXT("samples"), TEXT("count"));
    }
    return import;
}

void stacks_import_destroy(struct stacks_import *import)
{
    free(import);
}

// --- texts --------------------------------------------------------------------

static struct text trimmed(struct text text)
{
    while (text.len > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.len--;
    }
    while (text.len > 0 && (text.bytes[text.len - 1] == ' ' || text.bytes[text.len - 1] == ',')) {
        text.len--;
    }
    return text;
}

static bool is_number(struct text text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

// Without `b'...'` of bcc, and `+OFFSET` of bpftrace.
static struct text bare_name(struct text name)
{
    if (name.len > 3 && memcmp(name.bytes, "b'", 2) == 0 && name.bytes[name.len - 1] == '\'') {
        return (struct text){name.bytes + 2, name.len - 3};
    }
    uint32_t at = name.len;
    while (at > 0 &&
           ((name.bytes[at - 1] >= '0' && name.bytes[at - 1] <= '9') || name.bytes[at - 1] == 'x' ||
            (name.bytes[at - 1] >= 'a' && name.bytes[at - 1] <= 'f'))) {
        at--;
    }
    bool has_offset = at > 1 && at < name.len && name.bytes[at - 1] == '+';
    return has_offset ? (struct text){name.bytes, at - 1} : name;
}

// --- rows ---------------------------------------------------------------------

static void push_frame(struct stacks_import *import, struct text name)
{
    if (import->frame_cnt == MAX_FRAMES) {
        import->stats->dropped_cnt++;
        return;
    }
    struct profile_frame frame = {
        .name = profile_builder_string(import->builder, bare_name(name)),
    };
    import->frames[import->frame_cnt++] =
        profile_dictionary_frame(&profile_builder_profile(import->builder)->dictionary, &frame);
}

static void set_process(struct stacks_import *import, struct text text)
{
    text = bare_name(trimmed(text));
    if (is_number(text)) {
        int64_t pid = 0;
        (void)line_count_take(&text, &pid);
        import->pid_code = profile_builder_number(import->builder, PROFILE_PID, pid);
    } else if (text.len > 0) {
        import->comm_code = profile_builder_text(import->builder, PROFILE_COMM, text);
    }
}

static void end_stack(struct stacks_import *import, int64_t count)
{
    struct profile_builder *builder = import->builder;
    struct profile_dictionary *dictionary = &profile_builder_profile(builder)->dictionary;
    stack_id stack = 0;
    for (uint32_t i = import->frame_cnt; i > 0; i--) {
        stack = profile_dictionary_stack(dictionary, stack, import->frames[i - 1]);
    }
    profile_builder_begin_row(builder, 0, stack, 0);
    profile_builder_set_code(builder, PROFILE_COMM, import->comm_code);
    profile_builder_set_code(builder, PROFILE_PID, import->pid_code);
    if (import->samples != PROFILE_NONE) {
        profile_builder_set_value(builder, (uint32_t)import->samples, count);
    }
    profile_builder_end_row(builder);
    import->frame_cnt = import->comm_code = import->pid_code = 0;
    import->in_map = false;
}

// --- lines --------------------------------------------------------------------

// `, KEY]: COUNT`, the keys being pid or comm. False when it is no such end.
static bool take_map_end(struct stacks_import *import, struct text line)
{
    int64_t count = 0;
    if (!line_count_take(&line, &count) || line.len < 2 ||
        memcmp(line.bytes + line.len - 2, "]:", 2) != 0) {
        return false;
    }
    line.len -= 2;
    while (line.len > 0) {
        const char *comma = memrchr(line.bytes, ',', line.len);
        uint32_t at = comma == NULL ? 0 : (uint32_t)(comma - line.bytes) + 1;
        set_process(import, (struct text){line.bytes + at, line.len - at});
        line.len = comma == NULL ? 0 : at - 1;
    }
    end_stack(import, count);
    return true;
}

// `@NAME[` with what stands behind it.
static void begin_map(struct stacks_import *import, struct text line)
{
    const char *bracket = memchr(line.bytes, '[', line.len);
    if (bracket == NULL) {
        input_trouble_add(import->stats, line);
        return;
    }
    uint32_t at = (uint32_t)(bracket - line.bytes) + 1;
    struct text rest = {line.bytes + at, line.len - at};
    import->in_map = true;
    import->frame_cnt = import->comm_code = import->pid_code = 0;
    if (!take_map_end(import, rest)) {
        set_process(import, rest);
    }
}

// `-   COMM (PID)`, or `-   COMM`.
static void take_bcc_process(struct stacks_import *import, struct text text)
{
    text = trimmed((struct text){text.bytes + 1, text.len - 1});
    const char *open = text.len == 0 ? NULL : memrchr(text.bytes, '(', text.len);
    if (open != NULL && text.bytes[text.len - 1] == ')') {
        struct text pid = {open + 1, (uint32_t)(text.bytes + text.len - open) - 2};
        text = trimmed((struct text){text.bytes, (uint32_t)(open - text.bytes)});
        if (is_number(pid)) {
            set_process(import, pid);
        }
    }
    set_process(import, text);
}

static void take_indented(struct stacks_import *import, struct text line)
{
    struct text text = trimmed(line);
    if (text.len == 0 || text_equal(text, TEXT("--"))) { // between kernel and user
        return;
    }
    if (!import->in_map && text.bytes[0] == '-' && text.len > 1 && text.bytes[1] == ' ') {
        take_bcc_process(import, text);
    } else if (!import->in_map && is_number(text)) {
        int64_t count = 0;
        (void)line_count_take(&text, &count);
        end_stack(import, count);
    } else {
        push_frame(import, text);
    }
}

static void take_line(void *context, struct text line)
{
    struct stacks_import *import = context;
    import->stats->line_cnt++;
    if (line.len == 0) {
        return;
    }
    bool is_indented = line.bytes[0] == ' ' || line.bytes[0] == '\t';
    if (line.bytes[0] == '@') {
        begin_map(import, line);
    } else if (import->in_map && take_map_end(import, line)) {
        return;
    } else if (is_indented) {
        take_indented(import, line);
    } else if (import->in_map) {
        push_frame(import, trimmed(line));
    } else if (import->frame_cnt > 0) {
        input_trouble_add(import->stats, line);
    }
}

size_t stacks_import_feed(struct stacks_import *import, const char *bytes, size_t len, bool is_last)
{
    size_t taken = line_feed(bytes, len, is_last, take_line, import);
    import->stats->byte_cnt += taken;
    return taken;
}
