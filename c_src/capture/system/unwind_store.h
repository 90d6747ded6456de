// SPDX-License-Identifier: Apache-2.0
// The unwind tables of the files whose code is on the stacks of this host, and the
// mappings of the processes that have them: written here, read by the BPF program and
// by unwind_store_walk(). A file's table is kept once for all processes. Bounded: the
// least recently used files and processes go. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_UNWIND_STORE_H
#define FLAME_PROF_CAPTURE_SYSTEM_UNWIND_STORE_H

#include "base/error.h"
#include "capture/system/system_sample.h"
#include "unwind/call_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unwind_map_fds;
struct unwind_store;

// 0 is none. Stays unique after the file was dropped.
typedef uint32_t unwind_file_id;

// A piece of a process's code.
struct unwind_code {
    uint64_t start;
    uint64_t end;        // exclusive
    unwind_file_id file; // 0: without a table
    uint64_t address;    // what the file calls the place `start`
    bool is_erlang;      // made by the BEAM's JIT
    bool is_unread;      // of a file that may have a table: a walk ends here and says so
};

// Offsets in the BEAM's struct process; `stop` is 0 for other programs and for
// releases that are not known.
struct unwind_beam_layout {
    uint16_t stop;
    uint16_t heap;
    uint16_t htop;
};

struct unwind_store_stats {
    uint32_t file_cnt;
    uint32_t process_cnt;
    uint32_t rule_cnt;
    uint64_t row_cnt;       // of the files there are
    uint64_t malformed_cnt; // functions whose entry could not be read
    uint64_t refused_cnt;   // files and processes there was no room for
    uint64_t evicted_cnt;   // files that gave way to others
    size_t memory_bytes;
};

// NULL with the reason. `fds` are borrowed maps of the BPF program, NULL: heap only.
struct unwind_store *unwind_store_create(const struct unwind_map_fds *fds, struct error *err);
void unwind_store_destroy(struct unwind_store *store);

// Makes the table of a file. `table` may be gone afterwards. 0 when there is no room.
// `now_ns` is CLOCK_MONOTONIC.
unwind_file_id unwind_store_add_file(struct unwind_store *store,
                                     const struct call_frame_table *table, uint64_t now_ns);
bool unwind_store_has_file(const struct unwind_store *store, unwind_file_id id);

// Sets what a process has from now on; `code` is by rising address.
bool unwind_store_set_process(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                              const struct unwind_code *code, uint32_t code_cnt,
                              const struct unwind_beam_layout *beam, uint64_t now_ns);
// What was unread from `code->start` on has been read. False when nothing was, the process is
// not known or there is no room.
bool unwind_store_set_code(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                           const struct unwind_code *code, uint64_t now_ns);
void unwind_store_drop_process(struct unwind_store *store, uint32_t pid);
// Call for each sample: true when this process is known, which is then in use.
bool unwind_store_use_process(struct unwind_store *store, uint32_t pid, uint64_t address_space,
                              uint64_t now_ns);

// Walks the stack of a sample that has a copy of it (stack_end SYSTEM_STACK_SNAPSHOT),
// by the tables there are now: fills in user_cnt and the rest in place of the copy.
// `frames` has room for SYSTEM_MAX_FRAMES and holds the kernel's already. Returns the place
// in unread code at which it ended; 0 when it has come to another end.
uint64_t unwind_store_walk(struct unwind_store *store, struct system_sample *sample,
                           uint64_t *frames);

struct unwind_store_stats unwind_store_stats(const struct unwind_store *store);

#endif
