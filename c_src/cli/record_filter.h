// SPDX-License-Identifier: Apache-2.0
// The filters of `flameprof record`, lists of one kind each, as people write them.
#ifndef FLAME_PROF_CLI_RECORD_FILTER_H
#define FLAME_PROF_CLI_RECORD_FILTER_H

#include "base/error.h"
#include "capture/system/system_filter.h"

#include <stdbool.h>

// Each adds the values of a list, separated by commas. False, with a message for a
// person, when one of them is none.
bool record_filter_threads(struct system_filter *filter, const char *list, struct error *err);
bool record_filter_comms(struct system_filter *filter, const char *list, struct error *err);
// Names are looked up in /etc/passwd.
bool record_filter_users(struct system_filter *filter, const char *list, struct error *err);
// Looks for the directories.
bool record_filter_cgroups(struct system_filter *filter, const char *list, struct error *err);
// Containers that run now, by name or by the beginning of their id (6 digits or more).
bool record_filter_containers(struct system_filter *filter, const char *list, struct error *err);

#endif
