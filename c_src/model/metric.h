// SPDX-License-Identifier: Apache-2.0
// What is measured besides time, per engine. Each sample carries every metric
// of its engine as a value and a delta to the same process's (thread's)
// previous sample; the first sample's delta is 0 unless stated (docs/metrics.md).
#ifndef FLAME_PROF_MODEL_METRIC_H
#define FLAME_PROF_MODEL_METRIC_H

#include <stdbool.h>
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

// Beyond those, on request (`metrics` of start/1): id, name, what the option calls it,
// whose. Their meaning is in docs/metrics.md.
enum { METRIC_OF_WALKER = 1, METRIC_OF_CPU_SAMPLER = 2, METRIC_OF_BOTH = 3 };

// Made from one look at a process to the next.
#define WALKER_METRICS(X)                                                                          \
    X(BEAM_METRIC_MAJOR_GCS, "erlang_major_gcs", "major_gcs", METRIC_OF_BOTH)                      \
    X(BEAM_METRIC_HEAP_GROWTH, "erlang_heap_growth", "heap_growth", METRIC_OF_BOTH)                \
    X(BEAM_METRIC_STACK_DEPTH, "erlang_stack_depth", "stack_depth", METRIC_OF_BOTH)                \
    X(BEAM_METRIC_SINCE_SCHEDULED, "erlang_since_scheduled_us", "since_scheduled",                 \
      METRIC_OF_WALKER)                                                                            \
    X(BEAM_METRIC_RUNNABLE_WAIT, "erlang_runnable_wait_us", "runnable_wait", METRIC_OF_WALKER)     \
    X(BEAM_METRIC_RUN_QUEUE_LEN, "erlang_run_queue_len", "run_queue_len", METRIC_OF_BOTH)

// Made where samples are written, some from what Erlang's side tells.
#define WRITER_METRICS(X)                                                                          \
    X(BEAM_METRIC_PORT_QUEUE, "erlang_port_queue_bytes", "port_queue", METRIC_OF_WALKER)           \
    X(BEAM_METRIC_CPU_NS, "erlang_cpu_ns", "cpu", METRIC_OF_CPU_SAMPLER)                           \
    X(BEAM_METRIC_REDUCTION_RATE, "erlang_reductions_per_cpu_ms", "reductions_per_cpu_ms",         \
      METRIC_OF_CPU_SAMPLER)                                                                       \
    X(BEAM_METRIC_MSACC_AUX, "erlang_msacc_aux_us", "msacc", METRIC_OF_CPU_SAMPLER)                \
    X(BEAM_METRIC_MSACC_CHECK_IO, "erlang_msacc_check_io_us", "msacc", METRIC_OF_CPU_SAMPLER)      \
    X(BEAM_METRIC_MSACC_EMULATOR, "erlang_msacc_emulator_us", "msacc", METRIC_OF_CPU_SAMPLER)      \
    X(BEAM_METRIC_MSACC_GC, "erlang_msacc_gc_us", "msacc", METRIC_OF_CPU_SAMPLER)                  \
    X(BEAM_METRIC_MSACC_OTHER, "erlang_msacc_other_us", "msacc", METRIC_OF_CPU_SAMPLER)            \
    X(BEAM_METRIC_MSACC_PORT, "erlang_msacc_port_us", "msacc", METRIC_OF_CPU_SAMPLER)              \
    X(BEAM_METRIC_MSACC_SLEEP, "erlang_msacc_sleep_us", "msacc", METRIC_OF_CPU_SAMPLER)

enum beam_further_metric {
    BEAM_METRIC_READ_LAST = BEAM_METRIC_CNT - 1,
#define METRIC_ENUM(id, name, option, engines) id,
    WALKER_METRICS(METRIC_ENUM) BEAM_METRIC_WALKER_CNT,
    BEAM_METRIC_WALKER_LAST = BEAM_METRIC_WALKER_CNT - 1,
    WRITER_METRICS(METRIC_ENUM) BEAM_METRIC_ALL_CNT
#undef METRIC_ENUM
};

enum { BEAM_METRIC_MSACC_CNT = BEAM_METRIC_MSACC_SLEEP - BEAM_METRIC_MSACC_AUX + 1 };

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
_Static_assert((int)BEAM_METRIC_ALL_CNT <= (int)METRIC_MAX_CNT, "metric arrays are too small");
_Static_assert((int)SYSTEM_METRIC_CNT <= (int)METRIC_MAX_CNT, "metric arrays are too small");

// Which of the BEAM metrics a sample carries: the 16 of the fork (and the CPU time, of
// the CPU sampler) whatever is asked for, in the order of their ids.
struct metric_choice {
    const char *names[METRIC_MAX_CNT]; // static
    uint8_t ids[METRIC_MAX_CNT];
    uint32_t cnt;
};

// Adds what the option calls `option` to a set of ids; false for what it does not know.
bool metric_choice_parse(const char *option, uint64_t *ids);

// `engine` is METRIC_OF_WALKER or METRIC_OF_CPU_SAMPLER.
void metric_choice_make(struct metric_choice *choice, uint64_t ids, unsigned engine);

// Those of `all`, which is indexed by id, that were chosen.
void metric_choice_take(const struct metric_choice *choice, const struct metric_value *all,
                        struct metric_value *chosen);

#endif
