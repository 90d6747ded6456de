// SPDX-License-Identifier: Apache-2.0
// The words of a filter. What a character means depends on whether a value is due:
// `lists:map/2` and `<0.123.0>` are values, `<` in front of one is an operator.
// Words are copied, unquoted, to memory of the caller. One owner.
#ifndef FLAME_PROF_QUERY_FILTER_LEXER_H
#define FLAME_PROF_QUERY_FILTER_LEXER_H

#include "query/filter.h"

enum filter_token_kind {
    FILTER_TOKEN_END,
    FILTER_TOKEN_AND,
    FILTER_TOKEN_OR,
    FILTER_TOKEN_NOT,
    FILTER_TOKEN_OPEN,
    FILTER_TOKEN_CLOSE,
    FILTER_TOKEN_WORD,     // a field, bare or quoted
    FILTER_TOKEN_OPERATOR, // `op`
    FILTER_TOKEN_WRONG,    // `what`
};

struct filter_token {
    enum filter_token_kind kind;
    uint32_t at; // byte of the source
    enum filter_operator op;
    struct text text; // of a word
    const char *what; // static
};

struct filter_lexer {
    struct text source;
    uint32_t at;
    char *strings;       // room for as many bytes as the source has
    uint32_t string_len; // used of them
};

// The next token where no value is due.
struct filter_token filter_lexer_next(struct filter_lexer *lexer);

// The value behind an operator: bare, "quoted", or /.../ when `is_pattern`. False,
// with `what`, when there is none. `*is_quoted_ret` when it was not bare.
bool filter_lexer_value(struct filter_lexer *lexer, bool is_pattern, struct text *text_ret,
                        bool *is_quoted_ret, uint32_t *at_ret, const char **what);

#endif
