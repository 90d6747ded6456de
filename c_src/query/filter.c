// SPDX-License-Identifier: Apache-2.0
#include "query/filter.h"

#include "query/filter_lexer.h"
#include "query/filter_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct filter *filter;
    struct filter_lexer lexer;
    struct filter_token token; // the next one
    uint32_t depth;
    uint32_t fault_at;
    struct error *err;
};

static struct text source_of(const struct filter *filter)
{
    return (struct text){filter->source, filter->source_len};
}

// --- errors -------------------------------------------------------------------

// Characters, not bytes: people count those.
static uint32_t character_at(struct text source, uint32_t at)
{
    uint32_t character = 1;
    for (uint32_t i = 0; i < at && i < source.len; i++) {
        character += (source.bytes[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return character;
}

bool filter_complain(struct text source, uint32_t at, struct error *err, const char *format, ...)
{
    enum { SHOWN_BYTES = 40 };
    char what[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (at >= source.len) {
        return error_set(err, ERROR_BAD_ARGUMENT, "filter: %s, at its end (character %u)", what,
                         character_at(source, source.len));
    }
    uint32_t rest = source.len - at;
    return error_set(err, ERROR_BAD_ARGUMENT, "filter: %s, character %u: \"%.*s%s\"", what,
                     character_at(source, at), (int)(rest < SHOWN_BYTES ? rest : SHOWN_BYTES),
                     source.bytes + at, rest > SHOWN_BYTES ? "..." : "");
}

static bool fail(struct parser *parser, uint32_t at, const char *what)
{
    parser->fault_at = at;
    return filter_complain(source_of(parser->filter), at, parser->err, "%s", what);
}

// --- nodes --------------------------------------------------------------------

static bool add_node(struct parser *parser, const struct filter_node *node, uint16_t *idx)
{
    struct filter *filter = parser->filter;
    if (filter->node_cnt == FILTER_MAX_NODES) {
        return fail(parser, node->at, "it has too many parts");
    }
    filter->nodes[filter->node_cnt] = *node;
    *idx = (uint16_t)filter->node_cnt++;
    return true;
}

static bool join(struct parser *parser, enum filter_kind kind, uint32_t at, uint16_t left,
                 uint16_t right, uint16_t *idx)
{
    struct filter_node node = {.kind = kind, .at = at, .left = left, .right = right};
    return add_node(parser, &node, idx);
}

static bool advance(struct parser *parser)
{
    parser->token = filter_lexer_next(&parser->lexer);
    return parser->token.kind != FILTER_TOKEN_WRONG ||
           fail(parser, parser->token.at, parser->token.what);
}

// --- tests --------------------------------------------------------------------

static bool parse_pid(struct text text, int64_t *number)
{
    char copy[32];
    unsigned node = 0;
    unsigned serial = 0;
    unsigned id = 0;
    int used = 0;
    if (text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.bytes, text.len);
    copy[text.len] = '\0';
    // NOLINTNEXTLINE(cert-err34-c): %9u cannot overflow
    if (sscanf(copy, "<%9u.%9u.%9u>%n", &node, &id, &serial, &used) != 3 || used != (int)text.len) {
        return false;
    }
    *number = id;
    return true;
}

// `at`: where its text begins; an escape in it may shift a fault by a character.
static bool compile_pattern(struct parser *parser, uint32_t at, struct filter_value *value)
{
    struct pattern_fault fault;
    value->pattern = pattern_create(value->text, &fault);
    if (value->pattern != NULL) {
        return true;
    }
    return fail(parser, at + fault.at, fault.what);
}

static bool parse_value(struct parser *parser, enum filter_operator op, struct filter_value *value)
{
    bool is_pattern = op == FILTER_MATCHES || op == FILTER_NOT_MATCHES;
    bool is_quoted = false;
    uint32_t at = 0;
    const char *what = NULL;
    if (!filter_lexer_value(&parser->lexer, is_pattern, &value->text, &is_quoted, &at, &what)) {
        return fail(parser, at, what);
    }
    if (is_pattern) {
        return compile_pattern(parser, at + (is_quoted ? 1 : 0), value);
    }
    if (is_quoted) {
        return true;
    }
    value->is_number = filter_number_parse(value->text, &value->number);
    value->is_range =
        !value->is_number && filter_number_parse_range(value->text, &value->number, &value->end);
    value->is_pid = !value->is_number && !value->is_range && parse_pid(value->text, &value->number);
    bool is_order = op != FILTER_EQUAL && op != FILTER_NOT_EQUAL;
    if (is_order && !value->is_number) {
        return fail(parser, at, "a number is missing (units: KiB MiB GiB kB MB GB us ms s min h)");
    }
    return true;
}

// delta(NAME) and value(NAME)
static bool parse_form(struct parser *parser, struct filter_test *test)
{
    static const struct {
        struct text name;
        enum filter_form form;
    } FORMS[] = {
        {{"delta", 5}, FILTER_FORM_DELTA},
        {{"value", 5}, FILTER_FORM_VALUE},
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        if (text_equal(test->field, FORMS[i].name)) {
            test->form = FORMS[i].form;
        }
    }
    if (test->form == FILTER_FORM_PLAIN) {
        return fail(parser, parser->token.at, "an operator is missing, one of = != < <= > >= ~ !~");
    }
    if (!advance(parser)) {
        return false;
    }
    if (parser->token.kind != FILTER_TOKEN_WORD) {
        return fail(parser, parser->token.at, "the name of a metric is missing");
    }
    test->field = parser->token.text;
    if (!advance(parser)) {
        return false;
    }
    if (parser->token.kind != FILTER_TOKEN_CLOSE) {
        return fail(parser, parser->token.at, ") is missing");
    }
    return advance(parser);
}

static bool parse_test(struct parser *parser, uint16_t *idx)
{
    struct filter_node node = {.kind = FILTER_TEST, .at = parser->token.at};
    struct filter_test *test = &node.test;
    if (parser->token.kind != FILTER_TOKEN_WORD || parser->token.text.len == 0) {
        return fail(parser, parser->token.at, "a test is missing, as in status=running");
    }
    test->field = parser->token.text;
    if (!advance(parser) ||
        (parser->token.kind == FILTER_TOKEN_OPEN && !parse_form(parser, test))) {
        return false;
    }
    if (parser->token.kind != FILTER_TOKEN_OPERATOR) {
        return fail(parser, parser->token.at, "an operator is missing, one of = != < <= > >= ~ !~");
    }
    test->op = parser->token.op;
    if (!parse_value(parser, test->op, &test->value)) {
        pattern_destroy(test->value.pattern);
        return false;
    }
    if (!add_node(parser, &node, idx)) {
        pattern_destroy(test->value.pattern);
        return false;
    }
    return advance(parser);
}

// --- the grammar --------------------------------------------------------------

static bool parse_or(struct parser *parser, uint16_t *idx);
static bool parse_unary(struct parser *parser, uint16_t *idx);

static bool parse_not(struct parser *parser, uint16_t *idx)
{
    uint32_t at = parser->token.at;
    uint16_t inner = 0;
    return advance(parser) && parse_unary(parser, &inner) &&
           join(parser, FILTER_NOT, at, inner, 0, idx);
}

static bool parse_parentheses(struct parser *parser, uint16_t *idx)
{
    if (!advance(parser) || !parse_or(parser, idx)) {
        return false;
    }
    if (parser->token.kind != FILTER_TOKEN_CLOSE) {
        return fail(parser, parser->token.at, ") is missing");
    }
    return advance(parser);
}

static bool parse_unary(struct parser *parser, uint16_t *idx)
{
    enum filter_token_kind kind = parser->token.kind;
    if (kind != FILTER_TOKEN_NOT && kind != FILTER_TOKEN_OPEN) {
        return parse_test(parser, idx);
    }
    if (parser->depth == FILTER_MAX_DEPTH) {
        return fail(parser, parser->token.at, "too many parentheses within each other");
    }
    parser->depth++;
    bool ok = kind == FILTER_TOKEN_NOT ? parse_not(parser, idx) : parse_parentheses(parser, idx);
    parser->depth--;
    return ok;
}

static bool parse_and(struct parser *parser, uint16_t *idx)
{
    if (!parse_unary(parser, idx)) {
        return false;
    }
    while (parser->token.kind == FILTER_TOKEN_AND) {
        uint32_t at = parser->token.at;
        uint16_t right = 0;
        if (!advance(parser) || !parse_unary(parser, &right) ||
            !join(parser, FILTER_AND, at, *idx, right, idx)) {
            return false;
        }
    }
    return true;
}

static bool parse_or(struct parser *parser, uint16_t *idx)
{
    if (!parse_and(parser, idx)) {
        return false;
    }
    while (parser->token.kind == FILTER_TOKEN_OR) {
        uint32_t at = parser->token.at;
        uint16_t right = 0;
        if (!advance(parser) || !parse_and(parser, &right) ||
            !join(parser, FILTER_OR, at, *idx, right, idx)) {
            return false;
        }
    }
    return true;
}

static bool parse(struct parser *parser)
{
    struct filter *filter = parser->filter;
    if (!advance(parser) || !parse_or(parser, &filter->root)) {
        return false;
    }
    switch (parser->token.kind) {
    case FILTER_TOKEN_END:
        return true;
    case FILTER_TOKEN_CLOSE:
        return fail(parser, parser->token.at, ") without (");
    default:
        return fail(parser, parser->token.at, "& or | is missing");
    }
}

// --- life ---------------------------------------------------------------------

struct filter *filter_create(struct text source, uint32_t *at_ret, struct error *err)
{
    if (source.len > FILTER_MAX_BYTES) {
        (void)error_set(err, ERROR_LIMIT, "filter: %u characters; at most %d are read", source.len,
                        FILTER_MAX_BYTES);
        return NULL;
    }
    struct filter *filter = calloc(1, sizeof *filter);
    if (filter == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "filter: out of memory");
        return NULL;
    }
    memcpy(filter->source, source.bytes == NULL ? "" : source.bytes, source.len);
    filter->source_len = source.len;
    struct parser parser = {
        .filter = filter,
        .lexer = {.source = source_of(filter), .strings = filter->strings},
        .err = err,
    };
    if (!parse(&parser)) {
        if (at_ret != NULL) {
            *at_ret = parser.fault_at;
        }
        filter_destroy(filter);
        return NULL;
    }
    return filter;
}

void filter_destroy(struct filter *filter)
{
    for (uint32_t i = 0; filter != NULL && i < filter->node_cnt; i++) {
        pattern_destroy(filter->nodes[i].test.value.pattern);
    }
    free(filter);
}
