// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/cpu_usage.h"

#include <string.h>

enum { BUCKET_CELLS = 8 };

void cpu_usage_init(struct cpu_usage *usage)
{
    memset(&usage->now, 0, sizeof usage->now);
    (void)pthread_mutex_init(&usage->lock, NULL);
}

void cpu_usage_deinit(struct cpu_usage *usage)
{
    (void)pthread_mutex_destroy(&usage->lock);
}

static uint64_t bucket_of(uint64_t id)
{
    uint64_t hash = id * 0x9E3779B97F4A7C15ULL;
    return (hash >> 32) % (CPU_USAGE_CELLS / BUCKET_CELLS) * BUCKET_CELLS;
}

// That of the process, else the one that has least.
static struct cpu_usage_cell *cell_for(struct cpu_usage_cell *bucket, uint64_t id)
{
    struct cpu_usage_cell *least = bucket;
    for (uint32_t i = 0; i < BUCKET_CELLS; i++) {
        if (bucket[i].id == id) {
            return &bucket[i];
        }
        least = bucket[i].ns < least->ns ? &bucket[i] : least;
    }
    return least;
}

void cpu_usage_add(struct cpu_usage *usage, uint64_t id, uint64_t ns)
{
    pthread_mutex_lock(&usage->lock);
    struct cpu_usage_cell *cell = cell_for(&usage->now.cells[bucket_of(id)], id);
    cell->ns = cell->id == id ? cell->ns + ns : ns;
    cell->id = id;
    pthread_mutex_unlock(&usage->lock);
}

void cpu_usage_take(struct cpu_usage *usage, struct cpu_usage_view *view)
{
    pthread_mutex_lock(&usage->lock);
    *view = usage->now;
    for (uint32_t i = 0; i < CPU_USAGE_CELLS; i++) {
        usage->now.cells[i].ns /= 2;
    }
    pthread_mutex_unlock(&usage->lock);
}

uint64_t cpu_usage_of(const struct cpu_usage_view *view, uint64_t id)
{
    const struct cpu_usage_cell *bucket = &view->cells[bucket_of(id)];
    for (uint32_t i = 0; i < BUCKET_CELLS; i++) {
        if (bucket[i].id == id) {
            return bucket[i].ns;
        }
    }
    return 0;
}
