// SPDX-License-Identifier: Apache-2.0
#include "record/system/sample_completion.h"

#include <string.h>

enum { MAX_READ_FILES = 64 }; // for one stack

static bool is_of_beam(const struct system_sample *sample)
{
    return sample->erlang_pid != 0 || sample->stack_end == SYSTEM_STACK_BEAM_IDLE ||
           sample->stack_end == SYSTEM_STACK_BEAM_UNKNOWN ||
           sample->stack_end == SYSTEM_STACK_BEAM_UNVERIFIED;
}

static bool recall_maps(void *context, uint32_t pid, uint64_t time_ns, bool is_gone,
                        struct process_maps *maps)
{
    struct mapping_events *mappings = context;
    (void)mapping_events_drain(mappings);
    bool has_changed = mapping_events_has_changed(mappings, pid, time_ns);
    bool is_known = (is_gone || has_changed) && mapping_events_find(mappings, pid, time_ns, maps);
    return is_known || has_changed;
}

void sample_completion_init(struct sample_completion *completion)
{
    completion->mappings = system_source_mappings(completion->source);
    if (completion->mappings != NULL) {
        process_history_set_source(completion->history, recall_maps, completion->mappings);
    }
}

// Its memory may be the new program's already, while that is not yet told of.
static bool is_in_exec(const struct sample_completion *completion,
                       const struct system_sample *sample)
{
    return sample->stack_end == SYSTEM_STACK_NO_USER && completion->mappings != NULL;
}

// Perf events copy the registers and the stack that the program before had. BPF sees the
// difference itself.
static void drop_old_registers(const struct sample_completion *completion,
                               struct system_sample *sample)
{
    if (sample->snapshot != NULL && sample->kernel_cnt > 0 &&
        !system_source_is_bpf(completion->source) && completion->mappings != NULL &&
        mapping_events_is_in_exec(completion->mappings, sample->pid, sample->time_ns,
                                  sample->snapshot->pc)) {
        sample->snapshot = NULL;
        sample->stack_end = SYSTEM_STACK_NO_USER;
    }
}

// Again and again, as long as that has a file read.
static void walk_through(struct sample_completion *completion, struct process *process,
                         struct system_sample *sample, uint64_t now_ns)
{
    struct unwind_store *store = system_source_unwind_store(completion->source);
    const struct system_snapshot *snapshot = sample->snapshot;
    uint64_t unread = unwind_store_walk(store, sample, completion->walked);
    for (int i = 0; i < MAX_READ_FILES && unread != 0 && process != NULL &&
                    unwind_tables_read(completion->tables, process, unread, now_ns);
         i++) {
        sample->snapshot = snapshot;
        unread = unwind_store_walk(store, sample, completion->walked);
    }
}

// A second time, where a library was loaded after the mappings were read.
static void walk(struct sample_completion *completion, struct process *process,
                 struct system_sample *sample, uint64_t now_ns)
{
    const struct system_snapshot *snapshot = sample->snapshot;
    memcpy(completion->walked, sample->frames, sample->kernel_cnt * sizeof *sample->frames);
    walk_through(completion, process, sample, now_ns);
    bool is_unknown = sample->stack_end == SYSTEM_STACK_NO_MAPPING;
    if (process != NULL && (is_unknown || process->maps.cnt == 0)) {
        process_history_refresh(completion->history, process, now_ns);
        unwind_tables_note(completion->tables, process, now_ns);
        sample->snapshot = snapshot;
        walk_through(completion, process, sample, now_ns);
    }
}

static struct process *process_of(struct sample_completion *completion,
                                  const struct system_sample *sample, uint64_t now_ns)
{
    if (!is_in_exec(completion, sample)) {
        (void)process_history_note(completion->history, sample->pid, sample->address_space,
                                   sample->time_ns, now_ns);
    }
    return process_history_find(completion->history, sample->pid, sample->address_space);
}

void sample_completion_complete(struct sample_completion *completion, struct system_sample *sample,
                                uint64_t now_ns)
{
    drop_old_registers(completion, sample);
    struct process *process = process_of(completion, sample, now_ns);
    if (process != NULL) {
        if (sample->stack_end == SYSTEM_STACK_NO_MAPPING && sample->unread == 0) {
            process_history_refresh(completion->history, process, now_ns);
        }
        unwind_tables_note(completion->tables, process, now_ns);
        if (sample->unread != 0) {
            (void)unwind_tables_read(completion->tables, process, sample->unread, now_ns);
        }
    }
    if (sample->snapshot != NULL) {
        walk(completion, process, sample, now_ns);
    }
    if (process != NULL && is_of_beam(sample)) {
        sample->code_generation = beam_names_note(completion->beams, process, now_ns);
        beam_names_want(completion->beams, process, sample->frames + sample->kernel_cnt,
                        sample->user_cnt);
    }
}
