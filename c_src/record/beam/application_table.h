// SPDX-License-Identifier: Apache-2.0
// Which application a process belongs to: every process inherits its group leader, and
// an application's processes have its master as theirs. Erlang's side tells the
// masters; bounded, replaced as a whole. Any thread.
#ifndef FLAME_PROF_RECORD_BEAM_APPLICATION_TABLE_H
#define FLAME_PROF_RECORD_BEAM_APPLICATION_TABLE_H

#include <pthread.h>
#include <stdint.h>

enum { APPLICATION_TABLE_MAX = 1024 };

struct application {
    uint64_t master; // pid term
    uint64_t name;   // atom term
};

struct application_table {
    pthread_mutex_t lock; // held for a copy or a search
    uint32_t cnt;
    struct application applications[APPLICATION_TABLE_MAX]; // by master
};

void application_table_init(struct application_table *table);
void application_table_deinit(struct application_table *table);

// Those beyond APPLICATION_TABLE_MAX are left out.
void application_table_set(struct application_table *table, const struct application *applications,
                           uint32_t cnt);

// Atom term; 0 = none that we were told of.
uint64_t application_table_find(struct application_table *table, uint64_t group_leader);

#endif
