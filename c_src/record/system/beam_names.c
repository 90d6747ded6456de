// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_names.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/string_table.h"
#include "capture/system/process_files.h"
#include "capture/system/system_sample.h"
#include "record/system/beam_code.h"
#include "record/system/beam_process.h"
#include "record/system/unwind_image.h"

#include <stdlib.h>

enum { MAX_VMS = 32, MAX_CODE_BYTES = 16 << 20, MAX_SHARED_BYTES = 16 << 20 };
#define LOOK_AGAIN_NS (50ULL * CLOCK_NS_PER_MS)

// A VM that cannot be read has an entry, too, so that it is not tried at every sample.
struct vm {
    uint32_t pid;
    uint64_t address_space; // 0 = free
    uint64_t used_at;
    uint64_t looked_ns;
    struct beam_pid_encoding encoding;
    struct beam_code code;
};

struct beam_names {
    struct beam_layouts *layouts; // borrowed
    struct string_table *texts;   // that VMs have in common: most of their modules are OTP's
    struct vm vms[MAX_VMS];
    uint64_t uses;
    struct beam_names_stats stats;
};

struct beam_names *beam_names_create(struct beam_layouts *layouts)
{
    struct beam_names *names = calloc(1, sizeof *names);
    struct string_table *texts = string_table_create(MAX_SHARED_BYTES);
    if (names == NULL || texts == NULL) {
        string_table_destroy(texts);
        free(names);
        return NULL;
    }
    names->layouts = layouts;
    names->texts = texts;
    return names;
}

void beam_names_destroy(struct beam_names *names)
{
    for (int i = 0; names != NULL && i < MAX_VMS; i++) {
        beam_code_deinit(&names->vms[i].code);
    }
    if (names != NULL) {
        string_table_destroy(names->texts);
    }
    free(names);
}

static struct vm *find(struct beam_names *names, const struct process *process)
{
    for (int i = 0; i < MAX_VMS; i++) {
        struct vm *vm = &names->vms[i];
        if (vm->address_space == process->address_space && vm->pid == process->pid) {
            vm->used_at = ++names->uses;
            return vm;
        }
    }
    return NULL;
}

// What VMs that are gone had stays. When that is much the next ones have tables of their own.
static struct string_table *texts_of_next(const struct beam_names *names)
{
    return string_table_memory_bytes(names->texts) < MAX_SHARED_BYTES / 2 ? names->texts : NULL;
}

static void open_code(const struct beam_names *names, struct vm *vm, const struct process *process,
                      uint64_t told)
{
    const struct process_mapping *mapping = beam_process_program(process);
    struct elf_file program = {0};
    uint64_t address = 0;
    if (mapping == NULL) {
        return;
    }
    int fd = process_files_open_mapping(process->pid, mapping,
                                        process_maps_path(&process->maps, mapping));
    if (fd < 0 || !elf_file_open(&program, fd, NULL)) {
        return;
    }
    bool ok =
        unwind_image_address(program.segments, program.segment_cnt, mapping->offset, &address) &&
        beam_code_init(&vm->code, process->pid, told, &program, mapping->start - address,
                       MAX_CODE_BYTES, texts_of_next(names));
    if (!ok) {
        log_info("the code of Erlang VM %u cannot be read: its functions are named by its perf "
                 "map, if it has one",
                 process->pid);
    }
    elf_file_close(&program);
}

static void count(struct beam_names *names, const struct vm *vm)
{
    struct beam_names_stats *stats = &names->stats;
    if (vm->code.map == NULL) {
        stats->unreadable_cnt++;
    } else if (vm->code.is_told) {
        stats->told_cnt++;
    } else {
        stats->searched_cnt++;
    }
}

// By its layout file where it has one, else by its memory and its command line.
static void open_vm(struct beam_names *names, struct vm *vm, const struct process *process)
{
    const struct layout_file *told = beam_layouts_find(names->layouts, process);
    if (told == NULL || !beam_process_told_encoding(told, &vm->encoding)) {
        vm->encoding = beam_process_pid_encoding(process);
    }
    open_code(names, vm, process, told == NULL ? 0 : told->code_list);
    count(names, vm);
}

static struct vm *add(struct beam_names *names, const struct process *process)
{
    struct vm *vm = &names->vms[0];
    for (int i = 1; i < MAX_VMS; i++) {
        vm = names->vms[i].used_at < vm->used_at ? &names->vms[i] : vm;
    }
    beam_code_deinit(&vm->code);
    *vm = (struct vm){
        .pid = process->pid,
        .address_space = process->address_space,
        .used_at = ++names->uses,
    };
    open_vm(names, vm, process);
    return vm;
}

uint32_t beam_names_note(struct beam_names *names, const struct process *process, uint64_t now_ns)
{
    struct vm *vm = find(names, process);
    vm = vm == NULL ? add(names, process) : vm;
    if (vm->code.map != NULL && now_ns - vm->looked_ns >= LOOK_AGAIN_NS) {
        vm->looked_ns = now_ns;
        (void)beam_code_refresh(&vm->code);
    }
    return vm->code.generation;
}

void beam_names_want(struct beam_names *names, const struct process *process,
                     const uint64_t *frames, uint32_t frame_cnt)
{
    struct vm *vm = find(names, process);
    if (vm == NULL || vm->code.map == NULL) {
        return;
    }
    for (uint32_t i = 0; i < frame_cnt; i++) {
        bool is_return = i > 0 && (frames[i] & SYSTEM_FRAME_EXACT) == 0;
        beam_code_want(&vm->code, (frames[i] & ~SYSTEM_FRAME_EXACT) - (is_return ? 1 : 0));
    }
}

bool beam_names_find(struct beam_names *names, const struct process *process, uint64_t address,
                     uint32_t generation, struct code_location *location)
{
    const struct vm *vm = find(names, process);
    return vm != NULL && vm->code.generation != 0 &&
           code_map_find(vm->code.map, address, generation, location);
}

bool beam_names_process_number(struct beam_names *names, const struct process *process,
                               uint64_t pid_term, uint32_t *number)
{
    const struct vm *vm = find(names, process);
    if (vm == NULL || pid_term == 0) {
        return false;
    }
    *number = beam_process_number(&vm->encoding, pid_term);
    return true;
}

struct beam_names_stats beam_names_stats(const struct beam_names *names)
{
    return names->stats;
}
