// SPDX-License-Identifier: Apache-2.0
#include "cli/option_table.h"

#include "command_words.h"
#include "test.h"

enum colour { COLOUR_RED, COLOUR_BLUE };

struct line {
    uint32_t number;
    bool flag;
    bool marked;
    enum colour colour;
    const char *text;
    uint64_t bytes;
    uint64_t pause_ns;
    uint64_t time_ns;
    char taken[16];
};

static struct line line;
static struct error err;
static int rest;

static bool take(void *target, const char *value, struct error *error)
{
    struct line *to = target;
    (void)snprintf(to->taken, sizeof to->taken, "<%s>", value);
    return strcmp(value, "no") != 0 || option_table_wrong("--taken", value, "anything else", error);
}

#define AT(member) .offset = offsetof(struct line, member)

static const struct option_row ROWS[] = {
    {"number", 'n', OPTION_NUMBER, AT(number), 1, 9, "1 to 9"},
    {"flag", 'f', OPTION_FLAG, AT(flag)},
    {"blue", 0, OPTION_CHOICE, AT(colour), COLOUR_BLUE},
    {"text", 't', OPTION_TEXT, AT(text)},
    {"bytes", 0, OPTION_BYTES, AT(bytes), 1024, 1 << 20, "1K to 1M",
     .mark = offsetof(struct line, marked)},
    {"pause", 0, OPTION_DURATION, AT(pause_ns), 0, 2000000000, "0 to 2s"},
    {"time", 0, OPTION_SECONDS, AT(time_ns), .expected = "seconds"},
    {"taken", 0, OPTION_TAKEN, .take = take},
};

static bool parse_in(const char *text, bool stops_early)
{
    static struct command_words words;
    struct option_table table = {ROWS, sizeof ROWS / sizeof ROWS[0], stops_early};
    command_words_split(&words, (char[]){"command"}, text);
    memset(&err, 0, sizeof err);
    line = (struct line){.text = ""};
    return option_table_take(&table, &line, words.argc, words.argv, &rest, &err);
}

static bool parse(const char *text)
{
    return parse_in(text, false);
}

TEST(values_go_where_the_rows_say)
{
    CHECK(parse("-n 7 -f --blue -t x --bytes 4K --pause 500ms --time 1.5 --taken y"));
    CHECK_UINT(line.number, 7);
    CHECK(line.flag);
    CHECK_INT(line.colour, COLOUR_BLUE);
    CHECK_STR(line.text, "x");
    CHECK_UINT(line.bytes, 4096);
    CHECK(line.marked);
    CHECK_UINT(line.pause_ns, 500000000);
    CHECK_UINT(line.time_ns, 1500000000);
    CHECK_STR(line.taken, "<y>");
    CHECK(parse("--number=2 --text=z --pause 0"));
    CHECK_UINT(line.number, 2);
    CHECK_STR(line.text, "z");
    CHECK(!line.marked);
}

TEST(what_is_wrong_is_named_as_the_user_may_know_it)
{
    static const struct {
        const char *line;
        const char *message;
    } CASES[] = {
        {"-n 0", "-n 0: expected 1 to 9"},
        {"--number 10", "-n 10: expected 1 to 9"},
        {"--bytes 1", "--bytes 1: expected 1K to 1M"},
        {"--pause 3s", "--pause 3s: expected 0 to 2s"},
        {"--time 0", "--time 0: expected seconds"},
        {"--taken no", "--taken no: expected anything else"},
        {"-x", "unknown option, or one without its value: -x"},
        {"-f -n", "unknown option, or one without its value: -n"},
        {"--flag=1", "unknown option, or one without its value: --flag=1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(!parse(CASES[i].line));
        CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
        CHECK_STR(err.detail, CASES[i].message);
    }
}

TEST(other_words_are_left)
{
    CHECK(parse("a -f b"));
    CHECK(line.flag);
    CHECK_INT(rest, 2);
    CHECK(parse_in("a -f b", true));
    CHECK(!line.flag);
    CHECK_INT(rest, 1);
    CHECK(parse_in("-f -- -n", true));
    CHECK(line.flag);
    CHECK_INT(rest, 3);
}
