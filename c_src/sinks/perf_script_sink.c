// SPDX-License-Identifier: Apache-2.0
#include "sinks/perf_script_sink.h"

#include "base/decimal.h"
#include "sinks/session_facts.h"

#include <string.h>

// Length of the valid UTF-8 sequence at `at`, 0 when there is none
// (Unicode 15, table 3-7).
static uint32_t utf8_len(const unsigned char *at, uint32_t left)
{
    uint32_t len = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (len == 0 || at[0] > 0xF4 || len > left) {
        return 0;
    }
    for (uint32_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool outside = (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF4 && at[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

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
    uint32_t len = utf8_len((const unsigned char *)name.bytes + *i, name.len - *i);
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

bool perf_script_append_name(struct byte_buffer *out, struct text name)
{
    return append_escaped(out, name.len == 0 ? TEXT("[unknown]") : name, true);
}

// --- the event line: most of it numbers, written where their room is reserved ---

enum {
    // Everything but category, metrics and event: ` PID/TID [CPU] TIME: period: PERIOD :`.
    MAX_LINE_BYTES = 6 * DECIMAL_U64_MAX_BYTES + 32,
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

static char *put_time(char *at, uint64_t time_ns)
{
    uint64_t us = time_ns / CLOCK_NS_PER_US;
    uint64_t fraction = us % 1000000;
    at = put(decimal_put_u64(at, us / 1000000), TEXT(".000001"));
    for (int i = 1; i <= 6 && fraction != 0; i++) {
        at[-i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    return at;
}

static char *put_cpu(char *at, uint32_t cpu)
{
    at = put(at, cpu < 10 ? TEXT(" [00") : cpu < 100 ? TEXT(" [0") : TEXT(" ["));
    return put(decimal_put_u64(at, cpu), TEXT("] "));
}

static char *put_metrics(char *at, const struct session *session, const struct sample *sample)
{
    for (uint32_t i = 0; i < session->metric_cnt; i++) {
        at = put(at, TEXT("metric_"));
        at = put(at, text_of(session->metric_names[i]));
        at = decimal_put_i64(put(at, TEXT(": ")), sample->metrics[i].value);
        at = decimal_put_i64(put(at, TEXT(", ")), sample->metrics[i].delta);
        *at++ = '\t';
    }
    return session->metric_cnt == 0 ? at : put(at, TEXT("period: "));
}

static size_t max_event_line_bytes(const struct session *session, const struct sample *sample)
{
    size_t bytes = MAX_LINE_BYTES + sample->category.len + strlen(session->event_name);
    for (uint32_t i = 0; i < session->metric_cnt; i++) {
        bytes += MAX_METRIC_BYTES + strlen(session->metric_names[i]);
    }
    return bytes;
}

static bool append_event_line(struct byte_buffer *out, const struct session *session,
                              const struct sample *sample)
{
    char *at = byte_buffer_reserve(out, max_event_line_bytes(session, sample));
    if (at == NULL) {
        return false;
    }
    at = put_category(at, sample->category);
    *at++ = ' ';
    at = decimal_put_u64(at, sample->pid);
    *at++ = '/';
    at = put_cpu(decimal_put_u64(at, sample->tid), sample->cpu);
    at = put(put_time(at, sample->time_ns), TEXT(": "));
    at = decimal_put_u64(put_metrics(at, session, sample), sample->period_ns);
    *at++ = ' ';
    at = put(put(at, text_of(session->event_name)), TEXT(":\n"));
    byte_buffer_commit(out, at);
    return true;
}

// --- frames ----------------------------------------------------------------------

static bool perf_script_frame(struct byte_buffer *out, const struct frame *frame)
{
    bool ok = byte_buffer_append_char(out, '\t') &&
              byte_buffer_append_hex(out, frame->address, 1) && byte_buffer_append_char(out, ' ') &&
              perf_script_append_name(out, frame->name);
    if (ok && frame->line != 0) {
        ok = byte_buffer_append_char(out, ';') && byte_buffer_append_u64(out, frame->line);
    }
    return ok && byte_buffer_append_text(out, TEXT(" (")) &&
           append_escaped(out, frame->file, false) && byte_buffer_append_text(out, TEXT(")\n"));
}

static bool append_kept(struct byte_buffer *out, const struct sample *sample, uint32_t cnt,
                        size_t bytes)
{
    char *at = byte_buffer_reserve(out, bytes);
    if (at == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        at = put(at, sample->frames[i].shown);
    }
    byte_buffer_commit(out, at);
    return true;
}

static bool append_frames(struct byte_buffer *out, const struct sample *sample)
{
    size_t kept_bytes = 0;
    uint32_t kept = 0;
    while (kept < sample->frame_cnt && sample->frames[kept].shown.len > 0) {
        kept_bytes += sample->frames[kept++].shown.len;
    }
    bool ok = append_kept(out, sample, kept, kept_bytes);
    for (uint32_t i = kept; i < sample->frame_cnt && ok; i++) {
        const struct frame *frame = &sample->frames[i];
        ok = frame->shown.len > 0 ? byte_buffer_append_text(out, frame->shown)
                                  : perf_script_frame(out, frame);
    }
    return ok;
}

static bool perf_script_sample(void *state, struct byte_buffer *out, const struct session *session,
                               const struct sample *sample)
{
    (void)state;
    return append_event_line(out, session, sample) && append_frames(out, sample) &&
           byte_buffer_append_char(out, '\n');
}

// --- comments --------------------------------------------------------------------

static bool append_field(struct byte_buffer *out, const char *key, struct text value)
{
    return byte_buffer_append_format(out, "# %s: ", key) && append_escaped(out, value, true) &&
           byte_buffer_append_char(out, '\n');
}

static bool perf_script_note(void *state, struct byte_buffer *out, const char *key,
                             const char *value)
{
    (void)state;
    return append_field(out, key, text_of(value));
}

// What the buffer refuses it remembers.
static void append_fact(void *context, const char *key, const char *value)
{
    (void)append_field(context, key, text_of(value));
}

static bool perf_script_begin(void *state, struct byte_buffer *out, const struct session *session)
{
    (void)state;
    session_facts_head(session, append_fact, out);
    return !out->overflowed;
}

static bool perf_script_end(void *state, struct byte_buffer *out, const struct session *session,
                            const struct file_summary *summary)
{
    (void)state;
    session_facts_foot(session, summary, append_fact, out);
    return !out->overflowed;
}

const struct sink PERF_SCRIPT_SINK = {
    .name = "perf-script",
    .suffix = ".perf",
    .begin = perf_script_begin,
    .frame = perf_script_frame,
    .sample = perf_script_sample,
    .note = perf_script_note,
    .end = perf_script_end,
};
