// SPDX-License-Identifier: Apache-2.0
#include "sinks/perf_script_sink.h"

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

// The fork takes everything before the first digit as the category; a line that
// begins with # is a comment to all importers ("1_scheduler" becomes N_scheduler);
// stackcollapse-perf.pl wants two characters.
static bool append_category(struct byte_buffer *out, struct text category)
{
    bool ok = category.len > 0 || byte_buffer_append_text(out, TEXT("unknown"));
    for (uint32_t i = 0; i < category.len && ok; i++) {
        unsigned char c = (unsigned char)category.bytes[i];
        bool digit = c >= '0' && c <= '9';
        bool plain = c > ' ' && c < 0x7F && c != '>' && !digit; // `->` would split it
        char shown = plain ? (char)c : digit ? '#' : '_';
        ok = byte_buffer_append_char(out, i == 0 && shown == '#' ? 'N' : shown);
    }
    return ok && (category.len != 1 || byte_buffer_append_char(out, '_'));
}

static bool append_time(struct byte_buffer *out, uint64_t time_ns)
{
    uint64_t us = time_ns / CLOCK_NS_PER_US;
    uint64_t fraction = us % 1000000;
    char digits[8] = ".000001";
    if (fraction != 0) {
        for (int i = 6; i > 0; i--) {
            digits[i] = (char)('0' + fraction % 10);
            fraction /= 10;
        }
    }
    return byte_buffer_append_u64(out, us / 1000000) && byte_buffer_append(out, digits, 7);
}

static bool append_metrics(struct byte_buffer *out, const struct session *session,
                           const struct sample *sample)
{
    bool ok = true;
    for (uint32_t i = 0; i < session->metric_cnt && ok; i++) {
        ok = byte_buffer_append_text(out, TEXT("metric_")) &&
             byte_buffer_append_text(out, text_of(session->metric_names[i])) &&
             byte_buffer_append_text(out, TEXT(": ")) &&
             byte_buffer_append_i64(out, sample->metrics[i].value) &&
             byte_buffer_append_text(out, TEXT(", ")) &&
             byte_buffer_append_i64(out, sample->metrics[i].delta) &&
             byte_buffer_append_char(out, '\t');
    }
    return ok && (session->metric_cnt == 0 || byte_buffer_append_text(out, TEXT("period: ")));
}

static bool append_cpu(struct byte_buffer *out, uint32_t cpu)
{
    struct text zeros = cpu < 10 ? TEXT(" [00") : cpu < 100 ? TEXT(" [0") : TEXT(" [");
    return byte_buffer_append_text(out, zeros) && byte_buffer_append_u64(out, cpu) &&
           byte_buffer_append_text(out, TEXT("] "));
}

static bool append_event_line(struct byte_buffer *out, const struct session *session,
                              const struct sample *sample)
{
    return append_category(out, sample->category) && byte_buffer_append_char(out, ' ') &&
           byte_buffer_append_u64(out, sample->pid) && byte_buffer_append_char(out, '/') &&
           byte_buffer_append_u64(out, sample->tid) && append_cpu(out, sample->cpu) &&
           append_time(out, sample->time_ns) && byte_buffer_append_text(out, TEXT(": ")) &&
           append_metrics(out, session, sample) && byte_buffer_append_u64(out, sample->period_ns) &&
           byte_buffer_append_char(out, ' ') &&
           byte_buffer_append_text(out, text_of(session->event_name)) &&
           byte_buffer_append_text(out, TEXT(":\n"));
}

static bool append_frame(struct byte_buffer *out, const struct frame *frame)
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

static bool perf_script_sample(struct byte_buffer *out, const struct session *session,
                               const struct sample *sample)
{
    bool ok = append_event_line(out, session, sample);
    for (uint32_t i = 0; i < sample->frame_cnt && ok; i++) {
        ok = append_frame(out, &sample->frames[i]);
    }
    return ok && byte_buffer_append_char(out, '\n');
}

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
    .sample = perf_script_sample,
    .note = perf_script_note,
    .end = perf_script_end,
};
