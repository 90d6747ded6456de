// SPDX-License-Identifier: Apache-2.0
#include "capture/system/host_gauges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCE_BYTES = 4096 }; // all that matters stands at the beginning

static const struct {
    const char *name;
    enum host_gauge_source source;
    bool is_share;
} GAUGES[HOST_GAUGE_CNT] = {
    [HOST_LOAD] = {"load", HOST_SOURCE_LOADAVG, false},
    [HOST_RUN_QUEUE] = {"run-queue", HOST_SOURCE_LOADAVG, false},
    [HOST_CPU] = {"cpu", HOST_SOURCE_STAT, true},
    [HOST_STEAL] = {"steal", HOST_SOURCE_STAT, true},
    [HOST_MEMORY] = {"memory", HOST_SOURCE_MEMINFO, true},
    [HOST_CPU_PRESSURE] = {"cpu-pressure", HOST_SOURCE_CPU_PRESSURE, true},
    [HOST_IO_PRESSURE] = {"io-pressure", HOST_SOURCE_IO_PRESSURE, true},
    [HOST_MEMORY_PRESSURE] = {"memory-pressure", HOST_SOURCE_MEMORY_PRESSURE, true},
};

static const char *const PATHS[HOST_SOURCE_CNT] = {
    [HOST_SOURCE_LOADAVG] = "/proc/loadavg",
    [HOST_SOURCE_STAT] = "/proc/stat",
    [HOST_SOURCE_MEMINFO] = "/proc/meminfo",
    [HOST_SOURCE_CPU_PRESSURE] = "/proc/pressure/cpu",
    [HOST_SOURCE_IO_PRESSURE] = "/proc/pressure/io",
    [HOST_SOURCE_MEMORY_PRESSURE] = "/proc/pressure/memory",
};

const char *host_gauge_name(enum host_gauge gauge)
{
    return (unsigned)gauge < HOST_GAUGE_CNT ? GAUGES[gauge].name : "unknown";
}

bool host_gauge_parse(const char *name, enum host_gauge *gauge_ret)
{
    for (int i = 0; i < HOST_GAUGE_CNT; i++) {
        if (strcmp(name, GAUGES[i].name) == 0) {
            *gauge_ret = (enum host_gauge)i;
            return true;
        }
    }
    return false;
}

bool host_gauge_is_share(enum host_gauge gauge)
{
    return GAUGES[gauge].is_share;
}

// --- what the files say -------------------------------------------------------

static double share(uint64_t part, uint64_t whole)
{
    double percent = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
    return percent < 100 ? percent : 100;
}

static uint64_t gain(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0; // some of the kernel's sums step back
}

// 0.52 0.58 0.59 2/467 12345: we ourselves are one of the running.
static void take_loadavg(struct host_gauges *gauges, const char *text)
{
    double load = 0;
    unsigned running = 0;
    if (sscanf(text, "%lf %*f %*f %u/", &load, &running) == 2) {
        gauges->values[HOST_LOAD] = load;
        gauges->values[HOST_RUN_QUEUE] = running > 0 ? running - 1 : 0;
    }
}

// cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...
static void take_stat(struct host_gauges *gauges, const char *text)
{
    unsigned long long ticks[8] = {0};
    uint64_t all = 0;
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) < 4) {
        return;
    }
    for (int i = 0; i < 8; i++) {
        all += ticks[i];
    }
    uint64_t busy = all - ticks[3] - ticks[4];
    if (gauges->has_looked) {
        uint64_t passed = gain(all, gauges->all_ticks);
        gauges->values[HOST_CPU] = share(gain(busy, gauges->busy_ticks), passed);
        gauges->values[HOST_STEAL] = share(gain(ticks[7], gauges->steal_ticks), passed);
    }
    gauges->all_ticks = all;
    gauges->busy_ticks = busy;
    gauges->steal_ticks = ticks[7];
}

static bool find_number(const char *text, const char *label, uint64_t *value_ret)
{
    const char *at = strstr(text, label);
    char *end = NULL;
    if (at == NULL) {
        return false;
    }
    at += strlen(label);
    *value_ret = strtoull(at, &end, 10);
    return end != at;
}

static void take_meminfo(struct host_gauges *gauges, const char *text)
{
    uint64_t all = 0;
    uint64_t available = 0;
    if (find_number(text, "MemTotal:", &all) && find_number(text, "MemAvailable:", &available)) {
        gauges->values[HOST_MEMORY] = share(gain(all, available), all);
    }
}

// some avg10=0.00 avg60=0.00 avg300=0.00 total=12345
static void take_pressure(struct host_gauges *gauges, enum host_gauge_source source,
                          const char *text, uint64_t passed_ns)
{
    uint64_t stalled_us = 0;
    if (!find_number(text, "total=", &stalled_us)) {
        return;
    }
    for (int i = 0; i < HOST_GAUGE_CNT && gauges->has_looked; i++) {
        if (GAUGES[i].source == source) {
            uint64_t gained_us = gain(stalled_us, gauges->stalled_us[source]);
            gauges->values[i] = share(gained_us, passed_ns / 1000);
        }
    }
    gauges->stalled_us[source] = stalled_us;
}

void host_gauges_take(struct host_gauges *gauges, enum host_gauge_source source, const char *text,
                      uint64_t passed_ns)
{
    switch (source) {
    case HOST_SOURCE_LOADAVG:
        take_loadavg(gauges, text);
        break;
    case HOST_SOURCE_STAT:
        take_stat(gauges, text);
        break;
    case HOST_SOURCE_MEMINFO:
        take_meminfo(gauges, text);
        break;
    default:
        take_pressure(gauges, source, text, passed_ns);
        break;
    }
}

// --- reading them -------------------------------------------------------------

static bool open_source(struct host_gauges *gauges, enum host_gauge gauge, struct error *err)
{
    enum host_gauge_source source = GAUGES[gauge].source;
    if (gauges->fds[source] < 0) {
        gauges->fds[source] = open(PATHS[source], O_RDONLY | O_CLOEXEC);
    }
    return gauges->fds[source] >= 0 || error_os(err, errno, "%s: this kernel does not tell it, %s",
                                                GAUGES[gauge].name, PATHS[source]);
}

bool host_gauges_open(struct host_gauges *gauges, uint32_t wanted, struct error *err)
{
    bool ok = true;
    *gauges = (struct host_gauges){0};
    for (int i = 0; i < HOST_SOURCE_CNT; i++) {
        gauges->fds[i] = -1;
    }
    for (int i = 0; i < HOST_GAUGE_CNT && ok; i++) {
        ok = (wanted >> i & 1) == 0 || open_source(gauges, (enum host_gauge)i, err);
    }
    if (!ok) {
        host_gauges_close(gauges);
    }
    return ok;
}

void host_gauges_close(struct host_gauges *gauges)
{
    for (int i = 0; i < HOST_SOURCE_CNT; i++) {
        if (gauges->fds[i] >= 0) {
            (void)close(gauges->fds[i]);
            gauges->fds[i] = -1;
        }
    }
}

void host_gauges_look(struct host_gauges *gauges, uint64_t now_ns)
{
    char text[SOURCE_BYTES];
    for (int i = 0; i < HOST_SOURCE_CNT; i++) {
        ssize_t len = gauges->fds[i] < 0 ? -1 : pread(gauges->fds[i], text, sizeof text - 1, 0);
        if (len > 0) {
            text[len] = '\0';
            host_gauges_take(gauges, (enum host_gauge_source)i, text, now_ns - gauges->looked_ns);
        }
    }
    gauges->looked_ns = now_ns;
    gauges->has_looked = true;
}
