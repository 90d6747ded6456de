// SPDX-License-Identifier: Apache-2.0
// Where the VM keeps the data of its schedulers (ErtsSchedulerData): one array per
// kind, found by structure, without symbols. The arrays are never freed, so their
// words may be loaded plainly. Control path; constant once found.
//
// Offsets within an entry are the same in OTP 25, 27 and 29, its size is not:
// https://github.com/erlang/otp/blob/OTP-25.2.3/erts/emulator/beam/erl_process.h#L682
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_process.h#L685
#ifndef FLAME_PROF_CAPTURE_BEAM_SCHEDULER_TABLE_H
#define FLAME_PROF_CAPTURE_BEAM_SCHEDULER_TABLE_H

#include "base/error.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/vm_memory.h"

#include <stdbool.h>
#include <stdint.h>

enum scheduler_kind {
    SCHEDULER_NORMAL,
    SCHEDULER_DIRTY_CPU,
    SCHEDULER_DIRTY_IO,
    SCHEDULER_KIND_CNT
};

// Byte offsets in ErtsSchedulerData and in ErtsSchedulerSleepInfo.
enum {
    SCHEDULER_REGISTERS = 0, // ErtsSchedulerRegisters *: the base of the C stack below the JIT
    SCHEDULER_SLEEP_INFO = 160,
    SCHEDULER_CURRENT_PROCESS = 168,
    SCHEDULER_TYPE = 176,
    SCHEDULER_NO = 184,
    SCHEDULER_DIRTY_NO = 192,
    SCHEDULER_CURRENT_PORT = 224,
    SCHEDULER_RUN_QUEUE = 232,
    SLEEP_INFO_SCHEDULER = 0, // its scheduler: the entry that points to it
    SLEEP_INFO_FLAGS = 24,
};

// ERTS_SSI_FLG_*. WAITING: has nothing to run and waits for it, spinning or asleep.
// ASLEEP: in one of the ways to sleep, or about to.
enum { SLEEP_FLAG_WAITING = 1 << 3, SLEEP_FLAGS_ASLEEP = 7 };

struct scheduler_array {
    uint64_t first; // address of the entry with number 1
    uint32_t cnt;
};

struct scheduler_table {
    struct scheduler_array arrays[SCHEDULER_KIND_CNT];
    uint32_t entry_bytes;
};

// `wanted`: how many schedulers of each kind the VM says it has. `process`: the
// address of the calling process, which must be the current one of exactly one
// scheduler found, dirty schedulers included.
bool scheduler_table_find(struct scheduler_table *table, const struct vm_memory *memory,
                          struct memory_reader *reader, const uint32_t wanted[SCHEDULER_KIND_CNT],
                          uint64_t process, struct error *err);

// Address of the data of scheduler `no` (from 1).
uint64_t scheduler_table_entry(const struct scheduler_table *table, enum scheduler_kind kind,
                               uint32_t no);

// "normal", "dirty_cpu", "dirty_io"; static.
const char *scheduler_kind_name(enum scheduler_kind kind);

#endif
