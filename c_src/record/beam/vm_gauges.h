// SPDX-License-Identifier: Apache-2.0
// Figures of the VM that Erlang's side asks for now and then and tells us: how long the
// run queues are, what the schedulers' microstate accounts have, which bytes wait in
// the ports of a process. As of the last telling; bounded. Any thread.
#ifndef FLAME_PROF_RECORD_BEAM_VM_GAUGES_H
#define FLAME_PROF_RECORD_BEAM_VM_GAUGES_H

#include "capture/beam/scheduler_table.h"
#include "model/metric.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { VM_GAUGES_MAX_SCHEDULERS = 256, VM_GAUGES_MAX_PORT_OWNERS = 4096 };

struct port_owner {
    uint64_t process; // pid term
    int64_t bytes;    // that wait in all its ports
    int64_t noted;    // of them, what the last sample of the process carried
};

// In the order of the metrics: aux, check_io, emulator, gc, other, port, sleep; us since
// accounting began.
struct scheduler_account {
    int64_t us[BEAM_METRIC_MSACC_CNT];
};

struct vm_gauges {
    pthread_mutex_t lock; // held for a copy or a search
    // One run queue per normal scheduler, one of all of each dirty kind.
    int64_t run_queue_len[VM_GAUGES_MAX_SCHEDULERS];
    uint32_t run_queue_cnt;
    int64_t dirty_run_queue_len[SCHEDULER_KIND_CNT];
    struct scheduler_account accounts[SCHEDULER_KIND_CNT][VM_GAUGES_MAX_SCHEDULERS];
    struct scheduler_account noted[SCHEDULER_KIND_CNT][VM_GAUGES_MAX_SCHEDULERS];
    bool has_noted[SCHEDULER_KIND_CNT][VM_GAUGES_MAX_SCHEDULERS];
    struct port_owner owners[VM_GAUGES_MAX_PORT_OWNERS]; // by process
    uint32_t owner_cnt;
};

struct vm_gauges *vm_gauges_create(void);
void vm_gauges_destroy(struct vm_gauges *gauges);

// As statistics(run_queue_lengths_all) has them: `normal_cnt` of normal schedulers, then
// dirty CPU and dirty I/O.
void vm_gauges_set_run_queues(struct vm_gauges *gauges, const int64_t *lengths, uint32_t cnt,
                              uint32_t normal_cnt);
// Schedulers beyond VM_GAUGES_MAX_SCHEDULERS have none.
void vm_gauges_set_account(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no,
                           const struct scheduler_account *account);
// All there are now; those who had one before keep what was noted of them.
void vm_gauges_set_port_owners(struct vm_gauges *gauges, const struct port_owner *owners,
                               uint32_t cnt);

int64_t vm_gauges_run_queue_len(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no);

// Into metrics[BEAM_METRIC_MSACC_AUX ..] by id; deltas since the last call for this scheduler.
void vm_gauges_take_account(struct vm_gauges *gauges, enum scheduler_kind kind, uint32_t no,
                            struct metric_value *metrics);
// Into metrics[BEAM_METRIC_PORT_QUEUE]; delta since the last call for this process.
void vm_gauges_take_port_queue(struct vm_gauges *gauges, uint64_t process,
                               struct metric_value *metrics);

#endif
