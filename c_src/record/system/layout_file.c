// SPDX-License-Identifier: Apache-2.0
#include "record/system/layout_file.h"

#include <string.h>

enum { MAX_WORDS = 8 };

struct line {
    struct text words[MAX_WORDS]; // those further back are passed over
    uint32_t cnt;
};

// --- words ----------------------------------------------------------------------------------

// The digit's value, or 255.
static uint64_t digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return (uint64_t)(c - '0');
    }
    return c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10) : 255;
}

static bool parse_number(struct text word, uint64_t base, uint64_t max, uint64_t *number)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < word.len; i++) {
        uint64_t digit = digit_of(word.bytes[i]);
        if (digit >= base || sum > (max - digit) / base) {
            return false;
        }
        sum = sum * base + digit;
    }
    *number = sum;
    return word.len > 0;
}

static uint64_t number_of(struct text word, uint64_t max)
{
    uint64_t number = 0;
    return parse_number(word, 10, max, &number) ? number : 0;
}

static uint64_t address_of(struct text word)
{
    uint64_t address = 0;
    if (word.len < 3 || memcmp(word.bytes, "0x", 2) != 0) {
        return 0;
    }
    struct text digits = {word.bytes + 2, word.len - 2};
    return parse_number(digits, 16, UINT64_MAX, &address) ? address : 0;
}

static void split(struct text text, struct line *line)
{
    line->cnt = 0;
    for (uint32_t at = 0; at <= text.len && line->cnt < MAX_WORDS;) {
        const char *begin = text.bytes + at;
        const char *blank = memchr(begin, ' ', text.len - at);
        uint32_t len = blank == NULL ? text.len - at : (uint32_t)(blank - begin);
        line->words[line->cnt++] = (struct text){begin, len};
        at += len + 1;
    }
}

// --- keys -----------------------------------------------------------------------------------

static bool is_key(const struct line *line, const char *key, uint32_t values)
{
    return line->cnt > values && text_equal(line->words[0], text_of(key));
}

static void take_build_id(struct layout_file *layout, struct text word)
{
    size_t len = word.len / 2;
    layout->build_id_len = 0;
    for (size_t i = 0; i < len && len <= LAYOUT_FILE_MAX_BUILD_ID_BYTES; i++) {
        uint64_t high = digit_of(word.bytes[2 * i]);
        uint64_t low = digit_of(word.bytes[2 * i + 1]);
        if (high > 15 || low > 15) {
            layout->build_id_len = 0;
            return;
        }
        layout->build_id[layout->build_id_len++] = (uint8_t)(high << 4 | low);
    }
}

// Words of a process, of which the walk takes only those near its beginning.
static void take_offset(struct layout_file *layout, struct text name, struct text value)
{
    uint32_t offset = (uint32_t)number_of(value, UINT16_MAX);
    offset = offset % 8 == 0 ? offset : 0;
    if (text_equal(name, TEXT("stop"))) {
        layout->stop = offset;
    } else if (text_equal(name, TEXT("heap"))) {
        layout->heap = offset;
    } else if (text_equal(name, TEXT("htop"))) {
        layout->htop = offset;
    }
}

static void take_scheduler(struct layout_file *layout, const struct text *values)
{
    static const struct {
        const char *name;
        const char *kind;
    } KINDS[] = {{"normal", "scheduler"}, {"dirty_cpu", "dirty_cpu"}, {"dirty_io", "dirty_io"}};
    uint32_t number = (uint32_t)number_of(values[1], 1024);
    uint32_t tid = (uint32_t)number_of(values[3], UINT32_MAX);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (text_equal(values[0], text_of(KINDS[i].name)) && number != 0 && tid != 0 &&
            layout->scheduler_cnt < LAYOUT_FILE_MAX_SCHEDULERS) {
            layout->schedulers[layout->scheduler_cnt++] =
                (struct layout_scheduler){tid, {KINDS[i].kind, number}};
        }
    }
}

static uint32_t major_of(struct text version)
{
    const char *dot = version.len == 0 ? NULL : memchr(version.bytes, '.', version.len);
    uint32_t len = dot == NULL ? version.len : (uint32_t)(dot - version.bytes);
    return (uint32_t)number_of((struct text){version.bytes, len}, 9999);
}

static void take_line(struct layout_file *layout, const struct line *line)
{
    const struct text *values = line->words + 1;
    if (is_key(line, "os_pid", 1)) {
        layout->os_pid = (uint32_t)number_of(values[0], UINT32_MAX);
    } else if (is_key(line, "start_ticks", 1)) {
        layout->start_ticks = number_of(values[0], UINT64_MAX);
    } else if (is_key(line, "build_id", 1)) {
        take_build_id(layout, values[0]);
    } else if (is_key(line, "erts_version", 1)) {
        layout->erts_major = major_of(values[0]);
    } else if (is_key(line, "process_table", 2)) {
        layout->slot_cnt = (uint32_t)number_of(values[1], 1U << 27);
    } else if (is_key(line, "code_list", 1)) {
        layout->code_list = address_of(values[0]);
    } else if (is_key(line, "offset", 2)) {
        take_offset(layout, values[0], values[1]);
    } else if (is_key(line, "scheduler", 4)) {
        take_scheduler(layout, values);
    }
}

// The next line, without its end; false when there is none.
static bool next_line(struct text *rest, struct line *line)
{
    const char *newline = rest->len == 0 ? NULL : memchr(rest->bytes, '\n', rest->len);
    if (newline == NULL) {
        return false;
    }
    uint32_t len = (uint32_t)(newline - rest->bytes);
    split((struct text){rest->bytes, len}, line);
    *rest = (struct text){newline + 1, rest->len - len - 1};
    return true;
}

bool layout_file_parse(struct layout_file *layout, struct text text)
{
    struct text rest = text;
    struct line line;
    memset(layout, 0, sizeof *layout);
    if (!next_line(&rest, &line) || !is_key(&line, "flame_prof_layout", 1) ||
        !text_equal(line.words[1], TEXT("1"))) {
        return false;
    }
    while (next_line(&rest, &line)) {
        if (is_key(&line, "end", 0)) {
            return rest.len == 0;
        }
        take_line(layout, &line);
    }
    return false;
}
