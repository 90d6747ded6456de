// SPDX-License-Identifier: Apache-2.0
#include "query/pattern.h"

#include "test.h"

static struct pattern_fault fault;

static bool match(const char *source, const char *text)
{
    struct pattern *pattern = pattern_create(text_of(source), &fault);
    CHECK(pattern != NULL);
    bool matches = pattern_matches(pattern, text_of(text));
    pattern_destroy(pattern);
    return matches;
}

static bool is_refused(const char *source, uint32_t at)
{
    struct pattern *pattern = pattern_create(text_of(source), &fault);
    bool refused = pattern == NULL && fault.what != NULL && fault.at == at;
    pattern_destroy(pattern);
    return refused;
}

TEST(literals_are_found_anywhere)
{
    CHECK(match("ets:", "stdlib ets:lookup/2"));
    CHECK(!match("ets:", "etc:"));
    CHECK(match("", "anything"));
    CHECK(match("", ""));
    CHECK(match("a\\.b", "a.b"));
    CHECK(!match("a\\.b", "axb"));
}

TEST(anchors_and_any)
{
    CHECK(match("^lists:", "lists:map/2"));
    CHECK(!match("^lists:", "my_lists:map/2"));
    CHECK(match("/2$", "lists:map/2"));
    CHECK(!match("/2$", "lists:map/22"));
    CHECK(match("^$", ""));
    CHECK(!match("^$", "x"));
    CHECK(match("^a.c$", "abc"));
    CHECK(!match("^a.c$", "ac"));
}

TEST(alternatives_and_groups)
{
    CHECK(match("^(a|bc|d)$", "a"));
    CHECK(match("^(a|bc|d)$", "bc"));
    CHECK(match("^(a|bc|d)$", "d"));
    CHECK(!match("^(a|bc|d)$", "b"));
    CHECK(match("^(|a)$", ""));
    CHECK(match("^(ab)+$", "abab"));
    CHECK(!match("^(ab)+$", "aba"));
}

TEST(repeats)
{
    CHECK(match("^ab*c$", "ac"));
    CHECK(match("^ab*c$", "abbbc"));
    CHECK(!match("^ab+c$", "ac"));
    CHECK(match("^ab?c$", "abc"));
    CHECK(!match("^ab?c$", "abbc"));
    CHECK(match("^a{3}$", "aaa"));
    CHECK(!match("^a{3}$", "aa"));
    CHECK(match("^a{2,3}$", "aaa"));
    CHECK(!match("^a{2,3}$", "aaaa"));
    CHECK(match("^a{2,}$", "aaaaa"));
    CHECK(!match("^a{2,}$", "a"));
    CHECK(match("^(x|yz){0,2}$", "yzx"));
    CHECK(match("^a{0}$", ""));
    CHECK(match("^(a{2}){2}$", "aaaa"));
    CHECK(!match("^(a{2}){2}$", "aaa"));
}

TEST(sets)
{
    CHECK(match("^[a-c]+$", "abc"));
    CHECK(!match("^[a-c]+$", "abd"));
    CHECK(match("^[^a-c]$", "d"));
    CHECK(!match("^[^a-c]$", "a"));
    CHECK(match("^[]x]+$", "]x"));
    CHECK(match("^[a-]+$", "-a"));
    CHECK(match("^[\\d_]+$", "1_2"));
    CHECK(match("^\\w+:\\D$", "ab_1:x"));
    CHECK(!match("^\\S$", " "));
}

TEST(case_may_be_ignored)
{
    CHECK(match("(?i)GC", "minor gc"));
    CHECK(match("(?i)^[A-C]+$", "aBc"));
    CHECK(!match("(?i)[^A]", "aA"));
    CHECK(!match("GC", "minor gc"));
}

TEST(what_makes_others_run_away_ends)
{
    static char text[20001];
    memset(text, 'a', sizeof text - 1);
    CHECK(!match("(a*)*b", text));
    CHECK(!match("^(a|aa)+$x", text));
    CHECK(!match("(a?){200}a{200}b", text));
}

TEST(faults_say_where)
{
    CHECK(is_refused("a(b", 3));
    CHECK(is_refused("a)b", 1));
    CHECK(is_refused("*a", 0));
    CHECK(is_refused("[a", 2));
    CHECK(is_refused("[z-a]", 3));
    CHECK(is_refused("a{3,2}", 5));
    CHECK(is_refused("a{999}", 4));
    CHECK(is_refused("a{x}", 2));
    CHECK(is_refused("a\\", 2));
    CHECK(pattern_create(TEXT("((a{255}){255}){255}"), &fault) == NULL);
    CHECK_STR(fault.what, "the expression is too large");
}
