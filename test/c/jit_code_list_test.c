// SPDX-License-Identifier: Apache-2.0
// The list of loaded code, walked while it changes: what is taken was whole.
#include "capture/beam/jit_code_list.h"

#include "base/clock.h"
#include "child_process.h"
#include "fake_code.h"
#include "fake_vm.h"

#include <pthread.h>
#include <stdatomic.h>

static struct memory_reader reader;
static struct fake_code_list fake;
static struct vm_memory memory;
static uint64_t symfiles[FAKE_CODE_MAX][8]; // 1, number, filling

static void make_list(uint32_t cnt)
{
    memset(&fake, 0, sizeof fake);
    fake_code_list_init(&fake);
    memory = (struct vm_memory){
        .ranges = {{fake_place(&fake), fake_place(&fake + 1)}},
        .range_cnt = 1,
    };
    for (uint32_t i = 0; i < cnt; i++) {
        symfiles[i][0] = 1;
        symfiles[i][1] = i;
        fake_code_list_add(&fake, symfiles[i], sizeof symfiles[i] - 3); // any length
    }
}

static struct jit_code_list found_list(void)
{
    struct jit_code_list list;
    struct error err = {0};
    if (!jit_code_list_find(&list, &memory, &reader, &err)) {
        TEST_FAIL("%s", err.detail);
    }
    CHECK_UINT(list.descriptor, fake_place(fake.descriptor));
    return list;
}

static void for_each(void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        fake_open_reader(&reader, FAKE_READERS[kind]);
        part();
        memory_reader_close(&reader);
    }
}

// What a walk brought.
struct visit {
    unsigned begins;
    uint32_t cnt;
    struct jit_code_entry entries[FAKE_CODE_MAX + 1];
    uint64_t numbers[FAKE_CODE_MAX + 1];
    bool wrong;
    uint64_t unwanted; // an entry not to copy
    void (*on_take)(uint32_t cnt);
};

static struct visit visit;

static void on_begin(void *context)
{
    ((struct visit *)context)->begins++;
    ((struct visit *)context)->cnt = 0;
}

static bool on_wants(void *context, const struct jit_code_entry *entry)
{
    return ((struct visit *)context)->unwanted != entry->address;
}

static void on_take(void *context, const struct jit_code_entry *entry, const void *symfile)
{
    struct visit *to = context;
    uint64_t words[2];
    memcpy(words, symfile, sizeof words);
    if (to->cnt > FAKE_CODE_MAX) {
        to->wrong = true;
        return;
    }
    to->wrong = to->wrong || words[0] != 1;
    to->numbers[to->cnt] = words[1];
    to->entries[to->cnt++] = *entry;
    if (to->on_take != NULL) {
        to->on_take(to->cnt);
    }
}

static const struct jit_code_visitor VISITOR = {&visit, on_begin, on_wants, on_take};

static bool walk(struct jit_code_list *list)
{
    unsigned begins = visit.begins;
    bool ok = jit_code_list_walk(list, &reader, &VISITOR);
    CHECK(visit.begins > begins);
    CHECK(!visit.wrong);
    return ok;
}

// ---- finding -------------------------------------------------------------------------

static void find_it(void)
{
    for (uint32_t cnt = 2; cnt < 20; cnt += 3) {
        make_list(cnt);
        struct jit_code_list list = found_list();
        CHECK(jit_code_list_changed(&list, &reader));
    }
    make_list(5);
    fake.descriptor[0] = 1 | 2ULL << 32; // an action in progress
    (void)found_list();
    symfiles[4][0] = 0; // the emulator's own file first
    (void)found_list();
    symfiles[4][0] = 1;
}

TEST(the_list_is_found_by_its_structure)
{
    for_each(find_it);
}

static void find_nothing(void)
{
    struct jit_code_list list;
    struct error err = {0};
    make_list(5);
    uint64_t first = fake.descriptor[2];
    uint64_t prev = fake.entries[3].prev;
#define CHECK_NOT_FOUND() CHECK(!jit_code_list_find(&list, &memory, &reader, &err))
    fake.descriptor[0] = 2; // another version
    CHECK_NOT_FOUND();
    fake.descriptor[0] = 1 | 3ULL << 32; // no such action
    CHECK_NOT_FOUND();
    fake.descriptor[0] = 1;
    fake.descriptor[2] = 0; // empty
    CHECK_NOT_FOUND();
    fake.descriptor[2] = 8;
    CHECK_NOT_FOUND();
    fake.descriptor[2] = first + 4;
    CHECK_NOT_FOUND();
    fake.descriptor[2] = first;
    fake.entries[3].prev = 8; // the second does not point back
    CHECK_NOT_FOUND();
    fake.entries[3].prev = prev;
    symfiles[4][0] = 2; // no such kind of file
    CHECK_NOT_FOUND();
    symfiles[4][0] = 1;
    fake.entries[4].symfile_bytes = 15; // too short
    CHECK_NOT_FOUND();
    fake.entries[4].symfile_bytes = JIT_CODE_MAX_SYMFILE_BYTES + 1ULL;
    CHECK_NOT_FOUND();
    fake.entries[4].symfile_bytes = 61;
    (void)found_list();
    memory.range_cnt = 0;
    CHECK_NOT_FOUND();
    CHECK_INT(err.code, ERROR_UNSUPPORTED);
    CHECK_HAS(err.detail, "JIT");
}

TEST(what_does_not_look_like_it_is_not_taken)
{
    for_each(find_nothing);
}

// ---- walking -------------------------------------------------------------------------

static void walk_it(void)
{
    make_list(12);
    struct jit_code_list list = found_list();
    visit = (struct visit){0};
    CHECK(walk(&list));
    CHECK_UINT(visit.begins, 1);
    CHECK_UINT(visit.cnt, 12);
    for (uint32_t i = 0; i < 12; i++) { // newest first
        CHECK_UINT(visit.numbers[i], 11 - i);
        CHECK_UINT(visit.entries[i].address, fake_place(&fake.entries[11 - i]));
        CHECK_UINT(visit.entries[i].symfile, fake_place(symfiles[11 - i]));
        CHECK_UINT(visit.entries[i].symfile_bytes, 61);
    }
    CHECK(!jit_code_list_changed(&list, &reader));
    fake_code_list_add(&fake, symfiles[0], 61);
    CHECK(jit_code_list_changed(&list, &reader));
    visit.unwanted = fake_place(&fake.entries[5]);
    CHECK(walk(&list));
    CHECK_UINT(visit.cnt, 12); // 13 but one
    CHECK(!jit_code_list_changed(&list, &reader));
    fake.entries[12].prev = 0x1234560; // seen on OTP 27: the first's is stale
    CHECK(walk(&list));
}

TEST(a_still_list_is_walked_once_newest_first)
{
    for_each(walk_it);
}

static void unlink_entry(struct fake_code_entry *entry)
{
    if (entry->prev != 0) {
        fake_store(&((struct fake_code_entry *)(uintptr_t)entry->prev)->next, entry->next);
    } else {
        fake_store(&fake.descriptor[2], entry->next);
    }
    if (entry->next != 0) {
        fake_store(&((struct fake_code_entry *)(uintptr_t)entry->next)->prev, entry->prev);
    }
}

static bool mischief_done;

static void add_in_the_middle(uint32_t cnt)
{
    if (cnt == 3 && !mischief_done) {
        mischief_done = true;
        fake_code_list_add(&fake, symfiles[1], 61);
    }
}

static void unlink_the_next(uint32_t cnt)
{
    if (cnt == 3 && !mischief_done) { // the walk holds a pointer to it
        mischief_done = true;
        struct fake_code_entry *entry = &fake.entries[8];
        unlink_entry(entry);
        *entry = (struct fake_code_entry){UINT64_MAX, 7, 3, 1}; // freed, and used again
    }
}

static void change_on_every_walk(uint32_t cnt)
{
    if (cnt == 2) {
        fake_code_list_add(&fake, symfiles[2], 61);
    }
}

static void walk_under_change(void)
{
    make_list(12);
    struct jit_code_list list = found_list();
    visit = (struct visit){.on_take = add_in_the_middle};
    mischief_done = false;
    CHECK(walk(&list));
    CHECK_UINT(visit.begins, 2); // it began again
    CHECK_UINT(visit.cnt, 13);
    make_list(12);
    list = found_list();
    visit = (struct visit){.on_take = unlink_the_next};
    mischief_done = false;
    CHECK(walk(&list));
    CHECK_UINT(visit.begins, 2);
    CHECK_UINT(visit.cnt, 11);
    make_list(12);
    list = found_list();
    visit = (struct visit){.on_take = change_on_every_walk};
    CHECK(!walk(&list));
    CHECK(visit.begins > 1 && visit.begins < 100);
    CHECK(jit_code_list_changed(&list, &reader)); // not known yet: asked for again
}

TEST(a_walk_that_met_a_change_begins_again)
{
    for_each(walk_under_change);
}

static void walk_in_circles(void)
{
    make_list(6);
    struct jit_code_list list = found_list();
    visit = (struct visit){0};
    fake.entries[0].next = fake_place(&fake.entries[3]); // the oldest leads back
    CHECK(!walk(&list));
    make_list(2);
    list = found_list();
    fake.entries[1].next = fake_place(&fake.entries[1]); // to itself
    CHECK(!walk(&list));
}

TEST(a_list_that_goes_round_ends)
{
    for_each(walk_in_circles);
}

// Itself its own predecessor: nothing looks wrong, only the number of entries.
static void walk_a_perfect_circle(void)
{
    make_list(2);
    struct jit_code_list list = found_list();
    visit = (struct visit){.unwanted = fake_place(&fake.entries[1])};
    fake.entries[1].next = fake.entries[1].prev = fake_place(&fake.entries[1]);
    CHECK(!walk(&list));
    CHECK_UINT(visit.cnt, 0);
}

TEST(a_perfect_circle_ends_at_the_limit)
{
    fake_open_reader(&reader, READER_GUARDED_LOAD);
    walk_a_perfect_circle();
    memory_reader_close(&reader);
}

static void follow_bad_pointers(void)
{
    static const uint64_t BAD[] = {1,          8,          0xFFF8,         1ULL << 47,
                                   1ULL << 63, UINT64_MAX, UINT64_MAX - 7, 0x10000};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        for (int field = 0; field < 4; field++) {
            make_list(6);
            struct jit_code_list list = found_list();
            uint64_t *entry = (uint64_t *)&fake.entries[2];
            visit = (struct visit){0};
            entry[field] = BAD[i];
            bool harmless = field == 3 && BAD[i] == 0x10000; // a length, too long for nobody
            bool ok = jit_code_list_walk(&list, &reader, &VISITOR);
            CHECK(harmless || !ok);
            CHECK(!visit.wrong);
        }
        make_list(6);
        struct jit_code_list list = found_list();
        fake.descriptor[2] = BAD[i];
        CHECK(!walk(&list));
        list.descriptor = BAD[i];
        CHECK(!jit_code_list_changed(&list, &reader) || BAD[i] == 0x10000);
        CHECK(!jit_code_list_walk(&list, &reader, &VISITOR));
    }
}

TEST(bad_pointers_end_the_walk)
{
    for_each(follow_bad_pointers);
}

// The byte behind a file may be the first of a page that is not there.
static void copy_to_the_last_byte(void)
{
    unsigned char *pages =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0);
    for (uint64_t bytes = 16; bytes < 80; bytes++) {
        uint64_t head[2] = {1, 77};
        unsigned char *symfile = pages + 4096 - ((bytes + 7) & ~7ULL);
        memcpy(symfile, head, sizeof head);
        make_list(3);
        fake_code_list_add(&fake, symfile, bytes);
        struct jit_code_list list = found_list();
        visit = (struct visit){0};
        CHECK(walk(&list));
        CHECK_UINT(visit.cnt, 4);
        CHECK_UINT(visit.numbers[0], 77);
    }
    munmap(pages, 8192);
}

TEST(nothing_behind_a_file_is_touched)
{
    for_each(copy_to_the_last_byte);
}

// ---- a thread that loads and purges ------------------------------------------------------

static _Atomic bool stop;

static void *load_and_purge(void *context)
{
    (void)context;
    struct fake_code_entry *spare = &fake.entries[FAKE_CODE_MAX - 1];
    for (uint64_t turn = 0; !atomic_load(&stop); turn++) {
        uint64_t first = fake.descriptor[2];
        fake_store(&spare->next, first);
        fake_store(&spare->prev, 0);
        fake_store(&spare->symfile, fake_place(symfiles[FAKE_CODE_MAX - 1]));
        fake_store(&spare->symfile_bytes, 61);
        fake_store(&((struct fake_code_entry *)(uintptr_t)first)->prev, fake_place(spare));
        fake_store(&fake.descriptor[2], fake_place(spare));
        for (uint64_t wait = turn % 2000; wait > 0; wait--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        fake_store(&fake.descriptor[2], first);
        fake_store(&((struct fake_code_entry *)(uintptr_t)first)->prev, 0);
        fake_store(&spare->next, UINT64_MAX); // freed
        fake_store(&spare->symfile, 3);
        for (uint64_t wait = turn * 7 % 5000; wait > 0; wait--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
    }
    return NULL;
}

static void walk_beside_a_loader(void)
{
    pthread_t thread;
    make_list(20);
    struct jit_code_list list = found_list();
    visit = (struct visit){0};
    symfiles[FAKE_CODE_MAX - 1][0] = 1;
    atomic_store(&stop, false);
    CHECK(pthread_create(&thread, NULL, load_and_purge, NULL) == 0);
    uint64_t deadline_ns = clock_monotonic_ns() + 200ULL * CLOCK_NS_PER_S;
    unsigned good = 0;
    unsigned wrong = 0;
    unsigned again = 0;
    while ((good < 2000 || again < 20) && clock_monotonic_ns() < deadline_ns) {
        unsigned begins = visit.begins;
        if (jit_code_list_walk(&list, &reader, &VISITOR)) {
            good++;
            wrong += visit.cnt != 20 && visit.cnt != 21;
        }
        again += visit.begins > begins + 1;
        wrong += visit.wrong;
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    CHECK_UINT(wrong, 0);
    CHECK(good >= 2000);
    CHECK(again >= 20);
}

TEST(a_walk_beside_a_loader_is_whole)
{
    for_each(walk_beside_a_loader);
}
