// SPDX-License-Identifier: Apache-2.0
#include "record/beam/application_table.h"

#include <stdlib.h>
#include <string.h>

void application_table_init(struct application_table *table)
{
    table->cnt = 0;
    (void)pthread_mutex_init(&table->lock, NULL);
}

void application_table_deinit(struct application_table *table)
{
    (void)pthread_mutex_destroy(&table->lock);
}

static int by_master(const void *a, const void *b)
{
    uint64_t left = ((const struct application *)a)->master;
    uint64_t right = ((const struct application *)b)->master;
    return left < right ? -1 : left > right;
}

void application_table_set(struct application_table *table, const struct application *applications,
                           uint32_t cnt)
{
    uint32_t kept = cnt < APPLICATION_TABLE_MAX ? cnt : APPLICATION_TABLE_MAX;
    pthread_mutex_lock(&table->lock);
    if (kept > 0) {
        memcpy(table->applications, applications, kept * sizeof *applications);
    }
    qsort(table->applications, kept, sizeof *table->applications, by_master);
    table->cnt = kept;
    pthread_mutex_unlock(&table->lock);
}

uint64_t application_table_find(struct application_table *table, uint64_t group_leader)
{
    const struct application wanted = {.master = group_leader};
    pthread_mutex_lock(&table->lock);
    const struct application *found =
        bsearch(&wanted, table->applications, table->cnt, sizeof *table->applications, by_master);
    uint64_t name = found != NULL ? found->name : 0;
    pthread_mutex_unlock(&table->lock);
    return name;
}
