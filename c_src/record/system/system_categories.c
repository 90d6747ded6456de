// SPDX-License-Identifier: Apache-2.0
#include "record/system/system_categories.h"

#include "capture/system/container_names.h"
#include "capture/system/process_files.h"
#include "record/system/beam_scheduler.h"
#include "symbols/system/go_binary.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SETS = 1024, WAYS = 4, TEXT_BYTES = 600, SHORT_ID_LEN = 12 };

// What is known of one process, in the order of the categories asked for.
struct labels {
    uint32_t pid;
    uint64_t address_space;
    uint64_t used_at; // a count that rises with every use
    bool is_beam;
    struct text texts[SYSTEM_CATEGORIES_MAX];
    char bytes[];
};

struct system_categories {
    struct system_category_order order;
    const struct beam_layouts *layouts; // borrowed, or NULL
    struct labels *sets[SETS][WAYS];
    uint64_t uses;
    char scratch[SYSTEM_CATEGORIES_MAX][64]; // of the sample's own categories
};

static const char *const NAMES[] = {
#define CATEGORY_NAME(id, name) [id] = (name),
    SYSTEM_CATEGORIES(CATEGORY_NAME)
#undef CATEGORY_NAME
};

// --- the order --------------------------------------------------------------------

static bool add_variable(struct system_category_order *order, const char *name, struct error *err)
{
    if (order->variable_cnt == IDENTITY_MAX_VARIABLES || name[0] == '\0' ||
        strlen(name) >= SYSTEM_VARIABLE_BYTES) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "env:%s: expected a variable's name, and at most %d of them", name,
                         IDENTITY_MAX_VARIABLES);
    }
    order->items[order->cnt].category = CATEGORY_VARIABLE;
    order->items[order->cnt++].variable = order->variable_cnt;
    (void)snprintf(order->variables[order->variable_cnt++], SYSTEM_VARIABLE_BYTES, "%s", name);
    return true;
}

static bool unknown_category(const char *name, struct error *err)
{
    char names[256];
    size_t used = 0;
    for (int i = 0; i < SYSTEM_CATEGORY_CNT; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s%s", i == 0 ? "" : ", ",
                                 NAMES[i], i == CATEGORY_VARIABLE ? ":NAME" : "");
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "'%s' is no category; there are %s", name, names);
}

bool system_category_add(struct system_category_order *order, const char *name, struct error *err)
{
    if (order->cnt == SYSTEM_CATEGORIES_MAX) {
        return error_set(err, ERROR_BAD_ARGUMENT, "at most %d categories", SYSTEM_CATEGORIES_MAX);
    }
    if (strncmp(name, "env:", 4) == 0) {
        return add_variable(order, name + 4, err);
    }
    for (int i = 0; i < SYSTEM_CATEGORY_CNT; i++) {
        if (i != CATEGORY_VARIABLE && strcmp(NAMES[i], name) == 0) {
            order->items[order->cnt++].category = (enum system_category)i;
            return true;
        }
    }
    return unknown_category(name, err);
}

// --- of a process -----------------------------------------------------------------

static bool is_of_process(enum system_category category)
{
    return category <= CATEGORY_VARIABLE;
}

// What is read about a process, and where names of containers are looked up.
struct facts {
    struct process_identity identity;
    struct container_name name;
    bool has_name;
    bool is_kernel;
};

static void container_text(const struct facts *facts, char *text, size_t text_bytes)
{
    const char *id = facts->identity.place.container;
    if (facts->has_name) {
        (void)snprintf(text, text_bytes, "%s", facts->name.container);
    } else {
        (void)snprintf(text, text_bytes, "%.*s", SHORT_ID_LEN, id);
    }
}

static void pod_text(const struct facts *facts, char *text, size_t text_bytes)
{
    if (facts->has_name && facts->name.pod[0] != '\0') {
        (void)snprintf(text, text_bytes, "%s/%s", facts->name.namespace, facts->name.pod);
    } else {
        (void)snprintf(text, text_bytes, "%s", facts->identity.place.pod);
    }
}

static void number_text(bool known, uint32_t number, char *text, size_t text_bytes)
{
    text[0] = '\0';
    if (known) {
        (void)snprintf(text, text_bytes, "%u", number);
    }
}

static const char *runtime_text(const struct facts *facts)
{
    if (facts->is_kernel) {
        return "kernel";
    }
    return facts->identity.runtime == NULL ? "" : facts->identity.runtime;
}

// "" where it is not known.
static void value_text(const struct system_category_order *order, uint32_t item,
                       const struct facts *facts, uint32_t pid, char *text, size_t text_bytes)
{
    const struct process_identity *identity = &facts->identity;
    const char *value = "";
    switch (order->items[item].category) {
    case CATEGORY_CONTAINER:
        container_text(facts, text, text_bytes);
        return;
    case CATEGORY_POD:
        pod_text(facts, text, text_bytes);
        return;
    case CATEGORY_CGROUP:
        value = identity->place.path;
        break;
    case CATEGORY_RUNTIME:
        value = runtime_text(facts);
        break;
    case CATEGORY_USER:
        number_text(identity->has_status, identity->user, text, text_bytes);
        return;
    case CATEGORY_PROGRAM:
        value = identity->program;
        break;
    case CATEGORY_COMMAND:
        value = identity->command;
        break;
    case CATEGORY_PID:
        number_text(true, pid, text, text_bytes);
        return;
    case CATEGORY_INNER_PID:
        number_text(identity->has_status, identity->inner_pid, text, text_bytes);
        return;
    case CATEGORY_VARIABLE:
        value = identity->variables[order->items[item].variable];
        break;
    default:
        break;
    }
    (void)snprintf(text, text_bytes, "%s", value);
}

// `{kind value}`; empty where the value is.
static void label_text(const struct system_category_order *order, uint32_t item,
                       const struct facts *facts, uint32_t pid, char *text, size_t text_bytes)
{
    char value[TEXT_BYTES - SYSTEM_VARIABLE_BYTES - 16];
    enum system_category category = order->items[item].category;
    text[0] = '\0';
    if (!is_of_process(category)) {
        return;
    }
    value_text(order, item, facts, pid, value, sizeof value);
    if (value[0] == '\0') {
        return;
    }
    if (category == CATEGORY_VARIABLE) {
        (void)snprintf(text, text_bytes, "{env %s=%s}",
                       order->variables[order->items[item].variable], value);
    } else {
        (void)snprintf(text, text_bytes, "{%s %s}", NAMES[category], value);
    }
}

static bool is_go(uint32_t pid)
{
    int fd = process_files_open_program(pid);
    bool is_it = fd >= 0 && go_binary_is(fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_it;
}

static void read_facts(const struct system_category_order *order,
                       const struct system_sample *sample, struct facts *facts)
{
    const char *variables[IDENTITY_MAX_VARIABLES];
    struct process_identity *identity = &facts->identity;
    for (uint32_t i = 0; i < order->variable_cnt; i++) {
        variables[i] = order->variables[i];
    }
    facts->is_kernel = sample->address_space == 0;
    bool has_program = process_identity_read(sample->pid, variables, order->variable_cnt, identity);
    if (has_program && identity->runtime == NULL) {
        identity->runtime = is_go(sample->pid) ? "go" : "native";
    }
    facts->has_name = container_names_find("", identity->place.container, &facts->name);
}

static struct labels *make_labels(const struct system_category_order *order,
                                  const struct system_sample *sample)
{
    char texts[SYSTEM_CATEGORIES_MAX][TEXT_BYTES];
    struct facts facts = {.has_name = false};
    size_t bytes = 0;
    read_facts(order, sample, &facts);
    for (uint32_t i = 0; i < order->cnt; i++) {
        label_text(order, i, &facts, sample->pid, texts[i], TEXT_BYTES);
        bytes += strlen(texts[i]);
    }
    struct labels *labels = calloc(1, sizeof *labels + bytes);
    if (labels == NULL) {
        return NULL;
    }
    labels->pid = sample->pid;
    labels->address_space = sample->address_space;
    labels->is_beam = facts.identity.runtime != NULL && strcmp(facts.identity.runtime, "beam") == 0;
    bytes = 0;
    for (uint32_t i = 0; i < order->cnt; i++) {
        uint32_t len = (uint32_t)strlen(texts[i]);
        memcpy(labels->bytes + bytes, texts[i], len);
        labels->texts[i] = (struct text){labels->bytes + bytes, len};
        bytes += len;
    }
    return labels;
}

// --- the table of processes ----------------------------------------------------------

struct system_categories *system_categories_create(const struct system_category_order *order,
                                                   const struct beam_layouts *layouts)
{
    struct system_categories *categories = calloc(1, sizeof *categories);
    if (categories != NULL) {
        categories->order = *order;
        categories->layouts = layouts;
    }
    return categories;
}

void system_categories_destroy(struct system_categories *categories)
{
    for (uint32_t i = 0; categories != NULL && i < SETS * WAYS; i++) {
        free(categories->sets[i / WAYS][i % WAYS]);
    }
    free(categories);
}

// The place of a process: its own, a free one, or that of the longest unused.
static struct labels **place_of(struct system_categories *categories,
                                const struct system_sample *sample)
{
    uint64_t hash = (sample->address_space ^ sample->pid) * 0x9e3779b97f4a7c15ULL;
    struct labels **set = categories->sets[(hash >> 54) % SETS];
    struct labels **oldest = &set[0];
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i] != NULL && set[i]->pid == sample->pid &&
            set[i]->address_space == sample->address_space) {
            return &set[i];
        }
        if (*oldest != NULL && (set[i] == NULL || set[i]->used_at < (*oldest)->used_at)) {
            oldest = &set[i];
        }
    }
    return oldest;
}

static struct labels *labels_of(struct system_categories *categories,
                                const struct system_sample *sample)
{
    struct labels **place = place_of(categories, sample);
    struct labels *labels = *place;
    if (labels == NULL || labels->pid != sample->pid ||
        labels->address_space != sample->address_space) {
        labels = make_labels(&categories->order, sample);
        if (labels == NULL) {
            return NULL;
        }
        free(*place);
        *place = labels;
    }
    labels->used_at = ++categories->uses;
    return labels;
}

void system_categories_note(struct system_categories *categories,
                            const struct system_sample *sample)
{
    if (categories->order.cnt > 0) {
        (void)labels_of(categories, sample);
    }
}

// --- of a sample --------------------------------------------------------------------

static const char *state_text(const struct system_sample *sample)
{
    bool is_off = sample->event == SYSTEM_EVENT_OFF_CPU || sample->event == SYSTEM_EVENT_RUN_QUEUE;
    return is_off ? system_event_state_name(sample->state) : "running";
}

// As the VM itself tells it, else by the thread's name.
static bool scheduler_of(const struct beam_layouts *layouts, const struct system_sample *sample,
                         struct beam_scheduler *scheduler)
{
    return (layouts != NULL && beam_layouts_scheduler(layouts, sample->pid, sample->address_space,
                                                      sample->tid, scheduler)) ||
           beam_scheduler_parse(sample->comm, scheduler);
}

static struct text scheduler_text(const struct beam_layouts *layouts,
                                  const struct system_sample *sample, bool is_beam, char *text,
                                  size_t text_bytes)
{
    struct beam_scheduler scheduler;
    if (!is_beam || !scheduler_of(layouts, sample, &scheduler)) {
        return TEXT("");
    }
    (void)snprintf(text, text_bytes, "{%s %u}", scheduler.kind, scheduler.number);
    return text_of(text);
}

static struct text sample_text(struct system_categories *categories, uint32_t item,
                               const struct system_sample *sample, bool is_beam)
{
    enum system_category category = categories->order.items[item].category;
    char *text = categories->scratch[item];
    size_t text_bytes = sizeof categories->scratch[item];
    if (category == CATEGORY_MODE) {
        return sample->kernel_cnt > 0 ? TEXT("{mode kernel}") : TEXT("{mode user}");
    }
    if (category == CATEGORY_SCHEDULER) {
        return scheduler_text(categories->layouts, sample, is_beam, text, text_bytes);
    }
    if (category == CATEGORY_STATE) {
        (void)snprintf(text, text_bytes, "{state %s}", state_text(sample));
        return text_of(text);
    }
    if (category == CATEGORY_WAKER) {
        if (sample->waker_tid == 0) {
            return TEXT("");
        }
        (void)snprintf(text, text_bytes, "{waker %s}", sample->waker_comm);
        return text_of(text);
    }
    (void)snprintf(text, text_bytes, "{thread %s}", sample->comm);
    return text_of(text);
}

uint32_t system_categories_frames(struct system_categories *categories,
                                  const struct system_sample *sample, struct frame *frames)
{
    const struct system_category_order *order = &categories->order;
    const struct labels *labels = order->cnt == 0 ? NULL : labels_of(categories, sample);
    uint32_t cnt = 0;
    for (uint32_t i = order->cnt; labels != NULL && i > 0; i--) {
        struct text text = is_of_process(order->items[i - 1].category)
                               ? labels->texts[i - 1]
                               : sample_text(categories, i - 1, sample, labels->is_beam);
        if (text.len > 0) {
            frames[cnt++] = (struct frame){.name = text, .file = TEXT("process")};
        }
    }
    return cnt;
}
