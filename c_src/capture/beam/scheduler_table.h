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
// ASLEEP: in one of the ways to sleep, or about to. KNOWN: all there are.
enum { SLEEP_FLAG_WAITING = 1 << 3, SLEEP_FLAGS_ASLEEP = 7, SLEEP_FLAGS_KNOWN = 0xFF };

// The same offsets as data, so that wrong ones can be tried.
#define SCHEDULER_FIELDS(X)                                                                        \
    X(SCHEDULER_FIELD_REGISTERS, "registers", SCHEDULER_REGISTERS)                                 \
    X(SCHEDULER_FIELD_SLEEP_INFO, "sleep_info", SCHEDULER_SLEEP_INFO)                              \
    X(SCHEDULER_FIELD_CURRENT_PROCESS, "current_process", SCHEDULER_CURRENT_PROCESS)               \
    X(SCHEDULER_FIELD_TYPE, "type", SCHEDULER_TYPE)                                                \
    X(SCHEDULER_FIELD_NO, "no", SCHEDULER_NO)                                                      \
    X(SCHEDULER_FIELD_DIRTY_NO, "dirty_no", SCHEDULER_DIRTY_NO)                                    \
    X(SCHEDULER_FIELD_CURRENT_PORT, "current_port", SCHEDULER_CURRENT_PORT)                        \
    X(SCHEDULER_FIELD_RUN_QUEUE, "run_queue", SCHEDULER_RUN_QUEUE)                                 \
    X(SCHEDULER_FIELD_SLEEP_SCHEDULER, "sleep_scheduler", SLEEP_INFO_SCHEDULER)                    \
    X(SCHEDULER_FIELD_SLEEP_FLAGS, "sleep_flags", SLEEP_INFO_FLAGS)

enum scheduler_field {
#define SCHEDULER_FIELD_ENUM(id, name, offset) id,
    SCHEDULER_FIELDS(SCHEDULER_FIELD_ENUM)
#undef SCHEDULER_FIELD_ENUM
        SCHEDULER_FIELD_CNT
};

struct scheduler_layout {
    uint32_t offset[SCHEDULER_FIELD_CNT]; // bytes
};

// What the enums above say, and what every reader of schedulers uses.
extern const struct scheduler_layout SCHEDULER_LAYOUT;

// Static, never NULL for a valid field.
const char *scheduler_field_name(enum scheduler_field field);

struct scheduler_array {
    uint64_t first; // address of the entry with number 1
    uint32_t cnt;
};

struct scheduler_table {
    struct scheduler_array arrays[SCHEDULER_KIND_CNT];
    uint32_t entry_bytes;
};

// What the VM is known to have; borrowed.
struct scheduler_search {
    const struct vm_memory *memory;
    struct memory_reader *reader;
    const struct scheduler_layout *layout; // SCHEDULER_LAYOUT, or what is to be refused
    uint32_t wanted[SCHEDULER_KIND_CNT];   // schedulers of each kind
    uint64_t process;                      // address of the calling process
    // Is this an address in JIT code?
    bool (*is_code)(const void *context, uint64_t address);
    const void *is_code_context;
};

// Finds the arrays, and proves every offset of the layout by what must be so: numbers
// and kinds; the caller is the current process of exactly one scheduler, which then runs
// no port and does not wait, while some other one does; sleep data leads back to its
// scheduler; each normal scheduler has a run queue of its own, dirty ones share theirs;
// below a normal scheduler's registers is an address in JIT code; what the struct has
// side by side is so. Takes up to
// half a second where no scheduler waits. False with the object that contradicts.
bool scheduler_table_find(struct scheduler_table *table, const struct scheduler_search *search,
                          struct error *err);

// Address of the data of scheduler `no` (from 1).
uint64_t scheduler_table_entry(const struct scheduler_table *table, enum scheduler_kind kind,
                               uint32_t no);

// "normal", "dirty_cpu", "dirty_io"; static.
const char *scheduler_kind_name(enum scheduler_kind kind);

#endif
