// SPDX-License-Identifier: Apache-2.0
#include "record/system/frame_names.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/system/process_history.h"
#include "record/system/file_names.h"
#include "record/system/frame_cache.h"
#include "record/system/jit_names.h"
#include "record/system/mapped_files.h"
#include "record/system/name_scratch.h"
#include "symbols/system/kernel_symbols.h"
#include "symbols/system/vdso.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_JIT_BYTES = 48 << 20,
    MAX_VDSO_BYTES = 1 << 20,
    MAX_CACHED_TEXT_BYTES = 8 << 20,
    MAX_SEEN_BYTES = 512 << 10,
    GENERATION_SHIFT = 40, // maps ids are counted, and never get that far
};
// Of what is known of a file, whoever maps it; no process's mappings have it.
#define FILE_OWNER (1ULL << 63)
// For names that may become better or others: of generated code, of files that
// could not be opened.
#define NAME_AGAIN_NS (1ULL * CLOCK_NS_PER_S)

// What is found at an address for the first time.
struct found {
    struct frame frames[FRAME_CACHE_MAX_FRAMES_PER_PLACE]; // the innermost first
    uint32_t cnt;
    uint64_t until_ns; // how long it is good; 0 = only now
    bool is_named;
};

// Whom the frames that are being named belong to.
struct naming {
    struct frame_names *names;
    const struct system_sample *sample;
    struct process *process; // NULL for kernel threads and the unknown
    uint64_t now_ns;
    uint64_t owner;    // of the user frames, as the mappings are; see owner_of
    bool maps_checked; // that they hold all of the stack; once is enough
};

struct frame_names {
    struct process_history *history; // borrowed
    struct beam_names *beams;        // borrowed, or NULL
    struct file_names *files;
    struct mapped_files *seen;
    struct jit_names *jit;
    struct frame_cache *cache;
    struct name_unpacker *unpacker; // of files and the kernel
    struct kernel_teller teller;    // zeroed: there is none
    struct kernel_symbols kernel;
    struct symbol_table vdso;
    struct found found;                // at the address that is being named
    struct named_stack noted;          // what frame_names_note names and throws away
    uint32_t begun[SYSTEM_MAX_FRAMES]; // frame_cache_begin of the sample's user frames
    struct name_scratch scratch;
    struct naming naming; // of the sample that was begun
};

struct frame_names *frame_names_create(const struct file_names_options *options,
                                       struct process_history *history, struct beam_names *beams,
                                       const struct sink *sink)
{
    struct frame_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->history = history;
    names->beams = beams;
    names->seen = mapped_files_create(MAX_SEEN_BYTES);
    names->unpacker = name_unpacker_create();
    names->files = names->seen == NULL || names->unpacker == NULL
                       ? NULL
                       : file_names_create(options, names->unpacker, &names->scratch, names->seen);
    names->jit = jit_names_create(MAX_JIT_BYTES);
    names->cache = frame_cache_create(MAX_CACHED_TEXT_BYTES, sink);
    names->kernel.unpacker = names->unpacker;
    symbol_table_init(&names->vdso, MAX_VDSO_BYTES);
    (void)vdso_load(&names->vdso);
    if (names->files == NULL || names->jit == NULL || names->cache == NULL) {
        frame_names_destroy(names);
        return NULL;
    }
    return names;
}

void frame_names_destroy(struct frame_names *names)
{
    if (names == NULL) {
        return;
    }
    file_names_destroy(names->files);
    mapped_files_destroy(names->seen);
    jit_names_destroy(names->jit);
    frame_cache_destroy(names->cache);
    kernel_symbols_deinit(&names->kernel);
    symbol_table_deinit(&names->vdso);
    name_unpacker_destroy(names->unpacker);
    free(names);
}

void frame_names_set_kernel(struct frame_names *names, const struct kernel_teller *teller)
{
    names->teller = *teller;
}

// --- made-up names ------------------------------------------------------------

// As `perf script` names where generated code comes from.
static struct text perf_map_path(struct frame_names *names, uint32_t pid)
{
    return name_scratch_format(&names->scratch, TEXT("[anonymous]"), "/tmp/perf-%u.map", pid);
}

static struct frame omitted_frame(struct frame_names *names, uint32_t cnt)
{
    return (struct frame){
        .name = name_scratch_format(&names->scratch, TEXT("[frames omitted]"),
                                    "[at least %u frames omitted]", cnt),
        .file = TEXT("truncated"),
    };
}

static struct frame process_frame(struct frame_names *names, uint32_t number)
{
    return (struct frame){
        .name = name_scratch_format(&names->scratch, TEXT("[process]"), "<0.%u.0>", number),
        .file = TEXT("process"),
    };
}

// --- user frames --------------------------------------------------------------

static bool find_in_vdso(const struct frame_names *names, const struct process_mapping *mapping,
                         uint64_t address, struct text *name)
{
    const struct symbol *symbol =
        symbol_table_find(&names->vdso, address - mapping->start + mapping->offset);
    if (symbol == NULL) {
        return false;
    }
    *name = symbol_table_name(&names->vdso, symbol);
    return true;
}

// The few bytes in front of a function's entry, where the return address of a process's
// first function points to.
static struct text without_prologue(struct text name)
{
    static const struct text MARK = {"-CodeInfoPrologue", 17};
    if (name.len > MARK.len &&
        memcmp(name.bytes + name.len - MARK.len, MARK.bytes, MARK.len) == 0) {
        name.len -= MARK.len;
    }
    return name;
}

// Of an Erlang VM by its memory, where the generation of its code is part of the owner and
// the name is good for ever; of others by the map that they write.
static bool find_generated(const struct naming *naming, uint64_t address, struct frame *frame,
                           uint64_t *until_ns)
{
    struct code_location location;
    struct frame_names *names = naming->names;
    if (naming->sample->code_generation != 0 && names->beams != NULL &&
        beam_names_find(names->beams, naming->process, address, naming->sample->code_generation,
                        &location)) {
        frame->name = without_prologue(location.name);
        frame->file = location.file.len > 0 ? location.file : TEXT("beam");
        frame->line = location.line;
        *until_ns = FRAME_CACHE_FOREVER;
        return true;
    }
    if (jit_names_find(names->jit, naming->process, address, naming->now_ns, &frame->name)) {
        frame->file = perf_map_path(names, naming->process->pid);
        return true;
    }
    return false;
}

// Where there is no symbol, `name` stays unless the file says something.
static bool find_name(const struct naming *naming, struct process_mapping *mapping,
                      uint64_t address, struct frame *frame, uint64_t *until_ns)
{
    switch (mapping->kind) {
    case PROCESS_MAPPING_FILE:
        return file_names_find(naming->names->files, naming->process, mapping, address,
                               naming->now_ns, frame);
    case PROCESS_MAPPING_ANONYMOUS:
        return find_generated(naming, address, frame, until_ns);
    case PROCESS_MAPPING_VDSO:
        return find_in_vdso(naming->names, mapping, address, &frame->name);
    case PROCESS_MAPPING_OTHER:
        break;
    }
    return false;
}

// How long it stays true: code can be generated where there was none, a file that
// could not be opened may be found elsewhere.
static uint64_t good_until_ns(const struct naming *naming, const struct process_mapping *mapping)
{
    bool changes = mapping->kind == PROCESS_MAPPING_ANONYMOUS ||
                   (mapping->kind == PROCESS_MAPPING_FILE && mapping->tag == 0);
    return changes ? naming->now_ns + NAME_AGAIN_NS : FRAME_CACHE_FOREVER;
}

static struct text name_without_symbol(struct frame_names *names, struct text file)
{
    struct text base = file_names_basename(file);
    return file.bytes[0] == '[' ? file
                                : name_scratch_format(&names->scratch, TEXT("[unknown]"), "[%.*s]",
                                                      (int)base.len, base.bytes);
}

_Static_assert((int)FILE_NAMES_MAX_INLINED < (int)FRAME_CACHE_MAX_FRAMES_PER_PLACE, "and itself");

// `inside` is inside the instruction that `address` comes back from.
static void name_user_frame(const struct naming *naming, uint64_t address, uint64_t inside,
                            struct found *found)
{
    struct frame frame = {.address = address, .name = TEXT("[unknown]"), .file = TEXT("[unknown]")};
    struct process_mapping *mapping =
        naming->process == NULL ? NULL : process_maps_find(&naming->process->maps, inside);
    found->cnt = 0;
    found->until_ns = 0;
    found->is_named = false;
    if (mapping != NULL) {
        struct text path = process_maps_path(&naming->process->maps, mapping);
        frame.file = path.len == 0 ? TEXT("[anonymous]") : path;
        frame.name = name_without_symbol(naming->names, frame.file);
        found->until_ns = good_until_ns(naming, mapping);
        found->is_named = find_name(naming, mapping, inside, &frame, &found->until_ns);
        if (found->is_named && mapping->kind == PROCESS_MAPPING_FILE) {
            found->cnt = file_names_inlined(naming->names->files, naming->process, mapping, inside,
                                            &frame, found->frames, FILE_NAMES_MAX_INLINED);
        }
    }
    found->frames[found->cnt++] = frame;
}

// --- kernel frames ------------------------------------------------------------

// By one who knows a function, or else by the list of all.
static bool find_kernel_name(struct frame_names *names, uint64_t address, struct frame *frame)
{
    struct text told;
    if (names->teller.tell != NULL && names->teller.tell(names->teller.context, address, &told)) {
        return kernel_symbols_split(told, &frame->name, &frame->file);
    }
    if (!names->kernel.is_loaded) {
        struct error err = {0};
        if (!kernel_symbols_load(&names->kernel, &err)) {
            log_warn("%s", err.detail);
        }
    }
    return kernel_symbols_find(&names->kernel, address, &frame->name, &frame->file);
}

static bool name_kernel_frame(struct frame_names *names, uint64_t address, struct frame *frame)
{
    if (find_kernel_name(names, address, frame)) {
        frame->name = file_names_readable(names->files, frame->name); // some of it is Rust
        frame->file = name_scratch_copy(&names->scratch, frame->file);
        return true;
    }
    frame->name = TEXT("[kernel]");
    frame->file = TEXT("[kernel.kallsyms]");
    return false;
}

// --- stacks -------------------------------------------------------------------

// A return address may be the first byte behind a function that never returns.
static uint64_t inside_call(uint64_t address, uint32_t index)
{
    return index == 0 ? address : address - 1;
}

static bool is_return(uint64_t user_frame, uint32_t index)
{
    return index > 0 && (user_frame & SYSTEM_FRAME_EXACT) == 0;
}

static uint64_t inside_user_call(uint64_t user_frame, uint32_t index)
{
    return (user_frame & ~SYSTEM_FRAME_EXACT) - (is_return(user_frame, index) ? 1 : 0);
}

static const uint64_t *user_frames(const struct system_sample *sample)
{
    return sample->frames + sample->kernel_cnt;
}

static bool maps_hold_all(const struct process *process, const struct system_sample *sample)
{
    const uint64_t *frames = user_frames(sample);
    for (uint32_t i = 0; i < sample->user_cnt; i++) {
        if (process_maps_find(&process->maps, inside_user_call(frames[i], i)) == NULL) {
            return false;
        }
    }
    return true;
}

// Code that an Erlang VM loads in place of other code has another owner.
static uint64_t owner_of(const struct process *process, const struct system_sample *sample)
{
    if (process == NULL || process->maps_id == 0) {
        return 0;
    }
    return process->maps_id + ((uint64_t)sample->code_generation << GENERATION_SHIFT);
}

// Before names are looked for.
static void make_room(struct frame_names *names)
{
    name_scratch_clear(&names->scratch);
    file_names_trim(names->files);
    jit_names_trim(names->jit);
    frame_cache_trim(names->cache);
}

static void begin(struct naming *naming, struct frame_names *names,
                  const struct system_sample *sample, uint64_t now_ns)
{
    naming->names = names;
    naming->sample = sample;
    naming->process = process_history_find(names->history, sample->pid, sample->address_space);
    naming->now_ns = now_ns;
    naming->owner = owner_of(naming->process, sample);
    naming->maps_checked = false;
}

// Reads the mappings again where they do not hold all of the stack.
static void check_maps(struct naming *naming)
{
    if (naming->maps_checked || naming->process == NULL) {
        return;
    }
    naming->maps_checked = true;
    if (!maps_hold_all(naming->process, naming->sample)) {
        process_history_refresh(naming->names->history, naming->process, naming->now_ns);
        naming->owner = owner_of(naming->process, naming->sample);
    }
}

// Of a place with more frames than one only the last has room of its own.
static void add_place(struct named_stack *stack, const struct frame_place *place)
{
    uint32_t room = FRAME_NAMES_MAX_INLINED - stack->inlined_cnt;
    uint32_t first = place->frame_cnt - 1 <= room ? 0 : place->frame_cnt - 1;
    stack->inlined_cnt += place->frame_cnt - 1 - first;
    for (uint32_t i = first; i < place->frame_cnt; i++) {
        __builtin_prefetch(place->frames[i].shown.bytes); // for the sink, in a moment
        stack->frames[stack->frame_cnt++] = place->frames[i];
    }
    stack->unnamed_cnt += place->is_named ? 0 : 1;
    stack->places[stack->place_cnt].good_until_ns = place->expires_ns;
    stack->places[stack->place_cnt++].is_named = place->is_named;
}

// What is added from now on is of the next address.
static void begin_place(struct named_stack *stack)
{
    stack->places[stack->place_cnt].first_frame = (uint16_t)stack->frame_cnt;
}

static void add_kernel_frames(const struct naming *naming, uint32_t cnt, struct named_stack *stack)
{
    struct frame_cache *cache = naming->names->cache;
    for (uint32_t i = 0; i < cnt; i++) {
        uint64_t address = naming->sample->frames[i];
        struct frame_key key = {.address = address, .is_return = i > 0};
        struct frame frame = {.address = address};
        struct frame_place place = {.frames = &frame, .frame_cnt = 1};
        uint32_t begun = frame_cache_begin(cache, &key);
        if (!frame_cache_find(cache, begun, &key, naming->now_ns, &place)) {
            place.is_named = name_kernel_frame(naming->names, inside_call(address, i), &frame);
            frame_cache_put(cache, &key, FRAME_CACHE_FOREVER, &place);
        }
        begin_place(stack);
        add_place(stack, &place);
    }
}

static struct frame_key user_key(const struct naming *naming, uint32_t i)
{
    uint64_t frame = user_frames(naming->sample)[i];
    return (struct frame_key){
        .owner = naming->owner,
        .address = frame & ~SYSTEM_FRAME_EXACT,
        .is_return = is_return(frame, i),
    };
}

// All lookups are begun before the first is made.
static void begin_user_frames(const struct naming *naming, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        struct frame_key key = user_key(naming, i);
        naming->names->begun[i] = frame_cache_begin(naming->names->cache, &key);
    }
}

static uint64_t inside_key(const struct frame_key *key)
{
    return key->address - (key->is_return ? 1 : 0);
}

// Who maps a file has its names under other addresses. `path` is what the process calls it.
static bool key_in_file(const struct naming *naming, const struct frame_key *key,
                        struct frame_key *in_file, struct text *path)
{
    struct process *process = naming->process;
    struct process_mapping *mapping =
        process == NULL ? NULL : process_maps_find(&process->maps, inside_key(key));
    if (mapping == NULL || mapping->kind != PROCESS_MAPPING_FILE || key->owner == 0) {
        return false;
    }
    uint64_t file = file_names_file(naming->names->files, process, mapping, naming->now_ns);
    *path = process_maps_path(&process->maps, mapping);
    *in_file = (struct frame_key){
        .owner = file | FILE_OWNER,
        .address = inside_key(key) - mapping->start + mapping->offset,
    };
    return file != 0;
}

static void name_new_frame(struct naming *naming, const struct frame_key *key,
                           struct frame_place *place)
{
    struct found *found = &naming->names->found;
    name_user_frame(naming, key->address, inside_key(key), found);
    *place = (struct frame_place){
        .frames = found->frames,
        .frame_cnt = found->cnt,
        .is_named = found->is_named,
    };
    if (found->until_ns > naming->now_ns) {
        frame_cache_put(naming->names->cache, key, found->until_ns, place);
    }
}

static void add_new_frame(struct naming *naming, struct frame_key *key, struct named_stack *stack)
{
    struct frame_cache *cache = naming->names->cache;
    struct frame_place place;
    struct frame_key in_file;
    struct text path;
    check_maps(naming);
    key->owner = naming->owner; // the maps may be new
    bool is_of_file = key_in_file(naming, key, &in_file, &path);
    if (is_of_file && frame_cache_share(cache, &in_file, key, path, &place)) {
        add_place(stack, &place);
        return;
    }
    name_new_frame(naming, key, &place);
    add_place(stack, &place);
    if (is_of_file) {
        (void)frame_cache_share(cache, key, &in_file, path, &place);
    }
}

static void add_user_frame(struct naming *naming, uint32_t i, struct named_stack *stack)
{
    struct frame_key key = user_key(naming, i);
    struct frame_place place;
    if (key.owner != 0 && frame_cache_find(naming->names->cache, naming->names->begun[i], &key,
                                           naming->now_ns, &place)) {
        add_place(stack, &place);
    } else {
        add_new_frame(naming, &key, stack);
    }
}

// The Erlang process that ran is the root of its stack.
static void add_erlang_process(const struct naming *naming, struct named_stack *stack)
{
    struct frame_names *names = naming->names;
    uint32_t number = 0;
    if (naming->sample->erlang_pid != 0 && naming->process != NULL && names->beams != NULL &&
        beam_names_process_number(names->beams, naming->process, naming->sample->erlang_pid,
                                  &number)) {
        stack->frames[stack->frame_cnt++] = process_frame(names, number);
    }
}

static void add_user_frames(struct naming *naming, uint32_t cnt, struct named_stack *stack)
{
    const struct system_sample *sample = naming->sample;
    begin_user_frames(naming, cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        begin_place(stack);
        if (sample->user_omitted > 0 && i == sample->user_omitted_at) {
            stack->frames[stack->frame_cnt++] =
                omitted_frame(naming->names, system_sample_least_omitted(sample));
        }
        add_user_frame(naming, i, stack);
    }
}

static void clear(struct named_stack *stack)
{
    stack->frame_cnt = stack->unnamed_cnt = stack->inlined_cnt = stack->place_cnt = 0;
}

uint64_t frame_names_begin(struct frame_names *names, const struct system_sample *sample,
                           uint64_t now_ns)
{
    begin(&names->naming, names, sample, now_ns);
    return names->naming.owner;
}

uint64_t frame_names_go_on(struct frame_names *names, uint32_t address_cnt,
                           struct named_stack *stack)
{
    struct naming *naming = &names->naming;
    const struct system_sample *sample = naming->sample;
    bool is_kernel = address_cnt < sample->kernel_cnt;
    bool is_all = address_cnt == sample->kernel_cnt + sample->user_cnt;
    clear(stack);
    if (address_cnt > 0 || is_all) {
        make_room(names);
    }
    add_kernel_frames(naming, is_kernel ? address_cnt : sample->kernel_cnt, stack);
    add_user_frames(naming, is_kernel ? 0 : address_cnt - sample->kernel_cnt, stack);
    if (is_all) {
        add_erlang_process(naming, stack);
    }
    return naming->owner;
}

void frame_names_name(struct frame_names *names, const struct system_sample *sample,
                      uint64_t now_ns, struct named_stack *stack)
{
    (void)frame_names_begin(names, sample, now_ns);
    (void)frame_names_go_on(names, sample->kernel_cnt + sample->user_cnt, stack);
}

void frame_names_note(struct frame_names *names, const struct system_sample *sample,
                      uint64_t now_ns, bool is_for_later)
{
    const struct process *process =
        process_history_find(names->history, sample->pid, sample->address_space);
    if (process == NULL || !(is_for_later || process_history_is_young(process, now_ns))) {
        return;
    }
    struct naming naming;
    begin(&naming, names, sample, now_ns);
    clear(&names->noted);
    make_room(names);
    add_user_frames(&naming, sample->user_cnt, &names->noted);
}

void frame_names_shrink(struct frame_names *names)
{
    frame_cache_clear(names->cache);
    file_names_shrink(names->files);
}

bool frame_names_next_file(struct frame_names *names, uint32_t *told_cnt, const char **line)
{
    return mapped_files_next(names->seen, told_cnt, line);
}

struct frame_names_stats frame_names_stats(const struct frame_names *names)
{
    return (struct frame_names_stats){
        .file_cnt = file_names_count(names->files),
        .memory_bytes = file_names_memory_bytes(names->files) +
                        mapped_files_memory_bytes(names->seen) +
                        frame_cache_memory_bytes(names->cache) +
                        symbol_table_memory_bytes(&names->kernel.table),
    };
}
