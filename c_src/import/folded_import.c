// SPDX-License-Identifier: Apache-2.0
#include "import/folded_import.h"

#include "import/hash_memo.h"
#include "import/input_trouble.h"
#include "import/line_count.h"
#include "import/line_feed.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STACKS = 1 << 20 };

struct folded_import {
    struct profile_builder *builder;
    struct profile_input_stats *stats;
    struct hash_memo stacks;
    int samples; // metrics
    int before;
    bool is_differential;
    bool has_lines;
};

struct folded_import *folded_import_create(struct profile_builder *builder)
{
    struct folded_import *import = calloc(1, sizeof *import);
    if (import == NULL) {
        return NULL;
    }
    import->builder = builder;
    import->stats = &profile_builder_profile(builder)->stats;
    import->stacks.max_cnt = MAX_STACKS;
    import->samples = profile_builder_metric(builder, TEXT("samples"), TEXT("count"));
    import->before = PROFILE_NONE;
    return import;
}

void folded_import_destroy(struct folded_import *import)
{
    if (import != NULL) {
        hash_memo_deinit(&import->stacks);
    }
    free(import);
}

// --- stacks -------------------------------------------------------------------

// `_[k]`, `_[j]`, `_[i]` at the end of a name say what it is.
static struct profile_frame frame_of(struct folded_import *import, struct text name)
{
    struct profile_frame frame = {0};
    struct text file = TEXT("");
    if (name.len > 4 && memcmp(name.bytes + name.len - 4, "_[", 2) == 0 &&
        name.bytes[name.len - 1] == ']') {
        char mark = name.bytes[name.len - 2];
        file = mark == 'k' ? TEXT("[kernel.kallsyms]") : mark == 'i' ? TEXT("inlined") : file;
        frame.kind = mark == 'j' ? PROFILE_FRAME_JIT : frame.kind;
        name.len -= mark == 'k' || mark == 'i' || mark == 'j' ? 4 : 0;
    }
    frame.name = profile_builder_string(import->builder, name);
    frame.file = profile_builder_string(import->builder, file);
    return frame;
}

static stack_id read_stack(struct folded_import *import, struct text text)
{
    struct profile_dictionary *dictionary = &profile_builder_profile(import->builder)->dictionary;
    stack_id stack = 0;
    for (uint32_t at = 0; at <= text.len;) {
        const char *begin = text.bytes + at;
        const char *semicolon = memchr(begin, ';', text.len - at);
        uint32_t len = semicolon == NULL ? text.len - at : (uint32_t)(semicolon - begin);
        if (len > 0) {
            struct profile_frame frame = frame_of(import, (struct text){begin, len});
            stack = profile_dictionary_stack(dictionary, stack,
                                             profile_dictionary_frame(dictionary, &frame));
        }
        at += len + 1;
    }
    return stack;
}

static stack_id stack_of(struct folded_import *import, struct text text)
{
    struct hash_key key = hash_key_of(text.bytes, text.len);
    uint32_t stack = 0;
    if (!hash_memo_find(&import->stacks, key, &stack)) {
        stack = read_stack(import, text);
        if (!hash_memo_add(&import->stacks, key, stack)) {
            hash_memo_clear(&import->stacks);
        }
    }
    return stack;
}

// --- lines --------------------------------------------------------------------

static void begin_lines(struct folded_import *import, struct text line)
{
    int64_t count = 0;
    struct text rest = line;
    import->has_lines = true;
    bool has_count = line_count_take(&rest, &count);
    import->is_differential = has_count && line_count_take(&rest, &count) && rest.len > 0;
    if (import->is_differential) {
        import->before = profile_builder_metric(import->builder, TEXT("before"), TEXT("count"));
    }
}

static void take_line(void *context, struct text line)
{
    struct folded_import *import = context;
    int64_t samples = 0;
    int64_t before = 0;
    struct text stack = line;
    import->stats->line_cnt++;
    if (line.len == 0 || line.bytes[0] == '#') {
        return;
    }
    if (!import->has_lines) {
        begin_lines(import, line);
    }
    if (!line_count_take(&stack, &samples) || stack.len == 0) {
        input_trouble_add(import->stats, line);
        return;
    }
    bool has_before = import->is_differential && line_count_take(&stack, &before);
    profile_builder_begin_row(import->builder, 0, stack_of(import, stack), 0);
    if (import->samples != PROFILE_NONE) {
        profile_builder_set_value(import->builder, (uint32_t)import->samples, samples);
    }
    if (has_before && import->before != PROFILE_NONE) {
        profile_builder_set_value(import->builder, (uint32_t)import->before, before);
    }
    profile_builder_end_row(import->builder);
}

size_t folded_import_feed(struct folded_import *import, const char *bytes, size_t len, bool is_last)
{
    size_t taken = line_feed(bytes, len, is_last, take_line, import);
    import->stats->byte_cnt += taken;
    return taken;
}
