// SPDX-License-Identifier: Apache-2.0
#include "record/beam/process_categories.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 320 };

static const char *const NAMES[] = {
#define CATEGORY_NAME(id, name) [id] = (name),
    PROCESS_CATEGORIES(CATEGORY_NAME)
#undef CATEGORY_NAME
};

const char *process_category_name(enum process_category category)
{
    return (unsigned)category < PROCESS_CATEGORY_CNT ? NAMES[category] : NULL;
}

bool process_category_parse(const char *name, enum process_category *category_ret)
{
    for (int i = 0; i < PROCESS_CATEGORY_CNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *category_ret = (enum process_category)i;
            return true;
        }
    }
    return false;
}

// 0, 1s, 10s, 100s, ...: the power of ten below.
static void decade_text(uint64_t value, char *text, size_t text_bytes)
{
    uint64_t decade = 1;
    while (value / decade >= 10) {
        decade *= 10;
    }
    (void)snprintf(text, text_bytes, value == 0 ? "0" : "%llus", (unsigned long long)decade);
}

// 1s, 10s, 100s of the largest unit that it has one of.
static void memory_text(uint64_t bytes, char *text, size_t text_bytes)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof UNITS / sizeof UNITS[0]) {
        bytes /= 1024;
        unit++;
    }
    char decade[32];
    decade_text(bytes > 999 ? 999 : bytes, decade, sizeof decade);
    (void)snprintf(text, text_bytes, "%s %s", decade, UNITS[unit]);
}

// ERTS_PSFLGS_USR_PRIO: bits 2 and 3 of the state (erl_process.h).
static const char *priority_text(uint32_t state_flags)
{
    static const char *const PRIORITIES[] = {"max", "high", "normal", "low"};
    return PRIORITIES[(state_flags >> 2) & 3];
}

static bool note(struct process_names *names, const char *kind, const char *value,
                 struct frame *frame)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof text, "{%s %s}", kind, value);
    return process_names_note(names, text_of(text), frame);
}

static bool scheduler_frame(const struct process_category_facts *facts, struct process_names *names,
                            struct frame *frame)
{
    char number[16];
    if (facts->scheduler == NULL) {
        return false;
    }
    (void)snprintf(number, sizeof number, "%u", facts->scheduler_no);
    return note(names, facts->scheduler, number, frame);
}

static bool text_frame(struct text value, const char *kind, struct process_names *names,
                       struct frame *frame)
{
    char text[TEXT_BYTES - 64];
    (void)snprintf(text, sizeof text, "%.*s", (int)value.len, value.bytes);
    return value.len > 0 && note(names, kind, text, frame);
}

static bool memory_frame(const struct process_category_facts *facts, struct process_names *names,
                         struct frame *frame)
{
    char text[64];
    memory_text(facts->memory_bytes > 0 ? (uint64_t)facts->memory_bytes : 0, text, sizeof text);
    return facts->is_process && note(names, "memory", text, frame);
}

static bool mailbox_frame(const struct process_category_facts *facts, struct process_names *names,
                          struct frame *frame)
{
    char text[64];
    decade_text(facts->mailbox_len > 0 ? (uint64_t)facts->mailbox_len : 0, text, sizeof text);
    return facts->is_process && note(names, "mailbox", text, frame);
}

static bool named_frame(uint64_t name, struct process_names *names, struct frame *frame,
                        bool *unknown_ret)
{
    bool known = name != 0 && process_names_registered(names, name, frame);
    *unknown_ret = *unknown_ret || (name != 0 && !known);
    return known;
}

static bool initial_frame(const uint64_t initial[3], struct process_names *names,
                          struct frame *frame, bool *unknown_ret)
{
    bool known = initial[0] != 0 && process_names_initial(names, initial, frame);
    *unknown_ret = *unknown_ret || (initial[0] != 0 && !known);
    return known;
}

static bool terms_frame(const char *kind, const uint64_t *words, uint32_t word_cnt,
                        struct process_names *names, struct frame *frame, bool *unknown_ret)
{
    bool known = word_cnt > 0 && process_names_term(names, kind, words, word_cnt, frame);
    *unknown_ret = *unknown_ret || (word_cnt > 0 && !known);
    return known;
}

static bool term_frame(const char *kind, uint64_t term, struct process_names *names,
                       struct frame *frame, bool *unknown_ret)
{
    return terms_frame(kind, &term, term != 0, names, frame, unknown_ret);
}

// The dictionary names a parent that has a name; the struct has the pid of any.
static uint64_t parent_of(const struct process_category_facts *facts)
{
    bool is_told = facts->ancestors != NULL && facts->ancestors[0] != 0;
    return is_told ? facts->ancestors[0] : facts->parent;
}

static bool ancestors_frame(const struct process_category_facts *facts, struct process_names *names,
                            struct frame *frame)
{
    char chain[TEXT_BYTES - 64] = "";
    size_t len = 0;
    uint32_t cnt = 0;
    while (facts->ancestors != NULL && cnt < PROCESS_ANCESTORS && facts->ancestors[cnt] != 0) {
        cnt++;
    }
    for (uint32_t i = cnt; i > 0 && len + 1 < sizeof chain; i--) {
        len +=
            process_names_text(names, facts->ancestors[i - 1], chain + len, sizeof chain - len - 1);
        chain[len] = i > 1 ? '/' : '\0';
        len += i > 1;
    }
    chain[len < sizeof chain ? len : sizeof chain - 1] = '\0';
    return text_frame(text_of(chain), "ancestors", names, frame);
}

static bool category_frame(enum process_category category,
                           const struct process_category_facts *facts, struct process_names *names,
                           struct frame *frame, bool *unknown_ret)
{
    switch (category) {
    case CATEGORY_INITIAL_CALL:
        return initial_frame(facts->initial, names, frame, unknown_ret);
    case CATEGORY_REGISTERED_NAME:
        return named_frame(facts->name, names, frame, unknown_ret);
    case CATEGORY_STATUS:
        return text_frame(facts->status, "status", names, frame);
    case CATEGORY_MEMORY:
        return memory_frame(facts, names, frame);
    case CATEGORY_MAILBOX:
        return mailbox_frame(facts, names, frame);
    case CATEGORY_PRIORITY:
        return facts->is_process &&
               note(names, "priority", priority_text(facts->state_flags), frame);
    case CATEGORY_SCHEDULER:
        return scheduler_frame(facts, names, frame);
    case CATEGORY_NODE:
        return text_frame(facts->node, "node", names, frame);
    case CATEGORY_LABEL:
        return terms_frame("label", facts->label, facts->label_cnt, names, frame, unknown_ret);
    case CATEGORY_PARENT:
        return term_frame("parent", parent_of(facts), names, frame, unknown_ret);
    case CATEGORY_ANCESTORS:
        return ancestors_frame(facts, names, frame);
    case CATEGORY_APPLICATION:
        return term_frame("application", facts->application, names, frame, unknown_ret);
    case PROCESS_CATEGORY_CNT:
        break;
    }
    return false;
}

uint32_t process_categories_frames(const struct process_category_order *order,
                                   const struct process_category_facts *facts,
                                   struct process_names *names, struct frame *frames,
                                   bool *unknown_ret)
{
    uint32_t cnt = 0;
    for (uint32_t i = order->cnt; i > 0; i--) {
        cnt += category_frame(order->categories[i - 1], facts, names, &frames[cnt], unknown_ret);
    }
    return cnt;
}
