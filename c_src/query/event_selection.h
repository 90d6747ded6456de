// SPDX-License-Identifier: Apache-2.0
// Of a selection, the samples of one event: what differs in kind is not to be added up.
#ifndef FLAME_PROF_QUERY_EVENT_SELECTION_H
#define FLAME_PROF_QUERY_EVENT_SELECTION_H

#include "base/error.h"
#include "query/selection.h"

#include <stdbool.h>
#include <stdint.h>

// `code` is one of PROFILE_EVENT (0: samples without any). False, with the reason;
// selection_deinit is harmless either way.
bool event_selection_init(struct selection *selection, const struct selection *of, uint32_t code,
                          struct error *err);

#endif
