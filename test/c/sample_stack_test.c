// SPDX-License-Identifier: Apache-2.0
// Whatever is known of a stack already, the file has the frames that naming all of it gives.
#include "record/system/sample_stack.h"

#include "base/clock.h"
#include "sinks/capture_sink.h"
#include "sinks/perf_script_sink.h"
#include "store/capture_reader.h"

#include "test.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SAMPLES = 3000, MAX_DEPTH = 256, PLACES = 12 };

static struct process_history *history;
static struct frame_names *names;
static struct known_stacks *known;
static struct event_output output;
static struct sample_stack stack;
static struct named_stack wanted;
static uint64_t places[PLACES];
static uint64_t frames[MAX_DEPTH];
static uint32_t depth;
static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void open_names(void)
{
    struct file_names_options options = {.max_symbol_bytes = 16 << 20};
    history = process_history_create(1 << 20, 4096);
    names = frame_names_create(&options, history, NULL, NULL);
    known = known_stacks_create();
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    for (uint32_t i = 0; i < PLACES - 2; i++) {
        places[i] = (uint64_t)(uintptr_t)chance + 16ULL * i;
    }
    places[PLACES - 2] = (uint64_t)(uintptr_t)code + 64;
    places[PLACES - 1] = 16; // nowhere
}

static void open_output(const struct sink *sink)
{
    static struct session session;
    struct error err = {0};
    struct recording_options options = {.sink = sink,
                                        .files = {.directory = test_dir(),
                                                  .stem = "x",
                                                  .suffix = sink->suffix,
                                                  .naming = FILE_NAMING_SINGLE}};
    session_init_system(&session);
    memset(&output, 0, sizeof output);
    if (!event_output_open(&output, SYSTEM_EVENT_CPU_CLOCK, 0, &session, &options, false, &err)) {
        TEST_FAIL("%s", err.detail);
    }
}

static void close_all(void)
{
    known_stacks_destroy(known);
    frame_names_destroy(names);
    process_history_destroy(history);
    event_output_destroy(&output);
}

static void begin_samples(void)
{
    seed = 1;
    depth = 0;
    for (uint32_t i = 0; i < MAX_DEPTH; i++) {
        frames[i] = places[i % (PLACES - 1)];
    }
}

// Like a program's: most of the stack before stays, some of its leaf changes.
static struct system_sample next_sample(uint32_t i)
{
    uint32_t changed = chance(4) == 0 ? chance(MAX_DEPTH) : chance(4);
    if (chance(10) == 0) {
        depth = chance(8) == 0 ? MAX_DEPTH : chance(40);
    }
    for (uint32_t k = 0; k < changed && k < MAX_DEPTH; k++) {
        frames[k] = places[chance(500) == 0 ? PLACES - 1 : chance(PLACES - 1)];
    }
    uint32_t omitted = depth == MAX_DEPTH ? 1 + chance(3) : 0;
    return (struct system_sample){
        .time_ns = 1000 + i,
        .weight = 1,
        .pid = (uint32_t)getpid(),
        .tid = (uint32_t)getpid(),
        .address_space = 0x1234,
        .comm = "test",
        .frames = frames,
        .user_cnt = depth,
        .user_omitted = omitted,
        .user_omitted_at = omitted > 0 ? 192 : 0,
    };
}

static void name_stack(const struct system_sample *sample, uint64_t now_ns)
{
    struct stack_hashes hashes = {0};
    known_stacks_hash(known, sample, &hashes);
    sample_stack_name(&stack, names, known, &output, sample, &hashes, now_ns);
}

static void write_next(uint32_t i, uint64_t now_ns)
{
    struct system_sample sample = next_sample(i);
    uint32_t frame_cnt;
    (void)process_history_note(history, sample.pid, sample.address_space, now_ns, now_ns);
    name_stack(&sample, now_ns);
    uint32_t unnamed_cnt = stack.unnamed_cnt;
    uint32_t all_cnt = stack.frame_cnt;
    const struct frame *left = sample_stack_frames(&stack, &frame_cnt);
    event_output_write(&output, &sample, stack.number, left, frame_cnt);
    frame_names_name(names, &sample, now_ns, &wanted);
    CHECK_UINT(all_cnt, wanted.frame_cnt);
    CHECK_UINT(unnamed_cnt, wanted.unnamed_cnt);
}

static void check_stack(const struct profile *profile, uint64_t row)
{
    stack_id id = profile->stack[row];
    for (uint32_t i = 0; i < wanted.frame_cnt; i++) {
        const struct profile_node *node = &profile->dictionary.nodes[id];
        const struct profile_frame *frame = &profile->dictionary.frames[node->frame];
        CHECK(id != 0);
        CHECK(text_equal(profile_text(profile, frame->name), wanted.frames[i].name));
        CHECK(text_equal(profile_text(profile, frame->file), wanted.frames[i].file));
        id = node->parent;
    }
    CHECK_UINT(id, 0);
}

TEST(a_file_has_the_frames_of_all_stacks)
{
    char path[256];
    struct error err = {0};
    uint64_t now_ns = clock_monotonic_ns();
    open_names();
    open_output(&CAPTURE_SINK);
    begin_samples();
    for (uint32_t i = 0; i < SAMPLES; i++) {
        write_next(i, now_ns + i * CLOCK_NS_PER_MS);
    }
    CHECK(event_output_close(&output, "complete", NULL));
    (void)snprintf(path, sizeof path, "%s/x.fpc", test_dir());
    struct profile *profile = capture_reader_open(path, 0, &err);
    if (profile == NULL) {
        TEST_FAIL("%s", err.detail);
    }
    CHECK_UINT(profile->row_cnt, SAMPLES);
    begin_samples(); // the same ones again
    for (uint32_t i = 0; i < SAMPLES; i++) {
        struct system_sample sample = next_sample(i);
        frame_names_name(names, &sample, now_ns + i * CLOCK_NS_PER_MS, &wanted);
        check_stack(profile, i);
    }
    profile_destroy(profile);
    close_all();
}

TEST(what_is_known_is_not_named_again)
{
    uint64_t now_ns = clock_monotonic_ns();
    open_names();
    open_output(&CAPTURE_SINK);
    struct system_sample sample = next_sample(0);
    for (uint32_t i = 0; i < 20; i++) {
        frames[i] = places[i % 10];
    }
    sample.user_cnt = 20;
    sample.user_omitted = 0;
    (void)process_history_note(history, sample.pid, sample.address_space, now_ns, now_ns);
    name_stack(&sample, now_ns);
    uint32_t number = stack.number;
    CHECK(number != 0);
    CHECK_UINT(stack.named.frame_cnt, 20);
    name_stack(&sample, now_ns);
    CHECK_UINT(stack.number, number);
    CHECK_UINT(stack.named.frame_cnt, 0);
    CHECK_UINT(stack.frame_cnt, 20);
    frames[0] = places[5];
    name_stack(&sample, now_ns);
    CHECK(stack.number != number);
    CHECK_UINT(stack.named.frame_cnt, 1);
    output.output.begun_cnt++; // another file has other numbers
    name_stack(&sample, now_ns);
    CHECK_UINT(stack.named.frame_cnt, 20);
    close_all();
}

TEST(text_has_no_numbers)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint32_t frame_cnt;
    open_names();
    open_output(&PERF_SCRIPT_SINK);
    struct system_sample sample = next_sample(0);
    sample.user_cnt = 5;
    sample.user_omitted = 0;
    for (int i = 0; i < 2; i++) {
        (void)process_history_note(history, sample.pid, sample.address_space, now_ns, now_ns);
        name_stack(&sample, now_ns);
        CHECK_UINT(stack.number, 0);
        CHECK(sample_stack_frames(&stack, &frame_cnt) == stack.named.frames);
        CHECK_UINT(frame_cnt, 5);
    }
    close_all();
}
