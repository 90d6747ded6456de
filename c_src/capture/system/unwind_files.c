// SPDX-License-Identifier: Apache-2.0
#include "capture/system/unwind_files.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    RULE_INDEX_SIZE = 2 * UNWIND_MAX_RULES,
    MAX_FILE_PAGES = UNWIND_MAX_PAGES / 4,
    MAX_PAGE_ROWS = UNWIND_SHARD_ROWS - UNWIND_INDEX_ROWS,
};

_Static_assert((int)FRAME_CFA_CNT == (int)UNWIND_CFA_CNT, "the same kinds");
_Static_assert((int)FRAME_CFA_PLT == (int)UNWIND_CFA_PLT, "kinds in the same order");
_Static_assert((int)FRAME_CFA_SIGNAL == (int)UNWIND_CFA_SIGNAL, "kinds in the same order");
_Static_assert((int)FRAME_CFA_RBX == (int)UNWIND_CFA_RBX, "kinds in the same order");
_Static_assert((int)FRAME_CFA_OTHER_STACK == (int)UNWIND_CFA_OTHER_STACK, "and the last one");
_Static_assert(sizeof(struct frame_rule) == sizeof(struct unwind_rule), "a rule is copied");
_Static_assert(
    offsetof(struct frame_rule, cfa) == offsetof(struct unwind_rule, cfa) &&
        offsetof(struct frame_rule, fp) == offsetof(struct unwind_rule, fp) &&
        offsetof(struct frame_rule, fp_offset) == offsetof(struct unwind_rule, fp_offset) &&
        offsetof(struct frame_rule, r13_offset) == offsetof(struct unwind_rule, r13_offset) &&
        offsetof(struct frame_rule, return_offset) == offsetof(struct unwind_rule, return_offset) &&
        offsetof(struct frame_rule, deref_add) == offsetof(struct unwind_rule, deref_add) &&
        offsetof(struct frame_rule, rbx_offset) == offsetof(struct unwind_rule, rbx_offset),
    "fields in the same places");
_Static_assert((int)FRAME_FP_UNKNOWN == (int)UNWIND_FP_UNKNOWN, "kinds in the same order");

bool unwind_files_init(struct unwind_files *files, struct unwind_memory *memory)
{
    *files = (struct unwind_files){
        .memory = memory,
        .files = calloc(UNWIND_MAX_FILES, sizeof *files->files),
        .rule_index = calloc(RULE_INDEX_SIZE, sizeof *files->rule_index),
        .rule_cnt = 1, // UNWIND_NO_RULE
        .shard = UNWIND_MAX_SHARDS,
    };
    bool ok = slot_range_init(&files->pages, UNWIND_MAX_PAGES);
    return ok && files->files != NULL && files->rule_index != NULL;
}

void unwind_files_deinit(struct unwind_files *files)
{
    slot_range_deinit(&files->pages);
    free(files->files);
    free(files->rule_index);
    *files = (struct unwind_files){.memory = NULL};
}

// ---- rules ----------------------------------------------------------------------------

static uint32_t hash_of(const struct frame_rule *rule)
{
    uint64_t words[2];
    memcpy(words, rule, sizeof words);
    uint64_t hash = (words[0] ^ words[1] * 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;
    return (uint32_t)(hash >> 40) % RULE_INDEX_SIZE;
}

// Its number; UNWIND_NO_RULE when there are too many.
static uint16_t intern(struct unwind_files *files, const struct frame_rule *rule)
{
    if (rule->cfa == FRAME_CFA_NONE) {
        return UNWIND_NO_RULE;
    }
    uint32_t at = hash_of(rule);
    while (files->rule_index[at] != 0) {
        uint16_t id = files->rule_index[at] - 1;
        if (memcmp(&files->memory->rules[id], rule, sizeof *rule) == 0) {
            return id;
        }
        at = (at + 1) % RULE_INDEX_SIZE;
    }
    if (files->rule_cnt == UNWIND_MAX_RULES) {
        return UNWIND_NO_RULE;
    }
    uint16_t id = (uint16_t)files->rule_cnt++;
    memcpy(&files->memory->rules[id], rule, sizeof *rule);
    files->rule_index[at] = id + 1;
    return id;
}

// ---- shards ---------------------------------------------------------------------------

static bool has_shard(const struct unwind_file *file, uint32_t number)
{
    return (file->shards[number / 64] >> number % 64 & 1) != 0;
}

static bool open_shard(struct unwind_files *files)
{
    for (uint32_t number = 0; number < UNWIND_MAX_SHARDS; number++) {
        if (files->memory->shards[number] == NULL) {
            files->shard = number;
            files->shard_used = 0;
            return unwind_memory_make_shard(files->memory, number);
        }
    }
    return false;
}

static void use_shard(struct unwind_files *files, struct unwind_file *file)
{
    if (!has_shard(file, files->shard)) {
        file->shards[files->shard / 64] |= 1ULL << files->shard % 64;
        files->shard_files[files->shard]++;
    }
}

static void leave_shard(struct unwind_files *files, uint32_t number)
{
    if (--files->shard_files[number] == 0) {
        unwind_memory_drop_shard(files->memory, number);
        if (files->shard == number) {
            files->shard = UNWIND_MAX_SHARDS;
        }
    }
}

// ---- one file -------------------------------------------------------------------------

// The rows of one page, gathered until it is full.
struct filling {
    struct unwind_files *files;
    struct unwind_file *file;
    struct unwind_row *rows; // MAX_PAGE_ROWS
    uint32_t row_cnt;
    uint32_t page; // of the file
    uint16_t rule; // that holds at the end of what was added
    bool ok;
};

static uint32_t index_rows(uint32_t row_cnt)
{
    return row_cnt >= UNWIND_INDEXED_ROWS ? UNWIND_INDEX_ROWS : 0;
}

// Of a page's rows, into the place before them.
static void put_index(const struct unwind_row *rows, uint32_t row_cnt, struct unwind_row *index)
{
    uint32_t at = 0;
    for (uint32_t block = 0; block < UNWIND_PAGE_BLOCKS; block++) {
        while (at + 1 < row_cnt && rows[at + 1].low <= block * UNWIND_BLOCK_BYTES) {
            at++;
        }
        *(block % 2 == 0 ? &index[block / 2].low : &index[block / 2].rule) = (uint16_t)at;
    }
}

static bool put_page(struct filling *filling)
{
    struct unwind_files *files = filling->files;
    uint32_t before = index_rows(filling->row_cnt);
    bool fits = files->shard < UNWIND_MAX_SHARDS &&
                files->shard_used + before + filling->row_cnt <= UNWIND_SHARD_ROWS;
    if (!fits && !open_shard(files)) {
        return false;
    }
    if (before > 0) {
        put_index(filling->rows, filling->row_cnt,
                  files->memory->shards[files->shard] + files->shard_used);
        files->shard_used += before;
    }
    struct unwind_row *to = files->memory->shards[files->shard] + files->shard_used;
    memcpy(to, filling->rows, filling->row_cnt * sizeof *to);
    use_shard(files, filling->file);
    files->memory->pages[filling->file->page_first + filling->page] = (struct unwind_page){
        .first = files->shard * UNWIND_SHARD_ROWS + files->shard_used,
        .row_cnt = filling->row_cnt,
    };
    files->shard_used += filling->row_cnt;
    filling->file->row_cnt += filling->row_cnt;
    return true;
}

static void begin_page(struct filling *filling)
{
    filling->rows[0] = (struct unwind_row){.low = 0, .rule = filling->rule};
    filling->row_cnt = 1;
}

// Ends pages until `page` is the one being filled.
static bool go_to_page(struct filling *filling, uint64_t page)
{
    while (filling->ok && filling->page < page) {
        filling->ok = put_page(filling);
        filling->page++;
        begin_page(filling);
    }
    return filling->ok;
}

static bool add_row(void *context, uint64_t pc, const struct frame_rule *rule)
{
    struct filling *filling = context;
    uint64_t offset = pc - filling->file->base;
    uint64_t page = offset / UNWIND_PAGE_BYTES;
    if (pc < filling->file->base || page >= filling->file->page_cnt) {
        filling->ok = page == filling->file->page_cnt; // the end of the last function
        return false;
    }
    if (!go_to_page(filling, page)) {
        return false;
    }
    struct unwind_row row = {.low = (uint16_t)offset, .rule = intern(filling->files, rule)};
    struct unwind_row *last = &filling->rows[filling->row_cnt - 1];
    if (last->low == row.low) {
        *last = row;
    } else if (last->low > row.low || filling->row_cnt == MAX_PAGE_ROWS) {
        return true; // never: they come by rising address
    } else if (last->rule != row.rule) {
        filling->rows[filling->row_cnt++] = row;
    }
    filling->rule = row.rule;
    return true;
}

static bool fill(struct unwind_files *files, struct unwind_file *file,
                 const struct call_frame_table *table)
{
    struct filling filling = {
        .files = files,
        .file = file,
        .rows = malloc(MAX_PAGE_ROWS * sizeof(struct unwind_row)),
        .rule = UNWIND_NO_RULE,
        .ok = true,
    };
    if (filling.rows == NULL) {
        return false;
    }
    begin_page(&filling);
    files->malformed_cnt += object_rules_each(table, add_row, &filling);
    bool ok = go_to_page(&filling, file->page_cnt);
    free(filling.rows);
    return ok;
}

static bool take_pages(struct unwind_files *files, struct unwind_file *file,
                       const struct call_frame_table *table)
{
    uint64_t last = call_frame_table_end(table);
    file->base = call_frame_table_start(table) & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);
    uint64_t page_cnt = (last - file->base + UNWIND_PAGE_BYTES - 1) / UNWIND_PAGE_BYTES;
    if (page_cnt > MAX_FILE_PAGES ||
        !slot_range_take(&files->pages, (uint32_t)page_cnt, &file->page_first)) {
        return false;
    }
    file->page_cnt = (uint32_t)page_cnt;
    return true;
}

static struct unwind_file *free_file(struct unwind_files *files)
{
    for (uint32_t i = 0; i < UNWIND_MAX_FILES; i++) {
        if (files->files[i].id == 0) {
            return &files->files[i];
        }
    }
    return NULL;
}

struct unwind_file *unwind_files_add(struct unwind_files *files,
                                     const struct call_frame_table *table)
{
    struct unwind_file *file = free_file(files);
    if (file == NULL || call_frame_table_end(table) == 0) {
        return NULL;
    }
    *file = (struct unwind_file){.id = ++files->last_id};
    files->file_cnt++;
    if (!take_pages(files, file, table) || !fill(files, file, table)) {
        unwind_files_drop(files, file);
        return NULL;
    }
    files->row_cnt += file->row_cnt;
    return file;
}

struct unwind_file *unwind_files_find(const struct unwind_files *files, uint32_t id)
{
    for (uint32_t i = 0; i < UNWIND_MAX_FILES && id != 0; i++) {
        if (files->files[i].id == id) {
            return &files->files[i];
        }
    }
    return NULL;
}

void unwind_files_drop(struct unwind_files *files, struct unwind_file *file)
{
    if (file->page_cnt > 0) {
        memset(files->memory->pages + file->page_first, 0,
               file->page_cnt * sizeof(struct unwind_page));
        slot_range_give(&files->pages, file->page_first, file->page_cnt);
    }
    for (uint32_t number = 0; number < UNWIND_MAX_SHARDS; number++) {
        if (has_shard(file, number)) {
            leave_shard(files, number);
        }
    }
    files->row_cnt -= file->row_cnt < files->row_cnt ? file->row_cnt : files->row_cnt;
    files->file_cnt--;
    *file = (struct unwind_file){.id = 0};
}
