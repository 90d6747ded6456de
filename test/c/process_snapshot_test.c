// SPDX-License-Identifier: Apache-2.0
// Reading a process from outside, over processes that the test lays out itself:
// every end is reached, whatever the memory holds.
#include "capture/beam/process_snapshot.h"

#include "base/clock.h"
#include "child_process.h"
#include "fake_vm.h"

#include <pthread.h>
#include <stdatomic.h>

static const char *const RELEASES[] = {"25", "27"};
enum { RELEASE_CNT = 2, SLOTS = 1024 };

static struct process_snapshot snapshots[SNAPSHOT_MAX_BATCH];

static enum snapshot_end take(struct fake_vm *vm, struct memory_reader *reader, uint64_t id)
{
    struct process_snapshot *one = &snapshots[0];
    memset(one, 0xEE, sizeof *one);
    one->id = id;
    process_snapshot_batch(reader, &vm->layout, &one, 1);
    return one->end;
}

// Each release, through each reader.
static void for_each(void (*part)(struct fake_vm *vm, struct memory_reader *reader))
{
    for (int release = 0; release < RELEASE_CNT; release++) {
        for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
            struct fake_vm vm;
            struct memory_reader reader;
            fake_vm_init(&vm, RELEASES[release], SLOTS);
            fake_open_reader(&reader, FAKE_READERS[kind]);
            part(&vm, &reader);
            memory_reader_close(&reader);
            fake_vm_deinit(&vm);
        }
    }
}

// ---- what it holds ----------------------------------------------------------------

static void hold_everything(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 5, 3, 400, 7);
    uint64_t *slots = fake_dictionary(vm, 16);
    fake_old_heap(vm, &process, 610, 200);
    fake_register(vm, &process, fake_atom(50));
    fake_set(vm, &process, LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    fake_set(vm, &process, LAYOUT_MSGQ_LEN, 3);
    fake_set(vm, &process, LAYOUT_INQ_LEN, 4);
    fake_set(vm, &process, LAYOUT_GEN_GCS, 65535);
    fake_set(vm, &process, LAYOUT_MBUF_SZ, 11);
    fake_set(vm, &process, LAYOUT_PSD, 0xABC0);
    fake_set(vm, &process, LAYOUT_OVERHEAD, 21);
    fake_set(vm, &process, LAYOUT_BIN_VHEAP_SZ, 22);
    fake_set(vm, &process, LAYOUT_BIN_OLD_VHEAP, 23);
    fake_set(vm, &process, LAYOUT_BIN_OLD_VHEAP_SZ, 24);
    fake_set(vm, &process, LAYOUT_STATE, FAKE_SUSPENDED);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    const struct process_snapshot *got = &snapshots[0];
    CHECK_INT(got->status, PROCESS_SUSPENDED);
    CHECK_UINT(got->address, fake_address(process.bytes));
    CHECK_UINT(got->name, fake_atom(50));
    CHECK_UINT(got->initial[0], fake_atom(1));
    CHECK_UINT(got->initial[1], fake_atom(2));
    CHECK_UINT(got->initial[2], 3);
    CHECK_UINT(got->pc, fake_return_address(999));
    CHECK_UINT(got->dictionary, fake_dictionary_address(slots));
    CHECK_UINT(got->leaf_cnt, 7);
    CHECK_UINT(got->root_cnt, 0);
    CHECK_UINT(got->omitted_words, 0);
    CHECK_MEM(got->stack, process.stack, 7 * 8);
    const int64_t wanted[BEAM_METRIC_CNT] = {
        [BEAM_METRIC_REDUCTIONS] = 1005,
        [BEAM_METRIC_MESSAGE_QUEUE_LEN] = 7,
        [BEAM_METRIC_MEMORY] = FAKE_PROCESS_BYTES + 8 * (400 + 610 + 11) + 24 + 8 * 16 +
                               7 * FAKE_MESSAGE_BYTES + FAKE_PSD_BYTES,
        [BEAM_METRIC_TOTAL_HEAP_SIZE] = 400 + 610 + 11,
        [BEAM_METRIC_OLD_HEAP_BLOCK_SIZE] = 610,
        [BEAM_METRIC_HEAP_BLOCK_SIZE] = 400,
        [BEAM_METRIC_MBUF_SIZE] = 11,
        [BEAM_METRIC_RECENT_SIZE] = 50,
        [BEAM_METRIC_STACK_SIZE] = 7,
        [BEAM_METRIC_OLD_HEAP_SIZE] = 200,
        [BEAM_METRIC_HEAP_SIZE] = 100,
        [BEAM_METRIC_BIN_VHEAP_SIZE] = 21,
        [BEAM_METRIC_BIN_VHEAP_BLOCK_SIZE] = 22,
        [BEAM_METRIC_BIN_OLD_VHEAP_SIZE] = 23,
        [BEAM_METRIC_BIN_OLD_VHEAP_BLOCK_SIZE] = 24,
        [BEAM_METRIC_MINOR_GCS] = 65535,
    };
    for (int i = 0; i < BEAM_METRIC_CNT; i++) {
        CHECK_INT(got->values[i], wanted[i]);
    }
}

TEST(a_waiting_process_is_read_whole)
{
    for_each(hold_everything);
}

static void count_queued_data(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 9, 1, 100, 2);
    uint64_t *combined = fake_message(vm, 1, fake_atom(1));
    uint64_t *separate = fake_message(vm, fake_address(fake_fragment(vm, 30)), fake_atom(1));
    combined[5 + 4] = 12; // its fragment lies behind it
    combined[0] = fake_address(separate);
    fake_set(vm, &process, LAYOUT_MSGQ_FIRST, fake_address(combined));
    fake_set(vm, &process, LAYOUT_MSGQ_LEN, 2);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    int64_t bytes = FAKE_PROCESS_BYTES + 800 + 2 * FAKE_MESSAGE_BYTES + 8 * 42;
    CHECK_INT(snapshots[0].values[BEAM_METRIC_MEMORY], bytes);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_TOTAL_HEAP_SIZE], 100);
    fake_set(vm, &process, LAYOUT_MSGQ_FLAGS, 2); // on the heap
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_MEMORY], bytes);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_TOTAL_HEAP_SIZE], 142);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_MBUF_SIZE], 30);
}

TEST(queued_messages_count_their_data)
{
    for_each(count_queued_data);
}

static void clamp_queue(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 9, 1, 100, 2);
    fake_set(vm, &process, LAYOUT_MSGQ_LEN, (uint64_t)-3);
    fake_set(vm, &process, LAYOUT_INQ_LEN, 5);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_MESSAGE_QUEUE_LEN], 2);
    fake_set(vm, &process, LAYOUT_INQ_LEN, 2);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK_INT(snapshots[0].values[BEAM_METRIC_MESSAGE_QUEUE_LEN], 0);
}

TEST(a_queue_with_signals_in_transit_is_never_negative)
{
    for_each(clamp_queue);
}

static void name_only_its_own(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 9, 1, 100, 2);
    struct fake_process other = fake_spawn(vm, 10, 1, 100, 2);
    uint64_t regproc;
    fake_register(vm, &other, fake_atom(5));
    memcpy(&regproc, other.bytes + vm->layout.offset[LAYOUT_REG], 8);
    fake_set(vm, &process, LAYOUT_REG, regproc); // reused by somebody else
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK_UINT(snapshots[0].name, 0);
    fake_set(vm, &process, LAYOUT_REG, 16); // freed, its page gone
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK_UINT(snapshots[0].name, 0);
}

TEST(a_name_that_belongs_to_another_is_not_taken)
{
    for_each(name_only_its_own);
}

static void keep_both_ends(struct fake_vm *vm, struct memory_reader *reader)
{
    enum { LIMIT = SNAPSHOT_LEAF_WORDS + SNAPSHOT_ROOT_WORDS };
    struct fake_process just = fake_spawn(vm, 1, 1, 4000, LIMIT);
    struct fake_process deep = fake_spawn(vm, 2, 1, 8000, LIMIT + 1);
    struct fake_process empty = fake_spawn(vm, 3, 1, 100, 0);
    CHECK_INT(take(vm, reader, just.id), SNAPSHOT_WHOLE);
    CHECK_UINT(snapshots[0].leaf_cnt, LIMIT);
    CHECK_UINT(snapshots[0].omitted_words, 0);
    CHECK_MEM(snapshots[0].stack, just.stack, LIMIT * 8);
    CHECK_INT(take(vm, reader, deep.id), SNAPSHOT_WHOLE);
    CHECK_UINT(snapshots[0].leaf_cnt, SNAPSHOT_LEAF_WORDS);
    CHECK_UINT(snapshots[0].root_cnt, SNAPSHOT_ROOT_WORDS);
    CHECK_UINT(snapshots[0].omitted_words, 1);
    CHECK_MEM(snapshots[0].stack, deep.stack, SNAPSHOT_LEAF_WORDS * 8);
    CHECK_MEM(snapshots[0].stack + SNAPSHOT_LEAF_WORDS, deep.stack + SNAPSHOT_LEAF_WORDS + 1,
              SNAPSHOT_ROOT_WORDS * 8);
    CHECK_INT(take(vm, reader, empty.id), SNAPSHOT_WHOLE);
    CHECK_UINT(snapshots[0].leaf_cnt, 0);
}

TEST(a_deep_stack_keeps_both_ends)
{
    for_each(keep_both_ends);
}

// ---- every end ----------------------------------------------------------------------

static void go_through_the_states(struct fake_vm *vm, struct memory_reader *reader)
{
    static const struct {
        uint32_t state;
        enum snapshot_end end;
        enum process_status status;
    } WANTED[] = {
        {FAKE_WAITING, SNAPSHOT_WHOLE, PROCESS_WAITING},
        {FAKE_RUNNABLE, SNAPSHOT_WHOLE, PROCESS_RUNNABLE},
        {FAKE_SUSPENDED | FAKE_RUNNABLE, SNAPSHOT_WHOLE, PROCESS_SUSPENDED},
        {FAKE_RUNNING, SNAPSHOT_PARTIAL, PROCESS_RUNNING},
        {FAKE_RUNNING | FAKE_SUSPENDED, SNAPSHOT_PARTIAL, PROCESS_SUSPENDED},
        {FAKE_COLLECTING | FAKE_RUNNING, SNAPSHOT_STATUS_ONLY, PROCESS_GARBAGE_COLLECTING},
        {FAKE_EXITING, SNAPSHOT_STATUS_ONLY, PROCESS_EXITING},
        {FAKE_EXITING | FAKE_COLLECTING, SNAPSHOT_STATUS_ONLY, PROCESS_EXITING},
    };
    struct fake_process process = fake_spawn(vm, 7, 1, 100, 4);
    for (size_t i = 0; i < sizeof WANTED / sizeof WANTED[0]; i++) {
        fake_set(vm, &process, LAYOUT_STATE, WANTED[i].state);
        CHECK_INT(take(vm, reader, process.id), WANTED[i].end);
        CHECK_INT(snapshots[0].status, WANTED[i].status);
        CHECK_INT(snapshots[0].values[BEAM_METRIC_REDUCTIONS], 1007);
        CHECK_UINT(snapshots[0].initial[0], fake_atom(1));
    }
    fake_set(vm, &process, LAYOUT_STATE, FAKE_FREE);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_GONE);
}

TEST(the_state_decides_how_much_is_read)
{
    for_each(go_through_the_states);
}

static void go_away(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 7, 1, 100, 4);
    struct fake_process next = fake_spawn(vm, 7, 2, 100, 4); // the same slot, later
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_GONE);
    CHECK_INT(take(vm, reader, next.id), SNAPSHOT_WHOLE);
    fake_set_slot(vm, 7, 0);
    CHECK_INT(take(vm, reader, next.id), SNAPSHOT_GONE);
    fake_set_slot(vm, 7, fake_address(next.bytes) + 1); // being made: the VM's invalid element
    CHECK_INT(take(vm, reader, next.id), SNAPSHOT_GONE);
    CHECK_INT(take(vm, reader, fake_pid(vm, 8, 1)), SNAPSHOT_GONE); // never there
}

TEST(a_slot_that_is_empty_or_anothers_is_gone)
{
    for_each(go_away);
}

// Pid terms can be made up (list_to_pid), and come from outside by watch.
static void ask_for_impossible_slots(struct fake_vm *vm, struct memory_reader *reader)
{
    static const uint64_t IDS[] = {
        0, 3, UINT64_MAX, 1ULL << 63 | 3, 0x7FFFFFFF00000003, (uint64_t)SLOTS << 32 | 3};
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        CHECK_INT(take(vm, reader, IDS[i]), SNAPSHOT_GONE);
    }
}

static void ask_for_impossible_slots_of_each(void)
{
    for_each(ask_for_impossible_slots);
}

TEST(a_pid_outside_the_table_is_gone)
{
    CHECK_CHILD_PASSES(ask_for_impossible_slots_of_each);
}

static void lose_memory(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 7, 1, 100, 4);
    unsigned char *pages =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0);
    uint64_t good_slot = fake_address(process.bytes);
    fake_set_slot(vm, 7, fake_address(pages) + 4096); // the struct
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_UNREADABLE);
    fake_set_slot(vm, 7, fake_address(pages) + 4096 - 64); // its end
    memcpy(pages + 4096 - 64, process.bytes, 64);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_UNREADABLE);
    fake_set_slot(vm, 7, 0x7FFFFFFFFFFFF000); // not canonical
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_UNREADABLE);
    fake_set_slot(vm, 7, good_slot);
    fake_set(vm, &process, LAYOUT_HEAP, fake_address(pages)); // a heap whose stack is gone
    fake_set(vm, &process, LAYOUT_HTOP, fake_address(pages) + 64);
    fake_set(vm, &process, LAYOUT_STOP, fake_address(pages) + 4096 - 16);
    fake_set(vm, &process, LAYOUT_HEND, fake_address(pages) + 8192);
    fake_set(vm, &process, LAYOUT_HEAP_SZ, 1024);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_UNREADABLE);
    fake_set(vm, &process, LAYOUT_STATE, FAKE_RUNNING);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_UNREADABLE);
    munmap(pages, 8192);
}

TEST(memory_that_went_away_is_unreadable)
{
    for_each(lose_memory);
}

// While a collection is put off heap_sz means the heap the process left.
static void put_off(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 8, 2, 100, 4);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK(snapshots[0].sizes_known);
    fake_set(vm, &process, LAYOUT_HEAP_SZ, 17);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    CHECK(!snapshots[0].sizes_known);
    CHECK_UINT(snapshots[0].leaf_cnt, process.stack_words);
}

static void contradict(struct fake_vm *vm, struct memory_reader *reader)
{
    static const struct {
        enum layout_field field;
        int64_t difference;
    } WRONG[] = {
        {LAYOUT_STOP, 4},         {LAYOUT_HTOP, 1},    {LAYOUT_STOP, 800},
        {LAYOUT_STOP, -800},      {LAYOUT_HTOP, 800},  {LAYOUT_HTOP, -800},
        {LAYOUT_HEND, -8000},     {LAYOUT_HEAP, 8000}, {LAYOUT_OLD_HTOP, 100000},
        {LAYOUT_OLD_HEND, -4000},
    };
    struct fake_process process = fake_spawn(vm, 7, 1, 100, 4);
    fake_old_heap(vm, &process, 100, 50);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_WHOLE);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        uint64_t good;
        memcpy(&good, process.bytes + vm->layout.offset[WRONG[i].field], 8);
        fake_set(vm, &process, WRONG[i].field, good + (uint64_t)WRONG[i].difference);
        CHECK_INT(take(vm, reader, process.id), SNAPSHOT_IMPLAUSIBLE);
        // On a scheduler that is the normal course of things.
        fake_set(vm, &process, LAYOUT_STATE, FAKE_RUNNING);
        CHECK_INT(take(vm, reader, process.id), SNAPSHOT_STATUS_ONLY);
        fake_set(vm, &process, LAYOUT_STATE, FAKE_WAITING);
        fake_set(vm, &process, WRONG[i].field, good);
    }
    fake_set(vm, &process, LAYOUT_HEAP, 0);
    CHECK_INT(take(vm, reader, process.id), SNAPSHOT_IMPLAUSIBLE);
}

TEST(a_collection_put_off_keeps_the_stack_not_the_sizes)
{
    for_each(put_off);
}

TEST(fields_that_contradict_each_other_are_implausible)
{
    for_each(contradict);
}

static void fill_batches(struct fake_vm *vm, struct memory_reader *reader)
{
    static const enum snapshot_end ENDS[] = {SNAPSHOT_WHOLE,       SNAPSHOT_PARTIAL,
                                             SNAPSHOT_STATUS_ONLY, SNAPSHOT_GONE,
                                             SNAPSHOT_UNREADABLE,  SNAPSHOT_IMPLAUSIBLE};
    enum { END_CNT = sizeof ENDS / sizeof ENDS[0] };
    struct process_snapshot *batch[SNAPSHOT_MAX_BATCH];
    struct fake_process processes[END_CNT];
    for (uint64_t i = 0; i < END_CNT; i++) {
        processes[i] = fake_spawn(vm, 10 + i, 1, 4000 + 100 * i, 3 + i * 300);
        fake_register(vm, &processes[i], fake_atom(100 + i));
        uint64_t *slots = fake_dictionary(vm, 4);
        fake_set(vm, &processes[i], LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    }
    fake_set(vm, &processes[1], LAYOUT_STATE, FAKE_RUNNING);
    fake_set(vm, &processes[2], LAYOUT_STATE, FAKE_EXITING);
    fake_set_slot(vm, 13, 0);
    fake_set_slot(vm, 14, 8);
    fake_set(vm, &processes[5], LAYOUT_HTOP, 1);
    uint64_t random = 99;
    for (int round = 0; round < 400; round++) {
        size_t cnt = 1 + (size_t)round % SNAPSHOT_MAX_BATCH;
        size_t kind[SNAPSHOT_MAX_BATCH];
        for (size_t i = 0; i < cnt; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            kind[i] = (random >> 33) % END_CNT;
            memset(&snapshots[i], 0xEE, sizeof snapshots[i]);
            snapshots[i].id = processes[kind[i]].id;
            batch[i] = &snapshots[i];
        }
        process_snapshot_batch(reader, &vm->layout, batch, cnt);
        for (size_t i = 0; i < cnt; i++) {
            CHECK_INT(snapshots[i].end, ENDS[kind[i]]);
            if (kind[i] < 2) {
                const struct fake_process *process = &processes[kind[i]];
                CHECK_UINT(snapshots[i].leaf_cnt, process->stack_words);
                CHECK_MEM(snapshots[i].stack, process->stack, process->stack_words * 8);
                CHECK_UINT(snapshots[i].name, fake_atom(100 + kind[i]));
            }
        }
    }
}

TEST(a_batch_gives_each_its_own_end)
{
    for_each(fill_batches);
}

// ---- under change ---------------------------------------------------------------------

struct mutator {
    struct fake_vm *vm;
    struct fake_process process;
    _Atomic bool stop;
};

// Odd reductions while the stack is being written, even ones when all of its
// words equal them.
static void *mutate(void *context)
{
    struct mutator *mutator = context;
    for (uint64_t value = 2; !atomic_load(&mutator->stop); value += 2) {
        fake_set(mutator->vm, &mutator->process, LAYOUT_REDS, value - 1);
        for (uint64_t i = 0; i < mutator->process.stack_words; i++) {
            fake_poke(&mutator->process.stack[i], value, 8);
        }
        fake_set(mutator->vm, &mutator->process, LAYOUT_REDS, value);
        for (uint64_t wait = value % 4096; wait > 0 && !atomic_load(&mutator->stop); wait--) {
        }
    }
    return NULL;
}

static void read_under_change(struct fake_vm *vm, struct memory_reader *reader)
{
    struct mutator mutator = {.vm = vm, .process = fake_spawn(vm, 7, 1, 1000, 60)};
    pthread_t thread;
    uint64_t seen[SNAPSHOT_IMPLAUSIBLE + 1] = {0};
    uint64_t mixed = 0;
    uint64_t deadline_ns = clock_monotonic_ns() + 200ULL * CLOCK_NS_PER_S;
    for (uint64_t i = 0; i < mutator.process.stack_words; i++) {
        mutator.process.stack[i] = 0;
    }
    fake_set(vm, &mutator.process, LAYOUT_REDS, 0);
    CHECK(pthread_create(&thread, NULL, mutate, &mutator) == 0);
    while ((seen[SNAPSHOT_CHANGED] < 200 || seen[SNAPSHOT_WHOLE] < 200) &&
           clock_monotonic_ns() < deadline_ns) {
        enum snapshot_end end = take(vm, reader, mutator.process.id);
        uint64_t reductions = (uint64_t)snapshots[0].values[BEAM_METRIC_REDUCTIONS];
        seen[end]++;
        for (uint32_t i = 0; end == SNAPSHOT_WHOLE && reductions % 2 == 0 && i < 60; i++) {
            mixed += snapshots[0].stack[i] != reductions;
        }
    }
    atomic_store(&mutator.stop, true);
    pthread_join(thread, NULL);
    CHECK_UINT(mixed, 0);
    CHECK(seen[SNAPSHOT_CHANGED] >= 200);
    CHECK(seen[SNAPSHOT_WHOLE] >= 200);
    CHECK_UINT(seen[SNAPSHOT_GONE] + seen[SNAPSHOT_UNREADABLE] + seen[SNAPSHOT_IMPLAUSIBLE], 0);
}

TEST(a_change_between_the_two_reads_is_seen)
{
    for_each(read_under_change);
}

static void *spawn_and_exit(void *context)
{
    struct mutator *mutator = context;
    for (uint64_t turn = 0; !atomic_load(&mutator->stop); turn++) {
        fake_set_slot(mutator->vm, 7, turn % 3 == 0 ? 0 : fake_address(mutator->process.bytes));
        fake_set(mutator->vm, &mutator->process, LAYOUT_STATE,
                 turn % 5 == 0   ? FAKE_EXITING
                 : turn % 7 == 0 ? FAKE_COLLECTING
                                 : FAKE_RUNNING);
        fake_set(mutator->vm, &mutator->process, LAYOUT_ID,
                 turn % 11 == 0 ? fake_pid(mutator->vm, 7, 2) : mutator->process.id);
        fake_set(mutator->vm, &mutator->process, LAYOUT_STOP,
                 fake_address(mutator->process.stack + turn % 64));
    }
    return NULL;
}

static void read_a_lively_one(struct fake_vm *vm, struct memory_reader *reader)
{
    struct mutator mutator = {.vm = vm, .process = fake_spawn(vm, 7, 1, 1000, 64)};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, spawn_and_exit, &mutator) == 0);
    uint64_t wrong = 0;
    for (int i = 0; i < 20000; i++) {
        enum snapshot_end end = take(vm, reader, mutator.process.id);
        bool with_stack = end == SNAPSHOT_WHOLE || end == SNAPSHOT_PARTIAL;
        wrong += end > SNAPSHOT_IMPLAUSIBLE || (with_stack && snapshots[0].leaf_cnt > 64);
    }
    atomic_store(&mutator.stop, true);
    pthread_join(thread, NULL);
    CHECK_UINT(wrong, 0);
}

TEST(a_process_that_comes_and_goes_always_has_an_end)
{
    for_each(read_a_lively_one);
}

// ---- garbage ----------------------------------------------------------------------------

static const char *bad_end(const struct process_snapshot *got)
{
    uint32_t words = got->leaf_cnt + got->root_cnt;
    if ((unsigned)got->end > SNAPSHOT_IMPLAUSIBLE) {
        return "no such end";
    }
    if (words > SNAPSHOT_LEAF_WORDS + SNAPSHOT_ROOT_WORDS) {
        return "more words than fit";
    }
    return got->end != SNAPSHOT_GONE && (unsigned)got->status >= PROCESS_STATUS_CNT
               ? "no such status"
               : NULL;
}

// Each word in turn takes each of these values, in each state.
static void corrupt_each_word(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 7, 1, 5000, 2000);
    uint64_t *slots = fake_dictionary(vm, 4);
    uint64_t *message = fake_message(vm, 1, fake_atom(1));
    void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hole != MAP_FAILED);
    message[0] = fake_address(message); // a queue that goes round
    message[5] = fake_address(message + 5);
    message[5 + 4] = UINT64_MAX;
    slots[0] = fake_initial_call(vm, fake_atom(1), fake_atom(2), 3);
    fake_register(vm, &process, fake_atom(5));
    fake_old_heap(vm, &process, 600, 300);
    fake_set(vm, &process, LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    fake_set(vm, &process, LAYOUT_MSGQ_FIRST, fake_address(message));
    fake_set(vm, &process, LAYOUT_MSGQ_LEN, 1);
    fake_set(vm, &process, LAYOUT_MSGQ_FLAGS, 2);
    const uint64_t values[] = {
        0,
        1,
        7,
        8,
        UINT64_MAX,
        INT64_MAX,
        1ULL << 63,
        1ULL << 62,
        1ULL << 47,
        (1ULL << 47) - 8,
        0x0B0B0B0B0B0B0B0B,
        fake_address(hole),
        fake_address(hole) + 4088,
        fake_address(process.bytes),
        fake_address(process.bytes) + 4,
        fake_address(process.heap),
        fake_address(process.stack),
        process.id,
    };
    static const uint32_t STATES[] = {FAKE_WAITING, FAKE_RUNNING, FAKE_COLLECTING};
    uint32_t words = vm->layout.process_words;
    for (size_t state = 0; state < 3; state++) {
        fake_set(vm, &process, LAYOUT_STATE, STATES[state]);
        CHECK(take(vm, reader, process.id) <= SNAPSHOT_STATUS_ONLY);
        for (uint32_t at = 0; at < words; at++) {
            uint64_t good;
            memcpy(&good, process.bytes + at * 8ULL, 8);
            for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
                fake_poke(process.bytes + at * 8ULL, values[v], 8);
                (void)take(vm, reader, process.id);
                const char *why = bad_end(&snapshots[0]);
                if (why != NULL) {
                    TEST_FAIL("word %u = %#llx: %s", at, (unsigned long long)values[v], why);
                }
            }
            fake_poke(process.bytes + at * 8ULL, good, 8);
        }
    }
    munmap(hole, 4096);
}

TEST(any_word_may_hold_anything)
{
    for_each(corrupt_each_word);
}

static void corrupt_all_words(struct fake_vm *vm, struct memory_reader *reader)
{
    struct fake_process process = fake_spawn(vm, 7, 1, 5000, 2000);
    unsigned char good[LAYOUT_MAX_PROCESS_BYTES];
    uint64_t random = 4711;
    memcpy(good, process.bytes, sizeof good);
    for (int round = 0; round < 20000; round++) {
        memcpy(process.bytes, good, sizeof good);
        for (int changes = 1 + round % 12; changes > 0; changes--) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            uint64_t *at = (uint64_t *)(void *)process.bytes + (random >> 33) % 128;
            int kind = (int)(random >> 20 & 3);
            uint64_t place = fake_address(vm->arena) + (random >> 30) % FAKE_ARENA_BYTES;
            *at = kind == 0 ? random : kind == 1 ? place & ~7ULL : kind == 2 ? random >> 50 : ~*at;
        }
        (void)take(vm, reader, process.id);
        const char *why = bad_end(&snapshots[0]);
        if (why != NULL) {
            TEST_FAIL("round %d: %s", round, why);
        }
    }
}

TEST(all_words_may_hold_anything)
{
    for_each(corrupt_all_words);
}
