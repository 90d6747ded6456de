// SPDX-License-Identifier: Apache-2.0
// The files of a recording, one of each event that is wanted: SYSTEM_EVENT_CNT outputs, by
// event; those that are not wanted stay closed. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_EVENT_OUTPUTS_H
#define FLAME_PROF_RECORD_SYSTEM_EVENT_OUTPUTS_H

#include "base/error.h"
#include "capture/system/system_source.h"
#include "record/system/event_output.h"
#include "record/system/flight.h"

#include <stddef.h>
#include <stdint.h>

// Opens what `sampler` asks for, all with what `session` says; with a flight recorder nothing
// is written before its first dump. False, with the reason: those already open are the
// caller's to destroy.
bool event_outputs_open(struct event_output outputs[SYSTEM_EVENT_CNT],
                        const struct system_sampler_options *sampler, const struct session *session,
                        const struct recording_options *options,
                        const struct flight_options *flight, struct error *err);

// A line of the header or footer in every file.
void event_outputs_tell(struct event_output outputs[SYSTEM_EVENT_CNT], const char *key,
                        const char *value);
// What happened, now, in every file.
void event_outputs_note(struct event_output outputs[SYSTEM_EVENT_CNT], const char *key,
                        const char *value);

// What is due by the clock: flushes, rotation.
void event_outputs_tick(struct event_output outputs[SYSTEM_EVENT_CNT]);

// Closes all of them, whatever becomes of one; false with the first reason.
bool event_outputs_close(struct event_output outputs[SYSTEM_EVENT_CNT], const char *end_reason,
                         struct error *err);

// The open or the last finished file, of the first event; empty: there is none.
void event_outputs_path(const struct event_output outputs[SYSTEM_EVENT_CNT], char *path,
                        size_t path_bytes);

#endif
