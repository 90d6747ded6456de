// SPDX-License-Identifier: Apache-2.0
// Google's Trace Event Format. What weighs is in `stackFrames` and `samples`, which
// chrome://tracing shows; the same stacks are there as ProfileChunk events, as Chrome's own
// profiler writes them, for Perfetto, speedscope and DevTools, which read nothing else.
// Times are in microseconds. A weight with a sign is two samples, of `X_inc` and `X_dec`.
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#include "export/export_format.h"
#include "export/local_ids.h"
#include "export/stack_tree.h"
#include "export/text_output.h"
#include "export/thread_rows.h"
#include "export/weight_list.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CHUNK_SAMPLES = 4096 };

struct trace {
    const struct selection *selection;
    const struct profile *profile;
    struct weight_list weights;
    struct sample_groups groups;
    struct stack_tree tree;
    struct thread_rows rows;
    struct local_ids nodes; // told of the present thread
    uint32_t *path;
    uint64_t event_cnt;
    struct text_output text;
};

static void write_us(struct text_output *text, uint64_t ns)
{
    uint32_t rest = (uint32_t)(ns % CLOCK_NS_PER_US);
    text_output_u64(text, ns / CLOCK_NS_PER_US);
    if (rest != 0) {
        char digits[] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                         (char)('0' + rest % 10)};
        text_output_text(text, (struct text){digits, sizeof digits});
    }
}

static void open_event(struct trace *trace, const struct thread_rows_thread *thread,
                       const char *name, const char *phase)
{
    text_output_format(
        &trace->text, "%s\n{\"name\":\"%s\",\"ph\":\"%s\",\"pid\":%" PRId64 ",\"tid\":%" PRId64,
        trace->event_cnt++ == 0 ? "" : ",", name, phase, thread_rows_pid(&trace->rows, thread),
        thread_rows_tid(&trace->rows, thread));
}

static uint32_t leaf_of(const struct trace *trace, uint64_t row)
{
    return trace->tree.leaf_of_group[trace->groups.of_row[row - trace->selection->first]];
}

// --- for Perfetto and its like ------------------------------------------------

// Node 1 is the root that such profiles have; others follow.
static void write_node(struct trace *trace, uint32_t node, const char *before)
{
    char digits[PROFILE_DIGITS_BYTES];
    const struct stack_tree_node *of = &trace->tree.nodes[node];
    const struct profile_frame *code = stack_tree_code(&trace->tree, of->frame);
    text_output_string(&trace->text, before);
    text_output_string(&trace->text, "\n{\"id\":");
    text_output_u64(&trace->text, node + 1);
    text_output_string(&trace->text, ",\"parent\":");
    text_output_u64(&trace->text, of->parent + 1);
    text_output_string(&trace->text, ",\"callFrame\":{\"functionName\":");
    text_output_json(&trace->text, stack_tree_name(&trace->tree, of->frame, digits));
    text_output_string(&trace->text, ",\"scriptId\":0,\"codeType\":\"other\",\"url\":");
    text_output_json(&trace->text, profile_text(trace->profile, code->file));
    if (code->line > 0) {
        text_output_string(&trace->text, ",\"lineNumber\":");
        text_output_u64(&trace->text, code->line - 1);
        text_output_string(&trace->text, ",\"columnNumber\":0");
    }
    text_output_string(&trace->text, "}}");
}

static void write_nodes(struct trace *trace, const uint64_t *rows, uint64_t cnt, bool is_first)
{
    const char *before = "";
    if (is_first) {
        text_output_string(&trace->text, "{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\","
                                         "\"scriptId\":0,\"codeType\":\"other\",\"url\":\"\"}}");
        before = ",";
    }
    for (uint64_t i = 0; i < cnt; i++) {
        uint32_t depth = 0;
        uint32_t node = leaf_of(trace, rows[i]);
        for (; node != 0 && !local_ids_has(&trace->nodes, node);
             node = trace->tree.nodes[node].parent) {
            trace->path[depth++] = node;
        }
        while (depth > 0) {
            node = trace->path[--depth];
            (void)local_ids_of(&trace->nodes, node);
            write_node(trace, node, before);
            before = ",";
        }
    }
}

static void write_chunk(struct trace *trace, const struct thread_rows_thread *thread, uint32_t id,
                        uint64_t done, uint64_t cnt)
{
    const uint64_t *rows = trace->rows.rows + thread->first + done;
    const uint64_t *times = trace->profile->time_ns;
    uint64_t last_us = times[done == 0 ? rows[0] : rows[-1]] / CLOCK_NS_PER_US;
    open_event(trace, thread, "ProfileChunk", "P");
    text_output_string(&trace->text, ",\"cat\":\"disabled-by-default-v8.cpu_profiler\",\"ts\":");
    text_output_u64(&trace->text, last_us);
    text_output_format(&trace->text,
                       ",\"id\":\"0x%x\",\"args\":{\"data\":{\"cpuProfile\":{\"nodes\":[", id);
    write_nodes(trace, rows, cnt, done == 0);
    text_output_string(&trace->text, "],\"samples\":[");
    for (uint64_t i = 0; i < cnt; i++) {
        text_output_string(&trace->text, i == 0 ? "" : ",");
        text_output_u64(&trace->text, leaf_of(trace, rows[i]) + 1);
    }
    text_output_string(&trace->text, "]},\"timeDeltas\":[");
    for (uint64_t i = 0; i < cnt; i++) {
        uint64_t us = times[rows[i]] / CLOCK_NS_PER_US;
        text_output_string(&trace->text, i == 0 ? "" : ",");
        text_output_u64(&trace->text, us - last_us);
        last_us = us;
    }
    text_output_string(&trace->text, "]}}}");
}

static void write_thread(struct trace *trace, const struct thread_rows_thread *thread, uint32_t id)
{
    char digits[THREAD_ROWS_NAME_BYTES];
    uint64_t first_us = trace->profile->time_ns[trace->rows.rows[thread->first]] / CLOCK_NS_PER_US;
    local_ids_clear(&trace->nodes);
    open_event(trace, thread, "thread_name", "M");
    text_output_string(&trace->text, ",\"ts\":0,\"args\":{\"name\":");
    text_output_json(&trace->text, thread_rows_name(&trace->rows, thread, digits));
    text_output_string(&trace->text, "}}");
    open_event(trace, thread, "Profile", "P");
    text_output_format(&trace->text,
                       ",\"cat\":\"disabled-by-default-v8.cpu_profiler\",\"ts\":%" PRIu64
                       ",\"id\":\"0x%x\",\"args\":{\"data\":{\"startTime\":%" PRIu64 "}}}",
                       first_us, id, first_us);
    for (uint64_t done = 0; done < thread->cnt; done += CHUNK_SAMPLES) {
        uint64_t left = thread->cnt - done;
        write_chunk(trace, thread, id, done, left < CHUNK_SAMPLES ? left : CHUNK_SAMPLES);
    }
}

// --- for chrome://tracing -----------------------------------------------------

static void write_frames(struct trace *trace)
{
    char digits[PROFILE_DIGITS_BYTES];
    text_output_string(&trace->text, "],\n\"stackFrames\":{");
    for (uint32_t i = 1; i < trace->tree.node_cnt; i++) {
        const struct stack_tree_node *node = &trace->tree.nodes[i];
        const struct profile_frame *code = stack_tree_code(&trace->tree, node->frame);
        struct text file = profile_text(trace->profile, code->file);
        text_output_string(&trace->text, i == 1 ? "\n\"" : ",\n\"");
        text_output_u64(&trace->text, i);
        text_output_string(&trace->text, "\":{\"category\":");
        text_output_json(&trace->text,
                         file.len > 0 ? file : text_of(profile_frame_kind_name(code->kind)));
        text_output_string(&trace->text, ",\"name\":");
        text_output_json(&trace->text, stack_tree_name(&trace->tree, node->frame, digits));
        if (node->parent != 0) {
            text_output_string(&trace->text, ",\"parent\":\"");
            text_output_u64(&trace->text, node->parent);
            text_output_char(&trace->text, '"');
        }
        text_output_char(&trace->text, '}');
    }
    text_output_string(&trace->text, "},\n\"samples\":[");
}

static int64_t number_of(const struct trace *trace, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(trace->profile, dimension, row);
    return code == 0 ? 0 : trace->profile->dimensions[dimension].values[code];
}

static void write_sample(struct trace *trace, uint64_t row, int64_t weight, struct text name)
{
    uint32_t leaf = leaf_of(trace, row);
    text_output_string(&trace->text, trace->event_cnt++ == 0 ? "\n{\"cpu\":" : ",\n{\"cpu\":");
    text_output_i64(&trace->text, number_of(trace, PROFILE_CPU, row));
    text_output_string(&trace->text, ",\"tid\":");
    text_output_i64(&trace->text, number_of(trace, PROFILE_TID, row));
    text_output_string(&trace->text, ",\"ts\":");
    write_us(&trace->text, trace->profile->time_ns[row]);
    text_output_string(&trace->text, ",\"name\":");
    text_output_json(&trace->text, name);
    if (leaf != 0) {
        text_output_string(&trace->text, ",\"sf\":");
        text_output_u64(&trace->text, leaf);
    }
    text_output_string(&trace->text, ",\"weight\":");
    text_output_i64(&trace->text, weight);
    text_output_char(&trace->text, '}');
}

static bool write_samples(struct trace *trace, struct weight weight, struct error *err)
{
    struct weight_reader reader;
    char name[WEIGHT_NAME_BYTES];
    const struct selection *selection = trace->selection;
    struct text called = text_of(weight_list_name(trace->profile, weight, name));
    bool is_part = weight.form == WEIGHT_INCREASE || weight.form == WEIGHT_DECREASE;
    if (!weight_open(trace->profile, weight, &reader, err)) {
        return false;
    }
    for (uint64_t row = selection->first; row < selection->end; row++) {
        int64_t value = 0;
        if (selection_has(selection, row) && weight_is_present(&reader, row)) {
            weight_read(&reader, row, 1, &value);
            if (!is_part || value != 0) {
                write_sample(trace, row, value, called);
            }
        }
    }
    return true;
}

// --- all of it ----------------------------------------------------------------

static bool write_all(struct trace *trace, struct error *err)
{
    text_output_string(&trace->text, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"version\":"
                                     "\"flame_prof\",\"hostname\":");
    text_output_json(&trace->text, profile_fact(trace->profile, 0, TEXT("hostname")));
    text_output_string(&trace->text, "},\n\"traceEvents\":[");
    for (uint32_t i = 0; i < trace->rows.cnt; i++) {
        write_thread(trace, &trace->rows.threads[i], i + 1);
    }
    write_frames(trace);
    trace->event_cnt = 0;
    for (uint32_t i = 0; i < trace->weights.cnt; i++) {
        if (!write_samples(trace, trace->weights.weights[i], err)) {
            return false;
        }
    }
    text_output_string(&trace->text, "]}\n");
    return text_output_finish(&trace->text);
}

static bool prepare(struct trace *trace)
{
    if (!stack_tree_init(&trace->tree, &trace->groups) ||
        !thread_rows_init(&trace->rows, trace->selection, UINT32_MAX)) {
        return false;
    }
    trace->path = malloc(((size_t)trace->tree.node_cnt + 1) * sizeof *trace->path);
    return trace->path != NULL && local_ids_init(&trace->nodes, trace->tree.node_cnt);
}

bool export_chrome_trace(const struct export_request *request, const struct byte_output *output,
                         struct error *err)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    trace->selection = request->selection;
    trace->profile = request->selection->profile;
    text_output_init(&trace->text, output, err);
    weight_list_one(&trace->weights, request);
    bool ok = sample_groups_init(&trace->groups, request->selection, request->flame.dimensions,
                                 request->flame.dimension_cnt, err);
    if (ok && !prepare(trace)) {
        ok = error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    ok = ok && write_all(trace, err);
    local_ids_deinit(&trace->nodes);
    stack_tree_deinit(&trace->tree);
    thread_rows_deinit(&trace->rows);
    sample_groups_deinit(&trace->groups);
    free(trace->path);
    free(trace);
    return ok;
}
