// SPDX-License-Identifier: Apache-2.0
// gProfiler's collapsed file: a line of JSON, then `INDEX;CONTAINER;COMM;FRAMES COUNT`,
// frames marked with where they run: `_[k]` kernel, `_[beam]` Erlang (a suffix of ours:
// there is none for it), native ones without.
#include "export/export_format.h"
#include "export/text_output.h"
#include "query/sample_groups.h"

#include <stdlib.h>

struct col {
    const struct profile *profile;
    struct sample_groups groups;
    uint32_t dimensions[2];
    uint32_t dimension_cnt;
    int container_level; // of the groups; PROFILE_NONE = there is none
    int64_t *sums;
    stack_id *path;
    struct text_output text;
};

static void write_header(struct col *col, const struct selection *selection)
{
    uint64_t first_ns;
    uint64_t last_ns;
    selection_times(selection, &first_ns, &last_ns);
    text_output_string(&col->text, "# {\"containers\":[],\"container_names_enabled\":");
    text_output_string(&col->text, col->container_level == PROFILE_NONE ? "false" : "true");
    text_output_string(&col->text, ",\"metadata\":{\"agent_version\":\"flame_prof\",\"hostname\":");
    text_output_json(&col->text, profile_fact(col->profile, 0, TEXT("hostname")));
    text_output_string(&col->text, ",\"kernel_release\":");
    text_output_json(&col->text, profile_fact(col->profile, 0, TEXT("os_release")));
    text_output_string(&col->text, ",\"profiling_mode\":\"cpu\"},\"metrics\":{},"
                                   "\"application_metadata\":[null],"
                                   "\"application_metadata_enabled\":true,"
                                   "\"profiling_mode\":\"cpu\",\"duration_ns\":");
    text_output_u64(&col->text, last_ns - first_ns);
    text_output_string(&col->text, "}\n");
}

// Semicolons end frames, lines samples.
static void write_word(struct text_output *text, struct text word)
{
    for (uint32_t i = 0; i < word.len; i++) {
        unsigned char byte = (unsigned char)word.bytes[i];
        text_output_char(text, byte == ';' ? ':' : byte < 0x20 ? '?' : (char)byte);
    }
}

static const char *suffix_of(enum profile_frame_kind kind)
{
    return kind == PROFILE_FRAME_KERNEL ? "_[k]" : kind == PROFILE_FRAME_BEAM ? "_[beam]" : "";
}

static void write_frames(struct col *col, stack_id stack)
{
    const struct profile_dictionary *dictionary = &col->profile->dictionary;
    uint32_t depth = 0;
    for (stack_id at = stack; at != 0; at = dictionary->nodes[at].parent) {
        col->path[depth++] = at;
    }
    while (depth > 0) {
        const struct profile_frame *frame =
            &dictionary->frames[dictionary->nodes[col->path[--depth]].frame];
        text_output_char(&col->text, ';');
        write_word(&col->text, profile_text(col->profile, frame->name));
        text_output_string(&col->text, suffix_of(frame->kind));
    }
}

static void write_line(struct col *col, uint32_t group)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    char digits[PROFILE_DIGITS_BYTES];
    category_groups_codes(&col->groups.categories, col->groups.groups[group].category, codes);
    text_output_string(&col->text, "0;");
    if (col->container_level != PROFILE_NONE) {
        write_word(&col->text,
                   profile_code_text(col->profile, col->dimensions[1], codes[1], digits));
    }
    text_output_char(&col->text, ';');
    if (codes[0] == 0) {
        text_output_string(&col->text, "beam.smp");
    } else {
        write_word(&col->text, profile_code_text(col->profile, PROFILE_COMM, codes[0], digits));
    }
    write_frames(col, col->groups.groups[group].stack);
    text_output_char(&col->text, ' ');
    text_output_i64(&col->text, col->sums[group]);
    text_output_char(&col->text, '\n');
}

static void choose_dimensions(struct col *col)
{
    int container = profile_find_dimension(col->profile, TEXT("container"));
    col->dimensions[col->dimension_cnt++] = PROFILE_COMM;
    col->container_level = PROFILE_NONE;
    if (container != PROFILE_NONE) {
        col->container_level = (int)col->dimension_cnt;
        col->dimensions[col->dimension_cnt++] = (uint32_t)container;
    }
}

static bool write_all(struct col *col, struct error *err)
{
    struct weight samples = {.form = WEIGHT_SAMPLES};
    col->sums = malloc(((size_t)col->groups.cnt + 1) * sizeof *col->sums);
    col->path = malloc(((size_t)col->profile->dictionary.node_cnt + 1) * sizeof *col->path);
    if (col->sums == NULL || col->path == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    if (!sample_groups_sum(&col->groups, samples, col->sums, 1, err)) {
        return false;
    }
    write_header(col, col->groups.selection);
    for (uint32_t i = 0; i < col->groups.cnt; i++) {
        write_line(col, i);
    }
    return text_output_finish(&col->text);
}

bool export_gprofiler_col(const struct export_request *request, const struct byte_output *output,
                          struct error *err)
{
    struct col *col = calloc(1, sizeof *col);
    if (col == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    col->profile = request->selection->profile;
    text_output_init(&col->text, output, err);
    choose_dimensions(col);
    bool ok = sample_groups_init(&col->groups, request->selection, col->dimensions,
                                 col->dimension_cnt, err) &&
              write_all(col, err);
    sample_groups_deinit(&col->groups);
    free(col->sums);
    free(col->path);
    free(col);
    return ok;
}
