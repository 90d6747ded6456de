// SPDX-License-Identifier: Apache-2.0
// Root frames in any order, and which bucket a number falls into.
#include "record/beam/process_categories.h"

#include "capture/beam/term_copy.h"
#include "test.h"

#include <stdio.h>

static struct process_names *names;
static struct frame frames[PROCESS_CATEGORY_CNT];
static bool unknown;

static size_t atom(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return term >> 6 == 99
               ? 0
               : (size_t)snprintf(text, text_bytes, "atom%llu", (unsigned long long)term >> 6);
}

static uint32_t number(void *context, uint64_t pid_term)
{
    (void)context;
    return (uint32_t)pid_term;
}

static size_t pid_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return (size_t)snprintf(text, text_bytes, "<0.%llu.0>", (unsigned long long)term >> 4);
}

static void open_names(void)
{
    const struct term_texts texts = {NULL, atom, number, pid_text};
    names = process_names_create(&texts, 1 << 20);
    CHECK(names != NULL);
    unknown = false;
}

#define ATOM(n) ((uint64_t)(n) << 6 | 0x0B)
static const uint64_t LABEL[] = {TERM_COPY_TUPLE | 2 << TERM_COPY_COUNT_SHIFT, ATOM(1),
                                 7 << 4 | 15};
static const uint64_t ANCESTORS[PROCESS_ANCESTORS] = {ATOM(4), 3 << 4 | 3};

static struct process_category_facts some_facts(void)
{
    return (struct process_category_facts){
        .name = ATOM(7),
        .initial = {ATOM(1), ATOM(2), 3},
        .status = TEXT("running"),
        .is_process = true,
        .memory_bytes = 25 << 20,
        .mailbox_len = 431,
        .state_flags = 1 << 2, // high
        .scheduler = "dirty_cpu",
        .scheduler_no = 4,
        .node = TEXT("shop@host"),
        .label = LABEL,
        .label_cnt = 3,
        .parent = 5 << 4 | 3,
        .ancestors = ANCESTORS,
        .application = ATOM(6),
    };
}

static const char *frame_of(enum process_category category, struct process_category_facts facts)
{
    static char text[256];
    const struct process_category_order order = {{category}, 1};
    if (process_categories_frames(&order, &facts, names, frames, &unknown) == 0) {
        return "none";
    }
    snprintf(text, sizeof text, "%.*s", (int)frames[0].name.len, frames[0].name.bytes);
    return text;
}

TEST(each_category_has_its_frame)
{
    static const char *const wanted[PROCESS_CATEGORY_CNT] = {"{atom1:atom2/3}",
                                                             "{registered atom7}",
                                                             "{status running}",
                                                             "{memory 10s MiB}",
                                                             "{mailbox 100s}",
                                                             "{priority high}",
                                                             "{dirty_cpu 4}",
                                                             "{node shop@host}",
                                                             "{label {atom1,7}}",
                                                             "{parent atom4}",
                                                             "{ancestors <0.3.0>/atom4}",
                                                             "{application atom6}"};
    open_names();
    for (int i = 0; i < PROCESS_CATEGORY_CNT; i++) {
        CHECK_STR(frame_of((enum process_category)i, some_facts()), wanted[i]);
    }
    CHECK(!unknown);
    process_names_destroy(names);
}

TEST(what_is_not_known_leaves_no_frame)
{
    const struct process_category_facts nothing = {0};
    struct process_category_facts unnamed = some_facts();
    open_names();
    for (int i = 0; i < PROCESS_CATEGORY_CNT; i++) {
        CHECK_STR(frame_of((enum process_category)i, nothing), "none");
    }
    CHECK(!unknown);
    unnamed.name = ATOM(99); // an atom that has no text yet
    CHECK_STR(frame_of(CATEGORY_REGISTERED_NAME, unnamed), "none");
    CHECK(unknown);
    unknown = false;
    const uint64_t label = ATOM(99);
    unnamed.label = &label;
    unnamed.label_cnt = 1;
    CHECK_STR(frame_of(CATEGORY_LABEL, unnamed), "none");
    CHECK(unknown);
    process_names_destroy(names);
}

TEST(a_parent_without_a_name_is_a_pid)
{
    struct process_category_facts facts = some_facts();
    open_names();
    facts.ancestors = NULL;
    CHECK_STR(frame_of(CATEGORY_PARENT, facts), "{parent <0.5.0>}");
    CHECK_STR(frame_of(CATEGORY_ANCESTORS, facts), "none");
    process_names_destroy(names);
}

TEST(the_first_is_the_outermost)
{
    const struct process_category_order order = {
        {CATEGORY_NODE, CATEGORY_STATUS, CATEGORY_INITIAL_CALL}, 3};
    struct process_category_facts facts = some_facts();
    open_names();
    CHECK_UINT(process_categories_frames(&order, &facts, names, frames, &unknown), 3);
    CHECK(text_equal(frames[0].name, TEXT("{atom1:atom2/3}")));
    CHECK(text_equal(frames[1].name, TEXT("{status running}")));
    CHECK(text_equal(frames[2].name, TEXT("{node shop@host}")));
    process_names_destroy(names);
}

static void check_buckets(int64_t value, const char *memory, const char *mailbox)
{
    struct process_category_facts facts = some_facts();
    facts.memory_bytes = value;
    facts.mailbox_len = value;
    CHECK_STR(frame_of(CATEGORY_MEMORY, facts), memory);
    CHECK_STR(frame_of(CATEGORY_MAILBOX, facts), mailbox);
}

TEST(numbers_fall_into_decades)
{
    open_names();
    check_buckets(-1, "{memory 0 B}", "{mailbox 0}");
    check_buckets(0, "{memory 0 B}", "{mailbox 0}");
    check_buckets(1, "{memory 1s B}", "{mailbox 1s}");
    check_buckets(9, "{memory 1s B}", "{mailbox 1s}");
    check_buckets(10, "{memory 10s B}", "{mailbox 10s}");
    check_buckets(999, "{memory 100s B}", "{mailbox 100s}");
    check_buckets(1023, "{memory 100s B}", "{mailbox 1000s}");
    check_buckets(1024, "{memory 1s KiB}", "{mailbox 1000s}");
    check_buckets(1048575, "{memory 100s KiB}", "{mailbox 1000000s}");
    check_buckets(1048576, "{memory 1s MiB}", "{mailbox 1000000s}");
    check_buckets(INT64_MAX, "{memory 100s TiB}", "{mailbox 1000000000000000000s}");
    process_names_destroy(names);
}

TEST(names_are_those_of_the_option)
{
    enum process_category category;
    for (int i = 0; i < PROCESS_CATEGORY_CNT; i++) {
        CHECK(process_category_parse(process_category_name((enum process_category)i), &category));
        CHECK_INT(category, i);
    }
    CHECK(!process_category_parse("colour", &category));
    CHECK(process_category_name(PROCESS_CATEGORY_CNT) == NULL);
}
