// SPDX-License-Identifier: Apache-2.0
#include "sinks/perf_script_sink.h"

#include "base/decimal.h"
#include "base/version.h"

#include <string.h>
#include <time.h>

static const char VERSION[] = FLAME_PROF_VERSION;

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

static bool perf_script_sample(struct byte_buffer *out, const struct session *session,
                               const struct sample *sample)
{
    return append_event_line(out, session, sample) && append_frames(out, sample) &&
           byte_buffer_append_char(out, '\n');
}

// --- comments --------------------------------------------------------------------

static bool append_field(struct byte_buffer *out, const char *key, struct text value)
{
    return byte_buffer_append_format(out, "# %s: ", key) && append_escaped(out, value, true) &&
           byte_buffer_append_char(out, '\n');
}

static bool perf_script_note(struct byte_buffer *out, const char *key, const char *value)
{
    return append_field(out, key, text_of(value));
}

static bool append_started(struct byte_buffer *out, const struct session *session)
{
    uint64_t elapsed_ns = clock_monotonic_ns() - session->anchor.monotonic_ns;
    time_t seconds = (time_t)((session->anchor.unix_ns + elapsed_ns) / CLOCK_NS_PER_S);
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    return append_field(out, "started", text_of(text));
}

static bool perf_script_begin(struct byte_buffer *out, const struct session *session)
{
    bool ok = append_field(out, "flame_prof", text_of(VERSION));
    for (uint32_t i = 0; i < session->field_cnt && ok; i++) {
        ok = append_field(out, session->fields[i].key, text_of(session->fields[i].value));
    }
    ok = ok && append_started(out, session) && append_field(out, "clock", TEXT("CLOCK_MONOTONIC"));
    ok = ok && byte_buffer_append_format(out, "# clock_anchor_monotonic_ns: %llu\n",
                                         (unsigned long long)session->anchor.monotonic_ns);
    ok = ok && byte_buffer_append_format(out, "# clock_anchor_unix_ns: %llu\n",
                                         (unsigned long long)session->anchor.unix_ns);
    ok = ok && append_field(out, "event", text_of(session->event_name)) &&
         append_field(out, "period_unit", TEXT("ns")) &&
         byte_buffer_append_text(out, TEXT("# metrics:"));
    for (uint32_t i = 0; i < session->metric_cnt && ok; i++) {
        ok = byte_buffer_append_format(out, " %s", session->metric_names[i]);
    }
    return ok && byte_buffer_append_char(out, '\n');
}

static bool append_count(struct byte_buffer *out, const char *prefix, const char *name,
                         uint64_t value)
{
    return byte_buffer_append_format(out, "# %s%s: %llu\n", prefix, name,
                                     (unsigned long long)value);
}

static bool append_totals(struct byte_buffer *out, const struct session *session,
                          const struct file_summary *summary)
{
    bool ok = true;
    for (uint32_t i = 0; i < session->metric_cnt && ok; i++) {
        ok = byte_buffer_append_format(out, "# total %s: %lld, %lld\n", session->metric_names[i],
                                       (long long)summary->metric_totals[i].value,
                                       (long long)summary->metric_totals[i].delta);
    }
    return ok;
}

static bool perf_script_end(struct byte_buffer *out, const struct session *session,
                            const struct file_summary *summary)
{
    const struct loss_snapshot *losses = &summary->losses;
    bool ok = append_field(out, "end", text_of(summary->end_reason)) &&
              append_count(out, "", "samples", summary->sample_cnt) &&
              append_count(out, "", "period_total_ns", summary->period_total_ns) &&
              append_totals(out, session, summary) &&
              append_count(out, "", "ticks_expected", losses->ticks_expected) &&
              append_count(out, "", "ticks_taken", losses->ticks_taken);
    for (int i = 0; i < LOSS_REASON_CNT && ok; i++) {
        ok = append_count(out, "loss ", loss_reason_name((enum loss_reason)i), losses->lost[i]);
    }
    for (int i = 0; i < DEGRADED_REASON_CNT && ok; i++) {
        ok = append_count(out, "degraded ", degraded_reason_name((enum degraded_reason)i),
                          losses->degraded[i]);
    }
    return ok;
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
