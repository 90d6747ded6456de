// SPDX-License-Identifier: Apache-2.0
#include "store/perf_script_line.h"

enum { NS_DIGITS = 9, MAX_DIGITS = 19 };

// --- small pieces -------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct text from(struct text text, uint32_t at)
{
    at = at > text.len ? text.len : at;
    return (struct text){text.bytes + at, text.len - at};
}

static struct text upto(struct text text, uint32_t len)
{
    return (struct text){text.bytes, len > text.len ? text.len : len};
}

static struct text trimmed(struct text text)
{
    while (text.len > 0 && is_blank(text.bytes[0])) {
        text = from(text, 1);
    }
    while (text.len > 0 && is_blank(text.bytes[text.len - 1])) {
        text.len--;
    }
    return text;
}

// Takes decimal digits from the front; false when there are none or too many.
static bool take_number(struct text *text, uint64_t *value)
{
    uint32_t len = 0;
    uint64_t sum = 0;
    while (len < text->len && is_digit(text->bytes[len])) {
        if (len == MAX_DIGITS) {
            return false;
        }
        sum = sum * 10 + (uint64_t)(text->bytes[len++] - '0');
    }
    *value = sum;
    *text = from(*text, len);
    return len > 0;
}

static bool take_signed(struct text *text, int64_t *value)
{
    uint64_t magnitude = 0;
    bool is_negative = text->len > 0 && text->bytes[0] == '-';
    struct text digits = is_negative ? from(*text, 1) : *text;
    if (!take_number(&digits, &magnitude) || magnitude > (uint64_t)INT64_MAX + is_negative) {
        return false;
    }
    *value = (int64_t)(is_negative ? 0 - magnitude : magnitude);
    *text = digits;
    return true;
}

// A word from the end.
static struct text take_last_word(struct text *text)
{
    *text = trimmed(*text);
    uint32_t at = text->len;
    while (at > 0 && !is_blank(text->bytes[at - 1])) {
        at--;
    }
    struct text word = from(*text, at);
    *text = trimmed(upto(*text, at));
    return word;
}

// --- left of the time: COMM PID/TID [CPU] -------------------------------------

static bool parse_cpu(struct text word, uint32_t *cpu)
{
    uint64_t value = 0;
    if (word.len < 3 || word.bytes[0] != '[' || word.bytes[word.len - 1] != ']') {
        return false;
    }
    struct text digits = upto(from(word, 1), word.len - 2);
    if (!take_number(&digits, &value) || digits.len != 0) {
        return false;
    }
    *cpu = (uint32_t)value;
    return true;
}

// "43", "42/43", or "0.151.0" as the flame_prof of 2021 wrote a pid.
static bool parse_process(struct text word, struct perf_script_event *event)
{
    uint64_t first = 0;
    uint64_t second = 0;
    event->process = word;
    if (!take_number(&word, &first)) {
        return false;
    }
    if (word.len == 0) {
        event->tid = (uint32_t)first;
        return true;
    }
    char separator = word.bytes[0];
    word = from(word, 1);
    if ((separator != '/' && separator != '.') || !take_number(&word, &second)) {
        return false;
    }
    event->pid = (uint32_t)first;
    event->tid = (uint32_t)second;
    return separator == '.' || word.len == 0;
}

static bool parse_left(struct text left, struct perf_script_event *event)
{
    struct text word = take_last_word(&left);
    if (parse_cpu(word, &event->cpu)) {
        event->has_cpu = true;
        word = take_last_word(&left);
    }
    event->category = left;
    return left.len > 0 && parse_process(word, event);
}

// --- the time -----------------------------------------------------------------

// SECONDS.FRACTION: and a blank, or the end.
static bool take_time(struct text *text, uint64_t *time_ns)
{
    uint64_t seconds = 0;
    uint64_t fraction = 0;
    struct text rest = *text;
    if (!take_number(&rest, &seconds) || seconds > UINT32_MAX || rest.len == 0 ||
        rest.bytes[0] != '.') {
        return false;
    }
    rest = from(rest, 1);
    struct text before = rest;
    if (!take_number(&rest, &fraction)) {
        return false;
    }
    uint32_t digits = before.len - rest.len;
    bool ends = rest.len > 0 && rest.bytes[0] == ':' && (rest.len == 1 || is_blank(rest.bytes[1]));
    if (!ends || digits > NS_DIGITS) {
        return false;
    }
    for (; digits < NS_DIGITS; digits++) {
        fraction *= 10;
    }
    *time_ns = seconds * 1000000000ULL + fraction;
    *text = from(rest, 1);
    return true;
}

// A comm may look like a time, so that the one behind "[CPU]" is preferred.
static bool find_time(struct text line, struct text *left, struct text *right, uint64_t *time_ns)
{
    bool found = false;
    for (uint32_t i = 1; i < line.len; i++) {
        if (!is_blank(line.bytes[i - 1]) || !is_digit(line.bytes[i])) {
            continue;
        }
        uint64_t candidate_ns = 0;
        struct text rest = from(line, i);
        if (!take_time(&rest, &candidate_ns)) {
            continue;
        }
        struct text before = trimmed(upto(line, i));
        bool behind_cpu = before.len > 0 && before.bytes[before.len - 1] == ']';
        if (!found || behind_cpu) {
            *left = before;
            *right = trimmed(rest);
            *time_ns = candidate_ns;
            found = true;
        }
        if (behind_cpu) {
            break;
        }
    }
    return found;
}

// --- right of the time --------------------------------------------------------

static const struct text METRIC = {"metric_", 7};

// metric_NAME: VALUE, DELTA
static bool take_metric(struct text *text, struct perf_script_metric *metric)
{
    if (!text_begins_with(*text, METRIC)) {
        return false;
    }
    struct text rest = from(*text, METRIC.len);
    const char *colon = rest.len == 0 ? NULL : memchr(rest.bytes, ':', rest.len);
    if (colon == NULL || colon == rest.bytes) {
        return false;
    }
    metric->name = upto(rest, (uint32_t)(colon - rest.bytes));
    rest = trimmed(from(rest, metric->name.len + 1));
    if (!take_signed(&rest, &metric->value)) {
        return false;
    }
    rest = trimmed(rest);
    if (rest.len == 0 || rest.bytes[0] != ',') {
        return false;
    }
    rest = trimmed(from(rest, 1));
    if (!take_signed(&rest, &metric->delta)) {
        return false;
    }
    *text = trimmed(rest);
    return true;
}

static void take_metrics(struct text *text, struct perf_script_event *event,
                         struct perf_script_metric *metrics, uint64_t *dropped)
{
    struct perf_script_metric metric;
    while (take_metric(text, &metric)) {
        if (event->metric_cnt < PERF_SCRIPT_MAX_METRICS) {
            metrics[event->metric_cnt++] = metric;
        } else {
            (*dropped)++;
        }
    }
}

// [PERIOD] NAME: with the name's own colons ("cpu-clock:pppH:").
static bool take_event_name(struct text *text, struct perf_script_event *event)
{
    struct text rest = *text;
    uint64_t period = 0;
    if (take_number(&rest, &period) && rest.len > 0 && is_blank(rest.bytes[0])) {
        event->has_period = PERF_SCRIPT_HAS_PERIOD;
        event->period = period;
        rest = trimmed(rest);
    } else {
        rest = *text;
    }
    uint32_t len = 0;
    while (len < rest.len && !is_blank(rest.bytes[len])) {
        len++;
    }
    if (len < 2 || rest.bytes[len - 1] != ':') {
        return false;
    }
    event->event_name = upto(rest, len - 1);
    *text = trimmed(from(rest, len));
    return true;
}

bool perf_script_line_event(struct text line, struct perf_script_event *event,
                            struct perf_script_metric *metrics, uint64_t *dropped,
                            struct text *rest)
{
    struct text left = {0};
    struct text right = {0};
    *event = (struct perf_script_event){.metrics = metrics};
    if (!find_time(line, &left, &right, &event->time_ns) || !parse_left(left, event)) {
        return false;
    }
    take_metrics(&right, event, metrics, dropped);
    if (text_begins_with(right, TEXT("period: "))) {
        right = trimmed(from(right, 8));
    }
    // A metric that cannot be read must not pass for an event's name.
    if (text_begins_with(right, METRIC) || !take_event_name(&right, event)) {
        return false;
    }
    take_metrics(&right, event, metrics, dropped);
    *rest = right;
    return !text_begins_with(right, METRIC);
}

// --- frames -------------------------------------------------------------------

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool take_address(struct text *text, uint64_t *address)
{
    uint32_t len = 0;
    uint64_t sum = 0;
    while (len < text->len && len < 16 && hex_digit(text->bytes[len]) >= 0) {
        sum = sum << 4 | (uint64_t)hex_digit(text->bytes[len++]);
    }
    if (len == 0 || len == text->len || !is_blank(text->bytes[len])) {
        return false;
    }
    *address = sum;
    *text = trimmed(from(*text, len));
    return true;
}

// The file's parenthesis is the one that closes at the end of the line: names
// and deleted files have parentheses of their own.
static bool split_file(struct text text, struct text *name, struct text *file)
{
    uint32_t depth = 0;
    if (text.len == 0 || text.bytes[text.len - 1] != ')') {
        return false;
    }
    for (uint32_t i = text.len; i > 0; i--) {
        char c = text.bytes[i - 1];
        depth += c == ')' ? 1 : 0;
        depth -= c == '(' ? 1 : 0;
        if (c == '(' && depth == 0) {
            *file = upto(from(text, i), text.len - i - 1);
            *name = trimmed(upto(text, i - 1));
            return i > 1 && is_blank(text.bytes[i - 2]) && name->len > 0;
        }
    }
    return false;
}

static void cut_offset(struct text *name)
{
    for (uint32_t i = name->len; i > 3; i--) {
        if (hex_digit(name->bytes[i - 1]) < 0) {
            if (i < name->len && memcmp(name->bytes + i - 3, "+0x", 3) == 0 && i > 3) {
                name->len = i - 3;
            }
            return;
        }
    }
}

static void cut_line(struct perf_script_frame *frame)
{
    uint32_t at = frame->name.len;
    uint64_t line = 0;
    while (at > 0 && is_digit(frame->name.bytes[at - 1])) {
        at--;
    }
    struct text digits = from(frame->name, at);
    if (at > 1 && frame->name.bytes[at - 1] == ';' && take_number(&digits, &line) &&
        line <= UINT32_MAX) {
        frame->line = (uint32_t)line;
        frame->name.len = at - 1;
    }
}

bool perf_script_line_frame(struct text line, struct perf_script_frame *frame)
{
    struct text text = trimmed(line);
    *frame = (struct perf_script_frame){0};
    if (!take_address(&text, &frame->address) || !split_file(text, &frame->name, &frame->file)) {
        return false;
    }
    cut_offset(&frame->name);
    cut_line(frame);
    return true;
}

// --- comments -----------------------------------------------------------------

bool perf_script_line_field(struct text line, struct text *key, struct text *value)
{
    if (!text_begins_with(line, TEXT("# "))) {
        return false;
    }
    struct text text = from(line, 2);
    const char *colon = text.len == 0 ? NULL : memchr(text.bytes, ':', text.len);
    if (colon == NULL) {
        return false;
    }
    *key = trimmed(upto(text, (uint32_t)(colon - text.bytes)));
    *value = trimmed(from(text, (uint32_t)(colon - text.bytes) + 1));
    return key->len > 0;
}
