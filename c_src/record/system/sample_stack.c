// SPDX-License-Identifier: Apache-2.0
#include "record/system/sample_stack.h"

// Of which file of which output.
static uint64_t file_of(const struct event_output *output)
{
    return (uint64_t)output->event << 32 | output->output.begun_cnt;
}

static bool may_keep(const struct sample_stack *stack, const struct system_sample *sample,
                     uint64_t owner)
{
    bool is_owned = owner != 0 || sample->user_cnt == 0;
    return is_owned && stack->named.inlined_cnt < FRAME_NAMES_MAX_INLINED;
}

// The part that begins at `next`, from the one that begins at `from` and at the frame `end`.
static void extend(struct known_part *part, const struct named_stack *named, uint32_t next,
                   uint32_t from, uint32_t end)
{
    for (uint32_t i = next; i < from; i++) {
        const struct named_place *place = &named->places[i];
        part->unnamed_cnt += place->is_named ? 0 : 1;
        part->good_until_ns =
            place->good_until_ns < part->good_until_ns ? place->good_until_ns : part->good_until_ns;
    }
    part->frame_cnt += (uint16_t)(end - named->places[next].first_frame);
}

// From the known part towards the leaf. Where the file has no room for another frame nothing
// is kept.
static void number_parts(struct sample_stack *stack, struct known_stacks *known,
                         struct event_output *output, uint32_t number, struct known_part *part,
                         bool keeps)
{
    const struct named_stack *named = &stack->named;
    uint32_t end = named->frame_cnt;
    uint32_t from = named->place_cnt;
    for (; number > 0; number--) {
        uint32_t next = stack_part_begin(number - 1);
        uint32_t first = named->places[next].first_frame;
        uint32_t below = part->number;
        part->number = recording_stack(&output->output, below, &named->frames[first], end - first);
        extend(part, named, next, from, end);
        keeps = keeps && part->number != below;
        if (keeps && part->good_until_ns > 0) {
            known_stacks_put(known, number - 1, part);
        }
        from = next;
        end = first;
    }
}

static void name_all(struct sample_stack *stack, struct frame_names *names,
                     const struct system_sample *sample)
{
    (void)frame_names_go_on(names, sample->kernel_cnt + sample->user_cnt, &stack->named);
    stack->number = 0;
    stack->frame_cnt = stack->named.frame_cnt;
    stack->unnamed_cnt = stack->named.unnamed_cnt;
}

// How many of a stack's addresses are in front of a part of it.
static uint32_t addresses_before(const struct stack_hashes *hashes, uint32_t part)
{
    uint32_t begin = stack_part_begin(part);
    return begin < hashes->address_cnt ? begin : hashes->address_cnt;
}

void sample_stack_name(struct sample_stack *stack, struct frame_names *names,
                       struct known_stacks *known, struct event_output *output,
                       const struct system_sample *sample, const struct stack_hashes *hashes,
                       uint64_t now_ns)
{
    struct known_part part;
    uint64_t owner = frame_names_begin(names, sample, now_ns);
    if (!recording_numbers_stacks(&output->output)) {
        name_all(stack, names, sample);
        return;
    }
    known_stacks_begin(known, hashes, owner, file_of(output));
    uint32_t number = known_stacks_find(known, now_ns, &part);
    bool is_same =
        frame_names_go_on(names, addresses_before(hashes, number), &stack->named) == owner;
    number_parts(stack, known, output, number, &part, is_same && may_keep(stack, sample, owner));
    stack->number = part.number;
    stack->frame_cnt = part.frame_cnt;
    stack->unnamed_cnt = part.unnamed_cnt;
}

struct frame *sample_stack_frames(struct sample_stack *stack, uint32_t *cnt_ret)
{
    *cnt_ret = stack->number == 0 ? stack->named.frame_cnt : 0;
    return stack->named.frames;
}
