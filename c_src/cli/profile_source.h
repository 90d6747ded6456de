// SPDX-License-Identifier: Apache-2.0
// The files of a command line as one profile: captures, and whatever import/ reads.
// Shows progress on a terminal when that takes longer than two seconds.
#ifndef FLAME_PROF_CLI_PROFILE_SOURCE_H
#define FLAME_PROF_CLI_PROFILE_SOURCE_H

#include "base/error.h"
#include "model/profile_builder.h"

// All of them together on one axis of time, "-" is standard input; NULL, with the reason,
// when one cannot be read. One that breaks off behind its first line is told on stderr
// and taken as it is. `cnt` > 0; the caller destroys the profile.
struct profile *profile_source_open(char **paths, int cnt, struct error *err);

// Whether the file begins as a capture does. Standard input never is one.
bool profile_source_is_capture(const char *path);

// One file that is no capture, as above, into a builder.
bool profile_source_import(struct profile_builder *builder, const char *path, struct error *err);

#endif
