// SPDX-License-Identifier: Apache-2.0
// The lines of a report about where samples come from: host, node, losses.
#ifndef FLAME_PROF_EXPORT_REPORT_FACTS_H
#define FLAME_PROF_EXPORT_REPORT_FACTS_H

#include "export/text_output.h"
#include "model/profile.h"

#include <stdint.h>

// Hosts and nodes, each once; lines that could not be read.
void report_facts_origin(struct text_output *text, const struct profile *profile, uint32_t width);

// What the sources of an event lost, and what is incomplete of their samples.
void report_facts_losses(struct text_output *text, const struct profile *profile, struct text event,
                         uint32_t width);

#endif
