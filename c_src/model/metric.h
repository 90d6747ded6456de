// SPDX-License-Identifier: Apache-2.0
// What is measured besides time, per engine. Each sample carries every metric
// of its engine as a value and a delta to the same process's (thread's)
// previous sample; the first sample's delta is 0 unless stated.
#ifndef FLAME_PROF_MODEL_METRIC_H
#define FLAME_PROF_MODEL_METRIC_H

#include <stdint.h>

struct metric_value {
    int64_t value;
    int64_t delta; // signed
};

// The 16 of the Flamescope fork, in their order. Sizes are in words except
// `erlang_memory` (bytes), as process_info/2 gives them.
#define BEAM_METRICS(X)                                                                            \
    X(BEAM_METRIC_REDUCTIONS, "erlang_reductions")                                                 \
    X(BEAM_METRIC_MESSAGE_QUEUE_LEN, "erlang_message_queue_len")                                   \
    X(BEAM_METRIC_MEMORY, "erlang_memory")                                                         \
    X(BEAM_METRIC_TOTAL_HEAP_SIZE, "erlang_total_heap_size")                                       \
    X(BEAM_METRIC_OLD_HEAP_BLOCK_SIZE, "erlang_old_heap_block_size")                               \
    X(BEAM_METRIC_HEAP_BLOCK_SIZE, "erlang_heap_block_size")                                       \
    X(BEAM_METRIC_MBUF_SIZE, "erlang_mbuf_size")                                                   \
    X(BEAM_METRIC_RECENT_SIZE, "erlang_recent_size")                                               \
    X(BEAM_METRIC_STACK_SIZE, "erlang_stack_size")                                                 \
    X(BEAM_METRIC_OLD_HEAP_SIZE, "erlang_old_heap_size")                                           \
    X(BEAM_METRIC_HEAP_SIZE, "erlang_heap_size")                                                   \
    X(BEAM_METRIC_BIN_VHEAP_SIZE, "erlang_bin_vheap_size")                                         \
    X(BEAM_METRIC_BIN_VHEAP_BLOCK_SIZE, "erlang_bin_vheap_block_size")                             \
    X(BEAM_METRIC_BIN_OLD_VHEAP_SIZE, "erlang_bin_old_vheap_size")                                 \
    X(BEAM_METRIC_BIN_OLD_VHEAP_BLOCK_SIZE, "erlang_bin_old_vheap_block_size")                     \
    X(BEAM_METRIC_MINOR_GCS, "erlang_minor_gcs")

enum beam_metric {
#define METRIC_ENUM(id, name) id,
    BEAM_METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        BEAM_METRIC_CNT
};

// Of the CPU sampler: those above, and the CPU time of the process (of the scheduler,
// where it runs none): value = seen so far, delta = what this sample stands for.
enum cpu_metric { CPU_METRIC_CPU_NS = BEAM_METRIC_CNT, CPU_METRIC_CNT };
#define CPU_METRIC_CPU_NS_NAME "erlang_cpu_ns"

// `native_cpu_ns`: value = CPU time of the thread since its start, delta = the
// CPU time this sample stands for (its period).
#define SYSTEM_METRICS(X)                                                                          \
    X(SYSTEM_METRIC_CPU_NS, "native_cpu_ns")                                                       \
    X(SYSTEM_METRIC_VOLUNTARY_SWITCHES, "native_voluntary_switches")                               \
    X(SYSTEM_METRIC_INVOLUNTARY_SWITCHES, "native_involuntary_switches")                           \
    X(SYSTEM_METRIC_MINOR_FAULTS, "native_minor_faults")                                           \
    X(SYSTEM_METRIC_MAJOR_FAULTS, "native_major_faults")

enum system_metric {
#define METRIC_ENUM(id, name) id,
    SYSTEM_METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        SYSTEM_METRIC_CNT
};

enum { METRIC_MAX_CNT = 32 };
_Static_assert((int)BEAM_METRIC_CNT <= (int)METRIC_MAX_CNT, "metric arrays are too small");
_Static_assert((int)SYSTEM_METRIC_CNT <= (int)METRIC_MAX_CNT, "metric arrays are too small");

#endif
