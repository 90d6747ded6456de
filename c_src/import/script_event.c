// SPDX-License-Identifier: Apache-2.0
#include "import/script_event.h"

#include "store/perf_script_line.h"

// More digits are for the slow way, which minds overflow.
enum { SAFE_DIGITS = 18, TIME_DIGITS = 9 };

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    return at;
}

static inline const char *skip_blanks_back(const char *begin, const char *at)
{
    while (at > begin && is_blank(at[-1])) {
        at--;
    }
    return at;
}

// NULL when there are none, or too many to be safe.
static inline const char *take_digits(const char *at, const char *end, uint64_t *value)
{
    const char *begin = at;
    uint64_t sum = 0;
    while (at < end && is_digit(*at)) {
        sum = sum * 10 + (uint64_t)(*at++ - '0');
    }
    *value = sum;
    return at == begin || at - begin > SAFE_DIGITS ? NULL : at;
}

static inline const char *take_signed(const char *at, const char *end, int64_t *value)
{
    uint64_t magnitude = 0;
    bool is_negative = at < end && *at == '-';
    at = take_digits(at + is_negative, end, &magnitude);
    *value = (int64_t)(is_negative ? 0 - magnitude : magnitude);
    return at;
}

// --- left of the time ---------------------------------------------------------

// "42/43", "43", or "0.151.0" of 2021.
static bool take_process(const char *at, const char *end, struct script_event *event)
{
    uint64_t first = 0;
    uint64_t second = 0;
    at = take_digits(at, end, &first);
    if (at == NULL || first > UINT32_MAX) {
        return false;
    }
    event->tid = (uint32_t)first;
    event->has_tid = true;
    if (at == end) {
        return true;
    }
    bool has_pid = *at == '/';
    if (*at != '/' && *at != '.') {
        return false;
    }
    at = take_digits(at + 1, end, &second);
    if (at == NULL || second > UINT32_MAX || (has_pid && at != end)) {
        return false;
    }
    event->has_pid = has_pid;
    event->pid = has_pid ? (uint32_t)first : 0;
    event->tid = (uint32_t)second;
    return true;
}

// `[CPU]` at the end: where it begins, or NULL.
static const char *take_cpu(const char *begin, const char *at, struct script_event *event)
{
    uint64_t cpu = 0;
    if (at == begin || at[-1] != ']') {
        return NULL;
    }
    const char *close = --at;
    while (at > begin && is_digit(at[-1])) {
        at--;
    }
    if (at == begin || at[-1] != '[' || take_digits(at, close, &cpu) != close) {
        return NULL;
    }
    event->cpu = (uint32_t)cpu;
    event->has_cpu = true;
    return at - 1;
}

// `COMM PROCESS [CPU]`, which ends in front of `at`.
static bool take_left(const char *begin, const char *at, struct script_event *event)
{
    at = take_cpu(begin, skip_blanks_back(begin, at), event);
    if (at == NULL) {
        return false;
    }
    const char *process_end = skip_blanks_back(begin, at);
    const char *process = process_end;
    while (process > begin && !is_blank(process[-1])) {
        process--;
    }
    begin = skip_blanks(begin, process);
    const char *comm_end = skip_blanks_back(begin, process);
    event->comm = (struct text){begin, (uint32_t)(comm_end - begin)};
    return event->comm.len > 0 && take_process(process, process_end, event);
}

// The same without a process, maybe without a CPU or a name.
static void take_what_is_left(const char *begin, const char *at, struct script_event *event)
{
    const char *end = skip_blanks_back(begin, at);
    const char *cpu = take_cpu(begin, end, event);
    end = cpu == NULL ? end : skip_blanks_back(begin, cpu);
    begin = skip_blanks(begin, end);
    event->comm = (struct text){begin, (uint32_t)(end - begin)};
}

// --- the time -----------------------------------------------------------------

// SECONDS.FRACTION in front of the colon at `colon`: where it begins, or NULL.
static const char *take_time(const char *begin, const char *colon, uint64_t *time_ns)
{
    static const uint32_t SCALES[TIME_DIGITS + 1] = {
        1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    uint64_t seconds = 0;
    uint64_t fraction = 0;
    const char *point = colon;
    while (point > begin && is_digit(point[-1])) {
        point--;
    }
    if (point == colon || colon - point > TIME_DIGITS || point == begin || point[-1] != '.') {
        return NULL;
    }
    const char *at = point - 1;
    while (at > begin && is_digit(at[-1])) {
        at--;
    }
    if ((at > begin && !is_blank(at[-1])) || take_digits(at, point - 1, &seconds) == NULL ||
        seconds > UINT32_MAX || take_digits(point, colon, &fraction) == NULL) {
        return NULL;
    }
    *time_ns = seconds * 1000000000ULL + fraction * SCALES[colon - point];
    return at;
}

// --- right of the time --------------------------------------------------------

static const struct text METRIC = {"metric_", 7};

static inline bool begins_with(const char *at, const char *end, struct text word)
{
    return (size_t)(end - at) >= word.len && memcmp(at, word.bytes, word.len) == 0;
}

// As in the line before; NULL when it is another.
static inline const char *take_same_label(const char *at, const char *end,
                                          const struct script_event *event, struct text *name)
{
    if (event->metric_cnt == SCRIPT_MAX_METRICS) {
        return NULL;
    }
    const struct script_label *label = &event->labels[event->metric_cnt];
    if (label->len == 0 || !begins_with(at, end, (struct text){label->bytes, label->len})) {
        return NULL;
    }
    *name = (struct text){at + METRIC.len, label->len - METRIC.len - 2};
    return at + label->len;
}

// metric_NAME: with one blank behind it.
static const char *take_label(const char *at, const char *end, struct script_event *event,
                              struct text *name)
{
    const char *begin = at + METRIC.len;
    const char *colon =
        begins_with(at, end, METRIC) ? memchr(begin, ':', (size_t)(end - begin)) : NULL;
    if (colon == NULL || colon == begin || end - colon < 2 || !is_blank(colon[1])) {
        return NULL;
    }
    *name = (struct text){begin, (uint32_t)(colon - begin)};
    event->label_turn++;
    if (event->metric_cnt < SCRIPT_MAX_METRICS) {
        struct script_label *label = &event->labels[event->metric_cnt];
        size_t len = (size_t)(colon + 2 - at);
        label->len = len <= sizeof label->bytes ? (uint8_t)len : 0;
        memcpy(label->bytes, at, label->len);
    }
    return colon + 2;
}

// metric_NAME: VALUE, DELTA with one blank each.
static const char *take_metric(const char *at, const char *end, struct script_event *event)
{
    struct script_metric metric;
    const char *value = take_same_label(at, end, event, &metric.name);
    value = value != NULL ? value : take_label(at, end, event, &metric.name);
    at = value == NULL ? NULL : take_signed(value, end, &metric.value);
    if (at == NULL || end - at < 3 || at[0] != ',' || at[1] != ' ') {
        return NULL;
    }
    at = take_signed(at + 2, end, &metric.delta);
    if (at == NULL || (at < end && !is_blank(*at))) {
        return NULL;
    }
    if (event->metric_cnt < SCRIPT_MAX_METRICS) {
        event->metrics[event->metric_cnt++] = metric;
    } else {
        event->dropped_cnt++;
    }
    return at;
}

static const char *take_metrics(const char *at, const char *end, struct script_event *event)
{
    at = skip_blanks(at, end);
    while (at != NULL && begins_with(at, end, METRIC)) {
        at = take_metric(at, end, event);
        at = at == NULL ? NULL : skip_blanks(at, end);
    }
    return at;
}

static const char *take_name(const char *at, const char *end, struct script_event *event)
{
    uint64_t period = 0;
    if (begins_with(at, end, TEXT("period: "))) {
        at = skip_blanks(at + 8, end);
    }
    if (at < end && is_digit(*at)) {
        const char *behind = take_digits(at, end, &period);
        if (behind == NULL || behind == end || !is_blank(*behind)) {
            return NULL;
        }
        event->has_period = true;
        event->period = period;
        at = skip_blanks(behind, end);
    }
    const char *name = at;
    while (at < end && !is_blank(*at)) {
        at++;
    }
    if (at - name < 2 || at[-1] != ':') {
        return NULL;
    }
    event->event = (struct text){name, (uint32_t)(at - name - 1)};
    return at;
}

static bool take_right(const char *at, const char *end, struct script_event *event)
{
    at = take_metrics(at, end, event);
    at = at == NULL ? NULL : take_name(at, end, event);
    at = at == NULL ? NULL : take_metrics(at, end, event);
    if (at == NULL) {
        return false;
    }
    event->rest = (struct text){at, (uint32_t)(end - at)};
    return true;
}

// Also without a name.
static void take_what_is_right(const char *at, const char *end, struct script_event *event)
{
    const char *behind = take_name(skip_blanks(at, end), end, event);
    if (behind == NULL) {
        event->has_period = false;
        event->event = TEXT("");
    }
    at = skip_blanks(behind == NULL ? at : behind, end);
    event->rest = (struct text){at, (uint32_t)(end - at)};
}

// --- the line -----------------------------------------------------------------

static void clear(struct script_event *event)
{
    event->has_pid = event->has_tid = event->has_cpu = event->has_period = false;
    event->pid = event->tid = event->cpu = 0;
    event->period = 0;
    event->metric_cnt = event->dropped_cnt = 0;
}

// Where the first time of the line begins, and the colon behind it; or NULL.
static const char *find_time(struct text line, const char **colon_ret, uint64_t *time_ns)
{
    const char *begin = line.bytes;
    const char *end = begin + line.len;
    const char *colon = begin;
    while ((colon = memchr(colon, ':', (size_t)(end - colon))) != NULL) {
        bool ends = colon + 1 == end || is_blank(colon[1]);
        const char *time = ends ? take_time(begin, colon, time_ns) : NULL;
        if (time != NULL) {
            *colon_ret = colon;
            return time;
        }
        colon++;
    }
    return NULL;
}

static bool parse_slow(struct text line, struct script_event *event)
{
    struct perf_script_event slow;
    struct perf_script_metric metrics[PERF_SCRIPT_MAX_METRICS];
    uint64_t dropped = 0;
    struct text rest;
    if (!perf_script_line_event(line, &slow, metrics, &dropped, &rest)) {
        return false;
    }
    *event = (struct script_event){
        .label_turn = event->label_turn + 1,
        .comm = slow.category,
        .event = slow.event_name,
        .rest = rest,
        .time_ns = slow.time_ns,
        .period = slow.period,
        .pid = slow.pid,
        .tid = slow.tid,
        .cpu = slow.cpu,
        .has_pid = memchr(slow.process.bytes, '/', slow.process.len) != NULL,
        .has_tid = true,
        .has_cpu = slow.has_cpu,
        .has_period = slow.has_period == PERF_SCRIPT_HAS_PERIOD,
        .metric_cnt = slow.metric_cnt,
        .dropped_cnt = (uint32_t)dropped,
    };
    for (uint32_t i = 0; i < slow.metric_cnt; i++) {
        event->metrics[i] =
            (struct script_metric){metrics[i].name, metrics[i].value, metrics[i].delta};
    }
    return true;
}

bool script_event_parse(struct text line, struct script_event *event)
{
    const char *colon = NULL;
    uint64_t time_ns = 0;
    const char *end = line.bytes + line.len;
    const char *time = find_time(line, &colon, &time_ns);
    clear(event);
    event->time_ns = time_ns;
    if (time == NULL) { // the slow way takes nothing else for a time
        return false;
    }
    if (take_left(line.bytes, time, event) && take_right(colon + 1, end, event)) {
        return true;
    }
    if (parse_slow(line, event)) {
        return true;
    }
    // A metric that cannot be read must not pass for a payload.
    if (memmem(colon, (size_t)(end - colon), METRIC.bytes, METRIC.len) != NULL) {
        return false;
    }
    clear(event);
    event->time_ns = time_ns;
    take_what_is_left(line.bytes, time, event);
    take_what_is_right(colon + 1, end, event);
    return true;
}
