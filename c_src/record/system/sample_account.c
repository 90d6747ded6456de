// SPDX-License-Identifier: Apache-2.0
#include "record/system/sample_account.h"

static void count_ticks(struct loss_counters *losses, uint64_t taken, uint64_t lost)
{
    atomic_fetch_add_explicit(&losses->ticks_taken, taken, memory_order_relaxed);
    atomic_fetch_add_explicit(&losses->ticks_expected, taken + lost, memory_order_relaxed);
}

// Those of a flight recorder are counted when they are written.
static uint64_t taken_samples(const struct sample_account *account, uint64_t cnt)
{
    return account->is_flight ? 0 : cnt;
}

static void take_clock_ticks(struct sample_account *account, const struct system_source *source,
                             struct loss_counters *losses)
{
    struct system_ticks now = system_source_ticks(source);
    struct system_ticks *seen = &account->seen_ticks;
    uint64_t ring_full = now.ring_full - seen->ring_full;
    uint64_t missed = now.missed - seen->missed;
    uint64_t implausible = now.implausible - seen->implausible;
    loss_add(losses, LOSS_IMPLAUSIBLE, implausible);
    loss_add(losses, LOSS_RING_FULL, ring_full);
    loss_add(losses, LOSS_THROTTLED, missed);
    count_ticks(losses, taken_samples(account, now.samples - seen->samples),
                ring_full + missed + implausible);
    *seen = now;
}

static void take_event_counts(struct sample_account *account, const struct system_source *source,
                              enum system_event event, struct loss_counters *losses)
{
    struct system_event_counts now = system_source_event_counts(source, event);
    struct system_event_counts *seen = &account->seen_events[event];
    uint64_t ring_full = now.ring_full - seen->ring_full;
    uint64_t limited = now.limited - seen->limited;
    uint64_t no_room = now.no_room - seen->no_room;
    uint64_t implausible = now.implausible - seen->implausible;
    loss_add(losses, LOSS_IMPLAUSIBLE, implausible);
    loss_add(losses, LOSS_RING_FULL, ring_full);
    loss_add(losses, LOSS_LIMITED, limited);
    loss_add(losses, LOSS_NO_MEMORY, no_room);
    count_ticks(losses, taken_samples(account, now.samples - seen->samples),
                ring_full + limited + no_room + implausible);
    *seen = now;
}

void sample_account_take(struct sample_account *account, const struct system_source *source,
                         struct event_output outputs[SYSTEM_EVENT_CNT])
{
    take_clock_ticks(account, source, &outputs[SYSTEM_EVENT_CPU_CLOCK].losses);
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (i != SYSTEM_EVENT_CPU_CLOCK && outputs[i].is_open) {
            take_event_counts(account, source, i, &outputs[i].losses);
        }
    }
}

void sample_account_lose(const struct sample_account *account, struct event_output *output,
                         enum loss_reason reason)
{
    loss_add(&output->losses, reason, 1);
    if (account->is_flight) {
        count_ticks(&output->losses, 0, 1);
    }
}

void sample_account_write(const struct sample_account *account, struct event_output *output)
{
    if (account->is_flight) {
        count_ticks(&output->losses, 1, 0);
    }
}
