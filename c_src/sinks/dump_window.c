// SPDX-License-Identifier: Apache-2.0
#include "sinks/dump_window.h"

#include "base/clock.h"

#include <string.h>

enum {
    // A sample is in the ring so long after the time it bears.
    ARRIVAL_NS = 20 * CLOCK_NS_PER_MS,
    // The history reaches further back than what is kept.
    HISTORY_STEPS = DUMP_LOSS_HISTORY - 16,
};

void dump_window_init(struct dump_window *window, uint64_t keep_ns, uint64_t max_bytes)
{
    memset(window, 0, sizeof *window);
    window->keep_ns = keep_ns;
    window->max_bytes = max_bytes;
}

void dump_window_open(struct dump_window *window, uint64_t now_ns, uint64_t after_ns)
{
    window->open = true;
    window->from_ns = now_ns > window->keep_ns ? now_ns - window->keep_ns : 0;
    window->until_ns = now_ns + after_ns;
}

void dump_window_close(struct dump_window *window)
{
    window->open = false;
}

enum dump_fate dump_window_fate(struct dump_window *window, uint64_t time_ns, uint64_t used_bytes,
                                uint64_t now_ns)
{
    if (window->keep_ns == 0) {
        return DUMP_WRITE;
    }
    if (window->open) {
        return time_ns < window->from_ns     ? DUMP_DROP
               : time_ns <= window->until_ns ? DUMP_WRITE
                                             : DUMP_KEEP;
    }
    if (time_ns + window->keep_ns < now_ns) {
        return DUMP_DROP;
    }
    if (used_bytes > window->max_bytes) {
        window->early_cnt++;
        return DUMP_DROP;
    }
    return DUMP_KEEP;
}

bool dump_window_is_over(const struct dump_window *window, uint64_t now_ns)
{
    return window->open && now_ns >= window->until_ns + ARRIVAL_NS;
}

void dump_window_note_losses(struct dump_window *window, const struct loss_snapshot *losses,
                             uint64_t now_ns)
{
    uint32_t cnt = window->history_cnt;
    if (cnt > 0 && now_ns - window->history[cnt - 1].time_ns < window->keep_ns / HISTORY_STEPS) {
        return;
    }
    if (cnt == DUMP_LOSS_HISTORY) {
        cnt--;
        memmove(&window->history[0], &window->history[1], cnt * sizeof window->history[0]);
    }
    window->history[cnt].time_ns = now_ns;
    window->history[cnt].losses = *losses;
    window->history_cnt = cnt + 1;
}

const struct loss_snapshot *dump_window_losses_at_begin(const struct dump_window *window)
{
    static const struct loss_snapshot NONE;
    if (window->history_cnt == 0) {
        return &NONE;
    }
    uint32_t at = 0;
    while (at + 1 < window->history_cnt && window->history[at + 1].time_ns <= window->from_ns) {
        at++;
    }
    return &window->history[at].losses;
}
