// SPDX-License-Identifier: Apache-2.0
// What a NIF of somebody else may do to us: compute without yielding, handle
// SIGSEGV, use signals and timers, and have the kernel refuse a system call.
#include <erl_nif.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

// spin(Ms): the longest that it was away from here, in microseconds.
static ERL_NIF_TERM spin(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    unsigned ms;
    if (argc != 1 || !enif_get_uint(env, argv[0], &ms)) {
        return enif_make_badarg(env);
    }
    uint64_t end_ns = now_ns() + ms * 1000000ULL;
    uint64_t longest_ns = 0;
    for (uint64_t last_ns = now_ns(); last_ns < end_ns;) {
        uint64_t ns = now_ns();
        longest_ns = ns - last_ns > longest_ns ? ns - last_ns : longest_ns;
        last_ns = ns;
    }
    return enif_make_uint64(env, longest_ns / 1000);
}

// The calling scheduler's CPU time.
static ERL_NIF_TERM thread_cpu_ns(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return enif_make_uint64(env, (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
}

// compute(Rounds): nothing but work.
static ERL_NIF_TERM compute(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    unsigned rounds;
    if (argc != 1 || !enif_get_uint(env, argv[0], &rounds)) {
        return enif_make_badarg(env);
    }
    uint64_t value = rounds;
    for (unsigned i = 0; i < rounds; i++) {
        value = value * 6364136223846793005ULL + 1442695040888963407ULL;
    }
    return enif_make_uint64(env, value >> 8);
}

// ---- a fault handler --------------------------------------------------------------

static _Atomic unsigned handled_cnt;
static char *page;
static struct sigaction before;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if ((char *)info->si_addr >= page && (char *)info->si_addr < page + 4096) {
        atomic_fetch_add(&handled_cnt, 1);
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
        return;
    }
    signal(signal_number, SIG_DFL);
}

static ERL_NIF_TERM take_faults(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &ours, &before);
    return enif_make_atom(env, "ok");
}

static ERL_NIF_TERM give_faults_back(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    sigaction(SIGSEGV, &before, NULL);
    return enif_make_atom(env, "ok");
}

// Faults once; how many its handler has seen.
static ERL_NIF_TERM fault(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    mprotect(page, 4096, PROT_NONE);
    *(volatile char *)page = 1;
    return enif_make_uint(env, atomic_load(&handled_cnt));
}

static ERL_NIF_TERM fault_handler(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    return enif_make_atom(env, now.sa_sigaction == on_fault ? "ours"
                               : !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL
                                   ? "default"
                                   : "other");
}

// ---- signals of its own -------------------------------------------------------------

static _Atomic unsigned long signal_cnt;
static timer_t own_timer;

static void on_signal(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&signal_cnt, 1);
}

// signals_on(Hz): SIGPROF by the process's CPU time, as profilers have it, and a real-time
// signal by the clock.
static ERL_NIF_TERM signals_on(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    unsigned hz;
    if (argc != 1 || !enif_get_uint(env, argv[0], &hz) || hz < 2 || hz > 100000) {
        return enif_make_badarg(env);
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGRTMAX, &action, NULL);
    struct itimerval prof = {{0, 1000000 / hz}, {0, 1000000 / hz}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX};
    struct itimerspec real = {{0, 1000000000 / hz}, {0, 1000000000 / hz}};
    bool on = setitimer(ITIMER_PROF, &prof, NULL) == 0 &&
              timer_create(CLOCK_MONOTONIC, &event, &own_timer) == 0 &&
              timer_settime(own_timer, 0, &real, NULL) == 0;
    return enif_make_atom(env, on ? "ok" : "refused");
}

// How many it has had since they were switched on. The handlers stay: some may be on their way.
static ERL_NIF_TERM signals_off(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &none, NULL);
    timer_delete(own_timer);
    return enif_make_uint64(env, atomic_exchange(&signal_cnt, 0));
}

// ---- seccomp ----------------------------------------------------------------------

// Every thread is refused process_vm_readv from now on.
static ERL_NIF_TERM refuse_readv(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void)argc;
    (void)argv;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        return enif_make_atom(env, errno == ENOSYS || errno == EINVAL ? "unsupported" : "refused");
    }
    return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {
    {"spin", 1, spin, 0},
    {"thread_cpu_ns", 0, thread_cpu_ns, 0},
    {"compute", 1, compute, 0},
    {"spin_dirty", 1, spin, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"take_faults", 0, take_faults, 0},
    {"give_faults_back", 0, give_faults_back, 0},
    {"fault", 0, fault, 0},
    {"fault_handler", 0, fault_handler, 0},
    {"refuse_readv", 0, refuse_readv, 0},
    {"signals_on", 1, signals_on, 0},
    {"signals_off", 0, signals_off, 0},
};

ERL_NIF_INIT(walker_test_nif, functions, NULL, NULL, NULL, NULL)
