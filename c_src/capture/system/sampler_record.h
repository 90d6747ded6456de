// SPDX-License-Identifier: Apache-2.0
// What a record of the BPF program says, as a sample. Pure.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_RECORD_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_RECORD_H

#include "capture/system/system_event.h"
#include "capture/system/system_sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sampler_record;

// Does it hold in `size` bytes what it says it does? To be asked before the others.
bool sampler_record_is_whole(const struct sampler_record *record, size_t size);
// The event it is of, as far as `size` bytes tell; the clock when they do not.
enum system_event sampler_record_event(const struct sampler_record *record, size_t size);

// Without a snapshot. Its frames stay in the record, or where those have to be turned around
// go to `turned`, of SYSTEM_MAX_FRAMES: valid as long as both.
void sampler_record_sample(const struct sampler_record *record, uint64_t *turned,
                           struct system_sample *sample);
// Of a record with `snapshot_words` > 0; its stack stays in the record.
struct system_snapshot sampler_record_snapshot(const struct sampler_record *record);

#endif
