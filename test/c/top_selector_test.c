// SPDX-License-Identifier: Apache-2.0
// The busiest processes of a table, against sorting all of them.
#include "capture/beam/top_selector.h"

#include "child_process.h"
#include "fake_vm.h"

enum { SLOTS = 4096, PROCESSES = 900, TOP = 25 };
#define NO_BUDGET_LIMIT UINT64_MAX

struct busy {
    struct fake_process process;
    uint64_t slot;
    uint64_t serial;
    uint64_t reductions;
    uint64_t since; // the last pass, or it was spawned
    bool excluded;
};

static struct fake_vm vm;
static struct memory_reader reader;
static struct top_selector selector;
static struct busy processes[PROCESSES];
static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return random_state >> 33;
}

static void for_each(void (*part)(void))
{
    static const char *const RELEASES[] = {"25", "27"};
    for (int release = 0; release < 2; release++) {
        for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
            fake_vm_init(&vm, RELEASES[release], SLOTS);
            fake_open_reader(&reader, FAKE_READERS[kind]);
            CHECK(top_selector_init(&selector, &vm.layout, TOP));
            random_state = 1;
            part();
            top_selector_deinit(&selector);
            top_selector_deinit(&selector);
            memory_reader_close(&reader);
            fake_vm_deinit(&vm);
        }
    }
}

static void set_reductions(struct busy *busy, uint64_t reductions)
{
    busy->reductions = reductions;
    fake_set(&vm, &busy->process, LAYOUT_REDS, reductions);
}

static void spawn(struct busy *busy, uint64_t slot, uint64_t serial)
{
    *busy = (struct busy){
        .process = fake_spawn(&vm, slot, serial, 16, 2), .slot = slot, .serial = serial};
    set_reductions(busy, 0);
}

// One at each fourth slot or so, the first and the last among them.
static void spawn_all(void)
{
    for (uint64_t i = 0; i < PROCESSES; i++) {
        uint64_t slot = i == 0 ? 0 : i == PROCESSES - 1 ? SLOTS - 1 : 1 + i * 4 + i % 3;
        spawn(&processes[i], slot, 1);
    }
}

static void work(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        // Distinct differences, so that the best are one set; most work a little.
        uint64_t units = random_number() % 10 == 0 ? random_number() % 100000 : random_number() % 9;
        set_reductions(&processes[i], processes[i].reductions + units * PROCESSES + (uint64_t)i);
    }
}

static int by_work(const void *a, const void *b)
{
    const struct busy *left = *(const struct busy *const *)a;
    const struct busy *right = *(const struct busy *const *)b;
    uint64_t left_work = left->reductions - left->since;
    uint64_t right_work = right->reductions - right->since;
    return left_work > right_work ? -1 : left_work < right_work;
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

// The selection equals the first of all, sorted.
static void check_selection(void)
{
    const struct busy *sorted[PROCESSES];
    uint64_t wanted[TOP];
    uint32_t cnt = 0;
    for (int i = 0; i < PROCESSES; i++) {
        sorted[i] = &processes[i];
    }
    qsort(sorted, PROCESSES, sizeof sorted[0], by_work);
    for (int i = 0; i < PROCESSES && cnt < TOP; i++) {
        if (!sorted[i]->excluded && sorted[i]->reductions != sorted[i]->since) {
            wanted[cnt++] = sorted[i]->process.id;
        }
    }
    CHECK_UINT(selector.result_cnt, cnt);
    uint64_t got[TOP];
    memcpy(got, selector.ids, cnt * sizeof got[0]);
    qsort(got, cnt, sizeof got[0], by_number);
    qsort(wanted, cnt, sizeof wanted[0], by_number);
    CHECK_MEM(got, wanted, cnt * sizeof got[0]);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].since = processes[i].reductions;
    }
}

static void run_pass(uint64_t budget_ns)
{
    uint64_t passes = selector.pass_cnt;
    for (int steps = 0; !top_selector_step(&selector, &reader, budget_ns); steps++) {
        CHECK(steps < 100 * SLOTS);
    }
    CHECK_UINT(selector.pass_cnt, passes + 1);
}

static void select_often(void)
{
    spawn_all();
    for (int pass = 0; pass < 30; pass++) {
        work();
        run_pass(NO_BUDGET_LIMIT);
        CHECK_UINT(selector.processes_cnt, PROCESSES);
        check_selection();
    }
}

TEST(the_busiest_since_the_last_pass_are_found)
{
    for_each(select_often);
}

static void select_in_slices(void)
{
    spawn_all();
    for (int pass = 0; pass < 10; pass++) {
        work();
        run_pass(1); // a step at a time
        CHECK_UINT(selector.processes_cnt, PROCESSES);
        check_selection();
        CHECK(selector.last_pass_ns > 0);
    }
    CHECK(!top_selector_step(&selector, &reader, 0)); // no budget, no step
    CHECK_UINT(selector.next_slot, 0);
}

TEST(slices_give_the_same_answer)
{
    for_each(select_in_slices);
}

static void exclude_some(void)
{
    spawn_all();
    for (uint64_t i = 0; i < SELECTOR_MAX_EXCLUDED + 5; i++) {
        struct busy *busy = &processes[i * 7];
        top_selector_exclude(&selector, busy->process.id);
        busy->excluded = i < SELECTOR_MAX_EXCLUDED;
    }
    for (int pass = 0; pass < 5; pass++) {
        work();
        for (uint64_t i = 0; i < SELECTOR_MAX_EXCLUDED; i++) {
            struct busy *busy = &processes[i * 7];
            set_reductions(busy, busy->reductions + 1000000000);
        }
        run_pass(NO_BUDGET_LIMIT);
        check_selection();
    }
}

TEST(the_excluded_are_never_chosen)
{
    for_each(exclude_some);
}

static void reuse_slots(void)
{
    spawn_all();
    work();
    run_pass(NO_BUDGET_LIMIT);
    check_selection();
    for (int pass = 0; pass < 5; pass++) {
        for (int i = 0; i < PROCESSES; i += 3) { // they exit, others get their slots
            spawn(&processes[i], processes[i].slot, processes[i].serial + 1);
            processes[i].since = 0; // all of its work is new
        }
        work();
        run_pass(NO_BUDGET_LIMIT);
        check_selection();
    }
}

TEST(a_new_process_in_an_old_slot_starts_from_nothing)
{
    for_each(reuse_slots);
}

static void wrap_around(void)
{
    spawn_all();
    for (int i = 0; i < PROCESSES; i++) {
        set_reductions(&processes[i], 0xFFFFFF00 + (uint64_t)i);
    }
    run_pass(NO_BUDGET_LIMIT);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].since = processes[i].reductions;
    }
    work(); // over 32 bits
    run_pass(NO_BUDGET_LIMIT);
    check_selection();
}

TEST(counters_beyond_32_bits_go_on)
{
    for_each(wrap_around);
}

static void choose_no_idlers(void)
{
    spawn_all();
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.result_cnt, 0);
    set_reductions(&processes[5], 1);
    set_reductions(&processes[6], 2);
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.result_cnt, 2);
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.result_cnt, 0);
}

TEST(who_did_nothing_is_not_chosen)
{
    for_each(choose_no_idlers);
}

static void pass_over_bad_slots(void)
{
    void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hole != MAP_FAILED);
    spawn_all();
    work();
    uint64_t bad = 0;
    for (uint64_t slot = 1; slot < SLOTS; slot++) {
        if (vm.table[slot] == 0) {
            static const uint64_t VALUES[] = {1, 8, 4, 1ULL << 47, UINT64_MAX - 7};
            fake_set_slot(&vm, slot, VALUES[bad++ % 5]);
        }
    }
    fake_set_slot(&vm, 2, fake_address(hole));
    // A slot that leads to somebody else's process.
    fake_set_slot(&vm, 3, fake_address(processes[10].process.bytes));
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.processes_cnt, PROCESSES);
    check_selection();
    munmap(hole, 4096);
}

TEST(slots_in_transit_are_passed_over)
{
    for_each(pass_over_bad_slots);
}
