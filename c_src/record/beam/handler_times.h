// SPDX-License-Identifier: Apache-2.0
// How long the signal handler took, of all samples of a recording: their sum and median.
// One thread.
#ifndef FLAME_PROF_RECORD_BEAM_HANDLER_TIMES_H
#define FLAME_PROF_RECORD_BEAM_HANDLER_TIMES_H

#include <stdint.h>

enum { HANDLER_TIMES_BUCKETS = 64, HANDLER_TIMES_BUCKET_NS = 100 };

struct handler_times {
    uint64_t total_ns;
    uint64_t cnt[HANDLER_TIMES_BUCKETS]; // the last one: that long or longer
    uint64_t begin_ns;                   // of the two clocks, to convert ticks
    uint64_t begin_ticks;
};

void handler_times_begin(struct handler_times *times);
// `ticks` of clock_ticks(); exact once both clocks have run for a while.
void handler_times_add(struct handler_times *times, uint32_t ticks);
// The middle of its bucket; 0 = none yet.
uint64_t handler_times_median_ns(const struct handler_times *times);

#endif
