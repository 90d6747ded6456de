// SPDX-License-Identifier: Apache-2.0
#include "record/beam/cpu_stack.h"

#include "capture/beam/process_status.h"
#include "record/beam/erlang_frame.h"

#include <stdio.h>
#include <string.h>

struct native_frame {
    uint64_t pc;
    bool is_innermost;
    struct native_location location;
    const struct bif *bif;
};

struct builder {
    const struct cpu_stack_sources *sources;
    const struct cpu_sample *sample;
    struct cpu_stack *stack;
    const uint64_t *process; // words of struct process
    const uint64_t *c_words;
    const uint64_t *erlang; // leaf words, then root words
    struct native_frame native[CPU_STACK_MAX_NATIVE];
    uint32_t native_cnt;
    bool native_complete;
    uint64_t boundary_pc; // return address in JIT code, 0 = the C stack has no such end
    uint64_t last_function;
    bool bottom_seen;
};

static void add(struct builder *builder, struct frame frame)
{
    if (builder->stack->frame_cnt < CPU_STACK_MAX_FRAMES) {
        builder->stack->frames[builder->stack->frame_cnt++] = frame;
    }
}

static void add_note(struct builder *builder, struct text name)
{
    builder->last_function = 0;
    add(builder, (struct frame){.name = name, .file = TEXT("beam")});
}

// ---- the C stack -----------------------------------------------------------------------

static bool read_c_word(void *context, uint64_t address, uint64_t *word_ret)
{
    const struct builder *builder = context;
    const struct cpu_sample *sample = builder->sample;
    uint64_t first = sample->registers[CPU_REGISTER_RSP] & ~7ULL;
    uint64_t root = sample->stack_base - sample->c_root_words * 8ULL;
    if (address % 8 != 0 || address < first) {
        return false;
    }
    if ((address - first) / 8 < sample->c_words) {
        *word_ret = builder->c_words[(address - first) / 8];
        return true;
    }
    bool in_root = sample->c_root_words > 0 && address >= root && address < sample->stack_base;
    if (in_root) {
        *word_ret = builder->c_words[sample->c_words + (address - root) / 8];
    }
    return in_root;
}

static bool note_native(struct builder *builder, uint64_t pc, bool is_innermost)
{
    struct native_frame *frame = &builder->native[builder->native_cnt];
    if (builder->native_cnt == CPU_STACK_MAX_NATIVE ||
        !native_code_find(builder->sources->native, pc - !is_innermost, &frame->location)) {
        return false;
    }
    frame->pc = pc;
    frame->is_innermost = is_innermost;
    frame->bif = bif_table_find(builder->sources->bifs, frame->location.function_start);
    builder->native_cnt++;
    return true;
}

static void unwind_native(struct builder *builder)
{
    const struct cpu_sample *sample = builder->sample;
    const struct frame_memory memory = {builder, read_c_word};
    struct frame_registers registers;
    memcpy(registers.values, sample->registers, sizeof registers.values);
    bool is_innermost = true;
    enum call_frame_step step = CALL_FRAME_CALLER;
    while (step == CALL_FRAME_CALLER) {
        uint64_t pc = registers.values[FRAME_REGISTER_RIP];
        if (sample->stack_base != 0 && registers.values[FRAME_REGISTER_RSP] >= sample->stack_base) {
            builder->boundary_pc = pc;
            builder->native_complete = registers.values[FRAME_REGISTER_RSP] == sample->stack_base;
            builder->stack->has_caller = builder->native_complete;
            memcpy(builder->stack->caller, registers.values, sizeof builder->stack->caller);
            return;
        }
        if (!note_native(builder, pc, is_innermost)) {
            return;
        }
        bool is_signal = false;
        step = native_code_unwind(builder->sources->native, pc - !is_innermost, &memory, &registers,
                                  &is_signal);
        is_innermost = is_signal;
    }
    builder->native_complete = step == CALL_FRAME_OUTERMOST;
}

// Also what stands in for parts of it: allocators, sanitizers.
static bool is_c_library(struct text file)
{
    static const char *const NAMES[] = {"libc.so",     "libm.so",     "ld-linux",   "linux-vdso",
                                        "libpthread",  "libgcc_s",    "libstdc++",  "libjemalloc",
                                        "libtcmalloc", "libmimalloc", "libasan.so", "libubsan.so"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t len = strlen(NAMES[i]);
        if (file.len >= len && memcmp(file.bytes, NAMES[i], len) == 0) {
            return true;
        }
    }
    return false;
}

// The emulator's function nearest to the Erlang code is the outermost frame's file.
static bool is_emulator(const struct builder *builder, struct text file)
{
    struct text emulator = builder->native[builder->native_cnt - 1].location.file;
    return text_equal(file, emulator) || is_c_library(file);
}

// Index of the outermost frame of a NIF's library: the emulator called it. -1: none.
static int find_nif(const struct builder *builder)
{
    for (uint32_t i = builder->native_cnt; i > 1; i--) {
        if (!is_emulator(builder, builder->native[i - 2].location.file)) {
            return (int)i - 2;
        }
    }
    return -1;
}

static int find_bif(const struct builder *builder)
{
    for (uint32_t i = builder->native_cnt; i > 0; i--) {
        if (builder->native[i - 1].bif != NULL) {
            return (int)i - 1;
        }
    }
    return -1;
}

static bool calls(const struct builder *builder, const char *name)
{
    for (uint32_t i = 0; i < builder->native_cnt; i++) {
        if (text_equal(builder->native[i].location.name, text_of(name))) {
            return true;
        }
    }
    return false;
}

static bool is_at_aux_work(const struct builder *builder)
{
    for (uint32_t i = 0; i < builder->native_cnt; i++) {
        if (aux_work_has(builder->sources->aux, builder->native[i].location.function_start)) {
            return true;
        }
    }
    return false;
}

// False when an atom has no text (yet): the C function then stands for itself.
static bool add_bif(struct builder *builder, const struct native_frame *native)
{
    const uint64_t mfa[3] = {native->bif->module, native->bif->function, native->bif->arity};
    struct frame frame;
    bool known = process_names_function(builder->sources->names, mfa, "bif", &frame);
    if (known) {
        frame.address = native->pc;
        add(builder, frame);
    }
    return known;
}

static void add_nif(struct builder *builder)
{
    struct frame frame;
    if (builder->sample->current_mfa[0] != 0 &&
        process_names_function(builder->sources->names, builder->sample->current_mfa, "nif",
                               &frame)) {
        add(builder, frame);
    }
}

// The C function of a BIF is the BIF: one frame, with its Erlang name.
static void add_native(struct builder *builder, int nif)
{
    for (uint32_t i = 0; i < builder->native_cnt; i++) {
        const struct native_frame *native = &builder->native[i];
        if (native->bif != NULL && add_bif(builder, native)) {
            continue;
        }
        add(builder, (struct frame){.address = native->pc,
                                    .name = native->location.name,
                                    .file = native->location.file});
        if ((int)i == nif) {
            add_nif(builder);
        }
    }
    if (!builder->native_complete && builder->sample->mode != CPU_MODE_ERLANG) {
        add_note(builder, TEXT("[native frames missing]"));
    }
}

// ---- the Erlang stack --------------------------------------------------------------------

static void add_code(struct builder *builder, uint64_t address, bool is_return)
{
    const struct erlang_frames frames = {
        .code = builder->sources->code,
        .generation = builder->sample->code_generation,
        .flatten_recursive = builder->sources->flatten_recursive,
        .last_function = &builder->last_function,
    };
    struct frame frame;
    enum erlang_frame kind = erlang_frame_at(&frames, address, is_return, &frame);
    if (kind != ERLANG_FRAME_NONE) {
        builder->stack->has_unknown |= kind == ERLANG_FRAME_UNKNOWN;
        add(builder, frame);
    }
}

static bool is_return_address(const struct builder *builder, uint64_t word)
{
    return word > 0xFFFF && (word & 3) == 0 && code_map_covers(builder->sources->code, word);
}

// The words that the C code's caller really had on its stack: what its register says is
// exact, what the handler took for it may begin too early.
static uint32_t first_word(const struct builder *builder)
{
    const struct cpu_sample *sample = builder->sample;
    uint64_t top =
        builder->stack->caller[builder->sources->roles->number[REGISTER_ROLE_SAVED_STACK]];
    uint64_t skip = (top - sample->erlang_top) / 8;
    bool known = sample->stack_top == STACK_TOP_SAVED && builder->stack->has_caller &&
                 top > sample->erlang_top && top % 8 == 0;
    return known && skip < sample->leaf_words ? (uint32_t)skip : 0;
}

// Every process returns at last to a fragment that ends it.
static bool is_bottom(const struct builder *builder, uint64_t word)
{
    struct text bottom = TEXT("erts_beamasm:normal_exit");
    struct code_location location;
    return is_return_address(builder, word) &&
           code_map_find(builder->sources->code, word, builder->sample->code_generation,
                         &location) &&
           location.is_stub && location.name.len >= bottom.len &&
           memcmp(location.name.bytes, bottom.bytes, bottom.len) == 0;
}

static void add_words(struct builder *builder)
{
    const struct cpu_sample *sample = builder->sample;
    uint32_t end = (uint32_t)sample->leaf_words + sample->root_words;
    for (uint32_t i = first_word(builder); i < end; i++) {
        if (sample->omitted_words > 0 && i == sample->leaf_words) {
            builder->last_function = 0;
            builder->stack->is_truncated = true;
            add(builder,
                (struct frame){.name = TEXT("[frames omitted]"), .file = TEXT("truncated")});
        }
        if (is_return_address(builder, builder->erlang[i])) {
            add_code(builder, builder->erlang[i], true);
        }
        if (sample->stack_top == STACK_TOP_MOVED && is_bottom(builder, builder->erlang[i])) {
            builder->bottom_seen = true;
            return;
        }
    }
}

static void add_erlang(struct builder *builder)
{
    const struct cpu_sample *sample = builder->sample;
    if (sample->mode == CPU_MODE_ERLANG) {
        add_code(builder, sample->registers[CPU_REGISTER_RIP], false);
    } else if (builder->boundary_pc != 0) {
        add_code(builder, builder->boundary_pc, builder->native_cnt > 0);
    }
    if (sample->leaf_words > 0) {
        add_words(builder);
    } else {
        add_note(builder, sample->stack_top == STACK_TOP_NONE ? TEXT("[exiting]")
                                                              : TEXT("[stack not readable]"));
    }
}

// ---- what it was at ------------------------------------------------------------------------

static uint32_t state_flags(const struct builder *builder)
{
    uint32_t flags;
    memcpy(&flags, (const char *)builder->process + builder->sources->layout->offset[LAYOUT_STATE],
           sizeof flags);
    return flags;
}

// u16 gen_gcs, max_gen_gcs: a full one is due when they meet (garbage_collect,
// erl_gc.c). One that a minor collection turns into is not told.
static enum scheduler_state collection(const struct builder *builder)
{
    uint16_t gcs[2];
    memcpy(gcs, (const char *)builder->process + builder->sources->layout->offset[LAYOUT_GEN_GCS],
           sizeof gcs);
    return gcs[0] < gcs[1] ? SCHEDULER_STATE_GC_MINOR : SCHEDULER_STATE_GC_MAJOR;
}

static enum scheduler_state state_without_process(const struct builder *builder)
{
    if (builder->sample->current_port != 0) {
        return SCHEDULER_STATE_PORT;
    }
    if (calls(builder, "erts_bump_timers")) {
        return SCHEDULER_STATE_TIMERS;
    }
    if (calls(builder, "erts_check_io")) {
        return SCHEDULER_STATE_CHECK_IO;
    }
    if (is_at_aux_work(builder)) {
        return SCHEDULER_STATE_AUX;
    }
    return (builder->sample->sleep_flags & SLEEP_FLAG_WAITING) != 0 ? SCHEDULER_STATE_BUSY_WAIT
                                                                    : SCHEDULER_STATE_SCHEDULING;
}

static bool is_ets(struct builder *builder, const struct bif *bif)
{
    const uint64_t mfa[3] = {bif->module, bif->function, bif->arity};
    struct frame frame;
    return process_names_function(builder->sources->names, mfa, "bif", &frame) &&
           frame.name.len > 4 && memcmp(frame.name.bytes, "ets:", 4) == 0;
}

static enum scheduler_state state_of(struct builder *builder, int nif, int bif)
{
    if (builder->sample->mode == CPU_MODE_NO_PROCESS) {
        return state_without_process(builder);
    }
    if (builder->sample->process_words == 0) {
        return SCHEDULER_STATE_RUNNING;
    }
    enum process_status status = process_status_of(state_flags(builder));
    if (status == PROCESS_GARBAGE_COLLECTING) {
        return collection(builder);
    }
    if (status == PROCESS_EXITING || status == PROCESS_FREE) {
        return SCHEDULER_STATE_EXITING;
    }
    if (builder->sample->mode == CPU_MODE_WATCHED) {
        return builder->sample->current_mfa[0] != 0 ? SCHEDULER_STATE_NIF : SCHEDULER_STATE_RUNNING;
    }
    if (nif >= 0 && nif > bif) {
        return SCHEDULER_STATE_NIF;
    }
    if (bif >= 0) {
        return is_ets(builder, builder->native[bif].bif) ? SCHEDULER_STATE_ETS
                                                         : SCHEDULER_STATE_BIF;
    }
    return SCHEDULER_STATE_EMULATOR;
}

static bool is_complete(const struct builder *builder)
{
    const struct cpu_sample *sample = builder->sample;
    bool native = sample->mode == CPU_MODE_ERLANG || builder->native_complete;
    bool erlang = sample->mode == CPU_MODE_NO_PROCESS ||
                  (sample->leaf_words > 0 && sample->stack_top != STACK_TOP_ASSUMED &&
                   (sample->stack_top != STACK_TOP_MOVED || builder->bottom_seen));
    return native && erlang;
}

static void add_state_note(struct builder *builder)
{
    if (builder->stack->state == SCHEDULER_STATE_GC_MINOR) {
        add_note(builder, TEXT("[minor gc]"));
    } else if (builder->stack->state == SCHEDULER_STATE_GC_MAJOR) {
        add_note(builder, TEXT("[major gc]"));
    }
}

// What is deeper than asked for loses its middle, and says how much.
static void cut(struct cpu_stack *stack, uint32_t max_frames)
{
    if (stack->frame_cnt <= max_frames || max_frames < 2) {
        return;
    }
    uint32_t root = max_frames / 4;
    uint32_t leaf = max_frames - root - 1;
    uint32_t missing = stack->frame_cnt - leaf - root;
    (void)snprintf(stack->cut_text, sizeof stack->cut_text, "[%u frames omitted]", missing);
    stack->frames[leaf] =
        (struct frame){.name = text_of(stack->cut_text), .file = TEXT("truncated")};
    memmove(&stack->frames[leaf + 1], &stack->frames[stack->frame_cnt - root],
            root * sizeof *stack->frames);
    stack->frame_cnt = leaf + 1 + root;
    stack->is_truncated = true;
}

// Of a process that runs on: a function of a dirty scheduler is known, the stack as last
// stored.
static void add_watched(struct builder *builder)
{
    add_note(builder, TEXT("[on a scheduler, stack may lag]"));
    if (builder->stack->state == SCHEDULER_STATE_NIF) {
        add_nif(builder);
    }
}

void cpu_stack_build(const struct cpu_stack_sources *sources, const struct cpu_sample *sample,
                     struct cpu_stack *stack)
{
    struct builder builder = {
        .sources = sources,
        .sample = sample,
        .stack = stack,
        .process = sample->words,
        .c_words = sample->words + sample->process_words,
        .erlang = sample->words + sample->process_words + sample->c_words + sample->c_root_words,
    };
    stack->frame_cnt = 0;
    stack->has_unknown = false;
    stack->has_caller = false;
    stack->is_truncated = false;
    bool is_native = sample->mode == CPU_MODE_NATIVE || sample->mode == CPU_MODE_DIRTY;
    if (is_native || sample->mode == CPU_MODE_NO_PROCESS) {
        unwind_native(&builder);
    }
    int nif = is_native ? find_nif(&builder) : -1;
    int bif = is_native ? find_bif(&builder) : -1;
    stack->state = state_of(&builder, nif, bif);
    if (sample->mode == CPU_MODE_WATCHED) {
        add_watched(&builder);
    } else {
        add_native(&builder, stack->state == SCHEDULER_STATE_NIF ? nif : -1);
    }
    add_state_note(&builder);
    if (sample->mode != CPU_MODE_NO_PROCESS) {
        add_erlang(&builder);
    }
    stack->is_complete = is_complete(&builder);
    cut(stack, sources->max_frames);
}
