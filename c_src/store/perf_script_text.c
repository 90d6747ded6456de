// SPDX-License-Identifier: Apache-2.0
#include "store/perf_script_text.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/utf8.h"

#include <string.h>

// --- names --------------------------------------------------------------------

// Importers take ` 12: x:` anywhere in a line for a time stamp. True when the
// space at `i` ends such a beginning.
static bool ends_time_stamp(struct text name, uint32_t i)
{
    if (i < 2 || name.bytes[i - 1] != ':') {
        return false;
    }
    uint32_t first = i - 1;
    while (first > 0 && (name.bytes[first - 1] == '.' ||
                         (name.bytes[first - 1] >= '0' && name.bytes[first - 1] <= '9'))) {
        first--;
    }
    return first < i - 1 && (first == 0 || name.bytes[first - 1] == ' ');
}

static struct text escaped(struct text name, uint32_t *i, bool spaces_allowed)
{
    unsigned char c = (unsigned char)name.bytes[*i];
    uint32_t len = utf8_len((struct text){name.bytes + *i, name.len - *i});
    struct text same = {name.bytes + *i, len};
    uint32_t at = *i;
    *i += len == 0 ? 1 : len;
    if (len == 0 || c < 0x20 || c == 0x7F) {
        return TEXT("?");
    }
    if (c == '+') {
        return TEXT("＋");
    }
    if (c == '(' && at == 0 && spaces_allowed) {
        return TEXT("（"); // stackcollapse-perf.pl takes it for the name of a process
    }
    if (c == '>' && at > 0 && name.bytes[at - 1] == '-') {
        return TEXT("＞");
    }
    if (c == ' ' && (!spaces_allowed || ends_time_stamp(name, at))) {
        return TEXT("_");
    }
    return same;
}

static bool needs_escape(struct text name)
{
    if (name.len > 0 && name.bytes[0] == '(') {
        return true;
    }
    for (uint32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        if (c <= ' ' || c == '+' || c == '>' || c >= 0x7F) {
            return true;
        }
    }
    return false;
}

static bool append_escaped(struct byte_buffer *out, struct text name, bool spaces_allowed)
{
    if (!needs_escape(name)) {
        return byte_buffer_append_text(out, name);
    }
    bool ok = true;
    for (uint32_t i = 0; i < name.len && ok;) {
        ok = byte_buffer_append_text(out, escaped(name, &i, spaces_allowed));
    }
    return ok;
}

bool perf_script_text_name(struct byte_buffer *out, struct text name)
{
    return append_escaped(out, name.len == 0 ? TEXT("[unknown]") : name, true);
}

bool perf_script_text_metric_name(struct byte_buffer *out, struct text name)
{
    size_t begin = out->len;
    if (!append_escaped(out, name, true)) {
        return false;
    }
    for (size_t i = begin; i < out->len; i++) {
        out->bytes[i] = out->bytes[i] == ':' ? '_' : out->bytes[i];
    }
    return true;
}

static const struct {
    struct text shown;
    struct text plain;
    bool is_first_only;
} ESCAPES[] = {
    {TEXT("＋"), TEXT("+"), false},
    {TEXT("-＞"), TEXT("->"), false},
    {TEXT("（"), TEXT("("), true},
    {TEXT("␣"), TEXT(" "), false},
};

enum { ESCAPE_CNT = sizeof ESCAPES / sizeof ESCAPES[0] };

struct text perf_script_text_plain(struct byte_buffer *scratch, struct text name)
{
    if (name.len < 3 || (memmem(name.bytes, name.len, "\xEF\xBC", 2) == NULL &&
                         memmem(name.bytes, name.len, "␣", 3) == NULL)) {
        return name;
    }
    byte_buffer_clear(scratch);
    for (uint32_t i = 0; i < name.len;) {
        struct text shown = {name.bytes + i, 1};
        struct text plain = shown;
        struct text left = {name.bytes + i, name.len - i};
        for (size_t e = 0; e < ESCAPE_CNT; e++) {
            if (text_begins_with(left, ESCAPES[e].shown) && (i == 0 || !ESCAPES[e].is_first_only)) {
                shown = ESCAPES[e].shown;
                plain = ESCAPES[e].plain;
            }
        }
        if (!byte_buffer_append_text(scratch, plain)) {
            return name;
        }
        i += shown.len;
    }
    return (struct text){scratch->bytes, (uint32_t)scratch->len};
}

// --- the event line: most of it numbers, written where their room is reserved ---

enum {
    // Everything but category, process, metrics and event: ` PID/TID [CPU] TIME: period: PERIOD :`.
    MAX_LINE_BYTES = 6 * DECIMAL_U64_MAX_BYTES + 40,
    MAX_METRIC_BYTES = sizeof "metric_: , \t" + 2UL * DECIMAL_I64_MAX_BYTES,
};

static char *put(char *at, struct text text)
{
    memcpy(at, text.bytes, text.len);
    return at + text.len;
}

// The fork takes everything before the first digit as the category; a line that
// begins with # is a comment to all importers ("1_scheduler" becomes N_scheduler);
// stackcollapse-perf.pl wants two characters.
static char *put_category(char *at, struct text category)
{
    if (category.len == 0) {
        return put(at, TEXT("unknown"));
    }
    for (uint32_t i = 0; i < category.len; i++) {
        unsigned char c = (unsigned char)category.bytes[i];
        bool digit = c >= '0' && c <= '9';
        bool plain = c > ' ' && c < 0x7F && c != '>' && !digit; // `->` would split it
        char shown = plain ? (char)c : digit ? '#' : '_';
        *at++ = i == 0 && shown == '#' ? 'N' : shown;
    }
    if (category.len == 1) {
        *at++ = '_';
    }
    return at;
}

bool perf_script_text_category(struct byte_buffer *out, struct text category)
{
    char *at = byte_buffer_reserve(out, category.len + sizeof "unknown");
    if (at == NULL) {
        return false;
    }
    byte_buffer_commit(out, put_category(at, category));
    return true;
}

bool perf_script_text_shows(struct text category)
{
    for (uint32_t i = 0; i < category.len; i++) {
        unsigned char c = (unsigned char)category.bytes[i];
        if (c <= ' ' || c >= 0x7F || c == '>' || (c >= '0' && c <= '9') || (i == 0 && c == '#')) {
            return false;
        }
    }
    return category.len > 1;
}

// A word that ends in a colon to all readers, the event's name.
static char *put_event_name(char *at, struct text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        *at++ = c > ' ' && c < 0x7F ? (char)c : '_';
    }
    return put(at, name.len == 0 ? TEXT("unknown:\n") : TEXT(":\n"));
}

// Microseconds, or nanoseconds where there are such.
static char *put_time(char *at, uint64_t time_ns)
{
    uint64_t fraction = time_ns % CLOCK_NS_PER_S;
    int digits = fraction % CLOCK_NS_PER_US == 0 ? 6 : 9;
    fraction /= digits == 6 ? CLOCK_NS_PER_US : 1;
    at = decimal_put_u64(at, time_ns / CLOCK_NS_PER_S);
    *at = '.';
    for (int i = digits; i > 0; i--) {
        at[i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    return at + digits + 1;
}

static char *put_cpu(char *at, uint32_t cpu)
{
    at = put(at, cpu < 10 ? TEXT("[00") : cpu < 100 ? TEXT("[0") : TEXT("["));
    return put(decimal_put_u64(at, cpu), TEXT("] "));
}

static char *put_process(char *at, const struct perf_script_event *event)
{
    if (event->process.len > 0) {
        return put(at, event->process);
    }
    at = decimal_put_u64(at, event->pid);
    *at++ = '/';
    return decimal_put_u64(at, event->tid);
}

static char *put_metrics(char *at, const struct perf_script_event *event)
{
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        at = put(at, TEXT("metric_"));
        at = put(at, event->metrics[i].name);
        at = decimal_put_i64(put(at, TEXT(": ")), event->metrics[i].value);
        at = decimal_put_i64(put(at, TEXT(", ")), event->metrics[i].delta);
        *at++ = '\t';
    }
    return at;
}

static char *put_period(char *at, const struct perf_script_event *event)
{
    if (event->has_period == PERF_SCRIPT_NO_PERIOD) {
        return at;
    }
    at = event->metric_cnt == 0 ? at : put(at, TEXT("period: "));
    at = decimal_put_u64(at, event->period);
    *at++ = ' ';
    return at;
}

static size_t max_event_line_bytes(const struct perf_script_event *event)
{
    size_t bytes =
        (size_t)MAX_LINE_BYTES + event->category.len + event->process.len + event->event_name.len;
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        bytes += MAX_METRIC_BYTES + event->metrics[i].name.len;
    }
    return bytes;
}

bool perf_script_text_event(struct byte_buffer *out, const struct perf_script_event *event)
{
    char *at = byte_buffer_reserve(out, max_event_line_bytes(event));
    if (at == NULL) {
        return false;
    }
    at = put_category(at, event->category);
    *at++ = ' ';
    at = put_process(at, event);
    *at++ = ' ';
    at = event->has_cpu ? put_cpu(at, event->cpu) : at;
    at = put(put_time(at, event->time_ns), TEXT(": "));
    at = put_period(put_metrics(at, event), event);
    byte_buffer_commit(out, put_event_name(at, event->event_name));
    return true;
}

// --- frames and comments ------------------------------------------------------

// A name may end in what reads as a line.
static bool ends_as_line(struct text name)
{
    uint32_t at = name.len;
    while (at > 0 && name.bytes[at - 1] >= '0' && name.bytes[at - 1] <= '9') {
        at--;
    }
    return at < name.len && at > 1 && name.bytes[at - 1] == ';';
}

bool perf_script_text_frame(struct byte_buffer *out, const struct perf_script_frame *frame)
{
    bool ok = byte_buffer_append_char(out, '\t') &&
              byte_buffer_append_hex(out, frame->address, 1) && byte_buffer_append_char(out, ' ') &&
              perf_script_text_name(out, frame->name);
    if (ok && (frame->line != 0 || ends_as_line(frame->name))) {
        ok = byte_buffer_append_char(out, ';') && byte_buffer_append_u64(out, frame->line);
    }
    return ok && byte_buffer_append_text(out, TEXT(" (")) &&
           append_escaped(out, frame->file, false) && byte_buffer_append_text(out, TEXT(")\n"));
}

bool perf_script_text_begin(struct byte_buffer *out)
{
    return byte_buffer_append_text(out, TEXT("# ========\n"));
}

bool perf_script_text_field(struct byte_buffer *out, struct text key, struct text value)
{
    return byte_buffer_append_text(out, TEXT("# ")) && perf_script_text_metric_name(out, key) &&
           byte_buffer_append_text(out, TEXT(": ")) && append_escaped(out, value, true) &&
           byte_buffer_append_char(out, '\n');
}
