// SPDX-License-Identifier: Apache-2.0
// The text of /tmp/flame_prof-PID.layout (docs/layout-file.md), of which that is taken that
// names Erlang frames and schedulers. Anybody may have written it: nothing in it is believed
// here but that it is whole, see beam_layouts.h. Any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_LAYOUT_FILE_H
#define FLAME_PROF_RECORD_SYSTEM_LAYOUT_FILE_H

#include "base/text.h"
#include "record/system/beam_scheduler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LAYOUT_FILE_MAX_BYTES = 256 << 10,
    LAYOUT_FILE_MAX_SCHEDULERS = 1024, // that have a thread; more are passed over
    LAYOUT_FILE_MAX_BUILD_ID_BYTES = 64,
};

struct layout_scheduler {
    uint32_t tid; // in the node's pid namespace
    struct beam_scheduler is;
};

// What is not in the file is 0.
struct layout_file {
    uint32_t os_pid; // in the node's pid namespace
    uint64_t start_ticks;
    uint8_t build_id[LAYOUT_FILE_MAX_BUILD_ID_BYTES];
    uint32_t build_id_len;
    uint32_t erts_major;
    uint32_t slot_cnt;         // of the table of processes
    uint64_t code_list;        // address of the list of JIT code
    uint32_t stop, heap, htop; // offsets in a process
    struct layout_scheduler schedulers[LAYOUT_FILE_MAX_SCHEDULERS];
    uint32_t scheduler_cnt;
};

// False when it is of another version, not whole, or has a line that is none.
bool layout_file_parse(struct layout_file *layout, struct text text);

#endif
