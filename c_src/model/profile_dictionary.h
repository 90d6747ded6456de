// SPDX-License-Identifier: Apache-2.0
// What the samples of a profile refer to by dense ids: strings, frames, stacks.
// Ids are given in the order of first use and never change; 0 is "none" (the empty
// string, no frame, the empty stack). Grows only. Filled by one thread; afterwards
// any number of threads may read.
#ifndef FLAME_PROF_MODEL_PROFILE_DICTIONARY_H
#define FLAME_PROF_MODEL_PROFILE_DICTIONARY_H

#include "base/number_map.h"
#include "base/string_table.h"
#include "base/text.h"
#include "model/stack_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum profile_frame_kind {
    PROFILE_FRAME_UNKNOWN, // no symbol, no file
    PROFILE_FRAME_NATIVE,
    PROFILE_FRAME_KERNEL,
    PROFILE_FRAME_BEAM,
    PROFILE_FRAME_JIT,     // generated code of another runtime, named by a perf map
    PROFILE_FRAME_INLINED, // code of the frame below it
    PROFILE_FRAME_NOTE,    // "[minor gc]", "[12 frames omitted]": no function
    PROFILE_FRAME_KIND_CNT
};

// Equal names, files and lines are one frame, whatever their addresses: the same
// function in two processes is the same.
struct profile_frame {
    uint64_t address; // one of those it was seen at; 0 = unknown
    string_id name;   // without escapes, "+0xoffset" and ";line"
    string_id file;   // source file, object path, "[kernel.kallsyms]"
    uint32_t line;    // 0 = unknown
    enum profile_frame_kind kind;
};

// Read freely; change with the functions below only.
struct profile_dictionary {
    struct string_table *strings;
    struct profile_frame *frames; // [0] is none
    uint32_t frame_cnt;           // with [0]
    uint32_t frame_capacity;
    struct profile_node *nodes; // [0] is the empty stack
    uint32_t node_cnt;          // with [0]
    uint32_t node_capacity;
    struct number_map places; // file, line
    struct number_map frame_ids;
    struct stack_index stack_ids; // of nodes that do not stand right behind their parent
    uint32_t place_cnt;
    size_t max_bytes;
    uint64_t refused_cnt; // frames and nodes; string_table_refused has the strings
};

// `max_bytes` bounds strings, and frames with stacks, each. False when out of memory.
bool profile_dictionary_init(struct profile_dictionary *dictionary, size_t max_bytes);
void profile_dictionary_deinit(struct profile_dictionary *dictionary);

// The id of what is in `frame`, whose kind it finds itself when that is UNKNOWN.
// 0 when the dictionary is full (counted).
frame_id profile_dictionary_frame(struct profile_dictionary *dictionary,
                                  const struct profile_frame *frame);

// `frame` on top of `parent`; `parent` itself when the dictionary is full (counted).
stack_id profile_dictionary_stack(struct profile_dictionary *dictionary, stack_id parent,
                                  frame_id frame);

// For readers of files: the next frame or stack as it is, with the next id. Not to be
// mixed with the two above, which would not find it. False when there is no room.
bool profile_dictionary_restore_frame(struct profile_dictionary *dictionary,
                                      const struct profile_frame *frame);
bool profile_dictionary_restore_stack(struct profile_dictionary *dictionary,
                                      struct profile_node node);

// What kind a frame is, as far as its name and file tell. Pure.
enum profile_frame_kind profile_frame_kind_of(struct text name, struct text file);

// "native", "kernel", "beam"...; static, never NULL.
const char *profile_frame_kind_name(enum profile_frame_kind kind);

static inline struct text profile_dictionary_text(const struct profile_dictionary *dictionary,
                                                  string_id id)
{
    return string_table_text(dictionary->strings, id);
}

size_t profile_dictionary_memory_bytes(const struct profile_dictionary *dictionary);

#endif
