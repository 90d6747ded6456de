// SPDX-License-Identifier: Apache-2.0
// Both ways to read give the same answers; each is refused, or left, when the
// system or somebody's fault handler stands in its way.
#include "capture/beam/memory_reader.h"

#include "capture/beam/guarded_read.h"
#include "child_process.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

static const enum reader_kind BOTH[] = {READER_GUARDED_LOAD, READER_PROCESS_VM_READV};
enum { BOTH_CNT = sizeof BOTH / sizeof BOTH[0] };

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static void *map_pages(size_t cnt, int protection)
{
    void *pages = mmap(NULL, cnt * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    return pages;
}

static void exit_42(int signal_number)
{
    (void)signal_number;
    _exit(42);
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static bool is_one_line(const struct error *err)
{
    return err->detail[0] != '\0' && strchr(err->detail, '\n') == NULL;
}

static void open_reader(struct memory_reader *reader, enum reader_kind kind)
{
    struct error err = {0};
    if (!memory_reader_open(reader, kind, &err)) {
        TEST_FAIL("open: %s", err.detail);
    }
}

static bool reads_right(struct memory_reader *reader)
{
    uint64_t words[3] = {1, 2, 3};
    uint64_t to[3] = {0};
    return memory_reader_words(reader, address_of(words), to, 3) &&
           memcmp(words, to, sizeof to) == 0 && !memory_reader_words(reader, 8, to, 1);
}

TEST(both_readers_are_named_for_what_they_do)
{
    static const char *const NAMES[] = {"guarded_load", "process_vm_readv"};
    for (size_t i = 0; i < BOTH_CNT; i++) {
        struct memory_reader reader;
        open_reader(&reader, BOTH[i]);
        CHECK_INT(reader.kind, BOTH[i]);
        CHECK_STR(memory_reader_name(&reader), NAMES[i]);
        CHECK_UINT(reader.unreadable_cnt, 0); // its self test does not count
        CHECK(memory_reader_check(&reader));
        memory_reader_close(&reader);
        memory_reader_close(&reader);
    }
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

TEST(automatic_takes_guarded_loads)
{
    struct memory_reader reader;
    open_reader(&reader, READER_AUTO);
    CHECK_INT(reader.kind, READER_GUARDED_LOAD);
    CHECK(reads_right(&reader));
    memory_reader_close(&reader);
}

// Every pattern of holes in a small batch, and long ones.
TEST(a_hole_fails_alone)
{
    unsigned char *pages = map_pages(3, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < (size_t)3 * PAGE; i++) {
        pages[i] = (unsigned char)(i * 13);
    }
    static unsigned char copy[PAGE];
    memcpy(copy, pages, PAGE);
    CHECK(mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    const uint64_t bad[] = {0, address_of(pages + PAGE), address_of(pages + PAGE - 8), 1ULL << 63,
                            address_of(pages + PAGE + 4088)};
    for (size_t b = 0; b < BOTH_CNT; b++) {
        struct memory_reader reader;
        open_reader(&reader, BOTH[b]);
        uint64_t unreadable = 0;
        for (uint32_t pattern = 0; pattern < 256; pattern++) {
            uint64_t to[8][2];
            struct memory_read reads[8];
            size_t good = 0;
            memset(to, 0xEE, sizeof to);
            for (size_t i = 0; i < 8; i++) {
                bool hole = (pattern >> i & 1) != 0;
                reads[i] = (struct memory_read){
                    hole ? bad[(pattern + i) % 5] : address_of(pages + i * 40 + 3), to[i], 2, hole};
                good += !hole;
            }
            CHECK_UINT(memory_reader_batch(&reader, reads, 8), good);
            for (size_t i = 0; i < 8; i++) {
                CHECK_INT(reads[i].ok, (pattern >> i & 1) == 0);
                if (reads[i].ok) {
                    CHECK_MEM(to[i], copy + i * 40 + 3, 16);
                }
            }
            unreadable += 8 - good;
        }
        CHECK_UINT(reader.unreadable_cnt, unreadable);
        memory_reader_close(&reader);
    }
    munmap(pages, (size_t)3 * PAGE);
}

TEST(a_full_batch_and_an_empty_one)
{
    uint64_t from[MEMORY_READER_MAX_BATCH];
    uint64_t to[MEMORY_READER_MAX_BATCH];
    struct memory_read reads[MEMORY_READER_MAX_BATCH];
    for (size_t b = 0; b < BOTH_CNT; b++) {
        struct memory_reader reader;
        open_reader(&reader, BOTH[b]);
        CHECK_UINT(memory_reader_batch(&reader, reads, 0), 0);
        for (int holes = 0; holes < 3; holes++) { // none, every second, all
            size_t good = 0;
            for (size_t i = 0; i < MEMORY_READER_MAX_BATCH; i++) {
                bool hole = holes == 2 || (holes == 1 && i % 2 == 1);
                from[i] = i * i + 1;
                to[i] = 0;
                reads[i] =
                    (struct memory_read){hole ? 4096 : address_of(&from[i]), &to[i], 1, false};
                good += !hole;
            }
            CHECK_UINT(memory_reader_batch(&reader, reads, MEMORY_READER_MAX_BATCH), good);
            for (size_t i = 0; i < MEMORY_READER_MAX_BATCH; i++) {
                CHECK(reads[i].ok == (reads[i].address != 4096));
                CHECK(!reads[i].ok || to[i] == from[i]);
            }
        }
        memory_reader_close(&reader);
    }
}

TEST(readers_may_be_open_side_by_side)
{
    struct memory_reader first;
    struct memory_reader second;
    open_reader(&first, READER_GUARDED_LOAD);
    open_reader(&second, READER_GUARDED_LOAD);
    memory_reader_close(&first);
    CHECK(memory_reader_check(&second));
    CHECK(reads_right(&second));
    memory_reader_close(&second);
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

// ---- beside somebody else's handler -------------------------------------------------

static void start_beside_a_handler(void)
{
    struct memory_reader reader;
    struct error err = {0};
    set_handler(exit_42);
    CHECK(!memory_reader_open(&reader, READER_GUARDED_LOAD, &err));
    CHECK_INT(err.code, ERROR_UNSUPPORTED);
    CHECK_HAS(err.detail, "another library");
    CHECK(is_one_line(&err));
    memset(&err, 0, sizeof err);
    CHECK(memory_reader_open(&reader, READER_AUTO, &err));
    CHECK_INT(err.code, ERROR_NONE);
    CHECK_INT(reader.kind, READER_PROCESS_VM_READV);
    CHECK(reads_right(&reader));
    memory_reader_close(&reader);
    raise(SIGSEGV);
}

TEST(beside_a_fault_handler_the_automatic_reader_asks_the_kernel)
{
    int status = child_run(start_beside_a_handler);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
}

static void meet_a_handler_later(void)
{
    struct memory_reader fixed;
    struct memory_reader automatic;
    open_reader(&fixed, READER_GUARDED_LOAD);
    open_reader(&automatic, READER_AUTO);
    set_handler(exit_42);
    CHECK(!memory_reader_check(&fixed)); // reads nothing rather than crash
    CHECK(!memory_reader_check(&fixed));
    CHECK(memory_reader_check(&automatic));
    CHECK_INT(automatic.kind, READER_PROCESS_VM_READV);
    CHECK_STR(memory_reader_name(&automatic), "process_vm_readv");
    CHECK(reads_right(&automatic));
    memory_reader_close(&automatic);
    memory_reader_close(&fixed);
    CHECK_INT(guarded_read_state(), GUARD_FOREIGN); // theirs is still there
    raise(SIGSEGV);
}

TEST(a_fault_handler_that_comes_later_ends_guarded_loads)
{
    int status = child_run(meet_a_handler_later);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
}

static void meet_a_passing_handler(void)
{
    struct memory_reader fixed;
    struct sigaction ours;
    open_reader(&fixed, READER_GUARDED_LOAD);
    CHECK(sigaction(SIGSEGV, NULL, &ours) == 0);
    set_handler(exit_42);
    CHECK(!memory_reader_check(&fixed));
    CHECK(sigaction(SIGSEGV, &ours, NULL) == 0); // they put back what they found
    CHECK(memory_reader_check(&fixed));
    CHECK(reads_right(&fixed));
    memory_reader_close(&fixed);
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

TEST(a_fault_handler_that_goes_again_lets_reading_go_on)
{
    CHECK_CHILD_PASSES(meet_a_passing_handler);
}

// ---- under seccomp -----------------------------------------------------------------

static void refuse_readv(unsigned sys_errno)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | sys_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(77);
    }
}

#define CHECK_UNDER_SECCOMP(part)                                                                  \
    do {                                                                                           \
        int test_status = child_run(part);                                                         \
        if (WIFEXITED(test_status) && WEXITSTATUS(test_status) == 77)                              \
            TEST_SKIP("seccomp filters are not allowed here");                                     \
        CHECK_INT(test_status, 0);                                                                 \
    } while (0)

static void open_refused_readv(void)
{
    struct memory_reader reader;
    struct error err = {0};
    refuse_readv(EPERM);
    CHECK(!memory_reader_open(&reader, READER_PROCESS_VM_READV, &err));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK_INT(err.sys_errno, EPERM);
    CHECK_HAS(err.detail, "process_vm_readv");
    CHECK_HAS(err.detail, "seccomp");
    CHECK_HAS(err.detail, "Operation not permitted");
    CHECK(is_one_line(&err));
    memory_reader_close(&reader);
}

TEST(refused_process_vm_readv_says_so_in_one_line)
{
    CHECK_UNDER_SECCOMP(open_refused_readv);
}

static void open_missing_readv(void)
{
    struct memory_reader reader;
    struct error err = {0};
    refuse_readv(ENOSYS);
    CHECK(!memory_reader_open(&reader, READER_PROCESS_VM_READV, &err));
    CHECK_INT(err.code, ERROR_OS);
    CHECK_INT(err.sys_errno, ENOSYS);
    CHECK(is_one_line(&err));
}

TEST(missing_process_vm_readv_says_so_in_one_line)
{
    CHECK_UNDER_SECCOMP(open_missing_readv);
}

static void open_automatic_without_readv(void)
{
    struct memory_reader reader;
    struct error err = {0};
    refuse_readv(EPERM);
    CHECK(memory_reader_open(&reader, READER_AUTO, &err));
    CHECK_INT(err.code, ERROR_NONE);
    CHECK_INT(reader.kind, READER_GUARDED_LOAD);
    CHECK(memory_reader_check(&reader));
    CHECK(reads_right(&reader));
    memory_reader_close(&reader);
}

TEST(automatic_goes_on_with_guarded_loads_where_readv_is_refused)
{
    CHECK_UNDER_SECCOMP(open_automatic_without_readv);
}

static void have_neither(void)
{
    struct memory_reader reader;
    struct error err = {0};
    open_reader(&reader, READER_AUTO);
    refuse_readv(EPERM);
    set_handler(exit_42);
    CHECK(!memory_reader_check(&reader)); // no way left: reads nothing
    memory_reader_close(&reader);
    CHECK(!memory_reader_open(&reader, READER_AUTO, &err));
    CHECK_HAS(err.detail, "another library");
    CHECK_HAS(err.detail, "process_vm_readv");
    CHECK(is_one_line(&err));
}

TEST(with_neither_way_both_reasons_are_told)
{
    CHECK_UNDER_SECCOMP(have_neither);
}

static void fall_back_into_refusal_and_recover(void)
{
    struct memory_reader reader;
    struct sigaction ours;
    open_reader(&reader, READER_AUTO);
    CHECK(sigaction(SIGSEGV, NULL, &ours) == 0);
    refuse_readv(EPERM);
    set_handler(exit_42);
    CHECK(!memory_reader_check(&reader));
    CHECK(!memory_reader_check(&reader)); // not once refused, then taken for good
    CHECK(sigaction(SIGSEGV, &ours, NULL) == 0);
    CHECK(memory_reader_check(&reader));
    CHECK_INT(reader.kind, READER_GUARDED_LOAD);
    CHECK(reads_right(&reader));
    memory_reader_close(&reader);
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

TEST(a_refused_fall_back_stays_refused)
{
    CHECK_UNDER_SECCOMP(fall_back_into_refusal_and_recover);
}
