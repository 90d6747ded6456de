// SPDX-License-Identifier: Apache-2.0
#include "export/script_frames.h"

#include <stdlib.h>

// Beyond the first, lines are made each time they are needed.
enum { MAX_LINES_BYTES = 1 << 28, MAX_NAME_BYTES = 1 << 28 };

static bool is_category(const struct profile *profile, uint32_t dimension)
{
    const struct profile_dimension *of = &profile->dimensions[dimension];
    bool is_told = of->is_root_frame || dimension >= PROFILE_FIXED_DIMENSION_CNT;
    return is_told && of->value_cnt > 1;
}

bool script_frames_init(struct script_frames *frames, const struct profile *profile)
{
    *frames = (struct script_frames){.profile = profile};
    byte_buffer_init(&frames->lines, MAX_LINES_BYTES);
    byte_buffer_init(&frames->name, MAX_NAME_BYTES);
    frames->frames = calloc((size_t)profile->dictionary.frame_cnt + 1, sizeof *frames->frames);
    bool ok = frames->frames != NULL;
    for (uint32_t d = 0; d < profile->dimension_cnt && ok; d++) {
        if (is_category(profile, d)) {
            frames->categories[d] =
                calloc(profile->dimensions[d].value_cnt, sizeof *frames->categories[d]);
            ok = frames->categories[d] != NULL;
        }
    }
    return ok;
}

void script_frames_deinit(struct script_frames *frames)
{
    byte_buffer_deinit(&frames->lines);
    byte_buffer_deinit(&frames->name);
    free(frames->frames);
    for (uint32_t d = 0; d < PROFILE_MAX_DIMENSIONS; d++) {
        free(frames->categories[d]);
    }
    *frames = (struct script_frames){.profile = NULL};
}

// --- frames -------------------------------------------------------------------

// Blanks as what readers do not stumble over, and we read back.
static struct text shown_file(struct script_frames *frames, struct text file)
{
    if (file.len == 0 || memchr(file.bytes, ' ', file.len) == NULL) {
        return file;
    }
    byte_buffer_clear(&frames->name);
    for (uint32_t i = 0; i < file.len; i++) {
        struct text byte = {file.bytes + i, 1};
        (void)byte_buffer_append_text(&frames->name, *byte.bytes == ' ' ? TEXT("␣") : byte);
    }
    return (struct text){frames->name.bytes, (uint32_t)frames->name.len};
}

static bool make_frame(struct script_frames *frames, frame_id id, struct byte_buffer *out)
{
    const struct profile_frame *of = &frames->profile->dictionary.frames[id];
    struct text file = shown_file(frames, profile_text(frames->profile, of->file));
    struct perf_script_frame frame = {of->address, profile_text(frames->profile, of->name),
                                      of->line, file};
    return perf_script_text_frame(out, &frame);
}

// --- categories ---------------------------------------------------------------

void script_frames_kind(struct byte_buffer *name, struct text kind)
{
    for (uint32_t i = 0; i < kind.len; i++) {
        char c = kind.bytes[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        (void)byte_buffer_append_char(name, c >= 'a' && c <= 'z' ? c : '_');
    }
}

static bool is_function(struct text name)
{
    uint32_t at = name.len;
    while (at > 0 && name.bytes[at - 1] >= '0' && name.bytes[at - 1] <= '9') {
        at--;
    }
    return at < name.len && at > 1 && name.bytes[at - 1] == '/';
}

// `module:function/arity` is in module.erl, `My.Mod.function/arity` in My.Mod.ex.
static struct text source_of(struct byte_buffer *name, struct text call)
{
    const char *colon = memchr(call.bytes, ':', call.len);
    const char *dot = colon == NULL ? memrchr(call.bytes, '.', call.len) : NULL;
    const char *end = colon == NULL ? dot : colon;
    size_t begin = name->len;
    if (end == NULL) {
        return TEXT("process");
    }
    for (const char *at = call.bytes; at < end; at++) {
        if (*at != '\'') {
            (void)byte_buffer_append_char(name, *at);
        }
    }
    (void)byte_buffer_append_text(name, colon == NULL ? TEXT(".ex") : TEXT(".erl"));
    return (struct text){name->bytes + begin, (uint32_t)(name->len - begin)};
}

static bool make_category(struct script_frames *frames, uint32_t dimension, uint32_t code,
                          struct byte_buffer *out)
{
    char digits[PROFILE_DIGITS_BYTES];
    struct byte_buffer *name = &frames->name;
    struct text kind = profile_text(frames->profile, frames->profile->dimensions[dimension].name);
    struct text value = profile_code_text(frames->profile, dimension, code, digits);
    bool is_call = text_equal(kind, TEXT("initial_call")) && is_function(value);
    byte_buffer_clear(name);
    (void)byte_buffer_append_char(name, '{');
    if (!is_call) {
        script_frames_kind(name, kind);
        (void)byte_buffer_append_char(name, ' ');
    }
    (void)byte_buffer_append_text(name, value);
    (void)byte_buffer_append_char(name, '}');
    size_t len = name->len;
    uint32_t source_len = is_call ? source_of(name, value).len : 0;
    struct perf_script_frame frame = {.name = {name->bytes, (uint32_t)len}};
    frame.file = name->len > len ? (struct text){name->bytes + len, source_len} : TEXT("process");
    return !name->overflowed && perf_script_text_frame(out, &frame);
}

// --- both ---------------------------------------------------------------------

// Makes a line where it stays, else where it is needed. `dimension` PROFILE_NONE = a frame.
static bool append_line(struct script_frames *frames, struct script_line *line, int dimension,
                        uint32_t id, struct byte_buffer *out)
{
    if (line->len == 0) {
        size_t begin = frames->lines.len;
        bool ok = dimension == PROFILE_NONE
                      ? make_frame(frames, id, &frames->lines)
                      : make_category(frames, (uint32_t)dimension, id, &frames->lines);
        if (!ok) {
            byte_buffer_truncate(&frames->lines, begin);
            return dimension == PROFILE_NONE ? make_frame(frames, id, out)
                                             : make_category(frames, (uint32_t)dimension, id, out);
        }
        *line = (struct script_line){(uint32_t)begin, (uint32_t)(frames->lines.len - begin)};
    }
    return byte_buffer_append(out, frames->lines.bytes + line->at, line->len);
}

bool script_frames_append(struct script_frames *frames, uint64_t row, struct byte_buffer *out)
{
    const struct profile *profile = frames->profile;
    const struct profile_node *nodes = profile->dictionary.nodes;
    bool ok = true;
    for (stack_id at = profile->stack[row]; at != 0 && ok; at = nodes[at].parent) {
        frame_id frame = nodes[at].frame;
        ok = append_line(frames, &frames->frames[frame], PROFILE_NONE, frame, out);
    }
    for (uint32_t d = profile->dimension_cnt; d > 0 && ok; d--) {
        struct script_line *lines = frames->categories[d - 1];
        uint32_t code = lines == NULL ? 0 : profile_code(profile, d - 1, row);
        if (code != 0) {
            ok = append_line(frames, &lines[code], (int)d - 1, code, out);
        }
    }
    return ok;
}
