// SPDX-License-Identifier: Apache-2.0
// Schedulers watched by a thread of ours: who used CPU time is seen, with all the time
// since it was seen last; who did not, or sleeps, is not.
#include "capture/beam/cpu_watch.h"

#include "base/clock.h"
#include "child_process.h"
#include "fake_vm.h"

#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

enum { BURN_NS = 2 * CLOCK_NS_PER_MS, INTERVAL_NS = CLOCK_NS_PER_MS };

static struct fake_vm vm;
static struct memory_reader reader;
static struct seen_processes known;
static struct cpu_slot slots[2]; // this thread, and one that does nothing
static struct cpu_watch watch;
static unsigned char *scheduler;
static unsigned char *sleep_info;
static _Atomic uint32_t generation;
static pthread_t idle;
static _Atomic int32_t idle_tid;
static int wake[2]; // a pipe: who reads it uses no CPU time until it is written to

static void put(unsigned char *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void *be_idle(void *context)
{
    atomic_store(&idle_tid, (int32_t)syscall(SYS_gettid));
    char byte;
    return read(wake[0], &byte, 1) == 1 ? context : NULL;
}

// The other thread may be on its way to sleep for long.
static void wait_until_idle(void)
{
    char path[64];
    char state = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)atomic_load(&idle_tid));
    while (state != 'S') {
        usleep(1000);
        FILE *stat = fopen(path, "r");
        CHECK(stat != NULL);
        CHECK(fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
        (void)fclose(stat);
    }
}

static void set_up(void)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, READER_GUARDED_LOAD);
    struct fake_process process = fake_spawn(&vm, 5, 1, 4096, 100);
    scheduler = fake_alloc(&vm, 512);
    sleep_info = fake_alloc(&vm, 64);
    put(scheduler + SCHEDULER_CURRENT_PROCESS, fake_address(process.bytes));
    put(scheduler + SCHEDULER_SLEEP_INFO, fake_address(sleep_info));
    put(sleep_info + SLEEP_INFO_SCHEDULER, fake_address(scheduler));
    atomic_store(&idle_tid, 0);
    CHECK(pipe(wake) == 0);
    CHECK(pthread_create(&idle, NULL, be_idle, NULL) == 0);
    while (atomic_load(&idle_tid) == 0) {
        usleep(1000);
    }
    const int32_t tids[2] = {(int32_t)syscall(SYS_gettid), atomic_load(&idle_tid)};
    for (int i = 0; i < 2; i++) {
        slots[i] = (struct cpu_slot){.layout = &vm.layout,
                                     .seen = &known,
                                     .code_generation = &generation,
                                     .scheduler = fake_address(scheduler),
                                     .tid = tids[i],
                                     .os_pid = getpid(),
                                     .no = (uint16_t)(i + 1),
                                     .may_guard = true};
        CHECK(spsc_ring_init(&slots[i].ring, 128 << 10));
    }
}

static void tear_down(void)
{
    CHECK(write(wake[1], "", 1) == 1);
    CHECK(pthread_join(idle, NULL) == 0);
    (void)close(wake[0]);
    (void)close(wake[1]);
    for (int i = 0; i < 2; i++) {
        spsc_ring_deinit(&slots[i].ring);
    }
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

static void burn(void)
{
    uint64_t end_ns = clock_thread_cpu_ns() + BURN_NS;
    while (clock_thread_cpu_ns() < end_ns) {
    }
}

static const struct cpu_sample *seen(int i)
{
    uint32_t len;
    return spsc_ring_peek(&slots[i].ring, &len);
}

TEST(who_used_cpu_time_is_seen_with_all_of_it)
{
    set_up();
    CHECK(cpu_watch_init(&watch, slots, 2, INTERVAL_NS));
    wait_until_idle();
    cpu_watch_look(&watch);
    cpu_watch_look(&watch);
    while (seen(0) != NULL) {
        spsc_ring_pop(&slots[0].ring);
    }
    while (seen(1) != NULL) {
        spsc_ring_pop(&slots[1].ring);
    }
    uint64_t from_ns = watch.noted_ns[0];
    burn();
    put(scheduler + SCHEDULER_CURRENT_PROCESS, 0); // asleep: the time is kept
    put(sleep_info + SLEEP_INFO_FLAGS, SLEEP_FLAG_WAITING | 1);
    cpu_watch_look(&watch);
    CHECK(seen(0) == NULL);
    burn();
    put(sleep_info + SLEEP_INFO_FLAGS, 0);
    cpu_watch_look(&watch);
    CHECK(seen(0) != NULL);
    CHECK(seen(0)->period_ns >= 2ULL * BURN_NS);
    CHECK_UINT(seen(0)->period_ns, watch.noted_ns[0] - from_ns);
    CHECK(seen(1) == NULL);
    cpu_watch_deinit(&watch);
    tear_down();
}

TEST(a_thread_watches_until_it_is_stopped)
{
    set_up();
    struct error err = {0};
    CHECK(cpu_watch_start(&watch, slots, 2, INTERVAL_NS, &err));
    uint64_t deadline_ns = clock_monotonic_ns() + 200ULL * CLOCK_NS_PER_S;
    while (seen(0) == NULL && clock_monotonic_ns() < deadline_ns) {
        burn();
    }
    CHECK(seen(0) != NULL);
    CHECK_INT(seen(0)->mode, CPU_MODE_WATCHED);
    cpu_watch_stop(&watch);
    uint64_t taken = atomic_load(&slots[0].outcomes[CPU_OUTCOME_TAKEN]);
    burn();
    CHECK_UINT(atomic_load(&slots[0].outcomes[CPU_OUTCOME_TAKEN]), taken);
    cpu_watch_stop(&watch);
    tear_down();
}

#else

TEST(another_machine)
{
    TEST_SKIP("not x86-64");
}

#endif
