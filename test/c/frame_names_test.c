// SPDX-License-Identifier: Apache-2.0
// Names addresses of this very process, which is a process like any other.
#include "record/system/frame_names.h"

#include "base/clock.h"
#include "test.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

static struct named_stack stack;

__attribute__((noinline)) static int a_function_of_this_test(int x)
{
    return x * 3 + 1;
}

static struct system_sample sample_of(const uint64_t *frames, uint32_t kernel_cnt,
                                      uint32_t user_cnt)
{
    return (struct system_sample){
        .pid = (uint32_t)getpid(),
        .tid = (uint32_t)getpid(),
        .address_space = 0x1234,
        .kernel_cnt = kernel_cnt,
        .user_cnt = user_cnt,
        .frames = frames,
        .comm = "test",
    };
}

static void check_frame(uint32_t i, const char *name, const char *file_part)
{
    char file[4096];
    CHECK(i < stack.frame_cnt);
    CHECK(text_equal(stack.frames[i].name, text_of(name)));
    (void)snprintf(file, sizeof file, "%.*s", (int)stack.frames[i].file.len,
                   stack.frames[i].file.bytes);
    CHECK_HAS(file, file_part);
}

static struct process_history *history;

static struct frame_names *create(void)
{
    history = process_history_create(1 << 20, 4096);
    struct file_names_options options = {.max_symbol_bytes = 16 << 20};
    return frame_names_create(&options, history, NULL, NULL);
}

static void destroy(struct frame_names *names)
{
    frame_names_destroy(names);
    process_history_destroy(history);
}

static void note(struct frame_names *names, const struct system_sample *sample, uint64_t now_ns)
{
    (void)process_history_note(history, sample->pid, sample->address_space, now_ns, now_ns);
    frame_names_note(names, sample, now_ns, false);
}

static void name(struct frame_names *names, const struct system_sample *sample)
{
    note(names, sample, clock_monotonic_ns());
    frame_names_name(names, sample, clock_monotonic_ns(), &stack);
}

TEST(own_functions_and_libraries)
{
    struct frame_names *names = create();
    uint64_t frames[] = {
        (uint64_t)(uintptr_t)a_function_of_this_test,
        (uint64_t)(uintptr_t)a_function_of_this_test + 1, // a return address
        (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "getppid") + 1,
        16,
    };
    struct system_sample sample = sample_of(frames, 0, 4);
    name(names, &sample);
    CHECK_UINT(stack.frame_cnt, 4);
    check_frame(0, "a_function_of_this_test", "frame_names_test");
    check_frame(1, "a_function_of_this_test", "frame_names_test");
    check_frame(2, "getppid", "libc");
    check_frame(3, "[unknown]", "[unknown]");
    CHECK_UINT(stack.unnamed_cnt, 1);
    CHECK_UINT(stack.frames[1].address, frames[1]);
    CHECK_INT(a_function_of_this_test(1), 4);
    destroy(names);
}

// The second process has its own addresses and nothing of the first one but the files.
TEST(another_process_has_the_same_names)
{
    struct frame_names *names = create();
    uint64_t function = (uint64_t)(uintptr_t)a_function_of_this_test;
    uint64_t frames[] = {function, function + 1,
                         (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "getppid") + 1};
    struct system_sample sample = sample_of(frames, 0, 3);
    for (uint64_t space = 1; space <= 3; space++) {
        sample.address_space = space << 12;
        name(names, &sample);
        CHECK_UINT(stack.frame_cnt, 3);
        check_frame(0, "a_function_of_this_test", "frame_names_test");
        check_frame(1, "a_function_of_this_test", "frame_names_test");
        CHECK_UINT(stack.frames[0].address, frames[0]);
        CHECK_UINT(stack.frames[1].address, frames[1]);
        CHECK_UINT(stack.unnamed_cnt, 0);
    }
    destroy(names);
}

// A C++ name, in C.
__attribute__((noinline)) static int mangled(int x) __asm__("_ZN5shape4areaEv");
static int mangled(int x)
{
    return x * 5 + 1;
}

static const char *name_of_mangled(bool keeps_mangled)
{
    static char kept[64];
    struct file_names_options options = {.max_symbol_bytes = 16 << 20,
                                         .keeps_mangled = keeps_mangled};
    history = process_history_create(1 << 20, 4096);
    struct frame_names *names = frame_names_create(&options, history, NULL, NULL);
    uint64_t frame = (uint64_t)(uintptr_t)mangled;
    struct system_sample sample = sample_of(&frame, 0, 1);
    name(names, &sample);
    (void)snprintf(kept, sizeof kept, "%.*s", (int)stack.frames[0].name.len,
                   stack.frames[0].name.bytes);
    destroy(names);
    return kept;
}

TEST(cxx_names_are_readable_unless_unwanted)
{
    CHECK_INT(mangled(1), 6);
    CHECK_STR(name_of_mangled(false), "shape::area");
    CHECK_STR(name_of_mangled(true), "_ZN5shape4areaEv");
}

TEST(files_that_were_seen_are_told)
{
    struct frame_names *names = create();
    uint64_t frame = (uint64_t)(uintptr_t)a_function_of_this_test;
    struct system_sample sample = sample_of(&frame, 0, 1);
    const char *line = NULL;
    uint32_t told_cnt = 0;
    uint32_t told_elsewhere_cnt = 0;
    CHECK(!frame_names_next_file(names, &told_cnt, &line));
    name(names, &sample);
    CHECK(frame_names_next_file(names, &told_cnt, &line));
    CHECK_HAS(line, "/frame_names_test");
    CHECK(!frame_names_next_file(names, &told_cnt, &line));
    CHECK(frame_names_next_file(names, &told_elsewhere_cnt, &line));
    destroy(names);
}

TEST(omitted_frames_are_marked_where_they_are_missing)
{
    struct frame_names *names = create();
    uint64_t frames[] = {16, 16, 16};
    struct system_sample sample = sample_of(frames, 0, 3);
    sample.user_omitted = 500;
    sample.user_omitted_at = 2;
    name(names, &sample);
    CHECK_UINT(stack.frame_cnt, 4);
    check_frame(2, "[at least 256 frames omitted]", "truncated");
    CHECK_UINT(stack.frames[2].address, 0);
    destroy(names);
}

static void write_perf_map(const void *code)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    uint64_t at = (uint64_t)(uintptr_t)code;
    (void)fprintf(file, "%" PRIx64 " 100 generated by a test\n", at);
    (void)fprintf(file, "%" PRIx64 " 100 $lists:map/2-CodeInfoPrologue\n", at + 256);
    (void)fclose(file);
}

static void remove_perf_map(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
    (void)unlink(path);
}

TEST(generated_code_is_named_by_the_perf_map)
{
    struct frame_names *names = create();
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    write_perf_map(code);
    uint64_t at = (uint64_t)(uintptr_t)code;
    uint64_t frames[] = {at + 16, at + 256 + 16, at + 1024};
    struct system_sample sample = sample_of(frames, 0, 3);
    name(names, &sample);
    remove_perf_map();
    check_frame(0, "generated by a test", "/tmp/perf-");
    check_frame(1, "lists:map/2", "/tmp/perf-");
    check_frame(2, "[anonymous]", "[anonymous]");
    CHECK_INT(munmap(code, 4096), 0);
    destroy(names);
}

// As flame_prof:perf_map/1 does it.
TEST(a_perf_map_that_was_replaced_is_read_anew)
{
    struct frame_names *names = create();
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    write_perf_map(code);
    uint64_t at = (uint64_t)(uintptr_t)code + 256;
    struct system_sample sample = sample_of(&at, 0, 1);
    uint64_t now_ns = clock_monotonic_ns();
    note(names, &sample, now_ns);
    frame_names_name(names, &sample, now_ns, &stack);
    check_frame(0, "lists:map/2", "/tmp/perf-");
    remove_perf_map();
    write_perf_map((char *)code + 256);
    frame_names_name(names, &sample, now_ns + 2ULL * CLOCK_NS_PER_S, &stack);
    check_frame(0, "generated by a test", "/tmp/perf-");
    remove_perf_map(); // who has ended leaves the last one
    frame_names_name(names, &sample, now_ns + 4ULL * CLOCK_NS_PER_S, &stack);
    check_frame(0, "generated by a test", "/tmp/perf-");
    CHECK_INT(munmap(code, 4096), 0);
    destroy(names);
}

// Asked for after 1, 2, 4 and then each 8 s.
TEST(a_perf_map_that_comes_late_is_found)
{
    struct frame_names *names = create();
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    uint64_t at = (uint64_t)(uintptr_t)code + 16;
    struct system_sample sample = sample_of(&at, 0, 1);
    uint64_t now_ns = clock_monotonic_ns();
    note(names, &sample, now_ns);
    for (uint64_t s = 0; s <= 20; s++) {
        frame_names_name(names, &sample, now_ns + s * CLOCK_NS_PER_S + s, &stack);
        check_frame(0, "[anonymous]", "[anonymous]");
    }
    write_perf_map(code);
    frame_names_name(names, &sample, now_ns + 22ULL * CLOCK_NS_PER_S, &stack);
    check_frame(0, "[anonymous]", "[anonymous]"); // not asked that often
    frame_names_name(names, &sample, now_ns + 29ULL * CLOCK_NS_PER_S, &stack);
    check_frame(0, "generated by a test", "/tmp/perf-");
    remove_perf_map();
    CHECK_INT(munmap(code, 4096), 0);
    destroy(names);
}

TEST(below_a_signal_handler_the_place_itself_is_named)
{
    struct frame_names *names = create();
    uint64_t first = (uint64_t)(uintptr_t)a_function_of_this_test;
    uint64_t frames[] = {16, first | SYSTEM_FRAME_EXACT};
    struct system_sample sample = sample_of(frames, 0, 2);
    name(names, &sample);
    check_frame(1, "a_function_of_this_test", "frame_names_test");
    CHECK_UINT(stack.frames[1].address, first);
    destroy(names);
}

TEST(code_mapped_later_is_found_after_a_while)
{
    struct frame_names *names = create();
    uint64_t first = (uint64_t)(uintptr_t)a_function_of_this_test;
    struct system_sample sample = sample_of(&first, 0, 1);
    uint64_t now_ns = clock_monotonic_ns();
    note(names, &sample, now_ns);
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t later = (uint64_t)(uintptr_t)code + 16;
    sample.frames = &later;
    frame_names_name(names, &sample, now_ns + 1000, &stack); // not asked that often
    check_frame(0, "[unknown]", "[unknown]");
    frame_names_name(names, &sample, now_ns + CLOCK_NS_PER_S, &stack);
    check_frame(0, "[anonymous]", "[anonymous]");
    CHECK_INT(munmap(code, 4096), 0);
    destroy(names);
}

TEST(kernel_frames)
{
    struct frame_names *names = create();
    uint64_t frames[] = {0xffffffff00000000};
    struct system_sample sample = sample_of(frames, 1, 0);
    name(names, &sample);
    CHECK_UINT(stack.frame_cnt, 1);
    check_frame(0, "[kernel]", "[kernel.kallsyms]");
    destroy(names);
    frame_names_destroy(NULL);
}

static bool tell(void *context, uint64_t address, struct text *name)
{
    uint32_t *asked = context;
    ++*asked;
    *name = address == 0xffffffff81000010   ? TEXT("vfs_read")
            : address == 0xffffffffc0000010 ? TEXT("ext4_sync [ext4]")
                                            : TEXT("0xffffffffd0000000");
    return true;
}

TEST(kernel_frames_as_they_are_told)
{
    struct frame_names *names = create();
    uint64_t frames[] = {0xffffffff81000010, 0xffffffffc0000011, 0xffffffffd0000000};
    struct system_sample sample = sample_of(frames, 3, 0);
    uint32_t asked = 0;
    frame_names_set_kernel(names, &(struct kernel_teller){tell, &asked});
    name(names, &sample);
    check_frame(0, "vfs_read", "[kernel.kallsyms]");
    check_frame(1, "ext4_sync", "[ext4]"); // a return address is behind the call
    check_frame(2, "[kernel]", "[kernel.kallsyms]");
    CHECK_UINT(stack.unnamed_cnt, 1);
    name(names, &sample);
    CHECK_UINT(asked, 3); // each once
    destroy(names);
}

static bool tell_nothing(void *context, uint64_t address, struct text *name)
{
    (void)context, (void)address, (void)name;
    return false;
}

TEST(kernel_frames_where_nobody_tells)
{
    struct frame_names *names = create();
    uint64_t frames[] = {0xffffffff00000000};
    struct system_sample sample = sample_of(frames, 1, 0);
    frame_names_set_kernel(names, &(struct kernel_teller){tell_nothing, NULL});
    name(names, &sample);
    check_frame(0, "[kernel]", "[kernel.kallsyms]");
    destroy(names);
}

TEST(a_process_that_is_gone_has_unknown_frames)
{
    struct frame_names *names = create();
    uint64_t frames[] = {0x400000};
    struct system_sample sample = sample_of(frames, 0, 1);
    sample.pid = 0x7ffffff0;
    name(names, &sample);
    check_frame(0, "[unknown]", "[unknown]");
    CHECK_UINT(process_history_unread(history), 1);
    destroy(names);
}
