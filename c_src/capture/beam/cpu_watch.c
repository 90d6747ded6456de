// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/cpu_watch.h"

#include "base/clock.h"
#include "base/quiet_thread.h"

#include <stdlib.h>

enum { MAX_SLEEP_NS = 50 * CLOCK_NS_PER_MS };

bool cpu_watch_init(struct cpu_watch *watch, struct cpu_slot *slots, uint32_t slot_cnt,
                    uint64_t interval_ns)
{
    *watch = (struct cpu_watch){
        .slots = slots,
        .slot_cnt = slot_cnt,
        .noted_ns = calloc(slot_cnt, sizeof *watch->noted_ns),
        .interval_ns = interval_ns,
        .jitter = clock_monotonic_ns() | 1,
    };
    for (uint32_t i = 0; watch->noted_ns != NULL && i < slot_cnt; i++) {
        (void)clock_cpu_of_thread_ns(slots[i].tid, &watch->noted_ns[i]);
    }
    return watch->noted_ns != NULL;
}

void cpu_watch_deinit(struct cpu_watch *watch)
{
    free(watch->noted_ns);
    watch->noted_ns = NULL;
}

void cpu_watch_look(struct cpu_watch *watch)
{
    for (uint32_t i = 0; i < watch->slot_cnt; i++) {
        uint64_t now_ns = 0;
        bool used =
            clock_cpu_of_thread_ns(watch->slots[i].tid, &now_ns) && now_ns > watch->noted_ns[i];
        if (used && cpu_slot_look(&watch->slots[i], now_ns - watch->noted_ns[i])) {
            watch->noted_ns[i] = now_ns;
        }
    }
}

// xorshift64
static uint64_t random_below(struct cpu_watch *watch, uint64_t limit)
{
    watch->jitter ^= watch->jitter << 13;
    watch->jitter ^= watch->jitter >> 7;
    watch->jitter ^= watch->jitter << 17;
    return limit == 0 ? 0 : watch->jitter % limit;
}

static bool is_stopping(const struct cpu_watch *watch)
{
    return atomic_load_explicit(&watch->stopping, memory_order_acquire);
}

// In steps, as who stops us waits.
static void sleep_until(struct cpu_watch *watch, uint64_t until_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    while (now_ns < until_ns && !is_stopping(watch)) {
        uint64_t left_ns = until_ns - now_ns;
        clock_sleep_until_ns(now_ns + (left_ns < MAX_SLEEP_NS ? left_ns : MAX_SLEEP_NS));
        now_ns = clock_monotonic_ns();
    }
}

static void *run(void *context)
{
    struct cpu_watch *watch = context;
    quiet_thread_ask_for_short_slices();
    uint64_t next_ns = clock_monotonic_ns() + watch->interval_ns;
    while (!is_stopping(watch)) {
        sleep_until(watch,
                    next_ns + random_below(watch, watch->interval_ns / 2) - watch->interval_ns / 4);
        cpu_watch_look(watch);
        atomic_store_explicit(&watch->cpu_ns, clock_thread_cpu_ns(), memory_order_relaxed);
        uint64_t now_ns = clock_monotonic_ns();
        next_ns = next_ns + watch->interval_ns > now_ns ? next_ns + watch->interval_ns
                                                        : now_ns + watch->interval_ns;
    }
    return NULL;
}

bool cpu_watch_start(struct cpu_watch *watch, struct cpu_slot *slots, uint32_t slot_cnt,
                     uint64_t interval_ns, struct error *err)
{
    if (!cpu_watch_init(watch, slots, slot_cnt, interval_ns)) {
        return error_set(err, ERROR_NO_MEMORY, "CPU sampling: out of memory");
    }
    watch->running = quiet_thread_start(&watch->thread, "flame_prof_cpu", run, watch, err);
    if (!watch->running) {
        cpu_watch_deinit(watch);
    }
    return watch->running;
}

void cpu_watch_stop(struct cpu_watch *watch)
{
    if (watch->running) {
        watch->running = false;
        atomic_store_explicit(&watch->stopping, true, memory_order_release);
        (void)pthread_join(watch->thread, NULL);
        cpu_watch_deinit(watch);
    }
}
