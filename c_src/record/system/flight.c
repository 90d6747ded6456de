// SPDX-License-Identifier: Apache-2.0
#include "record/system/flight.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_NS (500ULL * CLOCK_NS_PER_MS)

// --- lifecycle ----------------------------------------------------------------

uint32_t flight_exit_names(const struct flight_options *options,
                           char names[HOST_TRIGGERS_MAX][EXIT_COMM_BYTES])
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < options->trigger_cnt; i++) {
        if (options->triggers[i].kind == HOST_TRIGGER_EXIT) {
            memcpy(names[cnt++], options->triggers[i].comm, EXIT_COMM_BYTES);
        }
    }
    return cnt;
}

static uint32_t wanted_gauges(const struct flight_options *options)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < options->trigger_cnt; i++) {
        bool is_gauge = options->triggers[i].kind == HOST_TRIGGER_GAUGE;
        wanted |= is_gauge ? 1U << options->triggers[i].gauge : 0;
    }
    return wanted;
}

bool flight_open(struct flight *flight, const struct flight_options *options, struct error *err)
{
    *flight = (struct flight){
        .options = *options,
        .policy = {.max = options->dumps_max, .distance_ns = options->distance_ns},
    };
    return host_gauges_open(&flight->gauges, wanted_gauges(options), err) ||
           error_context(err, "--trigger");
}

void flight_close(struct flight *flight)
{
    if (flight_is_on(flight)) {
        host_gauges_close(&flight->gauges);
        flight->options.keep_ns = 0;
    }
}

bool flight_is_on(const struct flight *flight)
{
    return flight->options.keep_ns != 0;
}

bool flight_is_dumping(const struct flight *flight)
{
    return flight->policy.is_going_on;
}

// --- why ----------------------------------------------------------------------

__attribute__((format(printf, 3, 4))) static void say(struct flight *flight, const char *key,
                                                      const char *format, ...)
{
    struct dump_request *request = &flight->request;
    if (request->field_cnt == DUMP_MAX_FIELDS) {
        return;
    }
    struct session_field *field = &request->fields[request->field_cnt++];
    va_list args;
    (void)snprintf(field->key, sizeof field->key, "%s", key);
    va_start(args, format);
    (void)vsnprintf(field->value, sizeof field->value, format, args);
    va_end(args);
}

static void say_time(struct flight *flight, uint64_t time_ns)
{
    struct clock_anchor anchor = clock_anchor_now();
    uint64_t unix_ns = anchor.unix_ns - (anchor.monotonic_ns - time_ns);
    time_t seconds = (time_t)(unix_ns / CLOCK_NS_PER_S);
    char text[32] = "";
    struct tm utc;
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    say(flight, "trigger_time", "%s.%03uZ", text,
        (unsigned)(unix_ns % CLOCK_NS_PER_S / CLOCK_NS_PER_MS));
    say(flight, "trigger_time_ns", "%llu", (unsigned long long)time_ns);
}

static void begin_request(struct flight *flight, const char *trigger, uint64_t after_ns,
                          uint64_t time_ns)
{
    flight->request = (struct dump_request){.after_ns = after_ns};
    say(flight, "trigger", "%s", trigger);
    say_time(flight, time_ns);
    say(flight, "dump_after_ns", "%llu", (unsigned long long)after_ns);
}

static bool ask_for(struct flight *flight, bool by_trigger, bool again, uint64_t now_ns)
{
    enum dump_refusal why = DUMP_BUSY;
    return dump_policy_ask(&flight->policy, by_trigger, again, now_ns, &why);
}

bool flight_ask(struct flight *flight, const char *detail, uint64_t after_ns, uint64_t now_ns)
{
    if (!ask_for(flight, false, true, now_ns)) {
        return false;
    }
    begin_request(flight, "on_call", after_ns, now_ns);
    say(flight, "trigger_detail", "%s", detail);
    (void)snprintf(flight->stats.last_cause, sizeof flight->stats.last_cause, "%s", detail);
    return true;
}

static bool look_at_gauge(struct flight *flight, struct host_trigger *trigger, uint64_t now_ns)
{
    double value = flight->gauges.values[trigger->gauge];
    const char *unit = host_gauge_is_share(trigger->gauge) ? " %" : "";
    if (!host_trigger_look(trigger, value, now_ns)) {
        return false;
    }
    trigger->is_served = ask_for(flight, true, trigger->is_refused, now_ns);
    trigger->is_refused = !trigger->is_served;
    if (!trigger->is_served) {
        return false;
    }
    begin_request(flight, host_gauge_name(trigger->gauge), flight->options.after_ns, now_ns);
    say(flight, "trigger_value", "%.2f%s", value, unit);
    say(flight, "trigger_limit", "%g%s", trigger->limit, unit);
    say(flight, "trigger_detail", "%s", trigger->text);
    (void)snprintf(flight->stats.last_cause, sizeof flight->stats.last_cause, "%s (%.2f%s)",
                   trigger->text, value, unit);
    return true;
}

static bool look_at_exits(struct flight *flight, struct host_trigger *trigger,
                          struct exit_notice notice, uint64_t now_ns)
{
    char how[48];
    if (notice.cnt == trigger->exits_seen || !ask_for(flight, true, trigger->is_refused, now_ns)) {
        trigger->is_refused = notice.cnt != trigger->exits_seen;
        return false;
    }
    trigger->is_refused = false;
    trigger->exits_seen = notice.cnt;
    (void)exit_notice_text(notice.status, how, sizeof how);
    begin_request(flight, "exit", flight->options.after_ns, notice.time_ns);
    say(flight, "trigger_pid", "%u", notice.pid);
    say(flight, "trigger_name", "%s", trigger->comm);
    say(flight, "trigger_detail", "%s", how);
    (void)snprintf(flight->stats.last_cause, sizeof flight->stats.last_cause, "%s: process %u %s",
                   trigger->comm, notice.pid, how);
    return true;
}

bool flight_look(struct flight *flight, const struct system_source *source, uint64_t now_ns)
{
    uint32_t exit_cnt = 0;
    bool due = false;
    bool looks = now_ns - flight->looked_ns >= LOOK_EVERY_NS;
    if (looks) {
        flight->looked_ns = now_ns;
        host_gauges_look(&flight->gauges, now_ns);
    }
    for (uint32_t i = 0; i < flight->options.trigger_cnt; i++) {
        struct host_trigger *trigger = &flight->options.triggers[i];
        if (trigger->kind == HOST_TRIGGER_EXIT) {
            due = look_at_exits(flight, trigger, system_source_exits(source, exit_cnt++), now_ns) ||
                  due;
        } else if (looks) {
            due = look_at_gauge(flight, trigger, now_ns) || due;
        }
    }
    return due;
}

// --- dumps --------------------------------------------------------------------

void flight_begin(struct flight *flight, struct event_output *outputs, uint64_t oldest_ns,
                  uint64_t now_ns)
{
    struct error err = {0};
    flight->until_ns = now_ns + flight->request.after_ns;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open &&
            !dump_begin(&outputs[i].dump, &flight->request, oldest_ns, &err)) {
            outputs[i].dump.window.open = true; // its samples are gone all the same
            outputs[i].output.state = RECORDING_FAILED;
        }
    }
}

bool flight_is_over(const struct flight *flight, uint64_t now_ns)
{
    return flight_is_dumping(flight) && now_ns > flight->until_ns;
}

// The worst of them; a file that was written is told rather than an empty one.
static enum dump_result worse(enum dump_result a, enum dump_result b)
{
    if (a == DUMP_FAILED || b == DUMP_FAILED) {
        return DUMP_FAILED;
    }
    return a == DUMP_WRITTEN || b == DUMP_WRITTEN ? DUMP_WRITTEN : DUMP_EMPTY;
}

static enum dump_result end_output(struct flight *flight, struct event_output *output)
{
    struct flight_stats *stats = &flight->stats;
    struct error err = {0};
    uint64_t bytes = output->output.files.total_bytes;
    enum dump_result result = dump_end(&output->dump, &err);
    if (result == DUMP_FAILED) {
        log_error("dump (%s): %s", stats->last_cause, err.detail);
    }
    if (result == DUMP_WRITTEN) {
        stats->last_bytes += output->output.files.total_bytes - bytes;
        if (stats->last_path[0] == '\0') {
            file_series_path(&output->output.files, stats->last_path, sizeof stats->last_path);
        }
    }
    return result;
}

void flight_end(struct flight *flight, struct event_output *outputs, uint64_t now_ns)
{
    struct flight_stats *stats = &flight->stats;
    stats->last_path[0] = '\0';
    stats->last_bytes = 0;
    stats->result = DUMP_NONE;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open) {
            stats->result = worse(stats->result, end_output(flight, &outputs[i]));
        }
    }
    stats->ended_cnt++;
    dump_policy_ended(&flight->policy, now_ns);
}

void flight_note_losses(const struct flight *flight, struct event_output *outputs)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT && !flight_is_dumping(flight); i++) {
        if (outputs[i].is_open) {
            dump_note_losses(&outputs[i].dump);
        }
    }
}

struct flight_stats flight_stats(const struct flight *flight, const struct event_output *outputs)
{
    struct flight_stats stats = flight->stats;
    stats.by_trigger = flight->policy.by_trigger;
    stats.on_call = flight->policy.on_call;
    memcpy(stats.suppressed, flight->policy.suppressed, sizeof stats.suppressed);
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        stats.dropped_early += outputs[i].is_open ? outputs[i].dump.window.early_cnt : 0;
    }
    return stats;
}
