// SPDX-License-Identifier: Apache-2.0
// The first processes of a table by each criterion, against sorting all of them.
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
static struct cpu_usage usage;
static struct busy processes[PROCESSES];
static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return random_state >> 33;
}

static const struct selection_goal BY_REDUCTIONS = {SELECT_BY_REDUCTIONS, TOP};

static void for_each_with(const struct selection_goal *goals, uint32_t goal_cnt, void (*part)(void))
{
    static const char *const RELEASES[] = {"25", "27"};
    for (int release = 0; release < 2; release++) {
        for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
            fake_vm_init(&vm, RELEASES[release], SLOTS);
            fake_open_reader(&reader, FAKE_READERS[kind]);
            cpu_usage_init(&usage);
            CHECK(top_selector_init(&selector, &vm.layout, goals, goal_cnt, &usage));
            random_state = 1;
            part();
            top_selector_deinit(&selector);
            top_selector_deinit(&selector);
            cpu_usage_deinit(&usage);
            memory_reader_close(&reader);
            fake_vm_deinit(&vm);
        }
    }
}

static void for_each(void (*part)(void))
{
    for_each_with(&BY_REDUCTIONS, 1, part);
}

static void for_each_by(enum selection_criterion criterion, void (*part)(void))
{
    const struct selection_goal goal = {criterion, TOP};
    for_each_with(&goal, 1, part);
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

static void check_chosen(uint64_t *wanted, uint32_t cnt)
{
    uint64_t got[3 * TOP];
    CHECK_UINT(selector.result_cnt, cnt);
    memcpy(got, selector.ids, cnt * sizeof got[0]);
    qsort(got, cnt, sizeof got[0], by_number);
    qsort(wanted, cnt, sizeof wanted[0], by_number);
    CHECK_MEM(got, wanted, cnt * sizeof got[0]);
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
    check_chosen(wanted, cnt);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].since = processes[i].reductions;
    }
}

// The selection is the first of these figures, where each is above 0 once at most.
static void check_first_by(const uint64_t *figures)
{
    uint64_t wanted[TOP];
    uint32_t cnt = 0;
    for (int i = 0; i < PROCESSES; i++) {
        uint32_t before = 0;
        for (int k = 0; k < PROCESSES; k++) {
            before += figures[k] > figures[i];
        }
        if (figures[i] > 0 && before < TOP) {
            wanted[cnt++] = processes[i].process.id;
        }
    }
    check_chosen(wanted, cnt);
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
        // There is no room for all of them: the last one gives way.
        busy->excluded = i < SELECTOR_MAX_EXCLUDED - 1 || i == SELECTOR_MAX_EXCLUDED + 4;
    }
    for (int pass = 0; pass < 5; pass++) {
        work();
        for (uint64_t i = 0; i < SELECTOR_MAX_EXCLUDED - 1; i++) {
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

// ---- other criteria -----------------------------------------------------------------

// In the inner queue, and on their way into it.
static void set_queue(int i, uint64_t inner, uint64_t outer)
{
    fake_set(&vm, &processes[i].process, LAYOUT_MSGQ_LEN, inner);
    fake_set(&vm, &processes[i].process, LAYOUT_INQ_LEN, outer);
}

// Distinct, many of them 0.
static uint64_t random_figure(int i)
{
    return random_number() % 4 == 0 ? (1 + random_number() % 500) * PROCESSES + (uint64_t)i : 0;
}

static void choose_by_queue_len(void)
{
    spawn_all();
    uint64_t lens[PROCESSES];
    for (int pass = 0; pass < 5; pass++) {
        for (int i = 0; i < PROCESSES; i++) {
            lens[i] = random_figure(i);
            set_queue(i, lens[i] / 3, lens[i] - lens[i] / 3);
        }
        // Counted below nothing while a signal is in transit.
        lens[40] = 0;
        set_queue(40, 5, (uint64_t)-7);
        run_pass(NO_BUDGET_LIMIT);
        check_first_by(lens);
    }
}

TEST(the_longest_queues_are_found)
{
    for_each_by(SELECT_BY_MESSAGE_QUEUE_LEN, choose_by_queue_len);
}

static void choose_by_growth(void)
{
    spawn_all();
    uint64_t lens[PROCESSES] = {0};
    uint64_t growth[PROCESSES];
    for (int pass = 0; pass < 10; pass++) {
        for (int i = 0; i < PROCESSES; i++) {
            uint64_t len = i == 3 ? 5000000 : random_figure(i); // long, but it does not grow
            growth[i] = len > lens[i] ? len - lens[i] : 0;
            lens[i] = len;
        }
        for (int i = 0; i < PROCESSES && pass > 0; i += 9) { // ended, another in its slot
            spawn(&processes[i], processes[i].slot, processes[i].serial + 1);
            growth[i] = lens[i];
        }
        for (int i = 0; i < PROCESSES; i++) {
            set_queue(i, lens[i], 0);
        }
        run_pass(NO_BUDGET_LIMIT);
        check_first_by(growth);
    }
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.result_cnt, 0); // none has grown
}

TEST(the_queues_that_grow_most_are_found)
{
    for_each_by(SELECT_BY_MESSAGE_QUEUE_GROWTH, choose_by_growth);
}

static void choose_by_memory(void)
{
    spawn_all();
    uint64_t words[PROCESSES];
    for (int pass = 0; pass < 5; pass++) {
        for (int i = 0; i < PROCESSES; i++) {
            uint64_t total = 3 * PROCESSES + random_number() % 100000 * PROCESSES + (uint64_t)i;
            uint64_t old = total / 3;
            uint64_t fragments = i % 4 == 0 ? total / 5 : 0;
            words[i] = total;
            fake_set(&vm, &processes[i].process, LAYOUT_OLD_HEAP, old == 0 ? 0 : 1 << 20);
            fake_set(&vm, &processes[i].process, LAYOUT_OLD_HEND, (1 << 20) + 8 * old);
            fake_set(&vm, &processes[i].process, LAYOUT_MBUF_SZ, fragments);
            fake_set(&vm, &processes[i].process, LAYOUT_HEAP_SZ, total - old - fragments);
        }
        run_pass(NO_BUDGET_LIMIT);
        check_first_by(words);
    }
}

TEST(the_largest_are_found)
{
    for_each_by(SELECT_BY_MEMORY, choose_by_memory);
}

// The messages that wait count, also where their data is outside the heap.
static void choose_by_messages(void)
{
    spawn_all();
    uint64_t wanted[TOP];
    for (int i = 0; i < PROCESSES; i++) {
        fake_set(&vm, &processes[i].process, LAYOUT_HEAP_SZ, 1000);
    }
    for (int i = 0; i < TOP; i++) { // few large ones, many small ones
        uint64_t *message = fake_message(&vm, 1, fake_atom(1));
        bool few = i % 2 == 0;
        message[5 + 4] = few ? 20000 : 20;
        fake_set(&vm, &processes[20 * i].process, LAYOUT_MSGQ_FIRST, fake_address(message));
        set_queue(20 * i, few ? 1 : 5000, 0);
        wanted[i] = processes[20 * i].process.id;
    }
    fake_set(&vm, &processes[1].process, LAYOUT_MSGQ_FIRST, 4096); // leads nowhere
    set_queue(1, 3, 0);
    run_pass(NO_BUDGET_LIMIT);
    check_chosen(wanted, TOP);
}

TEST(messages_that_wait_count_as_memory)
{
    for_each_by(SELECT_BY_MEMORY, choose_by_messages);
}

static void pass_over_heaps_in_transit(void)
{
    spawn_all();
    for (int i = 0; i < TOP; i++) {
        fake_set(&vm, &processes[100 + i].process, LAYOUT_HEAP_SZ, 100000);
    }
    fake_set(&vm, &processes[5].process, LAYOUT_HEAP_SZ, 0x7F0000000000);
    fake_set(&vm, &processes[6].process, LAYOUT_OLD_HEND, 0x7F0000000000);
    fake_set(&vm, &processes[7].process, LAYOUT_OLD_HEAP, 0x7F0000000000);
    run_pass(NO_BUDGET_LIMIT);
    uint64_t wanted[TOP];
    for (int i = 0; i < TOP; i++) {
        wanted[i] = processes[100 + i].process.id;
    }
    check_chosen(wanted, TOP);
}

TEST(a_heap_that_is_being_replaced_is_not_large)
{
    for_each_by(SELECT_BY_MEMORY, pass_over_heaps_in_transit);
}

static void choose_by_binaries(void)
{
    spawn_all();
    uint64_t words[PROCESSES];
    for (int pass = 0; pass < 5; pass++) {
        for (int i = 0; i < PROCESSES; i++) {
            words[i] = random_figure(i);
            fake_set(&vm, &processes[i].process, LAYOUT_OVERHEAD, words[i] / 4);
            fake_set(&vm, &processes[i].process, LAYOUT_BIN_OLD_VHEAP, words[i] - words[i] / 4);
        }
        run_pass(NO_BUDGET_LIMIT);
        check_first_by(words);
    }
}

TEST(those_with_most_binaries_are_found)
{
    for_each_by(SELECT_BY_BINARY_VHEAP, choose_by_binaries);
}

static void choose_by_all(void)
{
    spawn_all();
    for (int i = 0; i < PROCESSES; i++) {
        fake_set(&vm, &processes[i].process, LAYOUT_HEAP_SZ, 100);
    }
    run_pass(NO_BUDGET_LIMIT);
    set_reductions(&processes[10], 1000);
    set_reductions(&processes[11], 2000);
    set_reductions(&processes[12], 500);
    set_queue(20, 300, 0);
    set_queue(10, 200, 0); // first by two of them: there once
    set_queue(21, 100, 0);
    fake_set(&vm, &processes[30].process, LAYOUT_HEAP_SZ, 100000);
    fake_set(&vm, &processes[40].process, LAYOUT_OVERHEAD, 1000);
    run_pass(1);
    uint64_t wanted[] = {processes[10].process.id, processes[11].process.id,
                         processes[20].process.id, processes[30].process.id,
                         processes[40].process.id};
    check_chosen(wanted, sizeof wanted / sizeof wanted[0]);
}

TEST(several_criteria_take_one_pass)
{
    static const struct selection_goal GOALS[] = {
        {SELECT_BY_MEMORY, 1},
        {SELECT_BY_REDUCTIONS, 2},
        {SELECT_BY_MESSAGE_QUEUE_LEN, 2},
        {SELECT_BY_MESSAGE_QUEUE_GROWTH, 2},
        {SELECT_BY_BINARY_VHEAP, 3},
    };
    for_each_with(GOALS, sizeof GOALS / sizeof GOALS[0], choose_by_all);
}

static void choose_by_cpu(void)
{
    spawn_all();
    for (uint64_t i = 0; i < 2 * TOP; i++) { // the second half more than the first
        cpu_usage_add(&usage, processes[i * 7].process.id, 1000 + i);
    }
    cpu_usage_add(&usage, fake_pid(&vm, 77, 99), 1000000); // who has ended
    CHECK(top_selector_step(&selector, &reader, NO_BUDGET_LIMIT));
    CHECK_UINT(selector.result_cnt, TOP);
    for (uint64_t i = 0; i < TOP; i++) {
        bool found = false;
        for (uint32_t k = 0; k < selector.result_cnt; k++) {
            found = found || selector.ids[k] == processes[(TOP + i) * 7].process.id;
        }
        CHECK(found);
    }
}

TEST(cpu_time_is_what_the_scheduler_sampler_saw)
{
    for_each_by(SELECT_BY_CPU, choose_by_cpu);
}

TEST(criteria_go_by_their_names)
{
    enum selection_criterion criterion = SELECT_BY_CPU;
    for (int i = 0; i < SELECTION_CRITERION_CNT; i++) {
        const char *name = selection_criterion_name((enum selection_criterion)i);
        CHECK(selection_criterion_named(name, &criterion));
        CHECK_INT(criterion, i);
    }
    CHECK(!selection_criterion_named("gpu", &criterion));
    CHECK_STR(selection_criterion_name(SELECTION_CRITERION_CNT), "unknown");
}

// ---- a table that is larger than it need be ------------------------------------------

enum { FEW = 50 };

static void spawn_few(void)
{
    for (uint64_t i = 0; i < FEW; i++) {
        spawn(&processes[i], i * 3, 1);
    }
}

static void choose_busy(int i)
{
    set_reductions(&processes[i], processes[i].reductions + 1000);
    run_pass(1);
    CHECK_UINT(selector.result_cnt, 1);
    CHECK_UINT(selector.ids[0], processes[i].process.id);
}

static void end_early(void)
{
    spawn_few();
    top_selector_expect(&selector, FEW);
    run_pass(NO_BUDGET_LIMIT);
    CHECK_UINT(selector.used_slots, (FEW - 1) * 3 + 1);
    for (uint32_t pass = 0; pass < 3 * (SELECTOR_MAX_SHORT_PASSES + 1); pass++) {
        choose_busy(FEW - 1);
        CHECK_UINT(selector.processes_cnt, FEW);
        CHECK_UINT(selector.short_pass_cnt, (pass + 1) % (SELECTOR_MAX_SHORT_PASSES + 1));
    }
}

TEST(a_pass_ends_behind_the_last_process)
{
    for_each(end_early);
}

static void find_newcomers(void)
{
    spawn_few();
    top_selector_expect(&selector, FEW);
    run_pass(NO_BUDGET_LIMIT);
    // Told of them, it goes on until it has seen them.
    spawn(&processes[FEW], SLOTS - 1, 1);
    top_selector_expect(&selector, FEW + 1);
    choose_busy(FEW);
    // Not told, it finds them all the same, some time later.
    spawn(&processes[FEW + 1], SLOTS - 2, 1);
    fake_set_slot(&vm, SLOTS - 1, 0);
    uint32_t passes = 0;
    do {
        set_reductions(&processes[FEW + 1], processes[FEW + 1].reductions + 1000);
        run_pass(NO_BUDGET_LIMIT);
    } while (selector.result_cnt == 0 && ++passes < 100);
    CHECK(passes <= SELECTOR_MAX_SHORT_PASSES);
    // Nobody says how many there are: each pass is a full one.
    top_selector_expect(&selector, 0);
    choose_busy(FEW + 1);
    CHECK_UINT(selector.short_pass_cnt, 0);
}

TEST(processes_behind_the_last_one_are_found)
{
    for_each(find_newcomers);
}
