// SPDX-License-Identifier: Apache-2.0
// What a process's stack reads like in the file: names, lines, what is left out.
#include "record/beam/process_stack.h"

#include "recorded_vm.h"

static const char *record_one(const struct beam_recording_options *options)
{
    start(options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 3);
    stop("complete");
    const char *text = only_file();
    end();
    return text;
}

TEST(frames_have_names_lines_and_categories)
{
    struct beam_recording_options options = options_for("frames");
    make_vm("27", 1);
    uint64_t *slots = fake_dictionary(&vm, 4);
    slots[1] = fake_initial_call(&vm, fake_atom(6), fake_atom(2), 3);
    fake_set(&vm, &processes[0], LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    fake_register(&vm, &processes[0], fake_atom(5));
    // Words 0, 2, .. 10 are addresses; each is looked up a byte before, but the one
    // where it goes on.
    CHECK_HAS(record_one(&options), "\n\t7f0000103e70 first:f250/0;251 (m.erl)\n"
                                    "\t7f0000100000 first:f0/0;1 (m.erl)\n"
                                    "\t7f0000100020 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100040 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100060 first:f2/0;3 (m.erl)\n"
                                    "\t7f0000100080 first:f2/0;3 (m.erl)\n"
                                    "\t7f00001000a0 first:f3/0;4 (m.erl)\n"
                                    "\t0 {registered my_name} (process)\n"
                                    "\t0 {Shop.start/3} (Shop.ex)\n\n");
}

TEST(recursion_is_flattened_when_asked)
{
    struct beam_recording_options options = options_for("flatten");
    options.flatten_recursive = true;
    make_vm("27", 1);
    CHECK_HAS(record_one(&options), "\n\t7f0000103e70 first:f250/0;251 (m.erl)\n"
                                    "\t7f0000100000 first:f0/0;1 (m.erl)\n"
                                    "\t7f0000100020 first:f1/0;2 (m.erl)\n"
                                    "\t7f0000100060 first:f2/0;3 (m.erl)\n"
                                    "\t7f00001000a0 first:f3/0;4 (m.erl)\n"
                                    "\t0 {proc:start/3} (proc.erl)\n\n");
}

TEST(a_deep_stack_says_how_much_is_missing)
{
    struct beam_recording_options options = options_for("deep");
    options.walker.max_frames = 9; // where it goes on, 6 of the leaf, 2 of the root
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 400, 100); // 50 addresses
    const char *text = record_one(&options);
    CHECK_HAS(text, "\n\t0 [42 frames omitted] (truncated)\n"
                    "\t7f0000100600 first:f24/0;25 (m.erl)\n"
                    "\t7f0000100620 first:f25/0;26 (m.erl)\n"
                    "\t0 {proc:start/3} (proc.erl)\n");
}

TEST(a_stack_cut_short_at_its_root_says_so)
{
    struct beam_recording_options options = options_for("cut");
    options.walker.max_frames = 4; // no room for the root
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 400, 100);
    CHECK_HAS(record_one(&options), "\t0 [47 frames omitted] (truncated)\n"
                                    "\t0 {proc:start/3} (proc.erl)\n");
}

TEST(a_stack_too_deep_to_be_read_whole_says_so)
{
    struct beam_recording_options options = options_for("too_deep");
    options.walker.max_frames = 500;
    make_vm("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 8000, 3000);
    CHECK_HAS(record_one(&options), "\n\t0 [frames omitted] (truncated)\n");
}

TEST(a_process_being_collected_has_its_status_for_a_stack)
{
    struct beam_recording_options options = options_for("collecting");
    make_vm("27", 1);
    fake_set(&vm, &processes[0], LAYOUT_STATE, FAKE_COLLECTING);
    const char *text = record_one(&options);
    CHECK_HAS(text, "\ngarbage_collecting ");
    CHECK_HAS(text, "\t0 [garbage collecting] (beam)\n");
}

TEST(code_loaded_meanwhile_is_named_by_its_time)
{
    struct beam_recording_options options = options_for("load");
    make_vm("27", 1);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 10);
    make_module(&module_files[1], CODE_BASE, "second"); // in place of the first
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    WAIT_UNTIL(now()->module_cnt == 1 && status.sample_cnt > 0);
    uint64_t before = now()->sample_cnt;
    WAIT_UNTIL(now()->sample_cnt >= before + 60);
    stop("complete");
    const char *text = only_file();
    const char *second = strstr(text, "second:f250/0");
    CHECK(strstr(text, "first:f250/0") != NULL && second != NULL);
    CHECK(strstr(second, "first:f250/0") == NULL); // never again
    end();
}
