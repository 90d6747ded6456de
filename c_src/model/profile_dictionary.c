// SPDX-License-Identifier: Apache-2.0
#include "model/profile_dictionary.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 256 };

bool profile_dictionary_init(struct profile_dictionary *dictionary, size_t max_bytes)
{
    *dictionary = (struct profile_dictionary){
        .strings = string_table_create(max_bytes),
        .frames = calloc(FIRST_ENTRIES, sizeof *dictionary->frames),
        .nodes = calloc(FIRST_ENTRIES, sizeof *dictionary->nodes),
        .frame_cnt = 1,
        .frame_capacity = FIRST_ENTRIES,
        .node_cnt = 1,
        .node_capacity = FIRST_ENTRIES,
        .max_bytes = max_bytes,
    };
    if (dictionary->strings == NULL || dictionary->frames == NULL || dictionary->nodes == NULL) {
        profile_dictionary_deinit(dictionary);
        return false;
    }
    return true;
}

void profile_dictionary_deinit(struct profile_dictionary *dictionary)
{
    string_table_destroy(dictionary->strings);
    free(dictionary->frames);
    free(dictionary->nodes);
    number_map_deinit(&dictionary->places);
    number_map_deinit(&dictionary->frame_ids);
    stack_index_deinit(&dictionary->stack_ids);
    *dictionary = (struct profile_dictionary){0};
}

// --- kinds --------------------------------------------------------------------

static bool in_brackets(struct text text)
{
    return text.len >= 2 && text.bytes[0] == '[' && text.bytes[text.len - 1] == ']';
}

static bool is_kernel_file(struct text file)
{
    bool special = in_brackets(file) && !text_equal(file, TEXT("[vdso]")) &&
                   !text_equal(file, TEXT("[unknown]")) && !text_equal(file, TEXT("[heap]")) &&
                   !text_equal(file, TEXT("[stack]")) && !text_begins_with(file, TEXT("[anon"));
    return special || text_ends_with(file, TEXT(".ko")) ||
           (file.len >= 7 && memmem(file.bytes, file.len, "vmlinux", 7) != NULL);
}

static bool is_beam_file(struct text file)
{
    return text_ends_with(file, TEXT(".erl")) || text_ends_with(file, TEXT(".ex")) ||
           text_ends_with(file, TEXT(".exs")) || text_ends_with(file, TEXT(".hrl")) ||
           text_equal(file, TEXT("bif")) || text_equal(file, TEXT("nif"));
}

enum profile_frame_kind profile_frame_kind_of(struct text name, struct text file)
{
    if (is_beam_file(file)) {
        return PROFILE_FRAME_BEAM;
    }
    if (text_equal(file, TEXT("inlined"))) {
        return PROFILE_FRAME_INLINED;
    }
    if (text_begins_with(file, TEXT("/tmp/perf-")) && text_ends_with(file, TEXT(".map"))) {
        return PROFILE_FRAME_JIT;
    }
    if (is_kernel_file(file)) {
        return PROFILE_FRAME_KERNEL;
    }
    if (text_equal(file, TEXT("truncated")) ||
        (text_equal(file, TEXT("beam")) && in_brackets(name))) {
        return PROFILE_FRAME_NOTE;
    }
    bool is_nameless = name.len == 0 || text_equal(name, TEXT("[unknown]"));
    bool is_nowhere = file.len == 0 || text_equal(file, TEXT("[unknown]"));
    return is_nameless && is_nowhere ? PROFILE_FRAME_UNKNOWN : PROFILE_FRAME_NATIVE;
}

const char *profile_frame_kind_name(enum profile_frame_kind kind)
{
    static const char *const NAMES[PROFILE_FRAME_KIND_CNT] = {
        "unknown", "native", "kernel", "beam", "jit", "inlined", "note"};
    return kind < PROFILE_FRAME_KIND_CNT ? NAMES[kind] : NAMES[0];
}

// --- frames and stacks --------------------------------------------------------

static size_t entry_bytes(const struct profile_dictionary *dictionary)
{
    return dictionary->frame_capacity * sizeof *dictionary->frames +
           dictionary->node_capacity * sizeof *dictionary->nodes +
           number_map_memory_bytes(&dictionary->places) +
           number_map_memory_bytes(&dictionary->frame_ids) +
           stack_index_memory_bytes(&dictionary->stack_ids);
}

// The entries with room for one more; NULL when they may not grow.
static void *with_room(const struct profile_dictionary *dictionary, void *entries, uint32_t cnt,
                       uint32_t *capacity, size_t size)
{
    if (cnt < *capacity) {
        return entries;
    }
    // Doubling the entries doubles their map as well.
    if (cnt > UINT32_MAX / 2 || entry_bytes(dictionary) * 2 > dictionary->max_bytes) {
        return NULL;
    }
    void *grown = realloc(entries, (size_t)cnt * 2 * size);
    *capacity = grown == NULL ? *capacity : cnt * 2;
    return grown;
}

static bool reserve_frame(struct profile_dictionary *dictionary)
{
    struct profile_frame *frames = with_room(dictionary, dictionary->frames, dictionary->frame_cnt,
                                             &dictionary->frame_capacity, sizeof *frames);
    dictionary->frames = frames == NULL ? dictionary->frames : frames;
    return frames != NULL;
}

static bool reserve_node(struct profile_dictionary *dictionary)
{
    struct profile_node *nodes = with_room(dictionary, dictionary->nodes, dictionary->node_cnt,
                                           &dictionary->node_capacity, sizeof *nodes);
    dictionary->nodes = nodes == NULL ? dictionary->nodes : nodes;
    return nodes != NULL;
}

static uint32_t place_of(struct profile_dictionary *dictionary, string_id file, uint32_t line)
{
    uint64_t key = (uint64_t)file << 32 | line;
    uint32_t place = number_map_find(&dictionary->places, key);
    if (place == 0) {
        place = dictionary->place_cnt + 1;
        if (entry_bytes(dictionary) > dictionary->max_bytes ||
            !number_map_add(&dictionary->places, key, place)) {
            return 0;
        }
        dictionary->place_cnt = place;
    }
    return place;
}

static frame_id add_frame(struct profile_dictionary *dictionary, const struct profile_frame *frame,
                          uint64_t key)
{
    frame_id id = dictionary->frame_cnt;
    if (!reserve_frame(dictionary) || !number_map_add(&dictionary->frame_ids, key, id)) {
        dictionary->refused_cnt++;
        return 0;
    }
    dictionary->frames[id] = *frame;
    if (frame->kind == PROFILE_FRAME_UNKNOWN) {
        dictionary->frames[id].kind =
            profile_frame_kind_of(profile_dictionary_text(dictionary, frame->name),
                                  profile_dictionary_text(dictionary, frame->file));
    }
    dictionary->frame_cnt++;
    return id;
}

frame_id profile_dictionary_frame(struct profile_dictionary *dictionary,
                                  const struct profile_frame *frame)
{
    uint32_t place = place_of(dictionary, frame->file, frame->line);
    if (place == 0) {
        dictionary->refused_cnt++;
        return 0;
    }
    uint64_t key = (uint64_t)frame->name << 32 | place;
    frame_id id = number_map_find(&dictionary->frame_ids, key);
    return id != 0 ? id : add_frame(dictionary, frame, key);
}

// What was first put on top of a node while it was the newest has the next id and is not in
// the index: that is most nodes, and stacks are runs of them.
static stack_id find_node(const struct profile_dictionary *dictionary, struct profile_node node)
{
    stack_id next = node.parent + 1;
    if (next >= dictionary->node_cnt) {
        return 0; // on top of the newest is nothing
    }
    const struct profile_node *there = &dictionary->nodes[next];
    if (there->parent == node.parent && there->frame == node.frame) {
        return next;
    }
    return stack_index_find(&dictionary->stack_ids, dictionary->nodes, node);
}

static bool add_node(struct profile_dictionary *dictionary, struct profile_node node)
{
    stack_id id = dictionary->node_cnt;
    if (!reserve_node(dictionary)) {
        return false;
    }
    dictionary->nodes[id] = node;
    if (id != node.parent + 1 && !stack_index_add(&dictionary->stack_ids, dictionary->nodes, id)) {
        return false;
    }
    dictionary->node_cnt++;
    return true;
}

stack_id profile_dictionary_stack(struct profile_dictionary *dictionary, stack_id parent,
                                  frame_id frame)
{
    struct profile_node node = {parent, frame};
    stack_id id = find_node(dictionary, node);
    if (id != 0) {
        return id;
    }
    if (!add_node(dictionary, node)) {
        dictionary->refused_cnt++;
        return parent;
    }
    return dictionary->node_cnt - 1;
}

bool profile_dictionary_restore_frame(struct profile_dictionary *dictionary,
                                      const struct profile_frame *frame)
{
    if (!reserve_frame(dictionary)) {
        return false;
    }
    dictionary->frames[dictionary->frame_cnt++] = *frame;
    return true;
}

bool profile_dictionary_restore_stack(struct profile_dictionary *dictionary,
                                      struct profile_node node)
{
    if (!reserve_node(dictionary)) {
        return false;
    }
    dictionary->nodes[dictionary->node_cnt++] = node;
    return true;
}

size_t profile_dictionary_memory_bytes(const struct profile_dictionary *dictionary)
{
    return entry_bytes(dictionary) + string_table_memory_bytes(dictionary->strings);
}
