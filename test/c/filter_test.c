// SPDX-License-Identifier: Apache-2.0
#include "query/filter.h"

#include "query/filter_number.h"
#include "test.h"

static struct filter *filter;
static struct error err;
static uint32_t fault_at;

static const struct filter_node *parse(const char *source)
{
    filter_destroy(filter);
    filter = filter_create(text_of(source), &fault_at, &err);
    return filter == NULL ? NULL : &filter->nodes[filter->root];
}

static bool text_is(struct text text, const char *wanted)
{
    return text_equal(text, text_of(wanted));
}

// The tree with all parentheses.
static void write_node(uint16_t idx, char *to)
{
    static const char *const OPS[] = {"=", "!=", "<", "<=", ">", ">=", "~", "!~"};
    const struct filter_node *node = &filter->nodes[idx];
    char left[512] = "";
    char right[512] = "";
    if (node->kind == FILTER_TEST) {
        (void)sprintf(to, "%.*s%s%.*s", (int)node->test.field.len, node->test.field.bytes,
                      OPS[node->test.op], (int)node->test.value.text.len,
                      node->test.value.text.bytes);
        return;
    }
    write_node(node->left, left);
    if (node->kind == FILTER_NOT) {
        (void)sprintf(to, "!%.500s", left);
        return;
    }
    write_node(node->right, right);
    (void)sprintf(to, "(%.200s%s%.200s)", left, node->kind == FILTER_AND ? "&" : "|", right);
}

static const char *shape(const char *source)
{
    static char text[1024];
    if (parse(source) == NULL) {
        return err.detail;
    }
    write_node(filter->root, text);
    return text;
}

TEST(and_binds_more_than_or_and_not_most)
{
    CHECK_STR(shape("a=1 | b=2 & c=3"), "(a=1|(b=2&c=3))");
    CHECK_STR(shape("(a=1 | b=2) & c=3"), "((a=1|b=2)&c=3)");
    CHECK_STR(shape("!a=1 & b=2"), "(!a=1&b=2)");
    CHECK_STR(shape("!(a=1) & b=2"), "(!a=1&b=2)");
    CHECK_STR(shape("!(a=1 & b=2)"), "!(a=1&b=2)");
    CHECK_STR(shape("not a=1 and b=2 or !!c=3"), "((!a=1&b=2)|!!c=3)");
    CHECK_STR(shape("a=1&&b=2||c=3"), "((a=1&b=2)|c=3)");
}

TEST(the_example_of_the_documentation)
{
    CHECK_STR(shape("status=running & mem>64MiB & fn~/ets:/ & delta(memory)<0"),
              "(((status=running&mem>64MiB)&fn~ets:)&memory<0)");
    const struct filter_node *node = &filter->nodes[filter->nodes[filter->root].right];
    CHECK_INT(node->test.form, FILTER_FORM_DELTA);
    CHECK_INT(node->test.value.number, 0);
    node = &filter->nodes[1];
    CHECK(text_is(node->test.field, "mem"));
    CHECK(node->test.value.is_number);
    CHECK_INT(node->test.value.number, 64 << 20);
}

TEST(values_hold_what_names_have)
{
    CHECK(text_is(parse("fn=lists:map/2")->test.value.text, "lists:map/2"));
    CHECK(text_is(parse("comm='a \\' b'")->test.value.text, "a ' b"));
    CHECK(text_is(parse("file=\"/usr/lib\"")->test.value.text, "/usr/lib"));
    CHECK(text_is(parse("file=/usr/lib")->test.value.text, "/usr/lib"));
    CHECK(text_is(parse("fn~/a\\/b\\.c/")->test.value.text, "a/b\\.c"));
    CHECK(text_is(parse("'two words'=x")->test.field, "two words"));
    const struct filter_node *node = parse("pid=<0.123.7>");
    CHECK(node->test.value.is_pid);
    CHECK_INT(node->test.value.number, 123);
    CHECK(text_is(node->test.value.text, "<0.123.7>"));
    node = parse("time=2s..5.5s");
    CHECK(node->test.value.is_range);
    CHECK_INT(node->test.value.number, 2000000000);
    CHECK_INT(node->test.value.end, 5500000000);
    CHECK(!parse("comm=\"42\"")->test.value.is_number);
}

TEST(numbers_have_units_and_are_exact)
{
    int64_t number = 0;
    int64_t end = 0;
    CHECK(filter_number_parse(TEXT("1.5KiB"), &number));
    CHECK_INT(number, 1536);
    CHECK(filter_number_parse(TEXT("-250us"), &number));
    CHECK_INT(number, -250000);
    CHECK(filter_number_parse(TEXT("9223372036854775807"), &number));
    CHECK_INT(number, INT64_MAX);
    CHECK(!filter_number_parse(TEXT("9223372036854775808"), &number));
    CHECK(!filter_number_parse(TEXT("9000000TiB"), &number));
    CHECK(!filter_number_parse(TEXT("0.5"), &number));
    CHECK(!filter_number_parse(TEXT("1x"), &number));
    CHECK(!filter_number_parse(TEXT("-"), &number));
    CHECK(!filter_number_parse(TEXT(""), &number));
    CHECK(filter_number_parse_range(TEXT("..5ms"), &number, &end));
    CHECK_INT(number, INT64_MIN);
    CHECK_INT(end, 5000000);
    CHECK(!filter_number_parse_range(TEXT(".."), &number, &end));
    CHECK(!filter_number_parse_range(TEXT("5..2"), &number, &end));
}

// Source, the byte that is wrong, a part of the message.
static const struct {
    const char *source;
    uint32_t at;
    const char *message;
} WRONG[] = {
    {"", 0, "a test is missing"},
    {"status", 6, "an operator is missing"},
    {"status= & mem>1", 8, "a value is missing"},
    {"status=running mem>1", 15, "& or | is missing"},
    {"(a=1", 4, ") is missing"},
    {"a=1)", 3, ") without ("},
    {"a=1 &", 5, "a test is missing"},
    {"mem>big", 4, "a number is missing"},
    {"fn~/a(/", 6, ") is missing"},
    {"fn~\"[\"", 5, "] is missing"},
    {"fn~/a", 3, "the closing / is missing"},
    {"comm=\"a", 5, "the closing quote is missing"},
    {"delta(memory<0", 12, ") is missing"},
    {"sum(memory)<0", 3, "an operator is missing"},
    {"a=1 & !", 7, "a test is missing"},
};

TEST(errors_point_at_the_character)
{
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        fault_at = 9999;
        if (parse(WRONG[i].source) != NULL) {
            TEST_FAIL("accepted: %s", WRONG[i].source);
        }
        if (fault_at != WRONG[i].at || strstr(err.detail, WRONG[i].message) == NULL) {
            TEST_FAIL("%s: byte %u, %s", WRONG[i].source, fault_at, err.detail);
        }
    }
    (void)parse("comm=é & >1");
    CHECK_HAS(err.detail, "character 10: \">1\"");
    (void)parse("a=1 &");
    CHECK_HAS(err.detail, "at its end (character 6)");
}

TEST(it_is_bounded)
{
    static char source[FILTER_MAX_BYTES + 2];
    memset(source, '(', sizeof source - 1);
    CHECK(parse(source) == NULL);
    CHECK_HAS(err.detail, "at most");
    source[FILTER_MAX_BYTES] = '\0';
    CHECK(parse(source) == NULL);
    CHECK_HAS(err.detail, "parentheses");
    for (size_t i = 0; i + 4 < FILTER_MAX_BYTES; i += 4) {
        memcpy(source + i, "a=1|", 4);
    }
    CHECK(parse(source) == NULL);
    CHECK_HAS(err.detail, "too many parts");
    (void)parse("a=1");
}
