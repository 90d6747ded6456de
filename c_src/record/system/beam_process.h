// SPDX-License-Identifier: Apache-2.0
// Tells Erlang VMs from other processes, and what the unwinder must know of one. Plain
// data; any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_PROCESS_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_PROCESS_H

#include "capture/system/process_history.h"
#include "capture/system/unwind_store.h"
#include "record/system/layout_file.h"

#include <stdbool.h>
#include <stdint.h>

struct beam_process {
    bool is_beam;
    uint32_t erts_major; // 13 is that of OTP 25; 0 = not known
    struct unwind_beam_layout layout;
};

// By the program it runs (beam.smp, of erts-VERSION).
struct beam_process beam_process_of(const struct process *process);

// The mapping of the VM's own code (beam.smp); NULL when it is no VM.
const struct process_mapping *beam_process_program(const struct process *process);

// Is this the code of the VM itself (beam.smp)?
bool beam_process_is_program(const struct process *process, const struct process_mapping *mapping);

// Did the JIT of this VM make the code in this mapping?
bool beam_process_made(const struct process *process, const struct process_mapping *mapping);

// How a pid term holds the number that is printed. From OTP 26 on the bits of the
// number are rotated within the size of the process table, a power of two
// (erl_ptab.h, erts_ptab_pixdata2data).
struct beam_pid_encoding {
    bool is_rotated;
    uint32_t table_bits;
};

// Asks the VM's command line for the size of the table (-P).
struct beam_pid_encoding beam_process_pid_encoding(const struct process *process);

// What the VM's layout file says of these: false where it does not.
bool beam_process_told_encoding(const struct layout_file *told, struct beam_pid_encoding *encoding);
bool beam_process_told_layout(const struct layout_file *told, struct unwind_beam_layout *layout);

// N of <0.N.0>.
uint32_t beam_process_number(const struct beam_pid_encoding *encoding, uint64_t pid_term);

#endif
