// SPDX-License-Identifier: Apache-2.0
// The processes of `flameprof record -p`, each once.
#ifndef FLAME_PROF_CLI_RECORD_PIDS_H
#define FLAME_PROF_CLI_RECORD_PIDS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECORD_MAX_PIDS = 256 };

struct record_pids {
    uint32_t items[RECORD_MAX_PIDS];
    uint32_t cnt;
};

// Adds those of a list, separated by commas. False, with a message for a person, when one of
// them is none or one too many.
bool record_pids_add(struct record_pids *pids, const char *list, struct error *err);

// That each is a process of this host, and no thread of one.
bool record_pids_check(const struct record_pids *pids, struct error *err);

#endif
