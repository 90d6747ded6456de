// SPDX-License-Identifier: Apache-2.0
#include "record/system/unwind_tables.h"

#include "base/log.h"
#include "capture/system/process_files.h"
#include "record/system/beam_process.h"
#include "record/system/unwind_image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 512, MAX_IMAGES = 4096, MAX_CODE = PROCESS_MAPS_MAX_MAPPINGS };

// One file that is mapped somewhere, with or without a table.
struct image {
    struct process_file_identity identity;
    Elf64_Phdr *segments;
    uint32_t segment_cnt;
    bool is_read;        // or cannot be
    unwind_file_id file; // 0: nothing to unwind by
    struct image *next;
};

struct unwind_tables {
    struct unwind_store *store;
    struct beam_layouts *layouts; // borrowed
    void (*pause)(void *context); // or NULL
    void *context;
    bool is_eager;
    struct image *buckets[BUCKETS];
    uint32_t image_cnt;
    struct image vdso; // of all processes; looked at for the first of them
    bool has_vdso;
    struct unwind_code code[MAX_CODE]; // of the process that is being set
};

// ---- images ---------------------------------------------------------------------------

static void load_image(struct unwind_tables *tables, struct image *image,
                       const struct elf_file *file, uint64_t now_ns)
{
    struct unwind_image unwound;
    image->segments = calloc(file->segment_cnt + 1, sizeof *image->segments);
    if (image->segments == NULL || !unwind_image_open(&unwound, file)) {
        return;
    }
    memcpy(image->segments, file->segments, file->segment_cnt * sizeof *image->segments);
    image->segment_cnt = file->segment_cnt;
    image->file = unwind_store_add_file(tables->store, &unwound.frames, now_ns);
    unwind_image_close(&unwound);
}

static void clear_image(struct image *image)
{
    free(image->segments);
    image->segments = NULL;
    image->segment_cnt = 0;
    image->is_read = false;
    image->file = 0;
}

static void load_vdso(struct unwind_tables *tables, uint64_t now_ns)
{
    const unsigned char *bytes = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    struct elf_file file = {0};
    Elf64_Ehdr header;
    tables->has_vdso = true;
    if (bytes == NULL) {
        return;
    }
    memcpy(&header, bytes, sizeof header); // it ends with its section headers
    size_t len = (size_t)(header.e_shoff + (uint64_t)header.e_shnum * header.e_shentsize);
    if (elf_file_open_memory(&file, bytes, len, NULL)) {
        load_image(tables, &tables->vdso, &file, now_ns);
        elf_file_close(&file);
    }
}

struct unwind_tables *unwind_tables_create(struct unwind_store *store, struct beam_layouts *layouts)
{
    struct unwind_tables *tables = calloc(1, sizeof *tables);
    if (tables != NULL) {
        tables->store = store;
        tables->layouts = layouts;
    }
    return tables;
}

void unwind_tables_set_pause(struct unwind_tables *tables, void (*pause)(void *context),
                             void *context)
{
    tables->pause = pause;
    tables->context = context;
}

void unwind_tables_set_eager(struct unwind_tables *tables)
{
    tables->is_eager = true;
}

static void forget_images(struct unwind_tables *tables)
{
    for (int i = 0; i < BUCKETS; i++) {
        while (tables->buckets[i] != NULL) {
            struct image *image = tables->buckets[i];
            tables->buckets[i] = image->next;
            clear_image(image);
            free(image);
        }
    }
    tables->image_cnt = 0;
}

void unwind_tables_destroy(struct unwind_tables *tables)
{
    if (tables == NULL) {
        return;
    }
    forget_images(tables);
    clear_image(&tables->vdso);
    free(tables);
}

static struct image **bucket_of(struct unwind_tables *tables,
                                const struct process_file_identity *identity)
{
    return &tables->buckets[(identity->inode ^ identity->dev) % BUCKETS];
}

static struct image *find_image(struct unwind_tables *tables,
                                const struct process_file_identity *identity)
{
    struct image *image = *bucket_of(tables, identity);
    while (image != NULL && memcmp(&image->identity, identity, sizeof *identity) != 0) {
        image = image->next;
    }
    return image;
}

static struct image *add_image(struct unwind_tables *tables,
                               const struct process_file_identity *identity)
{
    if (tables->image_cnt == MAX_IMAGES) {
        forget_images(tables); // their tables stay until they are not used; so rare
    }
    struct image *image = calloc(1, sizeof *image);
    if (image != NULL) {
        image->identity = *identity;
        image->next = *bucket_of(tables, identity);
        *bucket_of(tables, identity) = image;
        tables->image_cnt++;
    }
    return image;
}

static int open_mapping(const struct process *process, const struct process_mapping *mapping,
                        struct text path)
{
    int fd = process_files_open_mapping(process_pid_here(process), mapping, path);
    return fd >= 0 ? fd : process_files_open_here(path, mapping->inode);
}

static void read_image(struct unwind_tables *tables, struct image *image,
                       const struct process *process, const struct process_mapping *mapping,
                       struct text path, uint64_t now_ns)
{
    struct elf_file file = {0};
    int fd = open_mapping(process, mapping, path);
    image->is_read = true;
    if (fd >= 0 && elf_file_open(&file, fd, NULL)) {
        load_image(tables, image, &file, now_ns);
        elf_file_close(&file);
    }
    if (tables->pause != NULL) {
        tables->pause(tables->context);
    }
}

// The image behind a mapping; NULL when the file cannot be looked at.
static struct image *image_of(struct unwind_tables *tables, const struct process *process,
                              const struct process_mapping *mapping, struct text path)
{
    struct process_file_identity identity;
    if (!process_files_identify(process_pid_here(process), mapping, path, &identity)) {
        return NULL;
    }
    struct image *image = find_image(tables, &identity);
    if (image != NULL && image->file != 0 && !unwind_store_has_file(tables->store, image->file)) {
        clear_image(image);
    }
    return image == NULL ? add_image(tables, &identity) : image;
}

static struct image *vdso_of(struct unwind_tables *tables, uint64_t now_ns)
{
    if (!tables->has_vdso) {
        load_vdso(tables, now_ns);
    }
    return &tables->vdso;
}

// ---- processes ------------------------------------------------------------------------

static struct image *read_image_of(struct unwind_tables *tables, const struct process *process,
                                   const struct process_mapping *mapping, bool reads,
                                   uint64_t now_ns)
{
    struct text path = process_maps_path(&process->maps, mapping);
    struct image *image = image_of(tables, process, mapping, path);
    if (image != NULL && !image->is_read && reads) {
        read_image(tables, image, process, mapping, path, now_ns);
    }
    return image;
}

// A file that nobody has read is, where it `reads`.
static struct unwind_code code_of(struct unwind_tables *tables, const struct process *process,
                                  const struct process_mapping *mapping, bool reads,
                                  uint64_t now_ns)
{
    struct unwind_code code = {.start = mapping->start, .end = mapping->end};
    struct image *image = NULL;
    if (mapping->kind == PROCESS_MAPPING_VDSO) {
        image = vdso_of(tables, now_ns);
    } else if (mapping->kind == PROCESS_MAPPING_FILE) {
        image = read_image_of(tables, process, mapping, reads, now_ns);
        code.is_unread = image != NULL && !image->is_read;
    }
    if (image != NULL &&
        unwind_image_address(image->segments, image->segment_cnt, mapping->offset, &code.address)) {
        code.file = image->file;
    }
    return code;
}

// A VM's own word goes before what is known of its release.
static struct beam_process beam_of(struct unwind_tables *tables, const struct process *process)
{
    struct beam_process beam = beam_process_of(process);
    const struct layout_file *told =
        beam.is_beam ? beam_layouts_find(tables->layouts, process) : NULL;
    if (told != NULL) {
        (void)beam_process_told_layout(told, &beam.layout);
    }
    return beam;
}

// Its program and the C library are at the bottom of every stack.
static bool is_read_at_once(const struct unwind_tables *tables, const struct process *process,
                            uint32_t i)
{
    struct text path = process_maps_path(&process->maps, &process->maps.mappings[i]);
    return tables->is_eager || i == 0 ||
           (path.len > 0 && memmem(path.bytes, path.len, "/libc.so", 8) != NULL);
}

static void set_process(struct unwind_tables *tables, struct process *process, uint64_t now_ns)
{
    uint32_t cnt = 0;
    struct beam_process beam = beam_of(tables, process);
    for (uint32_t i = 0; i < process->maps.cnt && cnt < MAX_CODE; i++) {
        const struct process_mapping *mapping = &process->maps.mappings[i];
        tables->code[cnt] =
            code_of(tables, process, mapping, is_read_at_once(tables, process, i), now_ns);
        tables->code[cnt].is_erlang =
            beam.is_beam && beam_process_made(process, mapping); // its JIT
        cnt++;
    }
    if (!unwind_store_set_process(tables->store, process->pid, process->address_space, tables->code,
                                  cnt, &beam.layout, now_ns)) {
        log_debug("no unwind tables for process %u: no room", process->pid);
    }
    process->tables_id = process->maps_id;
}

void unwind_tables_note(struct unwind_tables *tables, struct process *process, uint64_t now_ns)
{
    bool is_known =
        unwind_store_use_process(tables->store, process->pid, process->address_space, now_ns);
    if (!is_known || process->tables_id != process->maps_id) {
        set_process(tables, process, now_ns);
    }
}

bool unwind_tables_read(struct unwind_tables *tables, struct process *process, uint64_t place,
                        uint64_t now_ns)
{
    const struct process_mapping *mapping = process_maps_find(&process->maps, place);
    if (mapping == NULL || mapping->kind != PROCESS_MAPPING_FILE) {
        return false;
    }
    struct unwind_code code = code_of(tables, process, mapping, true, now_ns);
    return unwind_store_set_code(tables->store, process->pid, process->address_space, &code,
                                 now_ns);
}
