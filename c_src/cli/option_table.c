// SPDX-License-Identifier: Apache-2.0
#include "cli/option_table.h"

#include "cli/number_text.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_LONG_ID = 256 }; // behind all letters

struct getopt_tables {
    struct option longs[OPTION_TABLE_MAX_ROWS + 1];
    char shorts[2 * OPTION_TABLE_MAX_ROWS + 2];
};

bool option_table_wrong(const char *option, const char *value, const char *expected,
                        struct error *err)
{
    return error_set(err, ERROR_BAD_ARGUMENT, "%s %s: expected %s", option, value, expected);
}

static bool has_value(const struct option_row *row)
{
    return row->kind != OPTION_FLAG && row->kind != OPTION_CHOICE;
}

static int id_of(const struct option_table *table, size_t index)
{
    char letter = table->rows[index].letter;
    return letter != 0 ? letter : FIRST_LONG_ID + (int)index;
}

static void make_tables(struct getopt_tables *tables, const struct option_table *table)
{
    char *letter = tables->shorts;
    assert(table->row_cnt <= OPTION_TABLE_MAX_ROWS);
    *tables = (struct getopt_tables){.shorts = ""};
    if (table->stops_early) {
        *letter++ = '+';
    }
    for (size_t i = 0; i < table->row_cnt; i++) {
        const struct option_row *row = &table->rows[i];
        tables->longs[i] = (struct option){
            row->name, has_value(row) ? required_argument : no_argument, NULL, id_of(table, i)};
        if (row->letter != 0) {
            *letter++ = row->letter;
        }
        if (row->letter != 0 && has_value(row)) {
            *letter++ = ':';
        }
    }
}

static const struct option_row *row_of(const struct option_table *table, int id)
{
    for (size_t i = 0; i < table->row_cnt; i++) {
        if (id_of(table, i) == id) {
            return &table->rows[i];
        }
    }
    return NULL;
}

// --- values -------------------------------------------------------------------

static bool take_number(const struct option_row *row, uint32_t *number, const char *value)
{
    uint64_t parsed = 0;
    if (!number_text_parse(value, row->min, row->max, &parsed)) {
        return false;
    }
    *number = (uint32_t)parsed;
    return true;
}

// 0 needs no unit.
static bool take_duration(const struct option_row *row, uint64_t *time_ns, const char *value)
{
    *time_ns = 0;
    return (strcmp(value, "0") == 0 || number_text_parse_duration(value, time_ns)) &&
           *time_ns >= row->min && *time_ns <= row->max;
}

static bool take_plain(const struct option_row *row, void *place, const char *value)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return true;
    case OPTION_CHOICE:
        *(unsigned *)place = (unsigned)row->min;
        return true;
    case OPTION_TEXT:
        *(const char **)place = value;
        return true;
    case OPTION_NUMBER:
        return take_number(row, place, value);
    case OPTION_BYTES:
        return number_text_parse_bytes(value, row->min, row->max, place);
    case OPTION_DURATION:
        return take_duration(row, place, value);
    default:
        return number_text_parse_seconds(value, place);
    }
}

// As the user may know it: by its letter, where it has one.
static bool wrong_value(const struct option_row *row, const char *value, struct error *err)
{
    char option[64];
    if (row->letter != 0) {
        (void)snprintf(option, sizeof option, "-%c", row->letter);
    } else {
        (void)snprintf(option, sizeof option, "--%s", row->name);
    }
    return option_table_wrong(option, value, row->expected, err);
}

static bool take_row(const struct option_row *row, char *target, const char *value,
                     struct error *err)
{
    if (row->mark != 0) {
        *(bool *)(target + row->mark) = true;
    }
    if (row->take != NULL) {
        return row->take(target, value, err);
    }
    return take_plain(row, target + row->offset, value) || wrong_value(row, value, err);
}

bool option_table_take(const struct option_table *table, void *target, int argc, char **argv,
                       int *rest_ret, struct error *err)
{
    struct getopt_tables tables;
    int id = 0;
    make_tables(&tables, table);
    optind = 0; // GNU: begin anew
    opterr = 0;
    while ((id = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        const struct option_row *row = row_of(table, id);
        if (row == NULL) {
            return error_set(err, ERROR_BAD_ARGUMENT,
                             "unknown option, or one without its value: %s", argv[optind - 1]);
        }
        if (!take_row(row, target, optarg, err)) {
            return false;
        }
    }
    *rest_ret = optind;
    return true;
}
