// SPDX-License-Identifier: Apache-2.0
// What a sample of the host belongs to, as root frames of its stack, in an order that
// the user chose: container, pod, runtime, user, variables of the environment and so
// on. What is known of a process is read when it is first seen and kept, also after its
// end. Bounded. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_CATEGORIES_H
#define FLAME_PROF_RECORD_SYSTEM_CATEGORIES_H

#include "base/error.h"
#include "capture/system/process_identity.h"
#include "capture/system/system_sample.h"
#include "model/sample.h"
#include "record/system/beam_layouts.h"

#include <stdbool.h>
#include <stdint.h>

// Of the process, then of the sample.
#define SYSTEM_CATEGORIES(X)                                                                       \
    X(CATEGORY_CONTAINER, "container") /* {container web}, by id where nobody knows a name */      \
    X(CATEGORY_POD, "pod")             /* {pod prod/shop-7d9f}, by uid likewise */                 \
    X(CATEGORY_CGROUP, "cgroup")       /* {cgroup /system.slice/ssh.service} */                    \
    X(CATEGORY_RUNTIME, "runtime")     /* {runtime beam} */                                        \
    X(CATEGORY_USER, "user")           /* {user 1000} */                                           \
    X(CATEGORY_PROGRAM, "program")     /* {program beam.smp}: the executable */                    \
    X(CATEGORY_COMMAND, "command")     /* {command ...}: with its arguments */                     \
    X(CATEGORY_PID, "pid")             /* {pid 4242} */                                            \
    X(CATEGORY_INNER_PID, "ns_pid")    /* {ns_pid 1}: in its own pid namespace */                  \
    X(CATEGORY_VARIABLE, "env")        /* {env NAME=value}: env:NAME */                            \
    X(CATEGORY_THREAD, "thread")       /* {thread 1_scheduler} */                                  \
    X(CATEGORY_SCHEDULER, "scheduler") /* {scheduler 2}, {dirty_cpu 1}: of an Erlang VM */         \
    X(CATEGORY_MODE, "mode")           /* {mode kernel}, {mode user} */                            \
    X(CATEGORY_STATE, "state")         /* {state running}; {state sleeping} off the CPU */         \
    X(CATEGORY_WAKER, "waker")         /* {waker nginx}: who ended the time off the CPU */

enum system_category {
#define CATEGORY_ENUM(id, name) id,
    SYSTEM_CATEGORIES(CATEGORY_ENUM)
#undef CATEGORY_ENUM
        SYSTEM_CATEGORY_CNT
};

enum { SYSTEM_CATEGORIES_MAX = 16, SYSTEM_VARIABLE_BYTES = 64 };

// The first is the outermost frame. A zeroed one has none.
struct system_category_order {
    struct {
        enum system_category category;
        uint32_t variable; // of CATEGORY_VARIABLE: index into `variables`
    } items[SYSTEM_CATEGORIES_MAX];
    uint32_t cnt;
    char variables[IDENTITY_MAX_VARIABLES][SYSTEM_VARIABLE_BYTES];
    uint32_t variable_cnt;
};

// Appends `container`, `env:NAME` and so on. False, with the names there are, for what
// is none or when there are too many.
bool system_category_add(struct system_category_order *order, const char *name, struct error *err);

struct system_categories;

// `layouts` is borrowed, and may be NULL. NULL when out of memory.
struct system_categories *system_categories_create(const struct system_category_order *order,
                                                   const struct beam_layouts *layouts);
void system_categories_destroy(struct system_categories *categories);

// When a sample arrives: reads about its process, if it is new, while it lives.
void system_categories_note(struct system_categories *categories,
                            const struct system_sample *sample);

// Appends at most SYSTEM_CATEGORIES_MAX frames, the outermost last; how many. Their texts
// are valid until the next call.
uint32_t system_categories_frames(struct system_categories *categories,
                                  const struct system_sample *sample, struct frame *frames);

#endif
