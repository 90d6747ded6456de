// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_map.h"

#include "base/string_table.h"
#include "model/beam_name.h"
#include "symbols/beam/gdb_symfile.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RETIRED = 256, MAX_RANGES = 1 << 20, MAX_LINES = 1 << 22 };
// The VM puts new entries in front, so one that got the addresses of freed code
// stands before all that stayed. So many in a row with unchanged content, and
// what follows has stayed, too.
enum { UNCHANGED_ENOUGH = 16 };
#define STILL_LOADED UINT32_MAX
#define NOT_LISTED UINT32_MAX

struct function {
    uint32_t start; // offsets from the module's base
    uint32_t end;
    string_id name;
    string_id module_file; // where no line says better
    uint32_t first_line;
    uint32_t line_cnt;
};

struct line {
    uint32_t start;
    uint32_t line;
    string_id file;
};

struct module {
    struct code_key key;
    uint64_t content; // hash of the symbol file
    uint64_t base;
    uint64_t end;
    uint32_t added;             // generation it was first seen in
    uint32_t retired;           // generation it was gone in, or STILL_LOADED
    uint32_t position;          // in the running refresh, newest first; NOT_LISTED
    struct function *functions; // by start
    uint32_t function_cnt;
    struct line *lines;
    uint32_t line_cnt;
};

struct module_list {
    struct module **modules;
    uint32_t cnt;
    uint32_t capacity;
};

// An entry of the VM's list that was met before. `module` is NULL for code that
// was already replaced when it was first met: OTP 25 keeps it listed for ever.
struct known_entry {
    struct code_key key;
    uint64_t content;
    struct module *module;
    bool used;
};

struct stale_entry {
    struct code_key key;
    uint64_t content;
};

struct code_map {
    struct string_table *strings;
    struct known_entry *known; // open addressing over key.entry, made anew by each refresh
    uint32_t known_size;       // a power of two, or 0
    struct stale_entry *stale; // replaced before they were met, in the running refresh
    uint32_t stale_cnt;
    uint32_t stale_capacity;
    uint32_t next_position;
    uint32_t unchanged_cnt;     // in a row, in the running refresh
    struct module_list live;    // by base, not overlapping
    struct module_list fresh;   // added in the running refresh, newest first
    struct module_list retired; // oldest first
    uint32_t generation;
    uint32_t adding; // generation of the entries met now
    uint64_t lowest; // bounds of all code ever seen
    uint64_t highest;
    uint64_t refused_cnt;
    uint64_t read_cnt;
    size_t max_bytes;
    size_t module_bytes;
};

static size_t size_of(const struct module *module)
{
    return sizeof *module + module->function_cnt * sizeof *module->functions +
           module->line_cnt * sizeof *module->lines;
}

static void module_destroy(struct code_map *map, struct module *module)
{
    if (module == NULL) {
        return;
    }
    map->module_bytes -= size_of(module);
    free(module->functions);
    free(module->lines);
    free(module);
}

static bool list_insert(struct module_list *list, uint32_t at, struct module *module)
{
    if (list->cnt == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        struct module **modules = realloc(list->modules, capacity * sizeof(struct module *));
        if (modules == NULL) {
            return false;
        }
        list->modules = modules;
        list->capacity = capacity;
    }
    memmove(&list->modules[at + 1], &list->modules[at], (list->cnt - at) * sizeof(struct module *));
    list->modules[at] = module;
    list->cnt++;
    return true;
}

static struct module *list_remove(struct module_list *list, uint32_t at)
{
    struct module *module = list->modules[at];
    list->cnt--;
    memmove(&list->modules[at], &list->modules[at + 1], (list->cnt - at) * sizeof(struct module *));
    return module;
}

static void list_deinit(struct code_map *map, struct module_list *list)
{
    for (uint32_t i = 0; i < list->cnt; i++) {
        module_destroy(map, list->modules[i]);
    }
    free(list->modules);
    *list = (struct module_list){0};
}

struct code_map *code_map_create(size_t max_bytes)
{
    struct code_map *map = calloc(1, sizeof *map);
    if (map == NULL) {
        return NULL;
    }
    map->max_bytes = max_bytes;
    map->lowest = UINT64_MAX;
    map->strings = string_table_create(max_bytes / 2);
    if (map->strings == NULL) {
        code_map_destroy(map);
        return NULL;
    }
    return map;
}

void code_map_destroy(struct code_map *map)
{
    if (map == NULL) {
        return;
    }
    list_deinit(map, &map->live);
    list_deinit(map, &map->fresh);
    list_deinit(map, &map->retired);
    free(map->known);
    free(map->stale);
    string_table_destroy(map->strings);
    free(map);
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
static string_id module_file(struct code_map *map, struct text printed)
{
    char module[BEAM_NAME_MAX_BYTES];
    char file[BEAM_NAME_MAX_BYTES + 4];
    struct text name = beam_name_printed_module(printed, module, sizeof module);
    return name.len == 0
               ? 0
               : string_table_intern(map->strings, beam_name_file(name, file, sizeof file));
}

static void read_parts(struct code_map *map, struct gdb_symfile *symfile, struct module *module)
{
    struct gdb_range range;
    struct gdb_line line;
    uint32_t line_at = 0;
    char name[BEAM_NAME_MAX_BYTES];
    for (uint32_t i = 0; i < module->function_cnt; i++) {
        (void)gdb_symfile_range(symfile, &range);
        struct text shown = beam_name_printed(range.name, name, sizeof name);
        module->functions[i] = (struct function){
            .start = range.start,
            .end = range.end,
            .name = string_table_intern(map->strings, shown),
            .module_file = module_file(map, range.name),
            .first_line = line_at,
            .line_cnt = range.line_cnt,
        };
        for (uint32_t k = 0; k < range.line_cnt; k++) {
            (void)gdb_symfile_line(symfile, &line);
            module->lines[line_at++] = (struct line){
                line.start, line.line, string_table_intern(map->strings, base_name(line.file))};
        }
    }
}

static int by_start(const void *a, const void *b)
{
    uint32_t left = ((const struct function *)a)->start;
    uint32_t right = ((const struct function *)b)->start;
    return left < right ? -1 : left > right;
}

// Two modules compiled alike differ in a name only: every byte counts.
static uint64_t content_hash(const void *bytes, uint64_t byte_cnt)
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

static struct module *read_module(struct code_map *map, const struct code_key *key,
                                  const void *bytes)
{
    struct gdb_symfile symfile;
    struct module_counts counts;
    if (!gdb_symfile_open(&symfile, bytes, key->symfile_bytes) ||
        symfile.base + symfile.code_bytes < symfile.base || !count_parts(symfile, &counts)) {
        return NULL;
    }
    struct module *module = calloc(1, sizeof *module);
    if (module == NULL) {
        return NULL;
    }
    *module = (struct module){
        .key = *key,
        .content = content_hash(bytes, key->symfile_bytes),
        .base = symfile.base,
        .end = symfile.base + symfile.code_bytes,
        .added = map->adding,
        .retired = STILL_LOADED,
        .position = map->next_position++,
        .functions = calloc(counts.functions + 1, sizeof *module->functions),
        .function_cnt = counts.functions,
        .lines = calloc(counts.lines + 1, sizeof *module->lines),
        .line_cnt = counts.lines,
    };
    map->module_bytes += size_of(module);
    if (module->functions == NULL || module->lines == NULL || map->module_bytes > map->max_bytes) {
        module_destroy(map, module);
        return NULL;
    }
    read_parts(map, &symfile, module);
    qsort(module->functions, module->function_cnt, sizeof *module->functions, by_start);
    return module;
}

// ---- what was met before --------------------------------------------------------

static bool same_key(const struct code_key *a, const struct code_key *b)
{
    return a->entry == b->entry && a->symfile == b->symfile && a->symfile_bytes == b->symfile_bytes;
}

static struct known_entry *find_known(const struct code_map *map, const struct code_key *key)
{
    uint32_t mask = map->known_size - 1;
    uint32_t at = (uint32_t)((key->entry * 0x9E3779B97F4A7C15ULL) >> 32) & mask;
    while (map->known[at].used && !same_key(&map->known[at].key, key)) {
        at = (at + 1) & mask;
    }
    return &map->known[at];
}

static void remember(struct code_map *map, const struct stale_entry *met, struct module *module)
{
    struct known_entry *entry = find_known(map, &met->key);
    if (!entry->used || module != NULL) {
        *entry = (struct known_entry){
            .key = met->key, .content = met->content, .module = module, .used = true};
    }
}

static void remember_all(struct code_map *map, const struct module_list *list)
{
    for (uint32_t i = 0; i < list->cnt; i++) {
        struct module *module = list->modules[i];
        remember(map, &(struct stale_entry){module->key, module->content}, module);
    }
}

// Without memory for it nothing is known, and the next refresh reads everything
// again.
static void index_known(struct code_map *map)
{
    uint32_t cnt = map->live.cnt + map->retired.cnt + map->stale_cnt;
    uint32_t size = 256;
    while (size < 2 * cnt) {
        size *= 2;
    }
    free(map->known);
    map->known = calloc(size, sizeof *map->known);
    map->known_size = map->known == NULL ? 0 : size;
    if (map->known == NULL) {
        return;
    }
    for (uint32_t i = 0; i < map->stale_cnt; i++) {
        remember(map, &map->stale[i], NULL);
    }
    remember_all(map, &map->retired);
    remember_all(map, &map->live);
}

static void note_stale(struct code_map *map, const struct code_key *key, uint64_t content)
{
    if (map->stale_cnt == map->stale_capacity) {
        uint32_t capacity = map->stale_capacity == 0 ? 64 : map->stale_capacity * 2;
        struct stale_entry *stale = realloc(map->stale, capacity * sizeof *stale);
        if (stale == NULL) {
            return; // it is read once more next time
        }
        map->stale = stale;
        map->stale_capacity = capacity;
    }
    map->stale[map->stale_cnt++] = (struct stale_entry){*key, content};
}

// ---- refresh --------------------------------------------------------------------

void code_map_begin(struct code_map *map, uint32_t generation)
{
    map->generation = generation;
    map->adding = generation;
    map->next_position = 0;
    map->unchanged_cnt = 0;
    map->stale_cnt = 0;
    for (uint32_t i = 0; i < map->live.cnt; i++) {
        map->live.modules[i]->position = NOT_LISTED;
    }
    list_deinit(map, &map->fresh);
}

void code_map_set_generation(struct code_map *map, uint32_t generation)
{
    map->adding = generation;
}

static const struct known_entry *known_as(const struct code_map *map, const struct code_key *key)
{
    const struct known_entry *entry = map->known_size == 0 ? NULL : find_known(map, key);
    return entry != NULL && entry->used ? entry : NULL;
}

static void meet_again(struct code_map *map, const struct known_entry *entry)
{
    if (entry->module == NULL) {
        note_stale(map, &entry->key, entry->content);
    } else if (entry->module->retired == STILL_LOADED) {
        entry->module->position = map->next_position;
    }
    map->next_position++;
}

bool code_map_has(struct code_map *map, const struct code_key *key)
{
    const struct known_entry *entry = known_as(map, key);
    if (entry == NULL || map->unchanged_cnt < UNCHANGED_ENOUGH) {
        return false;
    }
    meet_again(map, entry);
    return true;
}

// Listed still (OTP 25), or loaded again where it was (OTP 27): make_live tells.
static bool is_retired(const struct known_entry *entry)
{
    return entry->module != NULL && entry->module->retired != STILL_LOADED;
}

static bool add_fresh(struct code_map *map, const struct code_key *key, const void *symfile)
{
    struct module *module = read_module(map, key, symfile);
    if (module == NULL || !list_insert(&map->fresh, map->fresh.cnt, module)) {
        module_destroy(map, module);
        map->refused_cnt++;
        return false;
    }
    map->read_cnt++;
    return true;
}

bool code_map_add(struct code_map *map, const struct code_key *key, const void *symfile)
{
    uint32_t header = 0;
    memcpy(&header, symfile, sizeof header);
    if (header == 0) {
        return true; // the emulator's own record: no functions in it
    }
    const struct known_entry *entry = known_as(map, key);
    bool unchanged = entry != NULL && entry->content == content_hash(symfile, key->symfile_bytes);
    if (entry != NULL) {
        map->unchanged_cnt = unchanged ? map->unchanged_cnt + 1 : 0;
    }
    if (unchanged && !is_retired(entry)) {
        meet_again(map, entry);
        return true;
    }
    return add_fresh(map, key, symfile);
}

static void retire(struct code_map *map, uint32_t at)
{
    struct module *module = list_remove(&map->live, at);
    module->retired = map->generation;
    if (map->retired.cnt == MAX_RETIRED) {
        module_destroy(map, list_remove(&map->retired, 0));
    }
    if (!list_insert(&map->retired, map->retired.cnt, module)) {
        module_destroy(map, module);
    }
}

// Position of the first live module that ends behind `address`.
static uint32_t live_position(const struct code_map *map, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = map->live.cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->live.modules[middle]->end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// OTP 25 never takes purged code off its list: of two that lie in one place the
// newer, listed first, is what is there.
static bool is_replaced(const struct code_map *map, const struct module *module)
{
    uint32_t at = live_position(map, module->base);
    for (; at < map->live.cnt && map->live.modules[at]->base < module->end; at++) {
        if (map->live.modules[at]->position < module->position) {
            return true;
        }
    }
    return false;
}

static void make_live(struct code_map *map, struct module *module)
{
    if (is_replaced(map, module)) {
        note_stale(map, &module->key, module->content);
        module_destroy(map, module);
        return;
    }
    map->lowest = module->base < map->lowest ? module->base : map->lowest;
    map->highest = module->end > map->highest ? module->end : map->highest;
    uint32_t at = live_position(map, module->base);
    while (at < map->live.cnt && map->live.modules[at]->base < module->end) {
        retire(map, at);
    }
    if (!list_insert(&map->live, at, module)) {
        module_destroy(map, module);
        map->refused_cnt++;
    }
}

void code_map_end(struct code_map *map)
{
    for (uint32_t i = map->live.cnt; i > 0; i--) {
        if (map->live.modules[i - 1]->position == NOT_LISTED) {
            retire(map, i - 1);
        }
    }
    while (map->fresh.cnt > 0) { // oldest first
        make_live(map, list_remove(&map->fresh, map->fresh.cnt - 1));
    }
    index_known(map);
}

// ---- lookup ---------------------------------------------------------------------

static const struct module *find_retired(const struct code_map *map, uint64_t address,
                                         uint32_t generation)
{
    for (uint32_t i = map->retired.cnt; i > 0; i--) {
        const struct module *module = map->retired.modules[i - 1];
        if (address >= module->base && address < module->end && module->added <= generation &&
            generation <= module->retired) {
            return module;
        }
    }
    return NULL;
}

static const struct module *find_module(const struct code_map *map, uint64_t address,
                                        uint32_t generation)
{
    uint32_t at = live_position(map, address);
    const struct module *live = at < map->live.cnt ? map->live.modules[at] : NULL;
    live = live != NULL && address >= live->base ? live : NULL;
    if (live != NULL && live->added <= generation) {
        return live;
    }
    const struct module *retired = find_retired(map, address, generation);
    return retired != NULL ? retired : live;
}

static const struct function *find_function(const struct module *module, uint32_t offset)
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
    const struct function *function = low > 0 ? &module->functions[low - 1] : NULL;
    return function != NULL && offset < function->end ? function : NULL;
}

static const struct line *find_line(const struct module *module, const struct function *function,
                                    uint32_t offset)
{
    const struct line *found = NULL;
    const struct line *lines = module->lines + function->first_line;
    for (uint32_t i = 0; i < function->line_cnt && lines[i].start <= offset; i++) {
        found = &lines[i];
    }
    return found;
}

static bool begins_with(struct text name, struct text prefix)
{
    return name.len >= prefix.len && memcmp(name.bytes, prefix.bytes, prefix.len) == 0;
}

bool code_map_find(const struct code_map *map, uint64_t address, uint32_t generation,
                   struct code_location *location_ret)
{
    const struct module *module = find_module(map, address, generation);
    if (module == NULL) {
        return false;
    }
    uint32_t offset = (uint32_t)(address - module->base);
    const struct function *function = find_function(module, offset);
    if (function == NULL) {
        return false;
    }
    const struct line *line = find_line(module, function, offset);
    struct text name = string_table_text(map->strings, function->name);
    *location_ret = (struct code_location){
        .name = name,
        .file = string_table_text(map->strings, line == NULL ? function->module_file : line->file),
        .line = line == NULL ? 0 : line->line,
        .function_start = module->base + function->start,
        .is_stub = begins_with(name, TEXT("global::")) || begins_with(name, TEXT("erts_beamasm:")),
    };
    return true;
}

bool code_map_covers(const struct code_map *map, uint64_t address)
{
    return address >= map->lowest && address < map->highest;
}

static bool visit_module(const struct code_map *map, const struct module *module,
                         bool (*visit)(void *context, uint64_t start, uint64_t size_bytes,
                                       struct text name),
                         void *context)
{
    for (uint32_t i = 0; i < module->function_cnt; i++) {
        const struct function *function = &module->functions[i];
        struct text name = string_table_text(map->strings, function->name);
        if (name.len > 0 && function->end > function->start &&
            !visit(context, module->base + function->start, function->end - function->start,
                   name)) {
            return false;
        }
    }
    return true;
}

bool code_map_each_function(const struct code_map *map,
                            bool (*visit)(void *context, uint64_t start, uint64_t size_bytes,
                                          struct text name),
                            void *context)
{
    for (uint32_t i = 0; i < map->live.cnt; i++) {
        if (!visit_module(map, map->live.modules[i], visit, context)) {
            return false;
        }
    }
    return true;
}

void code_map_module_bounds(const struct code_map *map, uint32_t at, uint64_t *start_ret,
                            uint64_t *end_ret)
{
    *start_ret = map->live.modules[at]->base;
    *end_ret = map->live.modules[at]->end;
}

uint32_t code_map_module_cnt(const struct code_map *map)
{
    return map->live.cnt;
}

uint64_t code_map_read_cnt(const struct code_map *map)
{
    return map->read_cnt;
}

uint64_t code_map_refused_cnt(const struct code_map *map)
{
    return map->refused_cnt;
}

size_t code_map_memory_bytes(const struct code_map *map)
{
    return map->module_bytes + string_table_memory_bytes(map->strings);
}
