// SPDX-License-Identifier: Apache-2.0
// A capture from start to finished files: it adds up, rotates, tells its losses, stops.
#include "record/beam/beam_recording.h"

#include "recorded_vm.h"

#include <pthread.h>

// ---- whole recordings ------------------------------------------------------------------

static void record_some(const char *release, enum reader_kind kind)
{
    char name[32];
    snprintf(name, sizeof name, "whole_%s_%d", release, kind);
    struct beam_recording_options options = options_for(name);
    options.walker.reader = kind;
    make_vm(release, 10);
    start(&options);
    CHECK_STR(now()->reader, kind == READER_PROCESS_VM_READV ? "process_vm_readv" : "guarded_load");
    CHECK(status.current_file[0] != '\0');
    for (int i = 0; i < 10; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->explicit_cnt == 10);
    uint64_t ticks_before = status.losses.ticks_taken;
    WAIT_UNTIL(now()->sample_cnt >= 300);
    CHECK_UINT(status.module_cnt, 1);
    CHECK(status.memory_bytes > 0);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(totals->files, 1);
    CHECK_UINT(status.finished_file_cnt, 1);
    CHECK_UINT(status.kept_file_cnt, 1);
    CHECK(file_exists(dir, status.files[0]));
    CHECK_UINT(status.bytes, file_size(dir, status.files[0]));
    for (int i = 1; i <= 10; i++) { // wall time, but for the text's microseconds
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    uint64_t ticks = number_after(only_file(), "\n# ticks_taken: ");
    CHECK(totals->samples + ticks_before >= ticks); // none is empty once the targets are there
    CHECK_HAS(only_file(), "\n# end: complete\n");
    CHECK_HAS(only_file(), "\n# reader: ");
    CHECK_UINT(status.losses.lost[LOSS_RING_FULL], 0);
    end();
}

TEST(a_recording_adds_up)
{
    record_some("25", READER_GUARDED_LOAD);
    record_some("27", READER_GUARDED_LOAD);
    record_some("27", READER_PROCESS_VM_READV);
}

TEST(a_stop_takes_less_than_a_second)
{
    struct beam_recording_options options = options_for("stop");
    options.walker.sample_interval_ns = 3600 * 1000 * MS;
    make_vm("27", 3);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    uint64_t took_ns = stop("owner process died");
    end();
    struct file_names names;
    list_files(dir, &names);
    CHECK_UINT(names.cnt, 0); // no sample, no file
    CHECK(took_ns < 1000 * MS);
}

TEST(the_first_reason_to_stop_is_told)
{
    struct beam_recording_options options = options_for("reason");
    make_vm("27", 3);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->sample_cnt >= 3);
    beam_recording_request_stop(recording, "owner process died");
    stop("complete");
    CHECK_HAS(only_file(), "\n# end: owner process died\n");
    CHECK(beam_recording_wait(recording, 0));
    end();
}

TEST(a_wait_ends_at_its_deadline)
{
    struct beam_recording_options options = options_for("deadline");
    make_vm("27", 1);
    start(&options);
    uint64_t begin_ns = clock_monotonic_ns();
    CHECK(!beam_recording_wait(recording, begin_ns + 20 * MS));
    CHECK(clock_monotonic_ns() >= begin_ns + 20 * MS);
    CHECK(!beam_recording_wait(recording, 0));
    stop("complete");
    end();
}

// ---- files, rotation, loss ----------------------------------------------------------------

TEST(files_rotate_and_the_last_are_listed)
{
    struct beam_recording_options options = options_for("rotate");
    options.output.max_file_bytes = 20000;
    make_vm("27", 20);
    start(&options);
    for (int i = 0; i < 20; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->finished_file_cnt >= 4);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->files, status.finished_file_cnt);
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(status.kept_file_cnt, totals->files);
    for (uint32_t i = 0; i < status.kept_file_cnt; i++) {
        CHECK(file_exists(dir, status.files[i]));
    }
    for (int i = 1; i <= 20; i++) { // across files, too
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    end();
}

TEST(a_full_ring_is_told_in_the_footer)
{
    struct beam_recording_options options = options_for("ring");
    options.walker.ring_bytes = 4096;
    options.walker.process_interval_ns = 1; // all of them at each tick
    make_vm("27", 100);
    start(&options);
    for (int i = 0; i < 100; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->losses.lost[LOSS_RING_FULL] >= 500 && status.sample_cnt >= 20);
    stop("complete");
    uint64_t lost = status.losses.lost[LOSS_RING_FULL];
    CHECK_UINT(number_after(only_file(), "\n# loss ring_full: "), lost);
    (void)read_files();
    end();
}

// A name that is not known is asked for at every sample: as slow as a slow disk.
static size_t atom_text_slowly(void *context, uint64_t term, char *text, size_t text_bytes)
{
    if (term == fake_atom(999)) {
        clock_sleep_until_ns(clock_monotonic_ns() + 3 * MS);
    }
    return atom_text(context, term, text, text_bytes);
}

TEST(a_writer_slower_than_the_walker_still_rotates_and_stops)
{
    static const struct term_texts SLOW_TEXTS = {NULL, atom_text_slowly, process_number, pid_text};
    struct beam_recording_options options = options_for("slow");
    struct error err = {0};
    options.walker.sample_interval_ns = MS;
    options.walker.ring_bytes = 16384;
    options.output.max_file_bytes = 4096;
    make_vm("27", 1);
    fake_register(&vm, &processes[0], fake_atom(999));
    recording = beam_recording_start(&vm.layout, &memory, &session, &SLOW_TEXTS, &options, &err);
    CHECK(recording != NULL);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(now()->losses.lost[LOSS_RING_FULL] >= 100);
    WAIT_UNTIL(now()->finished_file_cnt >= 3); // while the ring stays full
    (void)stop("complete"); // by its own deadline: a writer that catches up never would
    CHECK_UINT(read_files()->samples, status.sample_cnt);
    end();
}

static void *change_everything(void *context)
{
    _Atomic bool *stopping = context;
    static const uint32_t STATES[] = {FAKE_WAITING,    FAKE_RUNNABLE, FAKE_RUNNING,
                                      FAKE_COLLECTING, FAKE_EXITING,  FAKE_SUSPENDED};
    for (uint64_t turn = 1; !atomic_load(stopping); turn++) {
        const struct fake_process *process = &processes[turn % 50];
        fake_set(&vm, process, LAYOUT_REDS, turn);
        fake_set(&vm, process, LAYOUT_STATE, STATES[turn / 7 % 6]);
        fake_set(&vm, process, LAYOUT_STOP, fake_address(process->stack + turn % 5));
        if (turn % 11 == 0) { // somebody exits
            fake_set_slot(&vm, 1 + turn % 50, turn % 2 == 0 ? 0 : fake_address(process->bytes));
        }
        if (turn % 64 == 0) {
            clock_sleep_until_ns(clock_monotonic_ns() + MS / 10);
        }
    }
    return NULL;
}

TEST(a_lively_vm_is_recorded_and_all_of_it_counted)
{
    struct beam_recording_options options = options_for("lively");
    _Atomic bool stopping = false;
    pthread_t thread;
    options.walker.goals[0] = (struct selection_goal){SELECT_BY_REDUCTIONS, 20};
    options.walker.goal_cnt = 1;
    options.walker.sample_interval_ns = MS;
    options.output.files.compression = FILE_COMPRESSION_NONE;
    make_vm("27", 50);
    CHECK(pthread_create(&thread, NULL, change_everything, &stopping) == 0);
    start(&options);
    WAIT_UNTIL(now()->sample_cnt >= 500 && status.select_pass_cnt >= 2);
    make_module(&module_files[1], CODE_BASE + CODE_BYTES, "second");
    fake_code_list_add(&code, module_files[1].bytes, module_files[1].len);
    WAIT_UNTIL(now()->module_cnt == 2);
    stop("complete");
    atomic_store(&stopping, true);
    pthread_join(thread, NULL);
    const struct totals *totals = read_files();
    CHECK_UINT(totals->samples, status.sample_cnt);
    CHECK_UINT(status.losses.ticks_expected,
               status.losses.ticks_taken + status.losses.lost[LOSS_MISSED_TICK]);
    end();
}

TEST(a_status_filter_writes_only_that_status)
{
    struct beam_recording_options options = options_for("filter");
    make_vm("27", 2);
    fake_set(&vm, &processes[1], LAYOUT_STATE, FAKE_SUSPENDED);
    start(&options);
    watch(processes[0].id, PROCESS_SUSPENDED);
    watch(processes[1].id, PROCESS_SUSPENDED);
    WAIT_UNTIL(now()->sample_cnt >= 10);
    stop("complete");
    const struct totals *totals = read_files();
    CHECK_UINT(totals->by_process[1], 0);
    CHECK(totals->by_process[2] > 0);
    end();
}

TEST(a_stretched_capture_says_so_in_every_file)
{
    struct beam_recording_options options = options_for("stretched");
    options.output.max_file_bytes = 20000;
    make_vm("27", 10);
    start(&options);
    for (int i = 0; i < 10; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(now()->sample_cnt >= 10 && status.explicit_cnt == 10);
    CHECK_UINT(status.process_interval_ns, 20 * MS);
    beam_recording_stretch(recording, 300, "stretch 300 %");
    uint32_t before = now()->finished_file_cnt;
    WAIT_UNTIL(now()->finished_file_cnt >= before + 3);
    CHECK_UINT(status.process_interval_ns, 60 * MS);
    CHECK_UINT(status.sample_interval_ns, 6 * MS);
    stop("stopped at a limit");
    struct file_names names;
    list_files(dir, &names);
    unsigned told = 0;
    for (unsigned i = 0; i < names.cnt; i++) {
        told += strstr(file_text(dir, names.names[i]), "\n# governor: stretch 300 %\n") != NULL;
    }
    CHECK(told + before + 1 >= names.cnt); // all but those from before
    const struct totals *totals = read_files();
    for (int i = 1; i <= 10; i++) {
        uint64_t wall_ns = totals->last_ns[i] - totals->first_ns[i];
        CHECK(totals->by_process[i] + 2000 >= wall_ns && totals->by_process[i] <= wall_ns + 2000);
    }
    end();
}

// ---- starts that fail ---------------------------------------------------------------------

static void check_no_start(const struct beam_recording_options *options,
                           enum error_code code_wanted, const char *part)
{
    struct error err = {0};
    struct sigaction handler;
    CHECK(beam_recording_start(&vm.layout, &memory, &session, &TEXTS, options, &err) == NULL);
    CHECK_INT(err.code, code_wanted);
    CHECK_HAS(err.detail, part);
    CHECK_UINT(atomic_load(&done_cnt), 0);
    CHECK(sigaction(SIGSEGV, NULL, &handler) == 0);
    CHECK(handler.sa_handler == SIG_DFL);
}

TEST(a_start_that_fails_leaves_nothing)
{
    struct beam_recording_options options = options_for("plain_file");
    make_vm("27", 1);
    make_file(test_dir(), "plain_file", "in its place");
    check_no_start(&options, ERROR_OS, "Not a directory");
    options = options_for("bad_stem");
    options.output.files.stem = "a/b";
    check_no_start(&options, ERROR_BAD_ARGUMENT, "a/b");
    options = options_for("no_code");
    memory.range_cnt = 0;
    check_no_start(&options, ERROR_UNSUPPORTED, "JIT");
    memory.range_cnt = 1;
    code.entries[0].prev = 0x12340; // neither whole
    fake_code_list_add(&code, module_files[0].bytes, module_files[0].len);
    check_no_start(&options, ERROR_LAYOUT, "did not hold still");
    fake_vm_deinit(&vm);
}

TEST(starting_and_stopping_often_leaves_nothing)
{
    for (int i = 0; i < 20; i++) {
        struct beam_recording_options options = options_for("often");
        make_vm("27", 5);
        start(&options);
        watch(processes[0].id, TARGET_ANY_STATUS);
        stop("complete");
        end();
    }
    struct sigaction handler;
    CHECK(sigaction(SIGSEGV, NULL, &handler) == 0);
    CHECK(handler.sa_handler == SIG_DFL);
}
