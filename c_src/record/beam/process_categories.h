// SPDX-License-Identifier: Apache-2.0
// What a process (or a scheduler) belongs to, as root frames of its stack, in an
// order that the user chose: initial call, registered name, status, memory, mailbox,
// priority, scheduler, node, label, parent, ancestors, application. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_PROCESS_CATEGORIES_H
#define FLAME_PROF_RECORD_BEAM_PROCESS_CATEGORIES_H

#include "capture/beam/dictionary_identity.h"
#include "model/sample.h"
#include "record/beam/process_names.h"

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_CATEGORIES(X)                                                                      \
    X(CATEGORY_INITIAL_CALL, "initial_call")                                                       \
    X(CATEGORY_REGISTERED_NAME, "registered_name")                                                 \
    X(CATEGORY_STATUS, "status")           /* of the scheduler in a CPU sample */                  \
    X(CATEGORY_MEMORY, "memory")           /* {memory 10s MiB} */                                  \
    X(CATEGORY_MAILBOX, "mailbox")         /* {mailbox 100s} */                                    \
    X(CATEGORY_PRIORITY, "priority")       /* {priority normal} */                                 \
    X(CATEGORY_SCHEDULER, "scheduler")     /* {scheduler 2}, {dirty_cpu 1}: CPU samples only */    \
    X(CATEGORY_NODE, "node")               /* {node shop@host} */                                  \
    X(CATEGORY_LABEL, "label")             /* {label worker 7}: proc_lib:set_label/1 */            \
    X(CATEGORY_PARENT, "parent")           /* {parent my_sup}, {parent <0.90.0>} */                \
    X(CATEGORY_ANCESTORS, "ancestors")     /* {ancestors shop_sup/my_sup}: the parent last */      \
    X(CATEGORY_APPLICATION, "application") /* {application kernel} */

enum process_category {
#define CATEGORY_ENUM(id, name) id,
    PROCESS_CATEGORIES(CATEGORY_ENUM)
#undef CATEGORY_ENUM
        PROCESS_CATEGORY_CNT
};

// In the order of the stack's root: the first is the outermost frame.
struct process_category_order {
    enum process_category categories[PROCESS_CATEGORY_CNT];
    uint32_t cnt;
};

// What is known of one sample; what is not leaves its frame out.
struct process_category_facts {
    uint64_t name;       // atom term of the registered name, 0 = none
    uint64_t initial[3]; // 0 = unknown
    struct text status;
    bool is_process;
    int64_t memory_bytes;
    int64_t mailbox_len;
    uint32_t state_flags;  // for the priority
    const char *scheduler; // "scheduler", "dirty_cpu", ...; NULL = none
    uint32_t scheduler_no;
    struct text node;
    const uint64_t *label; // label_cnt words, as term_copy has them
    uint32_t label_cnt;
    uint64_t parent;           // pid term, 0 = unknown
    const uint64_t *ancestors; // PROCESS_ANCESTORS pid or atom terms, the parent first; NULL = none
    uint64_t application;      // atom term, 0 = none
};

// Static; NULL for a name that is none.
const char *process_category_name(enum process_category category);
bool process_category_parse(const char *name, enum process_category *category_ret);

// Appends at most PROCESS_CATEGORY_CNT frames; how many. `unknown_ret` becomes true
// when an atom has no text (yet).
uint32_t process_categories_frames(const struct process_category_order *order,
                                   const struct process_category_facts *facts,
                                   struct process_names *names, struct frame *frames,
                                   bool *unknown_ret);

#endif
