// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_map.h"

#include "base/string_table.h"
#include "symbols/beam/code_known.h"
#include "symbols/beam/code_memo.h"
#include "symbols/beam/code_module_list.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RETIRED = 256 };
// The VM puts new entries in front, so one that got the addresses of freed code
// stands before all that stayed. So many in a row with unchanged content, and
// what follows has stayed, too.
enum { UNCHANGED_ENOUGH = 16 };

struct code_map {
    struct string_table *strings;
    bool shares_strings;
    struct code_memo *memo; // NULL: it does without
    struct code_known known;
    uint32_t next_position;
    uint32_t unchanged_cnt;          // in a row, in the running refresh
    struct code_module_list live;    // by base, not overlapping
    struct code_module_list fresh;   // added in the running refresh, newest first
    struct code_module_list retired; // oldest first
    uint32_t generation;
    uint32_t adding; // generation of the entries met now
    uint64_t lowest; // bounds of all code ever seen
    uint64_t highest;
    uint64_t refused_cnt;
    uint64_t read_cnt;
    size_t max_bytes;
    size_t module_bytes;
};

static void drop_module(struct code_map *map, struct code_module *module)
{
    map->module_bytes -= module == NULL ? 0 : code_module_bytes(module);
    code_module_destroy(module);
}

static void drop_list(struct code_map *map, struct code_module_list *list)
{
    for (uint32_t i = 0; i < list->cnt; i++) {
        drop_module(map, list->modules[i]);
    }
    code_module_list_deinit(list);
}

struct code_map *code_map_create_sharing(size_t max_bytes, struct string_table *names)
{
    struct code_map *map = calloc(1, sizeof *map);
    if (map != NULL) {
        map->max_bytes = max_bytes;
        map->lowest = UINT64_MAX;
        map->strings = names;
        map->shares_strings = true;
    }
    return map;
}

struct code_map *code_map_create(size_t max_bytes)
{
    struct string_table *names = string_table_create(max_bytes / 2);
    struct code_map *map = names == NULL ? NULL : code_map_create_sharing(max_bytes, names);
    if (map == NULL) {
        string_table_destroy(names);
        return NULL;
    }
    map->shares_strings = false;
    map->memo = code_memo_create();
    return map;
}

void code_map_destroy(struct code_map *map)
{
    if (map == NULL) {
        return;
    }
    drop_list(map, &map->live);
    drop_list(map, &map->fresh);
    drop_list(map, &map->retired);
    code_known_deinit(&map->known);
    code_memo_destroy(map->memo);
    if (!map->shares_strings) {
        string_table_destroy(map->strings);
    }
    free(map);
}

// ---- refresh --------------------------------------------------------------------

void code_map_begin(struct code_map *map, uint32_t generation)
{
    map->generation = generation;
    map->adding = generation;
    map->next_position = 0;
    map->unchanged_cnt = 0;
    code_known_begin(&map->known);
    for (uint32_t i = 0; i < map->live.cnt; i++) {
        map->live.modules[i]->position = CODE_MODULE_NOT_LISTED;
    }
    drop_list(map, &map->fresh);
}

void code_map_set_generation(struct code_map *map, uint32_t generation)
{
    map->adding = generation;
}

static void meet_again(struct code_map *map, const struct code_known_entry *entry)
{
    if (entry->module == NULL) {
        code_known_note_stale(&map->known, &entry->key, entry->content);
    } else if (entry->module->retired == CODE_MODULE_LOADED) {
        entry->module->position = map->next_position;
    }
    map->next_position++;
}

bool code_map_has(struct code_map *map, const struct code_key *key)
{
    const struct code_known_entry *entry = code_known_find(&map->known, key);
    if (entry == NULL || map->unchanged_cnt < UNCHANGED_ENOUGH) {
        return false;
    }
    meet_again(map, entry);
    return true;
}

// Listed still (OTP 25), or loaded again where it was (OTP 27): make_live tells.
static bool is_retired(const struct code_known_entry *entry)
{
    return entry->module != NULL && entry->module->retired != CODE_MODULE_LOADED;
}

static bool add_fresh(struct code_map *map, struct code_module *module)
{
    if (module == NULL || !code_module_list_insert(&map->fresh, map->fresh.cnt, module)) {
        code_module_destroy(module);
        map->refused_cnt++;
        return false;
    }
    module->added = map->adding;
    module->position = map->next_position++;
    map->module_bytes += code_module_bytes(module);
    map->read_cnt += module->is_read ? 1 : 0;
    return true;
}

// With that content it was met before, and is where it was.
static bool is_met_again(struct code_map *map, const struct code_known_entry *entry,
                         uint64_t content)
{
    if (entry == NULL) {
        return false;
    }
    bool unchanged = content == (entry->module == NULL ? entry->content : entry->module->content);
    map->unchanged_cnt = unchanged ? map->unchanged_cnt + 1 : 0;
    if (!unchanged || is_retired(entry)) {
        return false;
    }
    meet_again(map, entry);
    return true;
}

bool code_map_is_read(const struct code_map *map, const struct code_key *key)
{
    const struct code_known_entry *entry = code_known_find(&map->known, key);
    return entry != NULL && entry->module != NULL && entry->module->is_read;
}

bool code_map_add_unread(struct code_map *map, const struct code_key *key, const void *head,
                         size_t head_bytes)
{
    uint32_t header = 0;
    memcpy(&header, head, sizeof header);
    uint64_t content = code_module_hash(head, head_bytes);
    if (header == 0 || is_met_again(map, code_known_find(&map->known, key), content)) {
        return true;
    }
    struct code_module *module = code_module_create_unread(key, head, head_bytes);
    return module != NULL && add_fresh(map, module);
}

bool code_map_add(struct code_map *map, const struct code_key *key, const void *symfile)
{
    uint32_t header = 0;
    memcpy(&header, symfile, sizeof header);
    if (header == 0) {
        return true; // the emulator's own record: no functions in it
    }
    uint64_t content = code_module_hash(symfile, key->symfile_bytes);
    return is_met_again(map, code_known_find(&map->known, key), content) ||
           add_fresh(map, code_module_create(key, symfile, map->strings,
                                             map->max_bytes - map->module_bytes));
}

static void retire(struct code_map *map, uint32_t at)
{
    struct code_module *module = code_module_list_remove(&map->live, at);
    module->retired = map->generation;
    if (map->retired.cnt == MAX_RETIRED) {
        drop_module(map, code_module_list_remove(&map->retired, 0));
    }
    if (!code_module_list_insert(&map->retired, map->retired.cnt, module)) {
        drop_module(map, module);
    }
}

// OTP 25 never takes purged code off its list: of two that lie in one place the
// newer, listed first, is what is there.
static bool is_replaced(const struct code_map *map, const struct code_module *module)
{
    uint32_t at = code_module_list_position(&map->live, module->base);
    for (; at < map->live.cnt && map->live.modules[at]->base < module->end; at++) {
        if (map->live.modules[at]->position < module->position) {
            return true;
        }
    }
    return false;
}

static void make_live(struct code_map *map, struct code_module *module)
{
    if (is_replaced(map, module)) {
        code_known_note_stale(&map->known, &module->key, module->content);
        drop_module(map, module);
        return;
    }
    map->lowest = module->base < map->lowest ? module->base : map->lowest;
    map->highest = module->end > map->highest ? module->end : map->highest;
    uint32_t at = code_module_list_position(&map->live, module->base);
    while (at < map->live.cnt && map->live.modules[at]->base < module->end) {
        retire(map, at);
    }
    if (!code_module_list_insert(&map->live, at, module)) {
        drop_module(map, module);
        map->refused_cnt++;
    }
}

void code_map_end(struct code_map *map)
{
    code_memo_forget(map->memo);
    for (uint32_t i = map->live.cnt; i > 0; i--) {
        if (map->live.modules[i - 1]->position == CODE_MODULE_NOT_LISTED) {
            retire(map, i - 1);
        }
    }
    while (map->fresh.cnt > 0) { // oldest first
        make_live(map, code_module_list_remove(&map->fresh, map->fresh.cnt - 1));
    }
    code_known_index(&map->known, &map->retired, &map->live);
}

// ---- lookup ---------------------------------------------------------------------

static struct code_module *live_at(const struct code_map *map, uint64_t address)
{
    uint32_t at = code_module_list_position(&map->live, address);
    struct code_module *module = at < map->live.cnt ? map->live.modules[at] : NULL;
    return module != NULL && address >= module->base ? module : NULL;
}

static const struct code_module *find_retired(const struct code_map *map, uint64_t address,
                                              uint32_t generation)
{
    for (uint32_t i = map->retired.cnt; i > 0; i--) {
        const struct code_module *module = map->retired.modules[i - 1];
        if (address >= module->base && address < module->end && module->added <= generation &&
            generation <= module->retired) {
            return module;
        }
    }
    return NULL;
}

static const struct code_module *find_module(const struct code_map *map, uint64_t address,
                                             uint32_t generation)
{
    const struct code_module *live = live_at(map, address);
    if (live != NULL && live->added <= generation) {
        return live;
    }
    const struct code_module *retired = find_retired(map, address, generation);
    return retired != NULL ? retired : live;
}

bool code_map_unread(const struct code_map *map, uint64_t address, struct code_key *key)
{
    const struct code_module *module = live_at(map, address);
    if (module == NULL || module->is_read) {
        return false;
    }
    *key = module->key;
    return true;
}

bool code_map_read(struct code_map *map, uint64_t address, const void *symfile)
{
    struct code_module *module = live_at(map, address);
    if (module == NULL || module->is_read ||
        !code_module_read(module, symfile, map->strings, map->max_bytes - map->module_bytes)) {
        map->refused_cnt++;
        return false;
    }
    code_memo_forget(map->memo);
    map->module_bytes += code_module_bytes(module) - sizeof *module;
    map->read_cnt++;
    return true;
}

static bool look_up(const struct code_map *map, uint64_t address, uint32_t generation,
                    struct code_location *location_ret)
{
    const struct code_module *module = find_module(map, address, generation);
    if (module == NULL) {
        return false;
    }
    uint32_t offset = (uint32_t)(address - module->base);
    const struct code_function *function = code_module_function(module, offset);
    if (function == NULL) {
        return false;
    }
    const struct code_line *line = code_module_line(module, function, offset);
    struct text name = string_table_text(map->strings, function->name);
    *location_ret = (struct code_location){
        .name = name,
        .file = string_table_text(map->strings, line == NULL ? function->module_file : line->file),
        .line = line == NULL ? 0 : line->line,
        .texts = string_table_number(map->strings),
        .function_start = module->base + function->start,
        .is_stub = text_begins_with(name, TEXT("global::")) ||
                   text_begins_with(name, TEXT("erts_beamasm:")),
    };
    return true;
}

bool code_map_find(const struct code_map *map, uint64_t address, uint32_t generation,
                   struct code_location *location_ret)
{
    const struct code_location *known = code_memo_find(map->memo, address, generation);
    if (known != NULL) {
        *location_ret = *known;
        return true;
    }
    if (!look_up(map, address, generation, location_ret)) {
        return false;
    }
    code_memo_keep(map->memo, address, generation, location_ret);
    return true;
}

bool code_map_covers(const struct code_map *map, uint64_t address)
{
    return address >= map->lowest && address < map->highest;
}

static bool visit_module(const struct code_map *map, const struct code_module *module,
                         bool (*visit)(void *context, uint64_t start, uint64_t size_bytes,
                                       struct text name),
                         void *context)
{
    for (uint32_t i = 0; i < module->function_cnt; i++) {
        const struct code_function *function = &module->functions[i];
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
    return map->module_bytes + code_memo_memory_bytes(map->memo) +
           (map->shares_strings ? 0 : string_table_memory_bytes(map->strings));
}
