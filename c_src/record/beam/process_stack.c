// SPDX-License-Identifier: Apache-2.0
#include "record/beam/process_stack.h"

#include "capture/beam/process_status.h"
#include "record/beam/erlang_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXTRA_FRAMES = 2 + PROCESS_CATEGORY_CNT }; // gap, state, categories

struct builder {
    struct process_stack *stack;
    const struct process_sample *raw;
    uint64_t last_function;
};

bool process_stack_init(struct process_stack *stack, const struct process_stack_sources *sources,
                        uint32_t max_frames)
{
    *stack = (struct process_stack){.sources = *sources};
    stack->frames = calloc((size_t)max_frames + EXTRA_FRAMES, sizeof *stack->frames);
    return stack->frames != NULL;
}

void process_stack_deinit(struct process_stack *stack)
{
    free(stack->frames);
    stack->frames = NULL;
}

static void add(struct builder *builder, struct frame frame)
{
    builder->stack->frames[builder->stack->frame_cnt++] = frame;
}

static void add_note(struct builder *builder, struct text name, struct text file)
{
    add(builder, (struct frame){.name = name, .file = file});
}

static void add_address(struct builder *builder, uint32_t i)
{
    const struct process_stack_sources *sources = &builder->stack->sources;
    const struct erlang_frames frames = {
        .code = sources->code,
        .generation = builder->raw->code_generation,
        .flatten_recursive = sources->flatten_recursive,
        .last_function = &builder->last_function,
    };
    struct frame frame;
    enum erlang_frame kind = erlang_frame_at(&frames, builder->raw->frames[i], i > 0, &frame);
    if (kind != ERLANG_FRAME_NONE) {
        builder->stack->has_unknown |= kind == ERLANG_FRAME_UNKNOWN;
        add(builder, frame);
    }
}

static void add_gap(struct builder *builder)
{
    char *text = builder->stack->gap_text;
    size_t text_bytes = sizeof builder->stack->gap_text;
    uint32_t cnt = builder->raw->gap_frames;
    if (cnt == GAP_FRAMES_UNKNOWN) {
        (void)snprintf(text, text_bytes, "[frames omitted]");
    } else {
        (void)snprintf(text, text_bytes, "[%u frames omitted]", cnt);
    }
    add_note(builder, text_of(text), TEXT("truncated"));
    builder->last_function = 0;
}

static void add_state(struct builder *builder)
{
    if (builder->raw->stack == STACK_PARTIAL) {
        add_note(builder, TEXT("[on a scheduler, stack may lag]"), TEXT("beam"));
    } else if (builder->raw->stack == STACK_MISSING) {
        bool exiting = builder->raw->status == PROCESS_EXITING;
        bool collecting = builder->raw->status == PROCESS_GARBAGE_COLLECTING;
        add_note(builder,
                 exiting      ? TEXT("[exiting]")
                 : collecting ? TEXT("[garbage collecting]")
                              : TEXT("[stack not readable]"),
                 TEXT("beam"));
    }
}

static void add_categories(struct builder *builder)
{
    struct process_stack *stack = builder->stack;
    const struct process_stack_sources *sources = &stack->sources;
    const struct process_sample *raw = builder->raw;
    struct process_category_facts facts = {
        .name = raw->name,
        .status = text_of(process_status_name((enum process_status)raw->status)),
        .is_process = true,
        .memory_bytes = raw->metrics[BEAM_METRIC_MEMORY].value,
        .mailbox_len = raw->metrics[BEAM_METRIC_MESSAGE_QUEUE_LEN].value,
        .state_flags = raw->state_flags,
        .node = sources->node,
        .label = process_sample_label(raw),
        .label_cnt = raw->label_cnt,
        .parent = raw->parent,
        .ancestors = raw->ancestors,
        .application = application_table_find(sources->applications, raw->group_leader),
    };
    memcpy(facts.initial, raw->initial, sizeof facts.initial);
    stack->frame_cnt +=
        process_categories_frames(sources->categories, &facts, sources->names,
                                  &stack->frames[stack->frame_cnt], &stack->has_unknown);
}

void process_stack_build(struct process_stack *stack, const struct process_sample *raw)
{
    struct builder builder = {.stack = stack, .raw = raw};
    stack->frame_cnt = 0;
    stack->has_unknown = false;
    add_state(&builder);
    for (uint32_t i = 0; i <= raw->frame_cnt; i++) {
        if (raw->gap_frames != 0 && i == raw->gap_at) {
            add_gap(&builder);
        }
        if (i < raw->frame_cnt) {
            add_address(&builder, i);
        }
    }
    add_categories(&builder);
}
