// SPDX-License-Identifier: Apache-2.0
// Finds the VM's process table without symbols: the one word in its static data
// that points to an array holding known processes in their known slots.
// Control path.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_TABLE_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_TABLE_H

#include "base/error.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/vm_memory.h"

#include <stddef.h>
#include <stdint.h>

struct known_process {
    uint64_t id;      // pid term
    uint64_t address; // of its struct process
};

// Sets layout->table_address; `pid_encoding` and `slot_cnt` must be set. At least
// two known processes; exactly one table must fit them all.
bool process_table_find(struct otp_layout *layout, const struct vm_memory *memory,
                        struct memory_reader *reader, const struct known_process *known,
                        size_t known_cnt, struct error *err);

#endif
