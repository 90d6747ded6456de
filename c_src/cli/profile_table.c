// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_table.h"

#include "base/string_table.h"

#include <stdlib.h>

struct profile_table {
    struct string_table *texts;
    struct profile_row *rows; // [0] is "[others]"
    uint32_t row_cnt;
    uint32_t row_capacity;
    uint32_t *row_of_text; // by string_id, 0 = none
    uint32_t text_capacity;
};

static bool grow_rows(struct profile_table *table)
{
    if (table->row_cnt < table->row_capacity) {
        return true;
    }
    uint32_t capacity = table->row_capacity == 0 ? 256 : table->row_capacity * 2;
    if (capacity > PROFILE_TABLE_MAX_ROWS) {
        return false;
    }
    struct profile_row *rows = realloc(table->rows, capacity * sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    table->rows = rows;
    table->row_capacity = capacity;
    return true;
}

static bool grow_index(struct profile_table *table, string_id id)
{
    if (id < table->text_capacity) {
        return true;
    }
    uint32_t capacity = table->text_capacity == 0 ? 1024 : table->text_capacity;
    while (capacity <= id) {
        capacity *= 2;
    }
    uint32_t *index = realloc(table->row_of_text, capacity * sizeof *index);
    if (index == NULL) {
        return false;
    }
    memset(index + table->text_capacity, 0, (capacity - table->text_capacity) * sizeof *index);
    table->row_of_text = index;
    table->text_capacity = capacity;
    return true;
}

struct profile_table *profile_table_create(void)
{
    struct profile_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->texts = string_table_create(PROFILE_TABLE_MAX_BYTES);
    if (table->texts == NULL || !grow_rows(table)) {
        profile_table_destroy(table);
        return NULL;
    }
    table->rows[table->row_cnt++] = (struct profile_row){.key = TEXT("[others]")};
    return table;
}

void profile_table_destroy(struct profile_table *table)
{
    if (table != NULL) {
        string_table_destroy(table->texts);
        free(table->rows);
        free(table->row_of_text);
    }
    free(table);
}

struct profile_row *profile_table_row(struct profile_table *table, struct text key)
{
    string_id id = string_table_intern(table->texts, key);
    if (id == 0 || !grow_index(table, id)) {
        return &table->rows[0];
    }
    if (table->row_of_text[id] == 0) {
        if (!grow_rows(table)) {
            return &table->rows[0];
        }
        table->rows[table->row_cnt] =
            (struct profile_row){.key = string_table_text(table->texts, id)};
        table->row_of_text[id] = table->row_cnt++;
    }
    return &table->rows[table->row_of_text[id]];
}

void profile_table_label(struct profile_table *table, struct profile_row *row, struct text label,
                         uint32_t rank)
{
    if (row == &table->rows[0] || rank <= row->label_rank) {
        return;
    }
    string_id id = string_table_intern(table->texts, label);
    if (id != 0) {
        row->label = string_table_text(table->texts, id);
        row->label_rank = rank;
    }
}

static int compare(const void *left, const void *right)
{
    const struct profile_row *a = left;
    const struct profile_row *b = right;
    if (a->self != b->self) {
        return a->self > b->self ? -1 : 1;
    }
    if (a->total != b->total) {
        return a->total > b->total ? -1 : 1;
    }
    uint32_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = len == 0 ? 0 : memcmp(a->key.bytes, b->key.bytes, len);
    return order != 0 ? order : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

const struct profile_row *profile_table_sorted(struct profile_table *table, uint32_t *cnt)
{
    bool has_others = table->rows[0].sample_cnt > 0;
    struct profile_row *first = table->rows + (has_others ? 0 : 1);
    *cnt = table->row_cnt - (has_others ? 0 : 1);
    qsort(first, *cnt, sizeof *first, compare);
    return first;
}
