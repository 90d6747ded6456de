// SPDX-License-Identifier: Apache-2.0
// The command line of `flameprof record` as a struct.
#ifndef FLAME_PROF_CLI_RECORD_OPTIONS_H
#define FLAME_PROF_CLI_RECORD_OPTIONS_H

#include "base/error.h"
#include "capture/system/system_source.h"
#include "cli/record_output.h"
#include "cli/record_pids.h"
#include "record/system/flight.h"
#include "record/system/system_categories.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    RECORD_DEFAULT_RATE_HZ = 99,
    RECORD_MAX_RATE_HZ = 100000, // the kernel's shortest period is 10 us
    RECORD_DEFAULT_FLIGHT_BYTES = 32 << 20,
};

enum record_talk { RECORD_TALK_QUIET, RECORD_TALK_NORMAL, RECORD_TALK_VERBOSE };
enum record_action { RECORD_ACTION_RECORD, RECORD_ACTION_HELP };

struct record_options {
    enum record_action action;
    uint32_t rate_hz; // of the CPU clock; 0 = it is not sampled
    struct system_event_choice events;
    enum system_engine engine;
    enum system_scope scope;
    struct record_pids pids;
    struct system_filter filter;
    struct system_category_order categories;
    uint64_t duration_ns; // 0 = until a signal
    struct record_output output;
    enum file_naming naming;
    uint64_t rotate_ns;
    uint64_t rotate_bytes;
    uint32_t max_files;
    uint64_t spool_bytes;
    struct flight_options flight;
    double max_cpu_percent;    // of the machine, of flameprof itself; 0 = no limit
    uint64_t max_memory_bytes; // likewise
    uint64_t ring_bytes;
    uint64_t symbol_bytes; // of the symbols of all files
    bool keeps_mangled;    // names as they stand in the files
    bool tells_lines;      // of the sources
    bool tells_inlined;    // functions
    bool includes_self;
    enum record_talk talk;
    char **command; // NULL-terminated, borrowed from argv; NULL = none
    char text[480]; // the options, for the file's header
};

// False, with a message for a person, when the command line is wrong. Reads
// nothing but the clock (for the default file name), /etc/passwd and the mounted
// control groups (for filters by name).
bool record_options_parse(struct record_options *options, int argc, char **argv, struct error *err);

// What the host says to them: the rate it allows, the processes it has.
bool record_options_check(const struct record_options *options, struct error *err);

#endif
