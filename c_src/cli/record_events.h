// SPDX-License-Identifier: Apache-2.0
// The events of `flameprof record -e`, as people write them.
#ifndef FLAME_PROF_CLI_RECORD_EVENTS_H
#define FLAME_PROF_CLI_RECORD_EVENTS_H

#include "base/error.h"
#include "capture/system/system_event.h"

#include <stdbool.h>
#include <stdint.h>

// Adds those of a list, NAME or NAME:NUMBER each: samples per second of cpu-clock, the
// shortest time of off-cpu and run-queue (500us, 1ms, 2s), one in so many of the rest. The
// clock's rate goes to `rate_hz_ret`, which is 0 as long as nobody asked for it. False, with a
// message for a person, for what is none.
bool record_events_add(struct system_event_choice *events, uint32_t *rate_hz_ret, const char *list,
                       struct error *err);

#endif
