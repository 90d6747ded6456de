// SPDX-License-Identifier: Apache-2.0
// A read of memory that goes away is a value; everybody else's faults stay what
// they were.
#include "capture/beam/guarded_read.h"

#include "base/clock.h"
#include "child_process.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum { PAGE = 4096 };

static void set_handler(int signal_number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(signal_number, &action, NULL) == 0);
}

static void (*handler_of(int signal_number))(int)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    CHECK(sigaction(signal_number, NULL, &action) == 0);
    return action.sa_handler;
}

static void exit_42(int signal_number)
{
    (void)signal_number;
    _exit(42);
}

static void *map_pages(size_t cnt, int protection)
{
    void *pages = mmap(NULL, cnt * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    return pages;
}

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

// ---- reading ------------------------------------------------------------------

TEST(readable_words_are_copied_at_any_alignment)
{
    unsigned char from[256];
    uint64_t to[16];
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (unsigned char)(i * 7 + 1);
    }
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    for (size_t shift = 0; shift < 64; shift++) {
        for (size_t cnt = 1; cnt <= 16; cnt++) {
            memset(to, 0, sizeof to);
            CHECK(guarded_read_words(to, address_of(from + shift), cnt));
            CHECK_MEM(to, from + shift, cnt * 8);
            CHECK(cnt == 16 || to[cnt] == 0);
        }
    }
    guarded_read_uninstall();
}

TEST(no_words_are_read_from_anywhere)
{
    uint64_t to = 7;
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK(guarded_read_words(&to, 0, 0));
    CHECK_UINT(to, 7);
    guarded_read_uninstall();
}

TEST(addresses_that_cannot_be_are_refused)
{
    static const uint64_t ADDRESSES[] = {
        0,
        1,
        8,
        0xFFF,
        1ULL << 47,         // first that is not canonical
        0x8000000000000000, // none of anybody's
        0xFFFF7FFFFFFFFFF8, // last that is not canonical
        0xFFFF800000000000, // the kernel's
        0xFFFFFFFFFF600000, // vsyscall: executable, not readable, on most kernels
        0xFFFFFFFFFFFFFFF8, // the last word
        0xFFFFFFFFFFFFFFFF, // wraps
        0x0B0B0B0B0B0B0B0B, // what a term looks like
    };
    uint64_t to[4];
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    uint64_t faults = guarded_read_fault_cnt();
    size_t refused = 0;
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof ADDRESSES[0]; i++) {
        bool vsyscall = ADDRESSES[i] == 0xFFFFFFFFFF600000;
        bool ok = guarded_read_words(to, ADDRESSES[i], 4);
        CHECK(!ok || vsyscall);
        refused += !ok;
    }
    CHECK_UINT(guarded_read_fault_cnt() - faults, refused);
    guarded_read_uninstall();
}

TEST(a_read_that_runs_into_a_hole_is_refused)
{
    unsigned char *pages = map_pages(2, PROT_READ | PROT_WRITE);
    uint64_t to[8];
    memset(pages, 0x5A, PAGE);
    CHECK(mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK(guarded_read_words(to, address_of(pages + PAGE - 64), 8));
    for (size_t behind = 1; behind <= 64; behind++) {
        CHECK(!guarded_read_words(to, address_of(pages + PAGE - 64 + behind), 8));
    }
    guarded_read_uninstall();
    munmap(pages, 2 * PAGE);
}

TEST(a_file_cut_short_under_its_mapping_is_refused)
{
    char path[128];
    uint64_t to = 0;
    snprintf(path, sizeof path, "%s/cut", test_dir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
    void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(page != MAP_FAILED);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK(guarded_read_words(&to, address_of(page), 1));
    CHECK(ftruncate(fd, 0) == 0);
    uint64_t faults = guarded_read_fault_cnt();
    CHECK(!guarded_read_words(&to, address_of(page), 1)); // SIGBUS
    CHECK_UINT(guarded_read_fault_cnt() - faults, 1);
    guarded_read_uninstall();
    munmap(page, PAGE);
    close(fd);
}

// ---- a million faults -----------------------------------------------------------

enum {
    WANTED_FAULTS = UNDER_SANITIZER ? 100000 : 1000000, // each is slower there
    WANTED_SUCCESSES = 10000,
    DEADLINE_S = 200,
};

// A thread takes the page away until some reads failed, then gives it back until
// some went well: both ways are walked, however the threads are scheduled.
struct flipper {
    unsigned char *pages;
    _Atomic uint64_t successes;
    _Atomic bool stop;
};

static void wait_while(const struct flipper *flipper, uint64_t faults, uint64_t successes)
{
    while (!atomic_load(&flipper->stop) && guarded_read_fault_cnt() < faults &&
           atomic_load(&flipper->successes) < successes) {
    }
}

static void *flip(void *context)
{
    struct flipper *flipper = context;
    for (uint64_t round = 1; !atomic_load(&flipper->stop); round++) {
        mprotect(flipper->pages + PAGE, PAGE, PROT_NONE);
        wait_while(flipper, guarded_read_fault_cnt() + 400, UINT64_MAX);
        mprotect(flipper->pages + PAGE, PAGE, PROT_READ);
        if (round % 2 == 0) { // every other time it is back at once
            wait_while(flipper, UINT64_MAX, atomic_load(&flipper->successes) + 8);
        }
    }
    return NULL;
}

TEST(a_million_faults_are_values_and_no_success_is_torn)
{
    struct flipper flipper = {.pages = map_pages(2, PROT_READ | PROT_WRITE)};
    static unsigned char copy[2 * PAGE];
    uint64_t to[64];
    pthread_t thread;
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof copy; i++) {
        copy[i] = flipper.pages[i] = (unsigned char)(i * 31 + (i >> 8));
    }
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK(pthread_create(&thread, NULL, flip, &flipper) == 0);
    uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_S * (uint64_t)CLOCK_NS_PER_S;
    uint64_t begin = guarded_read_fault_cnt();
    uint64_t failures = 0;
    uint64_t torn = 0;
    uint64_t rounds = 0;
    while (failures < WANTED_FAULTS || atomic_load(&flipper.successes) < WANTED_SUCCESSES) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t cnt = 1 + (random >> 33) % 64;
        size_t at = PAGE - 256 + (random >> 40) % 512;
        to[cnt - 1] = ~0ULL;
        if (guarded_read_words(to, address_of(flipper.pages + at), cnt)) {
            atomic_fetch_add(&flipper.successes, at + cnt * 8 > PAGE);
            torn += memcmp(to, copy + at, cnt * 8) != 0;
        } else {
            failures++;
        }
        if (++rounds % 1024 == 0 && clock_monotonic_ns() > deadline_ns) {
            break;
        }
    }
    atomic_store(&flipper.stop, true);
    pthread_join(thread, NULL);
    uint64_t faults = guarded_read_fault_cnt() - begin;
    guarded_read_uninstall();
    munmap(flipper.pages, 2 * PAGE);
    CHECK_UINT(torn, 0);
    CHECK_UINT(faults, failures);
    CHECK(failures >= WANTED_FAULTS);
    CHECK(atomic_load(&flipper.successes) >= WANTED_SUCCESSES);
}

static void *fault_on_a_thread(void *context)
{
    uint64_t good = 0x1234;
    uint64_t to = 0;
    uintptr_t wrong = 0;
    for (int i = 0; i < 20000; i++) {
        wrong += guarded_read_words(&to, address_of(context), 1);
        wrong += !guarded_read_words(&to, address_of(&good), 1) || to != good;
    }
    return (void *)wrong;
}

TEST(threads_fault_at_the_same_time)
{
    void *hole = map_pages(1, PROT_NONE);
    pthread_t threads[4];
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    for (size_t i = 0; i < 4; i++) {
        CHECK(pthread_create(&threads[i], NULL, fault_on_a_thread, hole) == 0);
    }
    uintptr_t wrong = 0;
    for (size_t i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += (uintptr_t)result;
    }
    guarded_read_uninstall();
    munmap(hole, PAGE);
    CHECK_UINT(wrong, 0);
}

static volatile sig_atomic_t read_in_handler = -1;

static void read_a_hole(int signal_number)
{
    uint64_t to;
    (void)signal_number;
    read_in_handler = guarded_read_words(&to, 8, 1);
}

TEST(a_signal_handler_may_read)
{
    if (UNDER_THREAD_SANITIZER) {
        TEST_SKIP("ThreadSanitizer runs handlers with every signal blocked");
    }
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    set_handler(SIGUSR1, read_a_hole);
    CHECK(raise(SIGUSR1) == 0);
    set_handler(SIGUSR1, SIG_DFL);
    guarded_read_uninstall();
    CHECK_INT(read_in_handler, 0);
}

// ---- whose handlers -------------------------------------------------------------

TEST(installs_are_counted_and_the_last_one_leaves_the_default)
{
    CHECK_INT(guarded_read_state(), GUARD_OFF);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    guarded_read_uninstall();
    CHECK_INT(guarded_read_state(), GUARD_INSTALLED);
    guarded_read_uninstall();
    CHECK_INT(guarded_read_state(), GUARD_OFF);
    CHECK(handler_of(SIGSEGV) == SIG_DFL);
    CHECK(handler_of(SIGBUS) == SIG_DFL);
    guarded_read_uninstall(); // one too many
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

static void refuse_beside(int signal_number, void (*handler)(int))
{
    set_handler(signal_number, handler);
    enum guard_state state = guarded_read_install();
    void (*after)(int) = handler_of(signal_number);
    void (*other)(int) = handler_of(signal_number == SIGSEGV ? SIGBUS : SIGSEGV);
    guarded_read_uninstall();
    void (*at_end)(int) = handler_of(signal_number);
    set_handler(signal_number, SIG_DFL);
    CHECK_INT(state, GUARD_FOREIGN);
    CHECK(after == handler && at_end == handler);
    CHECK(other == SIG_DFL); // nothing was half installed
}

TEST(a_foreign_handler_is_never_replaced)
{
    refuse_beside(SIGSEGV, exit_42);
    refuse_beside(SIGBUS, exit_42);
    refuse_beside(SIGSEGV, SIG_IGN);
    refuse_beside(SIGBUS, SIG_IGN);
    CHECK_INT(guarded_read_state(), GUARD_OFF);
}

static int *volatile nowhere = (int *)8;

static void crash(void)
{
    *nowhere = 1;
}

static void crash_beside_a_later_handler(void)
{
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    set_handler(SIGSEGV, exit_42);
    CHECK_INT(guarded_read_state(), GUARD_FOREIGN);
    CHECK_INT(guarded_read_install(), GUARD_FOREIGN);
    guarded_read_uninstall();
    CHECK(handler_of(SIGSEGV) == exit_42);
    CHECK(handler_of(SIGBUS) == SIG_DFL);
    crash();
}

TEST(a_handler_installed_after_us_works_on_and_stays)
{
    int status = child_run(crash_beside_a_later_handler);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
}

// ---- crashes that are none of ours ------------------------------------------------

static void limit_core(rlim_t bytes)
{
    struct rlimit limit = {bytes, bytes};
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(chdir(test_dir()) == 0); // the core lands where it is removed
}

static void crash_without_core(void)
{
    limit_core(0);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    crash();
}

static void crash_with_core(void)
{
    limit_core(64 << 20);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    crash();
}

static void crash_without_us(void)
{
    limit_core(64 << 20);
    crash();
}

TEST(a_real_crash_dies_by_its_signal)
{
    int status = child_run(crash_without_core);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGSEGV);
    CHECK(!WCOREDUMP(status));
}

TEST(a_real_crash_dumps_core_as_without_us)
{
    if (UNDER_SANITIZER) {
        TEST_SKIP("a sanitizer's shadow memory does not fit into a core");
    }
    (void)test_dir();
    int without = child_run(crash_without_us);
    int with = child_run(crash_with_core);
    CHECK(WIFSIGNALED(without) && WIFSIGNALED(with));
    CHECK_INT(WTERMSIG(with), SIGSEGV);
    CHECK_INT(WCOREDUMP(with), WCOREDUMP(without));
}

static void crash_on_a_file_cut_short(void)
{
    limit_core(0);
    int fd = open("sigbus", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    volatile int *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK((const void *)page != MAP_FAILED);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    (void)page[0];
}

TEST(a_real_bus_error_dies_by_its_signal)
{
    (void)test_dir();
    CHECK_CHILD_DIES_BY(crash_on_a_file_cut_short, SIGBUS);
}

static void crash_after_uninstall(void)
{
    limit_core(0);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    guarded_read_uninstall();
    crash();
}

TEST(after_the_last_uninstall_a_crash_is_a_crash)
{
    (void)test_dir();
    CHECK_CHILD_DIES_BY(crash_after_uninstall, SIGSEGV);
}

// What kill -SEGV does: no instruction will fault again by itself.
static void be_sent_a_fault(int signal_number)
{
    limit_core(0);
    CHECK_INT(guarded_read_install(), GUARD_INSTALLED);
    CHECK(kill(getpid(), signal_number) == 0);
    TEST_FAIL("survived a signal that kills without us");
}

static void be_sent_segv(void)
{
    be_sent_a_fault(SIGSEGV);
}

static void be_sent_bus(void)
{
    be_sent_a_fault(SIGBUS);
}

TEST(a_fault_signal_sent_by_somebody_kills_as_without_us)
{
    (void)test_dir();
    CHECK_CHILD_DIES_BY(be_sent_segv, SIGSEGV);
    CHECK_CHILD_DIES_BY(be_sent_bus, SIGBUS);
}
