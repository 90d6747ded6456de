// SPDX-License-Identifier: Apache-2.0
// What Erlang's side tells, as samples carry it.
#include "record/beam/vm_gauges.h"

#include "test.h"

static struct vm_gauges *gauges;
static struct metric_value metrics[BEAM_METRIC_ALL_CNT];

TEST(run_queues_are_those_of_each_kind)
{
    const int64_t lengths[] = {4, 9, 2, 7};
    gauges = vm_gauges_create();
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_NORMAL, 1), 0);
    vm_gauges_set_run_queues(gauges, lengths, 4, 2);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_NORMAL, 1), 4);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_NORMAL, 2), 9);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_NORMAL, 3), 0);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_NORMAL, 0), 0);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_DIRTY_CPU, 5), 2);
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_DIRTY_IO, 1), 7);
    vm_gauges_set_run_queues(gauges, lengths, 1, 2); // fewer than said
    CHECK_INT(vm_gauges_run_queue_len(gauges, SCHEDULER_DIRTY_CPU, 1), 0);
    vm_gauges_destroy(gauges);
}

static void account_of(int64_t gc_us)
{
    const struct scheduler_account account = {.us = {[3] = gc_us, [6] = 2 * gc_us}};
    vm_gauges_set_account(gauges, SCHEDULER_NORMAL, 2, &account);
    memset(metrics, 0, sizeof metrics);
    vm_gauges_take_account(gauges, SCHEDULER_NORMAL, 2, metrics);
}

TEST(accounts_have_deltas_per_scheduler)
{
    gauges = vm_gauges_create();
    account_of(100);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].value, 100);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].delta, 0); // nothing to compare with
    account_of(150);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].delta, 50);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_SLEEP].delta, 100);
    vm_gauges_take_account(gauges, SCHEDULER_NORMAL, 2, metrics);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].delta, 0); // told by the sample before
    account_of(30);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].delta, 30); // began anew
    vm_gauges_take_account(gauges, SCHEDULER_DIRTY_CPU, 2, metrics);
    CHECK_INT(metrics[BEAM_METRIC_MSACC_GC].value, 0);
    vm_gauges_take_account(gauges, SCHEDULER_NORMAL, VM_GAUGES_MAX_SCHEDULERS + 1, metrics);
    vm_gauges_take_account(gauges, SCHEDULER_KIND_CNT, 1, metrics);
    vm_gauges_destroy(gauges);
}

static void check_queue(uint64_t process, int64_t value, int64_t delta)
{
    vm_gauges_take_port_queue(gauges, process, metrics);
    CHECK_INT(metrics[BEAM_METRIC_PORT_QUEUE].value, value);
    CHECK_INT(metrics[BEAM_METRIC_PORT_QUEUE].delta, delta);
}

TEST(bytes_in_ports_belong_to_their_owner)
{
    const struct port_owner first[] = {{.process = 70, .bytes = 1000}, {.process = 20, .bytes = 5}};
    const struct port_owner second[] = {{.process = 70, .bytes = 400}};
    gauges = vm_gauges_create();
    check_queue(70, 0, 0);
    vm_gauges_set_port_owners(gauges, first, 2);
    check_queue(70, 1000, 1000);
    check_queue(70, 1000, 0);
    check_queue(20, 5, 5);
    check_queue(21, 0, 0);
    vm_gauges_set_port_owners(gauges, second, 1);
    check_queue(70, 400, -600);
    check_queue(20, 0, -5);
    check_queue(20, 0, 0);
    vm_gauges_destroy(gauges);
    vm_gauges_destroy(NULL);
}

TEST(no_more_owners_are_kept_than_there_is_room_for)
{
    static struct port_owner owners[VM_GAUGES_MAX_PORT_OWNERS + 5];
    for (uint64_t i = 0; i < VM_GAUGES_MAX_PORT_OWNERS + 5; i++) {
        owners[i] = (struct port_owner){.process = i + 1, .bytes = 1};
    }
    gauges = vm_gauges_create();
    vm_gauges_set_port_owners(gauges, owners, VM_GAUGES_MAX_PORT_OWNERS + 5);
    check_queue(VM_GAUGES_MAX_PORT_OWNERS, 1, 1);
    check_queue(VM_GAUGES_MAX_PORT_OWNERS + 1, 0, 0);
    vm_gauges_destroy(gauges);
}
