// SPDX-License-Identifier: Apache-2.0
#include "sinks/capture_sink.h"

#include "model/category_frame.h"
#include "model/first_word.h"
#include "model/profile_builder.h"
#include "sinks/seen_name.h"
#include "sinks/session_facts.h"
#include "store/capture_format.h"
#include "store/capture_writer.h"

#include <stdlib.h>

enum {
    STACK_SLOTS = 4096, // powers of two
    FRAME_SETS = 8192,
    CATEGORY_SLOTS = 1024,
    WORD_SLOTS = 64,
    THREAD_SLOTS = 1024,
    MAX_CATEGORIES = 16,
    BATCH_ROWS = 65536,
};
#define MAX_BYTES (256ULL << 20)        // names and samples of one file, in memory
#define MAX_CATEGORY_BYTES (1ULL << 20) // texts of category frames beside them

struct category_code {
    uint32_t dimension;
    uint32_t code;
};

struct frame_slot {
    struct seen_place place;
    frame_id id; // 0 = free
};

struct thread_slot {
    uint32_t tid;
    uint32_t code; // 0 = free
};

struct capture_sink {
    struct profile_builder *builder;
    struct capture_writer *writer;
    struct byte_buffer *out; // of the present call
    int metrics[METRIC_MAX_CNT];
    uint32_t event_code;
    enum profile_dimension_idx first_word;
    struct string_table *category_names; // as they stand in stacks
    struct seen_name categories[CATEGORY_SLOTS];
    struct frame_slot frames[FRAME_SETS][2]; // who was asked for last comes first
    struct seen_name words[WORD_SLOTS];
    struct thread_slot threads[THREAD_SLOTS];
    stack_id stacks[STACK_SLOTS];
};

static bool take_batch(void *context, struct profile *batch, struct error *err)
{
    struct capture_sink *sink = context;
    return capture_writer_batch(sink->writer, batch, sink->out) ||
           error_set(err, ERROR_NO_MEMORY, "output: no memory for a chunk");
}

static void *capture_create(void)
{
    struct capture_sink *sink = calloc(1, sizeof *sink);
    if (sink != NULL) {
        sink->writer = capture_writer_create();
    }
    if (sink == NULL || sink->writer == NULL) {
        free(sink);
        return NULL;
    }
    return sink;
}

static void forget(struct capture_sink *sink)
{
    profile_builder_destroy(sink->builder);
    sink->builder = NULL;
    string_table_destroy(sink->category_names);
    sink->category_names = NULL;
    memset(sink->categories, 0, sizeof sink->categories);
    memset(sink->frames, 0, sizeof sink->frames);
    memset(sink->words, 0, sizeof sink->words);
    memset(sink->threads, 0, sizeof sink->threads);
    memset(sink->stacks, 0, sizeof sink->stacks);
}

static void capture_destroy(void *state)
{
    struct capture_sink *sink = state;
    if (sink != NULL) {
        forget(sink);
        capture_writer_destroy(sink->writer);
    }
    free(sink);
}

// --- a new file ---------------------------------------------------------------

static void add_fact(void *context, const char *key, const char *value)
{
    profile_builder_fact(context, text_of(key), text_of(value));
}

static bool capture_begin(void *state, struct byte_buffer *out, const struct session *session)
{
    struct capture_sink *sink = state;
    struct profile_builder_options options = {.max_bytes = MAX_BYTES,
                                              .batch = take_batch,
                                              .batch_context = sink,
                                              .batch_rows = BATCH_ROWS};
    struct text event = text_of(session->event_name);
    forget(sink);
    sink->out = out;
    sink->builder = profile_builder_create(&options);
    sink->category_names = string_table_create(MAX_CATEGORY_BYTES);
    if (sink->builder == NULL || sink->category_names == NULL) {
        return false;
    }
    (void)profile_builder_source(sink->builder, event);
    session_facts_head(session, add_fact, sink->builder);
    for (uint32_t i = 0; i < session->metric_cnt; i++) {
        sink->metrics[i] =
            profile_builder_metric(sink->builder, text_of(session->metric_names[i]), TEXT(""));
    }
    struct text metric = session->metric_cnt == 0 ? TEXT("") : text_of(session->metric_names[0]);
    sink->first_word = first_word_of(event, metric);
    sink->event_code = profile_builder_text(sink->builder, PROFILE_EVENT, event);
    return capture_writer_begin(sink->writer, out) && profile_builder_flush(sink->builder, NULL);
}

// --- stacks -------------------------------------------------------------------

static const struct profile_dictionary *dictionary_of(struct capture_sink *sink)
{
    return &profile_builder_profile(sink->builder)->dictionary;
}

static bool is_frame(const struct profile_dictionary *dictionary, frame_id id,
                     const struct frame *frame)
{
    const struct profile_frame *known = &dictionary->frames[id];
    return id != 0 && known->line == frame->line &&
           text_equal(profile_dictionary_text(dictionary, known->name), frame->name) &&
           text_equal(profile_dictionary_text(dictionary, known->file), frame->file);
}

static frame_id make_frame(struct capture_sink *sink, const struct frame *frame)
{
    struct profile_frame made = {
        .address = frame->address,
        .name = profile_builder_string(sink->builder, frame->name),
        .file = profile_builder_string(sink->builder, frame->file),
        .line = frame->line,
    };
    return profile_dictionary_frame(&profile_builder_profile(sink->builder)->dictionary, &made);
}

static bool slot_is(const struct frame_slot *slot, const struct frame *frame)
{
    return slot->id != 0 && seen_place_is(&slot->place, frame);
}

// By its texts: those of the first one may have another place now.
static frame_id look_up_frame(struct capture_sink *sink, struct frame_slot set[2],
                              const struct frame *frame)
{
    struct frame_slot slot = {.place = seen_place_of(frame), .id = set[0].id};
    if (!is_frame(dictionary_of(sink), slot.id, frame)) {
        slot.id = make_frame(sink, frame);
        set[1] = set[0];
    }
    set[0] = slot;
    return slot.id;
}

static frame_id other_frame(struct capture_sink *sink, struct frame_slot set[2],
                            const struct frame *frame)
{
    struct frame_slot second = set[1];
    if (!slot_is(&second, frame)) {
        return look_up_frame(sink, set, frame);
    }
    set[1] = set[0];
    set[0] = second;
    return second.id;
}

static inline frame_id frame_of(struct capture_sink *sink, const struct frame *frame)
{
    struct frame_slot *set = sink->frames[seen_name_hash(frame) % FRAME_SETS];
    return slot_is(&set[0], frame) ? set[0].id : other_frame(sink, set, frame);
}

static bool is_stack(struct capture_sink *sink, stack_id stack, const struct frame *frames,
                     uint32_t cnt)
{
    const struct profile_node *nodes = dictionary_of(sink)->nodes;
    uint32_t i = 0;
    for (; i < cnt && stack != 0; i++) {
        if (nodes[stack].frame != frame_of(sink, &frames[i])) {
            return false;
        }
        stack = nodes[stack].parent;
    }
    return i == cnt && stack == 0;
}

static uint32_t capture_stack(void *state, uint32_t below, const struct frame *frames,
                              uint32_t frame_cnt)
{
    struct capture_sink *sink = state;
    struct profile_dictionary *dictionary = &profile_builder_profile(sink->builder)->dictionary;
    stack_id stack = below;
    for (uint32_t i = frame_cnt; i > 0; i--) {
        stack = profile_dictionary_stack(dictionary, stack, frame_of(sink, &frames[i - 1]));
    }
    return stack;
}

static stack_id stack_of(struct capture_sink *sink, const struct frame *frames, uint32_t cnt)
{
    uint32_t hash = cnt;
    for (uint32_t i = 0; i < cnt; i++) {
        hash = hash * 31 + seen_name_hash(&frames[i]);
    }
    stack_id *slot = &sink->stacks[hash % STACK_SLOTS];
    if (!is_stack(sink, *slot, frames, cnt)) {
        *slot = capture_stack(sink, 0, frames, cnt);
    }
    return *slot;
}

// --- categories ---------------------------------------------------------------

// False when the frame is code, or there are too many kinds.
static bool make_category(struct capture_sink *sink, const struct frame *frame,
                          struct seen_name *seen)
{
    struct category category;
    if (!category_frame_parse(frame->name, frame->file, &category)) {
        return false;
    }
    int dimension =
        profile_builder_dimension(sink->builder, category.kind, PROFILE_DIMENSION_TEXT, true);
    if (dimension == PROFILE_NONE ||
        profile_builder_profile(sink->builder)->dimensions[dimension].kind !=
            PROFILE_DIMENSION_TEXT) {
        return false;
    }
    struct string_table *names = sink->category_names;
    *seen = (struct seen_name){
        .place = seen_place_of(frame),
        .name = string_table_text(names, string_table_intern(names, frame->name)),
        .file = string_table_text(names, string_table_intern(names, frame->file)),
        .id = profile_builder_text(sink->builder, (uint32_t)dimension, category.value),
        .dimension = (uint32_t)dimension,
    };
    return true;
}

static inline bool category_of(struct capture_sink *sink, const struct frame *frame,
                               struct category_code *found)
{
    struct seen_name *seen = &sink->categories[seen_name_hash(frame) % CATEGORY_SLOTS];
    if (!category_frame_possible(frame->name) ||
        (!seen_name_is(seen, frame) && !make_category(sink, frame, seen))) {
        return false;
    }
    *found = (struct category_code){seen->dimension, seen->id};
    return true;
}

// Those that stand outermost; returns how many frames are code.
static uint32_t split_categories(struct capture_sink *sink, const struct sample *sample,
                                 struct category_code *found, uint32_t *found_cnt)
{
    uint32_t cnt = sample->frame_cnt;
    *found_cnt = 0;
    while (cnt > 0 && *found_cnt < MAX_CATEGORIES &&
           category_of(sink, &sample->frames[cnt - 1], &found[*found_cnt])) {
        (*found_cnt)++;
        cnt--;
    }
    return cnt;
}

// --- samples ------------------------------------------------------------------

static uint32_t code_of_thread(struct capture_sink *sink, uint32_t tid)
{
    struct thread_slot *slot = &sink->threads[tid % THREAD_SLOTS];
    if (slot->code == 0 || slot->tid != tid) {
        *slot = (struct thread_slot){tid, profile_builder_number(sink->builder, PROFILE_TID, tid)};
    }
    return slot->code;
}

// By its bytes: those of a thread's name are elsewhere each time.
static uint32_t word_hash(struct text word)
{
    uint64_t head = 0;
    memcpy(&head, word.bytes, word.len < sizeof head ? word.len : sizeof head);
    return (uint32_t)((head ^ word.len) * 0x9E3779B97F4A7C15ULL >> 32);
}

static uint32_t code_of_word(struct capture_sink *sink, struct text word)
{
    struct frame frame = {.name = word};
    struct seen_name *seen = &sink->words[word_hash(word) % WORD_SLOTS];
    if (!seen_name_is(seen, &frame)) {
        struct profile_builder *builder = sink->builder;
        string_id id = profile_builder_string(builder, word);
        *seen = (struct seen_name){
            .name = profile_text(profile_builder_profile(builder), id),
            .id = profile_builder_text(builder, sink->first_word, word),
        };
    }
    return seen->id;
}

// Of a sample, in all dimensions. Returns how many of its frames are code.
static uint32_t make_codes(struct capture_sink *sink, const struct sample *sample,
                           uint32_t codes[PROFILE_MAX_DIMENSIONS])
{
    struct profile_builder *builder = sink->builder;
    struct category_code found[MAX_CATEGORIES];
    uint32_t found_cnt = 0;
    uint32_t code_cnt = split_categories(sink, sample, found, &found_cnt);
    memset(codes, 0, PROFILE_MAX_DIMENSIONS * sizeof *codes);
    codes[PROFILE_PID] = profile_builder_number(builder, PROFILE_PID, sample->pid);
    codes[PROFILE_TID] = code_of_thread(sink, sample->tid);
    codes[PROFILE_CPU] = profile_builder_number(builder, PROFILE_CPU, sample->cpu);
    codes[PROFILE_EVENT] = sink->event_code;
    codes[sink->first_word] = code_of_word(sink, sample->category);
    for (uint32_t i = 0; i < found_cnt; i++) {
        codes[found[i].dimension] = found[i].code;
    }
    return code_cnt;
}

static bool capture_sample(void *state, struct byte_buffer *out, const struct session *session,
                           const struct sample *sample)
{
    struct capture_sink *sink = state;
    struct profile_builder *builder = sink->builder;
    uint32_t codes[PROFILE_MAX_DIMENSIONS];
    sink->out = out;
    uint32_t code_cnt = make_codes(sink, sample, codes);
    stack_id stack = sample->stack != 0 ? sample->stack : stack_of(sink, sample->frames, code_cnt);
    profile_builder_begin_coded_row(builder, sample->time_ns, stack, (int64_t)sample->period_ns,
                                    codes);
    profile_builder_set_metrics(builder, session->metric_cnt, sink->metrics, sample->metrics);
    profile_builder_end_row(builder);
    return !out->overflowed;
}

static bool capture_note(void *state, struct byte_buffer *out, const char *key, const char *value)
{
    struct capture_sink *sink = state;
    (void)out;
    profile_builder_fact(sink->builder, text_of(key), text_of(value));
    return true;
}

static bool capture_flush(void *state, struct byte_buffer *out)
{
    struct capture_sink *sink = state;
    sink->out = out;
    return profile_builder_flush(sink->builder, NULL);
}

static uint64_t capture_held_bytes(const void *state)
{
    const struct capture_sink *sink = state;
    return sink->builder == NULL ? 0 : profile_memory_bytes(profile_builder_profile(sink->builder));
}

static void capture_synced(void *state, bool reached)
{
    struct capture_sink *sink = state;
    if (reached) {
        capture_writer_commit(sink->writer);
    } else {
        capture_writer_roll_back(sink->writer);
    }
}

static bool capture_end(void *state, struct byte_buffer *out, const struct session *session,
                        const struct file_summary *summary)
{
    struct capture_sink *sink = state;
    session_facts_foot(session, summary, add_fact, sink->builder);
    return capture_flush(sink, out) &&
           capture_writer_end(sink->writer, profile_builder_profile(sink->builder), out);
}

const struct sink CAPTURE_SINK = {
    .name = "capture",
    .suffix = CAPTURE_SUFFIX,
    .create = capture_create,
    .destroy = capture_destroy,
    .begin = capture_begin,
    .sample = capture_sample,
    .stack = capture_stack,
    .note = capture_note,
    .flush = capture_flush,
    .held_bytes = capture_held_bytes,
    .synced = capture_synced,
    .end = capture_end,
};
