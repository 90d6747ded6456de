// SPDX-License-Identifier: Apache-2.0
// The files of a command line as one profile. Shows progress on a terminal when that
// takes longer than two seconds.
#ifndef FLAME_PROF_CLI_PROFILE_SOURCE_H
#define FLAME_PROF_CLI_PROFILE_SOURCE_H

#include "base/error.h"
#include "model/profile.h"

// All of them together, "-" is standard input; NULL, with the reason, when one cannot be
// read. One that breaks off behind its first sample is told on stderr and taken as it
// is. `cnt` > 0; the caller destroys the profile.
struct profile *profile_source_open(char **paths, int cnt, struct error *err);

#endif
