// SPDX-License-Identifier: Apache-2.0
// Registered names and initial calls as the golden text has them.
#include "record/beam/process_names.h"

#include "test.h"

static unsigned asked;

// Atom n is the n-th of these; pid p has number p / 16.
static const char *const ATOMS[] = {"",        "my_server", "init",   "Elixir.My.Mod",
                                    "Elixir.", "a b+c",     "erlang", "apply"};
enum { ATOM_CNT = sizeof ATOMS / sizeof ATOMS[0] };

static size_t atom_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    CHECK(context == &asked);
    asked++;
    if (term >= ATOM_CNT) {
        return 0;
    }
    snprintf(text, text_bytes, "%s", ATOMS[term]);
    return strlen(text);
}

static size_t pid_text(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return (size_t)snprintf(text, text_bytes, "<0.%llu.0>", (unsigned long long)term >> 4);
}

static uint32_t process_number(void *context, uint64_t pid_term)
{
    CHECK(context == &asked);
    asked++;
    return (uint32_t)(pid_term / 16);
}

static struct process_names *make_names(size_t max_bytes)
{
    const struct term_texts texts = {&asked, atom_text, process_number, pid_text};
    struct process_names *names = process_names_create(&texts, max_bytes);
    CHECK(names != NULL);
    asked = 0;
    return names;
}

static bool frame_is(const struct frame *frame, const char *name, const char *file)
{
    return text_equal(frame->name, text_of(name)) && text_equal(frame->file, text_of(file)) &&
           frame->address == 0 && frame->line == 0;
}

// The names of test/golden/perf_script.
TEST(categories_read_as_in_the_golden_text)
{
    struct process_names *names = make_names(1 << 20);
    struct frame frame;
    const uint64_t mine[3] = {1, 2, 1};
    const uint64_t elixir[3] = {3, 2, 1};
    const uint64_t apply[3] = {6, 7, 2};
    const uint64_t spaced[3] = {5, 2, 255};
    CHECK(process_names_registered(names, 1, &frame));
    CHECK(frame_is(&frame, "{registered my_server}", "process"));
    CHECK(process_names_initial(names, mine, &frame));
    CHECK(frame_is(&frame, "{my_server:init/1}", "my_server.erl"));
    CHECK(process_names_initial(names, elixir, &frame));
    CHECK(frame_is(&frame, "{My.Mod.init/1}", "My.Mod.ex"));
    CHECK(process_names_registered(names, 3, &frame));
    CHECK(frame_is(&frame, "{registered My.Mod}", "process"));
    CHECK(process_names_initial(names, apply, &frame));
    CHECK(frame_is(&frame, "{erlang:apply/2}", "erlang.erl"));
    CHECK(process_names_initial(names, spaced, &frame)); // the sink escapes
    CHECK(frame_is(&frame, "{a b+c:init/255}", "a b+c.erl"));
    CHECK(process_names_registered(names, 4, &frame)); // an atom of its own
    CHECK(frame_is(&frame, "{registered Elixir.}", "process"));
    process_names_destroy(names);
    process_names_destroy(NULL);
}

TEST(an_atom_without_a_text_has_no_frame_yet)
{
    struct process_names *names = make_names(1 << 20);
    struct frame frame;
    const uint64_t unknown_module[3] = {99, 2, 1};
    const uint64_t unknown_function[3] = {1, 99, 1};
    for (int i = 0; i < 2; i++) {
        CHECK(!process_names_registered(names, 99, &frame));
        CHECK(!process_names_initial(names, unknown_module, &frame));
        CHECK(!process_names_initial(names, unknown_function, &frame));
    }
    unsigned first = asked;
    CHECK(!process_names_registered(names, 99, &frame));
    CHECK(asked > first); // asked again: it may be known by now
    process_names_destroy(names);
}

TEST(texts_are_asked_for_once)
{
    struct process_names *names = make_names(1 << 20);
    struct frame frame;
    const uint64_t mine[3] = {1, 2, 1};
    CHECK(process_names_registered(names, 1, &frame));
    CHECK(process_names_initial(names, mine, &frame));
    CHECK_UINT(process_names_number(names, 160), 10);
    unsigned first = asked;
    for (int i = 0; i < 10; i++) {
        CHECK(process_names_registered(names, 1, &frame));
        CHECK(process_names_initial(names, mine, &frame));
        CHECK_UINT(process_names_number(names, 160), 10);
    }
    CHECK_UINT(asked, first);
    process_names_destroy(names);
}

TEST(numbers_of_many_processes_are_right)
{
    struct process_names *names = make_names(1 << 20);
    for (int round = 0; round < 2; round++) {
        for (uint64_t pid = 16; pid < 16 * 50000; pid += 16) { // more than are kept
            CHECK_UINT(process_names_number(names, pid), pid / 16);
        }
    }
    process_names_destroy(names);
}

TEST(texts_that_do_not_fit_are_no_frames)
{
    struct process_names *names = make_names(40);
    struct frame frame;
    const uint64_t mine[3] = {1, 2, 1};
    CHECK(process_names_registered(names, 1, &frame));
    CHECK(!process_names_initial(names, mine, &frame));
    CHECK(process_names_registered(names, 1, &frame));
    CHECK(frame_is(&frame, "{registered my_server}", "process"));
    process_names_destroy(names);
}
