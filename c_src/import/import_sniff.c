// SPDX-License-Identifier: Apache-2.0
#include "import/import_sniff.h"

#include "import/script_event.h"

enum { MAX_LINES = 200 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct text trimmed(struct text line)
{
    while (line.len > 0 && (line.bytes[0] == ' ' || line.bytes[0] == '\t')) {
        line.bytes++;
        line.len--;
    }
    while (line.len > 0 && (line.bytes[line.len - 1] == '\r' || line.bytes[line.len - 1] == ' ')) {
        line.len--;
    }
    return line;
}

// `STACK NUMBER` with a `;`, or a word and a number.
static bool is_folded(struct text line)
{
    uint32_t at = line.len;
    while (at > 0 && (is_digit(line.bytes[at - 1]) || line.bytes[at - 1] == '.')) {
        at--;
    }
    return at > 1 && at < line.len && line.bytes[at - 1] == ' ' && line.bytes[0] != ' ' &&
           line.bytes[0] != '\t';
}

// `    -                comm (123)` of bcc's profile.
static bool is_bcc_process(struct text line)
{
    struct text text = trimmed(line);
    return line.len > 2 && line.bytes[0] == ' ' && text_begins_with(text, TEXT("-  ")) &&
           text.bytes[text.len - 1] == ')';
}

// Every message begins with a small field number of a wanted type.
static bool is_pprof(struct text begin)
{
    if (begin.len < 4) {
        return false;
    }
    unsigned char tag = (unsigned char)begin.bytes[0];
    unsigned field = tag >> 3;
    unsigned type = tag & 7;
    bool is_message = type == 2 && (field <= 6 || field == 11) && field >= 1;
    bool is_number = type == 0 && field >= 7 && field <= 14;
    return (is_message || is_number) && memchr(begin.bytes, 0, begin.len) != NULL;
}

static enum import_format sniff_line(struct text line)
{
    struct script_event event = {.label_turn = 0};
    if (text_begins_with(trimmed(line), TEXT("@[")) || is_bcc_process(line)) {
        return IMPORT_STACKS;
    }
    if (line.bytes[0] != '\t' && script_event_parse(line, &event)) {
        return IMPORT_PERF_SCRIPT;
    }
    return is_folded(trimmed(line)) && line.bytes[0] != ' ' ? IMPORT_FOLDED : IMPORT_AUTO;
}

// Also without a sample. Older files lack the first of the two lines.
static bool is_ours(struct text begin)
{
    return text_begins_with(begin, TEXT("# ========\n# flame_prof")) ||
           text_begins_with(begin, TEXT("# flame_prof"));
}

enum import_format import_sniff(struct text begin)
{
    const char *end = begin.bytes + begin.len;
    const char *at = begin.bytes;
    if (is_pprof(begin)) {
        return IMPORT_PPROF;
    }
    for (int i = 0; at < end && i < MAX_LINES; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline == NULL ? end : newline;
        struct text line = {at, (uint32_t)(line_end - at)};
        enum import_format format = IMPORT_AUTO;
        if (trimmed(line).len > 0 && line.bytes[0] != '#') {
            format = sniff_line(line);
        }
        if (format != IMPORT_AUTO) {
            return format;
        }
        at = newline == NULL ? end : newline + 1;
    }
    return is_ours(begin) ? IMPORT_PERF_SCRIPT : IMPORT_AUTO;
}
