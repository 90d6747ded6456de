// SPDX-License-Identifier: Apache-2.0
#include "record/beam/vm_gauges.h"

#include <stdlib.h>
#include <string.h>

struct vm_gauges *vm_gauges_create(void)
{
    struct vm_gauges *gauges = calloc(1, sizeof *gauges);
    if (gauges != NULL) {
        (void)pthread_mutex_init(&gauges->lock, NULL);
    }
    return gauges;
}

void vm_gauges_destroy(struct vm_gauges *gauges)
{
    if (gauges != NULL) {
        (void)pthread_mutex_destroy(&gauges->lock);
        free(gauges);
    }
}

// ---- told --------------------------------------------------------------------------------

void vm_gauges_set_run_queues(struct vm_gauges *gauges, const int64_t *lengths, uint32_t cnt,
                              uint32_t normal_cnt)
{
    uint32_t normal = normal_cnt < cnt ? normal_cnt : cnt;
    uint32_t kept = normal < VM_GAUGES_MAX_SCHEDULERS ? normal : VM_GAUGES_MAX_SCHEDULERS;
    pthread_mutex_lock(&gauges->lock);
    for (uint32_t i = 0; i < kept; i++) {
        gauges->run_queue_len[i] = lengths[i];
    }
    gauges->run_queue_cnt = kept;
    gauges->dirty_run_queue_len[SCHEDULER_DIRTY_CPU] = normal < cnt ? lengths[normal] : 0;
    gauges->dirty_run_queue_len[SCHEDULER_DIRTY_IO] = normal + 1 < cnt ? lengths[normal + 1] : 0;
    pthread_mutex_unlock(&gauges->lock);
}

static bool has_account(enum scheduler_kind kind, uint32_t no)
{
    return (unsigned)kind < SCHEDULER_KIND_CNT && no > 0 && no <= VM_GAUGES_MAX_SCHEDULERS;
}

void vm_gauges_set_account(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no,
                           const struct scheduler_account *account)
{
    if (has_account(kind, no)) {
        pthread_mutex_lock(&gauges->lock);
        gauges->accounts[kind][no - 1] = *account;
        pthread_mutex_unlock(&gauges->lock);
    }
}

static int by_process(const void *a, const void *b)
{
    uint64_t left = ((const struct port_owner *)a)->process;
    uint64_t right = ((const struct port_owner *)b)->process;
    return left < right ? -1 : left > right;
}

static struct port_owner *find_owner(struct vm_gauges *gauges, uint64_t process)
{
    const struct port_owner wanted = {.process = process};
    return bsearch(&wanted, gauges->owners, gauges->owner_cnt, sizeof wanted, by_process);
}

// Those who have none any more are kept until a sample has said so.
static uint32_t keep_noted(struct vm_gauges *gauges, struct port_owner *next, uint32_t cnt)
{
    uint32_t kept = cnt;
    for (uint32_t i = 0; i < gauges->owner_cnt && kept < VM_GAUGES_MAX_PORT_OWNERS; i++) {
        const struct port_owner *old = &gauges->owners[i];
        if (old->noted != 0 && bsearch(old, next, cnt, sizeof *next, by_process) == NULL) {
            next[kept++] = (struct port_owner){.process = old->process, .noted = old->noted};
        }
    }
    return kept;
}

void vm_gauges_set_port_owners(struct vm_gauges *gauges, const struct port_owner *owners,
                               uint32_t cnt)
{
    uint32_t told = cnt < VM_GAUGES_MAX_PORT_OWNERS ? cnt : VM_GAUGES_MAX_PORT_OWNERS;
    struct port_owner *next = calloc(VM_GAUGES_MAX_PORT_OWNERS, sizeof *next);
    if (next == NULL) {
        return;
    }
    pthread_mutex_lock(&gauges->lock);
    for (uint32_t i = 0; i < told; i++) {
        const struct port_owner *known = find_owner(gauges, owners[i].process);
        next[i] = owners[i];
        next[i].noted = known != NULL ? known->noted : 0;
    }
    qsort(next, told, sizeof *next, by_process);
    uint32_t kept = keep_noted(gauges, next, told);
    qsort(next, kept, sizeof *next, by_process);
    memcpy(gauges->owners, next, kept * sizeof *next);
    gauges->owner_cnt = kept;
    pthread_mutex_unlock(&gauges->lock);
    free(next);
}

// ---- asked -------------------------------------------------------------------------------

int64_t vm_gauges_run_queue_len(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no)
{
    int64_t len = 0;
    pthread_mutex_lock(&gauges->lock);
    if (kind != SCHEDULER_NORMAL) {
        len = (unsigned)kind < SCHEDULER_KIND_CNT ? gauges->dirty_run_queue_len[kind] : 0;
    } else if (no > 0 && no <= gauges->run_queue_cnt) {
        len = gauges->run_queue_len[no - 1];
    }
    pthread_mutex_unlock(&gauges->lock);
    return len;
}

void vm_gauges_take_account(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no,
                            struct metric_value *metrics)
{
    if (!has_account(kind, no)) {
        return;
    }
    pthread_mutex_lock(&gauges->lock);
    const struct scheduler_account *now = &gauges->accounts[kind][no - 1];
    struct scheduler_account *noted = &gauges->noted[kind][no - 1];
    for (int i = 0; i < BEAM_METRIC_MSACC_CNT; i++) {
        // Accounting may have been reset: what is there now is new then.
        int64_t since = now->us[i] >= noted->us[i] ? noted->us[i] : 0;
        int64_t delta = gauges->has_noted[kind][no - 1] ? now->us[i] - since : 0;
        metrics[BEAM_METRIC_MSACC_AUX + i] = (struct metric_value){now->us[i], delta};
    }
    *noted = *now;
    gauges->has_noted[kind][no - 1] = true;
    pthread_mutex_unlock(&gauges->lock);
}

void vm_gauges_take_port_queue(struct vm_gauges *gauges, uint64_t process,
                               struct metric_value *metrics)
{
    struct metric_value value = {0, 0};
    pthread_mutex_lock(&gauges->lock);
    struct port_owner *owner = find_owner(gauges, process);
    if (owner != NULL) {
        value = (struct metric_value){owner->bytes, owner->bytes - owner->noted};
        owner->noted = owner->bytes;
    }
    pthread_mutex_unlock(&gauges->lock);
    metrics[BEAM_METRIC_PORT_QUEUE] = value;
}
