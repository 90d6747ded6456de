// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/guarded_read.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static _Atomic uint64_t fault_cnt;

#if defined(__x86_64__) && defined(__linux__)

// The loads that may fault are between begin and end; a loop of vector loads, as
// `rep movsq` takes longer to get going than most of our copies last. On a fault the
// handler moves the PC to `fail`, which returns 1 to the caller.
int guarded_read_copy(void *to, const void *from, size_t word_cnt);
extern const char guarded_read_copy_begin[];
extern const char guarded_read_copy_end[];
extern const char guarded_read_copy_fail[];

__asm__(".text\n"
        ".globl guarded_read_copy\n"
        ".hidden guarded_read_copy\n"
        ".type guarded_read_copy,@function\n"
        "guarded_read_copy:\n"
        "  mov %rdx, %rcx\n"
        "  shr $2, %rcx\n" // blocks of four words
        "  and $3, %edx\n" // and the words behind them
        ".globl guarded_read_copy_begin\n"
        ".hidden guarded_read_copy_begin\n"
        "guarded_read_copy_begin:\n"
        "  test %rcx, %rcx\n"
        "  jz 2f\n"
        "1:\n"
        "  movups (%rsi), %xmm0\n"
        "  movups 16(%rsi), %xmm1\n"
        "  movups %xmm0, (%rdi)\n"
        "  movups %xmm1, 16(%rdi)\n"
        "  add $32, %rsi\n"
        "  add $32, %rdi\n"
        "  dec %rcx\n"
        "  jnz 1b\n"
        "2:\n"
        "  test %edx, %edx\n"
        "  jz 4f\n"
        "3:\n"
        "  mov (%rsi), %rax\n"
        "  mov %rax, (%rdi)\n"
        "  add $8, %rsi\n"
        "  add $8, %rdi\n"
        "  dec %edx\n"
        "  jnz 3b\n"
        "4:\n"
        ".globl guarded_read_copy_end\n"
        ".hidden guarded_read_copy_end\n"
        "guarded_read_copy_end:\n"
        "  xor %eax, %eax\n"
        "  ret\n"
        ".globl guarded_read_copy_fail\n"
        ".hidden guarded_read_copy_fail\n"
        "guarded_read_copy_fail:\n"
        "  mov $1, %eax\n"
        "  ret\n"
        ".size guarded_read_copy, .-guarded_read_copy\n");

// SIG_DFL was there before (nothing else is replaced): put it back and return,
// so that the faulting instruction runs again and crashes as without us.
static void pass_on(int signal_number)
{
    struct sigaction fallback;
    memset(&fallback, 0, sizeof fallback);
    fallback.sa_handler = SIG_DFL;
    (void)sigaction(signal_number, &fallback, NULL);
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    if (info->si_code <= 0) {
        // Sent by somebody (kill -SEGV, for a core dump): nothing would fault again.
        pass_on(signal_number);
        (void)syscall(SYS_tgkill, getpid(), gettid(), signal_number);
        return;
    }
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t pc = (uintptr_t)registers[REG_RIP];
    if (pc < (uintptr_t)guarded_read_copy_begin || pc >= (uintptr_t)guarded_read_copy_end) {
        pass_on(signal_number);
        return;
    }
    atomic_fetch_add_explicit(&fault_cnt, 1, memory_order_relaxed);
    registers[REG_RIP] = (greg_t)(uintptr_t)guarded_read_copy_fail;
}

bool guarded_read_words(void *to, uint64_t address, size_t word_cnt)
{
    return guarded_read_copy(to, (const void *)(uintptr_t)address, word_cnt) == 0;
}

enum handler_owner { OWNER_NOBODY, OWNER_US, OWNER_OTHER };

static enum handler_owner owner_of(int signal_number)
{
    struct sigaction now;
    memset(&now, 0, sizeof now);
    if (sigaction(signal_number, NULL, &now) != 0) {
        return OWNER_OTHER;
    }
    if ((now.sa_flags & SA_SIGINFO) != 0) {
        return now.sa_sigaction == on_fault ? OWNER_US : OWNER_OTHER;
    }
    return now.sa_handler == SIG_DFL ? OWNER_NOBODY : OWNER_OTHER;
}

static bool install_on(int signal_number)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    // ONSTACK: a crash on an Erlang scheduler would else push the frame onto the
    // Erlang stack. NODEFER: a fault inside a guarded copy made by another
    // handler must still be delivered.
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    return sigaction(signal_number, &ours, NULL) == 0;
}

static void remove_from(int signal_number)
{
    if (owner_of(signal_number) == OWNER_US) {
        pass_on(signal_number);
    }
}

enum guard_state guarded_read_state(void)
{
    enum handler_owner segv = owner_of(SIGSEGV);
    enum handler_owner bus = owner_of(SIGBUS);
    if (segv == OWNER_US && bus == OWNER_US) {
        return GUARD_INSTALLED;
    }
    return segv == OWNER_OTHER || bus == OWNER_OTHER ? GUARD_FOREIGN : GUARD_OFF;
}

static unsigned user_cnt;

enum guard_state guarded_read_install(void)
{
    if (guarded_read_state() == GUARD_FOREIGN) {
        return GUARD_FOREIGN;
    }
    if (!install_on(SIGSEGV) || !install_on(SIGBUS)) {
        remove_from(SIGSEGV);
        return GUARD_OFF;
    }
    user_cnt++;
    return GUARD_INSTALLED;
}

void guarded_read_uninstall(void)
{
    if (user_cnt == 0 || --user_cnt > 0) {
        return;
    }
    remove_from(SIGSEGV);
    remove_from(SIGBUS);
}

#else

enum guard_state guarded_read_install(void)
{
    return GUARD_UNSUPPORTED;
}

void guarded_read_uninstall(void)
{
}

enum guard_state guarded_read_state(void)
{
    return GUARD_UNSUPPORTED;
}

bool guarded_read_words(void *to, uint64_t address, size_t word_cnt)
{
    (void)to;
    (void)address;
    (void)word_cnt;
    return false;
}

#endif

uint64_t guarded_read_fault_cnt(void)
{
    return atomic_load_explicit(&fault_cnt, memory_order_relaxed);
}
