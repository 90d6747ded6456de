// SPDX-License-Identifier: Apache-2.0
#include "query/filter_lexer.h"

#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_in(char byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

static char byte_at(const struct filter_lexer *lexer, uint32_t at)
{
    return at < lexer->source.len ? lexer->source.bytes[at] : '\0';
}

static void skip_blanks(struct filter_lexer *lexer)
{
    while (lexer->at < lexer->source.len && is_blank(lexer->source.bytes[lexer->at])) {
        lexer->at++;
    }
}

static void keep(struct filter_lexer *lexer, char byte)
{
    lexer->strings[lexer->string_len++] = byte;
}

// Up to the closing mark, without it. Within /.../ only \/ is ours, the rest of the
// escapes the pattern's.
static bool quoted(struct filter_lexer *lexer, char mark, struct text *text, const char **what)
{
    uint32_t begin = lexer->string_len;
    lexer->at++;
    while (lexer->at < lexer->source.len && byte_at(lexer, lexer->at) != mark) {
        char byte = byte_at(lexer, lexer->at);
        if (byte == '\\' && lexer->at + 1 < lexer->source.len) {
            lexer->at++;
            if (mark == '/' && byte_at(lexer, lexer->at) != '/') {
                keep(lexer, byte);
            }
            byte = byte_at(lexer, lexer->at);
        }
        keep(lexer, byte);
        lexer->at++;
    }
    if (lexer->at == lexer->source.len) {
        *what = mark == '/' ? "the closing / is missing" : "the closing quote is missing";
        return false;
    }
    lexer->at++;
    *text = (struct text){lexer->strings + begin, lexer->string_len - begin};
    return true;
}

// Up to a blank or one of the marks.
static struct text bare(struct filter_lexer *lexer, const char *marks)
{
    uint32_t begin = lexer->string_len;
    while (lexer->at < lexer->source.len && !is_blank(byte_at(lexer, lexer->at)) &&
           !is_in(byte_at(lexer, lexer->at), marks)) {
        keep(lexer, byte_at(lexer, lexer->at));
        lexer->at++;
    }
    return (struct text){lexer->strings + begin, lexer->string_len - begin};
}

static struct filter_token word(struct filter_lexer *lexer)
{
    struct filter_token token = {.kind = FILTER_TOKEN_WORD, .at = lexer->at};
    char first = byte_at(lexer, lexer->at);
    if (is_in(first, "\"'")) {
        if (!quoted(lexer, first, &token.text, &token.what)) {
            token.kind = FILTER_TOKEN_WRONG;
        }
        return token;
    }
    token.text = bare(lexer, "&|!()<>=~\"'");
    if (text_equal(token.text, TEXT("and"))) {
        token.kind = FILTER_TOKEN_AND;
    } else if (text_equal(token.text, TEXT("or"))) {
        token.kind = FILTER_TOKEN_OR;
    } else if (text_equal(token.text, TEXT("not"))) {
        token.kind = FILTER_TOKEN_NOT;
    }
    return token;
}

struct spelling {
    const char *text;
    enum filter_token_kind kind;
    enum filter_operator op;
};

// The longer one first.
static const struct spelling SPELLINGS[] = {
    {"&&", FILTER_TOKEN_AND, 0},
    {"&", FILTER_TOKEN_AND, 0},
    {"||", FILTER_TOKEN_OR, 0},
    {"|", FILTER_TOKEN_OR, 0},
    {"(", FILTER_TOKEN_OPEN, 0},
    {")", FILTER_TOKEN_CLOSE, 0},
    {"!=", FILTER_TOKEN_OPERATOR, FILTER_NOT_EQUAL},
    {"!~", FILTER_TOKEN_OPERATOR, FILTER_NOT_MATCHES},
    {"!", FILTER_TOKEN_NOT, 0},
    {"==", FILTER_TOKEN_OPERATOR, FILTER_EQUAL},
    {"=", FILTER_TOKEN_OPERATOR, FILTER_EQUAL},
    {"<=", FILTER_TOKEN_OPERATOR, FILTER_LESS_EQUAL},
    {"<", FILTER_TOKEN_OPERATOR, FILTER_LESS},
    {">=", FILTER_TOKEN_OPERATOR, FILTER_GREATER_EQUAL},
    {">", FILTER_TOKEN_OPERATOR, FILTER_GREATER},
    {"~", FILTER_TOKEN_OPERATOR, FILTER_MATCHES},
};

struct filter_token filter_lexer_next(struct filter_lexer *lexer)
{
    skip_blanks(lexer);
    if (lexer->at == lexer->source.len) {
        return (struct filter_token){.kind = FILTER_TOKEN_END, .at = lexer->at};
    }
    for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++) {
        const struct spelling *spelling = &SPELLINGS[i];
        uint32_t len = (uint32_t)strlen(spelling->text);
        if (lexer->source.len - lexer->at >= len &&
            memcmp(lexer->source.bytes + lexer->at, spelling->text, len) == 0) {
            struct filter_token token = {
                .kind = spelling->kind, .at = lexer->at, .op = spelling->op};
            lexer->at += len;
            return token;
        }
    }
    return word(lexer);
}

// <0.123.0>
static bool erlang_pid(struct filter_lexer *lexer, struct text *text)
{
    uint32_t end = lexer->at + 1;
    while (is_in(byte_at(lexer, end), "0123456789.")) {
        end++;
    }
    if (byte_at(lexer, end) != '>' || end == lexer->at + 1) {
        return false;
    }
    *text = (struct text){lexer->strings + lexer->string_len, end + 1 - lexer->at};
    for (; lexer->at <= end; lexer->at++) {
        keep(lexer, byte_at(lexer, lexer->at));
    }
    return true;
}

bool filter_lexer_value(struct filter_lexer *lexer, bool is_pattern, struct text *text_ret,
                        bool *is_quoted_ret, uint32_t *at_ret, const char **what)
{
    skip_blanks(lexer);
    char first = byte_at(lexer, lexer->at);
    *at_ret = lexer->at;
    *is_quoted_ret = is_in(first, "\"'") || (is_pattern && first == '/');
    if (*is_quoted_ret) {
        return quoted(lexer, first, text_ret, what);
    }
    if (first == '<' && erlang_pid(lexer, text_ret)) {
        return true;
    }
    *text_ret = bare(lexer, "&|!()<>=~\"'");
    *what = "a value is missing";
    return text_ret->len > 0;
}
