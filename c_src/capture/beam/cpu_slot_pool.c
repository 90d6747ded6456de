// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/cpu_slot_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cpu_slot *all; // allocated once, for good
static bool is_lent[CPU_SLOT_POOL_CNT];

static bool is_free(uint32_t first, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (is_lent[first + i]) {
            return false;
        }
    }
    return true;
}

static struct cpu_slot *find(uint32_t cnt)
{
    all = all != NULL ? all : calloc(CPU_SLOT_POOL_CNT, sizeof *all);
    for (uint32_t first = 0; all != NULL && first + cnt <= CPU_SLOT_POOL_CNT; first++) {
        if (is_free(first, cnt)) {
            return &all[first];
        }
    }
    return NULL;
}

static void lend(const struct cpu_slot *slots, uint32_t cnt, bool lent)
{
    memset(&is_lent[slots - all], lent, cnt * sizeof is_lent[0]);
}

struct cpu_slot *cpu_slot_pool_take(uint32_t cnt)
{
    (void)pthread_mutex_lock(&lock);
    struct cpu_slot *slots = cnt > CPU_SLOT_POOL_CNT ? NULL : find(cnt);
    if (slots != NULL) {
        lend(slots, cnt, true);
        memset(slots, 0, cnt * sizeof *slots);
    }
    (void)pthread_mutex_unlock(&lock);
    return slots;
}

void cpu_slot_pool_give_back(struct cpu_slot *slots, uint32_t cnt)
{
    if (slots != NULL) {
        (void)pthread_mutex_lock(&lock);
        lend(slots, cnt, false);
        (void)pthread_mutex_unlock(&lock);
    }
}

bool cpu_slot_pool_has(const struct cpu_slot *slot)
{
    return all != NULL && slot >= all && slot < all + CPU_SLOT_POOL_CNT;
}
