// SPDX-License-Identifier: Apache-2.0
// The tables of this very program, and the walk over a copy of its own stack.
#include "capture/system/unwind_store.h"

#include "capture/system/process_files.h"
#include "capture/system/unwind_files.h"
#include "record/system/unwind_image.h"
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#define PID 4711
#define SPACE 0xffff888000000000ULL

static struct process_maps maps;
static struct unwind_code codes[64];
static uint32_t code_cnt;
static uint64_t frames[SYSTEM_MAX_FRAMES];
static uint64_t unread; // of the last walk

static void add_mapping(struct unwind_store *store, const struct process_mapping *mapping)
{
    struct elf_file file = {0};
    struct call_frame_table table;
    struct unwind_code *code = &codes[code_cnt++];
    int fd =
        process_files_open_mapping((uint32_t)getpid(), mapping, process_maps_path(&maps, mapping));
    *code = (struct unwind_code){.start = mapping->start, .end = mapping->end};
    if (fd < 0 || !elf_file_open(&file, fd, NULL)) {
        return;
    }
    if (unwind_image_frames(&file, &table)) {
        code->file = unwind_store_add_file(store, &table, 1);
        CHECK(
            unwind_image_address(file.segments, file.segment_cnt, mapping->offset, &code->address));
        call_frame_table_deinit(&table);
    }
    elf_file_close(&file);
}

static struct unwind_store *store_of_this_program(void)
{
    const struct unwind_beam_layout beam = {0};
    struct unwind_store *store = unwind_store_create(NULL, NULL);
    CHECK(store != NULL);
    code_cnt = 0;
    CHECK(process_maps_read(&maps, (uint32_t)getpid()) != PROCESS_MAPS_GONE);
    for (uint32_t i = 0; i < maps.cnt && i < 64; i++) {
        add_mapping(store, &maps.mappings[i]);
    }
    CHECK(unwind_store_set_process(store, PID, SPACE, codes, code_cnt, &beam, 1));
    return store;
}

enum { COPIED_WORDS = 256 };

// As it is, with what AddressSanitizer keeps between variables.
__attribute__((noinline, no_sanitize("address"))) static void copy_stack(uint64_t *to, uint64_t sp)
{
    const volatile uint64_t *from = (const volatile uint64_t *)(uintptr_t)sp; // NOLINT
    for (int i = 0; i < COPIED_WORDS; i++) {
        to[i] = from[i];
    }
}

// Walks from its caller's call of it.
__attribute__((noinline)) static void walk_from_here(struct unwind_store *store,
                                                     struct system_sample *sample)
{
    static uint64_t stack[COPIED_WORDS];
    struct system_snapshot snapshot = {0};
    uint64_t pc = 0;
    uint64_t sp = 0;
    uint64_t fp = 0;
    __asm__ volatile("lea 0(%%rip), %0\n mov %%rsp, %1\n mov %%rbp, %2"
                     : "=r"(pc), "=r"(sp), "=r"(fp));
    copy_stack(stack, sp);
    snapshot = (struct system_snapshot){
        .pc = pc,
        .sp = sp,
        .fp = fp,
        .stack = stack,
        .stack_bytes = sizeof stack,
    };
    *sample = (struct system_sample){
        .pid = PID, .address_space = SPACE, .snapshot = &snapshot, .frames = frames};
    unread = unwind_store_walk(store, sample, frames);
}

__attribute__((noinline)) static void middle(struct unwind_store *store,
                                             struct system_sample *sample)
{
    walk_from_here(store, sample);
    __asm__ volatile("");
}

TEST(a_copied_stack_is_walked_to_its_bottom)
{
    struct system_sample sample;
    struct unwind_store *store = store_of_this_program();
    middle(store, &sample);
    unwind_store_destroy(store);
    // walk_from_here, middle, this test, main, two of the C library, _start
    CHECK_INT(sample.stack_end, SYSTEM_STACK_COMPLETE);
    CHECK_UINT(sample.user_cnt, 7);
    CHECK(frames[1] > (uintptr_t)middle && frames[1] < (uintptr_t)middle + 64);
    CHECK(frames[3] > (uintptr_t)main && frames[3] < (uintptr_t)main + 2048);
    CHECK(sample.snapshot == NULL);
}

static struct unwind_code *code_at(uint64_t place)
{
    uint32_t i = 0;
    while (i + 1 < code_cnt && (place < codes[i].start || place >= codes[i].end)) {
        i++;
    }
    return &codes[i];
}

TEST(a_walk_ends_in_unread_code_until_that_is_read)
{
    const struct unwind_beam_layout beam = {0};
    struct system_sample sample;
    struct unwind_store *store = store_of_this_program();
    struct unwind_code *code = code_at((uintptr_t)middle);
    struct unwind_code read = *code;
    *code = (struct unwind_code){.start = read.start, .end = read.end, .is_unread = true};
    CHECK(unwind_store_set_process(store, PID, SPACE, codes, code_cnt, &beam, 1));
    middle(store, &sample);
    CHECK_INT(sample.stack_end, SYSTEM_STACK_NO_MAPPING);
    CHECK_UINT(sample.user_cnt, 1);
    CHECK(unread > (uintptr_t)walk_from_here && unread < (uintptr_t)walk_from_here + 512);
    CHECK(!unwind_store_set_code(store, PID, SPACE + 8, &read, 2));
    CHECK(unwind_store_set_code(store, PID, SPACE, &read, 2));
    CHECK(!unwind_store_set_code(store, PID, SPACE, &read, 2)); // nothing is unread
    middle(store, &sample);
    CHECK_INT(sample.stack_end, SYSTEM_STACK_COMPLETE);
    CHECK_UINT(sample.user_cnt, 7);
    CHECK_UINT(unread, 0);
    unwind_store_destroy(store);
}

// As the BPF program reads it; pages with an index are counted.
static uint32_t check_index(const struct unwind_memory *memory, const struct unwind_page *page)
{
    const struct unwind_row *rows =
        memory->shards[page->first / UNWIND_SHARD_ROWS] + page->first % UNWIND_SHARD_ROWS;
    if (page->row_cnt < UNWIND_INDEXED_ROWS) {
        return 0;
    }
    for (uint32_t block = 0; block < UNWIND_PAGE_BLOCKS; block++) {
        const struct unwind_row *pair = rows - UNWIND_INDEX_ROWS + block / 2;
        uint32_t at = block % 2 == 0 ? pair->low : pair->rule;
        CHECK(at < page->row_cnt);
        CHECK(rows[at].low <= block * UNWIND_BLOCK_BYTES);
        CHECK(at + 1 == page->row_cnt || rows[at + 1].low > block * UNWIND_BLOCK_BYTES);
    }
    return 1;
}

TEST(an_index_says_which_row_is_in_force)
{
    static struct unwind_memory memory;
    static struct unwind_files files;
    const struct unwind_map_fds heap = {-1, -1, -1, -1, -1, NULL};
    struct elf_file file;
    struct call_frame_table table;
    uint32_t index_cnt = 0;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && elf_file_open(&file, fd, NULL) && unwind_image_frames(&file, &table));
    CHECK(unwind_memory_init(&memory, &heap, NULL) && unwind_files_init(&files, &memory));
    const struct unwind_file *added = unwind_files_add(&files, &table);
    CHECK(added != NULL);
    for (uint32_t i = 0; i < added->page_cnt; i++) {
        index_cnt += check_index(&memory, &memory.pages[added->page_first + i]);
    }
    CHECK(index_cnt > 0);
    call_frame_table_deinit(&table);
    elf_file_close(&file);
    unwind_files_deinit(&files);
    unwind_memory_deinit(&memory);
}

// 600 frames of frame pointers alone.
TEST(a_copied_stack_that_is_deep_keeps_both_ends)
{
    enum { DEPTH = 600, BASE = 0x7000000 };
    static uint64_t stack[2 * DEPTH];
    struct unwind_store *store = unwind_store_create(NULL, NULL);
    for (uint64_t i = 0; i < DEPTH; i++) {
        stack[2 * i] = i + 1 == DEPTH ? 0 : BASE + 16 * (i + 1);
        stack[2 * i + 1] = 0x400000 + i + 1;
    }
    const struct system_snapshot snapshot = {
        .pc = 0x400000, .sp = BASE, .fp = BASE, .stack = stack, .stack_bytes = sizeof stack};
    struct system_sample sample = {
        .pid = PID, .address_space = SPACE, .snapshot = &snapshot, .frames = frames};
    unwind_store_walk(store, &sample, frames);
    unwind_store_destroy(store);
    CHECK_INT(sample.stack_end, SYSTEM_STACK_COMPLETE);
    CHECK_UINT(sample.user_cnt, 256);
    CHECK_UINT(sample.user_omitted, DEPTH + 1 - 256);
    CHECK_UINT(sample.user_omitted_at, 192);
    CHECK_UINT(frames[0], 0x400000);
    CHECK_UINT(frames[191], 0x400000 + 191);
    CHECK_UINT(frames[192], 0x400000 + DEPTH + 1 - 64);
    CHECK_UINT(frames[255], 0x400000 + DEPTH);
}

TEST(a_process_is_known_until_it_is_dropped_or_another_program)
{
    struct unwind_store *store = store_of_this_program();
    CHECK(unwind_store_use_process(store, PID, SPACE, 2));
    CHECK(!unwind_store_use_process(store, PID, SPACE + 8, 2));
    CHECK(!unwind_store_use_process(store, PID + 1, SPACE, 2));
    unwind_store_drop_process(store, PID);
    CHECK(!unwind_store_use_process(store, PID, SPACE, 2));
    CHECK_UINT(unwind_store_stats(store).process_cnt, 0);
    unwind_store_destroy(store);
}

TEST(processes_come_and_go_within_bounds)
{
    const struct unwind_beam_layout beam = {0};
    struct unwind_store *store = store_of_this_program();
    for (uint32_t pid = 1; pid < 20000; pid++) {
        CHECK(unwind_store_set_process(store, pid, SPACE + pid, codes, code_cnt, &beam, pid));
    }
    CHECK(unwind_store_stats(store).process_cnt <= 4096);
    CHECK(unwind_store_use_process(store, 19999, SPACE + 19999, 20000));
    CHECK(!unwind_store_use_process(store, 1, SPACE + 1, 20000));
    unwind_store_destroy(store);
}

// 128 shards of 65536 rows; the C library has 23,000 rows in one copy after another.
TEST(files_not_used_for_long_give_way)
{
    struct unwind_store *store = unwind_store_create(NULL, NULL);
    struct elf_file file = {0};
    struct call_frame_table table;
    Dl_info info;
    CHECK(dladdr((void *)(uintptr_t)malloc, &info) != 0);
    int fd = process_files_open_here(text_of(info.dli_fname), 0);
    if (fd < 0 || !elf_file_open(&file, fd, NULL) || !unwind_image_frames(&file, &table)) {
        TEST_SKIP("no C library with call frame information");
    }
    unwind_file_id first = unwind_store_add_file(store, &table, 1000000000ULL);
    unwind_file_id last = 0;
    CHECK(first != 0);
    for (uint64_t i = 2; i < 1000; i++) {
        last = unwind_store_add_file(store, &table, i * 1000000000ULL);
    }
    CHECK(last != 0 && unwind_store_has_file(store, last));
    CHECK(!unwind_store_has_file(store, first));
    struct unwind_store_stats stats = unwind_store_stats(store);
    CHECK(stats.evicted_cnt > 0);
    CHECK(stats.memory_bytes <= 33 << 20);
    // Those in use do not.
    for (uint64_t i = 0; i < 1000; i++) {
        (void)unwind_store_add_file(store, &table, 1000 * 1000000000ULL);
    }
    CHECK(unwind_store_stats(store).refused_cnt > 0);
    call_frame_table_deinit(&table);
    elf_file_close(&file);
    unwind_store_destroy(store);
}
