// SPDX-License-Identifier: Apache-2.0
// Keeps the recorder within its budget: a share of the machine's CPU time, and a number of
// bytes. Shown once a second what the recording has cost so far. Over the CPU budget for
// several seconds it stretches the pace, as far as the excess asks for; well below it for
// half a minute it takes some of that back. Over the memory budget for several seconds it
// asks for room, a few times; then, or when the slowest pace is far over the CPU budget for
// half a minute, it ends the recording. As src/flame_prof_governor.erl does in a VM.
// Plain data; time is passed in.
#ifndef FLAME_PROF_RECORD_SYSTEM_GOVERNOR_H
#define FLAME_PROF_RECORD_SYSTEM_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    GOVERNOR_NOTE_BYTES = 200,
    GOVERNOR_MAX_STRETCH = 1600, // percent
};

struct governor_limits {
    double cpu_percent;    // of the machine; 0 = no limit
    uint64_t memory_bytes; // 0 = no limit
    uint32_t cpu_cnt;
};

enum governor_decision {
    GOVERNOR_NONE,
    GOVERNOR_STRETCH, // the pace is `stretch` percent of what was asked for from now on
    GOVERNOR_SHRINK,  // less memory is to be used from now on
    GOVERNOR_STOP,    // the recording ends; `note` says why
};

struct governor {
    struct governor_limits limits;
    uint64_t begun_ns; // of the window; 0 = none yet
    uint64_t begun_cpu_ns;
    uint32_t stretch; // percent
    uint32_t calm;    // windows in a row
    uint32_t hard;
    uint32_t full; // looks in a row
    uint32_t backoffs;
    uint32_t recoveries;
    uint32_t shrinks;
    double cpu_percent; // in the last window
    char note[GOVERNOR_NOTE_BYTES];
};

void governor_init(struct governor *governor, const struct governor_limits *limits);

// False: there is nothing to look at.
static inline bool governor_has_limits(const struct governor *governor)
{
    return governor->limits.cpu_percent > 0 || governor->limits.memory_bytes != 0;
}

// With CPU time since any beginning, and memory now. `note` says why, when there is a
// decision.
enum governor_decision governor_look(struct governor *governor, uint64_t now_ns, uint64_t cpu_ns,
                                     uint64_t memory_bytes);

#endif
