// SPDX-License-Identifier: Apache-2.0
// The mappings of every process that was sampled, read while it lived and kept
// after its end, the least recently used ones forgotten at a limit. An exec
// makes another entry. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PROCESS_HISTORY_H
#define FLAME_PROF_CAPTURE_SYSTEM_PROCESS_HISTORY_H

#include "capture/system/process_maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process {
    uint32_t pid;
    uint64_t address_space;
    uint64_t sampled_ns; // CLOCK_MONOTONIC of its last sample
    uint64_t noted_ns;   // ... of the first note
    uint64_t read_ns;    // ... of the last reading
    uint64_t pause_ns;   // ... before the next
    uint64_t maps_id;    // of these mappings; no others ever have it; 0 = none were read
    uint64_t tables_id;  // the caller's own, 0 when new: the maps_id it made tables of
    bool is_gone;        // there was nothing to read, the last time
    struct process_maps maps;
};

// Its id as process_files.h takes it: 0 where there is nothing of it in /proc any more.
static inline uint32_t process_pid_here(const struct process *process)
{
    return process->is_gone ? 0 : process->pid;
}

struct process_history;

// `max_bytes` bounds the mappings of all processes together. NULL when out of
// memory.
struct process_history *process_history_create(size_t max_bytes, uint32_t max_processes);
// Who knows better than /proc/PID/maps what `pid` had mapped at `time_ns`, because it
// `is_gone` or has executed another program since: fills empty `maps`. With nothing, when
// all it knows is that they were others.
typedef bool (*process_maps_source)(void *context, uint32_t pid, uint64_t time_ns, bool is_gone,
                                    struct process_maps *maps);
void process_history_set_source(struct process_history *history, process_maps_source source,
                                void *context);
void process_history_destroy(struct process_history *history);

// Young processes still load libraries, and may be gone soon.
bool process_history_is_young(const struct process *process, uint64_t now_ns);

// Call when a sample of the time `sampled_ns` arrives, with `now_ns` of CLOCK_MONOTONIC:
// reads the mappings of a process not seen before. True when it was new. Kernel threads
// (address_space 0) are ignored.
bool process_history_note(struct process_history *history, uint32_t pid, uint64_t address_space,
                          uint64_t sampled_ns, uint64_t now_ns);

// NULL when the process is not known. Valid until the next note or refresh.
struct process *process_history_find(struct process_history *history, uint32_t pid,
                                     uint64_t address_space);

// Reads the mappings of `process` again, for an address that none of them holds
// (a library was loaded, or a stack led nowhere): soon while the process is young,
// less and less often while reading finds nothing new. It stays valid; its
// mappings and their paths do not.
void process_history_refresh(struct process_history *history, struct process *process,
                             uint64_t now_ns);

uint32_t process_history_count(const struct process_history *history);
size_t process_history_memory_bytes(const struct process_history *history);
// Processes that were gone, or not ours to see, when their mappings were wanted.
uint64_t process_history_unread(const struct process_history *history);

#endif
