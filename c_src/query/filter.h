// SPDX-License-Identifier: Apache-2.0
// Which samples are meant, as people write it:
//
//     status=running & mem>64MiB & fn~/ets:/ & delta(memory)<0
//
// A filter is text that was understood (docs/filter.md has the grammar); it knows
// no profile. query/filter_match.h says which samples of a profile it takes.
// Immutable but for the scratch memory of its patterns: one thread at a time.
#ifndef FLAME_PROF_QUERY_FILTER_H
#define FLAME_PROF_QUERY_FILTER_H

#include "base/error.h"
#include "base/text.h"
#include "query/pattern.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FILTER_MAX_BYTES = 4096,
    FILTER_MAX_NODES = 256,
    FILTER_MAX_DEPTH = 64, // of parentheses and !
};

enum filter_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TEST };

enum filter_operator {
    FILTER_EQUAL,
    FILTER_NOT_EQUAL,
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
    FILTER_MATCHES,
    FILTER_NOT_MATCHES,
};

enum filter_form { FILTER_FORM_PLAIN, FILTER_FORM_VALUE, FILTER_FORM_DELTA };

// What a test compares with. A number also has its text: `comm=42` is a name.
struct filter_value {
    struct text text; // without quotes and escapes; of a pattern its source
    bool is_number;   // `number` holds it, in base units: bytes, nanoseconds
    bool is_range;    // number..end, the end not included
    bool is_pid;      // <0.N.S>: `number` is N
    int64_t number;
    int64_t end;
    struct pattern *pattern; // of ~ and !~; owned by the filter
};

struct filter_test {
    struct text field;
    enum filter_form form;
    enum filter_operator op;
    struct filter_value value;
};

struct filter_node {
    enum filter_kind kind;
    uint32_t at;    // byte of the source where it begins
    uint16_t left;  // and, or, not: index of a node
    uint16_t right; // and, or
    struct filter_test test;
};

struct filter {
    char source[FILTER_MAX_BYTES];
    uint32_t source_len;
    char strings[FILTER_MAX_BYTES];             // what fields and values point to
    struct filter_node nodes[FILTER_MAX_NODES]; // operands come before what joins them
    uint32_t node_cnt;
    uint16_t root;
};

// NULL, with what is wrong and where: `character 8: a value is missing, at "& x"`.
// `at_ret` (may be NULL) gets the byte it is about.
struct filter *filter_create(struct text source, uint32_t *at_ret, struct error *err);
void filter_destroy(struct filter *filter);

// Sets `err` to one line about the byte `at` of the source; returns false.
bool filter_complain(struct text source, uint32_t at, struct error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
