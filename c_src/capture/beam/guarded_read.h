// SPDX-License-Identifier: Apache-2.0
// Copies memory that may vanish under the copy. A fault inside the copy routine
// becomes a false return; any other fault goes on to whoever had it before us,
// so that a real crash still dumps core as without us. The technique of
// HotSpot's SafeFetch.
//
// Async-signal-safe throughout: allocates, locks and logs nothing. Reads may run
// on any number of threads that have SIGSEGV and SIGBUS unblocked.
#ifndef FLAME_PROF_CAPTURE_BEAM_GUARDED_READ_H
#define FLAME_PROF_CAPTURE_BEAM_GUARDED_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guard_state {
    GUARD_OFF,
    GUARD_INSTALLED,
    GUARD_FOREIGN, // another library owns SIGSEGV or SIGBUS: do not read
    GUARD_UNSUPPORTED,
};

// Installs the handlers, only over SIG_DFL. Counted: each successful install
// needs one guarded_read_uninstall. Returns the state after the call. Control
// path, one thread at a time.
enum guard_state guarded_read_install(void);

// Puts SIG_DFL back once the last user is gone, if the handlers are still ours.
void guarded_read_uninstall(void);

// Asks the kernel whose handlers are installed (two system calls, about 0.6 us):
// call once per pass, before reading.
enum guard_state guarded_read_state(void);

// Copies `word_cnt` 8-byte words from `address` (any alignment) to `to`. False
// when a fault cut it short; `to` then holds garbage. Only while
// guarded_read_state() is GUARD_INSTALLED.
bool guarded_read_words(void *to, uint64_t address, size_t word_cnt);

// Faults turned into false since the process began.
uint64_t guarded_read_fault_cnt(void);

#endif
