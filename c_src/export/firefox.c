// SPDX-License-Identifier: Apache-2.0
// The processed format of Firefox Profiler, version 56 (its upgraders take it further): a
// track per thread or Erlang process, samples with their times, weighed by one metric;
// chosen categories are root frames. A weight with a sign is two tracks of each, `X_inc`
// and `X_dec`.
// https://github.com/firefox-devtools/profiler/blob/main/docs-developer/CHANGELOG-formats.md
#include "export/export_format.h"
#include "export/local_ids.h"
#include "export/object_file.h"
#include "export/stack_tree.h"
#include "export/text_output.h"
#include "export/thread_rows.h"
#include "export/weight_list.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FORMAT_VERSION = 56, MAX_THREADS = 250, NS_PER_MS = 1000000 };

struct firefox {
    const struct selection *selection;
    const struct profile *profile;
    struct weight_list weights;
    struct weight_reader reader; // of the present weight
    bool is_time;                // it is in nanoseconds: written as milliseconds
    bool is_part;                // X_inc or X_dec: samples without it are left out
    struct sample_groups groups;
    struct stack_tree tree;
    struct thread_rows rows;
    struct local_ids files;     // of all threads, by string_id
    struct local_ids libs;      // the same, of object files
    struct local_ids nodes;     // of one thread
    struct local_ids frames;    // of one thread
    struct local_ids functions; // of one thread
    struct local_ids resources; // of one thread, by number of the lib
    uint32_t *path;             // scratch
    uint64_t first_ns;
    struct text_output text;
};

static struct text_output *out(struct firefox *firefox)
{
    return &firefox->text;
}

static void comma(struct firefox *firefox, uint64_t idx)
{
    if (idx > 0) {
        text_output_char(out(firefox), ',');
    }
}

// Milliseconds with all their nanoseconds.
static void write_ms(struct firefox *firefox, int64_t ns)
{
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    text_output_format(out(firefox), "%s%" PRIu64, ns < 0 ? "-" : "", size / NS_PER_MS);
    if (size % NS_PER_MS != 0) {
        text_output_format(out(firefox), ".%06" PRIu64, size % NS_PER_MS);
    }
}

// The same `cnt` times, as an element of an object.
static void write_same(struct firefox *firefox, const char *key, const char *value, uint32_t cnt)
{
    text_output_format(out(firefox), ",\"%s\":[", key);
    for (uint32_t i = 0; i < cnt; i++) {
        comma(firefox, i);
        text_output_string(out(firefox), value);
    }
    text_output_char(out(firefox), ']');
}

// --- what all threads share ---------------------------------------------------

static uint64_t interval_ns(const struct profile *profile)
{
    static const char *const FACTS[] = {"process_interval_ns", "sample_interval_ns"};
    for (size_t i = 0; i < sizeof FACTS / sizeof FACTS[0]; i++) {
        struct text text = profile_fact(profile, 0, text_of(FACTS[i]));
        uint64_t ns = 0;
        for (uint32_t c = 0; c < text.len && c < 18 && text.bytes[c] >= '0' && text.bytes[c] <= '9';
             c++) {
            ns = ns * 10 + (uint64_t)(text.bytes[c] - '0');
        }
        if (ns > 0) {
            return ns;
        }
    }
    return 10 * (uint64_t)NS_PER_MS;
}

// In the order of enum profile_frame_kind.
static void write_categories(struct firefox *firefox)
{
    static const char *const CATEGORIES[PROFILE_FRAME_KIND_CNT][2] = {
        [PROFILE_FRAME_UNKNOWN] = {"Other", "grey"},
        [PROFILE_FRAME_NATIVE] = {"Native", "yellow"},
        [PROFILE_FRAME_KERNEL] = {"Kernel", "orange"},
        [PROFILE_FRAME_BEAM] = {"Erlang", "magenta"},
        [PROFILE_FRAME_JIT] = {"Generated code", "green"},
        [PROFILE_FRAME_INLINED] = {"Inlined", "lightblue"},
        [PROFILE_FRAME_NOTE] = {"Category", "blue"},
    };
    text_output_string(out(firefox), "\"categories\":[");
    for (uint32_t i = 0; i < PROFILE_FRAME_KIND_CNT; i++) {
        comma(firefox, i);
        text_output_format(out(firefox),
                           "{\"name\":\"%s\",\"color\":\"%s\",\"subcategories\":[\"Other\"]}",
                           CATEGORIES[i][0], CATEGORIES[i][1]);
    }
    text_output_string(out(firefox), "],");
}

static void write_meta(struct firefox *firefox)
{
    uint64_t last_ns = 0;
    selection_times(firefox->selection, &firefox->first_ns, &last_ns);
    text_output_string(out(firefox), "{\"meta\":{");
    write_categories(firefox);
    text_output_format(out(firefox),
                       "\"preprocessedProfileVersion\":%d,\"version\":30,"
                       "\"interval\":",
                       FORMAT_VERSION);
    write_ms(firefox, (int64_t)interval_ns(firefox->profile));
    text_output_string(out(firefox), ",\"startTime\":");
    write_ms(firefox, (int64_t)profile_unix_ns(firefox->profile, firefox->first_ns));
    text_output_string(out(firefox), ",\"profilingStartTime\":0,\"profilingEndTime\":");
    write_ms(firefox, (int64_t)(last_ns - firefox->first_ns));
    text_output_string(out(firefox), ",\"processType\":0,\"stackwalk\":1,\"debug\":false,"
                                     "\"product\":");
    struct text node = profile_fact(firefox->profile, 0, TEXT("node"));
    struct text host = profile_fact(firefox->profile, 0, TEXT("hostname"));
    struct text name = node.len > 0 ? node : host.len > 0 ? host : TEXT("flame_prof");
    text_output_json(out(firefox), name);
    text_output_string(out(firefox), ",\"importedFrom\":\"flame_prof\",\"oscpu\":");
    text_output_json(out(firefox), profile_fact(firefox->profile, 0, TEXT("os_release")));
    text_output_string(out(firefox),
                       ",\"symbolicated\":true,\"symbolicationNotSupported\":true,"
                       "\"usesOnlyOneStackType\":true,\"sourceCodeIsNotOnSearchfox\":true,"
                       "\"keepProfileThreadOrder\":true,\"markerSchema\":[],"
                       "\"extensions\":{\"baseURL\":[],\"id\":[],\"name\":[],\"length\":0},"
                       "\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\","
                       "\"threadCPUDelta\":\"ns\"}},\n");
}

static void write_lib(struct firefox *firefox, string_id file)
{
    struct object_file object = object_file_find(firefox->profile, file);
    struct text path = profile_text(firefox->profile, file);
    const char *slash = path.len == 0 ? NULL : memrchr(path.bytes, '/', path.len);
    uint32_t at = slash == NULL ? 0 : (uint32_t)(slash - path.bytes) + 1;
    struct text name = {path.bytes + at, path.len - at};
    text_output_string(out(firefox), "{\"arch\":\"\",\"name\":");
    text_output_json(out(firefox), name);
    text_output_string(out(firefox), ",\"debugName\":");
    text_output_json(out(firefox), name);
    text_output_string(out(firefox), ",\"path\":");
    text_output_json(out(firefox), path);
    text_output_string(out(firefox), ",\"debugPath\":");
    text_output_json(out(firefox), path);
    text_output_string(out(firefox), ",\"breakpadId\":\"\",\"codeId\":");
    if (object.build_id.len > 0) {
        text_output_json(out(firefox), object.build_id);
    } else {
        text_output_string(out(firefox), "null");
    }
    text_output_char(out(firefox), '}');
}

// The strings are the names of all frames of the tree, then of all files.
static void write_shared(struct firefox *firefox)
{
    char digits[PROFILE_DIGITS_BYTES];
    for (uint32_t i = 0; i < firefox->tree.frame_cnt; i++) {
        const struct profile_frame *code = stack_tree_code(&firefox->tree, i);
        if (code->file != 0) {
            (void)local_ids_of(&firefox->files, code->file);
        }
        if (object_file_has(code)) {
            (void)local_ids_of(&firefox->libs, code->file);
        }
    }
    text_output_string(out(firefox), "\"libs\":[");
    for (uint32_t i = 0; i < firefox->libs.cnt; i++) {
        comma(firefox, i);
        write_lib(firefox, firefox->libs.used[i]);
    }
    text_output_string(out(firefox), "],\n\"shared\":{\"stringArray\":[");
    for (uint32_t i = 0; i < firefox->tree.frame_cnt; i++) {
        comma(firefox, i);
        text_output_json(out(firefox), stack_tree_name(&firefox->tree, i, digits));
    }
    for (uint32_t i = 0; i < firefox->files.cnt; i++) {
        comma(firefox, firefox->tree.frame_cnt + i);
        text_output_json(out(firefox), profile_text(firefox->profile, firefox->files.used[i]));
    }
    text_output_string(out(firefox), "]},\n\"pages\":[],\"counters\":[],\"threads\":[");
}

// --- the tables of a thread ---------------------------------------------------

static uint32_t file_string(const struct firefox *firefox, string_id file)
{
    return firefox->tree.frame_cnt + firefox->files.ids[file] - 1;
}

#define NO_VALUE INT64_MIN

// Of one of the things that a table is about; NO_VALUE for none.
typedef int64_t id_value(struct firefox *firefox, uint32_t used);

static void write_ids(struct firefox *firefox, const char *key, const struct local_ids *ids,
                      id_value *value_of)
{
    uint32_t cnt = ids->cnt;
    text_output_format(out(firefox), ",\"%s\":[", key);
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t value = value_of(firefox, ids->used[i]);
        comma(firefox, i);
        if (value == NO_VALUE) {
            text_output_string(out(firefox), "null");
        } else {
            text_output_i64(out(firefox), value);
        }
    }
    text_output_char(out(firefox), ']');
}

static int64_t id_itself(struct firefox *firefox, uint32_t id)
{
    (void)firefox;
    return id;
}

static int64_t node_parent(struct firefox *firefox, uint32_t node)
{
    uint32_t parent = firefox->tree.nodes[node].parent;
    return parent == 0 ? NO_VALUE : (int64_t)local_ids_of(&firefox->nodes, parent);
}

static int64_t node_frame(struct firefox *firefox, uint32_t node)
{
    return local_ids_of(&firefox->frames, firefox->tree.nodes[node].frame);
}

static int64_t frame_function(struct firefox *firefox, uint32_t frame)
{
    return local_ids_of(&firefox->functions, firefox->tree.frames[frame].function);
}

static int64_t frame_kind(struct firefox *firefox, uint32_t frame)
{
    return stack_tree_code(&firefox->tree, frame)->kind;
}

static int64_t frame_line(struct firefox *firefox, uint32_t frame)
{
    uint32_t line = stack_tree_code(&firefox->tree, frame)->line;
    return line == 0 ? NO_VALUE : (int64_t)line;
}

static int64_t function_file(struct firefox *firefox, uint32_t function)
{
    string_id file = stack_tree_code(&firefox->tree, function)->file;
    return file == 0 ? NO_VALUE : (int64_t)file_string(firefox, file);
}

static int64_t function_resource(struct firefox *firefox, uint32_t function)
{
    const struct profile_frame *code = stack_tree_code(&firefox->tree, function);
    if (!object_file_has(code)) {
        return -1;
    }
    return local_ids_of(&firefox->resources, local_ids_of(&firefox->libs, code->file));
}

static int64_t resource_name(struct firefox *firefox, uint32_t lib)
{
    return file_string(firefox, firefox->libs.used[lib]);
}

static void begin_table(struct firefox *firefox, const char *key, const struct local_ids *ids)
{
    text_output_format(out(firefox), ",\n\"%s\":{\"length\":%u", key, ids->cnt);
}

static void write_stacks(struct firefox *firefox)
{
    const struct local_ids *nodes = &firefox->nodes;
    begin_table(firefox, "stackTable", nodes);
    write_ids(firefox, "prefix", nodes, node_parent);
    write_ids(firefox, "frame", nodes, node_frame);
    text_output_char(out(firefox), '}');
}

static void write_frames(struct firefox *firefox)
{
    const struct local_ids *frames = &firefox->frames;
    begin_table(firefox, "frameTable", frames);
    write_ids(firefox, "func", frames, frame_function);
    write_ids(firefox, "category", frames, frame_kind);
    write_ids(firefox, "line", frames, frame_line);
    write_same(firefox, "subcategory", "0", frames->cnt);
    write_same(firefox, "address", "-1", frames->cnt);
    write_same(firefox, "inlineDepth", "0", frames->cnt);
    write_same(firefox, "nativeSymbol", "null", frames->cnt);
    write_same(firefox, "innerWindowID", "0", frames->cnt);
    write_same(firefox, "column", "null", frames->cnt);
    text_output_char(out(firefox), '}');
}

static void write_functions(struct firefox *firefox)
{
    const struct local_ids *functions = &firefox->functions;
    begin_table(firefox, "funcTable", functions);
    write_ids(firefox, "name", functions, id_itself);
    write_ids(firefox, "fileName", functions, function_file);
    write_ids(firefox, "resource", functions, function_resource);
    write_same(firefox, "isJS", "false", functions->cnt);
    write_same(firefox, "relevantForJS", "false", functions->cnt);
    write_same(firefox, "lineNumber", "null", functions->cnt);
    write_same(firefox, "columnNumber", "null", functions->cnt);
    text_output_char(out(firefox), '}');
}

static void write_resources(struct firefox *firefox)
{
    const struct local_ids *resources = &firefox->resources;
    begin_table(firefox, "resourceTable", resources);
    write_ids(firefox, "lib", resources, id_itself);
    write_ids(firefox, "name", resources, resource_name);
    write_same(firefox, "host", "null", resources->cnt);
    write_same(firefox, "type", "1", resources->cnt);
    text_output_char(out(firefox), '}');
}

// --- the samples of a thread --------------------------------------------------

// False for a row that has none.
static bool weight_of(const struct firefox *firefox, uint64_t row, int64_t *weight)
{
    weight_read(&firefox->reader, row, 1, weight);
    return weight_is_present(&firefox->reader, row) && (!firefox->is_part || *weight != 0);
}

static void write_stack(struct firefox *firefox, uint64_t row, int64_t weight)
{
    uint32_t group = firefox->groups.of_row[row - firefox->selection->first];
    uint32_t leaf = firefox->tree.leaf_of_group[group];
    (void)weight;
    if (leaf == 0) {
        text_output_string(out(firefox), "null");
    } else {
        text_output_u64(out(firefox), local_ids_of(&firefox->nodes, leaf));
    }
}

static void write_time(struct firefox *firefox, uint64_t row, int64_t weight)
{
    (void)weight;
    write_ms(firefox, (int64_t)(firefox->profile->time_ns[row] - firefox->first_ns));
}

static void write_weight(struct firefox *firefox, uint64_t row, int64_t weight)
{
    (void)row;
    if (firefox->is_time) {
        write_ms(firefox, weight);
    } else {
        text_output_i64(out(firefox), weight);
    }
}

static uint64_t write_column(struct firefox *firefox, const struct thread_rows_thread *thread,
                             const char *key,
                             void (*write)(struct firefox *firefox, uint64_t row, int64_t weight))
{
    uint64_t cnt = 0;
    text_output_format(out(firefox), "\"%s\":[", key);
    for (uint64_t i = 0; i < thread->cnt; i++) {
        uint64_t row = firefox->rows.rows[thread->first + i];
        int64_t weight = 0;
        if (weight_of(firefox, row, &weight)) {
            comma(firefox, cnt++);
            write(firefox, row, weight);
        }
    }
    text_output_string(out(firefox), "],");
    return cnt;
}

static void write_samples(struct firefox *firefox, const struct thread_rows_thread *thread,
                          struct weight weight)
{
    struct text unit = weight_unit(firefox->profile, weight);
    const char *type = firefox->is_time                  ? "tracing-ms"
                       : text_equal(unit, TEXT("bytes")) ? "bytes"
                                                         : "samples";
    text_output_string(out(firefox), ",\n\"samples\":{");
    (void)write_column(firefox, thread, "stack", write_stack);
    (void)write_column(firefox, thread, "time", write_time);
    uint64_t cnt = write_column(firefox, thread, "weight", write_weight);
    text_output_format(out(firefox), "\"weightType\":\"%s\",\"length\":%" PRIu64 "}", type, cnt);
}

// Those on the way from the stacks of its samples to the root, parents first.
static void use_nodes(struct firefox *firefox, const struct thread_rows_thread *thread)
{
    const struct stack_tree_node *nodes = firefox->tree.nodes;
    for (uint64_t i = 0; i < thread->cnt; i++) {
        uint64_t row = firefox->rows.rows[thread->first + i];
        uint32_t group = firefox->groups.of_row[row - firefox->selection->first];
        uint32_t depth = 0;
        uint32_t node = firefox->tree.leaf_of_group[group];
        for (; node != 0 && !local_ids_has(&firefox->nodes, node); node = nodes[node].parent) {
            firefox->path[depth++] = node;
        }
        while (depth > 0) {
            (void)local_ids_of(&firefox->nodes, firefox->path[--depth]);
        }
    }
}

static void write_names(struct firefox *firefox, const struct thread_rows_thread *thread,
                        struct weight weight)
{
    char digits[THREAD_ROWS_NAME_BYTES];
    char name[WEIGHT_NAME_BYTES];
    const char *weight_text = weight_list_name(firefox->profile, weight, name);
    text_output_string(out(firefox), "{\"name\":");
    text_output_json(out(firefox), thread_rows_name(&firefox->rows, thread, digits));
    text_output_string(out(firefox), ",\"processName\":");
    text_output_json(out(firefox), text_of(weight_text));
    // A process of the picture for each weight.
    text_output_format(out(firefox), ",\"pid\":\"%" PRId64 "%s%s\"",
                       thread_rows_pid(&firefox->rows, thread), firefox->is_part ? " " : "",
                       firefox->is_part ? (weight.form == WEIGHT_INCREASE ? "inc" : "dec") : "");
    text_output_format(out(firefox), ",\"tid\":%" PRId64, thread_rows_tid(&firefox->rows, thread));
}

static void write_thread(struct firefox *firefox, const struct thread_rows_thread *thread,
                         struct weight weight)
{
    local_ids_clear(&firefox->nodes);
    local_ids_clear(&firefox->frames);
    local_ids_clear(&firefox->functions);
    local_ids_clear(&firefox->resources);
    use_nodes(firefox, thread);
    write_names(firefox, thread, weight);
    text_output_string(
        out(firefox),
        ",\"isMainThread\":false,\"processType\":\"default\",\"processStartupTime\":0,"
        "\"processShutdownTime\":null,\"registerTime\":0,\"unregisterTime\":null,"
        "\"pausedRanges\":[],\"markers\":{\"length\":0,\"data\":[],\"name\":[],\"startTime\":[],"
        "\"endTime\":[],\"phase\":[],\"category\":[]},\"nativeSymbols\":{\"length\":0,"
        "\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[]}");
    write_samples(firefox, thread, weight);
    write_stacks(firefox);
    write_frames(firefox);
    write_functions(firefox);
    write_resources(firefox);
    text_output_char(out(firefox), '}');
}

// --- all of it ----------------------------------------------------------------

static bool write_threads(struct firefox *firefox, struct error *err)
{
    for (uint32_t w = 0; w < firefox->weights.cnt; w++) {
        struct weight weight = firefox->weights.weights[w];
        if (!weight_open(firefox->profile, weight, &firefox->reader, err)) {
            return false;
        }
        firefox->is_time = text_equal(weight_unit(firefox->profile, weight), TEXT("nanoseconds"));
        firefox->is_part = weight.form == WEIGHT_INCREASE || weight.form == WEIGHT_DECREASE;
        for (uint32_t i = 0; i < firefox->rows.cnt; i++) {
            text_output_string(out(firefox), w + i == 0 ? "\n" : ",\n");
            write_thread(firefox, &firefox->rows.threads[i], weight);
        }
    }
    text_output_string(out(firefox), "]}\n");
    return text_output_finish(out(firefox));
}

static bool prepare(struct firefox *firefox)
{
    uint32_t string_cnt = string_table_count(firefox->profile->dictionary.strings) + 1;
    if (!stack_tree_init(&firefox->tree, &firefox->groups) ||
        !thread_rows_init(&firefox->rows, firefox->selection, MAX_THREADS)) {
        return false;
    }
    firefox->path = malloc(((size_t)firefox->tree.node_cnt + 1) * sizeof *firefox->path);
    return firefox->path != NULL && local_ids_init(&firefox->files, string_cnt) &&
           local_ids_init(&firefox->libs, string_cnt) &&
           local_ids_init(&firefox->nodes, firefox->tree.node_cnt) &&
           local_ids_init(&firefox->frames, firefox->tree.frame_cnt) &&
           local_ids_init(&firefox->functions, firefox->tree.frame_cnt) &&
           local_ids_init(&firefox->resources, string_cnt);
}

static void destroy(struct firefox *firefox)
{
    struct local_ids *all[] = {&firefox->files,  &firefox->libs,      &firefox->nodes,
                               &firefox->frames, &firefox->functions, &firefox->resources};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        local_ids_deinit(all[i]);
    }
    stack_tree_deinit(&firefox->tree);
    thread_rows_deinit(&firefox->rows);
    sample_groups_deinit(&firefox->groups);
    free(firefox->path);
    free(firefox);
}

bool export_firefox(const struct export_request *request, const struct byte_output *output,
                    struct error *err)
{
    struct firefox *firefox = calloc(1, sizeof *firefox);
    if (firefox == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    firefox->selection = request->selection;
    firefox->profile = request->selection->profile;
    text_output_init(&firefox->text, output, err);
    weight_list_one(&firefox->weights, request);
    bool ok = sample_groups_init(&firefox->groups, request->selection, request->flame.dimensions,
                                 request->flame.dimension_cnt, err);
    if (ok && !prepare(firefox)) {
        ok = error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    if (ok) {
        write_meta(firefox);
        write_shared(firefox);
        ok = write_threads(firefox, err);
    }
    destroy(firefox);
    return ok;
}
