// SPDX-License-Identifier: Apache-2.0
// How busy the host is, by /proc: what a trigger looks at. Shares of time are those since
// the look before. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_HOST_GAUGES_H
#define FLAME_PROF_CAPTURE_SYSTEM_HOST_GAUGES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define HOST_GAUGES(X)                                                                             \
    X(HOST_LOAD, "load")                       /* average of the last minute */                    \
    X(HOST_RUN_QUEUE, "run-queue")             /* threads that run or could, now */                \
    X(HOST_CPU, "cpu")                         /* % of all CPUs that was not idle */               \
    X(HOST_STEAL, "steal")                     /* % that the hypervisor gave to others */          \
    X(HOST_MEMORY, "memory")                   /* % that no program could get */                   \
    X(HOST_CPU_PRESSURE, "cpu-pressure")       /* % of the time in which somebody had to wait */   \
    X(HOST_IO_PRESSURE, "io-pressure")         /* ... for a disk */                                \
    X(HOST_MEMORY_PRESSURE, "memory-pressure") /* ... for memory */

enum host_gauge {
#define HOST_GAUGE_ENUM(id, name) id,
    HOST_GAUGES(HOST_GAUGE_ENUM)
#undef HOST_GAUGE_ENUM
        HOST_GAUGE_CNT
};

enum host_gauge_source {
    HOST_SOURCE_LOADAVG,
    HOST_SOURCE_STAT,
    HOST_SOURCE_MEMINFO,
    HOST_SOURCE_CPU_PRESSURE,
    HOST_SOURCE_IO_PRESSURE,
    HOST_SOURCE_MEMORY_PRESSURE,
    HOST_SOURCE_CNT
};

struct host_gauges {
    int fds[HOST_SOURCE_CNT]; // -1 = not looked at
    bool has_looked;          // before, so that there are shares of time
    uint64_t looked_ns;
    uint64_t busy_ticks; // these: at the look before
    uint64_t steal_ticks;
    uint64_t all_ticks;
    uint64_t stalled_us[HOST_SOURCE_CNT];
    double values[HOST_GAUGE_CNT]; // 0 where not known yet
};

// "load", ...; static.
const char *host_gauge_name(enum host_gauge gauge);
// False when there is no such gauge.
bool host_gauge_parse(const char *name, enum host_gauge *gauge_ret);
// In percent, so that a limit is 0 to 100.
bool host_gauge_is_share(enum host_gauge gauge);

// `wanted`: a bit for each gauge. False, with the reason, when this kernel does not have one
// of them.
bool host_gauges_open(struct host_gauges *gauges, uint32_t wanted, struct error *err);
// Harmless twice.
void host_gauges_close(struct host_gauges *gauges);

// Fills `values`.
void host_gauges_look(struct host_gauges *gauges, uint64_t now_ns);

// What a file of /proc says; `text` is NUL-terminated. For host_gauges_look.
void host_gauges_take(struct host_gauges *gauges, enum host_gauge_source source, const char *text,
                      uint64_t passed_ns);

#endif
