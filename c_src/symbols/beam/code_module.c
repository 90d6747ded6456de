// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_module.h"

#include "model/beam_name.h"
#include "symbols/beam/gdb_symfile.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RANGES = 1 << 20, MAX_LINES = 1 << 22 };

size_t code_module_bytes(const struct code_module *module)
{
    return sizeof *module + module->function_cnt * sizeof *module->functions +
           module->line_cnt * sizeof *module->lines;
}

void code_module_destroy(struct code_module *module)
{
    if (module == NULL) {
        return;
    }
    free(module->functions);
    free(module->lines);
    free(module);
}

// ---- reading a symbol file ------------------------------------------------------

struct module_counts {
    uint32_t functions;
    uint32_t lines;
};

static bool count_parts(struct gdb_symfile symfile, struct module_counts *counts)
{
    struct gdb_range range;
    struct gdb_line line;
    *counts = (struct module_counts){0};
    for (uint32_t i = 0; i < symfile.range_cnt; i++) {
        if (!gdb_symfile_range(&symfile, &range) || ++counts->functions > MAX_RANGES) {
            return false;
        }
        for (uint32_t k = 0; k < range.line_cnt; k++) {
            if (!gdb_symfile_line(&symfile, &line) || ++counts->lines > MAX_LINES) {
                return false;
            }
        }
    }
    return true;
}

// The compiler notes the path it was given; the path of a build machine says
// nothing and makes every line longer.
static struct text base_name(struct text path)
{
    uint32_t at = path.len;
    while (at > 0 && path.bytes[at - 1] != '/') {
        at--;
    }
    return (struct text){path.bytes + at, path.len - at};
}

// Where no line says better. The VM prints the module as the shell does.
static string_id module_file(struct string_table *strings, struct text printed)
{
    char module[BEAM_NAME_MAX_BYTES];
    char file[BEAM_NAME_MAX_BYTES + 4];
    struct text name = beam_name_printed_module(printed, module, sizeof module);
    return name.len == 0 ? 0
                         : string_table_intern(strings, beam_name_file(name, file, sizeof file));
}

// The lines of a module are nearly all of one file.
struct line_file {
    struct text path;
    string_id name;
};

static string_id file_of_line(struct line_file *last, struct text path,
                              struct string_table *strings)
{
    if (!text_equal(last->path, path)) {
        *last = (struct line_file){path, string_table_intern(strings, base_name(path))};
    }
    return last->name;
}

static void read_parts(struct code_module *module, struct gdb_symfile *symfile,
                       struct string_table *strings)
{
    struct gdb_range range;
    struct gdb_line line;
    struct line_file file = {.path = TEXT("")};
    uint32_t line_at = 0;
    char name[BEAM_NAME_MAX_BYTES];
    for (uint32_t i = 0; i < module->function_cnt; i++) {
        (void)gdb_symfile_range(symfile, &range);
        struct text shown = beam_name_printed(range.name, name, sizeof name);
        module->functions[i] = (struct code_function){
            .start = range.start,
            .end = range.end,
            .name = string_table_intern(strings, shown),
            .module_file = module_file(strings, range.name),
            .first_line = line_at,
            .line_cnt = range.line_cnt,
        };
        for (uint32_t k = 0; k < range.line_cnt; k++) {
            (void)gdb_symfile_line(symfile, &line);
            module->lines[line_at++] =
                (struct code_line){line.start, line.line, file_of_line(&file, line.file, strings)};
        }
    }
}

static int by_start(const void *a, const void *b)
{
    uint32_t left = ((const struct code_function *)a)->start;
    uint32_t right = ((const struct code_function *)b)->start;
    return left < right ? -1 : left > right;
}

uint64_t code_module_hash(const void *bytes, uint64_t byte_cnt)
{
    const unsigned char *at = bytes;
    uint64_t hash = byte_cnt;
    for (; byte_cnt > 0; at += 8, byte_cnt -= byte_cnt < 8 ? byte_cnt : 8) {
        uint64_t word = 0;
        memcpy(&word, at, byte_cnt < 8 ? byte_cnt : 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
    }
    return hash;
}

static struct code_module *with_room_for(const struct module_counts *counts)
{
    struct code_module *module = calloc(1, sizeof *module);
    if (module == NULL) {
        return NULL;
    }
    module->functions = calloc(counts->functions + 1, sizeof *module->functions);
    module->function_cnt = counts->functions;
    module->lines = calloc(counts->lines + 1, sizeof *module->lines);
    module->line_cnt = counts->lines;
    if (module->functions == NULL || module->lines == NULL) {
        code_module_destroy(module);
        return NULL;
    }
    return module;
}

struct code_module *code_module_create(const struct code_key *key, const void *symfile,
                                       struct string_table *strings, size_t max_bytes)
{
    struct gdb_symfile file;
    struct module_counts counts;
    if (!gdb_symfile_open(&file, symfile, key->symfile_bytes) ||
        file.base + file.code_bytes < file.base || !count_parts(file, &counts)) {
        return NULL;
    }
    struct code_module *module = with_room_for(&counts);
    if (module == NULL || code_module_bytes(module) > max_bytes) {
        code_module_destroy(module);
        return NULL;
    }
    module->key = *key;
    module->content = code_module_hash(symfile, key->symfile_bytes);
    module->base = file.base;
    module->end = file.base + file.code_bytes;
    module->retired = CODE_MODULE_LOADED;
    module->is_read = true;
    read_parts(module, &file, strings);
    qsort(module->functions, module->function_cnt, sizeof *module->functions, by_start);
    return module;
}

struct code_module *code_module_create_unread(const struct code_key *key, const void *head,
                                              size_t head_bytes)
{
    struct gdb_symfile file;
    if (!gdb_symfile_open(&file, head, head_bytes) || file.base + file.code_bytes < file.base) {
        return NULL;
    }
    struct code_module *module = calloc(1, sizeof *module);
    if (module != NULL) {
        module->key = *key;
        module->content = code_module_hash(head, head_bytes);
        module->base = file.base;
        module->end = file.base + file.code_bytes;
        module->retired = CODE_MODULE_LOADED;
    }
    return module;
}

bool code_module_read(struct code_module *module, const void *symfile, struct string_table *strings,
                      size_t max_bytes)
{
    struct code_module *read = code_module_create(&module->key, symfile, strings, max_bytes);
    bool ok = read != NULL && read->base == module->base && read->end == module->end;
    if (ok) {
        module->content = read->content;
        module->is_read = true;
        module->functions = read->functions;
        module->function_cnt = read->function_cnt;
        module->lines = read->lines;
        module->line_cnt = read->line_cnt;
        free(read);
    } else {
        code_module_destroy(read);
    }
    return ok;
}

// ---- lookup ---------------------------------------------------------------------

const struct code_function *code_module_function(const struct code_module *module, uint32_t offset)
{
    uint32_t low = 0;
    uint32_t high = module->function_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->functions[middle].start <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct code_function *function = low > 0 ? &module->functions[low - 1] : NULL;
    return function != NULL && offset < function->end ? function : NULL;
}

const struct code_line *code_module_line(const struct code_module *module,
                                         const struct code_function *function, uint32_t offset)
{
    const struct code_line *found = NULL;
    const struct code_line *lines = module->lines + function->first_line;
    for (uint32_t i = 0; i < function->line_cnt && lines[i].start <= offset; i++) {
        found = &lines[i];
    }
    return found;
}
