// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_scheduler.h"

#include <stddef.h>
#include <string.h>

enum { MAX_NUMBER = 1024 }; // schedulers of one kind that a VM can have

static const char KIND_NORMAL[] = "scheduler";
static const char KIND_DIRTY_CPU[] = "dirty_cpu";
static const char KIND_DIRTY_IO[] = "dirty_io";

// The number at `*at`, which is moved behind it; 0 when there is none.
static uint32_t take_number(const char **at)
{
    uint32_t number = 0;
    while (**at >= '0' && **at <= '9' && number <= MAX_NUMBER) {
        number = number * 10 + (uint32_t)(*(*at)++ - '0');
    }
    return number <= MAX_NUMBER ? number : 0;
}

// The name behind the number, as far as 15 bytes had room for it.
static bool is_beginning(const char *of, const char *with, const char *text)
{
    size_t len = strlen(text);
    return len >= strlen(with) && len <= strlen(of) && strncmp(of, text, len) == 0;
}

static bool parse_number_first(const char *comm, struct beam_scheduler *scheduler)
{
    static const struct {
        const char *name;
        const char *least;
        const char *kind;
    } NAMES[] = {
        {"_scheduler", "_scheduler", KIND_NORMAL},
        {"_dirty_cpu_scheduler", "_dirty_cpu", KIND_DIRTY_CPU},
        {"_dirty_io_scheduler", "_dirty_io", KIND_DIRTY_IO},
    };
    const char *at = comm;
    uint32_t number = take_number(&at);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0] && number != 0; i++) {
        if (is_beginning(NAMES[i].name, NAMES[i].least, at)) {
            *scheduler = (struct beam_scheduler){NAMES[i].kind, number};
            return true;
        }
    }
    return false;
}

bool beam_scheduler_parse(const char *comm, struct beam_scheduler *scheduler)
{
    static const struct {
        const char *prefix;
        const char *kind;
    } NAMES[] = {{"erts_sched_", KIND_NORMAL},
                 {"erts_dcpus_", KIND_DIRTY_CPU},
                 {"erts_dios_", KIND_DIRTY_IO}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t len = strlen(NAMES[i].prefix);
        if (strncmp(comm, NAMES[i].prefix, len) == 0) {
            const char *at = comm + len;
            *scheduler = (struct beam_scheduler){NAMES[i].kind, take_number(&at)};
            return scheduler->number != 0 && *at == '\0';
        }
    }
    return parse_number_first(comm, scheduler);
}
