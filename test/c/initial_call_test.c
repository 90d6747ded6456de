// SPDX-License-Identifier: Apache-2.0
// proc_lib's initial call out of a process dictionary, whatever else is in it.
#include "capture/beam/initial_call.h"

#include "child_process.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct memory_reader reader;
static uint64_t mfa[3];

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

static bool read_it(const uint64_t *slots)
{
    memset(mfa, 0, sizeof mfa);
    return initial_call_read(&reader, &vm.layout, fake_dictionary_address(slots), mfa);
}

static void check_found(const uint64_t *slots)
{
    CHECK(read_it(slots));
    CHECK_UINT(mfa[0], fake_atom(10));
    CHECK_UINT(mfa[1], fake_atom(11));
    CHECK_UINT(mfa[2], 4);
}

static uint64_t the_entry(void)
{
    return fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
}

static void find_in_any_slot(void)
{
    for (uint32_t cnt = 1; cnt <= INITIAL_CALL_MAX_SLOTS; cnt += 17) {
        uint64_t *slots = fake_dictionary(&vm, cnt);
        for (uint32_t i = 0; i < cnt; i++) {
            slots[i] = fake_pair(&vm, fake_atom(i), fake_small(i));
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
    for (int before = 0; before < INITIAL_CALL_MAX_CHAIN; before++) {
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
    many[INITIAL_CALL_MAX_SLOTS] = the_entry();
    CHECK(!read_it(many)); // behind what is looked at
    many[INITIAL_CALL_MAX_SLOTS - 1] = the_entry();
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
    CHECK(!initial_call_read(&reader, &vm.layout, 0, mfa));
    CHECK(!initial_call_read(&reader, &vm.layout, 8, mfa));
    CHECK(!initial_call_read(&reader, &vm.layout, UINT64_MAX - 7, mfa));
    uint64_t *slots = fake_dictionary(&vm, 2);
    ((uint32_t *)(void *)slots)[-5] = 0; // no slot in use
    slots[0] = the_entry();
    CHECK(!read_it(slots));
}

TEST(no_dictionary_is_no_initial_call)
{
    for_each(find_nothing_there);
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
            area[(random >> 20) % 4096] = (random & 8) != 0 ? inside : (random >> 50) << 6;
        }
        (void)read_it(slots);
    }
}

TEST(garbage_is_survived)
{
    for_each(survive_garbage);
}

TEST(atoms_are_told_by_their_tag)
{
    CHECK(term_is_atom(fake_atom(0)) && term_is_atom(fake_atom(1 << 20)));
    CHECK(!term_is_atom(0) && !term_is_atom(fake_small(11)) && !term_is_atom(FAKE_NIL));
    CHECK(!term_is_atom(0x2B) && !term_is_atom(0x03));
}
