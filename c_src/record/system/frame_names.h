// SPDX-License-Identifier: Apache-2.0
// Names the frames of system samples: kernel, ELF files, vdso, generated code.
// What has no symbol is named after its function's beginning or its file,
// `[libfoo.so+0x1a0]` or `[libfoo.so]`, so that its frames merge. Bounded memory. One owner, one
// thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_FRAME_NAMES_H
#define FLAME_PROF_RECORD_SYSTEM_FRAME_NAMES_H

#include "capture/system/process_history.h"
#include "capture/system/system_sample.h"
#include "model/sample.h"
#include "record/system/beam_names.h"
#include "record/system/file_names.h"
#include "record/system/system_categories.h"
#include "sinks/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_names;

// `history` and `beams` are borrowed; `beams` may be NULL. Frames get their form in `sink`, too
// (frame.shown); NULL: they do not. NULL when out of memory.
struct frame_names *frame_names_create(const struct file_names_options *options,
                                       struct process_history *history, struct beam_names *beams,
                                       const struct sink *sink);
void frame_names_destroy(struct frame_names *names);

// Who knows the kernel's functions: tells "NAME", "NAME [MODULE]", or "0x..." where none is,
// valid until asked again; false where it does not tell. Without, they are of /proc/kallsyms.
struct kernel_teller {
    bool (*tell)(void *context, uint64_t address, struct text *name);
    void *context;
};

void frame_names_set_kernel(struct frame_names *names, const struct kernel_teller *teller);

// Call for each sample as soon as it is taken from the ring and its process is noted
// in the history: reads the symbols it needs while the process lives, if it is young or the
// sample `is_for_later`, which may be after its end. `now_ns` is CLOCK_MONOTONIC.
void frame_names_note(struct frame_names *names, const struct system_sample *sample,
                      uint64_t now_ns, bool is_for_later);

// Room for every frame of a sample, the mark of omitted ones, the Erlang process, and
// functions that were inlined: those further out than there is room for are left out.
enum {
    FRAME_NAMES_MAX_INLINED = 256,
    FRAME_NAMES_MAX_FRAMES = SYSTEM_MAX_FRAMES + 2 + FRAME_NAMES_MAX_INLINED,
};

// Of one of a sample's addresses.
struct named_place {
    uint64_t good_until_ns; // its names; 0 = for this sample only
    uint16_t first_frame; // in the stack: the innermost, or the mark of omitted ones in front of it
    bool is_named;        // by a symbol
};

struct named_stack {
    uint32_t frame_cnt;
    uint32_t unnamed_cnt; // frames that no symbol covers
    uint32_t inlined_cnt; // frames of functions that were inlined into others
    uint32_t place_cnt;
    struct named_place places[SYSTEM_MAX_FRAMES]; // of each address that was named
    // Behind the stack there is room for the sample's categories, the caller's to fill.
    struct frame frames[FRAME_NAMES_MAX_FRAMES + SYSTEM_CATEGORIES_MAX];
};

// The names are valid until the next call of _note, _begin or _name.
void frame_names_name(struct frame_names *names, const struct system_sample *sample,
                      uint64_t now_ns, struct named_stack *stack);

// The same in two steps, for who knows the outer part of the stack already. Who owns the
// sample's code: with the same owner, the same addresses have the same names as long as these
// are good. 0: nobody, and they may change.
uint64_t frame_names_begin(struct frame_names *names, const struct system_sample *sample,
                           uint64_t now_ns);
// Names what is at the first `address_cnt` addresses of the sample that was begun; of all of
// them, its Erlang process, too. Returns the owner, which may be another one now.
uint64_t frame_names_go_on(struct frame_names *names, uint32_t address_cnt,
                           struct named_stack *stack);

// The files whose code was seen, each once in an output file: see mapped_files.h. To be asked
// after each sample.
bool frame_names_next_file(struct frame_names *names, uint32_t *told_cnt, const char **line);

// Memory is short: forgets names found and half of the symbols, for good. Between two
// samples.
void frame_names_shrink(struct frame_names *names);

struct frame_names_stats {
    uint32_t file_cnt;
    size_t memory_bytes;
};

struct frame_names_stats frame_names_stats(const struct frame_names *names);

#endif
