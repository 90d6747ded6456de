// SPDX-License-Identifier: Apache-2.0
// Names in the Erlang VMs of this host: functions of JIT code, processes. Bounded: the
// VMs least recently seen are forgotten. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_NAMES_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_NAMES_H

#include "capture/system/process_history.h"
#include "record/system/beam_layouts.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct beam_names;

// `layouts` is borrowed. NULL when out of memory.
struct beam_names *beam_names_create(struct beam_layouts *layouts);
void beam_names_destroy(struct beam_names *names);

// Call for a sample with Erlang frames as soon as it is taken: learns what was loaded,
// at most every 50 ms. Returns the generation of the code that the sample is of; 0 when
// the VM's memory cannot be read, and perf maps must do.
uint32_t beam_names_note(struct beam_names *names, const struct process *process, uint64_t now_ns);

// Call then, before those frames are asked for: the code they are in is read, while it is
// there.
void beam_names_want(struct beam_names *names, const struct process *process,
                     const uint64_t *frames, uint32_t frame_cnt);

// What is at `address` of the code of `generation`. The location is valid until the next
// beam_names_note.
bool beam_names_find(struct beam_names *names, const struct process *process, uint64_t address,
                     uint32_t generation, struct code_location *location);

// N of <0.N.0>; `pid_term` is of a sample. Known only of VMs noted before.
bool beam_names_process_number(struct beam_names *names, const struct process *process,
                               uint64_t pid_term, uint32_t *number);

// VMs, by where their code was found.
struct beam_names_stats {
    uint32_t told_cnt;       // in their layout file
    uint32_t searched_cnt;   // in their memory
    uint32_t unreadable_cnt; // not at all: perf maps must do
};

struct beam_names_stats beam_names_stats(const struct beam_names *names);

#endif
