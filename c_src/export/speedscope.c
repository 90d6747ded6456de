// SPDX-License-Identifier: Apache-2.0
// speedscope's file format: a "sampled" profile per weight, over one table of frames,
// with the chosen categories as root frames. Samples with the same stack are one.
// https://github.com/jlfwong/speedscope/blob/v1.25.0/src/lib/file-format-spec.ts
#include "export/export_format.h"
#include "export/text_output.h"
#include "export/weight_list.h"
#include "query/sample_groups.h"

#include <stdlib.h>

struct speedscope {
    const struct profile *profile;
    struct sample_groups groups;
    uint32_t *frame_index;                            // by frame_id; index + 1
    uint32_t *code_index[CATEGORY_GROUPS_MAX_LEVELS]; // by level and code; index + 1
    uint32_t *path;                                   // of one stack, leaf first
    uint32_t frame_cnt;
    int64_t *sums;
    struct text_output text;
};

static void write_frame(struct speedscope *scope, struct text name, struct text file, uint32_t line)
{
    struct text_output *text = &scope->text;
    text_output_string(text, scope->frame_cnt++ == 0 ? "\n{\"name\":" : ",\n{\"name\":");
    text_output_json(text, name);
    if (file.len > 0) {
        text_output_string(text, ",\"file\":");
        text_output_json(text, file);
    }
    if (line > 0) {
        text_output_format(text, ",\"line\":%u", line);
    }
    text_output_char(text, '}');
}

static void use_frames(struct speedscope *scope, stack_id stack)
{
    const struct profile_dictionary *dictionary = &scope->profile->dictionary;
    for (; stack != 0; stack = dictionary->nodes[stack].parent) {
        frame_id frame = dictionary->nodes[stack].frame;
        const struct profile_frame *of = &dictionary->frames[frame];
        if (scope->frame_index[frame] == 0) {
            write_frame(scope, profile_text(scope->profile, of->name),
                        profile_text(scope->profile, of->file), of->line);
            scope->frame_index[frame] = scope->frame_cnt;
        }
    }
}

static void use_codes(struct speedscope *scope, uint32_t category)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    char digits[PROFILE_DIGITS_BYTES];
    category_groups_codes(&scope->groups.categories, category, codes);
    for (uint32_t i = 0; i < scope->groups.categories.level_cnt; i++) {
        uint32_t dimension = scope->groups.categories.levels[i].dimension;
        uint32_t *index = &scope->code_index[i][codes[i]];
        if (codes[i] != 0 && *index == 0) {
            write_frame(scope, profile_code_text(scope->profile, dimension, codes[i], digits),
                        profile_text(scope->profile, scope->profile->dimensions[dimension].name),
                        0);
            *index = scope->frame_cnt;
        }
    }
}

static void write_frames(struct speedscope *scope)
{
    text_output_string(&scope->text,
                       "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                       "\"exporter\":\"flame_prof\",\"shared\":{\"frames\":[");
    for (uint32_t i = 0; i < scope->groups.cnt; i++) {
        use_codes(scope, scope->groups.groups[i].category);
        use_frames(scope, scope->groups.groups[i].stack);
    }
    text_output_string(&scope->text, "]},\n\"profiles\":[");
}

static void write_index(struct speedscope *scope, char *before, uint32_t index)
{
    text_output_char(&scope->text, *before);
    text_output_u64(&scope->text, index);
    *before = ',';
}

// Root first, as the format has it.
static void write_stack(struct speedscope *scope, const struct sample_group *group)
{
    const struct profile_dictionary *dictionary = &scope->profile->dictionary;
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    uint32_t depth = 0;
    char before = '[';
    category_groups_codes(&scope->groups.categories, group->category, codes);
    for (uint32_t i = 0; i < scope->groups.categories.level_cnt; i++) {
        if (codes[i] != 0) {
            write_index(scope, &before, scope->code_index[i][codes[i]] - 1);
        }
    }
    for (stack_id at = group->stack; at != 0; at = dictionary->nodes[at].parent) {
        scope->path[depth++] = scope->frame_index[dictionary->nodes[at].frame] - 1;
    }
    while (depth > 0) {
        write_index(scope, &before, scope->path[--depth]);
    }
    text_output_string(&scope->text, before == '[' ? "[]" : "]");
}

static const char *unit_of(const struct profile *profile, struct weight weight)
{
    struct text unit = weight_unit(profile, weight);
    if (text_equal(unit, TEXT("nanoseconds"))) {
        return "nanoseconds";
    }
    return text_equal(unit, TEXT("bytes")) ? "bytes" : "none";
}

static void write_weights(struct speedscope *scope)
{
    int64_t total = 0;
    const char *before = "";
    text_output_string(&scope->text, "],\"weights\":[");
    for (uint32_t i = 0; i < scope->groups.cnt; i++) {
        if (scope->sums[i] > 0) {
            text_output_string(&scope->text, before);
            text_output_i64(&scope->text, scope->sums[i]);
            before = ",";
            total = weight_sum(total, scope->sums[i]);
        }
    }
    text_output_string(&scope->text, "],\"startValue\":0,\"endValue\":");
    text_output_i64(&scope->text, total);
    text_output_char(&scope->text, '}');
}

static bool write_profile(struct speedscope *scope, struct weight weight, bool is_first,
                          struct error *err)
{
    char name[WEIGHT_NAME_BYTES];
    const char *before = "";
    if (!sample_groups_sum(&scope->groups, weight, scope->sums, 1, err)) {
        return false;
    }
    text_output_string(&scope->text, is_first ? "\n{\"type\":\"sampled\",\"name\":"
                                              : ",\n{\"type\":\"sampled\",\"name\":");
    text_output_json(&scope->text, text_of(weight_list_name(scope->profile, weight, name)));
    text_output_format(&scope->text, ",\"unit\":\"%s\",\"samples\":[",
                       unit_of(scope->profile, weight));
    for (uint32_t i = 0; i < scope->groups.cnt; i++) {
        if (scope->sums[i] > 0) {
            text_output_string(&scope->text, before);
            write_stack(scope, &scope->groups.groups[i]);
            before = ",";
        }
    }
    write_weights(scope);
    return true;
}

static bool allocate(struct speedscope *scope)
{
    const struct profile_dictionary *dictionary = &scope->profile->dictionary;
    const struct category_groups *categories = &scope->groups.categories;
    scope->frame_index = calloc(dictionary->frame_cnt + 1, sizeof *scope->frame_index);
    scope->path = calloc(dictionary->node_cnt + 1, sizeof *scope->path);
    scope->sums = calloc((size_t)scope->groups.cnt + 1, sizeof *scope->sums);
    bool ok = scope->frame_index != NULL && scope->path != NULL && scope->sums != NULL;
    for (uint32_t i = 0; i < categories->level_cnt; i++) {
        uint32_t cnt = scope->profile->dimensions[categories->levels[i].dimension].value_cnt;
        scope->code_index[i] = calloc(cnt + 1, sizeof *scope->code_index[i]);
        ok = ok && scope->code_index[i] != NULL;
    }
    return ok;
}

static bool write_all(struct speedscope *scope, const struct weight_list *list, struct error *err)
{
    if (!allocate(scope)) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    write_frames(scope);
    for (uint32_t i = 0; i < list->cnt; i++) {
        if (!write_profile(scope, list->weights[i], i == 0, err)) {
            return false;
        }
    }
    text_output_string(&scope->text, "]}\n");
    return text_output_finish(&scope->text);
}

bool export_speedscope(const struct export_request *request, const struct byte_output *output,
                       struct error *err)
{
    struct weight_list list;
    struct speedscope *scope = calloc(1, sizeof *scope);
    if (scope == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    scope->profile = request->selection->profile;
    text_output_init(&scope->text, output, err);
    weight_list_init(&list, request);
    bool ok = sample_groups_init(&scope->groups, request->selection, request->flame.dimensions,
                                 request->flame.dimension_cnt, err) &&
              write_all(scope, &list, err);
    for (uint32_t i = 0; i < CATEGORY_GROUPS_MAX_LEVELS; i++) {
        free(scope->code_index[i]);
    }
    sample_groups_deinit(&scope->groups);
    free(scope->frame_index);
    free(scope->path);
    free(scope->sums);
    free(scope);
    return ok;
}
