// SPDX-License-Identifier: Apache-2.0
#include "record/system/mapped_files.h"

#include "base/string_table.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_LINE_BYTES = 512, MAX_ID_BYTES = 64 };

struct mapped_files {
    struct string_table *lines; // their ids count up from 1
    char line[MAX_LINE_BYTES];
};

struct mapped_files *mapped_files_create(size_t max_bytes)
{
    struct mapped_files *files = calloc(1, sizeof *files);
    struct string_table *lines = string_table_create(max_bytes);
    if (files == NULL || lines == NULL) {
        free(files);
        string_table_destroy(lines);
        return NULL;
    }
    files->lines = lines;
    return files;
}

void mapped_files_destroy(struct mapped_files *files)
{
    if (files != NULL) {
        string_table_destroy(files->lines);
    }
    free(files);
}

void mapped_files_add(struct mapped_files *files, const uint8_t *id, uint32_t id_len,
                      struct text path)
{
    char hex[2 * MAX_ID_BYTES + 1] = "-";
    char line[MAX_LINE_BYTES];
    for (uint32_t i = 0; i < id_len && i < MAX_ID_BYTES; i++) {
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", id[i]);
    }
    int len = snprintf(line, sizeof line, "%s %.*s", hex, (int)path.len, path.bytes);
    if (path.len > 0 && len < (int)sizeof line) {
        (void)string_table_intern(files->lines, (struct text){line, (uint32_t)len});
    }
}

bool mapped_files_next(struct mapped_files *files, uint32_t *told_cnt, const char **line)
{
    if (*told_cnt + 1 >= string_table_count(files->lines)) {
        return false;
    }
    struct text text = string_table_text(files->lines, ++*told_cnt);
    (void)snprintf(files->line, sizeof files->line, "%.*s", (int)text.len, text.bytes);
    *line = files->line;
    return true;
}

size_t mapped_files_memory_bytes(const struct mapped_files *files)
{
    return sizeof *files + string_table_memory_bytes(files->lines);
}
