// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/selection_criterion.h"

#include "capture/beam/message_data.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_FIELDS = 16,
    // Words that lie between two fields read together; about what another read costs.
    MAX_GAP_WORDS = 8,
    // No heap is larger; beyond it the VM was just replacing it.
    MAX_HEAP_WORDS_LOG2 = 40,
};

static const char *const NAMES[] = {
#define SELECTION_NAME(id, name) [id] = (name),
    SELECTION_CRITERIA(SELECTION_NAME)
#undef SELECTION_NAME
};

static const enum layout_field QUEUE_FIELDS[] = {LAYOUT_MSGQ_LEN, LAYOUT_INQ_LEN};
static const enum layout_field MEMORY_FIELDS[] = {LAYOUT_HEAP_SZ, LAYOUT_OLD_HEND, LAYOUT_OLD_HEAP,
                                                  LAYOUT_MBUF_SZ, LAYOUT_MSGQ_LEN};
static const enum layout_field BINARY_FIELDS[] = {LAYOUT_OVERHEAD, LAYOUT_BIN_OLD_VHEAP};
static const enum layout_field REDUCTION_FIELDS[] = {LAYOUT_REDS};

#define FIELDS(fields)                                                                             \
    {                                                                                              \
        (fields), sizeof(fields) / sizeof((fields)[0])                                             \
    }

static const struct {
    const enum layout_field *fields;
    size_t cnt;
} NEEDED[SELECTION_CRITERION_CNT] = {
    [SELECT_BY_REDUCTIONS] = FIELDS(REDUCTION_FIELDS),
    [SELECT_BY_MESSAGE_QUEUE_LEN] = FIELDS(QUEUE_FIELDS),
    [SELECT_BY_MESSAGE_QUEUE_GROWTH] = FIELDS(QUEUE_FIELDS),
    [SELECT_BY_MEMORY] = FIELDS(MEMORY_FIELDS),
    [SELECT_BY_BINARY_VHEAP] = FIELDS(BINARY_FIELDS),
    [SELECT_BY_CPU] = {NULL, 0},
};

const char *selection_criterion_name(enum selection_criterion criterion)
{
    return (unsigned)criterion < SELECTION_CRITERION_CNT ? NAMES[criterion] : "unknown";
}

bool selection_criterion_named(const char *name, enum selection_criterion *criterion_ret)
{
    for (int i = 0; i < SELECTION_CRITERION_CNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *criterion_ret = (enum selection_criterion)i;
            return true;
        }
    }
    return false;
}

struct planned_field {
    enum layout_field field;
    int32_t offset;
};

static int by_offset(const void *a, const void *b)
{
    const struct planned_field *left = a;
    const struct planned_field *right = b;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static void add_field(struct planned_field *planned, size_t *cnt, const struct otp_layout *layout,
                      enum layout_field field)
{
    for (size_t i = 0; i < *cnt; i++) {
        if (planned[i].field == field) {
            return;
        }
    }
    assert(*cnt < MAX_FIELDS);
    planned[(*cnt)++] = (struct planned_field){field, layout->offset[field]};
}

static size_t needed_fields(struct planned_field *planned, const struct otp_layout *layout,
                            unsigned criteria)
{
    size_t cnt = 0;
    add_field(planned, &cnt, layout, LAYOUT_ID);
    for (int i = 0; i < SELECTION_CRITERION_CNT; i++) {
        for (size_t k = 0; (criteria >> i & 1) != 0 && k < NEEDED[i].cnt; k++) {
            add_field(planned, &cnt, layout, NEEDED[i].fields[k]);
        }
    }
    qsort(planned, cnt, sizeof *planned, by_offset);
    return cnt;
}

static bool extends(const struct selection_range *range, int32_t offset)
{
    return offset <= range->offset + 8 * (int32_t)(range->word_cnt + MAX_GAP_WORDS);
}

void selection_plan_init(struct selection_plan *plan, const struct otp_layout *layout,
                         unsigned criteria)
{
    struct planned_field planned[MAX_FIELDS];
    size_t cnt = needed_fields(planned, layout, criteria);
    struct selection_range *range = NULL;
    *plan = (struct selection_plan){0};
    for (size_t i = 0; i < cnt; i++) {
        if (range == NULL || !extends(range, planned[i].offset)) {
            assert(plan->range_cnt < SELECTION_MAX_RANGES);
            range = &plan->ranges[plan->range_cnt++];
            *range = (struct selection_range){planned[i].offset, 0, plan->word_cnt};
        }
        uint32_t word = (uint32_t)(planned[i].offset - range->offset) / 8;
        range->word_cnt = word + 1;
        plan->at[planned[i].field] = (uint8_t)(range->at + word);
        plan->word_cnt = range->at + range->word_cnt;
    }
    assert(plan->word_cnt <= SELECTION_MAX_WORDS);
}

uint64_t selection_queue_len(const struct selection_plan *plan, const uint64_t *image)
{
    // Either part may be an offset, negative while signals are in transit.
    int64_t sum = (int64_t)(selection_word(plan, image, LAYOUT_MSGQ_LEN) +
                            selection_word(plan, image, LAYOUT_INQ_LEN));
    return sum < 0 ? 0 : (uint64_t)sum;
}

// 0 for what cannot be: the VM was at it while it was read.
static uint64_t heap_words(uint64_t words)
{
    return words >> MAX_HEAP_WORDS_LOG2 == 0 ? words : 0;
}

// Only processes that have messages pay for a look at them.
static uint64_t message_bytes(const struct otp_layout *layout, struct memory_reader *reader,
                              uint64_t address, uint64_t len)
{
    uint64_t first = 0;
    uint64_t field = address + (uint64_t)layout->offset[LAYOUT_MSGQ_FIRST];
    if (!memory_reader_words(reader, field, &first, 1)) {
        return 0;
    }
    struct message_data data = message_data_read(reader, first);
    uint64_t looked_at = len < MESSAGE_DATA_MAX_MESSAGES ? len : MESSAGE_DATA_MAX_MESSAGES;
    uint64_t bytes_each = heap_words((uint64_t)data.words) * 8 / looked_at;
    return len * (bytes_each + layout->message_bytes);
}

uint64_t selection_memory_bytes(const struct selection_plan *plan, const struct otp_layout *layout,
                                struct memory_reader *reader, uint64_t address,
                                const uint64_t *image)
{
    uint64_t old_heap = selection_word(plan, image, LAYOUT_OLD_HEAP);
    uint64_t old_hend = selection_word(plan, image, LAYOUT_OLD_HEND);
    uint64_t words = heap_words(selection_word(plan, image, LAYOUT_HEAP_SZ)) +
                     heap_words(selection_word(plan, image, LAYOUT_MBUF_SZ));
    if (old_heap != 0 && old_hend > old_heap) {
        words += heap_words((old_hend - old_heap) / 8);
    }
    int64_t queued = (int64_t)selection_word(plan, image, LAYOUT_MSGQ_LEN);
    bool some = queued > 0 && queued <= UINT32_MAX;
    return words * 8 + (some ? message_bytes(layout, reader, address, (uint64_t)queued) : 0);
}

uint64_t selection_binary_vheap_words(const struct selection_plan *plan, const uint64_t *image)
{
    return heap_words(selection_word(plan, image, LAYOUT_OVERHEAD)) +
           heap_words(selection_word(plan, image, LAYOUT_BIN_OLD_VHEAP));
}
