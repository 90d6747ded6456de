// SPDX-License-Identifier: Apache-2.0
#include "record/beam/code_follower.h"

static struct code_key key_of(const struct jit_code_entry *entry)
{
    return (struct code_key){entry->address, entry->symfile, entry->symfile_bytes};
}

// What is newer than the walker's last look belongs to the generation to come.
static void on_walk_begin(void *context)
{
    struct code_follower *follower = context;
    follower->next_generation =
        atomic_load_explicit(&follower->walker->code_generation, memory_order_acquire);
    follower->walk_generation = follower->code_is_read ? follower->next_generation + 1 : 0;
    code_map_begin(follower->code, follower->walk_generation);
}

// Entries come newest first: from the one on that was first when a generation
// began, they were there in that generation.
static void note_generation(struct code_follower *follower, uint64_t entry)
{
    uint32_t generation = follower->walk_generation;
    uint32_t new_cnt = generation - follower->read_generation;
    new_cnt = new_cnt < WALKER_KEPT_GENERATIONS ? new_cnt : WALKER_KEPT_GENERATIONS - 1;
    for (uint32_t i = 1; i <= new_cnt; i++) {
        uint32_t earlier = generation - i;
        if (atomic_load_explicit(
                &follower->walker->generation_first[earlier % WALKER_KEPT_GENERATIONS],
                memory_order_relaxed) == entry) {
            follower->walk_generation = earlier;
            code_map_set_generation(follower->code, earlier);
            return;
        }
    }
}

static bool on_wants(void *context, const struct jit_code_entry *entry)
{
    struct code_follower *follower = context;
    struct code_key key = key_of(entry);
    note_generation(follower, entry->address);
    return !code_map_has(follower->code, &key);
}

static void on_take(void *context, const struct jit_code_entry *entry, const void *symfile)
{
    struct code_key key = key_of(entry);
    (void)code_map_add(((struct code_follower *)context)->code, &key, symfile);
}

bool code_follower_read(struct code_follower *follower)
{
    const struct jit_code_visitor visitor = {follower, on_walk_begin, on_wants, on_take};
    bool ok = memory_reader_check(&follower->reader) &&
              jit_code_list_walk(&follower->list, &follower->reader, &visitor);
    if (ok) {
        code_map_end(follower->code);
        follower->code_is_read = true;
        follower->read_generation = follower->next_generation;
    }
    return ok;
}

void code_follower_look(struct code_follower *follower)
{
    if (memory_reader_check(&follower->reader) &&
        jit_code_list_changed(&follower->list, &follower->reader)) {
        (void)code_follower_read(follower);
    }
}

bool code_follower_init(struct code_follower *follower, const struct walker *walker,
                        const struct vm_memory *memory, size_t max_bytes, enum reader_kind reader,
                        struct error *err)
{
    *follower = (struct code_follower){.walker = walker, .code = code_map_create(max_bytes)};
    if (follower->code == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "recording: no memory for its tables");
    }
    if (!memory_reader_open(&follower->reader, reader, err) ||
        !jit_code_list_find(&follower->list, memory, &follower->reader, err)) {
        return false;
    }
    return code_follower_read(follower) ||
           error_set(err, ERROR_LAYOUT, "the emulator's list of code did not hold still");
}

void code_follower_close(struct code_follower *follower)
{
    memory_reader_close(&follower->reader);
}

void code_follower_deinit(struct code_follower *follower)
{
    code_map_destroy(follower->code);
    follower->code = NULL;
}
