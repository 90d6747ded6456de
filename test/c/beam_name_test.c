// SPDX-License-Identifier: Apache-2.0
// Erlang's functions as Erlang writes them, Elixir's as Elixir does.
#include "model/beam_name.h"

#include "test.h"

static const char *shown(struct text text)
{
    static char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.bytes);
    return copy;
}

// test/flame_prof_name_tests.erl has the same cases.
static const struct {
    const char *module;
    const char *function;
    const char *arity;
    const char *shown;
} CASES[] = {
    {"lists", "map", "2", "lists:map/2"},
    {"lists", "++", "2", "lists:++/2"},
    {"m", "-go/1-fun-0-", "1", "m:-go/1-fun-0-/1"},
    {"Elixir.My.Mod", "run!", "0", "My.Mod.run!/0"},
    {"Elixir.My.Mod", "-run/0-fun-2-", "1", "My.Mod.run/0-fn-2/1"},
    {"Elixir.My.Mod", "-fun.run/0-", "0", "&My.Mod.run/0"},
    {"Elixir.My.Mod", "-run/0-lc$^0/1-0-", "2", "My.Mod.run/0-lc$^0/1-0/2"},
    {"Elixir.My.Mod", "-a-fun-b/0-fun-1-", "0", "My.Mod.a-fun-b/0-fn-1/0"},
    {"Elixir.Kernel", "-", "2", "Kernel.-/2"},
    {"Elixir.Kernel", "--", "2", "Kernel.--/2"},
    {"Elixir.Enumerable.List", "reduce", "3", "Enumerable.List.reduce/3"},
    {"Elixir.", "f", "0", "Elixir.:f/0"},
    {"Elixir", "f", "0", "Elixir:f/0"},
    {"Elixirs", "f", "0", "Elixirs:f/0"},
};

TEST(functions_read_as_their_language_writes_them)
{
    char bytes[128];
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct text name = beam_name_function(text_of(CASES[i].module), text_of(CASES[i].function),
                                              text_of(CASES[i].arity), bytes, sizeof bytes);
        CHECK_STR(shown(name), CASES[i].shown);
    }
}

TEST(what_the_vm_prints_reads_the_same)
{
    static const char *const PRINTED[][2] = {
        {"lists:map/2", "lists:map/2"},
        {"lists:'++'/2", "lists:++/2"},
        {"erlang:'/'/2", "erlang://2"},
        {"'a:b':'c\\'d\\\\/'/1", "a:b:c'd\\//1"},
        {"'Elixir.My.Mod':'ok?'/1", "My.Mod.ok?/1"},
        {"'Elixir.My.Mod':'-run/0-fun-2-'/1", "My.Mod.run/0-fn-2/1"},
        {"'Elixir.My.Mod':'-fun.a:b/0-'/0", "&My.Mod.a:b/0"},
        {"'Elixir.My.Mod'::codeHeader", "My.Mod::codeHeader"},
        {"Elixir.My.Mod:run/0", "My.Mod.run/0"},
        {"global::call_bif", "global::call_bif"},
        {"erts_beamasm:normal_exit", "erts_beamasm:normal_exit"},
        {"a/1:b", "a/1:b"},
        {"'open", "open"},
        {"'\\", "\\"},
        {"", ""},
    };
    char bytes[128];
    for (size_t i = 0; i < sizeof PRINTED / sizeof PRINTED[0]; i++) {
        struct text name = beam_name_printed(text_of(PRINTED[i][0]), bytes, sizeof bytes);
        CHECK_STR(shown(name), PRINTED[i][1]);
    }
}

TEST(what_does_not_fit_is_cut)
{
    char bytes[12];
    CHECK_STR(shown(beam_name_printed(text_of("'Elixir.My.Mod':run/0"), bytes, sizeof bytes)),
              "My.Mo"); // the quoted name is cut first
    CHECK_STR(shown(beam_name_function(text_of("Elixir.My.Mod"), text_of("run_away"), text_of("0"),
                                       bytes, sizeof bytes)),
              "My.Mod.run_a");
    CHECK_STR(shown(beam_name_function(text_of("m"), text_of("f"), text_of("0"), bytes, 0)), "");
}

TEST(files_of_modules)
{
    char bytes[32];
    CHECK_STR(shown(beam_name_file(text_of("lists"), bytes, sizeof bytes)), "lists.erl");
    CHECK_STR(shown(beam_name_file(text_of("Elixir.My.Mod"), bytes, sizeof bytes)), "My.Mod.ex");
    CHECK_STR(shown(beam_name_module(text_of("Elixir.My.Mod"))), "My.Mod");
    CHECK_STR(shown(beam_name_module(text_of("Elixir."))), "Elixir.");
}
