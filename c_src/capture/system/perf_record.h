// SPDX-License-Identifier: Apache-2.0
// A sample as the kernel writes it into a perf ring: read, and no byte behind it.
// Records that are not samples are read by those whom they are for; their time is told
// here.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_RECORD_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_RECORD_H

#include "capture/system/perf_ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of every event here; with PERF_SAMPLE_CALLCHAIN where the kernel's stack may be seen.
#define PERF_RECORD_SAMPLE_TYPE                                                                    \
    (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_REGS_USER |                \
     PERF_SAMPLE_STACK_USER)

enum perf_record_abi {
    PERF_RECORD_ABI_NONE, // no user part: a thread of the kernel
    PERF_RECORD_ABI_32,
    PERF_RECORD_ABI_64,
};

// The registers that a walk begins with; 0 where the machine has no such.
struct perf_record_registers {
    uint64_t pc, sp, fp, r13, r10, r11, rax, rbx;
};

// Pointers lead into the record.
struct perf_record {
    uint32_t pid;
    uint32_t tid;
    uint32_t cpu;
    uint64_t time_ns;
    const uint64_t *kernel; // addresses, leaf first
    uint32_t kernel_cnt;
    enum perf_record_abi abi;
    struct perf_record_registers registers;
    const uint64_t *stack; // from sp on
    uint32_t stack_bytes;
};

// For perf_event_attr.sample_regs_user.
uint64_t perf_record_register_mask(void);

// `record` is aligned to 8 bytes. False when it is not what an event with these fields
// sends.
bool perf_record_parse(const void *record, size_t len, bool has_callchain,
                       struct perf_record *parsed);

// Where the time stands in a record of these events.
size_t perf_record_time_offset(const struct perf_event_header *header);

#endif
