// SPDX-License-Identifier: Apache-2.0
// The text of `flameprof record --help`.
#ifndef FLAME_PROF_CLI_RECORD_HELP_H
#define FLAME_PROF_CLI_RECORD_HELP_H

// Static.
const char *record_help(void);

#endif
