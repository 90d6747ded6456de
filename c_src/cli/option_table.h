// SPDX-License-Identifier: Apache-2.0
// The options of a command as rows: how one is spelled, what it takes and where its value
// goes, relative to a struct of the command's, the target. One thread: getopt has one state.
#ifndef FLAME_PROF_CLI_OPTION_TABLE_H
#define FLAME_PROF_CLI_OPTION_TABLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTION_TABLE_MAX_ROWS = 64 };

enum option_kind {
    OPTION_FLAG,     // a bool, which becomes true
    OPTION_CHOICE,   // an enum, which becomes `min`
    OPTION_TEXT,     // a const char *, borrowed from argv
    OPTION_NUMBER,   // a uint32_t, from min to max
    OPTION_BYTES,    // a uint64_t, from min to max, K, M and G are units
    OPTION_DURATION, // a uint64_t in ns, of a time from min to max with a unit
    OPTION_SECONDS,  // a uint64_t in ns, more than 0
    OPTION_TAKEN,    // whatever `take` makes of it
};

// Sets what `value` means in the target. False, with a message for a person, when it is none.
typedef bool option_take(void *target, const char *value, struct error *err);

struct option_row {
    const char *name; // without dashes
    char letter;      // of the short option; 0 = there is none
    enum option_kind kind;
    size_t offset; // of the value in the target
    uint64_t min, max;
    const char *expected; // of a value, for the message: "1M or more"
    option_take *take;
    size_t mark; // offset of a bool that becomes true, too; 0 = none
};

struct option_table {
    const struct option_row *rows;
    size_t row_cnt;
    bool stops_early; // at the first word that is no option; else these may stand among them
};

// Takes every option in argv and tells in `rest_ret` which word is the first behind them.
// False, with a message for a person, at the first that is wrong.
bool option_table_take(const struct option_table *table, void *target, int argc, char **argv,
                       int *rest_ret, struct error *err);

// "-d soon: expected seconds, more than 0"; returns false.
bool option_table_wrong(const char *option, const char *value, const char *expected,
                        struct error *err);

#endif
