// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_layouts.h"

#include "base/log.h"
#include "capture/system/process_files.h"
#include "record/system/beam_process.h"
#include "symbols/system/elf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_VMS = 32 };

// A VM without a file has an entry, too.
struct vm {
    uint32_t pid;
    uint64_t address_space; // 0 = free
    uint64_t used_at;
    bool is_inside; // its thread ids are not ours
    struct layout_file *layout;
};

struct beam_layouts {
    struct vm vms[MAX_VMS];
    uint64_t uses;
};

struct beam_layouts *beam_layouts_create(void)
{
    return calloc(1, sizeof(struct beam_layouts));
}

void beam_layouts_destroy(struct beam_layouts *layouts)
{
    for (int i = 0; layouts != NULL && i < MAX_VMS; i++) {
        free(layouts->vms[i].layout);
    }
    free(layouts);
}

// --- whether it is of this process ------------------------------------------------------------

static bool has_program(const struct process *process, const struct layout_file *layout)
{
    struct elf_file program = {0};
    struct elf_build_id id = {.len = 0};
    const struct process_mapping *mapping = beam_process_program(process);
    int fd = mapping == NULL
                 ? -1
                 : process_files_open_mapping(process->pid, mapping,
                                              process_maps_path(&process->maps, mapping));
    if (fd >= 0 && elf_file_open(&program, fd, NULL)) {
        id = elf_file_build_id(&program);
        elf_file_close(&program);
    }
    return id.len > 0 && id.len == layout->build_id_len &&
           memcmp(id.bytes, layout->build_id, id.len) == 0;
}

// Why it is not; NULL when it is.
static const char *doubt(const struct process *process, uint32_t inner_pid,
                         const struct layout_file *layout)
{
    uint64_t start_ticks = 0;
    if (layout->os_pid != inner_pid) {
        return "it is of another process id";
    }
    if (!process_files_start_ticks(process->pid, &start_ticks) ||
        start_ticks != layout->start_ticks) {
        return "it is of a process that began at another time";
    }
    return has_program(process, layout) ? NULL : "it is of another build of the emulator";
}

// --- reading ----------------------------------------------------------------------------------

static uint32_t read_all(int fd, char *bytes, uint32_t max)
{
    uint32_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < max) {
        got = read(fd, bytes + len, max - len);
        len += got > 0 ? (uint32_t)got : 0;
    }
    return got < 0 ? 0 : len;
}

static const char *read_layout(const struct process *process, uint32_t inner_pid, int fd,
                               struct layout_file *layout)
{
    if (!process_files_is_trusted(fd, process->pid)) {
        return "it belongs to another user";
    }
    char *bytes = malloc(LAYOUT_FILE_MAX_BYTES);
    uint32_t len = bytes == NULL ? 0 : read_all(fd, bytes, LAYOUT_FILE_MAX_BYTES);
    bool is_one = layout_file_parse(layout, (struct text){bytes, len});
    free(bytes);
    return is_one ? doubt(process, inner_pid, layout) : "it is of another version or not whole";
}

static struct layout_file *open_layout(const struct process *process, uint32_t inner_pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/flame_prof-%u.layout", inner_pid);
    int fd = process_files_open(process->pid, path);
    if (fd < 0) {
        return NULL;
    }
    struct layout_file *layout = malloc(sizeof *layout);
    const char *why =
        layout == NULL ? "out of memory" : read_layout(process, inner_pid, fd, layout);
    (void)close(fd);
    if (why == NULL) {
        return layout;
    }
    log_info("Erlang VM %u: %s is not believed: %s", process->pid, path, why);
    free(layout);
    return NULL;
}

// --- by process -------------------------------------------------------------------------------

static const struct vm *find(const struct beam_layouts *layouts, uint32_t pid,
                             uint64_t address_space)
{
    for (int i = 0; i < MAX_VMS; i++) {
        const struct vm *vm = &layouts->vms[i];
        if (vm->address_space == address_space && vm->pid == pid && address_space != 0) {
            return vm;
        }
    }
    return NULL;
}

static struct vm *add(struct beam_layouts *layouts, const struct process *process)
{
    struct vm *vm = &layouts->vms[0];
    uint32_t inner_pid = 0;
    for (int i = 1; i < MAX_VMS; i++) {
        vm = layouts->vms[i].used_at < vm->used_at ? &layouts->vms[i] : vm;
    }
    free(vm->layout);
    *vm = (struct vm){.pid = process->pid, .address_space = process->address_space};
    if (process_files_inner_pid(process->pid, &inner_pid)) {
        vm->is_inside = inner_pid != process->pid;
        vm->layout = open_layout(process, inner_pid);
    }
    return vm;
}

const struct layout_file *beam_layouts_find(struct beam_layouts *layouts,
                                            const struct process *process)
{
    const struct vm *known = find(layouts, process->pid, process->address_space);
    struct vm *vm = known == NULL ? add(layouts, process) : &layouts->vms[known - layouts->vms];
    vm->used_at = ++layouts->uses;
    return vm->layout;
}

bool beam_layouts_scheduler(const struct beam_layouts *layouts, uint32_t pid,
                            uint64_t address_space, uint32_t tid, struct beam_scheduler *scheduler)
{
    const struct vm *vm = find(layouts, pid, address_space);
    if (vm == NULL || vm->layout == NULL || vm->is_inside) {
        return false;
    }
    for (uint32_t i = 0; i < vm->layout->scheduler_cnt; i++) {
        if (vm->layout->schedulers[i].tid == tid) {
            *scheduler = vm->layout->schedulers[i].is;
            return true;
        }
    }
    return false;
}
