// SPDX-License-Identifier: Apache-2.0
#include "record/system/event_outputs.h"

#include "record/system/own_cost.h"

static void say_own_cost(uint64_t *cpu_ns_ret, uint64_t *rss_bytes_ret)
{
    struct own_cost cost = own_cost_now();
    *cpu_ns_ret = cost.cpu_ns;
    *rss_bytes_ret = cost.rss_bytes;
}

static bool is_wanted(const struct system_sampler_options *options, enum system_event event)
{
    return event == SYSTEM_EVENT_CPU_CLOCK ? options->period_ns != 0
                                           : options->events.values[event] != 0;
}

static uint32_t count_wanted(const struct system_sampler_options *options)
{
    uint32_t cnt = 0;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        cnt += is_wanted(options, i) ? 1 : 0;
    }
    return cnt;
}

static void keep_for_dumps(struct event_output *output, const struct flight_options *flight)
{
    dump_init(&output->dump, &output->session, &output->output, &output->losses, flight->keep_ns,
              flight->max_bytes / 8 * 7);
}

bool event_outputs_open(struct event_output outputs[SYSTEM_EVENT_CNT],
                        const struct system_sampler_options *sampler, const struct session *session,
                        const struct recording_options *options,
                        const struct flight_options *flight, struct error *err)
{
    struct recording_options each = *options;
    uint32_t cnt = count_wanted(sampler);
    each.own_cost = say_own_cost;
    each.on_demand = flight->keep_ns != 0;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (is_wanted(sampler, i) && !event_output_open(&outputs[i], i, sampler->events.values[i],
                                                        session, &each, cnt > 1, err)) {
            return false;
        }
        if (each.on_demand) {
            keep_for_dumps(&outputs[i], flight);
        }
    }
    return true;
}

void event_outputs_tell(struct event_output outputs[SYSTEM_EVENT_CNT], const char *key,
                        const char *value)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open) {
            recording_comment(&outputs[i].output, key, value);
        }
    }
}

void event_outputs_note(struct event_output outputs[SYSTEM_EVENT_CNT], const char *key,
                        const char *value)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open) {
            recording_note(&outputs[i].output, key, value);
        }
    }
}

void event_outputs_tick(struct event_output outputs[SYSTEM_EVENT_CNT])
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open) {
            recording_tick(&outputs[i].output);
        }
    }
}

bool event_outputs_close(struct event_output outputs[SYSTEM_EVENT_CNT], const char *end_reason,
                         struct error *err)
{
    bool ok = true;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        struct error why = {0};
        if (outputs[i].is_open && !event_output_close(&outputs[i], end_reason, &why) && ok) {
            ok = false;
            *err = why;
        }
    }
    return ok;
}

void event_outputs_path(const struct event_output outputs[SYSTEM_EVENT_CNT], char *path,
                        size_t path_bytes)
{
    path[0] = '\0';
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (outputs[i].is_open) {
            file_series_path(&outputs[i].output.files, path, path_bytes);
            return;
        }
    }
}
