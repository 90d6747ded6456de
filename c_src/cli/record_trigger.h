// SPDX-License-Identifier: Apache-2.0
// What --trigger waits for, as people write it:
//
//     GAUGE > NUMBER [%] [for TIME]      load>8, cpu>90% for 5s, io-pressure > 20
//     comm=NAME exits                    comm=postgres exits
//
// Gauges are those of capture/system/host_gauges.h. Any thread.
#ifndef FLAME_PROF_CLI_RECORD_TRIGGER_H
#define FLAME_PROF_CLI_RECORD_TRIGGER_H

#include "base/error.h"
#include "record/system/host_trigger.h"

#include <stdbool.h>

// False, with what is expected, when `text` is no condition.
bool record_trigger_parse(struct host_trigger *trigger, const char *text, struct error *err);

#endif
