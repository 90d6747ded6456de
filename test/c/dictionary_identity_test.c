// SPDX-License-Identifier: Apache-2.0
// Who a process is, out of its dictionary, whatever else is in it.
#include "capture/beam/dictionary_identity.h"

#include "capture/beam/term_copy.h"

#include "child_process.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct memory_reader reader;
static struct dictionary_identity identity;

static void for_each(void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        fake_vm_init(&vm, kind == 0 ? "25" : "27", 1024);
        fake_open_reader(&reader, FAKE_READERS[kind]);
        part();
        memory_reader_close(&reader);
        fake_vm_deinit(&vm);
    }
}

static bool read_at(uint64_t dictionary)
{
    struct word_reader words = memory_reader_word_reader(&reader);
    memset(&identity, 0x5A, sizeof identity);
    dictionary_identity_read(&words, &vm.layout, dictionary, UINT32_MAX, &identity);
    return identity.initial[0] != 0;
}

static bool read_it(const uint64_t *slots)
{
    return read_at(fake_dictionary_address(slots));
}

static void check_found(const uint64_t *slots)
{
    CHECK(read_it(slots));
    CHECK_UINT(identity.initial[0], fake_atom(10));
    CHECK_UINT(identity.initial[1], fake_atom(11));
    CHECK_UINT(identity.initial[2], 4);
}

static uint64_t the_entry(void)
{
    return fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
}

static void find_in_any_slot(void)
{
    for (uint32_t cnt = 1; cnt <= IDENTITY_MAX_SLOTS; cnt += 17) {
        uint64_t *slots = fake_dictionary(&vm, cnt);
        for (uint32_t i = 0; i < cnt; i++) {
            slots[i] = fake_pair(&vm, fake_atom(1000 + i), fake_small(i));
        }
        slots[cnt - 1] = the_entry();
        check_found(slots);
        slots[cnt - 1] = FAKE_NIL;
        CHECK(!read_it(slots));
        slots[0] = the_entry();
        check_found(slots);
    }
}

TEST(it_is_found_in_any_slot)
{
    for_each(find_in_any_slot);
}

static void find_in_chains(void)
{
    for (int before = 0; before < IDENTITY_MAX_CHAIN; before++) {
        uint64_t *slots = fake_dictionary(&vm, 4);
        uint64_t chain = fake_cons(&vm, the_entry(), FAKE_NIL);
        for (int i = 0; i < before; i++) {
            chain = fake_cons(&vm, fake_pair(&vm, fake_atom(99), fake_atom(1)), chain);
        }
        slots[2] = chain;
        check_found(slots);
    }
}

TEST(it_is_found_in_a_chain)
{
    for_each(find_in_chains);
}

static void stay_bounded(void)
{
    uint64_t *slots = fake_dictionary(&vm, 4);
    uint64_t round_trip = fake_cons(&vm, fake_pair(&vm, fake_atom(99), fake_atom(1)), FAKE_NIL);
    ((uint64_t *)(uintptr_t)(round_trip - 1))[1] = round_trip;
    slots[0] = round_trip;
    CHECK(!read_it(slots)); // and comes back
    slots[1] = the_entry();
    check_found(slots);
    uint64_t *many = fake_dictionary(&vm, 100000);
    CHECK(!read_it(many));
    many[IDENTITY_MAX_SLOTS] = the_entry();
    CHECK(!read_it(many)); // behind what is looked at
    many[IDENTITY_MAX_SLOTS - 1] = the_entry();
    check_found(many);
}

TEST(chains_that_go_round_and_huge_dictionaries_are_bounded)
{
    for_each(stay_bounded);
}

static void refuse_other_terms(void)
{
    const uint64_t m = fake_atom(1);
    const uint64_t values[] = {
        0,
        FAKE_NIL,
        fake_atom(3),
        fake_small(3),
        fake_tuple(&vm, 2, (uint64_t[]){m, m}),
        fake_tuple(&vm, 4, (uint64_t[]){m, m, fake_small(1), m}),
        fake_tuple(&vm, 3, (uint64_t[]){fake_small(1), m, fake_small(1)}),
        fake_tuple(&vm, 3, (uint64_t[]){m, fake_small(1), fake_small(1)}),
        fake_tuple(&vm, 3, (uint64_t[]){m, m, FAKE_NIL}), // arguments, not their number
        fake_tuple(&vm, 3, (uint64_t[]){m, m, fake_small(256)}),
        fake_tuple(&vm, 3, (uint64_t[]){m, m, UINT64_MAX}),
        fake_cons(&vm, m, m),
        2,
        0x1002,
        1ULL << 47 | 2,
        UINT64_MAX - 1,
    };
    uint64_t *slots = fake_dictionary(&vm, 1);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        slots[0] = fake_pair(&vm, vm.layout.initial_call_key, values[i]);
        CHECK(!read_it(slots));
        slots[0] = values[i];
        CHECK(!read_it(slots));
        slots[0] = fake_cons(&vm, values[i], values[i]);
        CHECK(!read_it(slots));
    }
    slots[0] = fake_tuple(&vm, 3, (uint64_t[]){vm.layout.initial_call_key, m, m});
    CHECK(!read_it(slots));
}

TEST(what_is_not_an_mfa_is_refused)
{
    for_each(refuse_other_terms);
}

static void find_nothing_there(void)
{
    CHECK(!read_at(0));
    CHECK(!read_at(8));
    CHECK(!read_at(UINT64_MAX - 7));
    uint64_t *slots = fake_dictionary(&vm, 2);
    ((uint32_t *)(void *)slots)[-5] = 0; // no slot in use
    slots[0] = the_entry();
    CHECK(!read_it(slots));
}

TEST(no_dictionary_is_no_initial_call)
{
    for_each(find_nothing_there);
}

static uint64_t list_of(const uint64_t *elements, int cnt)
{
    uint64_t list = FAKE_NIL;
    for (int i = cnt; i > 0; i--) {
        list = fake_cons(&vm, elements[i - 1], list);
    }
    return list;
}

static void find_ancestors(void)
{
    const uint64_t pid = fake_pid(&vm, 9, 1);
    const uint64_t family[] = {fake_atom(1), pid, fake_atom(2), fake_atom(3), fake_atom(4)};
    uint64_t *slots = fake_dictionary(&vm, 2);
    slots[0] = fake_pair(&vm, vm.layout.ancestors_key, list_of(family, 2));
    slots[1] = the_entry();
    CHECK(read_it(slots));
    CHECK_UINT(identity.ancestors[0], fake_atom(1));
    CHECK_UINT(identity.ancestors[1], pid);
    CHECK_UINT(identity.ancestors[2], 0);
    CHECK_UINT(identity.label_cnt, 0);
    slots[0] = fake_pair(&vm, vm.layout.ancestors_key, list_of(family, 5));
    CHECK(read_it(slots));
    CHECK_UINT(identity.ancestors[PROCESS_ANCESTORS - 1], fake_atom(3)); // as many as there is room
    const uint64_t odd[] = {pid, fake_small(7), pid};
    slots[0] = fake_pair(&vm, vm.layout.ancestors_key, list_of(odd, 3));
    CHECK(read_it(slots));
    CHECK_UINT(identity.ancestors[0], pid);
    CHECK_UINT(identity.ancestors[1], 0);
}

TEST(ancestors_are_names_and_pids)
{
    for_each(find_ancestors);
}

static void find_label(void)
{
    const uint64_t parts[] = {fake_atom(1), fake_small(7)};
    uint64_t *slots = fake_dictionary(&vm, 4);
    slots[3] = fake_pair(&vm, vm.layout.label_key, fake_tuple(&vm, 2, parts));
    CHECK(!read_it(slots));
    CHECK_UINT(identity.label_cnt, 3);
    CHECK_UINT(identity.label[0], TERM_COPY_TUPLE | 2 << TERM_COPY_COUNT_SHIFT);
    CHECK_UINT(identity.label[1], fake_atom(1));
    CHECK_UINT(identity.label[2], fake_small(7));
}

TEST(a_label_is_copied)
{
    for_each(find_label);
}

// The collector leaves where it moved a term to: in a tuple's header, in a cell's tail
// behind a head of 0.
static void follow_the_moved(void)
{
    uint64_t *slots = fake_dictionary(&vm, 1);
    uint64_t entry = the_entry();
    uint64_t old_entry = fake_pair(&vm, 0, 0);
    *(uint64_t *)(uintptr_t)(old_entry - 2) = entry;
    slots[0] = old_entry;
    check_found(slots);
    uint64_t old_cell = fake_cons(&vm, 0, fake_cons(&vm, old_entry, FAKE_NIL));
    slots[0] = old_cell;
    check_found(slots);
    *(uint64_t *)(uintptr_t)(old_entry - 2) = old_entry; // to itself
    slots[0] = old_entry;
    CHECK(!read_it(slots));
}

TEST(what_the_collector_has_moved_is_found)
{
    for_each(follow_the_moved);
}

static void stop_after_some(void)
{
    struct word_reader words = memory_reader_word_reader(&reader);
    uint64_t *slots = fake_dictionary(&vm, 64);
    for (int i = 0; i < 63; i++) {
        slots[i] = fake_pair(&vm, fake_atom(200), fake_atom(1));
    }
    slots[63] = the_entry();
    uint64_t dictionary = fake_dictionary_address(slots);
    dictionary_identity_read(&words, &vm.layout, dictionary, 63, &identity);
    CHECK_UINT(identity.initial[0], 0);
    dictionary_identity_read(&words, &vm.layout, dictionary, 64, &identity);
    CHECK_UINT(identity.initial[0], fake_atom(10));
}

TEST(no_more_entries_are_read_than_allowed)
{
    for_each(stop_after_some);
}

// Any bytes in place of a dictionary.
static void survive_garbage(void)
{
    uint64_t random = 3;
    uint64_t *slots = fake_dictionary(&vm, 64);
    uint64_t *area = fake_alloc(&vm, 4096 * 8);
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 64; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            uint64_t inside = fake_address(area) + (random >> 33) % (4090 * 8);
            slots[i] = (random & 4) != 0 ? inside : random;
            area[(random >> 24) % 4096] = (random & 16) != 0 ? vm.layout.label_key : 2 << 6;
            area[(random >> 20) % 4096] = (random & 8) != 0 ? inside : (random >> 50) << 6;
        }
        (void)read_it(slots);
        CHECK(identity.label_cnt <= PROCESS_LABEL_WORDS);
    }
}

TEST(garbage_is_survived)
{
    for_each(survive_garbage);
}
